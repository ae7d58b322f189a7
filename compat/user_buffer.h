#pragma once
#include "compat/abi/types.h"
#include "objects/vm/user_memory.h"
#include "vfs/data_buffer.h"

namespace zrun::compat {

// The most bytes one read or write moves: INT_MAX rounded down to a page (read(2), NOTES).
inline constexpr size_t kMaxRwCount = 0x7ffff000;

// Guest memory as where read(2) puts and write(2) takes: one range, or an iovec array already
// copied in.
class UserSink final : public vfs::DataSink {
 public:
  UserSink(UserMemory memory, UserPtr<std::byte> data, size_t size);
  UserSink(UserMemory memory, std::span<const abi::Iovec> vectors);
  size_t remaining() const override { return remaining_; }
  Result<size_t> Put(std::span<const std::byte> bytes) override;
  Result<size_t> PutZeros(size_t count) override;
  vfs::UserRange Next() const override;
  void Skip(size_t count) override;

 private:
  UserMemory memory_;
  abi::Iovec single_{};
  std::span<const abi::Iovec> vectors_;
  size_t done_in_vector_ = 0;
  size_t remaining_ = 0;
};

class UserSource final : public vfs::DataSource {
 public:
  UserSource(UserMemory memory, UserPtr<const std::byte> data, size_t size);
  UserSource(UserMemory memory, std::span<const abi::Iovec> vectors);
  size_t remaining() const override { return remaining_; }
  Result<size_t> Take(std::span<std::byte> bytes) override;
  Result<size_t> Peek(std::span<std::byte> bytes) override;
  vfs::UserRange Next() const override;
  void Skip(size_t count) override;

 private:
  UserMemory memory_;
  abi::Iovec single_{};
  std::span<const abi::Iovec> vectors_;
  size_t done_in_vector_ = 0;
  size_t remaining_ = 0;
};

// Copies an iovec array in and checks it: EINVAL over IOV_MAX (1024) or when lengths add up past
// SSIZE_MAX; EFAULT where one reaches beyond user space, be it empty; lengths are cut to
// MAX_RW_COUNT in all, as Linux does.
Result<Vector<abi::Iovec>> ReadIovecs(UserMemory memory, UserPtr<const abi::Iovec> vectors,
                                      size_t count);
// The same for ranges of another process, which are looked at when they are used.
Result<Vector<abi::Iovec>> ReadForeignIovecs(UserMemory memory, UserPtr<const abi::Iovec> vectors,
                                             size_t count);

}  // namespace zrun::compat
