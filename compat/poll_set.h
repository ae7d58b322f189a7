#pragma once
#include "compat/task.h"

namespace zrun::compat {

// POLLIN and so on, <asm-generic/poll.h>.
inline constexpr uint32_t kPollIn = 0x1, kPollPriority = 0x2, kPollOut = 0x4, kPollError = 0x8,
                          kPollHangUp = 0x10, kPollInvalid = 0x20, kPollReadNormal = 0x40,
                          kPollReadBand = 0x80, kPollWriteNormal = 0x100, kPollWriteBand = 0x200;

// What poll and select wait for: files, each with the events that matter. The files are kept, so
// that closing a descriptor meanwhile does no harm.
class PollSet {
 public:
  Result<void> Reserve(size_t count);
  // EBADF if |fd| is not open.
  Result<void> Add(Task& task, Fd fd, uint32_t events);
  // A place in the order that never has an event.
  Result<void> AddNothing();
  size_t size() const { return items_.size(); }
  // Sleeps until something has an event, or the deadline; returns how many have. kEINTR if a signal
  // comes first. |ready| says that something else is there already: do not sleep.
  Result<size_t> Wait(Task& task, hal::Deadline deadline, bool ready = false);
  // What was there, of the events asked for.
  uint32_t returned(size_t index) const { return entries_[index].returned; }

 private:
  struct Entry {
    RefPtr<vfs::FileDescription> file;
    Handle keeps_open;
    uint32_t events = 0;
    uint32_t returned = 0;
  };
  size_t Look();
  Vector<Entry> entries_;
  Vector<WaitItem> items_;
};

}  // namespace zrun::compat
