// semget(2), semop(2), semtimedop(2), semctl(2): System V semaphores, with SEM_UNDO.
#include <sys/ipc.h>
#include <sys/sem.h>

#include "proc.h"

union semun {
  int val;
  struct semid_ds* buf;
  unsigned short* array;
  struct seminfo* info;
};

static int id;
static void Remove(void) { semctl(id, 0, IPC_RMID); }

static int Op(int number, int change, int flags) {
  struct sembuf op = {(unsigned short)number, (short)change, (short)flags};
  return semop(id, &op, 1);
}
static int Value(int number) { return (int)CHECK_OK(semctl(id, number, GETVAL)); }
static void Set(int number, int value) {
  CHECK_OK(semctl(id, number, SETVAL, (union semun){.val = value}));
}

static void OnSignal(int number) { (void)number; }

static void Basics(void) {
  struct semid_ds ds;
  CHECK_OK(semctl(id, 0, IPC_STAT, (union semun){.buf = &ds}));
  CHECK_EQ(ds.sem_nsems, 3);
  CHECK_EQ(ds.sem_otime, 0);
  CHECK(ds.sem_ctime > 1600000000);
  CHECK_EQ(ds.sem_perm.mode & 0777, 0600);
  for (int i = 0; i < 3; i++) CHECK_EQ(Value(i), 0);
  CHECK_EQ(semctl(id, 0, GETPID), 0);
  CHECK_OK(Op(0, 5, 0));
  CHECK_EQ(Value(0), 5);
  CHECK_EQ(semctl(id, 0, GETPID), getpid());
  CHECK_OK(Op(0, -3, 0));
  CHECK_EQ(Value(0), 2);
  CHECK_ERR(Op(0, -3, IPC_NOWAIT), EAGAIN);
  CHECK_ERR(Op(0, 0, IPC_NOWAIT), EAGAIN);
  CHECK_OK(Op(1, 0, 0));
  CHECK_OK(semctl(id, 0, IPC_STAT, (union semun){.buf = &ds}));
  CHECK(ds.sem_otime > 1600000000);
  unsigned short values[3] = {7, 8, 9}, got[3];
  CHECK_OK(semctl(id, 0, SETALL, (union semun){.array = values}));
  CHECK_OK(semctl(id, 0, GETALL, (union semun){.array = got}));
  CHECK_MEM(got, values, sizeof got);
  Set(0, 0);
  Set(1, 0);
  Set(2, 0);

  // All or none.
  struct sembuf both[2] = {{0, 1, 0}, {1, -1, IPC_NOWAIT}};
  CHECK_ERR(semop(id, both, 2), EAGAIN);
  CHECK_EQ(Value(0), 0);
  struct sembuf same[3] = {{0, 2, 0}, {0, -1, 0}, {0, -1, 0}};
  CHECK_OK(semop(id, same, 3));
  CHECK_EQ(Value(0), 0);
}

