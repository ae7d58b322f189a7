#include "vfs/pipe.h"

#include "compat/blocking.h"
#include "compat/file_params.h"
#include "compat/owner.h"
#include "compat/syscall_table.h"

namespace zrun::compat {

SyscallResult sys_pipe2(Task& task, UserPtr<int32_t> fds, OpenFlags flags) {
  constexpr auto kNotification = OpenFlags::kExclusive;  // O_NOTIFICATION_PIPE
  if (!HasOnly(flags,
               OpenFlags::kCloseOnExec | OpenFlags::kNonBlock | OpenFlags::kDirect | kNotification))
    return Errno::kEINVAL;
  if (HasAny(flags, kNotification)) return Errno::kENOPKG;  // as without CONFIG_WATCH_QUEUE
  const auto pipe =
      TRY(vfs::CreatePipe(flags & (OpenFlags::kNonBlock | OpenFlags::kDirect),
                          OwnerOf(*task.credentials()), task.Has(vfs::Capability::kSysResource)));
  auto read_end = TRY(ReservedFd::Create(task));
  auto write_end = TRY(ReservedFd::Create(task));
  const int32_t numbers[2] = {read_end.fd().value, write_end.fd().value};
  TRY(task.memory().WriteArray(fds, std::span<const int32_t>(numbers)));
  const bool close_on_exec = HasAny(flags, OpenFlags::kCloseOnExec);
  read_end.Publish(pipe.reader, close_on_exec);
  write_end.Publish(pipe.writer, close_on_exec);
  return 0;
}

SyscallResult sys_pipe(Task& task, UserPtr<int32_t> fds) {
  return sys_pipe2(task, fds, OpenFlags{});
}

}  // namespace zrun::compat
