#pragma once
#include <concepts>
#include <cstdint>
#include <type_traits>

#include "base/result.h"
#include "base/user_ptr.h"

namespace zrun::compat {

struct Fd {  // a file descriptor number, or AT_FDCWD
  int32_t value;
};
inline constexpr int32_t kAtFdCwd = -100;
enum class ClockId : int32_t {};  // CLOCK_*
// A value, or an error that the run loop turns into -errno (and restarts, for the kRestart* ones).
using SyscallResult = Result<uint64_t>;

// How a register becomes a parameter. Linux truncates to the parameter's width; so do we.
template <typename T>
T FromRegister(uint64_t bits) {
  if constexpr (std::is_enum_v<T>) {
    return T(static_cast<std::underlying_type_t<T>>(bits));
  } else if constexpr (std::integral<T>) {
    return static_cast<T>(bits);
  } else if constexpr (std::same_as<T, Fd>) {
    return Fd{static_cast<int32_t>(bits)};
  } else {
    return T{bits};  // UserPtr, UserAddr, UserCString
  }
}

}  // namespace zrun::compat
