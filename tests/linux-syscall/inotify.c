// inotify(7): events of files and directories, moves with cookies, masks, removal, reading rules.
#include <poll.h>
#include <sys/inotify.h>

#include "check.h"

static char buffer[8192] __attribute__((aligned(8)));
static ssize_t filled, at;

// The next event, or NULL when there is none.
static struct inotify_event* Next(int fd) {
  if (at == filled) {
    at = 0;
    filled = read(fd, buffer, sizeof buffer);
    if (filled == -1) {
      CHECK_EQ(errno, EAGAIN);
      filled = 0;
      return NULL;
    }
  }
  struct inotify_event* event = (struct inotify_event*)(buffer + at);
  at += (ssize_t)(sizeof *event + event->len);
  CHECK(at <= filled);
  return event;
}

static uint32_t Expect(int fd, int watch, uint32_t mask, const char* name) {
  struct inotify_event* event = Next(fd);
  if (!event) FAIL("no event; wanted %x %s", mask, name);
  if (event->mask != mask)
    FAIL("event %x %s; wanted %x %s", event->mask, event->len ? event->name : "", mask, name);
  CHECK_EQ(event->wd, watch);
  CHECK_STR(event->len ? event->name : "", name);
  return event->cookie;
}

int main(void) {
  TempDir();
  int fd = (int)CHECK_OK(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  CHECK_OK(mkdir("d", 0755));
  int watch = (int)CHECK_OK(inotify_add_watch(fd, "d", IN_ALL_EVENTS));
  CHECK(!Next(fd));
  struct pollfd one = {fd, POLLIN, 0};
  CHECK_EQ(poll(&one, 1, 0), 0);
  int file = (int)CHECK_OK(open("d/f", O_RDWR | O_CREAT, 0600));
  CHECK_EQ(poll(&one, 1, 0), 1);
  Expect(fd, watch, IN_CREATE, "f");
  Expect(fd, watch, IN_OPEN, "f");
  CHECK_EQ(write(file, "x", 1), 1);
  Expect(fd, watch, IN_MODIFY, "f");
  char c;
  CHECK_EQ(pread(file, &c, 1, 0), 1);
  Expect(fd, watch, IN_ACCESS, "f");
  CHECK_OK(fchmod(file, 0644));
  Expect(fd, watch, IN_ATTRIB, "f");
  close(file);
  Expect(fd, watch, IN_CLOSE_WRITE, "f");
  close((int)CHECK_OK(open("d/f", O_RDONLY)));
  Expect(fd, watch, IN_OPEN, "f");
  Expect(fd, watch, IN_CLOSE_NOWRITE, "f");
  CHECK_OK(rename("d/f", "d/g"));
  uint32_t cookie = Expect(fd, watch, IN_MOVED_FROM, "f");
  CHECK(cookie != 0);
  CHECK_EQ(Expect(fd, watch, IN_MOVED_TO, "g"), cookie);
  CHECK_OK(mkdir("d/s", 0755));
  Expect(fd, watch, IN_CREATE | IN_ISDIR, "s");
  CHECK_OK(rmdir("d/s"));
  Expect(fd, watch, IN_DELETE | IN_ISDIR, "s");
  CHECK_OK(unlink("d/g"));
  Expect(fd, watch, IN_DELETE, "g");
  CHECK(!Next(fd));

  // The same directory again: the same watch, a new mask.
  CHECK_EQ(inotify_add_watch(fd, "./d", IN_DELETE), watch);
  WriteFile("d/f", "x");
  CHECK(!Next(fd));
  CHECK_EQ(inotify_add_watch(fd, "d", IN_CREATE | IN_MASK_ADD), watch);
  WriteFile("d/g", "x");
  Expect(fd, watch, IN_CREATE, "g");
  CHECK_OK(unlink("d/g"));
  Expect(fd, watch, IN_DELETE, "g");

  // A watch on the file itself; it ends with the file.
  int own = (int)CHECK_OK(inotify_add_watch(fd, "d/f", IN_DELETE_SELF | IN_ATTRIB | IN_MODIFY));
  CHECK(own != watch);
  WriteFile("d/f", "");  // truncation of what has contents
  Expect(fd, own, IN_MODIFY, "");
  CHECK_OK(unlink("d/f"));
  Expect(fd, own, IN_ATTRIB, "");
  struct inotify_event* event;
  bool self = false, parent = false, ignored = false;
  while ((event = Next(fd))) {
    self |= event->wd == own && event->mask == IN_DELETE_SELF;
    ignored |= event->wd == own && event->mask == IN_IGNORED;
    parent |= event->wd == watch && event->mask == IN_DELETE;
  }
  CHECK(self && parent && ignored);
  CHECK_ERR(inotify_rm_watch(fd, own), EINVAL);

  // One-shot and explicit removal.
  CHECK_OK(inotify_rm_watch(fd, watch));
  Expect(fd, watch, IN_IGNORED, "");
  watch = (int)CHECK_OK(inotify_add_watch(fd, "d", IN_CREATE | IN_ONESHOT | IN_ONLYDIR));
  WriteFile("d/1", "");
  WriteFile("d/2", "");
  Expect(fd, watch, IN_CREATE, "1");
  Expect(fd, watch, IN_IGNORED, "");
  CHECK(!Next(fd));

  CHECK_OK(inotify_add_watch(fd, "d", IN_CREATE));
  WriteFile("d/3", "");
  CHECK_ERR(read(fd, buffer, 8), EINVAL);  // no room for one event
  CHECK_ERR(inotify_add_watch(fd, "d/3", IN_CREATE | IN_ONLYDIR), ENOTDIR);
  CHECK_ERR(inotify_add_watch(fd, "missing", IN_CREATE), ENOENT);
  CHECK_ERR(inotify_add_watch(fd, "d", 0), EINVAL);
  CHECK_ERR(inotify_add_watch(-1, "d", IN_CREATE), EBADF);
  CHECK_ERR(inotify_add_watch(0, "d", IN_CREATE), EINVAL);
  CHECK_ERR(inotify_rm_watch(fd, 999), EINVAL);
  CHECK_ERR(inotify_init1(1), EINVAL);
  CHECK_ERR(write(fd, "x", 1), EBADF);
  return 0;
}
