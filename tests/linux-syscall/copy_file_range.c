// copy_file_range(2): offsets, ends, overlap, holes, refused kinds.
#include <sys/sendfile.h>
#include <sys/utsname.h>

#include "check.h"

int main(void) {
  TempDir();
  WriteFile("in", "0123456789");
  int in = (int)CHECK_OK(open("in", O_RDWR));
  int out = (int)CHECK_OK(open("out", O_RDWR | O_CREAT, 0600));
  char text[64] = {0};
  CHECK_EQ(copy_file_range(in, NULL, out, NULL, 4, 0), 4);
  CHECK_EQ(lseek(in, 0, SEEK_CUR), 4);
  CHECK_EQ(lseek(out, 0, SEEK_CUR), 4);
  loff_t from = 8, to = 6;
  CHECK_EQ(copy_file_range(in, &from, out, &to, 100, 0), 2);
  CHECK_EQ(from, 10);
  CHECK_EQ(to, 8);
  CHECK_EQ(lseek(in, 0, SEEK_CUR), 4);
  CHECK_EQ(copy_file_range(in, &from, out, &to, 100, 0), 0);
  CHECK_EQ(pread(out, text, sizeof text, 0), 8);
  CHECK_MEM(text,
            "0123\0\08"
            "9",
            8);

  // Within one file: apart is fine, overlapping is not.
  from = 0, to = 10;
  CHECK_EQ(copy_file_range(in, &from, in, &to, 10, 0), 10);
  CHECK_EQ(pread(in, text, sizeof text, 0), 20);
  CHECK_MEM(text, "01234567890123456789", 20);
  from = 0, to = 5;
  CHECK_ERR(copy_file_range(in, &from, in, &to, 10, 0), EINVAL);

  enum { kBig = 500000 };
  int big = (int)CHECK_OK(open("big", O_RDWR | O_CREAT, 0600));
  CHECK_OK(ftruncate(big, kBig));
  CHECK_EQ(pwrite(big, "end", 3, kBig - 3), 3);
  int copy = (int)CHECK_OK(open("copy", O_RDWR | O_CREAT, 0600));
  long done = 0, n;
  while ((n = CHECK_OK(copy_file_range(big, NULL, copy, NULL, kBig, 0))) > 0) done += n;
  CHECK_EQ(done, kBig);
  CHECK_EQ(pread(copy, text, 3, kBig - 3), 3);
  CHECK_MEM(text, "end", 3);

  CHECK_ERR(copy_file_range(in, NULL, out, NULL, 1, 1), EINVAL);
  CHECK_ERR(copy_file_range(-1, NULL, out, NULL, 1, 0), EBADF);
  int reader = (int)CHECK_OK(open("in", O_RDONLY));
  CHECK_ERR(copy_file_range(out, NULL, reader, NULL, 1, 0), EBADF);
  int append = (int)CHECK_OK(open("out", O_WRONLY | O_APPEND));
  CHECK_ERR(copy_file_range(in, NULL, append, NULL, 1, 0), EBADF);
  int dir = (int)CHECK_OK(open(".", O_RDONLY));
  CHECK_ERR(copy_file_range(dir, NULL, out, NULL, 1, 0), EISDIR);
  // Their sizes say nothing, so it is not done (since Linux 5.19); copying by hand is.
  struct utsname kernel;
  CHECK_OK(uname(&kernel));
  int major = 0, minor = 0;
  CHECK_EQ(sscanf(kernel.release, "%d.%d", &major, &minor), 2);
  const bool refuses = major > 5 || (major == 5 && minor >= 19);
  static const char* const kTold[] = {"/proc/version", "/proc/meminfo", "/proc/sys/kernel/pid_max",
                                      "/proc/self/status", "/proc/self/mounts"};
  for (size_t i = 0; i < sizeof kTold / sizeof *kTold; i++) {
    int told = (int)CHECK_OK(open(kTold[i], O_RDONLY));
    if (refuses) CHECK_ERR(copy_file_range(told, NULL, out, NULL, 100, 0), EXDEV);
    CHECK_OK(ftruncate(out, 0));
    CHECK_OK(lseek(out, 0, SEEK_SET));
    const ssize_t sent = sendfile(out, told, NULL, 100);  // not on Linux from a process's files
    CHECK(sent > 0 || (sent == -1 && errno == EINVAL && strstr(kTold[i], "self/status")));
    if (sent > 0) CHECK_EQ(lseek(out, 0, SEEK_END), sent);
    close(told);
  }

  int ends[2];
  CHECK_OK(pipe(ends));
  CHECK_ERR(copy_file_range(ends[0], NULL, out, NULL, 1, 0), EINVAL);
  return 0;
}
