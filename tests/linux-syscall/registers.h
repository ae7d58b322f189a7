// Fills the vector and floating-point registers with known values and reads them back (x86-64, and
// the floating-point ones of riscv64).
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

#ifdef __riscv
struct FloatState {
  uint64_t f[32];
  uint64_t control;  // rounding mode and flags
};

static inline void MakeState(struct FloatState* state, unsigned seed) {
  for (unsigned i = 0; i < 32; i++)
    state->f[i] = 0x3ff0000000000000 + (uint64_t)seed * 0x10001 + i * 0x9e3779b9ull;
  state->control = (seed % 5) << 5 | seed % 32;
}

// Loads the registers, runs the code, stores them. The code finds |value| in s4 and leaves it
// there; it keeps s2 and s3, and may change a0 to a2, a7 and t0.
#define THROUGH_REGISTERS(in, out, value, code)                                                    \
  do {                                                                                             \
    register const void* in_ __asm__("s2") = (in);                                                 \
    register void* out_ __asm__("s3") = (out);                                                     \
    register long value_ __asm__("s4") = (value);                                                  \
    __asm__ volatile(EACH_FLOAT_("fld", "s2") "ld t0, 256(s2)\n fscsr t0\n" code "\n" EACH_FLOAT_( \
                         "fsd", "s3") "frcsr t0\n sd t0, 256(s3)\n fscsr zero\n"                   \
                     : "+r"(value_)                                                                \
                     : "r"(in_), "r"(out_)                                                         \
                     : "memory", "t0", "a0", "a1", "a2", "a7", "f0", "f1", "f2", "f3", "f4", "f5", \
                       "f6", "f7", "f8", "f9", "f10", "f11", "f12", "f13", "f14", "f15", "f16",    \
                       "f17", "f18", "f19", "f20", "f21", "f22", "f23", "f24", "f25", "f26",       \
                       "f27", "f28", "f29", "f30", "f31");                                         \
    (value) = value_;                                                                              \
  } while (0)
#define EACH_FLOAT_(op, base)                                                             \
  ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28," \
  "29,30,31\n " op " f\\n, (8 * \\n)(" base ")\n .endr\n"

static inline void CheckState(const struct FloatState* got, const struct FloatState* wanted) {
  for (int i = 0; i < 32; i++)
    if (got->f[i] != wanted->f[i]) FAIL("floating-point register %d changed", i);
  CHECK_EQ(got->control, wanted->control);
}

// x1 to x31; two of them are the pointers to the states, as they are on the way.
struct General {
  uint64_t x[32];
};

// Loads all of `before` but sp, gp and tp, runs the code, stores all into `after`.
#define THROUGH_GENERAL(name, code)                                                                 \
  __attribute__((naked, noinline)) static void name(                                                \
      const struct General* before __attribute__((unused)),                                         \
      struct General* after __attribute__((unused))) {                                              \
    __asm__("addi sp, sp, -128\n sd ra, 0(sp)\n" SAVED_("sd") "sd a1, 104(sp)\n mv t6, a0\n"      \
            ALL_("ld", "t6") "ld t6, 248(t6)\n" code "\n"                                         \
            "sd t6, 112(sp)\n ld t6, 104(sp)\n" ALL_("sd", "t6")                                  \
            "ld t5, 112(sp)\n sd t5, 248(t6)\n"                                                   \
            "ld ra, 0(sp)\n" SAVED_("ld") "addi sp, sp, 128\n ret"); \
  }
#define SAVED_(op)                                                                                 \
  op " s0, 8(sp)\n" op " s1, 16(sp)\n" op " s2, 24(sp)\n" op " s3, 32(sp)\n" op " s4, 40(sp)\n" op \
     " s5, 48(sp)\n" op " s6, 56(sp)\n" op " s7, 64(sp)\n" op " s8, 72(sp)\n" op                   \
     " s9, 80(sp)\n" op " s10, 88(sp)\n" op " s11, 96(sp)\n"
#define ALL_(op, base)                                                           \
  op " x1, 8(" base                                                              \
     ")\n .irp n, 5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26," \
     "27,28,29,30\n " op " x\\n, (8 * \\n)(" base ")\n .endr\n"

static inline void MakeGeneral(struct General* state, unsigned seed) {
  for (unsigned i = 0; i < 32; i++) state->x[i] = 0x0101010101010101 * i + seed;
}

// Except those whose bits are set.
static inline void CheckGeneral(const struct General* got, const struct General* wanted,
                                uint32_t except) {
  except |= 1u << 0 | 1u << 2 | 1u << 3 | 1u << 4;
  for (int i = 0; i < 32; i++)
    if (!(except >> i & 1) && got->x[i] != wanted->x[i])
      FAIL("x%d is %lx, not %lx", i, (unsigned long)got->x[i], (unsigned long)wanted->x[i]);
}
#endif
