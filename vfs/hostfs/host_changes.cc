#include "vfs/hostfs/host_changes.h"

#include <algorithm>

#include "objects/sync/made_once.h"
#include "vfs/hostfs/host_vnode.h"
#include "vfs/notify.h"

namespace zrun::vfs {
namespace {

// What others only read is their own affair, and the host keeps a removed file that is watched, so
// that it never says that it is gone: its count of links does (kHostAttrib).
constexpr uint32_t kTold =
    kHostModify | kHostAttrib | kHostCloseWrite | kHostCreate | kHostDelete | kHostMoved;
constexpr size_t kBufferSize = 1024;

constinit MadeOnce<HostWatches> g_watches;

}  // namespace

constinit std::atomic<uint32_t> HostWatches::count_{0};

struct HostWatches::Record {  // struct inotify_event
  int32_t watch;
  uint32_t mask, cookie, name_size;
};

HostWatches& HostWatches::Get() { return g_watches.Get(); }

// Another share's vnode of the same file, which has the same watch.
HostWatchEntry* HostWatches::FindOther(const HostWatchEntry& entry) {
  for (HostWatchEntry& other : BucketOf(entry.watch))
    if (&other != &entry && other.watch == entry.watch) return &other;
  return nullptr;
}

// The host says of a directory's end only in the one above.
Result<void> HostWatches::Begin(HostVnode& vnode) {
  RefPtr<HostVnode> parent = vnode.FindParent();
  if (parent) TRY(BeginOne(*parent, nullptr));
  RefPtr<HostVnode> unused = parent;
  const auto begun = BeginOne(vnode, &unused);
  if (unused) EndOne(*unused);
  return begun;
}

void HostWatches::End(HostVnode& vnode) {
  const RefPtr<HostVnode> parent = EndOne(vnode);
  if (parent) EndOne(*parent);
}

// Takes |parent| for a first watch.
Result<void> HostWatches::BeginOne(HostVnode& vnode, RefPtr<HostVnode>* parent) {
  auto fresh = TRY(MakeOwned<HostWatchEntry>());
  MutexLock lock(watch_lock_);
  if (!vnode.watch_) {
    fresh->watch = TRY(hal::HostWatch(vnode.node_, kTold));
    fresh->vnode = &vnode;
    vnode.watch_ = fresh.release();
    BucketOf(vnode.watch_->watch).PushBack(*vnode.watch_);
    count_.fetch_add(1);
  }
  vnode.watch_->count++;
  if (parent && !vnode.watch_->parent) std::swap(vnode.watch_->parent, *parent);
  return {};
}

// The parent, if it was the last watch.
RefPtr<HostVnode> HostWatches::EndOne(HostVnode& vnode) {
  OwnPtr<HostWatchEntry> ended;
  MutexLock lock(watch_lock_);
  if (--vnode.watch_->count > 0) return nullptr;
  ended.reset(std::exchange(vnode.watch_, nullptr));
  if (!FindOther(*ended)) hal::HostUnwatch(ended->watch);
  ended->Unlink();
  count_.fetch_sub(1);
  return std::move(ended->parent);
}

// One after the other, those who have |watch|.
RefPtr<HostVnode> HostWatches::FindWatched(int32_t watch, const HostVnode* after) {
  MutexLock lock(watch_lock_);
  for (HostWatchEntry& entry : BucketOf(watch)) {
    if (entry.watch != watch) continue;
    if (!after && entry.vnode->TryAddRef()) return RefPtr<HostVnode>::Adopt(entry.vnode);
    if (entry.vnode == after) after = nullptr;
  }
  return nullptr;
}

void HostWatches::Tell(HostVnode& vnode, const Record& record, std::string_view name) {
  const auto event = NotifyEvent(record.mask & (kTold | uint32_t(NotifyEvent::kIsDirectory)));
  if (name.empty()) {
    NotifyVnode(vnode, event);
    if (record.mask & kHostAttrib) NotifyNameGone(vnode);
    return;
  }
  if (record.cookie != 0 && record.cookie != host_cookie_) {
    host_cookie_ = record.cookie;
    cookie_ = NextNotifyCookie();
  }
  NotifyVnode(vnode, event, name, record.cookie == 0 ? 0 : cookie_);
  if ((record.mask & kHostMovedTo) && moved_from_ == &vnode)
    NotifyVnode(vnode, NotifyEvent::kRenamed, name);
  moved_from_ = record.mask & kHostMovedFrom ? &vnode : nullptr;
}

// A directory was removed that somebody may watch.
void HostWatches::TellRemoved(const HostPlace& place) {
  RefPtr<HostVnode> removed;
  {
    MutexLock lock(watch_lock_);
    for (auto& bucket : buckets_)
      for (HostWatchEntry& entry : bucket)
        if (!removed && entry.vnode->place() == place && entry.vnode->TryAddRef())
          removed = RefPtr<HostVnode>::Adopt(entry.vnode);
  }
  if (!removed || removed->type() != VnodeType::kDirectory) return;
  const auto attributes = removed->GetAttributes();
  if (attributes.ok() && attributes.value().links == 0)
    NotifyVnode(*removed, NotifyEvent::kDeleteSelf);
}

// The host has lost some, nobody knows whose.
void HostWatches::TellOverflow() {
  Vector<RefPtr<HostVnode>> watched;
  {
    MutexLock lock(watch_lock_);
    if (!watched.Reserve(count_.load()).ok()) return;
    for (auto& bucket : buckets_)
      for (HostWatchEntry& entry : bucket)
        if (entry.vnode->TryAddRef())
          static_cast<void>(watched.PushBack(RefPtr<HostVnode>::Adopt(entry.vnode)));  // reserved
  }
  for (const auto& vnode : watched) NotifyOverflow(*vnode);
}

void HostWatches::DeliverOne(const Record& record, std::string_view name, const OwnChange* own) {
  if (record.mask & uint32_t(NotifyEvent::kQueueOverflow)) return TellOverflow();
  if (!(record.mask & kTold)) return;
  RefPtr<HostVnode> vnode = FindWatched(record.watch, nullptr);
  while (vnode) {
    const HostPlace place = name.empty() ? vnode->self() : vnode->PlaceOf(name);
    if (!own || !own->Expects(place, record.mask & kTold)) {
      if (record.mask & kHostDelete) TellRemoved(place);
      Tell(*vnode, record, name);
    }
    vnode = FindWatched(record.watch, vnode.get());
  }
}

void HostWatches::Deliver(const OwnChange* own) {
  alignas(Record) std::byte buffer[kBufferSize];
  for (;;) {
    const auto size = hal::HostReadChanges(buffer);
    if (!size.ok() || size.value() == 0) return;
    for (size_t at = 0; at + sizeof(Record) <= size.value();) {
      Record record;
      __builtin_memcpy(&record, &buffer[at], sizeof record);
      at += sizeof record;
      if (record.name_size > size.value() - at) return;
      const std::string_view padded(reinterpret_cast<const char*>(&buffer[at]), record.name_size);
      at += record.name_size;
      DeliverOne(record, padded.substr(0, padded.find('\0')), own);
    }
  }
}

void DeliverHostChanges() {
  HostWatches& watches = HostWatches::Get();
  MutexLock lock(watches.change_lock());
  watches.Deliver(nullptr);
}

// Whether it locks, the analysis cannot follow.
OwnChange::OwnChange(uint32_t events,
                     std::initializer_list<HostPlace> places) NO_THREAD_SAFETY_ANALYSIS
    : active_(HostWatches::Any()),
      events_(events) {
  std::copy(places.begin(), places.end(), places_);
  if (!active_) return;
  HostWatches& watches = HostWatches::Get();
  watches.change_lock().Lock();
  watches.Deliver(nullptr);
}

OwnChange::~OwnChange() NO_THREAD_SAFETY_ANALYSIS {
  if (!active_) return;
  HostWatches& watches = HostWatches::Get();
  watches.Deliver(this);
  watches.change_lock().Unlock();
}

bool OwnChange::Expects(const HostPlace& place, uint32_t event) const {
  return (event & events_) &&
         std::find(std::begin(places_), std::end(places_), place) != std::end(places_);
}

}  // namespace zrun::vfs
