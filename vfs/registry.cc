#include "vfs/devfs/devices.h"
#include "vfs/erofs/erofs.h"
#include "vfs/procfs/procfs.h"
#include "vfs/ramfs/ramfs.h"

// What mount(2) knows and /proc/filesystems lists: one line for each file system. Overlays and
// shared host directories are mounted by the kernel while it boots, not by name.
namespace zrun::vfs {
namespace {

constexpr FileSystemType kFileSystemTypes[] = {
    // clang-format off
    {"tmpfs", MountTmpfs},
    {"ramfs", MountRamfs},
    {"devtmpfs", MountDevFs},
    {"devpts", MountDevPts},
    {"erofs", nullptr, MountErofsDisk},
    {"proc", MountProcFs},
    {"sysfs", MountSysFs},
    // clang-format on
};

}  // namespace

std::span<const FileSystemType> AllFileSystemTypes() { return kFileSystemTypes; }

const FileSystemType* FindFileSystemType(std::string_view name) {
  for (const FileSystemType& type : kFileSystemTypes)
    if (type.name == name) return &type;
  return nullptr;
}

}  // namespace zrun::vfs
