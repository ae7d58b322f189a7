#include "vfs/directory_notice.h"

#include "vfs/notify.h"

namespace zrun::vfs {

namespace internal {
constinit std::atomic<uint32_t> directory_notices{0};
}  // namespace internal

constinit Setting dir_notify_enable{1, 0, 1};

namespace {

constexpr size_t kBuckets = 64;

struct DirectoryNotice : public ListNode<> {
  ~DirectoryNotice() {
    if (directory) directory->EndWatch();
  }
  FileDescription* file = nullptr;
  const void* owner = nullptr;
  RefPtr<Vnode> directory;
  uint32_t events = 0;
  RefPtr<FileMessenger> messenger;
};
using NoticeList = IntrusiveList<DirectoryNotice>;

constinit Mutex table_lock{LockRank::kFileSystem};
// Never destroyed; made by the first who asks for one.
constinit NoticeList* table GUARDED_BY(table_lock) = nullptr;

NoticeList& BucketOf(uintptr_t directory) REQUIRES(table_lock) {
  return table[(directory >> 6 ^ directory >> 14) % kBuckets];
}

void Drop(DirectoryNotice& notice, NoticeList& dropped) REQUIRES(table_lock) {
  notice.Unlink();
  internal::directory_notices.fetch_sub(1);
  internal::notify_watches.fetch_sub(1);
  dropped.PushBack(notice);
}

void FreeNotices(NoticeList& notices) {
  while (DirectoryNotice* const notice = notices.PopFront()) OwnPtr<DirectoryNotice> freed(notice);
}

// Which DN_* |event| is.
uint32_t EventsOf(uint32_t event) {
  using enum NotifyEvent;
  const auto is = [&](NotifyEvent wanted) { return (event & uint32_t(wanted)) != 0; };
  uint32_t events = 0;
  if (is(kAccess)) events |= DirectoryEvent::kAccess;
  if (is(kModify)) events |= DirectoryEvent::kModify;
  if (is(kAttrib)) events |= DirectoryEvent::kAttrib;
  if (is(kCreate | kMovedTo)) events |= DirectoryEvent::kCreate;
  if (is(kDelete | kMovedFrom)) events |= DirectoryEvent::kDelete;
  if (is(kRenamed)) events |= DirectoryEvent::kRename;
  return events;
}

}  // namespace

Result<void> WatchDirectory(FileDescription& file, const void* owner, uint32_t events,
                            RefPtr<FileMessenger> messenger) {
  const auto vnode = file.path().vnode();
  if (!vnode || vnode->type() != VnodeType::kDirectory) return Errno::kENOTDIR;
  auto fresh = TRY(MakeOwned<DirectoryNotice>());
  TRY(vnode->BeginWatch());
  fresh->directory = vnode;
  const uintptr_t key = vnode->identity();
  MutexLock lock(table_lock);
  if (!table) table = new (std::nothrow) NoticeList[kBuckets];
  if (!table) return Errno::kENOMEM;
  for (DirectoryNotice& notice : BucketOf(key)) {
    if (notice.file != &file || notice.owner != owner) continue;
    notice.events |= events;
    std::swap(notice.messenger, messenger);  // the old one goes without the lock
    return {};
  }
  DirectoryNotice& added = *fresh.release();
  added.file = &file;
  added.owner = owner;
  added.events = events;
  added.messenger = std::move(messenger);
  BucketOf(key).PushBack(added);
  internal::directory_notices.fetch_add(1);
  internal::notify_watches.fetch_add(1);
  return {};
}

namespace internal {

void ForgetDirectorySlow(FileDescription& file, const void* owner) {
  const auto vnode = file.path().vnode();
  if (!vnode || vnode->type() != VnodeType::kDirectory) return;
  NoticeList dropped;
  {
    MutexLock lock(table_lock);
    if (!table) return;
    NoticeList& bucket = BucketOf(vnode->identity());
    DirectoryNotice* next = nullptr;
    for (DirectoryNotice* notice = bucket.front(); notice; notice = next) {
      next = bucket.NextOf(*notice);
      if (notice->file == &file && (!owner || notice->owner == owner)) Drop(*notice, dropped);
    }
  }
  FreeNotices(dropped);
}

void TellDirectoryNoticesSlow(const Vnode& directory, uint32_t event) {
  const uint32_t events = EventsOf(event);
  if (events == 0) return;
  NoticeList dropped;
  {
    MutexLock lock(table_lock);
    if (!table) return;
    NoticeList& bucket = BucketOf(directory.identity());
    DirectoryNotice* next = nullptr;
    for (DirectoryNotice* notice = bucket.front(); notice; notice = next) {
      next = bucket.NextOf(*notice);
      if (notice->directory->identity() != directory.identity() || !(notice->events & events))
        continue;
      notice->messenger->Tell(*notice->file);
      if (!(notice->events & DirectoryEvent::kMultiShot)) Drop(*notice, dropped);
    }
  }
  FreeNotices(dropped);
}

}  // namespace internal

}  // namespace zrun::vfs
