#pragma once
#include "hal/memory.h"

// What every guest finds mapped: code for signal handlers to return to. It lies in a hole of the
// guest's range that is an entry of the root table, so that all spaces share its tables.
namespace zrun::hal {

inline constexpr unsigned kVdsoSlot = 128;  // of the root's 256
void InitVdso();
void MapVdso(paddr_t root);

}  // namespace zrun::hal
