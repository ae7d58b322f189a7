#include "hal/user_context.h"

#include <algorithm>

#include "base/assert.h"
#include "hal/riscv64/space.h"
#include "hal/riscv64/vector_state.h"

extern "C" {
void EnterGuest();
void StoreFloats(zrun::hal::FloatState* to);
void LoadFloats(const zrun::hal::FloatState* from);
size_t CopyUserBytes(void* to, const void* from, size_t size);
size_t ZeroUserBytes(void* to, size_t size);
size_t CopyUserString(char* to, const char* from, size_t size);
int LoadUser32(const uint32_t* from, uint32_t* value);
int CompareExchangeUser32(uint32_t* word, uint32_t* expected, uint32_t desired);
}

namespace zrun::hal {
namespace {

enum : uint8_t { kSigill = 4, kSigtrap = 5, kSigbus = 7, kSigsegv = 11 };
enum : int32_t { kIllOpc = 1, kTrapBreakpoint = 1, kBusAddressAlignment = 1, kBusObject = 2 };
enum : uint64_t {
  kFetchMisaligned = 0,
  kFetchAccess = 1,
  kIllegal = 2,
  kBreakpoint = 3,
  kLoadMisaligned = 4,
  kLoadAccess = 5,
  kStoreMisaligned = 6,
  kStoreAccess = 7,
  kUserCall = 8,
  kFetchFault = 12,
  kLoadFault = 13,
  kStoreFault = 15,
};
constexpr uint64_t kFloatsMask = 3 << 13, kFloatsClean = 2 << 13, kFloatsDirty = 3 << 13;

Trap Exception(const Thread& thread, uint8_t signal, int32_t code, vaddr_t address) {
  Trap trap;
  trap.kind = TrapKind::kException;
  trap.signal = signal;
  trap.code = code;
  trap.address = address;
  trap.trap_number = uint32_t(thread.cause);
  return trap;
}

Trap Fault(Thread& thread, Access access) {
  thread.minor_faults++;
  Trap trap;
  trap.kind = TrapKind::kPageFault;
  trap.access = access;
  trap.address = thread.trap_value;
  trap.trap_number = uint32_t(thread.cause);
  return trap;
}

Trap Describe(Thread& thread) {
  const vaddr_t pc = thread.registers.x[0];
  switch (thread.cause) {
    case kFetchFault:
      return Fault(thread, Access::kExecute);
    case kLoadFault:
      return Fault(thread, Access::kRead);
    case kStoreFault:
      return Fault(thread, Access::kWrite);
    case kIllegal:
      return Exception(thread, kSigill, kIllOpc, pc);
    case kBreakpoint:
      return Exception(thread, kSigtrap, kTrapBreakpoint, pc);
    case kFetchMisaligned:
    case kLoadMisaligned:
    case kStoreMisaligned:
      return Exception(thread, kSigbus, kBusAddressAlignment, thread.trap_value);
    case kFetchAccess:
    case kLoadAccess:
    case kStoreAccess:
      return Exception(thread, kSigbus, kBusObject, thread.trap_value);
    default:
      return Exception(thread, kSigsegv, 0x80, 0);
  }
}

// The guest's first float instruction since another thread had the registers. False if floats were
// on already: then the instruction is what it cannot do.
bool TurnFloatsOn(Hart& hart, Thread& thread) {
  if ((thread.status & kFloatsMask) != 0) return false;
  asm volatile("csrs sstatus, %0" : : "r"(kFloatsDirty));
  LoadFloats(&thread.floats);
  thread.status |= kFloatsClean;
  thread.floats_hart = &hart;
  hart.floats_owner = &thread;
  return true;
}

// Guest memory may be touched: the address is the guest's, and nothing is remembered of what was
// unmapped. Cuts |size| to the guest's range.
bool Reach(vaddr_t address, size_t& size) {
  Thread& self = CurrentThread();
  const vaddr_t end = GetUserLayout().highest;
  if (address >= end || !self.space) return false;
  size = std::min<uint64_t>(size, end - address);
  InterruptsOff off;
  self.space->CatchUp(ThisHart());
  return true;
}

}  // namespace

Trap Run() {
  Thread& self = CurrentThread();
  for (;;) {
    DisableInterrupts();
    Hart& hart = ThisHart();
    if (hart.need_switch.load(std::memory_order_relaxed)) {
      Schedule(SwitchReason::kPreempted);
      EnableInterrupts();
      continue;
    }
    if (self.kick.load(std::memory_order_seq_cst)) {
      EnableInterrupts();
      return Trap{};
    }
    self.space->CatchUp(hart);
    EnterGuest();
    const uint64_t cause = self.cause;
    if (cause == kUserCall) [[likely]] {
      EnableInterrupts();
      self.registers.x[0] += 4;
      self.registers.original_a0 = self.registers.x[10];
      Trap trap;
      trap.kind = TrapKind::kSyscall;
      return trap;
    }
    if (int64_t(cause) < 0) {
      HandleInterrupt(cause, true);
    } else if (cause != kIllegal || !TurnFloatsOn(ThisHart(), self)) {
      EnableInterrupts();
      if (cause != kIllegal) return Describe(self);
      const auto turned = TurnVectorsOn();
      if (!turned.ok()) return Exception(self, kSigbus, kBusObject, self.registers.x[0]);
      if (!turned.value()) return Describe(self);
    }
    EnableInterrupts();
  }
}

Registers& UserRegisters() { return CurrentThread().registers; }
uint64_t ThreadPointer() { return CurrentThread().registers.x[4]; }
void SetThreadPointer(uint64_t value) { CurrentThread().registers.x[4] = value; }

// ---- Floats. In a signal frame: union __riscv_fp_state, sized for quad precision, then the end
// mark of extensions, which is zeros too.

constexpr size_t kFloatImageSize = 528;
constexpr size_t kRecords = kFloatImageSize - 8;  // the float image ends with the first's head
size_t VectorStateSize() {
  return kRecords + std::max<size_t>(VectorRecordSize(), kFloatImageSize - kRecords);
}

void StoreChangedFloats(Thread& thread) {
  const uint64_t state = thread.status & kFloatsMask;
  if (state == 0) return;
  asm volatile("csrs sstatus, %0" : : "r"(kFloatsDirty));
  if (state == kFloatsDirty) {
    StoreFloats(&thread.floats);
    thread.status = (thread.status & ~kFloatsMask) | kFloatsClean;
  } else {
    // QEMU leaves them clean when an instruction that writes none of them (feq, fcvt to an integer)
    // raises a flag.
    uint64_t control;
    asm volatile("csrr %0, 3" : "=r"(control));  // fcsr
    thread.floats.control = uint32_t(control);
  }
}

void SaveFloats() {
  InterruptsOff off;
  StoreChangedFloats(CurrentThread());
}

void SaveVectorState(std::span<std::byte> image, vaddr_t place) {
  CHECK(image.size() >= VectorStateSize());
  SaveFloats();
  __builtin_memset(image.data(), 0, image.size());
  __builtin_memcpy(image.data(), &CurrentThread().floats, sizeof(FloatState));
  if (HasVectors()) SaveVectorRecord(image.subspan(kRecords), place + kRecords);
}

namespace {

// What memory holds counts from now on.
void ReplaceFloats(const FloatState& floats) {
  InterruptsOff off;
  Thread& self = CurrentThread();
  self.floats = floats;
  self.floats.control &= 0xff;
  self.status &= ~kFloatsMask;
  self.floats_hart = nullptr;
}

}  // namespace

bool LoadVectorState(std::span<const std::byte> image) {
  FloatState floats = {};
  const bool complete = image.size() >= VectorStateSize();
  if (complete) __builtin_memcpy(&floats, image.data(), sizeof floats);
  ReplaceFloats(floats);
  return complete && (!HasVectors() || LoadVectorRecord(image.subspan(kRecords)));
}

void ResetVectorState() {
  ReplaceFloats(FloatState{});
  DropVectors();
}

void ResetForExec() {
  ResetVectorState();
  SetThreadPointer(0);
}

void SynchronizeCode() { CurrentThread().space->FlushCodeEverywhere(); }

// ---- Copies

size_t CopyFromUser(void* to, vaddr_t from, size_t size) {
  if (!Reach(from, size)) return 0;
  return CopyUserBytes(to, reinterpret_cast<const void*>(from), size);
}

size_t CopyToUser(vaddr_t to, const void* from, size_t size) {
  if (!Reach(to, size)) return 0;
  return CopyUserBytes(reinterpret_cast<void*>(to), from, size);
}

size_t ZeroUser(vaddr_t to, size_t size) {
  if (!Reach(to, size)) return 0;
  return ZeroUserBytes(reinterpret_cast<void*>(to), size);
}

CopiedString CopyStringFromUser(char* to, vaddr_t from, size_t size) {
  if (!Reach(from, size)) return {0, false};
  const size_t copied = CopyUserString(to, reinterpret_cast<const char*>(from), size);
  return {copied, copied > 0 && to[copied - 1] == '\0'};
}

bool LoadUserWord(vaddr_t address, uint32_t& value) {
  size_t size = 4;
  if (!Reach(address, size) || size < 4) return false;
  return LoadUser32(reinterpret_cast<const uint32_t*>(address), &value) == 1;
}

bool CompareExchangeUserWord(vaddr_t address, uint32_t& expected, uint32_t desired, bool& swapped) {
  size_t size = 4;
  if (!Reach(address, size) || size < 4) return false;
  const int result =
      CompareExchangeUser32(reinterpret_cast<uint32_t*>(address), &expected, desired);
  swapped = result == 1;
  return result >= 0;
}

}  // namespace zrun::hal
