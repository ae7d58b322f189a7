#pragma once
#include <span>

#include "hal/thread.h"
#include "objects/kernel_object.h"

namespace zrun {

// One way to wait: sleep until an object has one of the signals wanted.
struct WaitItem {
  KernelObject* object = nullptr;
  Signals wanted = Signals::kNone;
  Signals seen = Signals::kNone;  // out: those of |wanted| that were set
};

// kETIMEDOUT at the deadline, kEINTR if the thread was kicked (the layer above decides whether that
// was for a signal and may ClearKick() and wait again). Returns what is set.
Result<Signals> WaitOne(KernelObject& object, Signals wanted, hal::Deadline deadline,
                        hal::Interruptible interruptible = hal::Interruptible::kYes);
// Any of |items|; returns how many have something in |seen|. Items with a null object are passed
// over. Allocates when there are many; kENOMEM.
Result<size_t> WaitMany(std::span<WaitItem> items, hal::Deadline deadline,
                        hal::Interruptible interruptible = hal::Interruptible::kYes);

}  // namespace zrun
