#pragma once
#include "vfs/setting.h"

namespace zrun::vfs {

// Limits of System V IPC, as proc_sys_kernel(5) names them; the calls keep to them.
struct IpcSettings {
  Setting msgmax{8192, 0, INT32_MAX};                      // bytes of one message
  Setting msgmnb{16384, 0, INT32_MAX};                     // bytes of a new queue
  Setting msgmni{32000, 0, 32768};                         // queues
  Setting semmni{32000, 0, 32768};                         // sets
  Setting shmmni{4096, 0, 32768};                          // segments
  std::atomic<uint64_t> shmmax{~uint64_t{0} - (1 << 24)};  // bytes of one segment
  // The number that the next object asks for; -1: none. It is used once.
  Setting msg_next_id{-1, -1, INT32_MAX}, sem_next_id{-1, -1, INT32_MAX},
      shm_next_id{-1, -1, INT32_MAX};
};
extern IpcSettings ipc_settings;

}  // namespace zrun::vfs
