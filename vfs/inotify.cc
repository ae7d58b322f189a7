#include "vfs/inotify.h"

#include "base/text.h"
#include "vfs/anonymous.h"
#include "vfs/directory_notice.h"
#include "vfs/file_system.h"
#include "vfs/notify.h"

namespace zrun::vfs {

namespace internal {
constinit std::atomic<uint32_t> notify_watches{0};
}  // namespace internal

constinit InotifyLimits inotify_limits{.queued_events = {16384, 0, INT32_MAX},
                                       .user_instances = {128, 0, INT32_MAX},
                                       .user_watches = {65536, 0, INT32_MAX}};

namespace {

// <linux/inotify.h>
constexpr uint32_t kAllEvents = 0xfff;
constexpr uint32_t kExcludeUnlinked = 0x04000000, kMaskCreate = 0x10000000, kMaskAdd = 0x20000000,
                   kOneShot = 0x80000000;
constexpr size_t kBuckets = 256;
constexpr uint32_t kFionRead = 0x541b;

struct EventHeader {  // struct inotify_event
  int32_t watch;
  uint32_t mask, cookie, name_size;
};

struct Event : public ListNode<> {
  int watch = 0;
  uint32_t mask = 0, cookie = 0;
  String name;
  // With its NUL, padded so that the next event is aligned.
  size_t name_size() const { return name.empty() ? 0 : (name.size() + 16) / 16 * 16; }
  size_t size() const { return sizeof(EventHeader) + name_size(); }
};

class Inotify;
struct OwnerTag;

// What a user has of files and watches; there while he has some.
struct User : public ListNode<> {
  uint32_t uid = 0;
  int64_t instances = 0, watches = 0;
};

struct Watch : public ListNode<>, public ListNode<OwnerTag> {
  ~Watch() {
    if (vnode) vnode->EndWatch();
  }
  Inotify* owner = nullptr;
  RefPtr<Vnode> vnode;
  int number = 0;
  uint32_t mask = 0;
  bool IsOf(const Vnode& file) const { return vnode->identity() == file.identity(); }
};
using WatchList = IntrusiveList<Watch>;

// All watches, by vnode. One lock for them and for all event queues: it comes after everything that
// a file system holds while it tells of an event.
struct Table {
  WatchList buckets[kBuckets];
  IntrusiveList<User> users;
};
constinit Mutex table_lock{LockRank::kFileSystem};
constinit Table* table GUARDED_BY(table_lock) = nullptr;

Result<Table*> GetTable() REQUIRES(table_lock) {
  if (!table) table = TRY(MakeOwned<Table>()).release();
  return table;
}

WatchList& BucketOf(const Vnode& vnode) REQUIRES(table_lock) {
  const uintptr_t key = vnode.identity();
  return table->buckets[(key >> 6 ^ key >> 14) % kBuckets];
}

class Inotify final : public FileDescription {
 public:
  Inotify(Path path, OpenFlags flags) : FileDescription(std::move(path), flags, Signals::kNone) {}
  // Before it is used. EMFILE if |uid| has as many as he may.
  Result<void> CountFor(uint32_t uid) EXCLUDES(table_lock);
  ~Inotify() override { Close(); }
  Kind kind() const override { return Kind::kInotify; }
  Result<size_t> Read(DataSink& sink) override EXCLUDES(table_lock);
  Result<uint64_t> Ioctl(uint32_t request, uint64_t argument, UserMemory& memory) override;
  Result<int> AddWatch(RefPtr<Vnode> vnode, uint32_t mask) EXCLUDES(table_lock);
  Result<void> RemoveWatch(int number) EXCLUDES(table_lock);
  void ShowInfo(TextSink& out) override EXCLUDES(table_lock);

  void Queue(int watch, uint32_t mask, uint32_t cookie, std::string_view name) REQUIRES(table_lock);
  // Takes |watch| out and says so in the queue; the caller frees it when it has unlocked.
  void Drop(Watch& watch, WatchList& dropped) REQUIRES(table_lock);

 private:
  void OnZeroHandles() override { Close(); }
  void Close() EXCLUDES(table_lock);
  OwnPtr<Event> TakeEvent(size_t room, bool& too_big) EXCLUDES(table_lock);

