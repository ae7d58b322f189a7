#pragma once
#include "compat/task.h"

namespace zrun::compat {

// Files never block: they return EAGAIN. Blocking is done here, once, for all of them.
// |operation| is () -> Result<T>. EAGAIN at |deadline| (SO_RCVTIMEO, VTIME); kRestartSys if a
// signal comes first.
template <typename Operation>
auto RetryUntilReady(Task& task, vfs::FileDescription& file, Signals ready, bool nonblocking,
                     Operation operation, hal::Deadline deadline = hal::Deadline::Never())
    -> decltype(operation()) {
  for (;;) {
    auto result = operation();
    if (result.ok() || result.error() != Errno::kEAGAIN || nonblocking) return result;
    auto waited = task.WaitFor(file, ready, deadline);
    if (!waited.ok()) return waited.error() == Errno::kETIMEDOUT ? Errno::kEAGAIN : waited.error();
  }
}

}  // namespace zrun::compat
