// The end of the kernel by its own fault: reason, registers, back trace; exit status 125.
#include "base/assert.h"
#include "base/text.h"
#include "hal/riscv64/machine.h"
#include "hal/riscv64/streams.h"
#include "hal/riscv64/uart.h"

// An ebreak (trap.S), whose trap saves the registers and calls Die().
extern "C" [[noreturn]] void PanicTrap(const std::string_view* reason);

namespace zrun::hal {
namespace {

constexpr std::string_view kNames[32] = {"pc", "ra", "sp",  "gp",  "tp", "t0", "t1", "t2",
                                         "s0", "s1", "a0",  "a1",  "a2", "a3", "a4", "a5",
                                         "a6", "a7", "s2",  "s3",  "s4", "s5", "s6", "s7",
                                         "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6"};

constinit std::atomic<const Thread*> g_dying{nullptr};

void WriteRegisters(const KernelFrame& frame) {
  for (int i = 0; i < 32; i++)
    UartWrite(
        TextBuffer<40>(PadText{kNames[i], -4}, " ", Hex{frame.x[i], 16}, i % 4 == 3 ? "\n" : "  "));
  UartWrite(TextBuffer<100>("status ", Hex{frame.status, 16}, "  cause ", Hex{frame.cause},
                            "  value ", Hex{frame.value, 16}, "\n"));
}

// The launcher adds names to lines of this form.
void WriteFrame(int number, uint64_t pc) {
  UartWrite(TextBuffer<60>("  #", number, " ", Hex{pc, 16}, "\n"));
}

// Frame pointers, as far as they stay on one stack: a broken chain must not fault.
void WriteBackTrace(uint64_t pc, uint64_t frame_pointer) {
  int number = 0;
  WriteFrame(number++, pc);
  const uint64_t stack = frame_pointer & ~uint64_t{ZRUN_BLOCK_SIZE - 1};
  while (number < 32 && frame_pointer % 8 == 0 && frame_pointer >> ZRUN_STACK_BIT & 1 &&
         (frame_pointer & ~uint64_t{ZRUN_BLOCK_SIZE - 1}) == stack) {
    const auto* const words = reinterpret_cast<const uint64_t*>(frame_pointer);
    if (words[-1] < 0xffffffff80000000) break;
    WriteFrame(number++, words[-1]);
    if (words[-2] <= frame_pointer) break;
    frame_pointer = words[-2];
  }
}

}  // namespace

void Die(std::string_view reason, const KernelFrame& frame) {
  DisableInterrupts();
  const Thread* dying = nullptr;
  if (!g_dying.compare_exchange_strong(dying, &CurrentThread())) {
    if (dying == &CurrentThread()) PowerOff(125);  // a fault while reporting
    for (;;) asm volatile("wfi");
  }
  UartSeize();
  UartWrite("zrun: the container's kernel stopped: ");
  UartWrite(reason);
  UartWrite("\n");
  WriteRegisters(frame);
  WriteBackTrace(frame.x[0], frame.x[8]);
  PowerOff(125);
}

}  // namespace zrun::hal

namespace zrun {

void Panic(const char* file, int line, const char* message) {
  const TextBuffer<240> text(file, ":", line, ": ", message);
  const std::string_view reason = text.view();
  PanicTrap(&reason);
}

}  // namespace zrun

namespace std {

// string_view::substr past the end: a bug of ours. The library's header calls it.
[[noreturn]] void __throw_out_of_range_fmt(const char* message, ...) {
  zrun::Panic("string_view", 0, message);
}

}  // namespace std
