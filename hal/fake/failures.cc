// Operations that fail because a test wants it, and the kernel's heap, which is the C library's.
#include <new>
#include <optional>

#include "hal/fake/fake.h"
#include "hal/fake/internal.h"

namespace zrun::hal::fake {
namespace {

thread_local std::optional<size_t> t_left;  // operations that succeed yet
thread_local bool t_failed = false;

#if ZRUN_ALLOCATIONS_FAIL
template <typename Allocate>
void* OrNull(Allocate allocate) {
  if (MustFail()) return nullptr;
  try {
    return allocate();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
#endif

}  // namespace

void FailOperation(size_t n) {
  t_left = n;
  t_failed = false;
}

bool StopFailing() {
  t_left.reset();
  return std::exchange(t_failed, false);
}

bool MustFail() {
  if (!t_left || (*t_left)-- > 0) return false;
  t_left.reset();
  t_failed = true;
  return true;
}

}  // namespace zrun::hal::fake

#if ZRUN_ALLOCATIONS_FAIL
// What the kernel allocates with; tests and their libraries use the others.
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return zrun::hal::fake::OrNull([&] { return ::operator new(size); });
}
void* operator new[](size_t size, const std::nothrow_t&) noexcept {
  return zrun::hal::fake::OrNull([&] { return ::operator new[](size); });
}
void* operator new(size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return zrun::hal::fake::OrNull([&] { return ::operator new(size, alignment); });
}
void* operator new[](size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return zrun::hal::fake::OrNull([&] { return ::operator new[](size, alignment); });
}
#endif