static void Errors(void) {
  CHECK_ERR(Op(3, 1, 0), EFBIG);
  CHECK_ERR(semop(id, NULL, 0), EINVAL);
  CHECK_ERR(semop(-1, &(struct sembuf){0, 0, 0}, 1), EINVAL);
  CHECK_ERR(semop(id, BAD_POINTER, 1), EFAULT);
  static struct sembuf many[501];
  CHECK_ERR(semop(id, many, 501), E2BIG);
  CHECK_ERR(semctl(id, 3, GETVAL), EINVAL);
  CHECK_ERR(semctl(id, 0, SETVAL, (union semun){.val = 32768}), ERANGE);
  CHECK_ERR(semctl(id, 0, SETVAL, (union semun){.val = -1}), ERANGE);
  Set(0, 32767);
  CHECK_ERR(Op(0, 1, 0), ERANGE);
  Set(0, 0);
  CHECK_ERR(semctl(id, 0, 99), EINVAL);
  CHECK_ERR(semget(IPC_PRIVATE, 0, 0600), EINVAL);
  CHECK_ERR(semget(IPC_PRIVATE, -1, 0600), EINVAL);
  key_t key = (key_t)(0x5b000000 | (getpid() & 0xffffff));
  CHECK_ERR(semget(key, 1, 0600), ENOENT);
  int keyed = (int)CHECK_OK(semget(key, 2, IPC_CREAT | 0600));
  CHECK_ERR(semget(key, 2, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
  CHECK_EQ(semget(key, 1, 0), keyed);
  CHECK_ERR(semget(key, 3, 0), EINVAL);
  if (IsRoot()) {
    IN_CHILD({
      BecomeNobody();
      CHECK_ERR(semget(key, 1, 0600), EACCES);
      CHECK_ERR(semop(keyed, &(struct sembuf){0, 1, 0}, 1), EACCES);
      CHECK_ERR(semctl(keyed, 0, GETVAL), EACCES);
      CHECK_ERR(semctl(keyed, 0, IPC_RMID), EPERM);
    });
  }
  CHECK_OK(semctl(keyed, 0, IPC_RMID));
}

static void Waiting(void) {
  struct timespec soon = {0, 20000000}, bad = {0, 1000000000};
  struct sembuf down = {0, -1, 0};
  int64_t start = NowNs(CLOCK_MONOTONIC);
  CHECK_ERR(semtimedop(id, &down, 1, &soon), EAGAIN);
  CHECK(NowNs(CLOCK_MONOTONIC) - start >= 20000000);
  CHECK_ERR(semtimedop(id, &down, 1, &bad), EINVAL);

  pid_t pid = Fork();
  if (pid == 0) {
    CHECK_OK(Op(0, -2, 0));
    _exit(0);
  }
  CHECK(EVENTUALLY(semctl(id, 0, GETNCNT) == 1));
  CHECK_OK(Op(0, 1, 0));  // not enough
  CHECK_EQ(semctl(id, 0, GETNCNT), 1);
  CHECK_OK(Op(0, 1, 0));
  WAIT_EXIT(pid, 0);
  CHECK_EQ(Value(0), 0);
  CHECK_EQ(semctl(id, 0, GETPID), pid);

  CHECK_OK(Op(0, 1, 0));
  pid = Fork();
  if (pid == 0) {
    CHECK_OK(Op(0, 0, 0));
    _exit(0);
  }
  CHECK(EVENTUALLY(semctl(id, 0, GETZCNT) == 1));
  CHECK_OK(Op(0, -1, 0));
  WAIT_EXIT(pid, 0);

  // A signal ends it, whatever its action says.
  pid = Fork();
  if (pid == 0) {
    Handle(SIGUSR1, OnSignal, SA_RESTART);
    CHECK_ERR(Op(0, -1, 0), EINTR);
    _exit(0);
  }
  CHECK(EVENTUALLY(semctl(id, 0, GETNCNT) == 1));
  CHECK_OK(kill(pid, SIGUSR1));
  WAIT_EXIT(pid, 0);
  CHECK_EQ(semctl(id, 0, GETNCNT), 0);
}

static void Undo(void) {
  Set(0, 3);
  Set(1, 0);
  pid_t pid = Fork();
  if (pid == 0) {
    CHECK_OK(Op(0, -2, SEM_UNDO));
    CHECK_OK(Op(1, 4, SEM_UNDO));
    CHECK_OK(Op(1, 1, 0));
    _exit(0);
  }
  WAIT_EXIT(pid, 0);
  CHECK_EQ(Value(0), 3);
  CHECK_EQ(Value(1), 1);
  CHECK_EQ(semctl(id, 0, GETPID), pid);

  // It wakes who waits, also when the process is killed; setting a value forgets it.
  Set(0, 1);
  pid = Fork();
  if (pid == 0) {
    CHECK_OK(Op(0, -1, SEM_UNDO));
    CHECK_OK(Op(2, 1, 0));
    for (;;) pause();
  }
  CHECK_OK(Op(2, -1, 0));
  CHECK_EQ(Value(0), 0);
  CHECK_OK(kill(pid, SIGKILL));
  CHECK_OK(Op(0, -1, 0));
  WAIT_SIGNAL(pid, SIGKILL);
  Set(0, 0);
  pid = Fork();
  if (pid == 0) {
    CHECK_OK(Op(0, 1, SEM_UNDO));
    Set(0, 5);
    _exit(0);
  }
  WAIT_EXIT(pid, 0);
  CHECK_EQ(Value(0), 5);
  Set(0, 0);
}

int main(void) {
  id = (int)CHECK_OK(semget(IPC_PRIVATE, 3, 0600));
  atexit(Remove);
  Basics();
  Errors();
  Waiting();
  Undo();
  struct seminfo info;
  int highest = (int)CHECK_OK(semctl(0, 0, IPC_INFO, (union semun){.info = &info}));
  CHECK(info.semvmx == 32767 && info.semopm >= 32);
  bool seen = false;
  struct semid_ds ds;
  for (int i = 0; i <= highest; i++)
    seen |= semctl(i, 0, SEM_STAT, (union semun){.buf = &ds}) == id;
  CHECK(seen);

  // Removed under a sleeper.
  pid_t pid = Fork();
  if (pid == 0) {
    CHECK_ERR(Op(0, -1, 0), EIDRM);
    _exit(0);
  }
  CHECK(EVENTUALLY(semctl(id, 0, GETNCNT) == 1));
  CHECK_OK(semctl(id, 0, IPC_RMID));
  WAIT_EXIT(pid, 0);
  errno = 0;
  CHECK_EQ(Op(0, 1, 0), -1);
  CHECK(errno == EINVAL || errno == EIDRM);
  return 0;
}
