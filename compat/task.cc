#include "compat/task.h"

#include <algorithm>

#include "compat/exec.h"
#include "compat/posix_timers.h"
#include "compat/signal_send.h"

namespace zrun::compat {

using namespace abi;

Task::Task(RefPtr<ThreadGroup> group) : Thread(group->process_ref()), group_(std::move(group)) {
  start_time.store(uint64_t(hal::MonotonicNow()), std::memory_order_relaxed);
}

Task::~Task() = default;

void VforkGate::Open() {
  MutexLock guard(lock);
  done.store(true, std::memory_order_release);
  if (!waiter_left) hal::Unpark(thread);
}

RefPtr<MemoryContext> Task::ShareMemoryContext() const {
  MutexLock lock(lock_);
  return memory_context_;
}
RefPtr<FdTable> Task::ShareFds() const {
  MutexLock lock(lock_);
  return fds_;
}
RefPtr<FsContext> Task::ShareFs() const {
  MutexLock lock(lock_);
  return fs_;
}
void Task::ReplaceFds(RefPtr<FdTable> fds) {
  // The old one goes when the lock has been released: the last reference closes files.
  MutexLock lock(lock_);
  std::swap(fds_, fds);
}
void Task::ReplaceFs(RefPtr<FsContext> fs) {
  if (fs) fs->AddUser();
  {
    MutexLock lock(lock_);
    std::swap(fs_, fs);
  }
  if (fs) fs->RemoveUser();
}

RefPtr<const vfs::Credentials> Task::credentials() const {
  MutexLock lock(lock_);
  return credentials_;
}

void Task::SetCredentials(RefPtr<vfs::Credentials> credentials) {
  RefPtr<const vfs::Credentials> old(std::move(credentials));
  const uint32_t uid = old->uid;
  {
    MutexLock lock(lock_);
    std::swap(credentials_, old);
  }
  if (account && account->uid() != uid) {
    if (auto other = UserAccount::Of(uid); other.ok()) {
      account->tasks.fetch_sub(1);
      account = std::move(other).value();
      account->tasks.fetch_add(1);
    }
  }
}

Task::Name Task::name() const {
  MutexLock lock(lock_);
  return name_;
}
void Task::SetName(std::string_view name) {
  MutexLock lock(lock_);
  name_ = Name(name);
}

Result<Task::WalkBase> Task::WalkFrom(Fd directory) {
  auto credentials = this->credentials();
  vfs::Path base;
  if (directory.value == kAtFdCwd) {
    base = fs_->cwd();
  } else {
    auto file = TRY(fds_->Get(directory, Rights::kNone, true));
    base = file->path();
  }
  const vfs::Credentials& who = *credentials;
  return WalkBase{std::move(credentials), {who, fs_->mounts(), fs_->root(), std::move(base)}};
}

Result<uint64_t> Task::InstallFile(RefPtr<vfs::FileDescription> file, bool close_on_exec) {
  const Rights rights = file->default_rights();
  const Fd fd = TRY(fds_->Add(Handle(std::move(file), rights), close_on_exec,
                              group_->limits().soft(Limit::kFiles)));
  return uint64_t(fd.value);
}

char Task::state() const {
  if (!IsParked()) return 'R';
  return waits_for_vfork.load(std::memory_order_relaxed) ? 'D' : 'S';
}

void Task::CountSleep() {
  voluntary_switches.fetch_add(1, std::memory_order_relaxed);
  kernel().sleeps.fetch_add(1, std::memory_order_relaxed);
}

// ---- Sleeping. A kick may be for something else, or be left over: what counts is |attention_|,
// which is set before the kick.
Result<Signals> Task::WaitFor(KernelObject& object, Signals wanted, hal::Deadline deadline) {
  // An open file stays open while a call sleeps on it, also when its last descriptor is closed.
  const Handle keeps_open = Handle::IfOpen(object);
  for (;;) {
    if (HasPendingSignal()) return Errno::kRestartSys;
    CountSleep();
    auto waited = WaitOne(object, wanted, deadline);
    call_time.Forget();
    if (waited.ok() || waited.error() != Errno::kEINTR) return waited;
    AnswerKick();
  }
}

Result<size_t> Task::WaitForMany(std::span<WaitItem> items, hal::Deadline deadline) {
  for (;;) {
    if (HasPendingSignal()) return Errno::kEINTR;
    CountSleep();
    auto waited = WaitMany(items, deadline);
    if (waited.ok()) return waited;
    if (waited.error() == Errno::kETIMEDOUT) return size_t{0};
    if (waited.error() != Errno::kEINTR) return waited;
    AnswerKick();
  }
}

Result<void> Task::Sleep(hal::Deadline deadline) {
  CountSleep();
  Errno outcome{};
  while (outcome == Errno{}) {
    if (HasPendingSignal()) {
      outcome = Errno::kEINTR;
      break;
    }
    switch (hal::Park(deadline, hal::Interruptible::kYes)) {
      case hal::ParkOutcome::kTimedOut:
        outcome = Errno::kETIMEDOUT;
        break;
      case hal::ParkOutcome::kKicked:
        AnswerKick();
        break;
      case hal::ParkOutcome::kUnparked:
        break;
    }
  }
  return outcome;
}

Task::Pause Task::ParkFor(hal::Deadline deadline) {
  if (HasPendingSignal()) return Pause::kInterrupted;
  CountSleep();
  const hal::ParkOutcome outcome = hal::Park(deadline, hal::Interruptible::kYes);
  if (outcome == hal::ParkOutcome::kTimedOut) return Pause::kTimedOut;
  if (outcome == hal::ParkOutcome::kKicked) AnswerKick();
  return Pause::kAwake;
}

void Task::AnswerKick() {
  hal::ClearKick();
  if (!(attention_.load(std::memory_order_acquire) & kAttendMemory)) return;
  attention_.fetch_and(~kAttendMemory, std::memory_order_acq_rel);
  if (memory_context_) memory_context_->RunErrands();
}

Errno Task::RestartWith(SyscallResult (*resume)(Task&, const RestartState&),
                        std::initializer_list<uint64_t> arguments) {
  restart_ = {};
  restart_.resume = resume;
  std::copy(arguments.begin(), arguments.end(), restart_.arguments);
  return Errno::kRestartBlock;
}

SyscallResult Task::ResumeRestarted() {
  const RestartState state_now = restart_;
  if (!state_now.resume) return Errno::kEINTR;
  return state_now.resume(*this, state_now);
}

// ---- Signals
void Task::SendSelf(int signo) {
  SigInfo info = SigInfo::Make(signo, kSiUser);
  info.SetSender(group_->pid(), credentials()->uid);
  static_cast<void>(SendToTask(*this, info));
}

void Task::SetMask(SignalSet mask) {
  MutexLock lock(group_->signal_lock);
  signals_.mask = mask & ~kUnblockable;
  RecomputePending();
}

Result<void> Task::SetTemporaryMask(UserPtr<const uint64_t> mask, size_t size) {
  if (mask.is_null()) return {};
  if (size != sizeof(uint64_t)) return Errno::kEINVAL;
  const SignalSet wanted(TRY(memory().Read(mask)));
  SetTemporaryMask(wanted);
  return {};
}

void Task::SetTemporaryMask(SignalSet mask) {
  signals_.saved_mask = signals_.mask;
  signals_.restore_mask = true;
  local_work_ = true;
  SetMask(mask);
}

void Task::RecomputePending() {
  const SignalSet pending = signals_.queue.pending() | group_->shared_queue.pending();
  if (!(pending & ~signals_.mask).empty() || group_->announce_stop || group_->announce_continue) {
    attention_.fetch_or(kAttendSignal, std::memory_order_acq_rel);
  } else {
    attention_.fetch_and(~kAttendSignal, std::memory_order_acq_rel);
  }
}

int Task::TakeSignal(SignalSet wanted, SigInfo& info, RefPtr<PosixTimer>& timer) {
  const SignalSet own = signals_.queue.pending() & wanted;
  int signo = (own & kSynchronous).First();
  if (!signo) signo = own.First();
  if (signo) {
    signals_.queue.Take(signo, info, timer);
  } else {
    signo = (group_->shared_queue.pending() & wanted).First();
    if (signo) group_->shared_queue.Take(signo, info, timer);
  }
  return signo;
}

void Task::ForceSignal(const SigInfo& info) {
  ThreadGroup& group = *group_;
  MutexLock lock(group_->signal_lock);
  SignalAction action = group.actions->Get(info.signo);
  const bool blocked = signals_.mask.Has(info.signo);
  if (blocked || action.handler == kSigIgn) {
    group.actions->Set(info.signo, SignalAction{});
    action = SignalAction{};
    signals_.mask.Remove(info.signo);
  }
  if (action.handler == kSigDfl) group.unkillable.store(false);
  signals_.queue.Discard(SignalSet::Of(info.signo));
  static_cast<void>(SendLocked(*group_, this, info, Force::kYes));
  RecomputePending();
}

Result<std::span<std::byte>> Task::VectorScratch(size_t size) {
  constexpr size_t kAlignment = 64;
  if (vector_scratch_.size() < size + kAlignment) TRY(vector_scratch_.Resize(size + kAlignment));
  const size_t misaligned = reinterpret_cast<uintptr_t>(vector_scratch_.data()) % kAlignment;
  return std::span(vector_scratch_.data() + (kAlignment - misaligned) % kAlignment, size);
}

Usage Task::usage() {
  const hal::CpuTimes times = cpu_times();
  Usage usage;
  usage.user = times.user;
  usage.system = times.system;
  usage.minor_faults = minor_faults.load(std::memory_order_relaxed) + times.minor_faults;
  usage.major_faults = major_faults.load(std::memory_order_relaxed) + times.major_faults;
  usage.voluntary_switches =
      std::max(voluntary_switches.load(std::memory_order_relaxed), times.voluntary_switches);
  usage.involuntary_switches = times.involuntary_switches;
  usage.max_resident_bytes = times.peak_resident_bytes;
  usage.read_bytes = read_bytes.load(std::memory_order_relaxed);
  usage.written_bytes = written_bytes.load(std::memory_order_relaxed);
  usage.read_calls = read_calls.load(std::memory_order_relaxed);
  usage.write_calls = write_calls.load(std::memory_order_relaxed);
  return usage;
}

}  // namespace zrun::compat
