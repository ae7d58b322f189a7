#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "compat/abi/file.h"
#include "compat/abi/ipc.h"
#include "compat/abi/process.h"
#include "compat/abi/socket.h"
#include "compat/abi/types.h"
#include "compat/file_params.h"
#include "compat/process_params.h"
#include "compat/syscall_types.h"

namespace zrun::compat {

class Task;

// Prototypes of all the handlers.
#define SYSCALL(x86_64, riscv64, name, ...) \
  SyscallResult sys_##name(Task& task __VA_OPT__(, ) __VA_ARGS__);
#define PARTIAL(x86_64, riscv64, note, name, ...) \
  SyscallResult sys_##name(Task& task __VA_OPT__(, ) __VA_ARGS__);
#define MISSING(x86_64, riscv64, name, reason)
#include "compat/syscalls.def"
#undef SYSCALL
#undef PARTIAL
#undef MISSING

using SyscallArgs = std::array<uint64_t, 6>;
struct SyscallEntry {
  std::string_view name;                               // empty: no such call
  SyscallResult (*invoke)(Task&, const SyscallArgs&);  // null: MISSING
  std::string_view parameters;                         // as written, for --strace
  std::string_view note;                               // what is left out, or why it is missing
};
inline constexpr size_t kMaxSyscall = 512;
// For the architecture compiled for.
extern const std::array<SyscallEntry, kMaxSyscall> kSyscallTable;
// ENOSYS, logged once per number, for what is not there.
SyscallResult Dispatch(Task& task, uint64_t number, const SyscallArgs& args);

}  // namespace zrun::compat
