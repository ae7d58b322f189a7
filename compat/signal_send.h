#pragma once
#include "compat/task.h"

// How signals are sent. Lock order: Kernel::lock, then the target's signal lock.
namespace zrun::compat {

// Whether pid 1, which default actions do not harm, gets it all the same.
enum class Force : bool { kNo, kYes };

// To a process (any thread that does not block it) or to one thread. EAGAIN when a real-time
// signal's queue is full. Signals to what has exited vanish.
Result<void> SendToGroup(ThreadGroup& group, const SigInfo& info, Force force = Force::kNo);
Result<void> SendToTask(Task& task, const SigInfo& info, Force force = Force::kNo);
// The same with the lock held; |target| is null for the process. |timer| is whose expiration it is.
Result<void> SendLocked(ThreadGroup& group, Task* target, const SigInfo& info,
                        Force force = Force::kNo, RefPtr<PosixTimer> timer = nullptr)
    REQUIRES(group.signal_lock);
// The same, where |first| of a process's threads is asked before the others instead of the leader.
Result<void> SendLocked(ThreadGroup& group, Task* target, Task* first, const SigInfo& info,
                        Force force, RefPtr<PosixTimer> timer) REQUIRES(group.signal_lock);
// To all of a process group, from the kernel.
void SendToProcessGroup(ProcessGroup& group, const SigInfo& info) REQUIRES(Kernel::Get().lock());

// Whether |group| is pid 1 and a default action for |info| would not be taken.
bool IsOutOfReach(ThreadGroup& group, const SigInfo& info);

// siginfo of kill(2) and tgkill(2).
SigInfo InfoFrom(Task& sender, int signo, int32_t code);
// May |sender| signal |target| (kill(2))? EPERM. |signo| 0 asks only.
Result<void> CheckMaySignal(Task& sender, ThreadGroup& target, int signo)
    REQUIRES(Kernel::Get().lock());

}  // namespace zrun::compat
