// shmget(2), shmat(2), shmdt(2), shmctl(2): System V shared memory.
#include <sys/ipc.h>
#include <sys/shm.h>

#include "check.h"

static int id;
static void Remove(void) { shmctl(id, IPC_RMID, NULL); }

static struct shmid_ds Stat(void) {
  struct shmid_ds out;
  CHECK_OK(shmctl(id, IPC_STAT, &out));
  return out;
}

static bool InProc(int wanted) {
  FILE* file = fopen("/proc/sysvipc/shm", "r");
  CHECK(file != NULL);
  char line[512];
  bool found = false;
  CHECK(fgets(line, sizeof line, file) && strstr(line, "shmid"));
  while (fgets(line, sizeof line, file)) {
    int key, number;
    CHECK_EQ(sscanf(line, "%d %d", &key, &number), 2);
    found |= number == wanted;
  }
  fclose(file);
  return found;
}

int main(void) {
  size_t page = PageSize();
  id = (int)CHECK_OK(shmget(IPC_PRIVATE, page + 100, 0600));
  atexit(Remove);
  struct shmid_ds ds = Stat();
  CHECK_EQ(ds.shm_segsz, page + 100);
  CHECK_EQ(ds.shm_nattch, 0);
  CHECK_EQ(ds.shm_perm.mode & 0777, 0600);
  CHECK_EQ(ds.shm_perm.uid, geteuid());
  CHECK_EQ(ds.shm_cpid, getpid());
  CHECK_EQ(ds.shm_lpid, 0);
  CHECK_EQ(ds.shm_atime, 0);
  CHECK(ds.shm_ctime > 1600000000);
  CHECK(InProc(id));

  // Attached twice: the same memory, also for a child.
  char* a = CHECK_MAP(shmat(id, NULL, 0));
  char* b = CHECK_MAP(shmat(id, NULL, SHM_RDONLY));
  CHECK(a != b);
  strcpy(a, "shared");
  CHECK_STR(b, "shared");
  strcpy(a + page + 50, "tail");  // pages are whole
  ds = Stat();
  CHECK_EQ(ds.shm_nattch, 2);
  CHECK_EQ(ds.shm_lpid, getpid());
  CHECK(ds.shm_atime > 1600000000);
  CHECK_EQ(ds.shm_dtime, 0);
  CHECK_ERR(mprotect(b, page, PROT_READ | PROT_WRITE), EACCES);
  IN_CHILD({
    CHECK_EQ(Stat().shm_nattch, 4);
    strcpy(a, "child's");
    CHECK_OK(shmdt(b));
    CHECK_EQ(Stat().shm_nattch, 3);
  });
  CHECK_STR(b, "child's");
  CHECK(EVENTUALLY(Stat().shm_nattch == 2));
  CHECK_OK(shmdt(b));
  CHECK_ERR(shmdt(b), EINVAL);
  CHECK_ERR(shmdt(a + 1), EINVAL);
  ds = Stat();
  CHECK_EQ(ds.shm_nattch, 1);
  CHECK(ds.shm_dtime > 1600000000);

  // Addresses.
  char* room = CHECK_MAP(mmap(NULL, 8 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  CHECK_ERR((intptr_t)shmat(id, room + 1, 0), EINVAL);
  CHECK_ERR((intptr_t)shmat(id, room, 0), EINVAL);  // something is there
  CHECK_ERR((intptr_t)shmat(id, NULL, SHM_REMAP), EINVAL);
  CHECK(shmat(id, room + 1, SHM_RND | SHM_REMAP) == room);
  CHECK_STR(room, "child's");
  CHECK_OK(munmap(room + page, page));  // a part may go before
  CHECK_OK(shmdt(room));
  unsigned char in[1];
  CHECK_ERR(mincore(room, page, in), ENOMEM);
  CHECK_OK(munmap(room, 8 * page));
  CHECK_ERR((intptr_t)shmat(0x7ffffff, NULL, 0), EINVAL);
  CHECK_ERR((intptr_t)shmat(-1, NULL, 0), EINVAL);

  // Keys.
  key_t key = (key_t)(0x5a000000 | (getpid() & 0xffffff));
  CHECK_ERR(shmget(key, 100, 0600), ENOENT);
  int keyed = (int)CHECK_OK(shmget(key, 100, IPC_CREAT | IPC_EXCL | 0640));
  CHECK_ERR(shmget(key, 100, IPC_CREAT | IPC_EXCL | 0640), EEXIST);
  CHECK_EQ(shmget(key, 100, IPC_CREAT | 0640), keyed);
  CHECK_EQ(shmget(key, 0, 0), keyed);
  CHECK_ERR(shmget(key, 5000, 0), EINVAL);  // larger than it is
  CHECK_ERR(shmget(IPC_PRIVATE, 0, 0600), EINVAL);
  if (IsRoot()) {
    IN_CHILD({
      BecomeNobody();
      CHECK_ERR(shmget(key, 0, 0600), EACCES);
      CHECK_ERR((intptr_t)shmat(keyed, NULL, SHM_RDONLY), EACCES);
      CHECK_ERR(shmctl(keyed, IPC_STAT, &ds), EACCES);
      CHECK_ERR(shmctl(keyed, IPC_RMID, NULL), EPERM);
    });
  }
  ds.shm_perm.uid = geteuid();
  ds.shm_perm.gid = getegid();
  ds.shm_perm.mode = 0666;
  CHECK_OK(shmctl(keyed, IPC_SET, &ds));
  CHECK_OK(shmctl(keyed, IPC_STAT, &ds));
  CHECK_EQ(ds.shm_perm.mode & 0777, 0666);
  CHECK_EQ(ds.shm_perm.__key, key);

  // The kernel's list.
  struct shminfo info;
  int highest = (int)CHECK_OK(shmctl(0, IPC_INFO, (struct shmid_ds*)&info));
  CHECK(info.shmmni >= 1 && info.shmmin == 1);
  bool seen = false;
  for (int i = 0; i <= highest; i++) seen |= shmctl(i, SHM_STAT, &ds) == keyed;
  CHECK(seen);
  CHECK_OK(shmctl(keyed, IPC_RMID, NULL));
  CHECK_ERR(shmget(key, 0, 0), ENOENT);
  errno = 0;
  CHECK_EQ(shmctl(keyed, IPC_STAT, &ds), -1);
  CHECK(errno == EINVAL || errno == EIDRM);

  // Removed while attached: it goes with the last one.
  CHECK_OK(shmctl(id, IPC_RMID, NULL));
  ds = Stat();
  CHECK(ds.shm_perm.mode & SHM_DEST);
  CHECK_EQ(ds.shm_nattch, 1);
  char* again = CHECK_MAP(shmat(id, NULL, 0));
  CHECK_STR(again, "child's");
  CHECK_OK(shmdt(again));
  CHECK_OK(shmdt(a));
  errno = 0;
  CHECK_EQ(shmctl(id, IPC_STAT, &ds), -1);
  CHECK(errno == EINVAL || errno == EIDRM);
  CHECK(!InProc(id));

  // Left by a child that just ends, after its removal.
  id = (int)CHECK_OK(shmget(IPC_PRIVATE, page, 0600));
  IN_CHILD({
    char* p = CHECK_MAP(shmat(id, NULL, 0));
    p[0] = 1;
    CHECK_OK(shmctl(id, IPC_RMID, NULL));
    CHECK_EQ(Stat().shm_nattch, 1);
  });
  CHECK(EVENTUALLY(!InProc(id)));
  CHECK_ERR(shmctl(0, 99, &ds), EINVAL);
  return 0;
}
