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

struct Caches {
  Mutex lock{LockRank::kLeaf};
  IntrusiveList<VmObject, PageCacheTag> objects GUARDED_BY(lock);  // next to be looked at first
  size_t count GUARDED_BY(lock) = 0;
};

// Never destroyed: objects may outlive everything.
alignas(Caches) constinit std::byte g_caches[sizeof(Caches)] = {};
Caches& AllCaches() { return *std::launder(reinterpret_cast<Caches*>(g_caches)); }

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

uint64_t ReclaimPages(uint64_t bytes) {
  // A little of each in turn, so that what is in use all the time does not go as a whole.
  constexpr uint64_t kAtOnce = 64 * hal::kPageSize;
  Caches& caches = AllCaches();
  uint64_t freed = 0;
  for (const bool even_mapped : {false, true}) {
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
  }
  return freed;
}

void SetMemoryKiller(void (*killer)()) { g_killer.store(killer, std::memory_order_release); }

bool AwaitMemory() {
  PageAllocator& frames = RamFrames();
  const hal::Nanoseconds began = hal::MonotonicNow();
  for (hal::Nanoseconds now = began;; now = hal::MonotonicNow()) {
    frames.Trim();
    Level level = frames.level();
    if (level != Level::kEnough && now >= g_next_look.load(std::memory_order_relaxed)) {
      if (ReclaimPages(frames.low_bytes()) == 0) g_next_look.store(now + kVainPause);
      frames.Trim();
      level = frames.level();
    }
    if (level != Level::kCritical) return true;
    if (now - began > (hal::KickPending() ? kPatienceIfKicked : kPatience)) return false;
    hal::Nanoseconds last = g_last_kill.load(std::memory_order_relaxed);
    auto* killer = g_killer.load(std::memory_order_acquire);
    if (killer && now - last >= kPatience && g_last_kill.compare_exchange_strong(last, now))
      killer();
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
