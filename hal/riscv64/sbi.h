#pragma once
#include <cstdint>

// The supervisor binary interface: calls to the firmware. Source: RISC-V SBI specification 1.0.
namespace zrun::hal {

struct SbiResult {
  int64_t error;
  uint64_t value;
};

enum class SbiExtension : uint64_t {
  kBase = 0x10,
  kTime = 0x54494d45,
  kIpi = 0x735049,
  kHartState = 0x48534d,
  kReset = 0x53525354,
  kRemoteFence = 0x52464e43,
};

inline SbiResult SbiCall(SbiExtension extension, uint64_t function, uint64_t argument0 = 0,
                         uint64_t argument1 = 0, uint64_t argument2 = 0, uint64_t argument3 = 0) {
  register uint64_t a0 asm("a0") = argument0;
  register uint64_t a1 asm("a1") = argument1;
  register uint64_t a2 asm("a2") = argument2;
  register uint64_t a3 asm("a3") = argument3;
  register uint64_t a6 asm("a6") = function;
  register uint64_t a7 asm("a7") = uint64_t(extension);
  asm volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a3), "r"(a6), "r"(a7) : "memory");
  return {int64_t(a0), a1};
}

inline bool SbiHas(SbiExtension extension) {
  constexpr uint64_t kProbe = 3;
  const SbiResult result = SbiCall(SbiExtension::kBase, kProbe, uint64_t(extension));
  return result.error == 0 && result.value != 0;
}

}  // namespace zrun::hal
