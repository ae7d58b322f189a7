#pragma once
#include "hal/memory.h"

// What every guest finds mapped: a data page, and behind it a shared object (vdso/) with clocks and
// the code that signal handlers return to. They lie in a hole of the guest's range that is an entry
// of the root table, so that all spaces share its tables, but for those whose guest unmaps some.
namespace zrun::hal {

inline constexpr unsigned kVdsoSlot = 128;           // of the root's 256
inline constexpr uint64_t kSigreturnOffset = 0x800;  // in the object; vdso/vdso.ld
void InitVdso();
// The clock is known.
void FillVdsoData();
void MapVdso(paddr_t root);
// Tables of the space's own, which have the same, for the root's slot. 0 if there is no memory.
paddr_t CopyVdsoTables();
inline constexpr unsigned kVdsoPages = 2;

}  // namespace zrun::hal
