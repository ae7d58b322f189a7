// The devices that every program expects in /dev.
#include <linux/random.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <termios.h>

#include "proc.h"

static int Open(const char* path, unsigned major_number, unsigned minor_number) {
  struct stat st;
  CHECK_OK(stat(path, &st));
  CHECK(S_ISCHR(st.st_mode));
  CHECK_EQ(st.st_rdev, makedev(major_number, minor_number));
  CHECK_EQ(st.st_mode & 0666, 0666);
  return (int)CHECK_OK(open(path, O_RDWR));
}

// A private mapping of /dev/zero is anonymous memory: as much as there are addresses.
static void TestZeroMapping(int zero) {
  const size_t size = (size_t)1 << 40;
  for (int i = 0; i < 3; i++) {
    char* map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, zero, 4096);
    CHECK(map != MAP_FAILED);
    CHECK_EQ(map[size - 1], 0);
    map[size / 2] = 1;
  }
  char* shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, zero, 0);
  char* other = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, zero, 0);
  CHECK(shared != MAP_FAILED && other != MAP_FAILED);
  shared[0] = 1;
  CHECK_EQ(other[0], 0);
}

// random(4)'s requests: anyone may ask, who changes something needs CAP_SYS_ADMIN.
static void TestRandomRequests(const char* path) {
  const int random = (int)CHECK_OK(open(path, O_RDONLY));
  int bits = -1, negative = -1;
  CHECK_OK(ioctl(random, RNDGETENTCNT, &bits));
  CHECK(bits >= 0);
  CHECK_ERR(ioctl(random, RNDGETENTCNT, BAD_POINTER), EFAULT);
  struct termios settings;
  CHECK_ERR(tcgetattr(random, &settings), EINVAL);
  IN_CHILD({
    BecomeNobody();
    CHECK_ERR(ioctl(random, RNDADDTOENTCNT, &negative), EPERM);
    CHECK_ERR(ioctl(random, RNDADDENTROPY, BAD_POINTER), EPERM);
    CHECK_ERR(ioctl(random, RNDCLEARPOOL, 0), EPERM);
    CHECK_ERR(ioctl(random, RNDRESEEDCRNG, 0), EPERM);
  });
  if (IsRoot()) {
    CHECK_ERR(ioctl(random, RNDADDTOENTCNT, &negative), EINVAL);
    CHECK_ERR(ioctl(random, RNDADDTOENTCNT, BAD_POINTER), EFAULT);
    struct {
      struct rand_pool_info info;
      char bytes[8];
    } entropy = {{0, 8}, "entropy"};
    CHECK_OK(ioctl(random, RNDADDENTROPY, &entropy));
    entropy.info.entropy_count = -1;
    CHECK_ERR(ioctl(random, RNDADDENTROPY, &entropy), EINVAL);
    CHECK_OK(ioctl(random, RNDZAPENTCNT, 0));
  }
  close(random);
}

int main(void) {
  char a[64], b[64] = {0}, zeroes[64] = {0};
  int null = Open("/dev/null", 1, 3);
  CHECK_EQ(write(null, a, 64), 64);
  CHECK_EQ(read(null, a, 64), 0);
  CHECK_EQ(lseek(null, 1000, SEEK_SET) >= 0, 1);
  CHECK(ftruncate(null, 0) == -1 && errno == EINVAL);
  close((int)CHECK_OK(open("/dev/null", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600)));

  int zero = Open("/dev/zero", 1, 5);
  memset(a, 1, 64);
  CHECK_EQ(read(zero, a, 64), 64);
  CHECK_MEM(a, zeroes, 64);
  CHECK_EQ(write(zero, a, 64), 64);
  TestZeroMapping(zero);

  int full = Open("/dev/full", 1, 7);
  memset(a, 1, 64);
  CHECK_EQ(read(full, a, 64), 64);
  CHECK_MEM(a, zeroes, 64);
  CHECK_ERR(write(full, a, 64), ENOSPC);
  CHECK_ERR(write(full, a, 0), ENOSPC);  // not even nothing

  int random = Open("/dev/urandom", 1, 9);
  CHECK_EQ(read(random, a, 64), 64);
  CHECK_EQ(read(random, b, 64), 64);
  CHECK(memcmp(a, b, 64) != 0 && memcmp(a, zeroes, 64) != 0);
  CHECK_EQ(write(random, "seed", 4), 4);
  random = Open("/dev/random", 1, 8);
  CHECK_EQ(read(random, a, 64), 64);
  CHECK(memcmp(a, b, 64) != 0);
  TestRandomRequests("/dev/random");
  TestRandomRequests("/dev/urandom");
  CHECK_ERR(ioctl(null, RNDGETENTCNT, a), ENOTTY);

  struct stat st;
  CHECK_OK(stat("/dev/ptmx", &st));
  CHECK(S_ISCHR(st.st_mode));
  CHECK_OK(stat("/dev/tty", &st));
  CHECK_EQ(st.st_rdev, makedev(5, 0));
  CHECK_OK(stat("/dev/pts", &st));
  CHECK(S_ISDIR(st.st_mode));
  CHECK_OK(stat("/dev/shm", &st));
  CHECK_EQ(st.st_mode, S_IFDIR | 01777);
  char target[64] = {0};
  CHECK_OK(readlink("/dev/fd", target, sizeof target - 1));
  CHECK_STR(target, "/proc/self/fd");
  return 0;
}
