// listmount(2) and statmount(2): what is mounted, by numbers that no other mount ever has.
#include <sys/vfs.h>

#include "proc.h"

#ifndef SYS_statmount
#define SYS_statmount 457
#define SYS_listmount 458
#endif

enum { kUniqueId = 0x4000, kRoot = 8, kPoint = 0x10, kType = 0x20 };

struct Request {
  uint32_t size, spare;
  uint64_t mount, parameter, name_space;
};
struct Facts {
  uint32_t size, options;
  uint64_t mask;
  uint32_t device_major, device_minor;
  uint64_t magic;
  uint32_t fs_flags, fs_type;
  uint64_t id, parent;
  uint32_t old_id, old_parent;
  uint64_t attributes, propagation, peer_group, master, propagate_from;
  uint32_t root, point;
  uint64_t spare[50];
  char text[];
};

static struct Request Asking(uint64_t mount, uint64_t parameter) {
  return (struct Request){sizeof(struct Request), 0, mount, parameter, 0};
}
static long List(struct Request request, uint64_t* ids, size_t count, unsigned flags) {
  return syscall(SYS_listmount, &request, ids, count, flags);
}
static long Stat(struct Request request, void* buffer, size_t size, unsigned flags) {
  return syscall(SYS_statmount, &request, buffer, size, flags);
}

static uint64_t MountOf(const char* path, unsigned mask) {
  struct statx facts;
  CHECK_OK(statx(AT_FDCWD, path, 0, mask, &facts));
  if (!(facts.stx_mask & mask & kUniqueId)) return facts.stx_mask & 0x1000 ? facts.stx_mnt_id : 0;
  return facts.stx_mnt_id;
}

static void CheckList(uint64_t root, uint64_t proc) {
  uint64_t ids[512], backwards[512];
  const long count = CHECK_OK(List(Asking(UINT64_MAX, 0), ids, 512, 0));
  bool has_root = false, has_proc = false;
  for (long i = 0; i < count; i++) {
    has_root |= ids[i] == root;
    has_proc |= ids[i] == proc;
    CHECK(i == 0 || ids[i] > ids[i - 1]);
  }
  CHECK(has_root && has_proc);
  CHECK_EQ(List(Asking(UINT64_MAX, 0), ids, 1, 0), 1);
  CHECK_EQ(List(Asking(UINT64_MAX, ids[0]), ids + 1, 511, 0), count - 1);
  CHECK_EQ(List(Asking(proc, 0), ids, 512, 0), 0);
  CHECK(List(Asking(root, 0), ids, 512, 0) >= 1);
  if (List(Asking(UINT64_MAX, 0), backwards, 1, 1) == 1)  // since Linux 6.11
    CHECK(count == 1 || backwards[0] != ids[0]);
  CHECK_EQ(List(Asking(UINT64_MAX, 0), NULL, 0, 0), 0);
  CHECK_ERR(List(Asking(UINT64_MAX, 0), BAD_POINTER, 4, 0), EFAULT);
  CHECK_ERR(List(Asking(UINT64_MAX, 0), ids, 512, 2), EINVAL);
  CHECK_ERR(List(Asking((uint64_t)1 << 40, 0), ids, 512, 0), ENOENT);
  CHECK_ERR(syscall(SYS_listmount, BAD_POINTER, ids, 512, 0), EFAULT);
  struct Request request = Asking(UINT64_MAX, 0);
  request.size = 23;
  CHECK_ERR(List(request, ids, 512, 0), EINVAL);
  request.size = 24;
  CHECK_EQ(List(request, ids, 512, 0), count);
  request.size = 8192;
  CHECK_ERR(List(request, ids, 512, 0), E2BIG);
}

static void CheckFacts(uint64_t root, uint64_t proc) {
  struct {
    struct Facts facts;
    char text[256];
  } got;
  CHECK_OK(Stat(Asking(proc, 1 | 2 | kRoot | kPoint | kType), &got, sizeof got, 0));
  const struct Facts* facts = &got.facts;
  CHECK_EQ(facts->mask, 1 | 2 | kRoot | kPoint | kType);
  CHECK_STR(facts->text + facts->fs_type, "proc");
  CHECK_STR(facts->text + facts->root, "/");
  CHECK_STR(facts->text + facts->point, "/proc");
  CHECK_EQ(facts->id, proc);
  CHECK_EQ(facts->parent, root);
  CHECK_EQ(facts->old_id, MountOf("/proc", 0x1000));
  CHECK_EQ(facts->magic, 0x9fa0);
  struct stat st;
  CHECK_OK(stat("/proc", &st));
  CHECK_EQ(((uint64_t)facts->device_major << 8 | facts->device_minor), st.st_dev);
  const uint32_t whole = facts->size;
  CHECK(whole > sizeof *facts && whole <= sizeof got);
  CHECK_OK(Stat(Asking(proc, 1 | 2 | kRoot | kPoint | kType), &got, whole + 3, 0));
  CHECK_ERR(Stat(Asking(proc, kPoint), &got, sizeof *facts, 0), EOVERFLOW);
  CHECK_OK(Stat(Asking(proc, 1), &got, 40, 0));
  CHECK_EQ(facts->size, 40);
  CHECK_ERR(Stat(Asking(proc, 1), &got, sizeof got, 1), EINVAL);
  CHECK_ERR(Stat(Asking(proc, 1), BAD_POINTER, sizeof got, 0), EFAULT);
  CHECK_ERR(Stat(Asking((uint64_t)1 << 40, 1), &got, sizeof got, 0), ENOENT);
}

int main(void) {
  if (syscall(SYS_statmount, NULL, NULL, 0, 0) == -1 && errno == ENOSYS) SKIP("no statmount");
  const uint64_t root = MountOf("/", kUniqueId), proc = MountOf("/proc", kUniqueId);
  CHECK(root > UINT32_MAX / 2 && proc > UINT32_MAX / 2 && root != proc);
  CheckList(root, proc);
  CheckFacts(root, proc);
  return 0;
}
