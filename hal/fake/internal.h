#pragma once
#include <condition_variable>
#include <functional>
#include <mutex>

#include "hal/fake/fake.h"

// Between the files of the fake machine.
namespace zrun::hal {

class Thread {
 public:
  std::mutex mutex;
  std::condition_variable changed;
  bool parked = false, unparked = false;
  bool kicked = false;
  bool main = false;  // not made by StartThread()
  void* slot = nullptr;
  clockid_t cpu_clock = 0;
  RefPtr<AddressSpace> space;
  ThreadStart start{};
  Registers registers{};
  uint64_t thread_pointer = 0, gs_base = 0;
  std::function<Trap(Registers&)> guest;
};

namespace fake {

// The window's byte of a disk; null if |address| is in none.
std::byte* DiskPointer(paddr_t address);
// The mapped bytes of a host file that has a bank; null if |address| is in none.
std::byte* HostFilePointer(paddr_t address);
// Sleeps until |condition| is told, the deadline is past, or a little while.
void WaitBriefly(std::unique_lock<std::mutex>& lock, std::condition_variable& condition,
                 Deadline deadline);
// After the clock was changed.
void WakeSleepers();

}  // namespace fake
}  // namespace zrun::hal
