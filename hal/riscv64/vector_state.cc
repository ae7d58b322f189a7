#include "hal/riscv64/vector_state.h"

#include <algorithm>

#include "base/assert.h"
#include "hal/riscv64/isa.h"
#include "hal/riscv64/page_table.h"

extern "C" {
void StoreVectors(std::byte* to, zrun::hal::VectorControl* control);
void LoadVectors(const std::byte* from, const zrun::hal::VectorControl* control);
uint64_t ReadVectorBytes();
}

namespace zrun::hal {
namespace {

constexpr uint64_t kMask = 3 << 9, kClean = 2 << 9, kDirty = 3 << 9;  // sstatus.VS
constinit size_t g_bytes = 0;                                         // 0: no vector registers

void AllowHere() { asm volatile("csrs sstatus, %0" : : "r"(kDirty)); }

// <asm/sigcontext.h>: __riscv_ctx_hdr, __riscv_v_ext_state.
struct Record {
  uint32_t magic, size;
  VectorControl control;
  uint64_t register_bytes;  // vlenb
  uint64_t data;            // where the guest finds the registers' bytes: behind this
};
static_assert(sizeof(Record) == 56);
constexpr uint32_t kMagic = 0x53465457;
constexpr size_t kEndMark = 8;

// To memory if they have changed, where they stay as they are.
void Save(Thread& thread) {
  if ((thread.status & kMask) != kDirty) return;
  AllowHere();
  StoreVectors(thread.vectors, &thread.vector_control);
  thread.status = (thread.status & ~kMask) | kClean;
}

// Memory for them, at their first use.
Result<void> ProvideMemory(Thread& thread) {
  if (thread.vectors) return {};
  const paddr_t frame = AllocateTable();
  if (!frame) return Errno::kENOMEM;
  thread.vectors = WindowPointer<std::byte>(frame);
  thread.vector_control = {};
  return {};
}

}  // namespace

void InitVectors() {
  if (!Isa::OfBootHart().Has("v")) return;
  AllowHere();
  const uint64_t bytes = 32 * ReadVectorBytes();
  if (bytes <= kPageSize) g_bytes = bytes;
}

bool HasVectors() { return g_bytes > 0; }
size_t VectorBytes() { return g_bytes; }

void LeaveVectors(Hart& hart, Thread& thread) {
  if ((thread.status & kMask) != kDirty) return;
  Save(thread);
  hart.vectors_owner = &thread;
  thread.vectors_hart = &hart;
}

void EnterVectors(Hart& hart, Thread& thread) {
  thread.status &= ~kMask;
  if (hart.vectors_owner == &thread && thread.vectors_hart == &hart) thread.status |= kClean;
}

Result<bool> TurnVectorsOn() {
  Thread& self = CurrentThread();
  if (!HasVectors() || (self.status & kMask) != 0) return false;
  TRY(ProvideMemory(self));
  InterruptsOff off;
  Hart& hart = ThisHart();
  AllowHere();
  LoadVectors(self.vectors, &self.vector_control);
  self.status |= kClean;
  self.vectors_hart = &hart;
  hart.vectors_owner = &self;
  return true;
}

void DropVectors() {
  Thread& self = CurrentThread();
  {
    InterruptsOff off;
    self.status &= ~kMask;
    self.vectors_hart = nullptr;
  }
  if (std::byte* vectors = std::exchange(self.vectors, nullptr)) FreeTable(VirtToPhys(vectors));
}

size_t VectorRecordSize() { return HasVectors() ? sizeof(Record) + g_bytes + kEndMark : 0; }

void SaveVectorRecord(std::span<std::byte> bytes, vaddr_t place) {
  Thread& self = CurrentThread();
  if (!self.vectors) return;  // never used: no record
  {
    InterruptsOff off;
    Save(self);
  }
  Record record{};
  record.magic = kMagic;
  record.size = uint32_t(sizeof record + g_bytes);
  record.control = self.vector_control;
  record.register_bytes = g_bytes / 32;
  record.data = place + sizeof record;
  __builtin_memcpy(bytes.data(), &record, sizeof record);
  __builtin_memcpy(bytes.data() + sizeof record, self.vectors, g_bytes);
}

bool LoadVectorRecord(std::span<const std::byte> bytes) {
  Thread& self = CurrentThread();
  Record record;
  if (bytes.size() < sizeof record) return bytes.empty();
  __builtin_memcpy(&record, bytes.data(), sizeof record);
  if (record.magic == 0) {  // the end: as if they had never been used
    DropVectors();
    return record.size == 0;
  }
  if (record.magic != kMagic || record.size != sizeof record + g_bytes) return false;
  // A child that was forked in the handler has not used them before it returns from there.
  if (!ProvideMemory(self).ok()) return false;
  InterruptsOff off;
  __builtin_memcpy(self.vectors, bytes.data() + sizeof record, g_bytes);
  self.vector_control = record.control;
  self.vector_control.control &= 7;
  self.vector_control.start &= g_bytes - 1;
  self.status &= ~kMask;
  self.vectors_hart = nullptr;
  return true;
}

}  // namespace zrun::hal
