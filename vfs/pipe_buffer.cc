#include "vfs/pipe_buffer.h"

#include "objects/vm/page_allocator.h"

namespace zrun::vfs {

Result<RefPtr<PipePage>> PipePage::Create() {
  const auto run = TRY(RamFrames().AllocateRun(kSize, kSize, Contents::kAny));
  auto page = MakeRef<PipePage>(run.base);
  if (!page.ok()) RamFrames().Free(run);
  return page;
}

PipePage::~PipePage() { RamFrames().Free({frame_, kSize}); }

size_t PipeBuffer::byte_count() const {
  size_t count = 0;
  for (uint32_t i = tail_; i != head_; i++) count += SlotAt(i).size;
  return count;
}

Result<void> PipeBuffer::Resize(uint32_t slots) {
  Vector<PipeSlot> resized;
  TRY(resized.Reserve(slots));
  const uint32_t count = used();
  for (uint32_t i = 0; i < slots; i++)
    TRY(resized.PushBack(i < count ? std::move(SlotAt(tail_ + i)) : PipeSlot{}));
  slots_ = std::move(resized);
  tail_ = 0;
  head_ = count;
  return {};
}

Result<void> PipeBuffer::SetCapacity(uint32_t capacity) {
  if (used() > capacity) return Errno::kEBUSY;
  TRY(Resize(capacity));
  capacity_ = capacity;
  return {};
}

Result<RefPtr<PipePage>> PipeBuffer::TakePage() {
  if (spare_count_ > 0) return std::move(spares_[--spare_count_]);
  return PipePage::Create();
}

void PipeBuffer::ReleaseFront() {
  PipeSlot slot = std::move(SlotAt(tail_++));
  if (spare_count_ < kMaxSpares && slot.page->ref_count() == 1)
    spares_[spare_count_++] = std::move(slot.page);
}

Result<size_t> PipeBuffer::Write(DataSource& source, bool packets) {
  size_t done = 0;
  // The part of a page that is left over goes behind what is there if it fits as a whole, so that
  // small writes stay in one piece.
  const size_t odd = source.remaining() % PipePage::kSize;
  if (odd != 0 && !empty() && !packets) {
    PipeSlot& last = SlotAt(head_ - 1);
    const size_t end = last.offset + last.size;
    if (!last.is_packet && !last.is_shared && end + odd <= PipePage::kSize) {
      if (TRY(source.Take({last.page->data() + end, odd})) < odd) return Errno::kEFAULT;
      last.size += uint32_t(odd);
      done = odd;
    }
  }
  while (source.remaining() != 0 && !full()) {
    auto page = TakePage();
    if (!page.ok()) {
      if (done > 0) break;
      return page.error();
    }
    PipeSlot slot{std::move(page).value()};
    const size_t wanted = std::min(source.remaining(), PipePage::kSize);
    auto taken = source.Take({slot.page->data(), wanted});
    // A page that a fault cut short does not count at all, as on Linux.
    if (!taken.ok() || taken.value() < wanted) {
      if (spare_count_ < kMaxSpares) spares_[spare_count_++] = std::move(slot.page);
      if (done > 0) break;
      return taken.ok() ? Errno::kEFAULT : taken.error();
    }
    slot.size = uint32_t(wanted);
    slot.is_packet = packets;
    SlotAt(head_++) = std::move(slot);
    done += wanted;
  }
  return done;
}

Result<size_t> PipeBuffer::Read(DataSink& sink) {
  size_t done = 0;
  while (!empty() && sink.remaining() != 0) {
    PipeSlot& slot = SlotAt(tail_);
    const bool is_packet = slot.is_packet;
    const size_t wanted = std::min<size_t>(slot.size, sink.remaining());
    auto given = sink.Put(slot.bytes().first(wanted));
    if (!given.ok()) {
      if (done > 0) break;
      return given.error();
    }
    done += given.value();
    slot.offset += uint32_t(given.value());
    slot.size -= uint32_t(given.value());
    if (slot.size == 0 || is_packet) ReleaseFront();
    if (is_packet || given.value() < wanted) break;
  }
  return done;
}

Result<void> PipeBuffer::Push(PipeSlot slot) {
  if (used() == slots_.size()) TRY(Resize(uint32_t(slots_.size()) * 2));
  SlotAt(head_++) = std::move(slot);
  return {};
}

Result<void> PipeBuffer::PushFront(PipeSlot slot) {
  if (used() == slots_.size()) TRY(Resize(uint32_t(slots_.size()) * 2));
  SlotAt(--tail_) = std::move(slot);
  return {};
}

PipeSlot PipeBuffer::PeekFront(size_t size, uint32_t index) {
  PipeSlot& slot = SlotAt(tail_ + index);
  slot.is_shared = true;
  return {slot.page, slot.offset, uint32_t(std::min<size_t>(size, slot.size)), slot.is_packet,
          true};
}

PipeSlot PipeBuffer::PopFront(size_t size) {
  PipeSlot& slot = SlotAt(tail_);
  if (slot.size <= size) return std::move(SlotAt(tail_++));
  PipeSlot front = PeekFront(size);
  slot.offset += front.size;
  slot.size -= front.size;
  return front;
}

}  // namespace zrun::vfs
