#include "compat/syscall_table.h"

#include <utility>

#include "compat/task.h"

namespace zrun::compat {
namespace {

inline constexpr int kNone = -1;

template <auto kHandler>
struct Invoker;
template <typename... Params, SyscallResult (*kHandler)(Task&, Params...)>
struct Invoker<kHandler> {
  static_assert(sizeof...(Params) <= 6);
  static SyscallResult Invoke(Task& task, const SyscallArgs& args) {
    return [&]<size_t... I>(std::index_sequence<I...>) {
      return kHandler(task, FromRegister<Params>(args[I])...);
    }
    (std::index_sequence_for<Params...>());
  }
};

// Not constexpr: reaching it in a constant expression is an error.
inline void TwoSystemCallsWithOneNumber() {}

consteval auto BuildTable() {
  std::array<SyscallEntry, kMaxSyscall> table{};
  auto add = [&](int x86_64, int riscv64, SyscallEntry entry) {
#if defined(__riscv)
    const int number = riscv64;
    static_cast<void>(x86_64);
#else
    const int number = x86_64;
    static_cast<void>(riscv64);
#endif
    if (number == kNone) return;
    if (!table[size_t(number)].name.empty()) TwoSystemCallsWithOneNumber();
    table[size_t(number)] = entry;
  };
#define SYSCALL(x86_64, riscv64, name, ...) \
  add(x86_64, riscv64, {#name, &Invoker<&sys_##name>::Invoke, #__VA_ARGS__, {}});
#define PARTIAL(x86_64, riscv64, note, name, ...) \
  add(x86_64, riscv64, {#name, &Invoker<&sys_##name>::Invoke, #__VA_ARGS__, note});
#define MISSING(x86_64, riscv64, name, reason) add(x86_64, riscv64, {#name, nullptr, {}, reason});
#include "compat/syscalls.def"
#undef SYSCALL
#undef PARTIAL
#undef MISSING
  return table;
}

}  // namespace

constinit const std::array<SyscallEntry, kMaxSyscall> kSyscallTable = BuildTable();

SyscallResult Dispatch(Task& task, uint64_t number, const SyscallArgs& args) {
  if (number < kMaxSyscall) [[likely]] {
    const SyscallEntry& entry = kSyscallTable[number];
    if (entry.invoke) [[likely]]
      return entry.invoke(task, args);
  }
  task.kernel().NoteMissingSyscall(number);
  return Errno::kENOSYS;
}

}  // namespace zrun::compat
