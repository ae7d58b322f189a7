#pragma once

#include "base/ref_ptr.h"
#include "base/vector.h"
#include "hal/memory.h"
#include "vfs/data_buffer.h"

namespace zrun::vfs {

// A page of bytes on its way through a pipe. tee and splice share pages instead of copying them. It
// is a frame of its own: the heap's blocks of that size would take two, and be given back to the
// machine and touched anew again and again.
class PipePage : public RefCounted<PipePage> {
 public:
  static constexpr size_t kSize = 4096;
  static Result<RefPtr<PipePage>> Create();
  ~PipePage();
  std::byte* data() { return data_; }

 private:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> zrun::MakeRef(Args&&...);
  explicit PipePage(hal::paddr_t frame) : frame_(frame), data_(hal::PhysToVirt(frame)) {}
  const hal::paddr_t frame_;
  std::byte* const data_;
};

// A stretch of a page. A packet is read by one read(2) alone, which drops what it does not take.
struct PipeSlot {
  RefPtr<PipePage> page;
  uint32_t offset = 0;
  uint32_t size = 0;
  bool is_packet = false;
  bool is_shared = false;  // others may see the page: nothing may be appended
  std::span<std::byte> bytes() const { return {page->data() + offset, size}; }
};

// The bytes in a pipe: a ring of slots, at most |capacity| of them, as in Linux, so that a pipe is
// full when its slots are, and any write of PIPE_BUF (4096) bytes fits when one is free. Its owner
// does the locking.
class PipeBuffer {
 public:
  static constexpr uint32_t kDefaultCapacity = 16;
  Result<void> Init() { return Resize(kDefaultCapacity); }

  bool empty() const { return head_ == tail_; }
  uint32_t used() const { return head_ - tail_; }
  uint32_t capacity() const { return capacity_; }
  bool full() const { return used() >= capacity_; }
  size_t byte_count() const;
  // EBUSY if more slots are in use. |capacity| is a power of two.
  Result<void> SetCapacity(uint32_t capacity);

  // Takes from |source| until it is used up or the buffer is full: the bytes taken (0: full).
  Result<size_t> Write(DataSource& source, bool packets);
  // Gives to |sink| until it is full or the buffer is empty, or a packet ends. 0: empty.
  Result<size_t> Read(DataSink& sink);

  // ---- Whole slots, for splice. Push may exceed the capacity (for bytes that were taken out, or
  // read from a file into room that has gone since); ENOMEM.
  Result<void> Push(PipeSlot slot);
  Result<void> PushFront(PipeSlot slot);
  // At most |size| bytes of the first slot; the buffer must not be empty. Pop takes them out.
  PipeSlot PeekFront(size_t size, uint32_t index = 0);
  PipeSlot PopFront(size_t size);

 private:
  PipeSlot& SlotAt(uint32_t position) { return slots_[position & uint32_t(slots_.size() - 1)]; }
  const PipeSlot& SlotAt(uint32_t position) const {
    return slots_[position & uint32_t(slots_.size() - 1)];
  }
  Result<void> Resize(uint32_t slots);
  Result<RefPtr<PipePage>> TakePage();
  void ReleaseFront();

  static constexpr size_t kMaxSpares = 4;
  Vector<PipeSlot> slots_;  // a power of two of them
  uint32_t head_ = 0, tail_ = 0;
  uint32_t capacity_ = kDefaultCapacity;
  RefPtr<PipePage> spares_[kMaxSpares];  // so that a busy pipe does not allocate
  size_t spare_count_ = 0;
};

}  // namespace zrun::vfs
