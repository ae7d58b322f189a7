#pragma once
#include "vfs/anonymous.h"
#include "vfs/file_description.h"
#include "vfs/pipe_buffer.h"

namespace zrun::vfs {

class PipeEnd;

// A pipe: what all its open ends share. A FIFO's hangs on its vnode while somebody has it open.
class Pipe final : public KernelObject {
 public:
  static constexpr ObjectType kType = ObjectType::kEndpoint;
  static Result<RefPtr<Pipe>> Create();
  ~Pipe() override;

  // Counts |end| in. ENXIO: a FIFO's writer that may not wait, without readers. ESTALE: the pipe's
  // last end has closed; get another from the vnode.
  Result<void> Attach(PipeEnd& end, bool wait_for_peer) EXCLUDES(lock_);
  void Detach(PipeEnd& end) EXCLUDES(lock_);
  Result<void> FinishOpen(PipeEnd& end) EXCLUDES(lock_);

  Result<size_t> Read(DataSink& sink) EXCLUDES(lock_);
  Result<size_t> Write(DataSource& source, bool packets) EXCLUDES(lock_);
  size_t byte_count() EXCLUDES(lock_);
  uint32_t capacity() EXCLUDES(lock_);
  Result<void> SetCapacity(uint32_t slots) EXCLUDES(lock_);

  // ---- For splice.
  // Bytes that may be pushed now. EPIPE without readers, kEAGAIN when full.
  Result<size_t> RoomToPush() EXCLUDES(lock_);
  Result<void> Push(PipeSlot slot) EXCLUDES(lock_);
  // The first bytes, at most |size|, taken out; GiveBack() puts back what could not be used.
  // kEAGAIN if there are none; an empty slot at end of file.
  Result<PipeSlot> Pop(size_t size) EXCLUDES(lock_);
  Result<void> GiveBack(PipeSlot slot) EXCLUDES(lock_);
  // Moves (or with |copy| duplicates) up to |size| bytes. kEAGAIN, with |source_empty| telling
  // whose fault it is; EPIPE; 0 at end of file.
  static Result<size_t> Transfer(Pipe& from, Pipe& to, size_t size, bool copy, bool& source_empty);

 private:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> zrun::MakeRef(Args&&...);
  Pipe() : KernelObject(ObjectType::kEndpoint) {}
  // What |end| ought to signal.
  Signals SignalsOf(const PipeEnd& end) const REQUIRES(lock_);
  void RefreshAll() REQUIRES(lock_);
  // After bytes were added (taken): tells the readers (writers).
  void AfterWrite() REQUIRES(lock_);
  void AfterRead(bool was_full) REQUIRES(lock_);

  mutable Mutex lock_{LockRank::kFile};
  PipeBuffer buffer_ GUARDED_BY(lock_);
  IntrusiveList<PipeEnd, PipeEnd> ends_ GUARDED_BY(lock_);
  uint32_t readers_ GUARDED_BY(lock_) = 0, writers_ GUARDED_BY(lock_) = 0;
  // How often a reader (writer) was opened: what those who wait for one wait for.
  uint32_t reader_opens_ GUARDED_BY(lock_) = 0, writer_opens_ GUARDED_BY(lock_) = 0;
  bool is_dead_ GUARDED_BY(lock_) = false;
};

// One open(2) of a pipe, for reading, writing or (a FIFO) both.
class PipeEnd final : public FileDescription, public ListNode<PipeEnd> {
 public:
  PipeEnd(Path path, OpenFlags flags, RefPtr<Pipe> pipe, bool is_fifo);
  ~PipeEnd() override;
  Kind kind() const override { return Kind::kPipe; }
  Result<size_t> Read(DataSink& sink) override;
  Result<size_t> Write(DataSource& source) override;
  Result<uint64_t> Ioctl(uint32_t request, uint64_t argument, UserMemory& memory) override;
  Result<void> FinishOpen() override { return pipe_->FinishOpen(*this); }
  Pipe& pipe() { return *pipe_; }

 private:
  friend class Pipe;
  void OnZeroHandles() override;
  const RefPtr<Pipe> pipe_;
  const bool is_fifo_;
  // Guarded by the pipe's lock.
  bool is_attached_ = false;
  bool awaits_peer_ = false;
  uint32_t opens_seen_ = 0;  // the other side's count when this end was opened
  bool ignores_opens_seen_ = true;
};

// |file| as a pipe's end, or null.
inline PipeEnd* AsPipeEnd(FileDescription& file) {
  return file.kind() == FileDescription::Kind::kPipe ? static_cast<PipeEnd*>(&file) : nullptr;
}

}  // namespace zrun::vfs
