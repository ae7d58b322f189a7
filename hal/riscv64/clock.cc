// Time: the counter that all harts share, and the timer of each.
#include "hal/clock.h"

#include <algorithm>

#include "base/assert.h"
#include "hal/riscv64/device_tree.h"
#include "hal/riscv64/isa.h"
#include "hal/riscv64/machine.h"
#include "hal/riscv64/sbi.h"
#include "hal/riscv64/timekeeping.h"

namespace zrun::hal {
namespace {

constinit Timekeeping g_time = {};
constinit bool g_has_sstc = false;

uint64_t ReadCounter() {
  uint64_t ticks;
  asm volatile("rdtime %0" : "=r"(ticks));
  return ticks;
}

// Google's "goldfish" clock: nanoseconds since 1970; reading the low half latches the high one.
Nanoseconds ReadRealTimeClock() {
  const auto node = MachineTree().FindCompatible(MachineTree().Find("/soc"), "google,goldfish-rtc");
  if (!node) return 0;
  auto* const registers = WindowPointer<volatile uint32_t>(node.Number("reg", 0, 2));
  const uint32_t low = registers[0];
  return Nanoseconds(uint64_t{registers[1]} << 32 | low);
}

}  // namespace

const Timekeeping& GetTimekeeping() { return g_time; }

void InitClock() {
  const uint64_t frequency = MachineTree().Find("/cpus").Number("timebase-frequency");
  CHECK(frequency > 0 && frequency <= uint64_t{kSecond});
  // Nanoseconds = ticks * multiplier >> shift, exact to a part in 2^31, without a division.
  g_time.shift = 32;
  g_time.multiplier = (uint64_t{kSecond} << g_time.shift) / frequency;
  g_time.ticks_per_second = frequency;
  g_time.realtime_offset = ReadRealTimeClock() - TimerNow();
}

void InitTimer() { g_has_sstc = Isa::OfBootHart().Has("sstc"); }

Nanoseconds TimerNow() { return g_time.ToNanoseconds(ReadCounter()); }

// The counter never stops and is not steered, so that most clocks are one.
Nanoseconds Now(Clock clock) {
  switch (clock) {
    case Clock::kRealtime:
    case Clock::kRealtimeCoarse:
    case Clock::kTai:
      return TimerNow() + g_time.realtime_offset;
    default:
      return TimerNow();
  }
}
Nanoseconds CoarseClockTick() {
  return Nanoseconds(kSecond / Nanoseconds(g_time.ticks_per_second));
}

static void SetTimer(uint64_t ticks) {
  if (g_has_sstc) {
    asm volatile("csrw 0x14d, %0" : : "r"(ticks));  // stimecmp
  } else {
    SbiCall(SbiExtension::kTime, 0, ticks);
  }
}

void ProgramTimer(Hart& hart, Nanoseconds at) {
  if (at >= hart.programmed) return;
  hart.programmed = at;
  SetTimer(g_time.ToTicks(std::max<Nanoseconds>(at, 0)));
}

// What is due; then the timer is set for what comes next.
void OnTimer(Hart& hart, bool from_user) {
  hart.programmed = INT64_MAX;
  SetTimer(UINT64_MAX);
  const Nanoseconds now = TimerNow();
  const Nanoseconds next_sleeper = WakeSleepers(hart, now);
  if (hart.tick_at <= now) {
    OnSchedulerTick(hart, from_user);
  } else if (hart.tick_at != INT64_MAX) {
    ProgramTimer(hart, hart.tick_at);
  }
  if (next_sleeper != INT64_MAX) ProgramTimer(hart, next_sleeper);
}

}  // namespace zrun::hal
