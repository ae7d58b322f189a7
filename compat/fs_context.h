#pragma once
#include "vfs/namei.h"

namespace zrun::compat {

// Root, working directory, umask and mount namespace (Linux: fs_struct); shared by CLONE_FS.
class FsContext : public RefCounted<FsContext> {
 public:
  static Result<RefPtr<FsContext>> Create(RefPtr<vfs::MountNamespace> mounts, vfs::Path root);
  Result<RefPtr<FsContext>> Clone() EXCLUDES(lock_);
  vfs::Path root() const EXCLUDES(lock_);
  vfs::Path cwd() const EXCLUDES(lock_);
  void SetRoot(vfs::Path root) EXCLUDES(lock_);
  void SetCwd(vfs::Path cwd) EXCLUDES(lock_);
  uint32_t umask() const { return umask_.load(std::memory_order_relaxed); }
  uint32_t ExchangeUmask(uint32_t mask) { return umask_.exchange(mask & 0777); }
  vfs::MountNamespace& mounts() { return *mounts_; }

  // Tasks that have it.
  int users() const { return users_.load(); }
  void AddUser() { users_.fetch_add(1); }
  void RemoveUser() { users_.fetch_sub(1); }
  // Programs being executed that may gain rights because no other process has it: until they have
  // begun, nobody gets it. With Kernel::lock held.
  bool is_executing() const { return executing_.load() > 0; }
  void BeginExec() { executing_.fetch_add(1); }
  void EndExec() { executing_.fetch_sub(1); }

 private:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> zrun::MakeRef(Args&&...);
  FsContext(RefPtr<vfs::MountNamespace> mounts, vfs::Path root);
  const RefPtr<vfs::MountNamespace> mounts_;
  mutable Mutex lock_{LockRank::kFsContext};
  vfs::Path root_ GUARDED_BY(lock_);
  vfs::Path cwd_ GUARDED_BY(lock_);
  std::atomic<uint32_t> umask_{022};
  std::atomic<int> users_{0}, executing_{0};
};

}  // namespace zrun::compat
