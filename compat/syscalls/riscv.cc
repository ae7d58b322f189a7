// Calls of riscv64 alone. Source: Documentation/arch/riscv/hwprobe.rst, <asm/cachectl.h>.
#if defined(__riscv)
#include "compat/syscall_table.h"
#include "compat/task.h"
#include "hal/processor.h"
#include "hal/user_context.h"

namespace zrun::compat {
namespace {

using abi::ProbePair;

constexpr uint32_t kWhichCpus = 1;
constexpr uint64_t kMostCpuBytes = 128;

// RISCV_HWPROBE_KEY_BASE_BEHAVIOR, IMA_EXT_0 and CPUPERF_0.
bool IsBitSet(int64_t key) { return key >= 3 && key <= 5; }

// The first 64 processors of a set that may be shorter or longer; the rest is not there.
Result<uint64_t> ReadCpus(Task& task, uint64_t size, UserAddr address) {
  uint64_t cpus = 0;
  TRY(task.memory().ReadAll(
      std::as_writable_bytes(std::span(&cpus, 1)).first(std::min<uint64_t>(size, 8)),
      UserPtr<const std::byte>(address.address)));
  return cpus & hal::AllowedCpus();
}

// All processors are alike: those of the set stay if they have what the pairs ask for.
SyscallResult ProbeWhich(Task& task, UserPtr<ProbePair> pairs, size_t count, uint64_t size,
                         UserAddr address) {
  if (size == 0 || size > kMostCpuBytes || address.address == 0) return Errno::kEINVAL;
  uint64_t cpus = TRY(ReadCpus(task, size, address));
  if (cpus == 0) cpus = hal::AllowedCpus();
  for (size_t i = 0; i < count; i++) {
    const UserPtr<ProbePair> place = pairs.at(i);
    ProbePair pair = TRY(task.memory().Read(place));
    const auto value = hal::ProbeProcessor(pair.key);
    if (!value) {
      TRY(task.memory().Write(place, ProbePair{-1, 0}));
      cpus = 0;
    } else if (IsBitSet(pair.key) ? (*value & pair.value) != pair.value : *value != pair.value) {
      cpus = 0;
    }
  }
  std::array<std::byte, kMostCpuBytes> out{};
  __builtin_memcpy(out.data(), &cpus, sizeof cpus);
  TRY(task.memory().WriteAll(UserPtr<std::byte>(address.address), std::span(out).first(size)));
  return 0;
}

}  // namespace

SyscallResult sys_riscv_hwprobe(Task& task, UserPtr<ProbePair> pairs, size_t count,
                                uint64_t cpu_set_size, UserAddr cpu_set, uint32_t flags) {
  if (flags & ~kWhichCpus) return Errno::kEINVAL;
  if (flags & kWhichCpus) return ProbeWhich(task, pairs, count, cpu_set_size, cpu_set);
  if (cpu_set_size != 0 || cpu_set.address != 0) {
    if (TRY(ReadCpus(task, cpu_set_size, cpu_set)) == 0) return Errno::kEINVAL;
  }
  for (size_t i = 0; i < count; i++) {
    const UserPtr<ProbePair> place = pairs.at(i);
    const ProbePair asked = TRY(task.memory().Read(place));
    const auto value = hal::ProbeProcessor(asked.key);
    TRY(task.memory().Write(place, value ? ProbePair{asked.key, *value} : ProbePair{-1, 0}));
  }
  return 0;
}

SyscallResult sys_riscv_flush_icache(Task&, UserAddr, UserAddr, uint64_t flags) {
  constexpr uint64_t kLocal = 1;
  if (flags & ~kLocal) return Errno::kEINVAL;
  hal::SynchronizeCode();
  return 0;
}

}  // namespace zrun::compat
#endif
