#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/intrusive_list.h"
#include "objects/sync/mutex.h"
#include "objects/vm/page_allocator.h"

namespace zrun {

// What operator new and delete are made of in the kernel. Objects up to 2 KiB come from slabs of
// their size class, carved in order so that pages not needed yet stay untouched; larger ones are
// page runs. Every block lies in an aligned 16 KiB chunk whose first bytes say what it is, so that
// freeing needs no size.
class Heap {
 public:
  static constexpr size_t kChunkSize = 16 * 1024;
  static constexpr size_t kMaxAlignment = kChunkSize / 2;

  explicit Heap(PageAllocator& pages) : pages_(pages) {}
  ~Heap();
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  // Null when there is no memory.
  void* Allocate(size_t size, size_t alignment = alignof(std::max_align_t));
  void Free(void* block);
  // In slabs and runs now.
  uint64_t reserved_bytes() const { return reserved_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::array<uint16_t, 23> kClassSizes = {
      16,  32,  48,  64,  80,  96,  112, 128,  160,  192,  224, 256,
      320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1600, 2032};
  static constexpr size_t kHeaderSize = 64;
  struct Chunk;
  struct FreeBlock {
    FreeBlock* next;
  };
  struct SizeClass {
    Mutex lock{LockRank::kHeap};
    IntrusiveList<Chunk, Chunk> partial GUARDED_BY(lock);  // have room
    Chunk* empty GUARDED_BY(lock) = nullptr;               // one kept for later
  };
  struct Chunk : ListNode<Chunk> {
    static constexpr uint32_t kSlab = 0x51ab51ab;
    static constexpr uint32_t kLarge = 0x1a49e000;
    uint32_t kind;
    uint16_t class_index;
    uint16_t used;
    uint64_t run_bytes;
    FreeBlock* free;
    uint32_t fresh;  // offset of the first block that was never used
    uint32_t block_size;
  };

  static int ClassOf(size_t size, size_t alignment);
  void* AllocateLarge(size_t size, size_t alignment);
  void* TakeBlock(SizeClass& size_class, Chunk& chunk) REQUIRES(size_class.lock);
  static bool IsFull(const Chunk& chunk);
  Chunk* NewSlab(int class_index);
  void ReleaseChunk(Chunk* chunk);

  PageAllocator& pages_;
  std::atomic<uint64_t> reserved_{0};
  std::array<SizeClass, kClassSizes.size()> classes_;
};

// The kernel's own, over RamFrames(), which it makes ready as well. Once, before the first
// allocation. Hosted builds use the C library's.
void InitHeap();
Heap& KernelHeap();

}  // namespace zrun
