#pragma once
#include <cstdint>

#include "compat/abi/types.h"
#include "hal/address_space.h"

// What Linux's ABI has of its own on riscv64.
namespace zrun::compat::abi {

inline constexpr uint64_t kRestartSyscallNumber = 128;
inline constexpr std::string_view kMachine = "riscv64";
inline constexpr uint16_t kElfMachine = 243;  // EM_RISCV
inline constexpr uint64_t kRedZone = 0;
// Depends on how many levels of tables the processor has; the machine knows.
struct UserTop {
  operator uint64_t() const { return hal::GetUserLayout().highest; }
};
inline constexpr UserTop kUserTop;

// struct kernel_sigaction
struct Sigaction {
  uint64_t handler;
  uint64_t flags;
  uint64_t mask;
};
constexpr uint64_t RestorerOf(const Sigaction&) { return 0; }
constexpr void SetRestorer(Sigaction&, uint64_t) {}

}  // namespace zrun::compat::abi
