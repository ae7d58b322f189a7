// Shared futexes between processes: anonymous and file memory, at different addresses, ping-pong, a
// dying waiter.
#include <linux/futex.h>

#include "proc.h"

static void Await(uint32_t* word, uint32_t wanted) {
  for (;;) {
    uint32_t now = __atomic_load_n(word, __ATOMIC_SEQ_CST);
    if (now == wanted) return;
    long result = Futex(word, FUTEX_WAIT, now, NULL, NULL, 0);
    CHECK(result == 0 || errno == EAGAIN || errno == EINTR);
  }
}
static void Post(uint32_t* word, uint32_t value) {
  __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
  CHECK_OK(Futex(word, FUTEX_WAKE, 1, NULL, NULL, 0));
}

static void PingPong(uint32_t* mine, uint32_t* theirs) {
  pid_t pid = Fork();
  if (pid == 0) {
    for (uint32_t i = 0; i < 500; i++) {
      Await(theirs, 2 * i + 1);
      Post(theirs, 2 * i + 2);
    }
    _exit(0);
  }
  for (uint32_t i = 0; i < 500; i++) {
    Post(mine, 2 * i + 1);
    Await(mine, 2 * i + 2);
  }
  WAIT_EXIT(pid, 0);
}

int main(void) {
  size_t page = PageSize();
  uint32_t* shared = SharedPage();
  PingPong(shared, shared);

  // Two mappings of one file: the same futex at two addresses.
  TempDir();
  int fd = (int)CHECK_OK(open("file", O_RDWR | O_CREAT, 0644));
  CHECK_OK(ftruncate(fd, (off_t)(2 * page)));
  uint32_t* one =
      (void*)CHECK_MAP(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)page));
  uint32_t* two = (void*)CHECK_MAP(mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  PingPong(one + 5, (uint32_t*)((char*)two + page) + 5);

  // The same offset of another file is another futex; private memory after fork is each one's own.
  int other_fd = (int)CHECK_OK(open("other", O_RDWR | O_CREAT, 0644));
  CHECK_OK(ftruncate(other_fd, (off_t)page));
  uint32_t* other =
      (void*)CHECK_MAP(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, other_fd, 0));
  static uint32_t private_word;
  pid_t pid = Fork();
  if (pid == 0) {
    struct timespec time = {5, 0};
    CHECK_OK(Futex(&shared[100], FUTEX_WAIT, 0, &time, NULL, 0));
    CHECK_ERR(Futex(&private_word, FUTEX_WAIT, 0, &(struct timespec){0, 30000000}, NULL, 0),
              ETIMEDOUT);
    _exit(0);
  }
  CHECK(EVENTUALLY(Futex(&shared[100], FUTEX_WAKE, 5, NULL, NULL, 0) == 1));
  for (int i = 0; i < 20; i++) {
    CHECK_EQ(Futex(&private_word, FUTEX_WAKE, 5, NULL, NULL, 0), 0);
    CHECK_EQ(Futex(other, FUTEX_WAKE, 5, NULL, NULL, 0), 0);
    Nap(1);
  }
  WAIT_EXIT(pid, 0);

  // A waiter that is killed is no longer there to be woken.
  pid = Fork();
  if (pid == 0) {
    Futex(&shared[200], FUTEX_WAIT, 0, NULL, NULL, 0);
    _exit(1);
  }
  LetBlock(pid);
  CHECK_OK(kill(pid, SIGKILL));
  WAIT_SIGNAL(pid, SIGKILL);
  CHECK_EQ(Futex(&shared[200], FUTEX_WAKE, 5, NULL, NULL, 0), 0);

  // A process-shared mutex and condition variable of the C library.
  struct {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int turn;
  }* sync = (void*)(shared + 512);
  pthread_mutexattr_t mutex_attr;
  pthread_condattr_t cond_attr;
  pthread_mutexattr_init(&mutex_attr);
  pthread_mutexattr_setpshared(&mutex_attr, PTHREAD_PROCESS_SHARED);
  pthread_condattr_init(&cond_attr);
  pthread_condattr_setpshared(&cond_attr, PTHREAD_PROCESS_SHARED);
  CHECK_EQ(pthread_mutex_init(&sync->mutex, &mutex_attr), 0);
  CHECK_EQ(pthread_cond_init(&sync->cond, &cond_attr), 0);
  pid = Fork();
  for (int i = 0; i < 200; i++) {
    CHECK_EQ(pthread_mutex_lock(&sync->mutex), 0);
    while (sync->turn % 2 != (pid == 0)) CHECK_EQ(pthread_cond_wait(&sync->cond, &sync->mutex), 0);
    sync->turn++;
    CHECK_EQ(pthread_cond_broadcast(&sync->cond), 0);
    CHECK_EQ(pthread_mutex_unlock(&sync->mutex), 0);
  }
  if (pid == 0) _exit(0);
  WAIT_EXIT(pid, 0);
  CHECK_EQ(sync->turn, 400);

  // The page of a shared word must be there and readable; a private word's address is enough.
  char* closed = CHECK_MAP(mmap(NULL, PageSize(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  CHECK_ERR(Futex(closed, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
  CHECK_ERR(Futex(closed, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
  CHECK_EQ(Futex(closed, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0), 0);
  TempDir();
  int cut = (int)CHECK_OK(open("cut", O_RDWR | O_CREAT, 0600));
  CHECK_OK(ftruncate(cut, (off_t)page));
  char* file = CHECK_MAP(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, cut, 0));
  CHECK_EQ(Futex(file, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
  CHECK_OK(ftruncate(cut, 0));
  CHECK_ERR(Futex(file, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
  CHECK_ERR(Futex(file, FUTEX_REQUEUE, 1, (void*)1, closed, 0), EFAULT);
  return 0;
}
