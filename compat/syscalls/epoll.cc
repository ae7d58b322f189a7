#include "vfs/epoll.h"

#include "compat/syscall_table.h"
#include "compat/time_argument.h"

namespace zrun::compat {
namespace {

constexpr int32_t kMaxEvents = int32_t(INT32_MAX / sizeof(abi::EpollEvent));
constexpr size_t kAtOnce = 512;  // what is gathered in the kernel at a time

// Writes what is ready now; returns how many that are.
Result<size_t> GiveEvents(Task& task, vfs::FileDescription& epoll, UserPtr<abi::EpollEvent> to,
                          size_t max, Vector<vfs::EpollEvent>& buffer) {
  size_t done = 0;
  for (uint64_t round = 0; done < max;) {
    const auto chunk = std::span(buffer).first(std::min(buffer.size(), max - done));
    const size_t count = TRY(vfs::EpollCollect(epoll, chunk, round));
    for (const vfs::EpollEvent& found : chunk.first(count)) {
      abi::EpollEvent event{};
      event.events = found.events;
      event.data = found.data;
      if (auto written = task.memory().Write(to.at(done), event); !written.ok()) {
        if (done > 0) return done;
        return written.error();
      }
      done++;
    }
    if (count < chunk.size()) break;
  }
  return done;
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
  const auto collect = [&] { return GiveEvents(task, *epoll, to, size_t(max), events); };
  for (;;) {
    size_t count = TRY(collect());
    if (count == 0 && deadline.at <= hal::MonotonicNow()) return 0;
    Errno error{};
    if (count == 0) {
      const vfs::EpollSleeper sleeper(*epoll);
      count = TRY(collect());  // what came when it was not yet known that this thread would sleep
      if (count == 0) {
        const auto waited = task.WaitFor(*epoll, Signals::kReadable, deadline);
        if (!waited.ok()) error = waited.error();
      }
    }
    if (count != 0) return count;
    // At the end of the time as well it looks again: others were not told of what this one was.
    if (error == Errno{} || error == Errno::kETIMEDOUT) continue;
    // epoll_wait never restarts (signal(7)).
    return error == Errno::kRestartSys ? Errno::kEINTR : error;
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
