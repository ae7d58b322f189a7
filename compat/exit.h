#pragma once
#include "compat/task.h"

namespace zrun::compat {

// How threads and processes end.
class Exit {
 public:
  // The end of a task's life: called once by its run loop; it returns into Thread::Main's end.
  static void Run(Task& task);
  // For a task that others could find already, but that did not come to run. Not its parent's to
  // wait for.
  static void Withdraw(Task& task);
  // Takes a process out of the tables: it has been waited for, or never ran. Drops the tables'
  // reference.
  static void Forget(ThreadGroup& group) REQUIRES(Kernel::Get().lock());
  // What execve leaves of the old program's address space, and what exit lets go of.
  static void ReleaseMemory(Task& task);

 private:
  static bool LeaveSignals(Task& task);
  static void LetGo(Task& task);
  static bool LeaveGroup(Task& task) REQUIRES(Kernel::Get().lock());
  static void EndProcess(Task& task) REQUIRES(Kernel::Get().lock());
};

// vfork's parent: until the child no longer uses the memory, or the parent must die.
void WaitForVfork(Task& parent, VforkGate& gate);
// The robust list and clear_child_tid of a thread that leaves its memory.
void ReleaseUserLocks(Task& task);

// No member of |group| but |leaving| has a parent in another group of its session.
bool IsOrphaned(ProcessGroup& group, const ThreadGroup* leaving) REQUIRES(Kernel::Get().lock());
// Tells the parent (SIGCHLD and wait) that |group| has stopped, or of what SIGCONT changed.
void AnnounceStopped(ThreadGroup& group);
void AnnounceStopAndContinue(ThreadGroup& group);
// Ends all processes but |survivor| with SIGKILL.
void KillAll(ThreadGroup* survivor) REQUIRES(Kernel::Get().lock());

}  // namespace zrun::compat
