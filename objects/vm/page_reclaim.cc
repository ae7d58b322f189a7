#include "objects/vm/page_reclaim.h"

#include <algorithm>
#include <new>

#include "hal/thread.h"
#include "objects/vm/page_allocator.h"
#include "objects/vm/vm_object.h"

namespace zrun {
namespace {

using Level = PageAllocator::Level;

// How long whoever was ended may take to give memory back before another is.
constexpr hal::Nanoseconds kPatience = hal::kSecond;
// Perhaps it is the caller who was.
constexpr hal::Nanoseconds kPatienceIfKicked = hal::kSecond / 20;
constexpr hal::Nanoseconds kPause = hal::kSecond / 500;
// Looking at all caches in vain is not repeated at every turn.
constexpr hal::Nanoseconds kVainPause = hal::kSecond / 100;

constinit std::atomic<uint32_t> g_nothing{0};  // nobody wakes those who wait here
constinit std::atomic<void (*)()> g_killer{nullptr};
constinit std::atomic<hal::Nanoseconds> g_last_kill{INT64_MIN / 2};
constinit std::atomic<hal::Nanoseconds> g_next_look{0};
constinit std::atomic<uint64_t> g_came_back{0};  // bytes, in the second that began at |g_second|
constinit std::atomic<hal::Nanoseconds> g_second{0};
constinit std::atomic<unsigned> g_bad_seconds{0};  // in a row

struct Caches {
  Mutex lock{LockRank::kLeaf};
  IntrusiveList<VmObject, PageCacheTag> objects GUARDED_BY(lock);  // next to be looked at first
  size_t count GUARDED_BY(lock) = 0;
};

// Never destroyed: objects may outlive everything.
alignas(Caches) constinit std::byte g_caches[sizeof(Caches)] = {};
Caches& AllCaches() { return *std::launder(reinterpret_cast<Caches*>(g_caches)); }

// The pages that were taken from mappings last. Each has one place, which the next one may take.
class GonePages {
 public:
  void Add(const VmObject& object, uint64_t offset) {
    const uint64_t count = count_.fetch_add(1, std::memory_order_relaxed);
    const uint64_t hash = HashOf(object, offset);
    places_[hash % kPlaces].store(hash << 32 | uint32_t(count), std::memory_order_relaxed);
  }
  // Whether it is one of the last |pages|.
  bool Contains(const VmObject& object, uint64_t offset, uint64_t pages) const {
    const uint64_t hash = HashOf(object, offset);
    const uint64_t found = places_[hash % kPlaces].load(std::memory_order_relaxed);
    const auto since = uint32_t(count_.load(std::memory_order_relaxed)) - uint32_t(found);
    return found >> 32 == uint32_t(hash) && since > 0 && since <= pages;
  }

