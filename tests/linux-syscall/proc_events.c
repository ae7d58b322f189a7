// Files of /proc as those that change: inotify(7) on them, and poll(2) for a change of mounts and
// names. Only root can make those.
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mount.h>

#include "proc.h"

static int watcher;

static void CheckEvents(const uint32_t* wanted, size_t count) {
  char buffer[4096] __attribute__((aligned(8)));
  const ssize_t filled = read(watcher, buffer, sizeof buffer);
  if (filled == -1) CHECK_EQ(errno, EAGAIN);
  size_t seen = 0;
  for (ssize_t at = 0; at < filled; seen++) {
    const struct inotify_event* event = (const struct inotify_event*)(buffer + at);
    if (seen < count) CHECK_EQ(event->mask, wanted[seen]);
    at += (ssize_t)(sizeof *event + event->len);
  }
  CHECK_EQ(seen, count);
}

static void CheckInotify(const char* path, bool directory) {
  char buffer[64];
  const int watch = (int)CHECK_OK(inotify_add_watch(watcher, path, IN_ALL_EVENTS));
  CHECK_EQ(inotify_add_watch(watcher, path, IN_ALL_EVENTS), watch);
  const int file = (int)CHECK_OK(open(path, O_RDONLY));
  if (directory) {
    CHECK(syscall(SYS_getdents64, file, buffer, sizeof buffer) > 0);
  } else {
    CHECK(read(file, buffer, sizeof buffer) > 0);
  }
  close(file);
  const uint32_t of_file[] = {IN_OPEN, IN_ACCESS, IN_CLOSE_NOWRITE};
  const uint32_t of_directory[] = {IN_OPEN | IN_ISDIR, IN_ACCESS | IN_ISDIR,
                                   IN_CLOSE_NOWRITE | IN_ISDIR};
  CheckEvents(directory ? of_directory : of_file, 3);
  CHECK_OK(inotify_rm_watch(watcher, watch));
  const uint32_t ignored[] = {IN_IGNORED};
  CheckEvents(ignored, 1);
}

static short Poll(int fd) {
  struct pollfd item = {.fd = fd, .events = POLLIN | POLLPRI};
  CHECK_OK(poll(&item, 1, 0));
  return item.revents;
}

static void CheckMounts(const char* path) {
  const int file = (int)CHECK_OK(open(path, O_RDONLY));
  const int poller = (int)CHECK_OK(epoll_create1(0));
  struct epoll_event event = {.events = EPOLLPRI};
  CHECK_OK(epoll_ctl(poller, EPOLL_CTL_ADD, file, &event));
  CHECK_EQ(epoll_wait(poller, &event, 1, 0), 0);
  CHECK_EQ(Poll(file), POLLIN);

  // Each change is told once to each open file.
  CHECK_OK(mount("t", "d", "tmpfs", 0, "size=64k,mode=750"));
  const int late = (int)CHECK_OK(open(path, O_RDONLY));
  CHECK_EQ(Poll(file), POLLIN | POLLPRI | POLLERR);
  CHECK_EQ(Poll(file), POLLIN);
  CHECK_EQ(Poll(late), POLLIN);
  CHECK_OK(mount(NULL, "d", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
  CHECK_EQ(epoll_wait(poller, &event, 1, 0), 1);
  CHECK_EQ(event.events, EPOLLPRI | EPOLLERR);
  CHECK_EQ(epoll_wait(poller, &event, 1, 0), 0);
  CHECK_OK(umount("d"));
  CHECK_EQ(Poll(file), POLLIN | POLLPRI | POLLERR);
  CHECK_EQ(Poll(late), POLLIN | POLLPRI | POLLERR);

  // Somebody who sleeps is woken.
  pid_t child = (pid_t)CHECK_OK(fork());
  if (child == 0) {
    struct pollfd item = {.fd = file, .events = POLLPRI};
    CHECK_EQ(poll(&item, 1, 20000), 1);
    CHECK_EQ(item.revents, POLLPRI | POLLERR);
    _exit(0);
  }
  LetBlock(child);
  CHECK_OK(mount("t", "d", "tmpfs", 0, NULL));
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  CHECK_OK(umount("d"));
  close(late);
  close(poller);
  close(file);
}

static void CheckOptions(void) {
  static char text[65536];
  CHECK_OK(mount("t", "d", "tmpfs", 0, "size=64k,nr_inodes=100,mode=750,uid=7,gid=8"));
  ReadText("/proc/self/mounts", text, sizeof text);
  CHECK(strstr(text, ",size=64k,nr_inodes=100,mode=750,uid=7,gid=8"));
  ReadText("/proc/self/mountinfo", text, sizeof text);
  CHECK(strstr(text, " - tmpfs t rw,size=64k,nr_inodes=100,mode=750,uid=7,gid=8"));
  CHECK_OK(umount("d"));
}

static void CheckName(const char* path, int (*set)(const char*, size_t)) {
  char name[65] = "";
  ReadText(path, name, sizeof name);
  name[strcspn(name, "\n")] = 0;
  const int file = (int)CHECK_OK(open(path, O_RDONLY));
  CHECK_EQ(Poll(file) & (POLLPRI | POLLERR), 0);
  CHECK_OK(set(name, strlen(name)));
  CHECK_EQ(Poll(file) & (POLLPRI | POLLERR), POLLPRI | POLLERR);
  CHECK_EQ(Poll(file) & (POLLPRI | POLLERR), 0);
  close(file);
}

int main(void) {
  TempDir();
  CHECK_OK(mkdir("d", 0755));
  watcher = (int)CHECK_OK(inotify_init1(IN_NONBLOCK));
  CheckInotify("/proc/self/stat", false);
  CheckInotify("/proc/version", false);
  CheckInotify("/proc/sys/kernel/ostype", false);
  CheckInotify("/proc/sys/kernel", true);
  CheckInotify("/sys/devices/system/cpu/online", false);

  // What was told to be open is told to be closed: pipes with names, and devices.
  CHECK_OK(mkfifo("p", 0600));
  CHECK_EQ(CHECK_OK(inotify_add_watch(watcher, "p", IN_ALL_EVENTS)) > 0, 1);
  int pipe = (int)CHECK_OK(open("p", O_RDWR));
  CHECK_EQ(write(pipe, "x", 1), 1);
  close(pipe);
  const uint32_t of_pipe[] = {IN_OPEN, IN_MODIFY, IN_CLOSE_WRITE};
  CheckEvents(of_pipe, 3);

  // A mapping keeps its file open.
  WriteFile("f", "text");
  CHECK_EQ(CHECK_OK(inotify_add_watch(watcher, "f", IN_CLOSE)) > 0, 1);
  int file = (int)CHECK_OK(open("f", O_RDWR));
  char* map = CHECK_MAP(mmap(NULL, 4, PROT_READ, MAP_SHARED, file, 0));
  close(file);
  CheckEvents(NULL, 0);
  CHECK_OK(munmap(map, 4));
  const uint32_t of_file[] = {IN_CLOSE_WRITE};
  CheckEvents(of_file, 1);

  // Changes are made out of sight of the rest of the machine.
  if (!IsRoot()) return 0;
  CheckName("/proc/sys/kernel/hostname", sethostname);
  CheckName("/proc/sys/kernel/domainname", setdomainname);
  if (unshare(CLONE_NEWNS) == 0) CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  CheckMounts("/proc/self/mounts");
  CheckMounts("/proc/self/mountinfo");
  CheckOptions();
  return 0;
}
