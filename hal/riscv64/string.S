// What the compiler may call. Words are read unaligned where the two sides disagree (user_copy.S).
.text
.globl memcpy, memmove, memset, memcmp, memchr, strlen
memmove:
  sub t0, a0, a1
  bltu t0, a2, backwards    // the destination begins inside the source
memcpy:
  mv a6, a0
  add a7, a0, a2
  li t0, 16
  bltu a2, t0, 4f
1:
  andi t0, a6, 7
  beqz t0, 2f
  lb t1, 0(a1)
  sb t1, 0(a6)
  addi a6, a6, 1
  addi a1, a1, 1
  j 1b
2:
  addi a4, a7, -64
  bgtu a6, a4, 3f
21:
  ld t0, 0(a1)
  ld t1, 8(a1)
  ld t2, 16(a1)
  ld t3, 24(a1)
  ld t4, 32(a1)
  ld t5, 40(a1)
  ld t6, 48(a1)
  ld a5, 56(a1)
  sd t0, 0(a6)
  sd t1, 8(a6)
  sd t2, 16(a6)
  sd t3, 24(a6)
  sd t4, 32(a6)
  sd t5, 40(a6)
  sd t6, 48(a6)
  sd a5, 56(a6)
  addi a6, a6, 64
  addi a1, a1, 64
  bleu a6, a4, 21b
3:
  addi a4, a7, -8
31:
  bgtu a6, a4, 4f
  ld t0, 0(a1)
  sd t0, 0(a6)
  addi a6, a6, 8
  addi a1, a1, 8
  j 31b
4:
  bgeu a6, a7, 5f
  lb t1, 0(a1)
  sb t1, 0(a6)
  addi a6, a6, 1
  addi a1, a1, 1
  j 4b
5:
  ret

backwards:
  beqz a2, 5b
  add a6, a0, a2
  add a1, a1, a2
  xor t0, a6, a1
  andi t0, t0, 7
  bnez t0, 8f
6:
  andi t0, a6, 7
  beqz t0, 7f
  beq a6, a0, 5b
  addi a6, a6, -1
  addi a1, a1, -1
  lb t1, 0(a1)
  sb t1, 0(a6)
  j 6b
7:
  addi a4, a0, 8
71:
  bltu a6, a4, 8f
  addi a6, a6, -8
  addi a1, a1, -8
  ld t1, 0(a1)
  sd t1, 0(a6)
  j 71b
8:
  beq a6, a0, 5b
  addi a6, a6, -1
  addi a1, a1, -1
  lb t1, 0(a1)
  sb t1, 0(a6)
  j 8b

memset:
  mv a6, a0
  add a7, a0, a2
  li t0, 16
  bltu a2, t0, 4f
  andi a1, a1, 255
  slli t0, a1, 8
  or a1, a1, t0
  slli t0, a1, 16
  or a1, a1, t0
  slli t0, a1, 32
  or a1, a1, t0
1:
  andi t0, a6, 7
  beqz t0, 2f
  sb a1, 0(a6)
  addi a6, a6, 1
  j 1b
2:
  addi a4, a7, -64
  bgtu a6, a4, 3f
21:
  sd a1, 0(a6)
  sd a1, 8(a6)
  sd a1, 16(a6)
  sd a1, 24(a6)
  sd a1, 32(a6)
  sd a1, 40(a6)
  sd a1, 48(a6)
  sd a1, 56(a6)
  addi a6, a6, 64
  bleu a6, a4, 21b
3:
  addi a4, a7, -8
31:
  bgtu a6, a4, 4f
  sd a1, 0(a6)
  addi a6, a6, 8
  j 31b
4:
  bgeu a6, a7, 5f
  sb a1, 0(a6)
  addi a6, a6, 1
  j 4b
5:
  ret

memcmp:
  add a7, a0, a2
  or t0, a0, a1
  andi t0, t0, 7
  bnez t0, 2f
  addi a4, a7, -8
1:
  bgtu a0, a4, 2f
  ld t0, 0(a0)
  ld t1, 0(a1)
  bne t0, t1, 2f
  addi a0, a0, 8
  addi a1, a1, 8
  j 1b
2:
  bgeu a0, a7, 3f
  lbu t0, 0(a0)
  lbu t1, 0(a1)
  bne t0, t1, 4f
  addi a0, a0, 1
  addi a1, a1, 1
  j 2b
3:
  li a0, 0
  ret
4:
  sub a0, t0, t1
  ret

memchr:
  add a7, a0, a2
  andi a1, a1, 255
1:
  bgeu a0, a7, 2f
  lbu t0, 0(a0)
  beq t0, a1, 3f
  addi a0, a0, 1
  j 1b
2:
  li a0, 0
3:
  ret

strlen:
  mv a1, a0
1:
  lbu t0, 0(a0)
  beqz t0, 2f
  addi a0, a0, 1
  j 1b
2:
  sub a0, a0, a1
  ret
