// RLIMIT_AS and RLIMIT_DATA: ENOMEM from mmap, mremap and fork's children alike.
#include <sys/resource.h>

#include "check.h"

int main(void) {
  size_t size = (size_t)256 << 20;
  IN_CHILD({
    struct rlimit limit = {size, size};
    CHECK_OK(setrlimit(RLIMIT_AS, &limit));
    CHECK_ERR(mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    char* half =
        CHECK_MAP(mmap(NULL, size / 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    CHECK_ERR(mmap(NULL, size / 2, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    CHECK_ERR(mremap(half, size / 2, size, MREMAP_MAYMOVE), ENOMEM);
    CHECK_OK(munmap(half, size / 2));
    half =
        CHECK_MAP(mmap(NULL, size / 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    IN_CHILD(
        CHECK_ERR(mmap(NULL, size / 2, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM));
  });
  IN_CHILD({
    struct rlimit limit = {size, size};
    CHECK_OK(setrlimit(RLIMIT_DATA, &limit));
    // Private and writable counts; reservations do not.
    CHECK_ERR(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    CHECK_OK(mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  });
  return 0;
}
