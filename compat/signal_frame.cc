#include "compat/signal_frame.h"

#include "compat/abi/arch.h"
#include "hal/processor.h"

namespace zrun::compat {

using namespace abi;

uint64_t FrameTop(Task& task, const SignalAction& action, uint64_t sp) {
  const TaskSignals& state = task.signal_state();
  const StackT& stack = state.alternate_stack;
  if ((action.flags & kSaOnStack) && stack.size != 0 && !state.OnAlternateStack(sp))
    return stack.sp + stack.size;
  return sp - kRedZone;
}

bool FitsAlternateStack(Task& task, const SignalAction& action, uint64_t old_sp, uint64_t frame) {
  const TaskSignals& state = task.signal_state();
  const StackT& stack = state.alternate_stack;
  const bool entering =
      (action.flags & kSaOnStack) && stack.size != 0 && !state.OnAlternateStack(old_sp);
  if (!entering && !state.OnAlternateStack(old_sp)) return true;
  return frame > stack.sp && frame - stack.sp <= stack.size;
}

StackT ReportAlternateStack(Task& task, uint64_t sp) {
  const TaskSignals& state = task.signal_state();
  StackT stack = state.alternate_stack;
  const int32_t autodisarm = stack.flags & kSsAutoDisarm;
  if (stack.size == 0) {
    stack.flags = kSsDisable;
  } else {
    stack.flags = state.OnAlternateStack(sp) ? kSsOnStack : 0;
  }
  stack.flags |= autodisarm;
  stack.padding = 0;
  return stack;
}

Result<void> SetAlternateStack(Task& task, const StackT& stack, uint64_t sp) {
  TaskSignals& state = task.signal_state();
  if (state.OnAlternateStack(sp)) return Errno::kEPERM;
  const int32_t mode = stack.flags & ~kSsAutoDisarm;
  if (mode != 0 && mode != kSsOnStack && mode != kSsDisable) return Errno::kEINVAL;
  if (mode == kSsDisable) {
    state.alternate_stack = {0, stack.flags, 0, 0};
    return {};
  }
  if (stack.size < kMinSigStackSize) return Errno::kENOMEM;
  state.alternate_stack = {stack.sp, stack.flags, 0, stack.size};
  return {};
}

}  // namespace zrun::compat
