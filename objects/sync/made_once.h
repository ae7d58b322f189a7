#pragma once
#include <cstddef>
#include <new>

#include "objects/sync/mutex.h"

namespace zrun {

// What there is one of, made by the first who asks and never destroyed: a destructor would have to
// be registered, which a kernel has no use for. Takes no room in the kernel's file.
template <typename T>
class MadeOnce {
 public:
  constexpr MadeOnce() = default;
  T& Get() {
    if (T* const made = object_.load(std::memory_order_acquire)) return *made;
    MutexLock lock(making_);
    if (!object_.load(std::memory_order_relaxed))
      object_.store(new (storage_) T, std::memory_order_release);
    return *object_.load(std::memory_order_relaxed);
  }

 private:
  Mutex making_{LockRank::kLeaf};
  std::atomic<T*> object_{nullptr};
  // Apart, as plain zeros; so there is one of a type.
  alignas(T) inline static constinit std::byte storage_[sizeof(T)] = {};
};

}  // namespace zrun
