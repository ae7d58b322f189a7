#pragma once
#include <span>

#include "hal/riscv64/machine.h"

// The vector registers, on harts that have them: loaded when the guest first uses them, and saved
// when another thread runs if they have changed. Source: RISC-V "V" extension 1.0.
namespace zrun::hal {

void InitVectors();  // after the device tree
bool HasVectors();
// The bytes of v0 to v31; at most a page, or harts are taken for ones without.
size_t VectorBytes();

// Interrupts are off.
void LeaveVectors(Hart& hart, Thread& thread);
void EnterVectors(Hart& hart, Thread& thread);

// The current thread's. False if they are on already, or there are none; ENOMEM.
Result<bool> TurnVectorsOn();
void DropVectors();

// In a signal frame: a record behind the float state, which ends with a mark of its own. It will
// lie at |place| in the guest.
size_t VectorRecordSize();
void SaveVectorRecord(std::span<std::byte> record, vaddr_t place);
// False if it is no such record, or memory is short.
bool LoadVectorRecord(std::span<const std::byte> record);

}  // namespace zrun::hal