  IntrusiveList<Event> events_ GUARDED_BY(table_lock);
  size_t event_count_ GUARDED_BY(table_lock) = 0;
  bool overflowed_ GUARDED_BY(table_lock) = false;
  IntrusiveList<Watch, OwnerTag> watches_ GUARDED_BY(table_lock);
  size_t watch_count_ GUARDED_BY(table_lock) = 0;
  int last_number_ GUARDED_BY(table_lock) = 0;
  User* user_ GUARDED_BY(table_lock) = nullptr;  // null once it is closed
};

void FreeWatches(WatchList& watches) {
  while (Watch* const watch = watches.PopFront()) OwnPtr<Watch> freed(watch);
}

void Inotify::Queue(int watch, uint32_t mask, uint32_t cookie, std::string_view name) {
  const Event* const last = events_.back();
  if (last && last->watch == watch && last->mask == mask && last->cookie == cookie &&
      last->name.view() == name) {
    return;  // the same again
  }
  if (overflowed_) return;
  auto event = MakeOwned<Event>();
  const bool full = int64_t(event_count_) >= inotify_limits.queued_events.get() || !event.ok() ||
                    !event.value()->name.Append(name).ok();
  if (!event.ok()) return;
  Event& queued = *std::move(event).value().release();
  if (full) {
    overflowed_ = true;
    queued.watch = -1;
    queued.mask = uint32_t(NotifyEvent::kQueueOverflow);
    queued.name.Clear();
  } else {
    queued.watch = watch;
    queued.mask = mask;
    queued.cookie = cookie;
  }
  events_.PushBack(queued);
  event_count_++;
  UpdateSignals(Signals::kNone, Signals::kReadable);
}

void Inotify::Drop(Watch& watch, WatchList& dropped) {
  static_cast<ListNode<>&>(watch).Unlink();
  static_cast<ListNode<OwnerTag>&>(watch).Unlink();
  watch_count_--;
  user_->watches--;
  internal::notify_watches.fetch_sub(1);
  Queue(watch.number, uint32_t(NotifyEvent::kIgnored), 0, {});
  dropped.PushBack(watch);
}

OwnPtr<Event> Inotify::TakeEvent(size_t room, bool& too_big) {
  MutexLock lock(table_lock);
  Event* const event = events_.front();
  too_big = event && event->size() > room;
  if (!event || too_big) return nullptr;
  events_.PopFront();
  event_count_--;
  if (event->watch == -1) overflowed_ = false;
  if (events_.empty()) UpdateSignals(Signals::kReadable, Signals::kNone);
  return OwnPtr<Event>(event);
}

Result<size_t> Inotify::Read(DataSink& sink) {
  size_t done = 0;
  for (;;) {
    bool too_big = false;
    const OwnPtr<Event> event = TakeEvent(sink.remaining(), too_big);
    if (!event) {
      if (done > 0) return done;
      return too_big ? Errno::kEINVAL : Errno::kEAGAIN;
    }
    const EventHeader header{event->watch, event->mask, event->cookie,
                             uint32_t(event->name_size())};
    const auto put = [&]() -> Result<void> {
      if (TRY(sink.Put(std::as_bytes(std::span(&header, 1)))) < sizeof(header))
        return Errno::kEFAULT;
      const std::string_view name = event->name.view();
      if (name.empty()) return {};
      const auto bytes = std::as_bytes(std::span(name.data(), name.size()));
      const size_t padding = event->name_size() - name.size();
      if (TRY(sink.Put(bytes)) < bytes.size()) return Errno::kEFAULT;
      if (TRY(sink.PutZeros(padding)) < padding) return Errno::kEFAULT;
      return {};
    };
    if (auto written = put(); !written.ok()) {
      if (done > 0) return done;
      return written.error();
    }
    done += event->size();
  }
}

Result<uint64_t> Inotify::Ioctl(uint32_t request, uint64_t argument, UserMemory& memory) {
  if (request != kFionRead) return Errno::kENOTTY;
  size_t size = 0;
  {
    MutexLock lock(table_lock);
    for (const Event& event : events_) size += event.size();
  }
  TRY(memory.Write(UserPtr<int32_t>(argument), int32_t(size)));
  return 0;
}

Result<int> Inotify::AddWatch(RefPtr<Vnode> vnode, uint32_t mask) {
  if (!(mask & kAllEvents)) return Errno::kEINVAL;
  if ((mask & kMaskAdd) && (mask & kMaskCreate)) return Errno::kEINVAL;
  const uint32_t kept = mask & (kAllEvents | kExcludeUnlinked | kOneShot);
  auto watch = TRY(MakeOwned<Watch>());
  TRY(vnode->BeginWatch());
  watch->vnode = vnode;
  MutexLock lock(table_lock);
  TRY(GetTable());
  for (Watch& known : BucketOf(*vnode)) {
    if (known.owner != this || !known.IsOf(*vnode)) continue;
    if (mask & kMaskCreate) return Errno::kEEXIST;
    known.mask = mask & kMaskAdd ? known.mask | kept : kept;
    return known.number;
  }
  if (!user_) return Errno::kEBADF;  // closed by another thread
  if (user_->watches >= inotify_limits.user_watches.get()) return Errno::kENOSPC;
  user_->watches++;
  last_number_ = last_number_ == INT32_MAX ? 1 : last_number_ + 1;
  watch->owner = this;
  watch->number = last_number_;
  watch->mask = kept;
  Watch& added = *watch.release();
  BucketOf(*added.vnode).PushBack(added);
  watches_.PushBack(added);
  watch_count_++;
  internal::notify_watches.fetch_add(1);
  return added.number;
}

Result<void> Inotify::RemoveWatch(int number) {
  WatchList dropped;
  {
    MutexLock lock(table_lock);
    for (Watch& watch : watches_) {
      if (watch.number != number) continue;
      Drop(watch, dropped);
      break;
    }
  }
  if (dropped.empty()) return Errno::kEINVAL;
  FreeWatches(dropped);
  return {};
}

// Gathered first: the writing may need memory, and file systems may have to ask others.
void Inotify::ShowInfo(TextSink& out) {
  struct Line {
    RefPtr<Vnode> vnode;
    int number;
    uint32_t mask;
  };
  Vector<Line> lines;
  {
    MutexLock lock(table_lock);
    if (!lines.Reserve(watch_count_).ok()) return;
    for (const Watch& watch : watches_)
      static_cast<void>(lines.PushBack({watch.vnode, watch.number, watch.mask}));  // reserved
  }
  // The latest first. File systems here have no handles that could follow.
  for (size_t i = lines.size(); i-- > 0;) {
    const Vnode& vnode = *lines[i].vnode;
    zrun::Write(out, "inotify wd:", Hex{uint64_t(lines[i].number)}, " ino:", Hex{vnode.inode()},
                " sdev:", Hex{CompactDevice(vnode.file_system().device())},
                " mask:", Hex{lines[i].mask}, " ignored_mask:0 \n");
  }
}

Result<void> Inotify::CountFor(uint32_t uid) {
  auto fresh = TRY(MakeOwned<User>());
  fresh->uid = uid;
  MutexLock lock(table_lock);
  auto& users = TRY(GetTable())->users;
  User* found = nullptr;
  for (User& user : users)
    if (user.uid == uid) found = &user;
  if ((found ? found->instances : 0) >= inotify_limits.user_instances.get()) return Errno::kEMFILE;
  if (!found) {
    found = fresh.release();
    users.PushBack(*found);
  }
  found->instances++;
  user_ = found;
  return {};
}

void Inotify::Close() {
  WatchList dropped;
  OwnPtr<User> last;
  {
    MutexLock lock(table_lock);
    while (Watch* const watch = watches_.front()) Drop(*watch, dropped);
    while (Event* const event = events_.PopFront()) OwnPtr<Event> freed(event);
    event_count_ = 0;
    if (user_ && --user_->instances == 0) {
      user_->Unlink();
      last = OwnPtr<User>(user_);
    }
    user_ = nullptr;
  }
  FreeWatches(dropped);
}

Result<Inotify*> AsInotify(FileDescription& file) {
  if (file.kind() != FileDescription::Kind::kInotify) return Errno::kEINVAL;
  return static_cast<Inotify*>(&file);
}

// |unlinked|: the name is gone already, which some do not want to hear of.
void Tell(Vnode& vnode, uint32_t event, std::string_view name, uint32_t cookie, bool unlinked) {
  constexpr uint32_t kSelf = uint32_t(NotifyEvent::kDeleteSelf) | uint32_t(NotifyEvent::kMoveSelf);
  const uint32_t what = event & kAllEvents;
  if (name.empty() && vnode.type() == VnodeType::kDirectory)
    event |= uint32_t(NotifyEvent::kIsDirectory);
  if (event & kSelf) event &= ~uint32_t(NotifyEvent::kIsDirectory);
  if (vnode.type() == VnodeType::kDirectory) TellDirectoryNotices(vnode, event);
  WatchList dropped;
  {
    MutexLock lock(table_lock);
    if (!table) return;
    WatchList& bucket = BucketOf(vnode);
    Watch* next = nullptr;
    for (Watch* watch = bucket.front(); watch; watch = next) {
      next = bucket.NextOf(*watch);
      if (!watch->IsOf(vnode)) continue;
      const bool wanted = watch->mask & what && !(unlinked && watch->mask & kExcludeUnlinked);
      if (wanted) watch->owner->Queue(watch->number, event, cookie, name);
      const bool is_last = event & uint32_t(NotifyEvent::kDeleteSelf);
      if (is_last || (wanted && watch->mask & kOneShot)) watch->owner->Drop(*watch, dropped);
    }
  }
  FreeWatches(dropped);
}

constinit std::atomic<uint32_t> next_cookie{1};

}  // namespace

namespace internal {

void NotifyVnodeSlow(Vnode& vnode, NotifyEvent event, std::string_view name, uint32_t cookie) {
  Tell(vnode, uint32_t(event), name, cookie, false);
}

void NotifyFileSlow(const Path& path, NotifyEvent event) {
  const RefPtr<Vnode> vnode = path.vnode();
  if (!vnode) return;
  const Dentry& dentry = *path.dentry;
  if (!dentry.is_root() && !dentry.is_detached()) {
    const RefPtr<Vnode> parent = dentry.parent()->vnode();
    auto name = dentry.name();
    uint32_t mask = uint32_t(event);
    if (vnode->type() == VnodeType::kDirectory) mask |= uint32_t(NotifyEvent::kIsDirectory);
    if (parent && name.ok()) Tell(*parent, mask, name.value().view(), 0, dentry.is_unlinked());
  }
  Tell(*vnode, uint32_t(event), {}, 0, false);
}

// The file system is asked only about what is watched: it may have to ask others.
void NotifyGoneSlow(Vnode& vnode) {
  {
    MutexLock lock(table_lock);
    if (!table) return;
    bool watched = false;
    for (const Watch& watch : BucketOf(vnode)) watched |= watch.IsOf(vnode);
    if (!watched) return;
  }
  if (vnode.type() != VnodeType::kDirectory) {
    const auto attributes = vnode.GetAttributes();
    if (!attributes.ok() || attributes.value().links != 0) return;
  }
  Tell(vnode, uint32_t(NotifyEvent::kDeleteSelf), {}, 0, false);
}

}  // namespace internal

void NotifyOverflow(Vnode& vnode) {
  MutexLock lock(table_lock);
  if (!table) return;
  for (Watch& watch : BucketOf(vnode))
    if (watch.IsOf(vnode)) watch.owner->Queue(-1, uint32_t(NotifyEvent::kQueueOverflow), 0, {});
}

uint32_t NextNotifyCookie() { return next_cookie.fetch_add(1, std::memory_order_relaxed); }

Result<RefPtr<FileDescription>> CreateInotify(OpenFlags flags, uint32_t uid) {
  Path path = TRY(MakeAnonymousPath("anon_inode:inotify", 0600));
  auto file =
      TRY(MakeRef<Inotify>(std::move(path), (flags & OpenFlags::kNonBlock) | OpenFlags::kReadOnly));
  TRY(file->CountFor(uid));
  return RefPtr<FileDescription>(std::move(file));
}

Result<int> InotifyAddWatch(FileDescription& file, const Path& path, uint32_t mask) {
  Inotify* const inotify = TRY(AsInotify(file));
  RefPtr<Vnode> vnode = path.vnode();
  if (!vnode) return Errno::kENOENT;
  return inotify->AddWatch(std::move(vnode), mask);
}

Result<void> InotifyRemoveWatch(FileDescription& file, int watch) {
  Inotify* const inotify = TRY(AsInotify(file));
  return inotify->RemoveWatch(watch);
}

}  // namespace zrun::vfs
