#include "objects/heap.h"

#include <algorithm>
#include <bit>
#include <new>

namespace zrun {
namespace {

alignas(Heap) constinit std::byte g_heap[sizeof(Heap)] = {};

#ifdef NDEBUG
void Poison(void*, size_t, int) {}
#else
void Poison(void* block, size_t size, int pattern) { __builtin_memset(block, pattern, size); }
#endif
constexpr int kFreshPattern = 0xcd, kFreedPattern = 0xdd;

}  // namespace

void InitHeap() {
  InitPageAllocator();
  new (g_heap) Heap(RamFrames());
}
Heap& KernelHeap() { return *std::launder(reinterpret_cast<Heap*>(g_heap)); }

Heap::~Heap() {
  static_assert(sizeof(Chunk) <= kHeaderSize);
  for (SizeClass& size_class : classes_) {
    Chunk* empty;
    {
      MutexLock lock(size_class.lock);
      empty = std::exchange(size_class.empty, nullptr);
      size_class.partial.Clear();  // what is still allocated is lost with it
    }
    if (empty) ReleaseChunk(empty);
  }
}

// Blocks start at multiples of their size from a chunk's header, which is 64 bytes: a class keeps
// any alignment up to 64 that divides its size.
int Heap::ClassOf(size_t size, size_t alignment) {
  // By sixteens of the size.
  static constexpr auto kClasses = [] {
    std::array<uint8_t, (kClassSizes.back() + 15) / 16 + 1> classes = {};
    for (size_t i = 0; i < classes.size(); i++) {
      while (kClassSizes[classes[i]] < i * 16) classes[i]++;
      if (i + 1 < classes.size()) classes[i + 1] = classes[i];
    }
    return classes;
  }();
  if (alignment > kHeaderSize || size > kClassSizes.back()) return -1;
  size_t index = kClasses[(size + 15) / 16];
  while (kClassSizes[index] & (alignment - 1)) {
    if (++index == kClassSizes.size()) return -1;
  }
  return int(index);
}

bool Heap::IsFull(const Chunk& chunk) {
  return !chunk.free && chunk.fresh + chunk.block_size > kChunkSize;
}

void* Heap::TakeBlock(SizeClass&, Chunk& chunk) {
  chunk.used++;
  void* block;
  if (chunk.free) {
    block = chunk.free;
    chunk.free = chunk.free->next;
  } else {
    block = reinterpret_cast<std::byte*>(&chunk) + chunk.fresh;
    chunk.fresh += chunk.block_size;
  }
  if (IsFull(chunk)) chunk.Unlink();
  return block;
}

void* Heap::Allocate(size_t size, size_t alignment) {
  const int index = ClassOf(size, alignment);
  if (index < 0) return AllocateLarge(size, alignment);
  SizeClass& size_class = classes_[index];
  void* block = nullptr;
  {
    MutexLock lock(size_class.lock);
    if (size_class.partial.empty() && size_class.empty)
      size_class.partial.PushFront(*std::exchange(size_class.empty, nullptr));
    if (Chunk* chunk = size_class.partial.front()) block = TakeBlock(size_class, *chunk);
  }
  if (!block) {
    Chunk* chunk = NewSlab(index);  // the page allocator's lock comes before ours
    if (!chunk) return nullptr;
    MutexLock lock(size_class.lock);
    size_class.partial.PushBack(*chunk);
    block = TakeBlock(size_class, *chunk);
  }
  Poison(block, kClassSizes[index], kFreshPattern);
  return block;
}

Heap::Chunk* Heap::NewSlab(int class_index) {
  auto run = pages_.AllocateRun(kChunkSize, kChunkSize, Contents::kAny);
  if (!run.ok()) return nullptr;
  auto* chunk = new (hal::PhysToVirt(run.value().base)) Chunk;
  chunk->kind = Chunk::kSlab;
  chunk->class_index = uint16_t(class_index);
  chunk->used = 0;
  chunk->run_bytes = kChunkSize;
  chunk->free = nullptr;
  chunk->fresh = kHeaderSize;
  chunk->block_size = kClassSizes[class_index];
  reserved_.fetch_add(kChunkSize, std::memory_order_relaxed);
  return chunk;
}

void* Heap::AllocateLarge(size_t size, size_t alignment) {
  if (alignment > kMaxAlignment || size > SIZE_MAX / 2) return nullptr;
  const size_t offset = std::max(kHeaderSize, alignment);
  auto run = pages_.AllocateRun(offset + size, kChunkSize, Contents::kAny);
  if (!run.ok()) return nullptr;
  std::byte* base = hal::PhysToVirt(run.value().base);
  auto* chunk = new (base) Chunk;
  chunk->kind = Chunk::kLarge;
  chunk->run_bytes = run.value().size;
  reserved_.fetch_add(chunk->run_bytes, std::memory_order_relaxed);
  return base + offset;
}

void Heap::Free(void* block) {
  if (!block) return;
  auto* chunk = reinterpret_cast<Chunk*>(uintptr_t(block) & ~uintptr_t(kChunkSize - 1));
  if (chunk->kind == Chunk::kLarge) {
    ReleaseChunk(chunk);
    return;
  }
  CHECK(chunk->kind == Chunk::kSlab);
  Poison(block, chunk->block_size, kFreedPattern);
  SizeClass& size_class = classes_[chunk->class_index];
  Chunk* unneeded = nullptr;
  {
    MutexLock lock(size_class.lock);
    const bool was_full = IsFull(*chunk);
    auto* freed = static_cast<FreeBlock*>(block);
    freed->next = chunk->free;
    chunk->free = freed;
    if (was_full) size_class.partial.PushFront(*chunk);
    if (--chunk->used == 0) {
      chunk->Unlink();
      unneeded = std::exchange(size_class.empty, chunk);
    }
  }
  if (unneeded) ReleaseChunk(unneeded);
}

void Heap::ReleaseChunk(Chunk* chunk) {
  reserved_.fetch_sub(chunk->run_bytes, std::memory_order_relaxed);
  const hal::PhysRange run{hal::VirtToPhys(chunk), chunk->run_bytes};
  chunk->kind = 0;
  pages_.Free(run);
}

}  // namespace zrun
