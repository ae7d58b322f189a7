#pragma once
#include "compat/task.h"

namespace zrun::compat {

// wait4, waitid. W* of <linux/wait.h>.
inline constexpr uint32_t kWaitNoHang = 1, kWaitStopped = 2, kWaitExited = 4, kWaitContinued = 8,
                          kWaitNoWait = 0x01000000, kWaitNoThread = 0x20000000,
                          kWaitAnyKind = 0x40000000, kWaitClone = 0x80000000;

struct WaitRequest {
  enum class Who : uint8_t { kAny, kProcess, kGroup, kPidFd } who = Who::kAny;
  int32_t id = 0;
  ThreadGroup* target = nullptr;  // kPidFd: the caller keeps it alive
  uint32_t options = 0;
};
struct WaitOutcome {
  int32_t pid = 0;  // 0: nothing yet (WNOHANG)
  uint32_t uid = 0;
  int32_t status = 0;  // as wait4 gives it
  int32_t code = 0;    // CLD_*
  Usage usage;
};
// ECHILD, kRestartSys when a signal comes first.
Result<WaitOutcome> WaitForChild(Task& task, const WaitRequest& request);

}  // namespace zrun::compat
