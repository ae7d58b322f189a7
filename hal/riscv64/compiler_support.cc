// What the compiler calls where the processor may lack an instruction. libgcc has these, but none
// for this ABI on Debian.
#include <cstdint>

extern "C" {

int __clzdi2(uint64_t value) {
  int count = 0;
  for (int width = 32; width > 0; width /= 2) {
    if (value >> (64 - width) != 0) continue;
    count += width;
    value <<= width;
  }
  return value >> 63 ? count : 64;
}

int __ctzdi2(uint64_t value) { return 63 - __clzdi2(value & -value); }

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
