// epoll_ctl(2) takes files that can be waited for and no others; epoll_wait(2) gives as many events
// as there is room for.
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "check.h"

enum { kMany = 700 };

static void CheckAdd(const char* path, bool can_wait) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;  // not everybody's, not everywhere
  int ep = (int)CHECK_OK(epoll_create1(0));
  struct epoll_event event = {.events = EPOLLIN};
  errno = 0;
  int result = epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event);
  if (can_wait ? result != 0 : result != -1 || errno != EPERM)
    FAIL("epoll_ctl of %s gave %d", path, result);
  if (can_wait) CHECK_EQ(epoll_wait(ep, &event, 1, 0), 1);
  // The file is looked at before what should be an epoll.
  event.events = EPOLLIN;
  CHECK_ERR(epoll_ctl(fd, EPOLL_CTL_ADD, fd, &event), can_wait ? EINVAL : EPERM);
  close(ep);
  close(fd);
}

int main(void) {
  TempDir();
  WriteFile("file", "text");
  static const char* const kNever[] = {"file",
                                       ".",
                                       "/proc",
                                       "/proc/self/stat",
                                       "/proc/self/maps",
                                       "/proc/self/status",
                                       "/proc/self/task",
                                       "/proc/self/cmdline",
                                       "/proc/self/limits",
                                       "/proc/self/mem",
                                       "/dev/null",
                                       "/dev/zero",
                                       "/dev/full",
                                       "/sys"};
  static const char* const kAlways[] = {
      "/proc/version", "/proc/self/mounts",         "/proc/self/mountinfo", "/proc/meminfo",
      "/proc/uptime",  "/proc/sys/kernel/hostname", "/proc/net/unix",       "/proc/filesystems"};
  for (size_t i = 0; i < sizeof kNever / sizeof *kNever; i++) CheckAdd(kNever[i], false);
  for (size_t i = 0; i < sizeof kAlways / sizeof *kAlways; i++) CheckAdd(kAlways[i], true);
  int memfd = (int)CHECK_OK(memfd_create("m", 0));
  int ep = (int)CHECK_OK(epoll_create1(0));
  struct epoll_event event = {.events = EPOLLIN};
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, memfd, &event), EPERM);

  // All at once, each once; and again, since they stay ready.
  static int fds[kMany];
  for (int i = 0; i < kMany; i++) {
    fds[i] = (int)CHECK_OK(eventfd(1, 0));
    event = (struct epoll_event){.events = i % 2 ? EPOLLIN : EPOLLIN | EPOLLET,
                                 .data.u32 = (uint32_t)i};
    CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &event));
  }
  static struct epoll_event events[kMany + 1];
  static int seen[kMany];
  CHECK_EQ(epoll_wait(ep, events, kMany + 1, 0), kMany);
  for (int i = 0; i < kMany; i++) seen[events[i].data.u32]++;
  for (int i = 0; i < kMany; i++) CHECK_EQ(seen[i], 1);
  CHECK_EQ(epoll_wait(ep, events, 40, 0), 40);
  CHECK_EQ(epoll_wait(ep, events, kMany + 1, 0), kMany / 2);
  return 0;
}
