#include "vfs/epoll.h"

#include "compat/syscall_table.h"
#include "compat/time_argument.h"

namespace zrun::compat {
namespace {

constexpr int32_t kMaxEvents = int32_t(INT32_MAX / sizeof(abi::EpollEvent));
constexpr size_t kAtOnce = 512;  // what is gathered in the kernel at a time

Result<void> WriteEvents(Task& task, UserPtr<abi::EpollEvent> to,
                         std::span<const vfs::EpollEvent> events) {
  for (size_t i = 0; i < events.size(); i++) {
    abi::EpollEvent event{};
    event.events = events[i].events;
    event.data = events[i].data;
    TRY(task.memory().Write(to.at(i), event));
  }
  return {};
}

Result<RefPtr<vfs::FileDescription>> EpollFile(Task& task, Fd fd) {
  auto file = TRY(task.fds().Get(fd));
  if (file->kind() != vfs::FileDescription::Kind::kEpoll) return Errno::kEINVAL;
  return file;
}

SyscallResult WaitForEvents(Task& task, Fd fd, UserPtr<abi::EpollEvent> to, int32_t max,
                            hal::Deadline deadline) {
  if (max <= 0 || max > kMaxEvents) return Errno::kEINVAL;
  const auto epoll = TRY(EpollFile(task, fd));
  Vector<vfs::EpollEvent> events;
  TRY(events.Resize(std::min(size_t(max), kAtOnce)));
  for (;;) {
    const size_t count = TRY(vfs::EpollCollect(*epoll, events));
    if (count != 0) {
      TRY(WriteEvents(task, to, std::span<const vfs::EpollEvent>(events).first(count)));
      return count;
    }
    if (deadline.at <= hal::MonotonicNow()) return 0;
    const auto waited = task.WaitFor(*epoll, Signals::kReadable, deadline);
    if (waited.ok()) continue;
    if (waited.error() == Errno::kETIMEDOUT) return 0;
    // epoll_wait never restarts (signal(7)).
    return waited.error() == Errno::kRestartSys ? Errno::kEINTR : waited.error();
  }
}

hal::Deadline DeadlineOfMilliseconds(int32_t timeout) {
  return timeout < 0 ? hal::Deadline::Never() : DeadlineAfter(int64_t{timeout} * 1'000'000);
}

}  // namespace

SyscallResult sys_epoll_create1(Task& task, EpollFlags flags) {
  if (!HasOnly(flags, EpollFlags::kCloseOnExec)) return Errno::kEINVAL;
  return task.InstallFile(TRY(vfs::CreateEpoll()), flags != EpollFlags{});
}

SyscallResult sys_epoll_create(Task& task, int32_t size) {
  if (size <= 0) return Errno::kEINVAL;
  return sys_epoll_create1(task, EpollFlags{});
}

SyscallResult sys_epoll_ctl(Task& task, Fd fd, EpollOperation operation, Fd target,
                            UserPtr<const abi::EpollEvent> event) {
  vfs::EpollEvent given;
  if (operation != EpollOperation::kDelete) {
    const auto copied = TRY(task.memory().Read(event));
    given = {copied.events, copied.data};
  }
  const auto epoll = TRY(task.fds().Get(fd));
  const auto file = TRY(task.fds().Get(target));
  if (file->kind() == vfs::FileDescription::Kind::kVnode) {
    const auto vnode = file->path().vnode();
    if (vnode &&
        (vnode->type() == vfs::VnodeType::kRegular || vnode->type() == vfs::VnodeType::kDirectory))
      return Errno::kEPERM;
  }
  if (epoll == file || epoll->kind() != vfs::FileDescription::Kind::kEpoll) return Errno::kEINVAL;
  switch (operation) {
    case EpollOperation::kAdd:
      TRY(vfs::EpollAdd(*epoll, target.value, file, given));
      return 0;
    case EpollOperation::kModify:
      TRY(vfs::EpollModify(*epoll, target.value, file, given));
      return 0;
    case EpollOperation::kDelete:
      TRY(vfs::EpollRemove(*epoll, target.value, file));
      return 0;
  }
  return Errno::kEINVAL;
}

SyscallResult sys_epoll_wait(Task& task, Fd fd, UserPtr<abi::EpollEvent> events, int32_t max,
                             int32_t timeout) {
  return WaitForEvents(task, fd, events, max, DeadlineOfMilliseconds(timeout));
}

SyscallResult sys_epoll_pwait(Task& task, Fd fd, UserPtr<abi::EpollEvent> events, int32_t max,
                              int32_t timeout, UserPtr<const uint64_t> mask, uint64_t mask_size) {
  TRY(task.SetTemporaryMask(mask, mask_size));
  return WaitForEvents(task, fd, events, max, DeadlineOfMilliseconds(timeout));
}

SyscallResult sys_epoll_pwait2(Task& task, Fd fd, UserPtr<abi::EpollEvent> events, int32_t max,
                               UserPtr<const abi::Timespec> timeout, UserPtr<const uint64_t> mask,
                               uint64_t mask_size) {
  const auto deadline = TRY(ReadTimeout(task, timeout));
  TRY(task.SetTemporaryMask(mask, mask_size));
  return WaitForEvents(task, fd, events, max, deadline);
}

}  // namespace zrun::compat
