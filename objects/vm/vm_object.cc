#include "objects/vm/vm_object.h"

#include <algorithm>

#include "objects/vm/frame_shares.h"
#include "objects/vm/page_allocator.h"
#include "objects/vm/page_reclaim.h"
#include "objects/vm/vm_mapping.h"

namespace zrun {

using hal::Access;
using hal::kPageSize;
using hal::PhysRange;
using hal::RoundDown;
using hal::RoundUp;

namespace {

// What readers of holes are shown. Nobody writes to it.
alignas(kPageSize) constinit std::byte g_zero_page[kPageSize] = {};
constexpr uint64_t kMaxSize = uint64_t{1} << 62;

class CopyOutVisitor final : public VmObject::PieceVisitor {
 public:
  explicit CopyOutVisitor(std::byte* to) : to_(to) {}
  Result<size_t> Visit(std::span<std::byte> piece) override {
    __builtin_memcpy(to_, piece.data(), piece.size());
    to_ += piece.size();
    return piece.size();
  }

 private:
  std::byte* to_;
};

class CopyInVisitor final : public VmObject::PieceVisitor {
 public:
  explicit CopyInVisitor(const std::byte* from) : from_(from) {}
  Result<size_t> Visit(std::span<std::byte> piece) override {
    __builtin_memcpy(piece.data(), from_, piece.size());
    from_ += piece.size();
    return piece.size();
  }

