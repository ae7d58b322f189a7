#pragma once
#include "vfs/file_description.h"
#include "vfs/file_messenger.h"
#include "vfs/setting.h"

// fcntl(F_NOTIFY): a signal for what happens to the names of a directory that a process has open.
// It hears what inotify hears (vfs/notify.h).
namespace zrun::vfs {

struct DirectoryEvent {  // DN_*
  enum : uint32_t {
    kAccess = 1,
    kModify = 2,
    kCreate = 4,
    kDelete = 8,
    kRename = 16,
    kAttrib = 32,
    kMultiShot = 0x80000000,
  };
};
extern Setting dir_notify_enable;

// |events| beside those that |owner| (a process's descriptors) is told of already; once, or with
// kMultiShot each time. ENOTDIR, ENOMEM.
Result<void> WatchDirectory(FileDescription& file, const void* owner, uint32_t events,
                            RefPtr<FileMessenger> messenger);

namespace internal {
extern std::atomic<uint32_t> directory_notices;
void ForgetDirectorySlow(FileDescription& file, const void* owner);
void TellDirectoryNoticesSlow(const Vnode& directory, uint32_t event);
}  // namespace internal

// Ends |owner|'s, or with null everybody's who asked through |file|.
inline void ForgetDirectory(FileDescription& file, const void* owner) {
  if (internal::directory_notices.load(std::memory_order_relaxed) != 0) [[unlikely]]
    internal::ForgetDirectorySlow(file, owner);
}
// |event| is NotifyEvent's, of a name in |directory| or of itself.
inline void TellDirectoryNotices(const Vnode& directory, uint32_t event) {
  if (internal::directory_notices.load(std::memory_order_relaxed) != 0) [[unlikely]]
    internal::TellDirectoryNoticesSlow(directory, event);
}

}  // namespace zrun::vfs
