// Vector registers to and from memory: sstatus.VS is on. hal::VectorControl: vstart, vl, vtype, vcsr.
.option arch, +v
.text

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
  csrr t1, vlenb
  slli t1, t1, 3
  vs8r.v v0, (a0)
  add a0, a0, t1
  vs8r.v v8, (a0)
  add a0, a0, t1
  vs8r.v v16, (a0)
  add a0, a0, t1
  vs8r.v v24, (a0)
  csrw vstart, t0
  ret

// void LoadVectors(const std::byte* from, const VectorControl*)
.globl LoadVectors
LoadVectors:
  csrw vstart, zero
  csrr t1, vlenb
  slli t1, t1, 3
  vl8re8.v v0, (a0)
  add a0, a0, t1
  vl8re8.v v8, (a0)
  add a0, a0, t1
  vl8re8.v v16, (a0)
  add a0, a0, t1
  vl8re8.v v24, (a0)
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
