#include "hal/user_context.h"

#include <algorithm>

#include "hal/host_files.h"
#include "hal/trap_x86_64/host_call.h"
#include "hal/trap_x86_64/machine.h"

extern "C" {
void EnterGuest(zrun::hal::Thread* thread);
size_t CopyUserBytes(void* to, const void* from, size_t size);
size_t ZeroUserBytes(void* to, size_t size);
size_t CopyUserString(char* to, const char* from, size_t size);
int LoadUser32(const uint32_t* from, uint32_t* value);
int CompareExchangeUser32(uint32_t* word, uint32_t* expected, uint32_t desired);
int RestoreVectorImage(const void* image, uint64_t mask);
}

namespace zrun::hal {
namespace {

enum : uint32_t {
  kSigill = 4,
  kSigtrap = 5,
  kSigbus = 7,
  kSigfpe = 8,
  kSigsegv = 11,
  kSigsys = 31
};

Trap Describe(const Thread& thread) {
  constexpr uint32_t kArchX86_64 = 0xc000003e;
  constexpr uint32_t kPageFault = 14;
  Trap trap;
  trap.trap_number = thread.trap_number;
  trap.error_code = thread.error_code;
  trap.code = thread.code;
  trap.address = thread.address;
  switch (thread.signal) {
    case ZRUN_KICK_SIGNAL:
      trap.kind = TrapKind::kInterrupted;
      break;
    case kSigsys:
      if (thread.syscall_arch == kArchX86_64) {
        trap.kind = TrapKind::kSyscall;
      } else {  // int $0x80: not this kernel's ABI; as where the host has no 32-bit emulation
        trap.kind = TrapKind::kException;
        trap.signal = kSigsegv;
        trap.code = 0x80;
        trap.address = 0;
      }
      break;
    case kSigsegv:
      if (thread.trap_number == kPageFault) {
        trap.kind = TrapKind::kPageFault;
        trap.access = thread.error_code & 2    ? Access::kWrite
                      : thread.error_code & 16 ? Access::kExecute
                                               : Access::kRead;
        break;
      }
      [[fallthrough]];
    default:
      trap.kind = TrapKind::kException;
      trap.signal = uint8_t(thread.signal);
      break;
  }
  return trap;
}

// Whether a copy may touch [address, address + size): inside the guest's range and outside the
// kernel's hole. Cuts |size| to what may.
bool ClampToGuest(vaddr_t address, size_t& size) {
  if (address >= 0x7ffffffff000) return false;
  if (address < ZRUN_HOLE_BASE) {
    if (size > ZRUN_HOLE_BASE - address) size = ZRUN_HOLE_BASE - address;
    return true;
  }
  if (address < ZRUN_HOLE_BASE + ZRUN_HOLE_SIZE) return false;
  if (size > 0x7ffffffff000 - address) size = 0x7ffffffff000 - address;
  return true;
}

void DoWork(Thread& self) {
  if (self.space && AsCarrier(*self.space).has_pending_work()) [[unlikely]]
    AsCarrier(*self.space).DoPendingWork();
}

// A copy to or from guest memory. Carrier::Unmap() looks for it after it has announced its work, we
// look for work after we have announced the copy: one sees the other.
class Touch {
 public:
  Touch() : self_(CurrentThread()) {
    self_.touching.exchange(1, std::memory_order_seq_cst);
    DoWork(self_);
  }
  ~Touch() { self_.touching.store(0, std::memory_order_release); }
  Touch(const Touch&) = delete;
  Touch& operator=(const Touch&) = delete;

