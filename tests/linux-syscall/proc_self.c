// /proc/self: cmdline, environ, exe, cwd, root, comm, statm, fd, fdinfo, task, and who /proc/self
// is.
#include <dirent.h>

#include "proc.h"

static void ReadLink(const char* path, char* text, size_t room) {
  ssize_t n = (ssize_t)CHECK_OK(readlink(path, text, room - 1));
  text[n] = 0;
}

static void* InThread(void* arg) {
  char text[64], wanted[64];
  ReadLink("/proc/thread-self", text, sizeof text);
  snprintf(wanted, sizeof wanted, "%d/task/%d", (int)getpid(), (int)Gettid());
  CHECK_STR(text, wanted);
  return arg;
}

int main(int argc, char** argv) {
  static char text[65536];
  char number[64];
  if (argc == 1) {
    execve("/proc/self/exe", (char*[]){argv[0], "two words", "", NULL},
           (char*[]){"A=1", "B=two", NULL});
    FAIL("execve");
  }
  // Everything between the NULs, the empty argument too.
  size_t length = ReadText("/proc/self/cmdline", text, sizeof text);
  CHECK_EQ(length, strlen(argv[0]) + 1 + 10 + 1);
  CHECK_STR(text, argv[0]);
  CHECK_MEM(text + strlen(argv[0]) + 1, "two words\0\0", 11);
  length = ReadText("/proc/self/environ", text, sizeof text);
  CHECK_EQ(length, 10);
  CHECK_MEM(text, "A=1\0B=two\0", 10);

  ReadLink("/proc/self", text, sizeof text);
  snprintf(number, sizeof number, "%d", (int)getpid());
  CHECK_STR(text, number);
  JoinThread(StartThread(InThread, NULL));
  IN_CHILD({
    ReadLink("/proc/self", text, sizeof text);
    CHECK_EQ(atoi(text), getpid());
  });

  ReadLink("/proc/self/exe", text, sizeof text);
  CHECK(text[0] == '/');
  CHECK_STR(strrchr(text, '/'), "/proc_self");
  struct stat one, two;
  CHECK_OK(stat("/proc/self/exe", &one));
  CHECK(S_ISREG(one.st_mode));
  CHECK_OK(lstat("/proc/self/exe", &two));
  CHECK(S_ISLNK(two.st_mode));

  const char* home = TempDir();
  ReadLink("/proc/self/cwd", text, sizeof text);
  CHECK_STR(text, home);
  ReadLink("/proc/self/root", text, sizeof text);
  CHECK_STR(text, "/");
  WriteFile("file", "0123456789");
  CHECK_OK(stat("/proc/self/cwd/file", &one));
  CHECK_EQ(one.st_size, 10);

  // Descriptors: links to what they are, and opening one anew.
  int fd = (int)CHECK_OK(open("file", O_RDWR | O_APPEND | O_CLOEXEC));
  CHECK_EQ(lseek(fd, 3, SEEK_SET), 3);
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  ReadLink(path, text, sizeof text);
  CHECK(strncmp(text, home, strlen(home)) == 0);
  CHECK_STR(text + strlen(home), "/file");
  CHECK_OK(stat(path, &two));
  CHECK_EQ(one.st_ino, two.st_ino);
  int again = (int)CHECK_OK(open(path, O_RDONLY));
  CHECK_EQ(lseek(again, 0, SEEK_CUR), 0);  // an open file of its own
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  ReadText(path, text, sizeof text);
  CHECK(strncmp(text, "pos:\t3\n", 7) == 0);
  unsigned flags = 0;
  CHECK_EQ(sscanf(strstr(text, "flags:"), "flags:\t%o", &flags), 1);
  CHECK_EQ(flags & (O_APPEND | O_ACCMODE), O_APPEND | O_RDWR);
  CHECK(flags & O_CLOEXEC);
  CHECK_OK(unlink("file"));
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  ReadLink(path, text, sizeof text);
  CHECK_STR(text + strlen(home), "/file (deleted)");
  CHECK_OK(open(path, O_RDONLY));  // still opens

  int ends[2];
  CHECK_OK(pipe(ends));
  snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
  ReadLink(path, text, sizeof text);
  CHECK(strncmp(text, "pipe:[", 6) == 0);

  bool seen_fd = false, seen_pipe = false;
  DIR* dir = opendir("/proc/self/fd");
  CHECK(dir != NULL);
  for (struct dirent* entry; (entry = readdir(dir));) {
    seen_fd |= atoi(entry->d_name) == fd && entry->d_name[0] != '.';
    seen_pipe |= atoi(entry->d_name) == ends[0] && entry->d_name[0] != '.';
  }
  closedir(dir);
  CHECK(seen_fd && seen_pipe);
  CHECK_ERR(open("/proc/self/fd/999", O_RDONLY), ENOENT);
  CHECK_ERR(open("/proc/self/fd/x", O_RDONLY), ENOENT);

  long pages[7];
  ReadText("/proc/self/statm", text, sizeof text);
  CHECK_EQ(sscanf(text, "%ld %ld %ld %ld %ld %ld %ld", &pages[0], &pages[1], &pages[2], &pages[3],
                  &pages[4], &pages[5], &pages[6]),
           7);
  CHECK(pages[0] >= pages[1] && pages[1] > 0);

  // The names of processes, here ours among them; none for numbers that are not there.
  bool seen = false;
  dir = opendir("/proc");
  CHECK(dir != NULL);
  for (struct dirent* entry; (entry = readdir(dir));) seen |= atoi(entry->d_name) == getpid();
  closedir(dir);
  CHECK(seen);
  CHECK_ERR(open("/proc/1073741823/stat", O_RDONLY), ENOENT);
  CHECK_ERR(open("/proc/nothing", O_RDONLY), ENOENT);
  CHECK_ERR(open("/proc/new", O_WRONLY | O_CREAT, 0644), ENOENT);
  return 0;
}