 private:
  static constexpr size_t kPlaces = 4096;
  static uint64_t HashOf(const VmObject& object, uint64_t offset) {
    constexpr uint64_t kGolden = 0x9e37'79b9'7f4a'7c15;
    return ((reinterpret_cast<uintptr_t>(&object) + offset / hal::kPageSize) * kGolden) >> 16;
  }
  std::atomic<uint64_t> places_[kPlaces] = {};
  std::atomic<uint64_t> count_{0};
};
constinit GonePages g_gone;

// Programs that have none of their text left read it again at every step, and take it from each
// other: so much of what is mapped stays.
uint64_t KeptMapped() {
  return std::clamp(hal::Ram().size / 16, uint64_t{1} << 20, uint64_t{64} << 20);
}

// The next object, moved to the end of the line. Null after |left| of them.
RefPtr<VmObject> NextCache(Caches& caches, size_t& left) {
  MutexLock lock(caches.lock);
  while (left > 0 && !caches.objects.empty()) {
    left--;
    VmObject* object = caches.objects.PopFront();
    caches.objects.PushBack(*object);
    if (object->TryAddRef()) return RefPtr<VmObject>::Adopt(object);
  }
  return nullptr;
}

size_t CountCaches(Caches& caches) {
  MutexLock lock(caches.lock);
  return caches.count;
}

}  // namespace

void InitPageReclaim() { new (g_caches) Caches; }

void AddPageCache(VmObject& object) {
  Caches& caches = AllCaches();
  MutexLock lock(caches.lock);
  caches.objects.PushBack(object);
  caches.count++;
}

void RemovePageCache(VmObject& object) {
  Caches& caches = AllCaches();
  MutexLock lock(caches.lock);
  caches.objects.Remove(object);
  caches.count--;
}

namespace {

// A little of each in turn, so that what is in use all the time does not go as a whole.
uint64_t TakeInTurn(uint64_t bytes, bool even_mapped) {
  constexpr uint64_t kAtOnce = 64 * hal::kPageSize;
  Caches& caches = AllCaches();
  uint64_t freed = 0;
  for (bool progress = true; progress && freed < bytes;) {
    progress = false;
    size_t left = CountCaches(caches);
    while (RefPtr<VmObject> object = NextCache(caches, left)) {
      const uint64_t got = object->Evict(std::min(kAtOnce, bytes - freed), even_mapped);
      freed += got;
      progress |= got > 0;
      if (freed >= bytes) return freed;
    }
  }
  return freed;
}

}  // namespace

uint64_t ReclaimPages(uint64_t bytes, uint64_t kept) {
  const uint64_t unmapped = TakeInTurn(bytes, false);
  if (unmapped >= bytes) return unmapped;
  const uint64_t cached = CachedBytes();
  if (cached <= kept) return unmapped;
  return unmapped + TakeInTurn(std::min(bytes - unmapped, cached - kept), true);
}

void NoteTaken(const VmObject& object, uint64_t begin, uint64_t end) {
  for (uint64_t at = begin; at < end; at += hal::kPageSize) g_gone.Add(object, at);
}

void NoteRead(const VmObject& object, uint64_t offset, uint64_t bytes) {
  if (g_gone.Contains(object, offset, KeptMapped() / hal::kPageSize))
    g_came_back.fetch_add(bytes, std::memory_order_relaxed);
}

void SetMemoryKiller(void (*killer)()) { g_killer.store(killer, std::memory_order_release); }

namespace {

// Whether what is mapped goes and is read again at once, all of it several times over, and has for
// a while: then nobody gets on, though there is always something to take.
bool IsThrashing(hal::Nanoseconds now) {
  constexpr unsigned kSeconds = 5;
  hal::Nanoseconds began = g_second.load(std::memory_order_relaxed);
  if (now - began < hal::kSecond || !g_second.compare_exchange_strong(began, now)) return false;
  const uint64_t came_back = g_came_back.exchange(0, std::memory_order_relaxed);
  const bool in_a_row = now - began < 2 * hal::kSecond;
  const bool turned_over = came_back >= 2 * std::max(CachedBytes(), KeptMapped());
  const unsigned seconds = in_a_row && turned_over ? g_bad_seconds.load() + 1 : 0;
  g_bad_seconds.store(seconds < kSeconds ? seconds : 0);
  return seconds >= kSeconds;
}

// At most once in a while: whoever was ended needs time to give memory back.
void EndSomebody(hal::Nanoseconds now) {
  hal::Nanoseconds last = g_last_kill.load(std::memory_order_relaxed);
  auto* killer = g_killer.load(std::memory_order_acquire);
  if (killer && now - last >= kPatience && g_last_kill.compare_exchange_strong(last, now)) killer();
}

}  // namespace

bool AwaitMemory() {
  PageAllocator& frames = RamFrames();
  const hal::Nanoseconds began = hal::MonotonicNow();
  for (hal::Nanoseconds now = began;; now = hal::MonotonicNow()) {
    frames.Trim();
    Level level = frames.level();
    if (level != Level::kEnough && now >= g_next_look.load(std::memory_order_relaxed)) {
      if (ReclaimPages(frames.low_bytes(), KeptMapped()) == 0) g_next_look.store(now + kVainPause);
      if (IsThrashing(now)) EndSomebody(now);
      frames.Trim();
      level = frames.level();
    }
    if (level != Level::kCritical) return true;
    if (now - began > (hal::KickPending() ? kPatienceIfKicked : kPatience)) return false;
    EndSomebody(now);
    hal::WaitOnWord(g_nothing, 0, {now + kPause});
  }
}

uint64_t CachedBytes() {
  Caches& caches = AllCaches();
  uint64_t total = 0;
  size_t left = CountCaches(caches);
  while (RefPtr<VmObject> object = NextCache(caches, left)) total += object->clean_bytes();
  return total;
}

}  // namespace zrun
