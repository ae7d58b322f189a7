#include "vfs/file_description.h"

#include "vfs/directory_notice.h"
#include "vfs/file_locks.h"
#include "vfs/notify.h"

namespace zrun::vfs {
namespace {
constinit std::atomic<uint64_t> file_count{0};
}  // namespace

FileDescription::FileDescription(Path path, OpenFlags flags, Signals initial)
    : KernelObject(kType, initial),
      path_(std::move(path)),
      // What F_GETFL never shows.
      flags_(uint32_t(flags & ~(OpenFlags::kNoControllingTty | OpenFlags::kCloseOnExec))) {
  file_count.fetch_add(1, std::memory_order_relaxed);
}

FileDescription::~FileDescription() {
  FileDescription::OnZeroHandles();
  file_count.fetch_sub(1, std::memory_order_relaxed);
}

uint64_t FileDescription::count() { return file_count.load(std::memory_order_relaxed); }

void FileDescription::OnClose(const void* owner) {
  if (!path_ || !path_.dentry->vnode()) return;
  ForgetDirectory(*this, owner);
  if (FileLocks* locks = path_.dentry->vnode()->existing_locks())
    locks->ClearAll({FileLockOwner::Kind::kProcess, owner});
}

void FileDescription::OnZeroHandles() {
  DropLocks();
  TellClosed();
}

void FileDescription::TellClosed() {
  if (told_open_.exchange(false, std::memory_order_relaxed))
    NotifyFile(path_, writable() ? NotifyEvent::kCloseWrite : NotifyEvent::kCloseNoWrite);
}

void FileDescription::DropLocks() {
  if (!path_ || !path_.dentry->vnode()) return;
  if (FileLocks* locks = path_.dentry->vnode()->existing_locks()) {
    locks->ClearAll({FileLockOwner::Kind::kDescription, this});
    locks->ClearAll({FileLockOwner::Kind::kFlock, this});
  }
}

void FileDescription::SetStatusFlags(OpenFlags flags) {
  constexpr OpenFlags kChangeable = OpenFlags::kAppend | OpenFlags::kAsync | OpenFlags::kDirect |
                                    OpenFlags::kNoAtime | OpenFlags::kNonBlock;
  uint32_t old = flags_.load(std::memory_order_relaxed);
  uint32_t changed;
  do {
    changed = uint32_t((OpenFlags(old) & ~kChangeable) | (flags & kChangeable));
  } while (!flags_.compare_exchange_weak(old, changed, std::memory_order_acq_rel));
}

Rights FileDescription::default_rights() const {
  Rights rights = Rights::kDuplicate | Rights::kTransfer | Rights::kWait | Rights::kInspect |
                  Rights::kMap | Rights::kSignal | Rights::kManage;
  if (readable()) rights |= Rights::kRead;
  if (writable()) rights |= Rights::kWrite;
  return rights;
}

}  // namespace zrun::vfs
