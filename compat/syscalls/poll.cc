#include "compat/poll_set.h"
#include "compat/syscall_table.h"
#include "compat/time_argument.h"

namespace zrun::compat {
namespace {

// Fills the pollfds' answers; returns how many are not zero.
Result<size_t> PollFiles(Task& task, std::span<abi::Pollfd> fds, hal::Deadline deadline) {
  PollSet set;
  TRY(set.Reserve(fds.size()));
  size_t invalid = 0;
  for (abi::Pollfd& item : fds) {
    item.returned = 0;
    const uint32_t events = uint16_t(item.events) | kPollError | kPollHangUp;
    const auto added = item.fd < 0 ? set.AddNothing() : set.Add(task, Fd{item.fd}, events);
    if (added.ok()) continue;
    if (added.error() != Errno::kEBADF) return added.error();
    item.returned = int16_t(kPollInvalid);
    invalid++;
    TRY(set.AddNothing());
  }
  const size_t count = TRY(set.Wait(task, deadline, invalid != 0));
  for (size_t i = 0; i < fds.size(); i++)
    if (fds[i].returned == 0) fds[i].returned = int16_t(set.returned(i));
  return count + invalid;
}

// Only the answers are written back: the rest of the array may be shared, or read-only.
Result<size_t> PollGuest(Task& task, UserPtr<abi::Pollfd> pointer, uint32_t count,
                         hal::Deadline deadline) {
  if (count > task.group().limits().soft(Limit::kFiles)) return Errno::kEINVAL;
  Vector<abi::Pollfd> fds;
  TRY(fds.Resize(count));
  TRY(task.memory().ReadArray(std::span<abi::Pollfd>(fds), UserPtr<const abi::Pollfd>(pointer)));
  const size_t ready = TRY(PollFiles(task, fds, deadline));
  for (uint32_t i = 0; i < count; i++) {
    const auto answer = pointer.at(i).as<int16_t>(offsetof(abi::Pollfd, returned));
    TRY(task.memory().Write(answer, fds[i].returned));
  }
  return ready;
}

SyscallResult Poll(Task& task, UserPtr<abi::Pollfd> fds, uint32_t count, hal::Deadline deadline);

SyscallResult ContinuePoll(Task& task, const RestartState& state) {
  return Poll(task, UserPtr<abi::Pollfd>(state.arguments[0]), uint32_t(state.arguments[1]),
              hal::Deadline{int64_t(state.arguments[2])});
}

SyscallResult Poll(Task& task, UserPtr<abi::Pollfd> fds, uint32_t count, hal::Deadline deadline) {
  const auto ready = PollGuest(task, fds, count, deadline);
  if (ready.ok()) return ready.value();
  if (ready.error() != Errno::kEINTR) return ready.error();
  return task.RestartWith(&ContinuePoll, {fds.address(), count, uint64_t(deadline.at)});
}

}  // namespace

SyscallResult sys_poll(Task& task, UserPtr<abi::Pollfd> fds, uint32_t count, int32_t timeout) {
  const auto deadline =
      timeout < 0 ? hal::Deadline::Never() : DeadlineAfter(int64_t{timeout} * 1'000'000);
  return Poll(task, fds, count, deadline);
}

SyscallResult sys_ppoll(Task& task, UserPtr<abi::Pollfd> fds, uint32_t count,
                        UserPtr<abi::Timespec> timeout, UserPtr<const uint64_t> mask,
                        uint64_t mask_size) {
  const auto deadline = TRY(ReadTimeout(task, timeout));
  TRY(task.SetTemporaryMask(mask, mask_size));
  const auto ready = PollGuest(task, fds, count, deadline);
  // What is left of the timeout is told; if that is impossible nothing must restart with all of it.
  const bool told = TellTimeLeft(task, timeout, ToTimespec(TimeLeft(deadline)));
  if (ready.ok()) return ready.value();
  if (ready.error() != Errno::kEINTR || !told) return ready.error();
  return Errno::kRestartNoHand;
}

}  // namespace zrun::compat