 private:
  Thread& self_;
};

}  // namespace

Trap Run() {
  Thread& self = CurrentThread();
  DoWork(self);
  FollowNice(self);
  // The flags a program may have: status, trap, direction, nested task, alignment check, ID. Never
  // I/O level.
  constexpr uint64_t kUserFlags = 0x244dd5;
  self.registers.rflags = (self.registers.rflags & kUserFlags) | 0x202;
  EnterGuest(&self);
  return Describe(self);
}

Registers& UserRegisters() { return CurrentThread().registers; }

uint64_t ThreadPointer() {
  uint64_t value;
  asm volatile("rdfsbase %0" : "=r"(value));
  return value;
}
void SetThreadPointer(uint64_t value) {
  if (value >= uint64_t{1} << 47) value = 0;  // not canonical: the instruction would fault
  asm volatile("wrfsbase %0" : : "r"(value));
}

uint64_t GsBase() {
  uint64_t value;
  asm volatile("rdgsbase %0" : "=r"(value));
  return value;
}
void SetGsBase(uint64_t value) {
  if (value >= uint64_t{1} << 47) value = 0;
  asm volatile("wrgsbase %0" : : "r"(value));
}

// The image in a signal frame is the standard XSAVE layout with Linux's marks (asm/sigcontext.h:
// _fpx_sw_bytes at 464, FP_XSTATE_MAGIC2 behind it). The PKRU component is left out: keys are the
// machine's.
namespace {
constexpr uint32_t kMagic1 = 0x46505853, kMagic2 = 0x46505845;
struct SoftwareBytes {
  uint32_t magic1, extended_size;
  uint64_t features;
  uint32_t xstate_size;
  uint32_t padding[7];
};
constexpr size_t kSoftwareOffset = 464, kHeaderOffset = 512, kLegacySize = 512;

uint64_t GuestMask() { return xsave_mask; }

}  // namespace

size_t VectorStateSize() { return Boot().xsave_size + 4; }

void SaveVectorState(std::span<std::byte> image, vaddr_t) {
  CHECK(image.size() >= VectorStateSize() && (uint64_t(image.data()) & 63) == 0);
  __builtin_memset(image.data() + kHeaderOffset, 0, 64);
  const uint64_t mask = GuestMask();
  asm volatile("xsave64 (%0)"
               :
               : "r"(image.data()), "a"(uint32_t(mask)), "d"(uint32_t(mask >> 32))
               : "memory");
  // The processor marks what is initial; a handler may change it all the same, and gets it
  // restored.
  constexpr uint64_t kX87AndSse = 3;
  uint64_t present;
  __builtin_memcpy(&present, image.data() + kHeaderOffset, sizeof present);
  present |= kX87AndSse;
  __builtin_memcpy(image.data() + kHeaderOffset, &present, sizeof present);
  SoftwareBytes software = {kMagic1, uint32_t(VectorStateSize()), mask, Boot().xsave_size, {}};
  __builtin_memcpy(image.data() + kSoftwareOffset, &software, sizeof software);
  __builtin_memcpy(image.data() + Boot().xsave_size, &kMagic2, 4);
}

bool LoadVectorState(std::span<const std::byte> image) {
  uint64_t mask = GuestMask();
  SoftwareBytes software = {};
  uint32_t magic2 = 0;
  if (image.size() >= kLegacySize)
    __builtin_memcpy(&software, image.data() + kSoftwareOffset, sizeof software);
  if (image.size() >= VectorStateSize())
    __builtin_memcpy(&magic2, image.data() + Boot().xsave_size, 4);
  if (software.magic1 == kMagic1 && magic2 == kMagic2 &&
      software.xstate_size == Boot().xsave_size) {
    if (RestoreVectorImage(image.data(), mask)) return true;
  } else if (image.size() >= kLegacySize + 64) {
    // A frame with the legacy part only (fxsave): the rest becomes initial.
    alignas(64) std::byte legacy[kLegacySize + 64] = {};
    __builtin_memcpy(legacy, image.data(), kLegacySize);
    const uint64_t x87_and_sse = 3;
    __builtin_memcpy(legacy + kHeaderOffset, &x87_and_sse, 8);
    if (RestoreVectorImage(legacy, mask)) return true;
  }
  ResetVectorState();
  return false;
}

void ResetVectorState() {
  alignas(64) std::byte image[kLegacySize + 64] = {};
  const uint16_t control_word = 0x37f;
  const uint32_t mxcsr = 0x1f80;
  __builtin_memcpy(image, &control_word, 2);
  __builtin_memcpy(image + 24, &mxcsr, 4);
  RestoreVectorImage(image, GuestMask());
}

void ResetForExec() {
  SetThreadPointer(0);
  SetGsBase(0);
  ResetVectorState();
}

size_t CopyFromUser(void* to, vaddr_t from, size_t size) {
  if (!ClampToGuest(from, size)) return 0;
  const Touch touch;
  return CopyUserBytes(to, reinterpret_cast<const void*>(from), size);
}

size_t CopyToUser(vaddr_t to, const void* from, size_t size) {
  if (!ClampToGuest(to, size)) return 0;
  const Touch touch;
  return CopyUserBytes(reinterpret_cast<void*>(to), from, size);
}

size_t ZeroUser(vaddr_t to, size_t size) {
  if (!ClampToGuest(to, size)) return 0;
  const Touch touch;
  return ZeroUserBytes(reinterpret_cast<void*>(to), size);
}

CopiedString CopyStringFromUser(char* to, vaddr_t from, size_t size) {
  if (!ClampToGuest(from, size)) return {0, false};
  const Touch touch;
  const size_t copied = CopyUserString(to, reinterpret_cast<const char*>(from), size);
  return {copied, copied > 0 && to[copied - 1] == '\0'};
}

bool LoadUserWord(vaddr_t address, uint32_t& value) {
  size_t size = 4;
  if (!ClampToGuest(address, size) || size < 4) return false;
  const Touch touch;
  return LoadUser32(reinterpret_cast<const uint32_t*>(address), &value) == 1;
}

bool CompareExchangeUserWord(vaddr_t address, uint32_t& expected, uint32_t desired, bool& swapped) {
  size_t size = 4;
  if (!ClampToGuest(address, size) || size < 4) return false;
  const Touch touch;
  const int result =
      CompareExchangeUser32(reinterpret_cast<uint32_t*>(address), &expected, desired);
  swapped = result == 1;
  return result >= 0;
}

// ---- Calls of the host that move guest memory. The host faults pages in, but resolves nothing
// that is this kernel's to resolve. Others wait for a copy that has begun, so that none may be
// long.

Result<size_t> HostReadToUser(HostNode open_node, uint64_t offset, vaddr_t to, size_t size) {
  if (!ClampToGuest(to, size)) return Errno::kEFAULT;
  const Touch touch;
  return HostSize(
      HostCall(HostNumber::kPread, open_node, to, std::min(size, kMostMovedDirectly), offset));
}

Result<size_t> HostWriteFromUser(HostNode open_node, uint64_t offset, vaddr_t from, size_t size) {
  if (!ClampToGuest(from, size)) return Errno::kEFAULT;
  const Touch touch;
  return HostSize(
      HostCall(HostNumber::kPwrite, open_node, from, std::min(size, kMostMovedDirectly), offset));
}

}  // namespace zrun::hal
