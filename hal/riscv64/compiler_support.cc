// What the compiler calls where the processor may lack an instruction. libgcc has these, but none
// for this ABI on Debian.
#include <cstdint>

extern "C" {

// A bit by itself, multiplied, moves a number with no two equal groups of six bits up: the top six
// tell which bit it was.
constexpr uint64_t kGroups = 0x03f79d71b4cb0a89;
struct BitNumbers {
  uint8_t of[64] = {};
  constexpr BitNumbers() {
    for (unsigned i = 0; i < 64; i++) of[(kGroups << i) >> 58] = uint8_t(i);
  }
};
constexpr BitNumbers kBitNumbers;

int __ctzdi2(uint64_t value) { return kBitNumbers.of[((value & -value) * kGroups) >> 58]; }

int __clzdi2(uint64_t value) {
  if (value == 0) return 64;
  for (int width = 1; width < 64; width *= 2) value |= value >> width;
  return 63 - kBitNumbers.of[((value ^ value >> 1) * kGroups) >> 58];
}

int __ffsdi2(uint64_t value) { return value == 0 ? 0 : __ctzdi2(value) + 1; }

int __popcountdi2(uint64_t value) {
  value -= value >> 1 & 0x5555555555555555;
  value = (value & 0x3333333333333333) + (value >> 2 & 0x3333333333333333);
  value = (value + (value >> 4)) & 0x0f0f0f0f0f0f0f0f;
  return int(value * 0x0101010101010101 >> 56);
}

uint64_t __bswapdi2(uint64_t value) {
  value = (value & 0x00ff00ff00ff00ff) << 8 | (value >> 8 & 0x00ff00ff00ff00ff);
  value = (value & 0x0000ffff0000ffff) << 16 | (value >> 16 & 0x0000ffff0000ffff);
  return value << 32 | value >> 32;
}

uint32_t __bswapsi2(uint32_t value) {
  value = (value & 0x00ff00ff) << 8 | (value >> 8 & 0x00ff00ff);
  return value << 16 | value >> 16;
}

// The processor's atomics are words; a byte is exchanged as a part of one.
uint8_t __atomic_exchange_1(volatile void* place, uint8_t value, int) {
  const auto address = reinterpret_cast<uintptr_t>(place);
  auto* const word = reinterpret_cast<uint32_t*>(address & ~uintptr_t{3});
  const unsigned shift = unsigned(address & 3) * 8;
  uint32_t old = __atomic_load_n(word, __ATOMIC_RELAXED), changed;
  do {
    changed = (old & ~(uint32_t{0xff} << shift)) | uint32_t{value} << shift;
  } while (
      !__atomic_compare_exchange_n(word, &old, changed, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
  return uint8_t(old >> shift);
}

}  // extern "C"
