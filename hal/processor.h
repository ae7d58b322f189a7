#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

// Facts about the processor that programs are told.
namespace zrun::hal {

struct ProcessorFacts {
  uint64_t hwcap;                 // AT_HWCAP (x86-64: edx of cpuid leaf 1)
  uint64_t hwcap2;                // AT_HWCAP2
  std::string_view platform;      // AT_PLATFORM: "x86_64"; empty: none
  uint64_t minimum_signal_stack;  // AT_MINSIGSTKSZ: what a signal frame takes at most
  std::string_view cpuinfo;       // the text of /proc/cpuinfo
};
const ProcessorFacts& GetProcessorFacts();
#if defined(__riscv)
// The value of a key of riscv_hwprobe(2), the same for all processors; nothing if it is unknown.
std::optional<uint64_t> ProbeProcessor(int64_t key);
#endif

// Whether memory can be executable without being readable.
bool HasExecuteOnly();

}  // namespace zrun::hal
