// RLIMIT_AS, RLIMIT_DATA and RLIMIT_STACK.
#include "proc.h"

static void LimitTo(int resource, rlim_t bytes) {
  struct rlimit limit;
  CHECK_OK(getrlimit((__rlimit_resource_t)resource, &limit));
  limit.rlim_cur = bytes;
  CHECK_OK(setrlimit((__rlimit_resource_t)resource, &limit));
}

static long Map(size_t size, int protection, int flags) {
  return (long)mmap(NULL, size, protection, flags | MAP_ANONYMOUS, -1, 0);
}

static __attribute__((noinline)) int Recurse(int depth) {
  volatile char frame[4096];
  frame[0] = (char)depth;
  return depth == 0 ? frame[0] : Recurse(depth - 1) + frame[0];
}

int main(void) {
  int rw = PROT_READ | PROT_WRITE;
  CHECK_OK(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}));
  IN_CHILD({
    LimitTo(RLIMIT_AS, 300 << 20);
    CHECK_OK(Map(100 << 20, PROT_NONE, MAP_PRIVATE));  // counts although nothing is used
    CHECK_ERR(Map(250 << 20, rw, MAP_PRIVATE), ENOMEM);
    CHECK_ERR(Map(250 << 20, rw, MAP_SHARED), ENOMEM);
    CHECK_ERR(Map(400 << 20, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE), ENOMEM);
    char* small = CHECK_MAP(Map(1 << 20, rw, MAP_PRIVATE));
    CHECK_ERR(mremap(small, 1 << 20, 280 << 20, MREMAP_MAYMOVE), ENOMEM);
    CHECK_OK(munmap(small, 1 << 20));
    errno = 0;
    CHECK(sbrk(290 << 20) == (void*)-1 && errno == ENOMEM);
    CHECK(malloc(400 << 20) == NULL);
  });
  IN_CHILD({
    LimitTo(RLIMIT_DATA, 64 << 20);
    CHECK_ERR(Map(100 << 20, rw, MAP_PRIVATE), ENOMEM);
    CHECK(sbrk(100 << 20) == (void*)-1);
    CHECK_OK(Map(100 << 20, PROT_READ, MAP_PRIVATE));  // not data
    CHECK_OK(Map(100 << 20, rw, MAP_SHARED));
  });
  // The stack grows to its limit as it is at that time, and no further.
  IN_CHILD({
    LimitTo(RLIMIT_STACK, 4 << 20);
    Recurse(500);
  });
  IN_CHILD_KILLED_BY(SIGSEGV, {
    LimitTo(RLIMIT_STACK, 1 << 20);
    Recurse(2000);
  });
  return 0;
}
