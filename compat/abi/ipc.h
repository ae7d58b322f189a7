#pragma once
#include <cstdint>

#if defined(__riscv)
#include "compat/abi/arch/riscv64/ipc.h"
#else
#include "compat/abi/arch/x86_64/ipc.h"
#endif

// System V IPC: <linux/ipc.h>, shm.h, sem.h, msg.h and what they include.
namespace zrun::compat::abi {

struct IpcPerm {  // struct ipc64_perm
  int32_t key;
  uint32_t uid, gid, cuid, cgid, mode;
  uint16_t sequence, padding1;
  uint32_t padding2;
  uint64_t unused[2];
};
static_assert(sizeof(IpcPerm) == 48);

struct ShmidDs {  // struct shmid64_ds
  IpcPerm perm;
  uint64_t size;
  int64_t atime, dtime, ctime;
  int32_t creator, last;
  uint64_t attached;
  uint64_t unused[2];
};
static_assert(sizeof(ShmidDs) == 112);
struct ShmInfo64 {  // struct shminfo64
  uint64_t max_size, min_size, max_segments, max_per_process, max_pages;
  uint64_t unused[4];
};
struct ShmInfo {  // struct shm_info
  int32_t used;
  uint32_t padding;
  uint64_t pages, resident, swapped, swap_attempts, swap_successes;
};

struct SemidDs {  // struct semid64_ds
  IpcPerm perm;
  SemTimes times;
  uint64_t count;
  uint64_t unused[2];
};
struct SemBuf {
  uint16_t number;
  int16_t operation;
  int16_t flags;
};
struct SemInfo {  // struct seminfo
  int32_t map, sets, semaphores, undos, per_set, per_call, undos_per_process, undo_size;
  int32_t highest, highest_on_exit;
};

struct MsqidDs {  // struct msqid64_ds
  IpcPerm perm;
  int64_t stime, rtime, ctime;
  uint64_t bytes, count, max_bytes;
  int32_t last_sender, last_receiver;
  uint64_t unused[2];
};
static_assert(sizeof(MsqidDs) == 120);
struct MsgInfo {  // struct msginfo
  int32_t pool, map, max_size, max_bytes, queues, segment_size, headers;
  uint16_t segments, padding;
};

}  // namespace zrun::compat::abi
