#include "hal/riscv64/layout.h"

// Where harts begin: physical addresses, no translation. Both ways on lead to the upper half by a
// trap: with translation on, the next instruction is fetched from an address that is not mapped.

#define SATP_SV39 8
#define PTE_GLOBAL_RW 0xe7   // dirty accessed global | write read valid
#define PTE_GLOBAL_RWX 0xef

.section .text.entry, "ax"
.globl _start
// a0: hart, a1: device tree.
_start:
  csrw sie, zero
  lla t0, boot_entered
  li t1, 1
  amoswap.w t1, t1, (t0)
  bnez t1, stray
  // Early tables: the kernel's gigabyte, and the first of the window. boot.cc makes the real ones.
  lla t0, early_root
  li t1, (0x80000000 >> 2) | PTE_GLOBAL_RWX
  li t2, 510 * 8
  add t2, t2, t0
  sd t1, 0(t2)
  li t1, PTE_GLOBAL_RW
  li t2, 320 * 8
  add t2, t2, t0
  li t3, 64
  li t4, 0x40000000 >> 2
1:
  sd t1, 0(t2)
  add t1, t1, t4
  addi t2, t2, 8
  addi t3, t3, -1
  bnez t3, 1b
  srli t0, t0, 12
  li t1, SATP_SV39 << 60
  or t0, t0, t1
  lla t1, 2f
  li t2, ZRUN_KERNEL_OFFSET
  add t1, t1, t2
  csrw stvec, t1
  sfence.vma
  csrw satp, t0
  unimp
.balign 4
2:
  lla tp, boot_thread_pointer
  ld tp, 0(tp)
  mv sp, tp
  call PrepareHart
  mv s0, zero
  tail MachineStart

// Another hart comes here too: OpenSBI 1.1 says that a hart is to start before it says where, and
// one that looks in between takes the boot hart's way. Where it should be was noted for it.
stray:
  li t1, ZRUN_HART_IDS
  bgeu a0, t1, 5f
  lla t0, hart_starts
  slli t1, a0, 3
  add t0, t0, t1
4:
  ld a1, 0(t0)
  beqz a1, 4b
  fence r, rw
  j SecondaryStart
5:
  wfi
  j 5b

// a0: hart, a1: hal::HartStart, a physical address.
.globl SecondaryStart
.balign 4
SecondaryStart:
  csrw sie, zero
  lla t1, 3f
  li t2, ZRUN_KERNEL_OFFSET
  add t1, t1, t2
  csrw stvec, t1
  ld t0, 0(a1)   // satp
  ld tp, 8(a1)   // the hart's idle thread
  sfence.vma
  csrw satp, t0
  unimp
.balign 4
3:
  mv sp, tp
  call PrepareHart
  mv s0, zero
  tail HartStarted

PrepareHart:
  lla t0, TrapEntry
  csrw stvec, t0
  csrw sscratch, zero
  li t0, 2  // guests may read the time
  csrw scounteren, t0
  // No interrupts; user memory may be reached (user_copy.S says why always); floats off.
  li t0, 1 << 18
  csrw sstatus, t0
  ret

.section .bss
.balign 4096
early_root:
  .skip 4096
// The HartStart of each hart that was asked to start, by the firmware's number.
.globl hart_starts
hart_starts:
  .skip 8 * ZRUN_HART_IDS
boot_entered:
  .skip 8
