// open(2): access modes, O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_DIRECTORY, O_NOFOLLOW, O_PATH,
// O_TMPFILE.
#include "check.h"

static void TestAccessModes(void) {
  WriteFile("file", "abc");
  char c;
  int fd = (int)CHECK_OK(open("file", O_RDONLY));
  CHECK_OK(read(fd, &c, 1));
  CHECK_ERR(write(fd, "x", 1), EBADF);
  close(fd);
  fd = (int)CHECK_OK(open("file", O_WRONLY));
  CHECK_ERR(read(fd, &c, 1), EBADF);
  CHECK_EQ(write(fd, "x", 1), 1);
  close(fd);
  fd = (int)CHECK_OK(open("file", O_RDWR));
  CHECK_EQ(read(fd, &c, 1), 1);
  CHECK_EQ(c, 'x');
  CHECK_EQ(write(fd, "y", 1), 1);
  CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
  close(fd);
  fd = (int)CHECK_OK(open("file", 3));  // neither reading nor writing: only for ioctl
  CHECK_ERR(read(fd, &c, 1), EBADF);
  CHECK_ERR(write(fd, &c, 1), EBADF);
  close(fd);
}

static void TestCreate(void) {
  CHECK_ERR(open("new", O_RDONLY), ENOENT);
  int fd = (int)CHECK_OK(open("new", O_RDONLY | O_CREAT, 0600));
  close(fd);
  CHECK_ERR(open("new", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
  CHECK_OK(symlink("nowhere", "dangling"));
  CHECK_ERR(open("dangling", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
  fd = (int)CHECK_OK(open("dangling", O_RDWR | O_CREAT, 0600));  // follows: makes "nowhere"
  close(fd);
  CHECK_OK(access("nowhere", F_OK));
  // The mode is only for later opens: this descriptor may write.
  fd = (int)CHECK_OK(open("readonly", O_RDWR | O_CREAT, 0400));
  CHECK_EQ(write(fd, "x", 1), 1);
  struct stat st;
  CHECK_OK(fstat(fd, &st));
  CHECK_EQ(st.st_mode, S_IFREG | 0400);
  close(fd);
}

static void TestTruncateAppend(void) {
  WriteFile("t", "0123456789");
  int fd = (int)CHECK_OK(open("t", O_WRONLY | O_TRUNC));
  CHECK_EQ(lseek(fd, 0, SEEK_END), 0);
  close(fd);
  WriteFile("a", "head");
  fd = (int)CHECK_OK(open("a", O_RDWR | O_APPEND));
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
  CHECK_EQ(write(fd, "tail", 4), 4);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 8);
  CHECK_EQ(lseek(fd, 1, SEEK_SET), 1);
  CHECK_EQ(write(fd, "!", 1), 1);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 9);
  char text[16] = {0};
  CHECK_EQ(pread(fd, text, 15, 0), 9);
  CHECK_STR(text, "headtail!");
  close(fd);
}

static void TestDirectories(void) {
  CHECK_OK(mkdir("dir", 0755));
  CHECK_ERR(open("dir", O_WRONLY), EISDIR);
  CHECK_ERR(open("dir", O_RDWR), EISDIR);
  CHECK_ERR(open("dir", O_RDONLY | O_CREAT, 0600), EISDIR);
  CHECK_ERR(open("file", O_RDONLY | O_DIRECTORY), ENOTDIR);
  CHECK_ERR(open("file/", O_RDONLY), ENOTDIR);
  CHECK_ERR(open("file/x", O_RDONLY), ENOTDIR);
  CHECK_ERR(open("fresh/", O_RDWR | O_CREAT, 0600), EISDIR);
  CHECK_ERR(open("", O_RDONLY), ENOENT);
  int fd = (int)CHECK_OK(open("dir", O_RDONLY | O_DIRECTORY));
  char c;
  CHECK_ERR(read(fd, &c, 1), EISDIR);
  CHECK_ERR(write(fd, &c, 1), EBADF);
  close(fd);
}

static void TestNoFollow(void) {
  CHECK_OK(symlink("file", "link"));
  CHECK_OK(symlink("dir", "dirlink"));
  CHECK_ERR(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
  CHECK_ERR(open("dirlink", O_RDONLY | O_NOFOLLOW | O_DIRECTORY), ENOTDIR);
  close((int)CHECK_OK(open("dirlink/.", O_RDONLY | O_NOFOLLOW)));
  close((int)CHECK_OK(open("dirlink/", O_RDONLY | O_NOFOLLOW)));  // the slash follows
}

static void TestPath(void) {
  int fd = (int)CHECK_OK(open("file", O_PATH));
  char c;
  CHECK_ERR(read(fd, &c, 1), EBADF);
  CHECK_ERR(write(fd, &c, 1), EBADF);
  CHECK_ERR(lseek(fd, 0, SEEK_SET), EBADF);
  CHECK_ERR(fchmod(fd, 0600), EBADF);
  CHECK_ERR(fsync(fd), EBADF);
  CHECK_ERR(mmap(NULL, 1, PROT_READ, MAP_PRIVATE, fd, 0), EBADF);
  CHECK_EQ(fcntl(fd, F_GETFL), O_PATH | (fcntl(fd, F_GETFL) & 0100000));  // O_LARGEFILE may show
  struct stat st;
  CHECK_OK(fstat(fd, &st));
  CHECK(S_ISREG(st.st_mode));
  close(fd);
  fd = (int)CHECK_OK(open("link", O_PATH | O_NOFOLLOW));
  CHECK_OK(fstat(fd, &st));
  CHECK(S_ISLNK(st.st_mode));
  close(fd);
}

static void TestTmpFile(void) {
  CHECK_ERR(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
  int fd = open(".", O_TMPFILE | O_RDWR, 0600);
  if (fd < 0) {  // not every file system has it
    CHECK(errno == EOPNOTSUPP);
    return;
  }
  struct stat st;
  CHECK_OK(fstat(fd, &st));
  CHECK_EQ(st.st_nlink, 0);
  CHECK_EQ(write(fd, "x", 1), 1);
  close(fd);
}

int main(void) {
  umask(022);
  TempDir();
  TestAccessModes();
  TestCreate();
  TestTruncateAppend();
  TestDirectories();
  TestNoFollow();
  TestPath();
  TestTmpFile();
  return 0;
}
