#include "compat/user_buffer.h"

#include <algorithm>

#include "compat/abi/arch.h"

namespace zrun::compat {
namespace {

constexpr size_t kIovMax = 1024;

size_t TotalLength(std::span<const abi::Iovec> vectors) {
  size_t total = 0;
  for (const abi::Iovec& vector : vectors) total += vector.length;
  return total;
}

// Calls copy(address, size, position in the buffer) for piece after piece of at most |size| bytes;
// it returns how many it copied. What was consumed leaves |vectors|. A piece that comes up short
// ends it: EFAULT if nothing had been copied.
template <typename Copy>
Result<size_t> ForEachRange(std::span<const abi::Iovec>& vectors, size_t& done_in_vector,
                            size_t& remaining, size_t size, Copy copy) {
  size = std::min(size, remaining);
  size_t done = 0;
  while (done < size) {
    const abi::Iovec& vector = vectors.front();
    const size_t want = std::min(size - done, size_t(vector.length) - done_in_vector);
    const Result<size_t> copied =
        want == 0 ? Result<size_t>(size_t{0}) : copy(vector.base + done_in_vector, want, done);
    if (!copied.ok()) {
      if (done == 0) return copied.error();
      return done;
    }
    done += copied.value();
    remaining -= copied.value();
    done_in_vector += copied.value();
    if (copied.value() < want) return done;
    if (done_in_vector == vector.length) {
      vectors = vectors.subspan(1);
      done_in_vector = 0;
    }
  }
  return done;
}

// What ForEachRange() would give first.
vfs::UserRange FirstRange(std::span<const abi::Iovec> vectors, size_t done_in_vector,
                          size_t remaining) {
  for (const abi::Iovec& vector : vectors) {
    const size_t size = std::min(size_t(vector.length) - done_in_vector, remaining);
    if (size > 0) return {UserPtr<std::byte>(vector.base + done_in_vector), size};
    done_in_vector = 0;
  }
  return {};
}

void SkipRanges(std::span<const abi::Iovec>& vectors, size_t& done_in_vector, size_t& remaining,
                size_t count) {
  static_cast<void>(
      ForEachRange(vectors, done_in_vector, remaining, count,
                   [](uint64_t, size_t size, size_t) { return Result<size_t>(size); }));
}

}  // namespace

UserSink::UserSink(UserMemory memory, UserPtr<std::byte> data, size_t size)
    : memory_(memory),
      single_{data.address(), std::min(size, kMaxRwCount)},
      vectors_(&single_, 1),
      remaining_(single_.length) {}

UserSink::UserSink(UserMemory memory, std::span<const abi::Iovec> vectors)
    : memory_(memory), vectors_(vectors), remaining_(TotalLength(vectors)) {}

Result<size_t> UserSink::Put(std::span<const std::byte> bytes) {
  return ForEachRange(vectors_, done_in_vector_, remaining_, bytes.size(),
                      [&](uint64_t address, size_t size, size_t position) {
                        return memory_.CopyOut(UserPtr<std::byte>(address),
                                               bytes.subspan(position, size));
                      });
}

Result<size_t> UserSink::PutZeros(size_t count) {
  return ForEachRange(vectors_, done_in_vector_, remaining_, count,
                      [&](uint64_t address, size_t size, size_t) {
                        return memory_.Zero(UserPtr<std::byte>(address), size);
                      });
}

vfs::UserRange UserSink::Next() const { return FirstRange(vectors_, done_in_vector_, remaining_); }

void UserSink::Skip(size_t count) { SkipRanges(vectors_, done_in_vector_, remaining_, count); }

UserSource::UserSource(UserMemory memory, UserPtr<const std::byte> data, size_t size)
    : memory_(memory),
      single_{data.address(), std::min(size, kMaxRwCount)},
      vectors_(&single_, 1),
      remaining_(single_.length) {}

UserSource::UserSource(UserMemory memory, std::span<const abi::Iovec> vectors)
    : memory_(memory), vectors_(vectors), remaining_(TotalLength(vectors)) {}

Result<size_t> UserSource::Take(std::span<std::byte> bytes) {
  return ForEachRange(vectors_, done_in_vector_, remaining_, bytes.size(),
                      [&](uint64_t address, size_t size, size_t position) {
                        return memory_.CopyIn(bytes.subspan(position, size),
                                              UserPtr<const std::byte>(address));
                      });
}

Result<size_t> UserSource::Peek(std::span<std::byte> bytes) {
  const auto vectors = vectors_;
  const size_t done = done_in_vector_, left = remaining_;
  auto taken = Take(bytes);
  vectors_ = vectors;
  done_in_vector_ = done;
  remaining_ = left;
  return taken;
}

vfs::UserRange UserSource::Next() const {
  return FirstRange(vectors_, done_in_vector_, remaining_);
}

void UserSource::Skip(size_t count) { SkipRanges(vectors_, done_in_vector_, remaining_, count); }

Result<Vector<abi::Iovec>> ReadForeignIovecs(UserMemory memory, UserPtr<const abi::Iovec> vectors,
                                             size_t count) {
  if (count > kIovMax) return Errno::kEINVAL;
  Vector<abi::Iovec> copy;
  TRY(copy.Resize(count));
  TRY(memory.ReadArray(std::span<abi::Iovec>(copy), vectors));
  for (const abi::Iovec& vector : copy)
    if (int64_t(vector.length) < 0) return Errno::kEINVAL;
  size_t total = 0;
  for (abi::Iovec& vector : copy) {
    vector.length = std::min<uint64_t>(vector.length, kMaxRwCount - total);
    total += vector.length;
  }
  return copy;
}

Result<Vector<abi::Iovec>> ReadIovecs(UserMemory memory, UserPtr<const abi::Iovec> vectors,
                                      size_t count) {
  auto copy = TRY(ReadForeignIovecs(memory, vectors, count));
  for (const abi::Iovec& vector : copy)
    if (vector.length > abi::kUserTop || vector.base > abi::kUserTop - vector.length)
      return Errno::kEFAULT;
  return copy;
}

}  // namespace zrun::compat
