#pragma once
#include "compat/task.h"

// What a handler finds on its stack. Bodies: compat/abi/arch/<cpu>/signal_frame.cc.
namespace zrun::compat {

// Pushes a frame for |signo| and points the registers at its handler. |mask| is what returning
// restores. EFAULT if the stack cannot take it; nothing has changed then.
Result<void> PushSignalFrame(Task& task, int signo, const SigInfo& info, const SignalAction& action,
                             SignalSet mask);
// rt_sigreturn(2): restores registers and vector state and returns the mask and the alternate
// stack the frame holds. EFAULT for one that cannot be read or is malformed.
struct ReturnedFrame {
  SignalSet mask;
  abi::StackT alternate_stack;
};
Result<ReturnedFrame> PopSignalFrame(Task& task);

// Where a frame of |size| bytes may start to grow down from: the alternate stack's top, or the
// stack in use less what the ABI lets leaf functions use below it. 0 if it would overflow an
// alternate stack.
uint64_t FrameTop(Task& task, const SignalAction& action, uint64_t sp);
bool FitsAlternateStack(Task& task, const SignalAction& action, uint64_t old_sp, uint64_t frame);
// sigaltstack(2)'s view of the current one, with SS_ONSTACK.
abi::StackT ReportAlternateStack(Task& task, uint64_t sp);
// EINVAL, ENOMEM (too small), EPERM (in use).
Result<void> SetAlternateStack(Task& task, const abi::StackT& stack, uint64_t sp);

}  // namespace zrun::compat
