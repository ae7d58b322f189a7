#pragma once
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
// |epoll| is none or is |target|; EEXIST, ENOENT, EPERM (regular files and directories), ELOOP.
Result<void> EpollAdd(FileDescription& epoll, int fd, const RefPtr<FileDescription>& target,
                      EpollEvent event);
Result<void> EpollModify(FileDescription& epoll, int fd, const RefPtr<FileDescription>& target,
                         EpollEvent event);
Result<void> EpollRemove(FileDescription& epoll, int fd, const RefPtr<FileDescription>& target);
// What is ready now, at most |events.size()|, fair from call to call; 0 if nothing: then sleep for
// kReadable of |epoll|.
Result<size_t> EpollCollect(FileDescription& epoll, std::span<EpollEvent> events);

// poll(2)'s view of signals: POLLIN and so on for what is set, and the signals that a wait for
// |events| watches.
uint32_t PollEventsOf(Signals signals);
Signals SignalsOfPollEvents(uint32_t events);

}  // namespace zrun::vfs
