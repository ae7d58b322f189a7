#include "compat/abi/arch.h"
#include "compat/exec.h"
#include "compat/exit.h"
#include "compat/memory_pressure.h"
#include "compat/posix_timers.h"
#include "compat/signal_mailbox.h"
#include "compat/signal_send.h"
#include "compat/strace.h"
#include "compat/syscall_table.h"
#include "objects/vm/page_allocator.h"
#include "objects/vm/page_reclaim.h"

namespace zrun::compat {

using namespace abi;

namespace {

constexpr int32_t kSegvPkuErr = 4;  // <asm-generic/siginfo.h>
// Linux gives the first key that is free to memory that may only be run; ours never takes one.
constexpr uint32_t kExecuteOnlyKey = 1;

}  // namespace

void Task::Main() {
  if (exec_plan_) {  // the first process
    exec_plan_->Introduce(*this);
    Continue();
    return;
  }
  registers() = start_registers_;
  hal::SetThreadPointer(start_thread_pointer_);
  if (child_tid_address_) {
    // Linux ignores the error here as well.
    static_cast<void>(memory().Write(UserPtr<int32_t>(child_tid_address_), tid()));
  }
  Loop();
}

// Goes on with execve in a new address space.
void Task::Continue() {
  OwnPtr<ExecPlan> plan = std::move(exec_plan_);
  plan->Finish(*this);
  plan.reset();
  // Its machine thread is a new one, of nobody's making.
  if (affinity.load() != hal::AllowedCpus()) Demand(kAttendAffinity);
  Loop();
}

void Task::Loop() {
  for (;;) {
    // The last steps to the guest: nothing may be wanted of us. A demand that comes later kicks
    // Run() back.
    if (attention_.load(std::memory_order_acquire) != 0) [[unlikely]] {
      if (!Attend()) break;
    }
    const hal::Trap trap = hal::Run();
    call_time.Forget();
    if (RamFrames().level() != PageAllocator::Level::kEnough) [[unlikely]]
      static_cast<void>(AwaitMemory());
    if (trap.kind == hal::TrapKind::kSyscall) [[likely]] {
      if (!HandleSyscall()) [[unlikely]]
        return;
    } else {
      HandleFault(trap);
    }
  }
  Exit::Run(*this);
}

// False: the task goes on as another kernel thread, and is not this one's any more.
bool Task::HandleSyscall() {
  hal::Registers& r = registers();
  const uint32_t number = uint32_t(r.syscall_number());  // Linux looks at no more
  SyscallArgs args;
  for (size_t i = 0; i < args.size(); i++) args[i] = r.argument(int(i));
  syscall_number = number;
  const bool trace = kernel().strace();
  if (trace) [[unlikely]]
    StraceEnter(*this, number, args);
  const SyscallResult result = Dispatch(*this, number, args);
  if (!result.ok() && result.error() == kThreadMoved) [[unlikely]]
    return false;
  DeliverPosted();
  if (trace) [[unlikely]]
    StraceExit(*this, number, args, result);
  if (result.ok()) [[likely]] {
    r.set_return_value(result.value());
  } else if (syscall_number < 0) {
    // The registers are another program's by now.
  } else if (result.error() >= Errno::kRestartSys) [[unlikely]] {
    r.set_return_value(-uint64_t(Errno::kEINTR));
    restart_error_ = result.error();
    local_work_ = true;
  } else {
    r.set_return_value(-uint64_t(result.error()));
  }
  if (local_work_) [[unlikely]] {
    const bool interrupted =
        !result.ok() && (result.error() >= Errno::kRestartSys || result.error() == Errno::kEINTR);
    FinishSyscall(interrupted);
  }
  syscall_number = -1;
  return true;
}

// A call that was interrupted, or that ran with a temporary signal mask: what is pending is
// delivered first, for its handlers decide about both.
void Task::FinishSyscall(bool interrupted) {
  local_work_ = false;
  // The mask goes back before other signals come in, unless one that it let through is the reason.
  if (signals_.restore_mask && !interrupted) RestoreMask();
  if (HasPendingSignal() && !Attend()) return;  // the loop's own look finds out again
  if (restart_error_ != Errno{}) {
    // No handler ran.
    const uint64_t number =
        restart_error_ == Errno::kRestartBlock ? kRestartSyscallNumber : uint64_t(syscall_number);
    restart_error_ = {};
    registers().RestartSyscall(number);
  }
  if (signals_.restore_mask) RestoreMask();
}

void Task::RestoreMask() {
  signals_.restore_mask = false;
  SetMask(signals_.saved_mask);
}

void Task::HandleFault(const hal::Trap& trap) {
  if (trap.kind == hal::TrapKind::kInterrupted) {
    hal::ClearKick();
    return;
  }
  last_fault = {trap.address, trap.trap_number, trap.error_code};
  SigInfo info;
  if (trap.kind == hal::TrapKind::kException) {
    info = SigInfo::Make(trap.signal ? trap.signal : kSigSegv, trap.code);
    info.SetAddress(trap.address);
  } else {
    minor_faults.fetch_add(1, std::memory_order_relaxed);
    auto resolved = region_->HandleFault(trap.address, trap.access);
    if (resolved.ok()) return;
    switch (resolved.error()) {
      case Errno::kEFAULT:
        info = SigInfo::Make(kSigSegv, kSegvMapErr);
        break;
      case Errno::kEACCES:
        info = SigInfo::Make(kSigSegv, trap.code == kSegvPkuErr ? kSegvPkuErr : kSegvAccErr);
        if (trap.code == kSegvPkuErr) info.fields[2] = kExecuteOnlyKey;  // si_pkey
        break;
      case Errno::kENOMEM:
        FailForMemory();
        return;
      default:
        info = SigInfo::Make(kSigBus, kBusAdrErr);
        break;
    }
    info.SetAddress(trap.address);
  }
  ForceSignal(info);
}

// A page that the guest needs cannot be had. While frames are short it tries again; if they are not
// what is missing, waiting does not help.
void Task::FailForMemory() {
  if (RamFrames().level() == PageAllocator::Level::kCritical) return;
  KillForMemory(*group_, name());
}

bool Task::Attend() {
  for (;;) {
    hal::ClearKick();
    const uint32_t wanted = attention_.load(std::memory_order_acquire);
    if (wanted == 0) return true;
    if (wanted & kAttendExit) return false;
    if (wanted & kAttendClock) {
      attention_.fetch_and(~kAttendClock, std::memory_order_acq_rel);
      group_->timers().CheckCpuTimers(*this);
      continue;
    }
    if (wanted & kAttendMemory) {
      AnswerKick();
      continue;
    }
    if (wanted & kAttendAffinity) {
      attention_.fetch_and(~kAttendAffinity, std::memory_order_acq_rel);
      // What the machine refuses now it refused the one who asked, or has changed since.
      static_cast<void>(hal::SetAffinity(affinity.load()));
      continue;
    }
    DeliverSignals();
  }
}

}  // namespace zrun::compat
