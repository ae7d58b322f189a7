// Vector registers to and from memory: sstatus.VS is on. hal::VectorControl: vstart, vl, vtype, vcsr.
.option arch, +v
.text

// Eight registers at a time, from a0 up.
.macro EACH_VECTOR operation
  csrr t1, vlenb
  slli t1, t1, 3
  .irp n, 0,8,16,24
  \operation v\n, (a0)
  add a0, a0, t1
  .endr
.endm

// void StoreVectors(std::byte* to, VectorControl*): the registers stay as they are.
.globl StoreVectors
StoreVectors:
  csrr t0, vstart
  csrr t1, vl
  csrr t2, vtype
  csrr t3, vcsr
  sd t0, 0(a1)
  sd t1, 8(a1)
  sd t2, 16(a1)
  sd t3, 24(a1)
  csrw vstart, zero
  EACH_VECTOR vs8r.v
  csrw vstart, t0
  ret

// void LoadVectors(const std::byte* from, const VectorControl*)
.globl LoadVectors
LoadVectors:
  csrw vstart, zero
  EACH_VECTOR vl8re8.v
  ld t0, 8(a1)
  ld t1, 16(a1)
  vsetvl zero, t0, t1
  ld t0, 24(a1)
  csrw vcsr, t0
  ld t0, 0(a1)
  csrw vstart, t0
  ret

// uint64_t ReadVectorBytes(): the bytes of one register.
.globl ReadVectorBytes
ReadVectorBytes:
  csrr a0, vlenb
  ret
