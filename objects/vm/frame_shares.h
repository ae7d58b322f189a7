#pragma once
#include "base/result.h"
#include "hal/memory.h"

namespace zrun {

// How many owners a frame of RAM has besides the first: frames that copy-on-write objects share. A
// table that is only built where something is shared. Lock free; who calls owns the frame.
namespace frame_shares {

// One more owner. ENOMEM.
Result<void> Add(hal::paddr_t frame);
bool IsShared(hal::paddr_t frame);
// One owner less; true if that was the last, who now frees the frame.
bool Drop(hal::paddr_t frame);

}  // namespace frame_shares
}  // namespace zrun
