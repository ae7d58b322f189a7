#include "compat/poll_set.h"

#include "vfs/epoll.h"

namespace zrun::compat {

Result<void> PollSet::Reserve(size_t count) {
  TRY(entries_.Reserve(count));
  return items_.Reserve(count);
}

Result<void> PollSet::Add(Task& task, Fd fd, uint32_t events) {
  auto file = TRY(task.fds().Get(fd));
  Signals wanted = vfs::SignalsOfPollEvents(events);
  // select's sets do not all care for these; waking up for them would be for nothing, again and
  // again.
  if (!(events & kPollError)) wanted &= ~Signals::kError;
  if (!(events & kPollHangUp)) wanted &= ~Signals::kPeerClosed;
  TRY(items_.PushBack({file.get(), wanted, Signals::kNone}));
  Handle keeps_open = Handle::IfOpen(*file);
  return entries_.PushBack({std::move(file), std::move(keeps_open), events, 0});
}

Result<void> PollSet::AddNothing() {
  TRY(items_.PushBack({}));
  return entries_.PushBack({});
}

size_t PollSet::Look() {
  size_t count = 0;
  for (Entry& entry : entries_) {
    if (!entry.file) continue;
    entry.returned = vfs::PollEventsOf(entry.file->TakeSignals()) & entry.events;
    if (entry.returned) count++;
  }
  return count;
}

Result<size_t> PollSet::Wait(Task& task, hal::Deadline deadline, bool ready) {
  for (;;) {
    const size_t count = Look();
    if (count != 0 || ready || deadline.at <= hal::MonotonicNow()) return count;
    if (TRY(task.WaitForMany(items_, deadline)) == 0) return Look();
  }
}

}  // namespace zrun::compat
