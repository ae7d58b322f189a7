#include "hal/riscv64/space.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "hal/riscv64/vdso.h"

namespace zrun::hal {
namespace {

// Address space identifiers. Those of spaces that are gone are used again after a flush of
// everything, when no fresh one is left; where the processor has none, all are 0 and every load
// flushes.
class Asids {
 public:
  // 0 if none is left: such a space is flushed whenever it is loaded.
  uint32_t Take() {
    SpinLocked lock(lock_);
    const uint32_t limit = uint32_t{1} << AsidBits();
    if (uint32_t asid = FindFresh(limit)) return asid;
    for (size_t i = 0; i < kWords; i++) {
      used_[i] &= ~returned_[i];
      returned_[i] = 0;
    }
    hint_ = 0;
    flushes_.fetch_add(1, std::memory_order_seq_cst);
    return FindFresh(limit);
  }
  void Return(uint32_t asid) {
    if (asid == 0) return;
    SpinLocked lock(lock_);
    returned_[asid / 64] |= uint64_t{1} << asid % 64;
  }
  // Harts flush everything when this has grown, before they load a space.
  uint32_t flushes() const { return flushes_.load(std::memory_order_seq_cst); }

 private:
  static constexpr size_t kWords = 65536 / 64;
  uint32_t FindFresh(uint32_t limit) {
    for (; hint_ * 64 < limit; hint_++) {
      uint64_t free = ~used_[hint_];
      if (hint_ == 0) free &= ~uint64_t{1};  // 0 is the kernel's
      if (free == 0) continue;
      const uint32_t asid = uint32_t(hint_ * 64 + unsigned(__builtin_ctzll(free)));
      if (asid >= limit) return 0;
      used_[hint_] |= uint64_t{1} << asid % 64;
      return asid;
    }
    return 0;
  }
  SpinLock lock_;
  size_t hint_ = 0;
  uint64_t used_[kWords] = {};
  uint64_t returned_[kWords] = {};
  std::atomic<uint32_t> flushes_{0};
};
constinit Asids g_asids;
constinit uint32_t g_flushes_seen[kMaxHarts] = {};

uint64_t UserBits(Access access) {
  uint64_t bits = kPageValid | kPageUser | kPageAccessed;
  if (HasAny(access, Access::kRead | Access::kWrite)) bits |= kPageRead;
  if (HasAny(access, Access::kWrite)) bits |= kPageWrite | kPageDirty;
  if (HasAny(access, Access::kExecute)) bits |= kPageExecute;
  return bits;
}

}  // namespace

Result<RefPtr<AddressSpace>> CreateAddressSpace() { return Space::Create(); }

Result<RefPtr<AddressSpace>> Space::Create() {
  const paddr_t root = AllocateTable();
  if (!root) return Errno::kENOMEM;
  CopyKernelHalf(root);
  MapVdso(root);
  const uint32_t asid = g_asids.Take();
  auto space = MakeRef<Space>(root, asid);
  if (!space.ok()) {
    g_asids.Return(asid);
    FreeTable(root);
    return space.error();
  }
  // A fork's peak begins with what its parent has, though its own translations come by faults.
  if (Space* creator = CurrentThread().space) {
    SpinLocked lock(creator->lock_);
    space.value()->peak_pages_.store(creator->pages_, std::memory_order_relaxed);
  }
  return RefPtr<AddressSpace>(std::move(space).value());
}

Space::~Space() {
  {
    InterruptsOff off;
    if (ThisHart().loaded == this) LoadKernelTables(ThisHart());
  }
  dying_.store(true, std::memory_order_seq_cst);
  Changed(true);
  if (shares_vdso_) TableAt(root_)[kVdsoSlot] = 0;
  if (!FreeListedTables()) FreeTables(root_, PagingLevels() - 1, kEntriesPerTable / 2);
  FreeTable(root_);
  g_asids.Return(asid_);
}

// ---- Loading and flushing

void LoadKernelTables(Hart& hart) {
  if (!hart.loaded) return;
  WriteSatp(KernelSatp());
  hart.loaded->Leave(hart);
  hart.loaded = nullptr;
}

void Space::Load(Hart& hart) {
  if (hart.loaded == this) {
    // Another thread of the space may have unmapped what this one is in the middle of copying.
    resting_.fetch_and(~(1u << hart.index), std::memory_order_seq_cst);
    CatchUp(hart);
    return;
  }
  Space* before = std::exchange(hart.loaded, this);
  active_.fetch_or(1u << hart.index, std::memory_order_seq_cst);
  WriteSatp((KernelSatp() >> 60) << 60 | uint64_t{asid_} << kSatpAsidShift | root_ >> 12);
  // Its tables may go as soon as it is left: not before they are out of satp.
  if (before) before->Leave(hart);
  const uint32_t flushes = g_asids.flushes();
  if (g_flushes_seen[hart.index] != flushes || asid_ == 0) {
    g_flushes_seen[hart.index] = flushes;
    FenceAll();
  }
  CatchUp(hart);
}

void Space::Leave(Hart& hart) {
  resting_.fetch_and(~(1u << hart.index), std::memory_order_relaxed);
  active_.fetch_and(~(1u << hart.index), std::memory_order_seq_cst);
}

void Space::Rest(Hart& hart) { resting_.fetch_or(1u << hart.index, std::memory_order_seq_cst); }

void Space::Flush(Hart& hart) {
  const uint64_t generation = generation_.load(std::memory_order_seq_cst);
  FenceAsid(asid_);
  seen_[hart.index].store(generation, std::memory_order_seq_cst);
}

void Space::FlushCode(Hart& hart) {
  seen_code_[hart.index] = code_generation_.load(std::memory_order_acquire);
  FenceCode();
}

void Space::AnswerShootDown(Hart& hart) {
  Space* space = hart.loaded;
  if (!space) return;
  if (space->dying_.load(std::memory_order_seq_cst)) {
    LoadKernelTables(hart);
  } else {
    space->CatchUp(hart);
  }
}

// Until no other hart that runs the space remembers what it was before |generation|; nor this one
// if |tables| are to go, which it may still walk.
void Space::AwaitHarts(uint64_t generation, bool tables) {
  const bool dying = dying_.load(std::memory_order_relaxed);
  uint32_t me;
  {
    InterruptsOff off;
    me = 1u << ThisHart().index;
  }
  const auto waits_for = [&](unsigned index) {
    if (!(active_.load(std::memory_order_seq_cst) >> index & 1)) return false;
    if (!tables && (resting_.load(std::memory_order_seq_cst) >> index & 1)) return false;
    return dying || seen_[index].load(std::memory_order_seq_cst) < generation;
  };
  const uint32_t told = tables ? 0 : me;
  for (unsigned i = 0; i < HartCount(); i++) {
    // Having come to another hart meanwhile does no harm: it is told like the others.
    if ((told >> i & 1) || !waits_for(i)) continue;
    {
      InterruptsOff off;
      Hart& here = ThisHart();
      if (here.index == i) {
        if (here.loaded == this) dying ? LoadKernelTables(here) : CatchUp(here);
        continue;
      }
      SendInterrupt(HartAt(i));
    }
    while (waits_for(i)) {
    }
  }
}

void Space::Changed(bool tables) {
  const uint64_t generation = generation_.fetch_add(1, std::memory_order_seq_cst) + 1;
  AwaitHarts(generation, tables);
}

void Space::FlushCodeEverywhere() {
  code_generation_.fetch_add(1, std::memory_order_release);
  Changed();
}

// ---- Tables

Space::Slot Space::FindTable(vaddr_t address) {
  PageEntry* table = TableAt(root_);
  for (unsigned level = PagingLevels() - 1; level > 0; level--) {
    const uint64_t entry = table[IndexAt(address, level)].load(std::memory_order_relaxed);
    if (!(entry & kPageValid)) return {nullptr, (address | (SpanAt(level) - 1)) + 1};
    table = TableAt(FrameOf(entry));
  }
  return {table, (address | (SpanAt(1) - 1)) + 1};
}

Result<void> Space::GrowTo(vaddr_t address) {
  for (;;) {
    const paddr_t fresh = AllocateTable();
    if (!fresh) return Errno::kENOMEM;
    bool used = false, complete = true;
    {
      SpinLocked lock(lock_);
      PageEntry* table = TableAt(root_);
      for (unsigned level = PagingLevels() - 1; level > 0; level--) {
        PageEntry& entry = table[IndexAt(address, level)];
        if (!(entry & kPageValid)) {
          complete = false;
          if (used) break;
          entry.store(TableEntry(fresh), std::memory_order_release);
          all_listed_ = all_listed_ && listed_ < kListedTables;
          if (all_listed_) tables_[listed_++] = fresh;
          used = true;
          complete = level == 1;
        }
        table = TableAt(FrameOf(entry));
      }
    }
    if (!used) FreeTable(fresh);
    if (complete) return {};
  }
}

Result<void> Space::OwnTables(VirtRange range) {
  const VirtRange vdso = GetUserLayout().vdso;
  if (!shares_vdso_ || range.base >= vdso.end() || range.end() <= vdso.base) return {};
  const paddr_t own = CopyVdsoTables();
  if (!own) return Errno::kENOMEM;
  SpinLocked lock(lock_);
  TableAt(root_)[kVdsoSlot].store(TableEntry(own), std::memory_order_release);
  shares_vdso_ = all_listed_ = false;
  pages_ += kVdsoPages;
  return {};
}

Result<void> Space::MapShared(vaddr_t base, std::span<const PhysRange> frames, Access access) {
  if (access == Access::kNone) return {};
  const uint64_t bits = UserBits(access);
  bool replaced = false;
  for (const PhysRange& range : frames) {
    TRY(OwnTables({base, range.size}));
    DCHECK(((base | range.base | range.size) & kPageMask) == 0);
    for (uint64_t done = 0; done < range.size;) {
      bool missing = false;
      {
        SpinLocked lock(lock_);
        const Slot slot = FindTable(base + done);
        missing = !slot.table;
        const uint64_t end = missing ? done : std::min(range.size, slot.end - base);
        for (; done < end; done += kPageSize) {
          const uint64_t entry = (range.base + done) >> 12 << 10 | bits;
          PageEntry& place = slot.table[IndexAt(base + done, 0)];
          // The same entry again: a hart that remembers none, or a lesser one, must forget it.
          if (place.exchange(entry, std::memory_order_release) & kPageValid) {
            replaced = true;
          } else {
            pages_++;
          }
        }
        if (pages_ > peak_pages()) peak_pages_.store(pages_, std::memory_order_relaxed);
      }
      if (missing) TRY(GrowTo(base + done));
    }
    base += range.size;
  }
  if (HasAny(access, Access::kExecute)) code_generation_.fetch_add(1, std::memory_order_release);
  if (replaced) {
    Changed();
  } else {
    // New entries need no flush on processors that remember only valid ones; on others the guest
    // faults once more, and that finds the same entry.
    asm volatile("fence w, w" : : : "memory");
  }
  return {};
}

// Nothing is replaced: nobody needs to forget anything.
Result<void> Space::MapMissing(vaddr_t base, std::span<const PhysRange> frames, Access access) {
  const uint64_t bits = UserBits(access);
  for (const PhysRange& range : frames) {
    TRY(OwnTables({base, range.size}));
    for (uint64_t done = 0; done < range.size;) {
      SpinLocked lock(lock_);
      const Slot slot = FindTable(base + done);
      const uint64_t end = std::min(range.size, slot.end - base);
      for (; slot.table && done < end; done += kPageSize) {
        PageEntry& place = slot.table[IndexAt(base + done, 0)];
        if (place.load(std::memory_order_relaxed) & kPageValid) continue;
        place.store((range.base + done) >> 12 << 10 | bits, std::memory_order_release);
        pages_++;
      }
      done = end;
      if (pages_ > peak_pages()) peak_pages_.store(pages_, std::memory_order_relaxed);
    }
    base += range.size;
  }
  if (HasAny(access, Access::kExecute)) code_generation_.fetch_add(1, std::memory_order_release);
  asm volatile("fence w, w" : : : "memory");
  return {};
}

// Nobody runs this space yet. The parent's tables stay as long as its region is locked.
Result<void> Space::CopyFrom(AddressSpace& other, VirtRange range) {
  Space& parent = static_cast<Space&>(other);
  TRY(OwnTables(range));
  for (vaddr_t at = range.base; at < range.end();) {
    Slot from, to;
    {
      SpinLocked lock(parent.lock_);
      from = parent.FindTable(at);
    }
    const vaddr_t end = std::min(range.end(), from.end);
    if (from.table) {
      {
        SpinLocked lock(lock_);
        to = FindTable(at);
      }
      if (!to.table) {
        TRY(GrowTo(at));
        continue;
      }
      SpinLocked lock(lock_);
      for (; at < end; at += kPageSize) {
        const uint64_t entry = from.table[IndexAt(at, 0)].load(std::memory_order_relaxed);
        if (!(entry & kPageValid)) continue;
        to.table[IndexAt(at, 0)].store(entry, std::memory_order_relaxed);
        pages_++;
      }
    }
    at = end;
  }
  code_generation_.fetch_add(1, std::memory_order_release);
  return {};
}

Result<void> Space::Protect(VirtRange range, Access access) {
  if (access == Access::kNone) return Unmap(range);
  TRY(OwnTables(range));
  const uint64_t bits = UserBits(access);
  bool changed = false;
  for (vaddr_t at = range.base; at < range.end();) {
    SpinLocked lock(lock_);
    const Slot slot = FindTable(at);
    const vaddr_t end = std::min(range.end(), slot.end);
    for (; slot.table && at < end; at += kPageSize) {
      PageEntry& place = slot.table[IndexAt(at, 0)];
      const uint64_t old = place.load(std::memory_order_relaxed);
      const uint64_t entry = (old >> 10) << 10 | bits;
      if (!(old & kPageValid) || old == entry) continue;
      place.store(entry, std::memory_order_release);
      changed = true;
    }
    at = end;
  }
  if (HasAny(access, Access::kExecute)) code_generation_.fetch_add(1, std::memory_order_release);
  if (changed) Changed();
  return {};
}

Result<void> Space::Unmap(VirtRange range) {
  TRY(OwnTables(range));
  bool changed = false;
  Detached empty;
  for (vaddr_t at = range.base; at < range.end();) {
    {
      SpinLocked lock(lock_);
      const Slot slot = FindTable(at);
      const vaddr_t begin = at, end = std::min(range.end(), slot.end);
      bool any = false;
      for (; slot.table && at < end; at += kPageSize) {
        PageEntry& place = slot.table[IndexAt(at, 0)];
        if (place.load(std::memory_order_relaxed) == 0) continue;
        place.store(0, std::memory_order_relaxed);
        pages_--;
        any = true;
      }
      if (any) DetachEmpty(begin, empty);
      changed |= any;
      at = end;
    }
    if (empty.is_full()) FreeDetached(empty);
  }
  if (empty.count > 0) {
    FreeDetached(empty);
  } else if (changed) {
    Changed();
  }
  return {};
}

// Takes out the last table on the way to |address| if nothing is left in it, and those above it
// that have nothing left then.
void Space::DetachEmpty(vaddr_t address, Detached& out) {
  for (unsigned level = 0; level + 1 < PagingLevels(); level++) {
    PageEntry* table = TableAt(root_);
    PageEntry* entry = nullptr;
    for (unsigned above = PagingLevels() - 1; above > level; above--) {
      entry = &table[IndexAt(address, above)];
      table = TableAt(FrameOf(*entry));
    }
    const auto is_free = [](const PageEntry& place) {
      return place.load(std::memory_order_relaxed) == 0;
    };
    if (!std::all_of(table, table + kEntriesPerTable, is_free)) return;
    const paddr_t detached = FrameOf(entry->exchange(0));
    out.tables[out.count++] = detached;
    for (uint32_t i = 0; i < listed_; i++) {
      if (tables_[i] != detached) continue;
      tables_[i] = tables_[--listed_];
      break;
    }
  }
}

void Space::FreeDetached(Detached& detached) {
  Changed(true);
  for (; detached.count > 0; detached.count--) FreeTable(detached.tables[detached.count - 1]);
}

// Below |table|, which stays.
void Space::FreeTables(paddr_t table, unsigned level, unsigned entries) {
  if (level == 0) return;
  PageEntry* const all = TableAt(table);
  for (unsigned i = 0; i < entries; i++) {
    const uint64_t entry = all[i].load(std::memory_order_relaxed);
    if (!(entry & kPageValid)) continue;
    FreeTables(FrameOf(entry), level - 1, kEntriesPerTable);
    FreeTable(FrameOf(entry));
  }
}

bool Space::FreeListedTables() {
  if (!all_listed_) return false;
  for (uint32_t i = 0; i < listed_; i++) FreeTable(tables_[i]);
  return true;
}

// execve: no other thread is left in the space. The tables go only when nobody can be walking them.
Result<void> Space::UnmapAll() {
  constexpr unsigned kAtOnce = 64;
  for (unsigned next = 0; next < kEntriesPerTable / 2;) {
    paddr_t tables[kAtOnce];
    unsigned count = 0;
    {
      SpinLocked lock(lock_);
      pages_ = 0;
      for (; next < kEntriesPerTable / 2 && count < kAtOnce; next++) {
        PageEntry& place = TableAt(root_)[next];
        const uint64_t entry = place.load(std::memory_order_relaxed);
        if (!(entry & kPageValid) || (next == kVdsoSlot && shares_vdso_)) continue;
        place.store(0, std::memory_order_relaxed);
        tables[count++] = FrameOf(entry);
      }
    }
    if (count == 0) break;
    Changed(true);
    if (all_listed_) continue;
    for (unsigned i = 0; i < count; i++) {
      FreeTables(tables[i], PagingLevels() - 2, kEntriesPerTable);
      FreeTable(tables[i]);
    }
  }
  FreeListedTables();
  listed_ = 0;
  all_listed_ = true;
  return {};
}

}  // namespace zrun::hal
