#pragma once
#include "vfs/vnode.h"

namespace zrun {
class TextSink;
}
namespace zrun::vfs {

class FileSystem : public RefCounted<FileSystem> {
 public:
  virtual ~FileSystem() = default;
  virtual std::string_view type_name() const = 0;
  virtual RefPtr<Vnode> Root() = 0;
  virtual Result<StatFs> GetStatFs() = 0;
  virtual Result<void> Sync() { return {}; }
  // Its mount options as /proc/PID/mounts has them: ",name=value" each, but what is as usual.
  virtual void ShowOptions(TextSink&) {}
  // Nothing in it can ever change: EROFS, whatever the mount's flags say.
  virtual bool is_read_only() const { return false; }
  // Orders renames that move a name from one directory to another.
  Mutex& rename_lock() { return rename_lock_; }
  // st_dev of its files: an anonymous device number, one per mounted file system.
  uint64_t device() const { return device_; }

 protected:
  FileSystem();

 private:
  const uint64_t device_;
  Mutex rename_lock_{LockRank::kRename};
};

// What mount(2) can mount: one line per file system in vfs/registry.cc.
struct FileSystemType {
  std::string_view name;
  // Null if it lies on a device; then the other is not.
  Result<RefPtr<FileSystem>> (*mount)(std::string_view source, std::string_view options);
  Result<RefPtr<FileSystem>> (*mount_disk)(unsigned disk) = nullptr;
};
const FileSystemType* FindFileSystemType(std::string_view name);
std::span<const FileSystemType> AllFileSystemTypes();

}  // namespace zrun::vfs
