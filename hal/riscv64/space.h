#pragma once
#include <array>
#include <iterator>

#include "hal/riscv64/page_table.h"

namespace zrun::hal {

// The hart's, with interrupts off.
void LoadKernelTables(Hart& hart);

// One guest's translations: the tables of its half, and which harts may remember them.
//
// A change that takes something away counts |generation_| up. A hart that has the space loaded, and
// has seen less, flushes before it next enters the guest or touches guest memory; so a system call
// that unmaps twenty ranges flushes once. Other harts that run the space are interrupted, and the
// change waits for them: the frames may be given to somebody else when it returns.
class Space final : public AddressSpace {
 public:
  static Result<RefPtr<AddressSpace>> Create();
  ~Space() override;
  Result<void> MapShared(vaddr_t base, std::span<const PhysRange> frames, Access access) override;
  Result<void> MapMissing(vaddr_t base, std::span<const PhysRange> frames, Access access) override;
  Result<void> CopyFrom(AddressSpace& other, VirtRange range) override;
  Result<void> Protect(VirtRange range, Access access) override;
  Result<void> Unmap(VirtRange range) override;
  Result<void> UnmapAll() override;

  // The hart's, with interrupts off: loads this space instead of what is loaded.
  void Load(Hart& hart);
  // The hart goes on without guests, with this space loaded: it need not hear of changes until it
  // is asked to load the space again, so that nobody waits for a processor that sleeps.
  void Rest(Hart& hart);
  // The hart has this space loaded: flushes if it has not seen the last change.
  void CatchUp(Hart& hart) {
    if (seen_[hart.index].load(std::memory_order_relaxed) !=
        generation_.load(std::memory_order_seq_cst)) [[unlikely]]
      Flush(hart);
    if (seen_code_[hart.index] != code_generation_.load(std::memory_order_relaxed)) [[unlikely]]
      FlushCode(hart);
  }
  // An interrupt has asked the hart to.
  static void AnswerShootDown(Hart& hart);
  // Code was written: harts fetch it anew before they run the guest again; all harts have, or will.
  void FlushCodeEverywhere();
  // Pages mapped, at most at any time.
  uint64_t peak_pages() const { return peak_pages_.load(std::memory_order_relaxed); }

 private:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> zrun::MakeRef(Args&&...);
  Space(paddr_t root, uint32_t asid) : root_(root), asid_(asid) {}

  // A table of leaves and what lies in it; grown on the way.
  struct Slot {
    PageEntry* table;  // null: missing
    vaddr_t end;       // of what the table covers
  };
  Slot FindTable(vaddr_t address) REQUIRES(lock_);
  Result<void> GrowTo(vaddr_t address) EXCLUDES(lock_);
  // Tables without entries that are out of the tree: freed when nobody can be walking them.
  struct Detached {
    paddr_t tables[16];
    unsigned count = 0;
    bool is_full() const { return count + 3 > std::size(tables); }
  };
  void DetachEmpty(vaddr_t address, Detached& out) REQUIRES(lock_);
  void FreeDetached(Detached& detached) EXCLUDES(lock_);
  // Before a change of |range|: no part of it is in tables that other spaces have, too.
  Result<void> OwnTables(VirtRange range) EXCLUDES(lock_);
  void Changed(bool tables = false);
  void AwaitHarts(uint64_t generation, bool tables);
  void Flush(Hart& hart);
  void Leave(Hart& hart);
  void FlushCode(Hart& hart);
  bool FreeListedTables();
  void FreeTables(paddr_t table, unsigned level, unsigned entries);

  SpinLock lock_;
  const paddr_t root_;
  const uint32_t asid_;
  // Tables but the root. The first are listed, so that those of small programs, which come and go,
  // need not be looked for.
  static constexpr uint32_t kListedTables = 32;
  paddr_t tables_[kListedTables];  // GUARDED_BY(lock_)
  uint32_t listed_ = 0;            // GUARDED_BY(lock_)
  bool all_listed_ = true;         // GUARDED_BY(lock_)
  bool shares_vdso_ = true;        // changes when nobody else changes translations
  uint64_t pages_ GUARDED_BY(lock_) = 0;
  std::atomic<uint64_t> peak_pages_{0};
  std::atomic<uint32_t> active_{0};   // harts that have it loaded
  std::atomic<uint32_t> resting_{0};  // and of them those that run none of its threads
  std::atomic<bool> dying_{false};
  std::atomic<uint64_t> generation_{0};
  std::array<std::atomic<uint64_t>, kMaxHarts> seen_{};
  std::atomic<uint32_t> code_generation_{0};
  std::array<uint32_t, kMaxHarts> seen_code_{};
  friend void LoadKernelTables(Hart& hart);
};

}  // namespace zrun::hal
