#pragma once
#include <cstdint>
#include <vector>

#include "hal/trap_x86_64/boot_record.h"

namespace zrun {

// The two filters that stand over a container (docs/adr/0001-trap-machine.md). The kernel installs
// them itself before the first guest instruction.

// (1) A system call from outside the kernel's text is the guest's: TRAP. Hand-written, since
// libseccomp cannot test the instruction pointer.
std::vector<hal::FilterInstruction> MakeOriginFilter(uint64_t text_begin, uint64_t text_end);

// (2) What the kernel itself may ask of the host: few calls, restricted arguments, each with the
// cookie. Anything else: TRAP, which the kernel reports as a violation.
std::vector<hal::FilterInstruction> MakeHostCallFilter(uint32_t cookie, int nice);

}  // namespace zrun
