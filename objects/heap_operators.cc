// operator new and delete of the freestanding kernel. Everything is allocated with std::nothrow;
// the throwing forms only exist because the language refers to them.
#if !__STDC_HOSTED__
#include <new>

#include "objects/heap.h"

namespace std {
const nothrow_t nothrow{};
}  // namespace std

using zrun::KernelHeap;

void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return KernelHeap().Allocate(size);
}
void* operator new[](size_t size, const std::nothrow_t&) noexcept {
  return KernelHeap().Allocate(size);
}
void* operator new(size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return KernelHeap().Allocate(size, size_t(alignment));
}
void* operator new[](size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return KernelHeap().Allocate(size, size_t(alignment));
}
void operator delete(void* block) noexcept { KernelHeap().Free(block); }
void operator delete[](void* block) noexcept { KernelHeap().Free(block); }
void operator delete(void* block, size_t) noexcept { KernelHeap().Free(block); }
void operator delete[](void* block, size_t) noexcept { KernelHeap().Free(block); }
void operator delete(void* block, std::align_val_t) noexcept { KernelHeap().Free(block); }
void operator delete[](void* block, std::align_val_t) noexcept { KernelHeap().Free(block); }
void operator delete(void* block, size_t, std::align_val_t) noexcept { KernelHeap().Free(block); }
void operator delete[](void* block, size_t, std::align_val_t) noexcept { KernelHeap().Free(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { KernelHeap().Free(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { KernelHeap().Free(block); }
void operator delete(void* block, std::align_val_t, const std::nothrow_t&) noexcept {
  KernelHeap().Free(block);
}
void operator delete[](void* block, std::align_val_t, const std::nothrow_t&) noexcept {
  KernelHeap().Free(block);
}
#endif