 private:
  const std::byte* from_;
};

}  // namespace

VmObject::VmObject(uint64_t size, OwnPtr<PageSource> source)
    : KernelObject(kType), physical_(false), range_{}, source_(std::move(source)), size_(size) {
  if (source_) AddPageCache(*this);
}

VmObject::VmObject(PhysRange range, uint64_t size)
    : KernelObject(kType), physical_(true), range_(range), size_(size) {}

VmObject::~VmObject() {
  if (source_) RemovePageCache(*this);
  PageRunList runs;
  bool shared;
  {
    MutexLock lock(lock_);
    CHECK(pins_ == 0 && mappings_.empty());
    runs_.Take(0, UINT64_MAX, runs);
    shared = shares_frames_;
    const bool touched = !present_.empty() || ever_mapped_;
    for (PageRun& run : runs) run.touched = touched;
  }
  FreeRuns(runs, shared);
}

Result<RefPtr<VmObject>> VmObject::CreateAnonymous(uint64_t size) {
  return CreatePaged(size, nullptr);
}

Result<RefPtr<VmObject>> VmObject::CreatePaged(uint64_t size, OwnPtr<PageSource> source) {
  if (size > kMaxSize) return Errno::kEFBIG;
  return MakeRef<VmObject>(size, std::move(source));
}

Result<RefPtr<VmObject>> VmObject::CreatePhysical(PhysRange range, uint64_t size) {
  if (size > range.size) return Errno::kEINVAL;
  return MakeRef<VmObject>(range, size);
}

Result<void> VmObject::Resize(uint64_t size) {
  if (size > (physical_ ? range_.size : kMaxSize)) return Errno::kEFBIG;
  PageRunList cut;
  uint64_t old_size;
  {
    MutexLock lock(lock_);
    old_size = this->size();
    if (!physical_) {
      // The tail of the last page: what mappings wrote there behind the end must not come to light,
      // and what is cut off must not come back.
      const uint64_t low = std::min(size, old_size);
      TRY(ZeroLocked(low, std::min(RoundUp(low), std::max(size, old_size))));
      if (size < old_size) {
        TRY(CutLocked(RoundUp(size), UINT64_MAX, cut));
        CancelFills(RoundUp(size), UINT64_MAX);
      }
    }
    size_.store(size, std::memory_order_release);
  }
  // Whoever maps from now on sees the new size; who did before is in the list (AddMapping comes
  // before GetFrames), and is reached by its region's lock, which it holds until the frames are
  // mapped. Only then do the frames go back.
  if (size < old_size) UnmapEverywhere(RoundUp(size), UINT64_MAX - RoundUp(size), true);
  FreeCut(cut);
  return {};
}

Result<size_t> VmObject::Read(uint64_t offset, std::span<std::byte> out) {
  CopyOutVisitor visitor(out.data());
  return ForEachPiece(offset, out.size(), Access::kRead, visitor);
}

Result<size_t> VmObject::Write(uint64_t offset, std::span<const std::byte> in) {
  CopyInVisitor visitor(in.data());
  return ForEachPiece(offset, in.size(), Access::kWrite, visitor);
}

std::span<std::byte> VmObject::PinPiece(uint64_t begin, uint64_t end) {
  if (physical_) {
    pins_++;
    return {hal::PhysToVirt(range_.base + begin), size_t(end - begin)};
  }
  const auto present = present_.FirstAfter(begin);
  if (!present || present->begin > begin) {
    const uint64_t hole_end =
        std::min({end, RoundDown(begin) + kPageSize, present ? present->begin : end});
    pins_++;
    return {g_zero_page + (begin & hal::kPageMask), size_t(hole_end - begin)};
  }
  const auto frames = runs_.Find(begin);
  CHECK(frames);
  const uint64_t bytes = std::min({end - begin, present->end - begin, frames->size});
  pins_++;
  return {hal::PhysToVirt(frames->base), size_t(bytes)};
}

void VmObject::Unpin() {
  PageRunList runs;
  bool shared;
  {
    MutexLock lock(lock_);
    if (--pins_ > 0) return;
    runs.TakeAll(released_);
    shared = shares_frames_;
  }
  FreeRuns(runs, shared);
}

Result<std::span<std::byte>> VmObject::TakePiece(uint64_t begin, uint64_t size, bool writes) {
  MutexLock lock(lock_);
  const uint64_t limit = this->size();
  if (begin >= limit) return std::span<std::byte>();
  if (source_ && !present_.Contains(RoundDown(begin))) return Errno::kEAGAIN;
  uint64_t end = std::min(limit, begin + size);
  if (source_) end = std::min(end, RoundDown(begin) + kPageSize);
  if (writes && !physical_) TRY(PrepareWrite(RoundDown(begin), RoundUp(end)));
  return PinPiece(begin, end);
}

Result<size_t> VmObject::VisitPiece(uint64_t begin, uint64_t size, bool writes,
                                    PieceVisitor& visitor, bool& more) {
  if (source_) TRY(FillPages(begin, 1));
  const auto piece = WithMemory([&] { return TakePiece(begin, size, writes); });
  if (!piece.ok() && piece.error() == Errno::kEAGAIN) return size_t{0};  // its page has gone again
  const std::span<std::byte> bytes = TRY(piece);
  more = false;
  if (bytes.empty()) return size_t{0};
  auto visited = visitor.Visit(bytes);
  Unpin();
  more = visited.ok() && visited.value() == bytes.size();
  return visited;
}

Result<size_t> VmObject::ForEachPiece(uint64_t offset, uint64_t size, Access access,
                                      PieceVisitor& visitor) {
  constexpr uint64_t kStep = 4 << 20;  // commits so much at once
  const bool writes = HasAny(access, Access::kWrite);
  uint64_t done = 0;
  for (bool more = true; more && done < size;) {
    auto visited = VisitPiece(offset + done, std::min(size - done, kStep), writes, visitor, more);
    if (!visited.ok()) return done > 0 ? size_t(done) : std::move(visited);
    done += visited.value();
  }
  return size_t(done);
}

Result<void> VmObject::Decommit(uint64_t offset, uint64_t size) {
  if (physical_) return Errno::kEOPNOTSUPP;
  PageRunList cut;
  uint64_t begin, end;
  {
    MutexLock lock(lock_);
    const uint64_t limit = this->size();
    const uint64_t last = size > limit - std::min(offset, limit) ? limit : offset + size;
    if (offset >= last) return {};
    begin = RoundUp(offset);
    end = last == limit ? RoundUp(last) : RoundDown(last);
    if (begin > end) return ZeroLocked(offset, last);  // inside one page
    TRY(ZeroLocked(offset, begin));
    TRY(ZeroLocked(end, last));
    if (begin == end) return {};
    CancelFills(begin, end);
    // Frames that stay where they are need not be taken out of mappings, nor do runs break up.
    if (hal::FreshFramesAreZero() && !shares_frames_ && !source_) return DiscardInPlace(begin, end);
    TRY(CutLocked(begin, end, cut));
  }
  UnmapEverywhere(begin, end - begin, false);
  FreeCut(cut);
  return {};
}

Result<void> VmObject::Commit(uint64_t offset, uint64_t size) {
  if (physical_) return {};
  if (source_) return FillPages(offset, size);
  MutexLock lock(lock_);
  const uint64_t limit = this->size();
  if (offset >= limit) return {};
  return CommitLocked(RoundDown(offset), RoundUp(offset + std::min(size, limit - offset)));
}

Result<uint64_t> VmObject::SeekData(uint64_t offset, bool data) {
  MutexLock lock(lock_);
  const uint64_t limit = size();
  if (offset >= limit) return Errno::kENXIO;
  if (physical_ || source_) return data ? offset : limit;  // no holes that we know of
  if (!data) return std::min(limit, present_.FirstMissing(offset));
  const auto present = present_.FirstAfter(offset);
  if (!present || present->begin >= limit) return Errno::kENXIO;
  return present->begin;
}

uint64_t VmObject::committed_bytes() const {
  MutexLock lock(lock_);
  return present_.total();
}

VmObject::CachedPages VmObject::CountCached(uint64_t begin, uint64_t end) const {
  MutexLock lock(lock_);
  end = std::min(end, RoundUp(size()));
  if (begin >= end) return {0, 0};
  if (physical_) return {(RoundUp(end) - hal::RoundDown(begin)) / hal::kPageSize, 0};
  const auto pages = [&](const RangeSet& set) {
    return set.CountWithin(hal::RoundDown(begin), RoundUp(end)) / hal::kPageSize;
  };
  return {pages(present_), pages(dirty_)};
}

Result<VmObject::Frames> VmObject::GetFrames(uint64_t offset, uint64_t size, Access access,
                                             std::span<PhysRange> out) {
  constexpr Access kAll = Access::kRead | Access::kWrite | Access::kExecute;
  DCHECK((offset & hal::kPageMask) == 0 && size > 0 && !out.empty());
  MutexLock lock(lock_);
  const uint64_t limit = RoundUp(this->size());
  if (offset >= limit) return Errno::kENXIO;
  uint64_t end = offset + std::min(RoundUp(size), limit - offset);
  if (physical_) {
    out[0] = {range_.base + offset, end - offset};
    return Frames{1, end - offset, kAll};
  }
  if (source_) {
    end = std::min(end, present_.FirstMissing(offset));
    if (end == offset) return Errno::kEAGAIN;
  }
  const bool writes = HasAny(access, Access::kWrite);
  if (writes) {
    TRY(PrepareWrite(offset, end));
  } else if (hal::FreshFramesAreZero()) {
    TRY(Reserve(offset, end));  // reading does not make data of a hole
  } else {
    TRY(CommitLocked(offset, end));
  }
  ever_mapped_ = true;
  Frames frames{0, 0, writes || (!shares_frames_ && !source_) ? kAll : kAll & ~Access::kWrite};
  for (uint64_t at = offset; at < end;) {
    PhysRange run = *runs_.Find(at);
    run.size = std::min(run.size, end - at);
    if (frames.count > 0 && out[frames.count - 1].end() == run.base) {
      out[frames.count - 1].size += run.size;
    } else {
      if (frames.count == out.size()) break;
      out[frames.count++] = run;
    }
    at += run.size;
    frames.bytes += run.size;
  }
  return frames;
}

Result<void> VmObject::AddMapping(VmMapping& mapping) {
  MutexLock lock(lock_);
  if (shares_frames_ && mappings_.empty()) TRY(BreakSharing(0, UINT64_MAX));
  mappings_.PushBack(mapping);
  return {};
}

void VmObject::RemoveMapping(VmMapping& mapping) {
  MutexLock lock(lock_);
  if (!static_cast<ListNode<MappingListTag>&>(mapping).is_linked()) return;
  for (MappingWalk& walk : walks_) {
    if (walk.next == &mapping) walk.next = mappings_.NextOf(mapping);
  }
  mappings_.Remove(mapping);
}

bool VmObject::HasMappings() const {
  MutexLock lock(lock_);
  return !mappings_.empty();
}

}  // namespace zrun
