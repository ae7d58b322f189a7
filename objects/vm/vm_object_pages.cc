// How a VmObject gets, shares and gives back its frames.
#include <algorithm>

#include "hal/thread.h"
#include "objects/vm/frame_shares.h"
#include "objects/vm/page_allocator.h"
#include "objects/vm/page_reclaim.h"
#include "objects/vm/vm_mapping.h"
#include "objects/vm/vm_object.h"

namespace zrun {

using hal::Access;
using hal::kPageSize;
using hal::PhysRange;
using hal::RoundDown;
using hal::RoundUp;

// Frames for as much of [offset, end) as one run gives.
Result<void> VmObject::ReserveRun(uint64_t offset, uint64_t end) {
  // Where RAM is sparse: the rest of the object in one piece, and for objects that grow as much
  // again as they have, so that a file written from start to end has few runs. Of vast objects most
  // is never used.
  constexpr uint64_t kMaxAhead = 64 << 20, kVast = uint64_t{1} << 30, kAheadInVast = 2 << 20;
  uint64_t wanted_end = end;
  if (hal::FreshFramesAreZero()) {
    const bool vast = size() > kVast;
    const uint64_t ahead = std::min(offset, vast ? kAheadInVast : kMaxAhead);
    wanted_end = std::max({end, vast ? 0 : RoundUp(size()), RoundUp(offset + ahead)});
    wanted_end = std::min(wanted_end,
                          offset + std::max<uint64_t>(RoundDown(hal::Ram().size / 64), kPageSize));
  }
  wanted_end = std::min(wanted_end, runs_.NextOffset(offset));
  uint64_t bytes = hal::PreferredRun(wanted_end - offset);
  for (;;) {
    auto run =
        RamFrames().AllocateRun(bytes, kPageSize, source_ ? Contents::kAny : Contents::kZero);
    if (run.ok()) {
      auto inserted = runs_.Insert(offset, run.value());
      if (!inserted.ok()) RamFrames().FreeUntouched(run.value());
      return inserted;
    }
    if (bytes == kPageSize) return Errno::kENOMEM;
    bytes = std::max<uint64_t>(kPageSize, RoundDown(bytes / 2));
  }
}

Result<void> VmObject::Reserve(uint64_t begin, uint64_t end) {
  while (begin < end) {
    if (const auto frames = runs_.Find(begin)) {
      begin += frames->size;
    } else {
      TRY(ReserveRun(begin, end));
    }
  }
  return {};
}

namespace {

// Frames that hold no data.
void TakeUnused(PageRuns& runs, const RangeSet& present, uint64_t begin, uint64_t end,
                PageRunList& out) {
  for (uint64_t at = present.FirstMissing(begin); at < end; at = present.FirstMissing(at)) {
    const auto next = present.FirstAfter(at);
    const uint64_t stop = next ? std::min(next->begin, end) : end;
    if (!runs.SplitAt(at).ok() || !runs.SplitAt(stop).ok()) return;
    runs.Take(at, stop, out);
    at = stop;
  }
}

}  // namespace

Result<void> VmObject::CommitLocked(uint64_t begin, uint64_t end) {
  if (present_.Covers(begin, end)) return {};
  auto done = Reserve(begin, end);
  if (done.ok()) done = present_.Add(begin, end);
  if (done.ok() || source_ || hal::FreshFramesAreZero()) return done;
  // Others need what was to be had. (Where RAM is sparse it is not used up, and may be mapped.)
  PageRunList unused;
  TakeUnused(runs_, present_, begin, end, unused);
  FreeRuns(unused, false);
  return done;
}

Result<void> VmObject::PrepareWrite(uint64_t begin, uint64_t end) {
  TRY(CommitLocked(begin, end));
  if (source_) TRY(dirty_.Add(begin, end));
  return shares_frames_ ? BreakSharing(begin, end) : Result<void>();
}

// Gives the object frames of its own for the pages of the range that share theirs.
Result<void> VmObject::BreakSharing(uint64_t begin, uint64_t end) {
  for (uint64_t at = begin; at < end;) {
    const auto present = present_.FirstAfter(at);
    if (!present || present->begin >= end) break;
    at = present->begin;
    const hal::paddr_t frame = runs_.Find(at)->base;
    if (frame_shares::IsShared(frame)) {
      TRY(runs_.SplitAt(at));
      TRY(runs_.SplitAt(at + kPageSize));
      OwnPtr<PageRun> old = TRY(MakeOwned<PageRun>());
      const PhysRange copy = TRY(RamFrames().AllocateRun(kPageSize, kPageSize, Contents::kAny));
      __builtin_memcpy(hal::PhysToVirt(copy.base), hal::PhysToVirt(frame), kPageSize);
      old->frame = runs_.ReplaceFrame(at, copy.base);
      old->size = kPageSize;
      if (pins_ > 0) {
        released_.PushBack(*old.release());
      } else if (frame_shares::Drop(frame)) {
        RamFrames().Free({frame, kPageSize});
      }
    }
    at += kPageSize;
  }
  return {};
}

// A frame that is written from end to end need not be zeroed first.
Result<void> VmObject::FillHole(uint64_t offset, std::span<const std::byte> page) {
  DCHECK(!source_ && !physical_ && page.size() == kPageSize);
  MutexLock lock(lock_);
  if (runs_.Find(offset)) {  // a frame without data, where RAM is sparse
    TRY(PrepareWrite(offset, offset + kPageSize));
    __builtin_memcpy(hal::PhysToVirt(runs_.Find(offset)->base), page.data(), kPageSize);
    return {};
  }
  const PhysRange run = TRY(RamFrames().AllocateRun(kPageSize, kPageSize, Contents::kAny));
  __builtin_memcpy(hal::PhysToVirt(run.base), page.data(), kPageSize);
  auto inserted = runs_.Insert(offset, run);
  if (inserted.ok()) return present_.Add(offset, offset + kPageSize);
  RamFrames().Free(run);
  return inserted;
}

// Zeroes a part of one page, if it is there.
Result<void> VmObject::ZeroLocked(uint64_t begin, uint64_t end) {
  if (begin >= end || !present_.Contains(RoundDown(begin))) return {};
  TRY(PrepareWrite(RoundDown(begin), RoundDown(begin) + kPageSize));
  __builtin_memset(hal::PhysToVirt(runs_.Find(begin)->base), 0, end - begin);
  return {};
}

Result<void> VmObject::CutLocked(uint64_t begin, uint64_t end, PageRunList& out) {
  TRY(runs_.SplitAt(begin));
  TRY(runs_.SplitAt(end));
  TRY(dirty_.Remove(begin, end));
  TRY(present_.Remove(begin, end));
  runs_.Take(begin, end, out);
  return {};
}

Result<void> VmObject::DiscardInPlace(uint64_t begin, uint64_t end) {
  const uint64_t start = begin;
  for (auto range = present_.FirstAfter(begin); range && range->begin < end;
       range = present_.FirstAfter(begin)) {
    begin = std::max(begin, range->begin);
    const PhysRange frames = *runs_.Find(begin);
    const uint64_t bytes = std::min({frames.size, range->end - begin, end - begin});
    hal::DiscardFrames({frames.base, bytes});
    begin += bytes;
  }
  // What guests have mapped they may write to at any time: it counts as data.
  if (HasSharedMapping()) return {};
  return present_.Remove(start, end);
}

bool VmObject::HasSharedMapping() {
  for (VmMapping& mapping : mappings_) {
    if (!mapping.is_private()) return true;
  }
  return false;
}

bool VmObject::HasWritableMapping() {
  MutexLock lock(lock_);
  for (VmMapping& mapping : mappings_) {
    if (!mapping.is_private() && HasAny(mapping.info.max_access, hal::Access::kWrite)) return true;
  }
  return false;
}

bool VmObject::IsMappedTwice(uint64_t offset, uint64_t size) {
  MutexLock lock(lock_);
  unsigned count = 0;
  for (VmMapping& mapping : mappings_) {
    const Mapping& info = mapping.info;
    if (info.object_offset < offset + size && offset < info.object_offset + info.range.size)
      count++;
  }
  return count > 1;
}

void VmObject::FreeRuns(PageRunList& runs, bool shared) {
  while (PageRun* run = runs.PopFront()) {
    if (!shared) {
      if (run->touched) {
        RamFrames().Free({run->frame, run->size});
      } else {
        RamFrames().FreeUntouched({run->frame, run->size});
      }
    } else {
      PhysRange last{run->frame, 0};  // pages in a row that were the last owner's
      for (hal::paddr_t frame = run->frame; frame < run->frame + run->size; frame += kPageSize) {
        if (frame_shares::Drop(frame)) {
          last.size += kPageSize;
        } else {
          RamFrames().Free(last);
          last = {frame + kPageSize, 0};
        }
        if (last.size == 0) last.base = frame + kPageSize;
      }
      RamFrames().Free(last);
    }
    delete run;
  }
}

void VmObject::FreeCut(PageRunList& runs) {
  bool shared;
  {
    MutexLock lock(lock_);
    shared = shares_frames_;
    if (pins_ > 0) {
      released_.TakeAll(runs);
      return;
    }
  }
  FreeRuns(runs, shared);
}

// ---- Pages from a source

void VmObject::CancelFills(uint64_t begin, uint64_t end) {
  for (Fill& fill : fills_) {
    if (fill.begin < end && fill.end > begin) fill.cancelled = true;
  }
}

Result<void> VmObject::FillPages(uint64_t offset, uint64_t size) {
  if (!source_ || size == 0) return {};
  const uint64_t limit = this->size();
  if (offset >= limit) return {};
  const uint64_t end = offset + std::min(size, limit - offset);
  for (uint64_t at = RoundDown(offset); at < end; at += kPageSize) {
    TRY(WithMemory([&] { return FillPage(at); }));
  }
  return {};
}

bool VmObject::IsFilling(uint64_t offset) {
  for (Fill& fill : fills_) {
    if (offset >= fill.begin && offset < fill.end) return true;
  }
  return false;
}

// The pages around |offset| that are missing and that nobody reads yet.
void VmObject::ChooseCluster(uint64_t offset, Fill& fill) {
  const uint64_t cluster = source_->cluster_size();
  const uint64_t first = offset & ~(cluster - 1);
  const uint64_t last = std::min(first + cluster, RoundUp(size()));
  const auto missing = [this](uint64_t page) NO_THREAD_SAFETY_ANALYSIS {
    return !present_.Contains(page) && !IsFilling(page);
  };
  fill.begin = offset;
  fill.end = offset + kPageSize;
  while (fill.begin > first && missing(fill.begin - kPageSize)) fill.begin -= kPageSize;
  while (fill.end < last && missing(fill.end)) fill.end += kPageSize;
}

std::span<const PhysRange> VmObject::FramesOf(uint64_t begin, uint64_t end, PageFrames& frames) {
  size_t count = 0;
  for (uint64_t at = begin; at < end; at += kPageSize)
    frames[count++] = {runs_.Find(at)->base, kPageSize};
  return std::span(frames).first(count);
}

Result<void> VmObject::FillPage(uint64_t offset) {
  bool alone = false;  // what is read ahead may not spoil the page that is wanted
  for (;;) {
    Fill fill;
    PageFrames storage;
    std::span<const PhysRange> frames;
    uint32_t done;
    {
      MutexLock lock(lock_);
      if (present_.Contains(offset) || offset >= size()) return {};
      done = fills_done_.load(std::memory_order_relaxed);
      if (!IsFilling(offset)) {
        fill.begin = offset;
        fill.end = offset + kPageSize;
        if (!alone) ChooseCluster(offset, fill);
        if (!alone && !Reserve(fill.begin, fill.end).ok()) {
          alone = true;
          continue;
        }
        TRY(Reserve(fill.begin, fill.end));
        frames = FramesOf(fill.begin, fill.end, storage);
        fills_.PushBack(fill);
        pins_++;
      }
    }
    if (frames.empty()) {
      hal::WaitOnWord(fills_done_, done, hal::Deadline::Never());
      continue;
    }
    Result<void> result = source_->ReadPages(fill.begin, frames);
    {
      MutexLock lock(lock_);
      fills_.Remove(fill);
      if (result.ok() && !fill.cancelled) result = present_.Add(fill.begin, fill.end);
      fills_done_.fetch_add(1, std::memory_order_relaxed);
    }
    hal::WakeWord(fills_done_, UINT32_MAX);
    Unpin();
    if (result.ok()) NoteRead(*this, offset, fill.end - fill.begin);
    if (result.ok() || frames.size() == 1) return result;
    alone = true;
  }
}

Result<void> VmObject::Sync(uint64_t offset, uint64_t size) {
  if (!source_) return {};
  const uint64_t limit = this->size();
  if (offset >= limit) return {};
  const uint64_t end = RoundUp(offset + std::min(size, limit - offset));
  // Where translations are made on demand, writing again makes the page dirty again.
  if (HasMappings()) UnmapEverywhere(RoundDown(offset), end - RoundDown(offset), false);
  Result<void> result;
  for (uint64_t at = RoundDown(offset); at < end;) {
    PageFrames storage;
    std::span<const PhysRange> frames;
    uint64_t stop;
    {
      MutexLock lock(lock_);
      const auto dirty = dirty_.FirstAfter(at);
      if (!dirty || dirty->begin >= end) break;
      at = std::max(at, dirty->begin);
      stop = std::min({dirty->end, end, at + PageSource::kMaxCluster});
      TRY(dirty_.Remove(at, stop));
      frames = FramesOf(at, stop, storage);
      pins_++;
    }
    auto written = source_->WritePages(at, frames);
    if (!written.ok() && result.ok()) result = written.error();
    {
      MutexLock lock(lock_);
      if (!written.ok() || (hal::FreshFramesAreZero() && HasSharedMapping())) {
        auto kept = dirty_.Add(at, stop);
        if (!kept.ok() && result.ok()) result = kept.error();
      }
    }
    Unpin();
    at = stop;
  }
  return result;
}

// ---- Giving pages of a source back

uint64_t VmObject::clean_bytes() const {
  MutexLock lock(lock_);
  return source_ ? present_.total() - std::min(present_.total(), dirty_.total()) : 0;
}

uint64_t VmObject::Evict(uint64_t bytes, bool even_mapped) {
  PageRunList cut;
  uint64_t begin, end;
  {
    MutexLock lock(lock_);
    if (!source_ || (!even_mapped && !mappings_.empty())) return 0;
    // The first clean pages from where we were.
    begin = evict_from_;
    for (bool from_start = begin == 0;;) {
      const auto present = present_.FirstAfter(begin);
      if (!present) {
        if (from_start) return 0;
        from_start = true;
        begin = 0;
        continue;
      }
      begin = dirty_.FirstMissing(present->begin);
      if (begin >= present->end) continue;
      end = std::min(present->end, begin + std::max(RoundDown(bytes), kPageSize));
      if (const auto dirty = dirty_.FirstAfter(begin)) end = std::min(end, dirty->begin);
      break;
    }
    if (!CutLocked(begin, end, cut).ok()) return 0;
    evict_from_ = end;
  }
  if (even_mapped) NoteTaken(*this, begin, end);
  UnmapEverywhere(begin, end - begin, false);
  FreeCut(cut);
  return end - begin;
}

// ---- Copy-on-write

Result<RefPtr<VmObject>> VmObject::Snapshot(uint64_t offset, uint64_t size) {
  const uint64_t limit = this->size();
  if ((offset & hal::kPageMask) || offset > limit || size > limit - offset) return Errno::kEINVAL;
  if ((size & hal::kPageMask) && offset + size != limit) return Errno::kEINVAL;
  RefPtr<VmObject> child = TRY(CreateAnonymous(size));
  // Pages of a source may go at any time: only reading them finds all.
  auto done = physical_ || source_ ? Result<void>(Errno::kEAGAIN) : ShareWith(*child, offset);
  if (!done.ok() && done.error() == Errno::kEAGAIN) done = CopyTo(*child, offset);
  TRY(done);
  return child;
}

// The two objects' locks are of one rank; the analysis does not see through the references.
// EAGAIN if it has mappings: their frames must not change.
Result<void> VmObject::ShareWith(VmObject& child, uint64_t offset) NO_THREAD_SAFETY_ANALYSIS {
  LockBoth lock(lock_, child.lock_);
  if (!mappings_.empty()) return Errno::kEAGAIN;
  shares_frames_ = child.shares_frames_ = true;
  const uint64_t end = offset + RoundUp(child.size());
  for (uint64_t at = offset; at < end;) {
    const auto present = present_.FirstAfter(at);
    if (!present || present->begin >= end) break;
    at = present->begin;
    PhysRange frames = *runs_.Find(at);
    frames.size = std::min({frames.size, present->end - at, end - at});
    Result<void> shared;
    uint64_t done = 0;
    for (; shared.ok() && done < frames.size; done += kPageSize)
      shared = frame_shares::Add(frames.base + done);
    if (shared.ok()) {
      shared = child.runs_.Insert(at - offset, frames);
    } else {
      done -= kPageSize;
    }
    if (!shared.ok()) {
      while (done > 0) frame_shares::Drop(frames.base + (done -= kPageSize));
      return shared;
    }
    TRY(child.present_.Add(at - offset, at - offset + frames.size));
    at += frames.size;
  }
  return {};
}

Result<void> VmObject::CopyTo(VmObject& child, uint64_t offset) {
  class Copier final : public PieceVisitor {
   public:
    Copier(VmObject& target, uint64_t at) : target_(target), at_(at) {}
    Result<size_t> Visit(std::span<std::byte> piece) override {
      return target_.Write(std::exchange(at_, at_ + piece.size()), piece);
    }

   private:
    VmObject& target_;
    uint64_t at_;
  };
  const uint64_t end = offset + child.size();
  for (uint64_t at = offset; at < end;) {
    auto data = SeekData(at, true);
    if (!data.ok()) break;  // only holes from here on
    at = data.value();
    const uint64_t data_end = std::min(end, TRY(SeekData(at, false)));
    if (at >= data_end) break;
    Copier copier(child, at - offset);
    if (TRY(ForEachPiece(at, data_end - at, Access::kRead, copier)) < data_end - at)
      return Errno::kENOMEM;
    at = data_end;
  }
  return {};
}

// Takes the pages out of all mappings. Regions are locked one after the other, without the object's
// lock, which comes after theirs. Several walks may be under way at once, over different parts of
// the object: each keeps its own place in the list.
void VmObject::UnmapEverywhere(uint64_t offset, uint64_t size, bool even_private) {
  MappingWalk walk;
  {
    MutexLock lock(lock_);
    walk.next = mappings_.front();
    walks_.PushBack(walk);
  }
  // The one visited last: it has no translations of the part any more, and makes none, in whichever
  // of its mappings. The reference keeps another from taking its address.
  RefPtr<VmAddressRegion> visited;
  while (RefPtr<VmAddressRegion> region = NextRegion(walk, visited.get())) {
    region->UnmapObject(*this, offset, size, even_private);
    visited = std::move(region);
  }
}

RefPtr<VmAddressRegion> VmObject::NextRegion(MappingWalk& walk, const VmAddressRegion* visited) {
  MutexLock lock(lock_);
  while (VmMapping* mapping = walk.next) {
    walk.next = mappings_.NextOf(*mapping);
    // A region that is being destroyed takes its mappings out of the list itself, and its
    // translations go with its space.
    if (&mapping->region != visited && mapping->region.TryAddRef())
      return RefPtr<VmAddressRegion>::Adopt(&mapping->region);
  }
  walks_.Remove(walk);
  return nullptr;
}

}  // namespace zrun
