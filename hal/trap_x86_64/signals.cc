#include "base/assert.h"
#include "base/text.h"
#include "hal/devices.h"
#include "hal/trap_x86_64/host_call.h"
#include "hal/trap_x86_64/machine.h"

// The host's signals: how they reach SignalEntry (entry.S), and those that arrive while the kernel
// runs.

extern "C" {
void SignalEntry();
void SignalRestorer();
void CalibrateEntry();
uint32_t entry_frame_offset = 0;  // where a first-level frame lies in a block
uint64_t xsave_mask = 0;
uint64_t host_cookie = 0;
// For a violation by code that is not on any of our stacks.
alignas(16) std::byte emergency_stack[8192];
}
asm(".globl emergency_stack_top\n.set emergency_stack_top, emergency_stack + 8192");

namespace zrun::hal {
namespace {

struct FixupEntry {
  uint64_t fault, landing;
};
extern "C" const FixupEntry fixup_table_begin[], fixup_table_end[];
extern "C" const std::byte kernel_text_begin[], kernel_text_end[];

uint64_t& FrameWord(std::byte* frame, size_t offset) {
  return *reinterpret_cast<uint64_t*>(frame + offset);
}

Registers FrameRegisters(std::byte* frame) {
  const auto word = [&](size_t offset) { return FrameWord(frame, offset); };
  return {word(FRAME_RAX), word(FRAME_RCX), word(FRAME_RDX),   word(FRAME_RBX), word(FRAME_RSP),
          word(FRAME_RBP), word(FRAME_RSI), word(FRAME_RDI),   word(FRAME_R8),  word(FRAME_R9),
          word(FRAME_R10), word(FRAME_R11), word(FRAME_R12),   word(FRAME_R13), word(FRAME_R14),
          word(FRAME_R15), word(FRAME_RIP), word(FRAME_RFLAGS)};
}

struct HostSigaction {
  void (*handler)();
  uint64_t flags;
  void (*restorer)();
  uint64_t mask;
};
void SetHandler(int signal, void (*handler)()) {
  constexpr uint64_t kSiginfo = 4, kRestorer = 0x04000000, kOnStack = 0x08000000,
                     kNoDefer = 0x40000000;
  const HostSigaction action = {handler, kSiginfo | kRestorer | kOnStack | kNoDefer, SignalRestorer,
                                0};
  const int64_t result = HostCall(HostNumber::kRtSigaction, signal, &action, 0, 8);
  CHECK(result == 0);
}

}  // namespace

void InstallSignals() {
  // A first-level frame always lies at the same place under the top of the alternate stack: see
  // where.
  SetHandler(ZRUN_KICK_SIGNAL, CalibrateEntry);
  Thread& self = CurrentThread();
  HostCall(HostNumber::kTgkill, self.host_pid, self.host_tid, ZRUN_KICK_SIGNAL);
  CHECK(entry_frame_offset > ZRUN_BLOCK_ALTSTACK);
  constexpr int kSigill = 4, kSigtrap = 5, kSigbus = 7, kSigfpe = 8, kSigsegv = 11, kSigpipe = 13,
                kSigsys = 31;
  for (int signal : {kSigill, kSigtrap, kSigbus, kSigfpe, kSigsegv, kSigsys, ZRUN_KICK_SIGNAL})
    SetHandler(signal, SignalEntry);
  const HostSigaction ignore = {reinterpret_cast<void (*)()>(1), 0x04000000, SignalRestorer, 0};
  HostCall(HostNumber::kRtSigaction, kSigpipe, &ignore, 0, 8);
  const uint64_t none = 0;
  HostCall(HostNumber::kRtSigprocmask, 2, &none, 0, 8);
}

// On the alternate stack, the thread being in the kernel. Returns to have the frame, as changed,
// restored.
extern "C" void KernelModeSignal(std::byte* frame, uint32_t signal) {
  if (signal == ZRUN_KICK_SIGNAL) return;  // the flags it stands for are set
  uint64_t& pc = FrameWord(frame, FRAME_RIP);
  for (const FixupEntry* entry = fixup_table_begin; entry != fixup_table_end; entry++) {
    if (entry->fault != pc) continue;
    pc = entry->landing;
    return;
  }
  const Registers registers = FrameRegisters(frame);
  Die(TextBuffer<200>("kernel fault: signal ", signal, ", address ",
                      Hex{FrameWord(frame, FRAME_CR2)}, ", call ", registers.rax),
      &registers, registers.rbp);
}

// Guest code jumped into the kernel, or forged a host call.
extern "C" void GuestViolation(Thread* thread, std::byte* frame) {
  if (!thread) Die("isolation violation: guest code jumped to the signal entry", nullptr, 0);
  const Registers registers = FrameRegisters(frame);
  Die(TextBuffer<200>("isolation violation: guest code at kernel address ", Hex{registers.rip},
                      ", signal ", thread->signal),
      &registers, 0);
}

void Die(std::string_view reason, const Registers* registers, uint64_t frame_pointer) {
  BootRecord& boot = Boot();
  uint32_t expected = 0;
  if (boot.died.compare_exchange_strong(expected, 2)) {
    const size_t size =
        reason.size() < sizeof boot.death_reason - 1 ? reason.size() : sizeof boot.death_reason - 1;
    __builtin_memcpy(boot.death_reason, reason.data(), size);
    boot.death_reason[size] = '\0';
    uint32_t count = 0;
    if (registers) {
      __builtin_memcpy(boot.death_registers, registers, sizeof boot.death_registers);
      boot.death_frames[count++] = registers->rip;
    }
    // Frames on this thread's own block only: a broken chain must not fault.
    const uint64_t block = reinterpret_cast<uint64_t>(CurrentThread().block());
    while (count < 32 && frame_pointer > block && frame_pointer < block + ZRUN_BLOCK_SIZE - 16 &&
           frame_pointer % 8 == 0) {
      boot.death_frames[count++] = reinterpret_cast<uint64_t*>(frame_pointer)[1];
      const uint64_t next = *reinterpret_cast<uint64_t*>(frame_pointer);
      if (next <= frame_pointer) break;
      frame_pointer = next;
    }
    boot.death_frame_count = count;
    boot.died.store(1);
  }
  Halt(125);
}

}  // namespace zrun::hal

namespace zrun {

void Panic(const char* file, int line, const char* message) {
  hal::Die(TextBuffer<240>(file, ":", line, ": ", message), nullptr,
           reinterpret_cast<uint64_t>(__builtin_frame_address(0)));
}

}  // namespace zrun

namespace std {

// string_view::substr past the end: a bug of ours. The library's header calls it.
void __throw_out_of_range_fmt(const char* message, ...) { zrun::Panic("string_view", 0, message); }

}  // namespace std
