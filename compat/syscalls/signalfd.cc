#include "compat/signalfd.h"

#include "compat/syscall_table.h"
#include "compat/task.h"

namespace zrun::compat {

SyscallResult sys_signalfd4(Task& task, Fd fd, UserPtr<const uint64_t> mask, uint64_t size,
                            SignalFdFlags flags) {
  using enum SignalFdFlags;
  if (size != sizeof(uint64_t)) return Errno::kEINVAL;
  const SignalSet wanted(TRY(task.memory().Read(mask)));
  if (!HasOnly(flags, kNonBlock | kCloseOnExec)) return Errno::kEINVAL;
  if (fd.value != -1) {
    auto file = TRY(task.fds().Get(fd));
    TRY(SetSignalFdMask(*file, wanted));
    return uint64_t(fd.value);
  }
  auto file = TRY(CreateSignalFd(wanted, OpenFlags(uint32_t(flags & kNonBlock))));
  return task.InstallFile(std::move(file), HasAny(flags, kCloseOnExec));
}

SyscallResult sys_signalfd(Task& task, Fd fd, UserPtr<const uint64_t> mask, uint64_t size) {
  return sys_signalfd4(task, fd, mask, size, SignalFdFlags{});
}

}  // namespace zrun::compat
