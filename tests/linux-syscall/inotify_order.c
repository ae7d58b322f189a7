// inotify(7): which events come, and in which order: a file that goes when it is closed, links,
// truncation, times, reads of nothing, programs.
#include <sys/inotify.h>

#include "check.h"

static int fd;
static char buffer[8192] __attribute__((aligned(8)));

// All events since the last call, as "WATCH:MASK[:NAME] ".
static const char* Events(void) {
  static char text[1024];
  text[0] = 0;
  const ssize_t filled = read(fd, buffer, sizeof buffer);
  if (filled == -1) CHECK_EQ(errno, EAGAIN);
  for (ssize_t at = 0; at < filled;) {
    const struct inotify_event* event = (const struct inotify_event*)(buffer + at);
    const size_t used = strlen(text);
    snprintf(text + used, sizeof text - used, "%d:%x%s%s ", event->wd, event->mask,
             event->len ? ":" : "", event->len ? event->name : "");
    at += (ssize_t)(sizeof *event + event->len);
  }
  return text;
}

// |other|: the order before Linux 5.17.
static void ExpectEither(const char* wanted, const char* other) {
  const char* const events = Events();
  if (strcmp(events, other) != 0) CHECK_STR(events, wanted);
}

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "leave") == 0) return 0;
  TempDir();
  fd = (int)CHECK_OK(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  CHECK_OK(mkdir("d", 0755));
  CHECK_EQ(inotify_add_watch(fd, "d", IN_ALL_EVENTS), 1);

  // What is open goes when it is closed.
  WriteFile("d/f", "text");
  CHECK_EQ(inotify_add_watch(fd, "d/f", IN_ALL_EVENTS), 2);
  Events();
  int file = (int)CHECK_OK(open("d/f", O_RDONLY));
  CHECK_STR(Events(), "1:20:f 2:20 ");
  CHECK_OK(unlink("d/f"));
  CHECK_STR(Events(), "2:4 1:200:f ");
  close(file);
  CHECK_STR(Events(), "1:10:f 2:10 2:400 2:8000 ");

  // What nobody has open goes before its name does.
  WriteFile("d/f", "text");
  CHECK_EQ(inotify_add_watch(fd, "d/f", IN_ALL_EVENTS), 3);
  Events();
  CHECK_OK(unlink("d/f"));
  ExpectEither("3:4 3:400 3:8000 1:200:f ", "3:4 1:200:f 3:400 3:8000 ");
  CHECK_OK(mkdir("d/s", 0755));
  CHECK_EQ(inotify_add_watch(fd, "d/s", IN_ALL_EVENTS), 4);
  Events();
  CHECK_OK(rmdir("d/s"));
  ExpectEither("4:400 4:8000 1:40000200:s ", "1:40000200:s 4:400 4:8000 ");

  // A second name; one name of two; one that replaces another.
  WriteFile("d/f", "text");
  CHECK_EQ(inotify_add_watch(fd, "d/f", IN_ALL_EVENTS), 5);
  Events();
  CHECK_OK(link("d/f", "d/g"));
  CHECK_STR(Events(), "5:4 1:100:g ");
  CHECK_OK(unlink("d/g"));
  CHECK_STR(Events(), "5:4 1:200:g ");
  WriteFile("d/h", "");
  Events();
  CHECK_OK(rename("d/h", "d/f"));
  CHECK_STR(Events(), "1:40:h 1:80:f 5:4 5:400 5:8000 ");

  // Truncation comes after the open that does it; what moves no byte is no event.
  WriteFile("d/f", "text");
  CHECK_EQ(inotify_add_watch(fd, "d/f", IN_ALL_EVENTS), 6);
  Events();
  file = (int)CHECK_OK(open("d/f", O_RDWR | O_TRUNC));
  CHECK_STR(Events(), "1:20:f 6:20 1:2:f 6:2 ");
  char c;
  CHECK_EQ(read(file, &c, 1), 0);
  CHECK_EQ(read(file, &c, 0), 0);
  CHECK_EQ(write(file, &c, 0), 0);
  CHECK_STR(Events(), "");

  // One time is a read's or a write's; both are the file's attributes.
  struct timespec times[2] = {{1, 0}, {0, UTIME_OMIT}};
  CHECK_OK(futimens(file, times));
  CHECK_STR(Events(), "1:1:f 6:1 ");
  times[0].tv_nsec = UTIME_OMIT, times[1].tv_nsec = 0;
  CHECK_OK(futimens(file, times));
  CHECK_STR(Events(), "1:2:f 6:2 ");
  CHECK_OK(futimens(file, NULL));
  CHECK_STR(Events(), "1:4:f 6:4 ");
  close(file);
  Events();

  // A program is opened, read and closed.
  int from = (int)CHECK_OK(open("/proc/self/exe", O_RDONLY));
  int to = (int)CHECK_OK(open("d/program", O_WRONLY | O_CREAT, 0755));
  char chunk[65536];
  for (ssize_t n; (n = read(from, chunk, sizeof chunk)) > 0;)
    CHECK_EQ(write(to, chunk, (size_t)n), n);
  close(to);
  Events();
  IN_CHILD(execl("d/program", "program", "leave", NULL); FAIL("execl"));
  CHECK_STR(Events(), "1:20:program 1:1:program 1:10:program ");
  return 0;
}
