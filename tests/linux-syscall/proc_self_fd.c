// /proc/self/fd: names of all kinds, opening anew, /dev/fd and /dev/stdin, directory contents.
#include <dirent.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "check.h"

static char target[PATH_MAX];
static const char* Target(int fd) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  ssize_t n = CHECK_OK(readlink(path, target, sizeof target - 1));
  target[n] = 0;
  return target;
}

int main(void) {
  const char* home = realpath(TempDir(), NULL);
  char wanted[PATH_MAX], path[64], text[8];
  WriteFile("f", "0123");
  int fd = (int)CHECK_OK(open("./f", O_RDONLY));
  snprintf(wanted, sizeof wanted, "%s/f", home);
  CHECK_STR(Target(fd), wanted);
  CHECK_OK(rename("f", "g"));
  snprintf(wanted, sizeof wanted, "%s/g", home);
  CHECK_STR(Target(fd), wanted);
  CHECK_OK(unlink("g"));
  snprintf(wanted, sizeof wanted, "%s/g (deleted)", home);
  CHECK_STR(Target(fd), wanted);

  // Opening gives a new description, even of a file without a name, with the rights of the file.
  CHECK_EQ(read(fd, text, 2), 2);
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  int again = (int)CHECK_OK(open(path, O_RDWR));
  CHECK_EQ(read(again, text, 8), 4);
  CHECK_EQ(write(again, "4", 1), 1);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 2);
  snprintf(path, sizeof path, "/dev/fd/%d", fd);
  close((int)CHECK_OK(open(path, O_RDONLY)));
  struct stat st, other;
  CHECK_OK(stat(path, &st));
  CHECK_OK(fstat(fd, &other));
  CHECK_EQ(st.st_ino, other.st_ino);
  CHECK_OK(lstat(path, &st));
  CHECK(S_ISLNK(st.st_mode));

  int ends[2];
  CHECK_OK(pipe(ends));
  CHECK_OK(fstat(ends[0], &st));
  snprintf(wanted, sizeof wanted, "pipe:[%lu]", (unsigned long)st.st_ino);
  CHECK_STR(Target(ends[0]), wanted);
  CHECK_STR(Target(ends[1]), wanted);
  snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
  int writer = (int)CHECK_OK(open(path, O_WRONLY));  // the other end of it
  CHECK_EQ(write(writer, "p", 1), 1);
  CHECK_EQ(read(ends[0], text, 1), 1);
  CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  CHECK_OK(fstat(ends[0], &st));
  CHECK(S_ISSOCK(st.st_mode));
  snprintf(wanted, sizeof wanted, "socket:[%lu]", (unsigned long)st.st_ino);
  CHECK_STR(Target(ends[0]), wanted);
  snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
  CHECK_ERR(open(path, O_RDWR), ENXIO);
  CHECK_STR(Target((int)CHECK_OK(eventfd(0, 0))), "anon_inode:[eventfd]");
  CHECK_STR(Target((int)CHECK_OK(epoll_create1(0))), "anon_inode:[eventpoll]");
  CHECK_STR(Target((int)CHECK_OK(open("/dev/null", O_RDONLY))), "/dev/null");

  // The directory names what is open, and nothing else.
  CHECK_EQ(dup2(fd, 77), 77);
  DIR* dir = opendir("/proc/self/fd");
  CHECK(dir);
  bool found = false;
  struct dirent* entry;
  while ((entry = readdir(dir))) {
    if (entry->d_name[0] == '.') continue;
    CHECK_OK(fcntl(atoi(entry->d_name), F_GETFD));
    found |= strcmp(entry->d_name, "77") == 0;
  }
  CHECK(found);
  closedir(dir);
  CHECK_ERR(open("/proc/self/fd/999", O_RDONLY), ENOENT);
  CHECK_ERR(open("/proc/self/fd/x", O_RDONLY), ENOENT);
  CHECK_EQ(dup2(fd, 0), 0);
  close((int)CHECK_OK(open("/dev/stdin", O_RDONLY)));
  return 0;
}
