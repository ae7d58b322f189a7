#pragma once
#include <cstddef>
#include <cstdint>

namespace zrun {

// Addresses in a guest's memory. They cannot be dereferenced: only UserMemory reads or writes them.
// UserPtr<const T> is an input, UserPtr<T> an output or both; constness is the whole policy.
template <typename T>
class UserPtr {
 public:
  constexpr UserPtr() = default;
  explicit constexpr UserPtr(uint64_t address) : address_(address) {}
  constexpr operator UserPtr<const T>() const { return UserPtr<const T>(address_); }
  constexpr uint64_t address() const { return address_; }
  constexpr bool is_null() const { return address_ == 0; }
  constexpr explicit operator bool() const { return address_ != 0; }
  // The |index|th element of an array.
  constexpr UserPtr at(size_t index) const { return UserPtr(address_ + index * sizeof(T)); }
  // The same address, as something else.
  template <typename U>
  constexpr UserPtr<U> as(uint64_t byte_offset = 0) const {
    return UserPtr<U>(address_ + byte_offset);
  }

 private:
  uint64_t address_ = 0;
};
struct UserCString {  // NUL-terminated
  uint64_t address = 0;
};
struct UserAddr {  // one that is only computed with, as in mmap
  uint64_t address = 0;
};

}  // namespace zrun
