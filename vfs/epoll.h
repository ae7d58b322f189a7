#pragma once
#include "objects/ipc/port.h"
#include "vfs/file_description.h"

namespace zrun::vfs {

// struct epoll_event, in the kernel's own order (x86-64 packs it).
struct EpollEvent {
  uint32_t events = 0;  // EPOLL*
  uint64_t data = 0;
};

// epoll_create1(2).
Result<RefPtr<FileDescription>> CreateEpoll();
// epoll_ctl(2). |fd| is part of an interest's identity; |target| is the file behind it. EINVAL if
// |epoll| is none or is |target|; EEXIST, ENOENT, EPERM (files that cannot be waited for), ELOOP.
Result<void> EpollAdd(FileDescription& epoll, int fd, const RefPtr<FileDescription>& target,
                      EpollEvent event);
Result<void> EpollModify(FileDescription& epoll, int fd, const RefPtr<FileDescription>& target,
                         EpollEvent event);
Result<void> EpollRemove(FileDescription& epoll, int fd, const RefPtr<FileDescription>& target);
// What is ready now, at most |events.size()|, fair from call to call; 0 if nothing: then sleep for
// kReadable of |epoll|. |round| is zero for a first look; with what a call made of it the next one
// goes on where that ended, so that no event is told twice.
Result<size_t> EpollCollect(FileDescription& epoll, std::span<EpollEvent> events, uint64_t& round);

// Held while a thread sleeps for an epoll file in epoll_wait(2): of those that watch a file with
// EPOLLEXCLUSIVE, one with a sleeper is told.
class EpollSleeper {
 public:
  explicit EpollSleeper(FileDescription& epoll);

 private:
  const Port::Sleeper sleeper_;
};

// poll(2)'s view of signals: POLLIN and so on for what is set, and the signals that a wait for
// |events| watches.
uint32_t PollEventsOf(Signals signals);
Signals SignalsOfPollEvents(uint32_t events);

}  // namespace zrun::vfs
