#pragma once
#include <vector>

#include "hal/fake/fake.h"
#include "objects/ipc/timer.h"
#include "objects/vm/page_allocator.h"

namespace zrun {

// What a machine does before anything else, once for each test program that includes this.
inline const bool g_booted_for_test = [] {
  InitPageAllocator();
  return StartTimerService().ok();
}();

// Changes what kind of RAM the machine has, and makes all free frames such.
inline void UseSparseRam(bool sparse) {
  RamFrames().Trim();
  hal::fake::SetSparseRam(sparse);
  std::vector<hal::PhysRange> free;
  for (uint64_t size = hal::fake::kRamSize; size >= hal::kPageSize;) {
    auto run = RamFrames().AllocateRun(size, hal::kPageSize, Contents::kAny);
    if (run.ok()) {
      free.push_back(run.value());
      hal::DiscardFrames(run.value());
    } else {
      size /= 2;
    }
  }
  for (hal::PhysRange run : free) RamFrames().FreeUntouched(run);
}

}  // namespace zrun
