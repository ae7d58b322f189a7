#include "vfs/block_device.h"
#include "vfs/devfs/devices.h"

namespace zrun::vfs {
namespace {

struct Node {
  std::string_view name;
  uint32_t mode;
  uint64_t rdev;
};
constexpr Node kNodes[] = {
    {"null", kModeChar | 0666, MakeDevice(1, 3)},
    {"zero", kModeChar | 0666, MakeDevice(1, 5)},
    {"full", kModeChar | 0666, MakeDevice(1, 7)},
    {"random", kModeChar | 0666, MakeDevice(1, 8)},
    {"urandom", kModeChar | 0666, MakeDevice(1, 9)},
    {"kmsg", kModeChar | 0644, MakeDevice(1, 11)},
    {"tty", kModeChar | 0666, MakeDevice(5, 0)},
    {"console", kModeChar | 0620, MakeDevice(5, 1)},
    {"ptmx", kModeChar | 0666, MakeDevice(5, 2)},
    {"pts", kModeDirectory | 0755, 0},
    {"shm", kModeDirectory | 01777, 0},
    {"mqueue", kModeDirectory | 01777, 0},
};
constexpr uint32_t kDiskGroup = 6;
struct Link {
  std::string_view name, target;
};
constexpr Link kLinks[] = {
    {"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"}, {"core", "/proc/kcore"},
};

}  // namespace

Result<RefPtr<FileSystem>> MountDevFs(std::string_view source, std::string_view options) {
  const FileSystemType* tmpfs = FindFileSystemType("tmpfs");
  if (!tmpfs) return Errno::kENODEV;
  RefPtr<FileSystem> file_system =
      TRY(tmpfs->mount(source, options.empty() ? std::string_view("mode=755") : options));
  RefPtr<Vnode> root = file_system->Root();
  if (!root) return Errno::kENOMEM;
  for (const Node& node : kNodes) {
    auto made = TRY(root->Create(node.name, node.mode, node.rdev, 0, 0));
    (void)made;
  }
  for (unsigned disk = 0; disk < DiskNodeCount(); disk++) {
    const char name[] = {'v', 'd', char('a' + disk)};
    auto made =
        TRY(root->Create({name, sizeof name}, kModeBlock | 0660, DiskNumber(disk), 0, kDiskGroup));
    (void)made;
  }
  for (const Link& link : kLinks) {
    auto made = TRY(root->Symlink(link.name, link.target, 0, 0));
    (void)made;
  }
  return file_system;
}

}  // namespace zrun::vfs
