#pragma once
#include <cstdint>

#include "compat/abi/types.h"

// What Linux's ABI has of its own on x86-64.
namespace zrun::compat::abi {

inline constexpr uint64_t kRestartSyscallNumber = 219;
inline constexpr std::string_view kMachine = "x86_64";
inline constexpr uint16_t kElfMachine = 62;  // EM_X86_64
// Functions may use so much below the stack pointer (System V ABI).
inline constexpr uint64_t kRedZone = 128;
inline constexpr uint64_t kUserTop = 0x7ffffffff000;

// struct kernel_sigaction
struct Sigaction {
  uint64_t handler;
  uint64_t flags;
  uint64_t restorer;
  uint64_t mask;
};
constexpr uint64_t RestorerOf(const Sigaction& action) { return action.restorer; }
constexpr void SetRestorer(Sigaction& action, uint64_t restorer) { action.restorer = restorer; }

}  // namespace zrun::compat::abi
