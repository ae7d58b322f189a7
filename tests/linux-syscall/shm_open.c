// POSIX shared memory and named semaphores: files in /dev/shm, shared by unrelated mappings.
#include <semaphore.h>

#include "check.h"

int main(void) {
  char name[64];
  snprintf(name, sizeof name, "/zrun-test-%d", (int)getpid());
  int fd = (int)CHECK_OK(shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600));
  CHECK_ERR(shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
  size_t page = PageSize();
  CHECK_OK(ftruncate(fd, (off_t)page));
  char* a = CHECK_MAP(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  close(fd);
  IN_CHILD({
    int own = (int)CHECK_OK(shm_open(name, O_RDWR, 0));
    char* b = CHECK_MAP(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, own, 0));
    memcpy(b, "from the child", 14);
  });
  CHECK_MEM(a, "from the child", 14);
  CHECK_OK(shm_unlink(name));
  CHECK_ERR(shm_open(name, O_RDWR, 0), ENOENT);
  CHECK_MEM(a, "from the child", 14);

  sem_t* semaphore = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
  CHECK(semaphore != SEM_FAILED);
  CHECK_OK(sem_unlink(name));
  pid_t pid = Fork();
  if (pid == 0) {
    for (int i = 0; i < 3; i++) CHECK_OK(sem_wait(semaphore));
    _exit(0);
  }
  LetBlock(pid);
  for (int i = 0; i < 3; i++) CHECK_OK(sem_post(semaphore));
  WAIT_EXIT(pid, 0);
  CHECK_ERR(sem_trywait(semaphore), EAGAIN);
  return 0;
}
