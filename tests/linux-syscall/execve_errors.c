// execve(2): what cannot be run, and that a failed call leaves the caller whole.
#include "proc.h"

static char* args[] = {"x", NULL};

static long Exec(const char* path) { return syscall(SYS_execve, path, args, NULL); }

static void Put(const char* name, const void* bytes, size_t size, mode_t mode) {
  int fd = (int)CHECK_OK(open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700));
  CHECK_EQ(write(fd, bytes, size), size);
  CHECK_OK(fchmod(fd, mode));
  close(fd);
}

int main(void) {
  TempDir();
  CHECK_ERR(Exec("missing"), ENOENT);
  CHECK_ERR(Exec(""), ENOENT);
  CHECK_ERR(Exec("/proc/self/exe/x"), ENOTDIR);
  CHECK_ERR(Exec("."), EACCES);
  CHECK_ERR(Exec("/dev/null"), EACCES);
  CHECK_ERR(Exec(BAD_POINTER), EFAULT);
  CHECK_ERR(syscall(SYS_execve, "/proc/self/exe", BAD_POINTER, NULL), EFAULT);
  CHECK_ERR(syscall(SYS_execve, "/proc/self/exe", args, BAD_POINTER), EFAULT);
  char* bad[] = {"x", BAD_POINTER, NULL};
  CHECK_ERR(syscall(SYS_execve, "/proc/self/exe", bad, NULL), EFAULT);
  char name[300];
  memset(name, 'n', sizeof name - 1);
  name[sizeof name - 1] = 0;
  CHECK_ERR(Exec(name), ENAMETOOLONG);
  CHECK_OK(symlink("loop", "loop"));
  CHECK_ERR(Exec("loop"), ELOOP);

  Put("plain",
      "\x7f"
      "ELF but not executable",
      20, 0644);
  CHECK_ERR(Exec("plain"), EACCES);  // not even for root
  Put("empty", "", 0, 0755);
  CHECK_ERR(Exec("empty"), ENOEXEC);
  Put("text", "echo a shell would run this\n", 28, 0755);
  CHECK_ERR(Exec("text"), ENOEXEC);
  Put("short",
      "\x7f"
      "ELF\2\1\1",
      7, 0755);
  CHECK_ERR(Exec("short"), ENOEXEC);

  // A copy of this program with one thing broken at a time.
  int fd = (int)CHECK_OK(open("/proc/self/exe", O_RDONLY));
  static unsigned char head[4096], broken[4096];
  CHECK_EQ(read(fd, head, sizeof head), sizeof head);
  close(fd);
  static const struct {
    int offset, value;
  } faults[] = {
      {16, 1},    // a relocatable object
      {16, 4},    // a core file
      {18, 250},  // another processor
      {54, 9},    // a program header of another size
      {56, 0},    // no program headers
  };
  for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
    memcpy(broken, head, sizeof head);
    broken[faults[i].offset] = (unsigned char)faults[i].value;
    if (faults[i].offset == 56) broken[57] = 0;
    Put("broken", broken, sizeof broken, 0755);
    CHECK_ERR(Exec("broken"), ENOEXEC);
  }

  if (IsRoot()) {
    CHECK_OK(chmod(".", 0777));
    Put("owner", "#!/bin/sh\n", 10, 0700);
    CHECK_OK(mkdir("closed", 0700));
    Put("closed/x", "#!/bin/sh\n", 10, 0755);
    IN_CHILD({
      BecomeNobody();
      CHECK_ERR(Exec("owner"), EACCES);
      CHECK_ERR(Exec("closed/x"), EACCES);
    });
  }
  return 0;
}
