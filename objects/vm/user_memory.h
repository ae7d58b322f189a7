#pragma once
#include <cstddef>
#include <span>
#include <type_traits>

#include "base/string.h"
#include "base/user_ptr.h"
#include "objects/vm/vm_address_region.h"

namespace zrun {

// No padding, so that nothing of the kernel's leaks out through a struct.
template <typename T>
concept UserAbi = std::is_trivially_copyable_v<T> && std::has_unique_object_representations_v<T>;

// The only way the kernel touches guest memory: the current thread's. Copies directly
// (hal::CopyFromUser) and, where that stops, asks the region to resolve the fault and goes on.
// Needs the caller to run in the region's address space.
class UserMemory {
 public:
  explicit UserMemory(VmAddressRegion& region) : region_(region) {}

  // Bytes copied before the first bad one; EFAULT only if that is none (and the span is not empty).
  Result<size_t> CopyIn(std::span<std::byte> to, UserPtr<const std::byte> from);
  Result<size_t> CopyOut(UserPtr<std::byte> to, std::span<const std::byte> from);
  Result<size_t> Zero(UserPtr<std::byte> to, size_t size);
  // All or EFAULT.
  Result<void> ReadAll(std::span<std::byte> to, UserPtr<const std::byte> from);
  Result<void> WriteAll(UserPtr<std::byte> to, std::span<const std::byte> from);
  // The text without its NUL; ENAMETOOLONG if there is none in |max| bytes.
  Result<String> ReadString(UserCString from, size_t max);
  // A path: at most PATH_MAX (4096) bytes with the NUL.
  Result<String> ReadPath(UserCString from) { return ReadString(from, 4096); }

  template <typename T>
  requires std::is_trivially_copyable_v<T> Result<T> Read(UserPtr<const T> from) {
    T value;
    TRY(ReadAll(std::as_writable_bytes(std::span(&value, 1)), from.template as<const std::byte>()));
    return value;
  }
  template <typename T>
  requires(std::is_trivially_copyable_v<T> && !std::is_const_v<T>) Result<T> Read(UserPtr<T> from) {
    return Read(UserPtr<const T>(from));
  }
  template <UserAbi T>
  Result<void> Write(UserPtr<T> to, const std::type_identity_t<T>& value) {
    return WriteAll(to.template as<std::byte>(), std::as_bytes(std::span(&value, 1)));
  }
  template <typename T>
  requires std::is_trivially_copyable_v<T> Result<void> ReadArray(std::span<T> to,
                                                                  UserPtr<const T> from) {
    return ReadAll(std::as_writable_bytes(to), from.template as<const std::byte>());
  }
  template <UserAbi T>
  Result<void> WriteArray(UserPtr<T> to, std::span<const T> from) {
    return WriteAll(to.template as<std::byte>(), std::as_bytes(from));
  }
  // Futex words. EFAULT; EINVAL if not aligned.
  Result<uint32_t> LoadWord(UserPtr<const uint32_t> word);
  // Whether it was swapped; |expected| receives what was there.
  Result<bool> CompareExchangeWord(UserPtr<uint32_t> word, uint32_t& expected, uint32_t desired);

  VmAddressRegion& region() { return region_; }

 private:
  VmAddressRegion& region_;
};

}  // namespace zrun
