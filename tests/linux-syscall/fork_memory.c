// fork(2): the child has a copy of all private memory, taken at the call; shared memory stays
// shared.
#include "proc.h"

static int data = 1;
static int zero;
static _Thread_local int local = 2;

int main(void) {
  size_t page = PageSize(), size = 64 * page;
  int stack = 3;
  int* heap = malloc(sizeof *heap);
  CHECK(heap != NULL);
  *heap = 4;
  char* private =
      CHECK_MAP(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  memset(private, 'p', size);
  char* read_only =
      CHECK_MAP(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  strcpy(read_only, "constant");
  CHECK_OK(mprotect(read_only, page, PROT_READ));
  atomic_int* shared = SharedPage();
  int go[2], done[2];
  CHECK_OK(pipe(go));
  CHECK_OK(pipe(done));
  pid_t parent = getpid();
  char byte = 0;

  pid_t pid = Fork();
  if (pid == 0) {
    CHECK_EQ(getppid(), parent);
    CHECK(getpid() != parent);
    CHECK_EQ(Gettid(), getpid());
    CHECK_EQ(read(go[0], &byte, 1), 1);  // the parent has changed everything by now
    CHECK_EQ(data, 1);
    CHECK_EQ(zero, 0);
    CHECK_EQ(local, 2);
    CHECK_EQ(stack, 3);
    CHECK_EQ(*heap, 4);
    for (size_t i = 0; i < size; i += page) CHECK_EQ(private[i], 'p');
    CHECK_STR(read_only, "constant");
    CHECK_EQ(*shared, 7);
    data = zero = local = stack = *heap = 50;
    for (size_t i = 1; i < size; i += page) private[i] = 'c';
    *shared = 8;
    CHECK_EQ(write(done[1], &byte, 1), 1);
    _exit(0);
  }
  data = zero = local = stack = *heap = 40;
  for (size_t i = 0; i < size; i += page) private[i] = 'q';
  CHECK_OK(mprotect(read_only, page, PROT_READ | PROT_WRITE));
  strcpy(read_only, "changed");
  *shared = 7;
  CHECK_EQ(write(go[1], &byte, 1), 1);
  CHECK_EQ(read(done[0], &byte, 1), 1);
  CHECK_EQ(data, 40);
  CHECK_EQ(zero, 40);
  CHECK_EQ(local, 40);
  CHECK_EQ(stack, 40);
  CHECK_EQ(*heap, 40);
  for (size_t i = 0; i < size; i += page) {
    CHECK_EQ(private[i], 'q');
    CHECK_EQ(private[i + 1], 'p');
  }
  CHECK_EQ(*shared, 8);
  WAIT_EXIT(pid, 0);

  // Mapping and unmapping in a child leaves the parent's address space alone.
  IN_CHILD({
    CHECK_OK(munmap(private, size));
    CHECK_OK(mprotect(read_only, page, PROT_NONE));
    CHECK(sbrk(1 << 16) != (void*)-1);
  });
  CHECK_EQ(private[page], 'q');
  CHECK_STR(read_only, "changed");

  // MADV_DONTFORK leaves a range out, MADV_WIPEONFORK gives zeros.
  CHECK_OK(madvise(private, page, MADV_DONTFORK));
  IN_CHILD(CHECK_ERR(mprotect(private, page, PROT_READ), ENOMEM));
#ifdef MADV_WIPEONFORK
  if (madvise(private + page, page, MADV_WIPEONFORK) == 0) {
    IN_CHILD(CHECK_EQ(private[page], 0));
    CHECK_EQ(private[page], 'q');
  }
#endif
  return 0;
}
