// Fills the vector and floating-point registers with known values and reads them back (x86-64).
#pragma once
#include "proc.h"

#ifdef __x86_64__
struct VectorState {
  unsigned char ymm[16][32];
  uint32_t mxcsr;
  uint16_t control;  // x87
  long double top[4];
};

static inline bool HasAvx(void) { return __builtin_cpu_supports("avx"); }

static inline void MakeState(struct VectorState* state, unsigned seed) {
  memset(state, 0, sizeof *state);
  for (int i = 0; i < 16; i++)
    for (int j = 0; j < 32; j++)
      state->ymm[i][j] =
          HasAvx() || j < 16 ? (unsigned char)(seed * 37 + (unsigned)(i * 32 + j)) : 0;
  state->mxcsr = 0x1f80 | (seed % 4) << 13;  // all masked, one of the rounding modes
  state->control = (uint16_t)(0x037f | (seed % 4) << 10);
  for (int i = 0; i < 4; i++) state->top[i] = (long double)seed + i / 3.0L;
}

// Loads the registers, runs the code, stores them. The code is one asm string that keeps rsi, rdi
// and rbx.
#define THROUGH_REGISTERS(in, out, code, ...) \
  __asm__ volatile(                                                                              \
      "fninit\n fldcw 516(%%rsi)\n ldmxcsr 512(%%rsi)\n"                                         \
      "fldt 576(%%rsi)\n fldt 560(%%rsi)\n fldt 544(%%rsi)\n fldt 528(%%rsi)\n"                  \
      "test %%ebx, %%ebx\n jz 1f\n" MOVE_ALL_("vmovdqu", "ymm", LOAD_) "jmp 2f\n"                \
      "1:\n" MOVE_ALL_("movdqu", "xmm", LOAD_) "2:\n" code "\n"                                  \
      "test %%ebx, %%ebx\n jz 3f\n" MOVE_ALL_("vmovdqu", "ymm", STORE_) "vzeroupper\n jmp 4f\n"  \
      "3:\n" MOVE_ALL_("movdqu", "xmm", STORE_) "4:\n"                                           \
      "stmxcsr 512(%%rdi)\n fnstcw 516(%%rdi)\n"                                                 \
      "fstpt 528(%%rdi)\n fstpt 544(%%rdi)\n fstpt 560(%%rdi)\n fstpt 576(%%rdi)\n"              \
      "pushq $0x1f80\n ldmxcsr (%%rsp)\n addq $8, %%rsp\n fninit\n"                              \
      : __VA_ARGS__                                                                              \
      : "S"(in), "D"(out), "b"(HasAvx() ? 1 : 0)                                                 \
      : "memory", "cc", "rcx", "rdx", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2", "xmm3",  \
        "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",      \
        "xmm14", "xmm15", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)")

#define LOAD_(op, kind, n, offset) op " " #offset "(%%rsi), %%" kind #n "\n"
#define STORE_(op, kind, n, offset) op " %%" kind #n ", " #offset "(%%rdi)\n"
// clang-format off
#define MOVE_ALL_(op, kind, M)                                                               \
  M(op, kind, 0, 0) M(op, kind, 1, 32) M(op, kind, 2, 64) M(op, kind, 3, 96)                 \
  M(op, kind, 4, 128) M(op, kind, 5, 160) M(op, kind, 6, 192) M(op, kind, 7, 224)            \
  M(op, kind, 8, 256) M(op, kind, 9, 288) M(op, kind, 10, 320) M(op, kind, 11, 352)          \
  M(op, kind, 12, 384) M(op, kind, 13, 416) M(op, kind, 14, 448) M(op, kind, 15, 480)
// clang-format on

static inline void CheckState(const struct VectorState* got, const struct VectorState* wanted) {
  for (int i = 0; i < 16; i++)
    if (memcmp(got->ymm[i], wanted->ymm[i], HasAvx() ? 32 : 16) != 0)
      FAIL("vector register %d changed", i);
  CHECK_EQ(got->mxcsr & ~0x3fu, wanted->mxcsr & ~0x3fu);
  CHECK_EQ(got->control, wanted->control);
  for (int i = 0; i < 4; i++)
    if (memcmp(&got->top[i], &wanted->top[i], 10) != 0) FAIL("x87 register %d changed", i);
}
_Static_assert(offsetof(struct VectorState, mxcsr) == 512, "asm offsets");
_Static_assert(offsetof(struct VectorState, control) == 516, "asm offsets");
_Static_assert(offsetof(struct VectorState, top) == 528, "asm offsets");
#endif
