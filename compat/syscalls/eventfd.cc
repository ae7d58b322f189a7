#include "vfs/eventfd.h"

#include "compat/file_params.h"
#include "compat/syscall_table.h"
#include "compat/task.h"

namespace zrun::compat {

SyscallResult sys_eventfd2(Task& task, uint32_t initial, EventFdFlags flags) {
  using enum EventFdFlags;
  if (!HasOnly(flags, kSemaphore | kNonBlock | kCloseOnExec)) return Errno::kEINVAL;
  auto file = TRY(vfs::CreateEventFd(initial, HasAny(flags, kSemaphore),
                                     OpenFlags(uint32_t(flags & kNonBlock))));
  return task.InstallFile(std::move(file), HasAny(flags, kCloseOnExec));
}

SyscallResult sys_eventfd(Task& task, uint32_t initial) {
  return sys_eventfd2(task, initial, EventFdFlags{});
}

}  // namespace zrun::compat
