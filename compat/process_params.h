#pragma once
#include <cstdint>

#include "base/flags.h"

// The bits and choices that calls of the process side take, as types (see compat/file_params.h).
namespace zrun::compat {

enum class Signal : int32_t {};
enum class MaskChange : int32_t { kBlock = 0, kUnblock = 1, kSetMask = 2 };
enum class FutexOperation : int32_t {};
enum class IntervalTimer : int32_t { kReal = 0, kVirtual = 1, kProf = 2 };
enum class TimerFlags : int32_t { kAbsolute = 1 };
enum class SignalFdFlags : int32_t { kNonBlock = 04000, kCloseOnExec = 02000000 };
enum class PidFdFlags : uint32_t { kNonBlock = 04000, kThread = 0200 };

}  // namespace zrun::compat

template <>
inline constexpr bool zrun::kIsFlags<zrun::compat::SignalFdFlags> = true;
template <>
inline constexpr bool zrun::kIsFlags<zrun::compat::PidFdFlags> = true;
