// Copies that may fault. sstatus.SUM stays set in the kernel: under QEMU, setting and clearing it
// costs more than most system calls. What it would catch, a stray access of kernel code to the
// lower half, is ended by a panic anyway unless the page happens to be mapped, kernel code never
// runs user pages whatever SUM says, and guest addresses are only dereferenced in this file.

// A fault at the label that follows goes on at |landing|.
.macro MAY_FAULT landing:req, instruction:vararg
9: \instruction
  .pushsection .fixup_table, "a"
  .dword 9b, \landing
  .popsection
.endm

.text
// size_t CopyUserBytes(void* to, const void* from, size_t size): how many bytes were copied before
// one faulted. Words are read unaligned when source and destination disagree; QEMU and application
// processors do that in hardware. After a fault among words, single bytes find the exact place.
.globl CopyUserBytes
CopyUserBytes:
  mv a6, a0
  add a7, a0, a2            // the end
  li t0, 16
  bltu a2, t0, bytes
align:
  andi t0, a0, 7
  beqz t0, words
  MAY_FAULT done, lb t1, 0(a1)
  MAY_FAULT done, sb t1, 0(a0)
  addi a0, a0, 1
  addi a1, a1, 1
  j align
words:
  addi a4, a7, -64
  bgtu a0, a4, singles
1:
  MAY_FAULT bytes, ld t0, 0(a1)
  MAY_FAULT bytes, ld t1, 8(a1)
  MAY_FAULT bytes, ld t2, 16(a1)
  MAY_FAULT bytes, ld t3, 24(a1)
  MAY_FAULT bytes, ld t4, 32(a1)
  MAY_FAULT bytes, ld t5, 40(a1)
  MAY_FAULT bytes, ld t6, 48(a1)
  MAY_FAULT bytes, ld a5, 56(a1)
  MAY_FAULT bytes, sd t0, 0(a0)
  MAY_FAULT bytes, sd t1, 8(a0)
  MAY_FAULT bytes, sd t2, 16(a0)
  MAY_FAULT bytes, sd t3, 24(a0)
  MAY_FAULT bytes, sd t4, 32(a0)
  MAY_FAULT bytes, sd t5, 40(a0)
  MAY_FAULT bytes, sd t6, 48(a0)
  MAY_FAULT bytes, sd a5, 56(a0)
  addi a0, a0, 64
  addi a1, a1, 64
  bleu a0, a4, 1b
singles:
  addi a4, a7, -8
  bgtu a0, a4, bytes
2:
  MAY_FAULT bytes, ld t0, 0(a1)
  MAY_FAULT bytes, sd t0, 0(a0)
  addi a0, a0, 8
  addi a1, a1, 8
  bleu a0, a4, 2b
bytes:
  bgeu a0, a7, done
  MAY_FAULT done, lb t1, 0(a1)
  MAY_FAULT done, sb t1, 0(a0)
  addi a0, a0, 1
  addi a1, a1, 1
  j bytes
done:
  sub a0, a0, a6
  ret

// size_t ZeroUserBytes(void* to, size_t size): how many were zeroed before one faulted.
.globl ZeroUserBytes
ZeroUserBytes:
  mv a6, a0
  add a7, a0, a1
1:
  bgeu a0, a7, 4f
  andi t0, a0, 7
  bnez t0, 3f
  addi t0, a7, -8
2:
  bgtu a0, t0, 3f
  MAY_FAULT 4f, sd zero, 0(a0)
  addi a0, a0, 8
  j 2b
3:
  bgeu a0, a7, 4f
  MAY_FAULT 4f, sb zero, 0(a0)
  addi a0, a0, 1
  j 1b
4:
  sub a0, a0, a6
  ret

// size_t CopyUserString(char* to, const char* from, size_t size): bytes copied, up to and with the
// NUL.
.globl CopyUserString
CopyUserString:
  mv a6, a0
  add a7, a0, a2
1:
  bgeu a0, a7, 2f
  MAY_FAULT 2f, lbu t1, 0(a1)
  sb t1, 0(a0)
  addi a0, a0, 1
  addi a1, a1, 1
  bnez t1, 1b
2:
  sub a0, a0, a6
  ret

// int LoadUser32(const uint32_t* from, uint32_t* value): 1, or 0 on a fault.
.globl LoadUser32
LoadUser32:
  MAY_FAULT fault0, lw t0, 0(a0)
  fence r, rw
  sw t0, 0(a1)
  li a0, 1
  ret
fault0:
  li a0, 0
  ret

// int CompareExchangeUser32(uint32_t* word, uint32_t* expected, uint32_t desired): 1 swapped, 0
// not, -1 a fault. |*expected| receives what was there.
.globl CompareExchangeUser32
CompareExchangeUser32:
  lw t0, 0(a1)
1:
  MAY_FAULT fault1, lr.w.aqrl t1, (a0)
  bne t1, t0, 2f
  MAY_FAULT fault1, sc.w.aqrl t2, a2, (a0)
  bnez t2, 1b
  li a0, 1
  ret
2:
  sw t1, 0(a1)
  li a0, 0
  ret
fault1:
  li a0, -1
  ret
