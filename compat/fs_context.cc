#include "compat/fs_context.h"

namespace zrun::compat {

FsContext::FsContext(RefPtr<vfs::MountNamespace> mounts, vfs::Path root)
    : mounts_(std::move(mounts)), root_(root), cwd_(std::move(root)) {}

Result<RefPtr<FsContext>> FsContext::Create(RefPtr<vfs::MountNamespace> mounts, vfs::Path root) {
  return MakeRef<FsContext>(std::move(mounts), std::move(root));
}

Result<RefPtr<FsContext>> FsContext::Clone() {
  auto copy = TRY(MakeRef<FsContext>(mounts_, root()));
  copy->SetCwd(cwd());
  copy->umask_.store(umask(), std::memory_order_relaxed);
  return copy;
}

vfs::Path FsContext::root() const {
  MutexLock lock(lock_);
  return root_;
}

vfs::Path FsContext::cwd() const {
  MutexLock lock(lock_);
  return cwd_;
}

// The old path is dropped after the lock: the last reference to a dentry may take other locks.
void FsContext::SetRoot(vfs::Path root) {
  MutexLock lock(lock_);
  std::swap(root_, root);
}

void FsContext::SetCwd(vfs::Path cwd) {
  MutexLock lock(lock_);
  std::swap(cwd_, cwd);
}

}  // namespace zrun::compat
