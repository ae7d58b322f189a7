#include "hal/riscv64/layout.h"

// Ways between guest and kernel, and between kernel threads. In the kernel, tp is the current
// hal::Thread and sscratch is 0; in the guest, sscratch is the hal::Thread. gp is the guest's
// throughout: kernel code has no use for it.

.macro EACH_REGISTER_BUT_SP_TP operation, base
  \operation ra, 8(\base)
  \operation gp, 24(\base)
  \operation t0, 40(\base)
  \operation t1, 48(\base)
  \operation t2, 56(\base)
  \operation s0, 64(\base)
  \operation s1, 72(\base)
  \operation a0, 80(\base)
  \operation a1, 88(\base)
  \operation a2, 96(\base)
  \operation a3, 104(\base)
  \operation a4, 112(\base)
  \operation a5, 120(\base)
  \operation a6, 128(\base)
  \operation a7, 136(\base)
  \operation s2, 144(\base)
  \operation s3, 152(\base)
  \operation s4, 160(\base)
  \operation s5, 168(\base)
  \operation s6, 176(\base)
  \operation s7, 184(\base)
  \operation s8, 192(\base)
  \operation s9, 200(\base)
  \operation s10, 208(\base)
  \operation s11, 216(\base)
  \operation t3, 224(\base)
  \operation t4, 232(\base)
  \operation t5, 240(\base)
  \operation t6, 248(\base)
.endm

// What the calling convention lets a function rely on.
.macro SAVED_REGISTERS operation
  \operation ra, 0(sp)
  \operation s0, 8(sp)
  \operation s1, 16(sp)
  \operation s2, 24(sp)
  \operation s3, 32(sp)
  \operation s4, 40(sp)
  \operation s5, 48(sp)
  \operation s6, 56(sp)
  \operation s7, 64(sp)
  \operation s8, 72(sp)
  \operation s9, 80(sp)
  \operation s10, 88(sp)
  \operation s11, 96(sp)
.endm

.text
// void EnterGuest(): runs the guest with the current thread's registers. Returns at its next trap,
// which is in the thread then. Interrupts are off before and after.
.globl EnterGuest
EnterGuest:
  addi sp, sp, -112
  SAVED_REGISTERS sd
  sd sp, THREAD_KERNEL_SP(tp)
  ld t0, THREAD_STATUS(tp)
  ld t1, 0(tp)
  csrw sstatus, t0
  csrw sepc, t1
  csrw sscratch, tp
  EACH_REGISTER_BUT_SP_TP ld, tp
  ld sp, 16(tp)
  ld tp, 32(tp)
  sret

.globl TrapEntry
.balign 4
TrapEntry:
  csrrw tp, sscratch, tp
  beqz tp, from_kernel
  EACH_REGISTER_BUT_SP_TP sd, tp
  sd sp, 16(tp)
  csrrw t0, sscratch, zero
  sd t0, 32(tp)
  csrr t0, sepc
  csrr t1, sstatus
  csrr t2, scause
  csrr t3, stval
  sd t0, 0(tp)
  sd t1, THREAD_STATUS(tp)
  sd t2, THREAD_CAUSE(tp)
  sd t3, THREAD_VALUE(tp)
  ld sp, THREAD_KERNEL_SP(tp)
  SAVED_REGISTERS ld
  addi sp, sp, 112
  ret

from_kernel:
  // tp is free: the current thread is in sscratch.
  addi sp, sp, -FRAME_SIZE
  slli tp, sp, 63 - ZRUN_STACK_BIT
  bgez tp, overflow
resume:
  csrrw tp, sscratch, zero
  EACH_REGISTER_BUT_SP_TP sd, sp
  sd tp, 32(sp)
  addi t0, sp, FRAME_SIZE
  sd t0, 16(sp)
  csrr t0, sepc
  csrr t1, sstatus
  csrr t2, scause
  csrr t3, stval
  sd t0, 0(sp)
  sd t1, FRAME_STATUS(sp)
  sd t2, FRAME_CAUSE(sp)
  sd t3, FRAME_VALUE(sp)
  mv a0, sp
  call KernelTrap
  ld t0, 0(sp)
  ld t1, FRAME_STATUS(sp)
  csrw sepc, t0
  csrw sstatus, t1
  EACH_REGISTER_BUT_SP_TP ld, sp
  ld sp, 16(sp)
  sret

// The stack has run into its guard: report that on a stack of its own.
overflow:
  lla tp, overflow_sp
  sd sp, 0(tp)
  lla sp, overflow_stack + 8192 - FRAME_SIZE
  j resume

// [[noreturn]] void PanicTrap(const std::string_view* reason): KernelTrap knows it by its address.
.globl PanicTrap
.balign 4
PanicTrap:
  ebreak

// void SwitchContext(hal::Thread* next): the caller goes on when somebody switches back to it.
.globl SwitchContext
SwitchContext:
  addi sp, sp, -112
  SAVED_REGISTERS sd
  sd sp, THREAD_SWITCH_SP(tp)
  mv tp, a0
  ld sp, THREAD_SWITCH_SP(tp)
  SAVED_REGISTERS ld
  addi sp, sp, 112
  ret

// Where a new thread's first SwitchContext returns to.
.globl ThreadBegin
ThreadBegin:
  mv s0, zero
  mv ra, zero
  tail ThreadMain

.option push
.option arch, +f, +d
.macro EACH_FLOAT operation
  .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
  \operation f\n, (\n * 8)(a0)
  .endr
.endm
// void StoreFloats(FloatState*), void LoadFloats(const FloatState*): sstatus.FS is on.
.globl StoreFloats
StoreFloats:
  EACH_FLOAT fsd
  frcsr t0
  sw t0, 256(a0)
  ret
.globl LoadFloats
LoadFloats:
  EACH_FLOAT fld
  lw t0, 256(a0)
  fscsr t0
  ret
.option pop

.section .bss
.balign 16
.globl overflow_sp
overflow_sp:
  .skip 16
// Aligned like a block, so that traps while reporting are not taken for overflows.
.balign ZRUN_BLOCK_SIZE
  .skip ZRUN_STACK_SIZE
overflow_stack:
  .skip 8192
