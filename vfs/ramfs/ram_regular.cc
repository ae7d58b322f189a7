#include "vfs/ramfs/ram_regular.h"

#include <algorithm>

#include "objects/vm/page_allocator.h"

namespace zrun::vfs {
namespace {

constexpr uint64_t kMaxSize = INT64_MAX;

// Whether memory for what is missing in [begin, end) can be had: who asks for more than there is
// would take what there is from all others first.
bool HasRamFor(const VmObject& contents, uint64_t begin, uint64_t end) {
  const uint64_t present = contents.CountCached(begin, end).present * hal::kPageSize;
  const uint64_t wanted = end - begin, free = RamFrames().statistics().free_bytes;
  const uint64_t missing = wanted - std::min(present, wanted);
  return free >= RamFrames().low_bytes() && missing <= free - RamFrames().low_bytes();
}

}  // namespace

Result<RefPtr<RamVnode>> RamRegular::Create(RamFileSystem& fs, uint32_t mode, uint32_t uid,
                                            uint32_t gid) {
  TRY(fs.ChargeInode());
  auto file = MakeRef<RamRegular>(fs, fs.NextInode(), mode, uid, gid, uint64_t{0});
  if (!file.ok()) {
    fs.ReleaseInode();
    return file.error();
  }
  return RefPtr<RamVnode>(std::move(file).value());
}

RamRegular::~RamRegular() {
  fs_.ChargeBytes(-int64_t(charged_));
  if (VmObject* contents = this->contents()) contents->Release();
}

void RamRegular::AdoptContents(RefPtr<VmObject> contents) {
  CHECK(!this->contents());
  contents_.store(contents.Leak(), std::memory_order_release);
}

uint64_t RamRegular::stat_bytes() const {
  const VmObject* contents = this->contents();
  return contents ? contents->committed_bytes() : 0;
}

// Without a lock, so that an overlay can ask while it copies: the first one made stays.
Result<VmObject*> RamRegular::EnsureContents() {
  if (VmObject* existing = contents()) return existing;
  RefPtr<VmObject> fresh = TRY(VmObject::CreateAnonymous(size()));
  VmObject* expected = nullptr;
  if (!contents_.compare_exchange_strong(expected, fresh.get(), std::memory_order_acq_rel))
    return expected;
  return fresh.Leak();
}

Result<RefPtr<VmObject>> RamRegular::Contents() { return RefPtr<VmObject>(TRY(EnsureContents())); }

Result<size_t> RamRegular::Read(uint64_t offset, DataSink& sink) {
  const uint64_t end = size();
  if (offset >= end) return size_t{0};
  const uint64_t count = std::min<uint64_t>(sink.remaining(), end - offset);
  VmObject* contents = this->contents();
  if (!contents) return sink.PutZeros(count);
  return ReadObject(*contents, offset, count, sink);
}

Result<size_t> RamRegular::Write(uint64_t offset, DataSource& source) {
  MutexLock lock(write_lock_);
  return WriteLocked(offset, source);
}

Result<size_t> RamRegular::Append(DataSource& source, uint64_t& offset) {
  MutexLock lock(write_lock_);
  TRY(Materialize(size()));
  offset = size();
  return WriteLocked(offset, source);
}

Result<size_t> RamRegular::WriteLocked(uint64_t offset, DataSource& source) {
  if (is_sealed(FileSeal::kWrite | FileSeal::kFutureWrite)) return Errno::kEPERM;
  if (offset >= kMaxSize) return Errno::kEFBIG;
  uint64_t count = std::min<uint64_t>(source.remaining(), kMaxSize - offset);
  BeforeChange();
  TRY(Materialize(size()));
  const uint64_t old_size = size();
  if (is_sealed(FileSeal::kGrow) && offset + count > old_size) {
    // The page with the end is refused as a whole.
    const uint64_t whole = hal::RoundDown(old_size);
    if (offset >= whole) return Errno::kEPERM;
    count = whole - offset;
  }
  VmObject* contents = TRY(EnsureContents());
  count = TRY(FitToSpace(*contents, offset, count));
  const bool grows = offset + count > old_size;
  if (grows) TRY(contents->Resize(offset + count));
  auto written = WriteObject(*contents, offset, count, source);
  const size_t done = written.ok() ? written.value() : 0;
  if (grows) {
    const uint64_t end = std::max(old_size, done > 0 ? offset + done : 0);
    // What was asked for beyond the bytes that came (the source faulted).
    if (end < offset + count) TRY(contents->Resize(end));
    set_size(end);
  }
  if (!written.ok()) return written.error();
  Recharge();
  TouchModified();
  return done;
}

void RamRegular::Recharge() {
  const uint64_t now = stat_bytes();
  if (now == charged_) return;
  fs_.ChargeBytes(int64_t(now) - int64_t(charged_));
  charged_ = now;
}

Result<uint64_t> RamRegular::FitToSpace(VmObject& contents, uint64_t offset, uint64_t size) {
  uint64_t room = fs_.free_bytes();
  const uint64_t begin = hal::RoundDown(offset);
  if (size == 0 || hal::RoundUp(offset + size) - begin <= room) return size;
  // Page by page: those that are there already cost nothing.
  const uint64_t end = offset + size;
  for (uint64_t page = begin; page < end; page += hal::kPageSize) {
    const auto data = contents.SeekData(page, true);
    if (data.ok() && data.value() < page + hal::kPageSize) continue;
    if (room < hal::kPageSize) {
      if (page <= offset) return Errno::kENOSPC;
      return page - offset;
    }
    room -= hal::kPageSize;
  }
  return size;
}

Result<void> RamRegular::Truncate(uint64_t new_size) {
  if (new_size > kMaxSize) return Errno::kEFBIG;
  MutexLock lock(write_lock_);
  const uint64_t old_size = size();
  if (new_size < old_size && is_sealed(FileSeal::kShrink)) return Errno::kEPERM;
  if (new_size > old_size && is_sealed(FileSeal::kGrow)) return Errno::kEPERM;
  BeforeChange();
  TRY(Materialize(std::min(old_size, new_size)));
  VmObject* contents = this->contents();
  if (new_size < size()) set_size(new_size);
  if (contents) TRY(contents->Resize(new_size));
  set_size(new_size);
  // One made in the meantime has the old size.
  if (!contents && this->contents()) TRY(this->contents()->Resize(new_size));
  Recharge();
  TouchModified();
  return {};
}

Result<void> RamRegular::ZeroRange(uint64_t offset, uint64_t size) {
  const uint64_t end = std::min(offset + size, this->size());
  VmObject* contents = this->contents();
  if (!contents || offset >= end) return {};
  return contents->Decommit(offset, end - offset);
}

Result<void> RamRegular::Allocate(uint32_t mode, uint64_t offset, uint64_t size) {
  constexpr uint32_t kKeepSize = 1, kPunchHole = 2, kZeroRange = 16;
  if (mode != 0 && mode != kKeepSize && mode != (kPunchHole | kKeepSize) && mode != kZeroRange &&
      mode != (kZeroRange | kKeepSize))
    return Errno::kEOPNOTSUPP;
  MutexLock lock(write_lock_);
  const bool zeroes = (mode & (kPunchHole | kZeroRange)) != 0;
  if (zeroes && is_sealed(FileSeal::kWrite | FileSeal::kFutureWrite)) return Errno::kEPERM;
  const uint64_t end = offset + size;
  if (end > this->size() && !(mode & kKeepSize) && is_sealed(FileSeal::kGrow)) return Errno::kEPERM;
  BeforeChange();
  TRY(Materialize(this->size()));
  if (zeroes) TRY(ZeroRange(offset, size));
  if (!(mode & kPunchHole)) {
    VmObject* contents = TRY(EnsureContents());
    // Pages beyond the end are not kept: they would read as the file's once it grows.
    const uint64_t limit = mode & kKeepSize ? std::min(end, this->size()) : end;
    if (limit > offset) {
      if (TRY(FitToSpace(*contents, offset, limit - offset)) != limit - offset)
        return Errno::kENOSPC;
      if (!HasRamFor(*contents, offset, limit)) return Errno::kENOSPC;
      if (limit > contents->size()) TRY(contents->Resize(limit));
      const auto committed = contents->Commit(offset, limit - offset);
      if (!committed.ok()) {
        if (limit > this->size()) TRY(contents->Resize(this->size()));
        return committed.error() == Errno::kENOMEM ? Errno::kENOSPC : committed.error();
      }
      if (limit > this->size()) set_size(limit);
    }
  }
  Recharge();
  TouchModified();
  return {};
}

Result<uint64_t> RamRegular::SeekData(uint64_t offset, bool data) {
  const uint64_t end = size();
  if (offset >= end) return Errno::kENXIO;
  VmObject* contents = this->contents();
  if (!contents) return data ? Result<uint64_t>(Errno::kENXIO) : Result<uint64_t>(offset);
  const uint64_t found = TRY(contents->SeekData(offset, data));
  if (found < end) return found;
  return data ? Result<uint64_t>(Errno::kENXIO) : Result<uint64_t>(end);
}

Result<uint32_t> RamRegular::GetSeals() {
  const uint32_t seals = seals_.load(std::memory_order_acquire);
  // A tmpfs file with a name of its own cannot be sealed; elsewhere there is no such thing.
  if (!(seals & kHasSeals)) {
    if (fs_.type_name() != "tmpfs") return Errno::kEINVAL;
    return FileSeal::kSeal;
  }
  return seals & ~kHasSeals;
}

Result<void> RamRegular::AddSeals(uint32_t seals) {
  constexpr uint32_t kAll = FileSeal::kSeal | FileSeal::kShrink | FileSeal::kGrow |
                            FileSeal::kWrite | FileSeal::kFutureWrite | FileSeal::kExec;
  if (seals & ~kAll) return Errno::kEINVAL;
  MutexLock lock(write_lock_);
  if (TRY(GetSeals()) & FileSeal::kSeal) return Errno::kEPERM;
  // fcntl(2): who may not become executable any more may not be changed either.
  if ((seals & FileSeal::kExec) && (TRY(GetOwnership()).mode & 0111))
    seals |= FileSeal::kShrink | FileSeal::kGrow | FileSeal::kWrite | FileSeal::kFutureWrite;
  if ((seals & FileSeal::kWrite) && contents() && contents()->HasWritableMapping())
    return Errno::kEBUSY;
  seals_.fetch_or(seals, std::memory_order_acq_rel);
  return {};
}

}  // namespace zrun::vfs
