// getrandom(2): flags, lengths, different bytes each time and in each process.
#include <sys/random.h>

#include "proc.h"

int main(void) {
  unsigned char a[256], b[256];
  memset(a, 0, sizeof a);
  CHECK_EQ(getrandom(a, sizeof a, 0), sizeof a);
  CHECK_EQ(getrandom(b, sizeof b, GRND_NONBLOCK), sizeof b);
  CHECK(memcmp(a, b, sizeof a) != 0);
  CHECK_EQ(getrandom(b, 16, 4 /* GRND_INSECURE */), 16);
  CHECK_EQ(getrandom(b, 0, 0), 0);
  ssize_t got = getrandom(b, 16, GRND_RANDOM | GRND_NONBLOCK);
  CHECK(got > 0 || errno == EAGAIN);
  CHECK_ERR(getrandom(b, 16, 0x100), EINVAL);
  CHECK_ERR(getrandom(b, 16, GRND_RANDOM | 4), EINVAL);
  CHECK_ERR(syscall(SYS_getrandom, BAD_POINTER, 16, 0), EFAULT);

  // All positions get filled, also in large requests.
  static unsigned char big[100000], seen[100000];
  for (int i = 0; i < 4; i++) {
    CHECK_EQ(getrandom(big, sizeof big, 0), sizeof big);
    for (size_t j = 0; j < sizeof big; j++) seen[j] |= big[j] != 0;
  }
  size_t missing = 0;
  for (size_t j = 0; j < sizeof seen; j++) missing += !seen[j];
  CHECK(missing < 5);

  unsigned char* shared = SharedPage();
  CHECK_EQ(getrandom(a, 32, 0), 32);
  IN_CHILD(CHECK_EQ(getrandom(shared, 32, 0), 32));
  IN_CHILD(CHECK_EQ(getrandom(shared + 32, 32, 0), 32));
  CHECK(memcmp(shared, shared + 32, 32) != 0);
  CHECK(memcmp(shared, a, 32) != 0);
  return 0;
}
