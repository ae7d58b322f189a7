#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include "base/result.h"

namespace zrun {

// Base of everything shared: an intrusive count that starts at one, owned by MakeRef's result.
template <typename T>
class RefCounted {
 public:
  void AddRef() const { refs_.fetch_add(1, std::memory_order_relaxed); }
  void Release() const {
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete static_cast<const T*>(this);
  }
  // A new reference unless the last one is already gone. The caller must keep the memory itself
  // alive, by the lock of the table it found the pointer in (which the destructor takes too).
  bool TryAddRef() const {
    uint32_t refs = refs_.load(std::memory_order_relaxed);
    do {
      if (refs == 0) return false;
    } while (!refs_.compare_exchange_weak(refs, refs + 1, std::memory_order_acquire));
    return true;
  }
  uint32_t ref_count() const { return refs_.load(std::memory_order_relaxed); }

 protected:
  RefCounted() = default;
  ~RefCounted() = default;
  // For a class with a Release() of its own: gives up a reference; true if it was the last.
  bool DropRef() const { return refs_.fetch_sub(1, std::memory_order_acq_rel) == 1; }
  RefCounted(const RefCounted&) = delete;
  RefCounted& operator=(const RefCounted&) = delete;

 private:
  mutable std::atomic<uint32_t> refs_{1};
};

template <typename T>
class RefPtr {
 public:
  constexpr RefPtr() = default;
  constexpr RefPtr(std::nullptr_t) {}
  explicit RefPtr(T* ptr) : ptr_(ptr) {
    if (ptr_) ptr_->AddRef();
  }
  RefPtr(const RefPtr& other) : RefPtr(other.ptr_) {}
  template <typename U>
  requires std::is_convertible_v<U*, T*> RefPtr(const RefPtr<U>& other)
      : RefPtr(static_cast<T*>(other.get())) {}
  template <typename U>
  requires std::is_convertible_v<U*, T*> RefPtr(RefPtr<U>&& other) : ptr_(other.Leak()) {}
  RefPtr(RefPtr&& other) : ptr_(std::exchange(other.ptr_, nullptr)) {}
  RefPtr& operator=(RefPtr other) {
    std::swap(ptr_, other.ptr_);
    return *this;
  }
  ~RefPtr() {
    if (ptr_) ptr_->Release();
  }
  // Takes over a reference that the caller owns.
  static RefPtr Adopt(T* ptr) {
    RefPtr result;
    result.ptr_ = ptr;
    return result;
  }
  // Gives the reference to the caller.
  T* Leak() { return std::exchange(ptr_, nullptr); }
  T* get() const { return ptr_; }
  T* operator->() const { return ptr_; }
  T& operator*() const { return *ptr_; }
  explicit operator bool() const { return ptr_ != nullptr; }
  friend bool operator==(const RefPtr& a, const RefPtr& b) { return a.ptr_ == b.ptr_; }

 private:
  T* ptr_ = nullptr;
};

template <typename T>
using OwnPtr = std::unique_ptr<T>;

// The only ways the kernel allocates an object: running out of memory is ENOMEM, never a crash.
// A class with a private constructor befriends them.
template <typename T, typename... Args>
Result<RefPtr<T>> MakeRef(Args&&... args) {
  T* object = new (std::nothrow) T(std::forward<Args>(args)...);
  if (!object) return Errno::kENOMEM;
  return RefPtr<T>::Adopt(object);
}

template <typename T, typename... Args>
Result<OwnPtr<T>> MakeOwned(Args&&... args) {
  OwnPtr<T> object(new (std::nothrow) T(std::forward<Args>(args)...));
  if (!object) return Errno::kENOMEM;
  return object;
}

}  // namespace zrun
