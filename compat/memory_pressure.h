#pragma once
#include "compat/task.h"

// The last resort when memory is short (objects/vm/page_reclaim.h asks for it).
namespace zrun::compat {

// Kills a process, and says so; |name| is one of its threads'.
void KillForMemory(ThreadGroup& group, const Task::Name& name);
// Kills the process whose end gives most back (proc(5): oom_score_adj); process 1 only if there is
// nobody else.
void KillLargest();
// Once, while booting, after the timers.
void StartMemoryKiller();

}  // namespace zrun::compat
