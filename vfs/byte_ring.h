#pragma once
#include <algorithm>
#include <bit>

#include "base/ref_ptr.h"
#include "vfs/data_buffer.h"

namespace zrun::vfs {

// A queue of bytes that grows as it is needed, up to about |limit|: who fills it looks at room()
// first, and may exceed it by what belongs together. Its owner does the locking.
class ByteRing {
 public:
  explicit constexpr ByteRing(size_t limit) : limit_(limit) {}
  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  size_t room() const { return size_ < limit_ ? limit_ - size_ : 0; }

  Result<void> Append(std::span<const std::byte> bytes) {
    TRY(Reserve(bytes.size()));
    while (!bytes.empty()) {
      std::span<std::byte> gap = Gap();
      const size_t piece = std::min(gap.size(), bytes.size());
      __builtin_memcpy(gap.data(), bytes.data(), piece);
      size_ += piece;
      bytes = bytes.subspan(piece);
    }
    return {};
  }
  // Straight from |source|, at most |size| bytes: how many.
  Result<size_t> Fill(DataSource& source, size_t size) {
    size = std::min(size, source.remaining());
    TRY(Reserve(size));
    size_t done = 0;
    while (done < size) {
      std::span<std::byte> gap = Gap();
      gap = gap.first(std::min(gap.size(), size - done));
      auto taken = source.Take(gap);
      if (!taken.ok()) {
        if (done > 0) break;
        return taken.error();
      }
      size_ += taken.value();
      done += taken.value();
      if (taken.value() < gap.size()) break;
    }
    return done;
  }
  // The oldest bytes, as far as they lie together.
  std::span<const std::byte> front() const {
    return {data_.get() + start_, std::min(size_, capacity_ - start_)};
  }
  void Consume(size_t count) {
    size_ -= count;
    start_ = size_ == 0 ? 0 : (start_ + count) & (capacity_ - 1);
  }
  // To |sink|, as much as it takes.
  Result<size_t> Drain(DataSink& sink) {
    size_t done = 0;
    while (!empty() && sink.remaining() != 0) {
      const auto piece = front().first(std::min(front().size(), sink.remaining()));
      auto given = sink.Put(piece);
      if (!given.ok()) {
        if (done > 0) break;
        return given.error();
      }
      Consume(given.value());
      done += given.value();
      if (given.value() < piece.size()) break;
    }
    return done;
  }
  void Clear() { start_ = size_ = 0; }

 private:
  static constexpr size_t kSmallest = 512;
  std::span<std::byte> Gap() {
    const size_t end = (start_ + size_) & (capacity_ - 1);
    return {data_.get() + end, end < start_ ? start_ - end : capacity_ - end};
  }
  Result<void> Reserve(size_t more) {
    if (size_ + more <= capacity_) return {};
    const size_t capacity = std::bit_ceil(std::max(size_ + more, kSmallest));
    std::unique_ptr<std::byte[]> data(new (std::nothrow) std::byte[capacity]);
    if (!data) return Errno::kENOMEM;
    const size_t first = front().size();
    if (size_ > 0) __builtin_memcpy(data.get(), data_.get() + start_, first);
    if (size_ > first) __builtin_memcpy(data.get() + first, data_.get(), size_ - first);
    data_ = std::move(data);
    capacity_ = capacity;
    start_ = 0;
    return {};
  }

  const size_t limit_;
  std::unique_ptr<std::byte[]> data_;
  size_t capacity_ = 0;  // a power of two, or 0
  size_t start_ = 0, size_ = 0;
};

}  // namespace zrun::vfs
