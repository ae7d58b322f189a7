#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "hal/memory.h"
#include "hal/thread.h"
#if defined(__x86_64__)
#include "hal/arch/x86_64/registers.h"
#elif defined(__riscv)
#include "hal/arch/riscv64/registers.h"
#endif

// User mode, seen from the thread that enters it. All of it concerns the calling thread.
namespace zrun::hal {

enum class TrapKind : uint8_t {
  kSyscall,
  kPageFault,    // no translation, or one that forbids the access
  kException,    // anything else the guest's instruction did
  kInterrupted,  // Kick()
};
struct Trap {
  TrapKind kind = TrapKind::kInterrupted;
  Access access = Access::kNone;  // kPageFault: what was tried (kRead when the machine cannot tell)
  uint8_t signal = 0;             // kException: Linux's SIGILL, SIGFPE, SIGTRAP, SIGBUS, SIGSEGV
  int32_t code = 0;          // kException and kPageFault: Linux's si_code as the machine knows it
  vaddr_t address = 0;       // kPageFault and kException: si_addr
  uint32_t trap_number = 0;  // the processor's own number and error word, for sigcontext
  uint32_t error_code = 0;
};

// Runs guest code until it needs the kernel. Returns here, as from a function call. A system call
// leaves the program counter after its instruction.
Trap Run();
// The guest's general registers; valid between Runs.
Registers& UserRegisters();
// The guest's thread pointer (FS base, tp).
uint64_t ThreadPointer();
void SetThreadPointer(uint64_t value);
#if defined(__x86_64__)
// The guest's alone, like the thread pointer: a new thread starts with its maker's.
uint64_t GsBase();
void SetGsBase(uint64_t value);
#elif defined(__riscv)
// What was written to the caller's address space is what its threads run from now on.
void SynchronizeCode();
#endif

// Vector and floating-point state stays in the registers while the kernel runs.
// The ABI image of it in a signal frame: its size, and copies to and from it. An image may point
// into itself: |place| is where the guest will see it. Load returns false, and leaves the state
// initial, if the image is malformed.
size_t VectorStateSize();
void SaveVectorState(std::span<std::byte> image, vaddr_t place);
bool LoadVectorState(std::span<const std::byte> image);
void ResetVectorState();
// As at execve: vector state, thread pointer, whatever programs have beside their registers.
void ResetForExec();

// Copies between kernel and guest memory; stop at the first byte that faults and return how many
// were copied. Addresses outside the user layout count as faults. The layer above resolves the
// fault and tries again.
size_t CopyFromUser(void* to, vaddr_t from, size_t size);
size_t CopyToUser(vaddr_t to, const void* from, size_t size);
// Bytes before the NUL, or |size| if there is none in |size| bytes; |copied| tells how many were
// read, NUL included.
struct CopiedString {
  size_t copied;
  bool terminated;
};
CopiedString CopyStringFromUser(char* to, vaddr_t from, size_t size);
size_t ZeroUser(vaddr_t to, size_t size);
// Atomics on guest words (futex); false on a fault. |address| is aligned.
bool LoadUserWord(vaddr_t address, uint32_t& value);
// On success |swapped| tells whether; |expected| receives what was there.
bool CompareExchangeUserWord(vaddr_t address, uint32_t& expected, uint32_t desired, bool& swapped);

}  // namespace zrun::hal
