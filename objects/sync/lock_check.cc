// Debug builds: which ranks each thread holds, checked on every lock.
#ifndef NDEBUG
#include "base/assert.h"
#include "hal/thread.h"
#include "objects/sync/mutex.h"

namespace zrun {
namespace {

// What one thread holds. Threads find their entry by their own identity, so that service threads,
// and code that runs before there is any Thread, are checked as well; an entry is in use only while
// its thread holds a lock.
struct Held {
  static constexpr unsigned kMax = 16;
  std::atomic<const hal::Thread*> owner{nullptr};
  unsigned count = 0;
  LockRank ranks[kMax] = {};
};
constexpr unsigned kEntries = 1024;
constexpr unsigned kProbes = 16;
constinit Held g_held[kEntries];

Held* FindEntry(const hal::Thread* thread, bool claim) {
  const unsigned start = unsigned((uintptr_t(thread) >> 6) * 2654435761u);
  for (unsigned i = 0; i < kProbes; i++) {
    Held& held = g_held[(start + i) % kEntries];
    if (held.owner.load(std::memory_order_relaxed) == thread) return &held;
  }
  for (unsigned i = 0; claim && i < kProbes; i++) {
    Held& held = g_held[(start + i) % kEntries];
    const hal::Thread* nobody = nullptr;
    if (held.owner.compare_exchange_strong(nobody, thread, std::memory_order_acquire)) return &held;
  }
  return nullptr;  // crowded: this thread goes unchecked for a while
}

}  // namespace

void Mutex::NoteLocked(bool second_of_two) {
  Held* held = FindEntry(&hal::CurrentThread(), true);
  if (!held) return;
  for (unsigned i = 0; i < held->count; i++) {
    const bool in_order = held->ranks[i] < rank_ || (second_of_two && held->ranks[i] == rank_);
    if (!in_order) PANIC("lock taken out of rank");
  }
  CHECK(held->count < Held::kMax);
  held->ranks[held->count++] = rank_;
}

void Mutex::NoteUnlocked() {
  Held* held = FindEntry(&hal::CurrentThread(), false);
  if (!held) return;
  for (unsigned i = held->count; i-- > 0;) {
    if (held->ranks[i] != rank_) continue;
    held->ranks[i] = held->ranks[--held->count];
    break;
  }
  if (held->count == 0) held->owner.store(nullptr, std::memory_order_release);
}

}  // namespace zrun
#endif
