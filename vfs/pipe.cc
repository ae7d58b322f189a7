#include "vfs/pipe.h"

#include <bit>

#include "vfs/pipe_end.h"

namespace zrun::vfs {

namespace {
constexpr uint32_t kFionRead = 0x541b;  // FIONREAD, <asm-generic/ioctls.h>
constexpr uint64_t kMaxSize = 1u << 31;
uint64_t RoundSize(uint64_t size) {
  return std::bit_ceil(std::max<uint64_t>(size, PipePage::kSize));
}
}  // namespace

constinit Setting pipe_max_size{1 << 20, 0, kMaxSize};

bool SetPipeMaxSize(uint64_t size) {
  if (size > kMaxSize) return false;
  pipe_max_size.value.store(int64_t(RoundSize(size)));
  return true;
}

// ---- Pipe

Result<RefPtr<Pipe>> Pipe::Create() {
  auto pipe = TRY(MakeRef<Pipe>());
  MutexLock lock(pipe->lock_);
  TRY(pipe->buffer_.Init());
  return pipe;
}

Pipe::~Pipe() = default;

Result<void> Pipe::Attach(PipeEnd& end, bool wait_for_peer) {
  MutexLock lock(lock_);
  if (is_dead_) return Errno::kESTALE;
  const bool reads = end.readable(), writes = end.writable();
  if (end.is_fifo_ && writes && !reads && readers_ == 0 && !wait_for_peer) return Errno::kENXIO;
  if (end.is_fifo_ && reads != writes) {
    const bool is_alone = reads ? writers_ == 0 : readers_ == 0;
    end.opens_seen_ = reads ? writer_opens_ : reader_opens_;
    end.awaits_peer_ = is_alone && wait_for_peer;
    // A reader that did not wait sees no hang-up until a writer has come and gone.
    end.ignores_opens_seen_ = !is_alone || wait_for_peer;
  }
  if (reads) readers_++, reader_opens_++;
  if (writes) writers_++, writer_opens_++;
  end.is_attached_ = true;
  ends_.PushBack(end);
  RefreshAll();
  return {};
}

void Pipe::Detach(PipeEnd& end) {
  MutexLock lock(lock_);
  if (!end.is_attached_) return;
  end.is_attached_ = false;
  ends_.Remove(end);
  if (end.readable()) readers_--;
  if (end.writable()) writers_--;
  if (readers_ == 0 && writers_ == 0) {
    is_dead_ = true;
    if (auto vnode = end.path().vnode()) vnode->DetachObject(*this);
  }
  RefreshAll();
}

Result<void> Pipe::FinishOpen(PipeEnd& end) {
  MutexLock lock(lock_);
  if (!end.awaits_peer_) return {};
  const uint32_t opens = end.readable() ? writer_opens_ : reader_opens_;
  if (opens == end.opens_seen_) return Errno::kEAGAIN;
  end.awaits_peer_ = false;
  return {};
}

Signals Pipe::SignalsOf(const PipeEnd& end) const {
  Signals signals = Signals::kNone;
  if (end.readable()) {
    if (!buffer_.empty()) signals |= Signals::kReadable;
    if (writers_ == 0 && (end.ignores_opens_seen_ || end.opens_seen_ != writer_opens_))
      signals |= Signals::kPeerClosed;
  }
  if (end.writable()) {
    if (!buffer_.full()) signals |= Signals::kWritable;
    if (readers_ == 0) signals |= Signals::kError;
  }
  if (end.awaits_peer_ && (end.readable() ? writer_opens_ : reader_opens_) != end.opens_seen_) {
    signals |= Signals::kUser;
  }
  return signals;
}

void Pipe::RefreshAll() {
  for (PipeEnd& end : ends_) {
    const Signals now = SignalsOf(end), before = end.signals();
    if (now != before) end.UpdateSignals(before & ~now, now & ~before);
  }
}

void Pipe::AfterWrite() {
  const bool full = buffer_.full();
  for (PipeEnd& end : ends_) {
    // Readers are told of every write, also when there are bytes already: an edge.
    const Signals clear = full && end.writable() ? Signals::kWritable : Signals::kNone;
    if (end.readable()) {
      end.UpdateSignals(clear, Signals::kReadable);
    } else if (full) {
      end.UpdateSignals(clear, Signals::kNone);
    }
  }
}

void Pipe::AfterRead(bool was_full) {
  const bool has_room = was_full && !buffer_.full();
  const bool is_empty = buffer_.empty();
  if (!has_room && !is_empty) return;
  for (PipeEnd& end : ends_) {
    const Signals clear = is_empty && end.readable() ? Signals::kReadable : Signals::kNone;
    const Signals set = has_room && end.writable() ? Signals::kWritable : Signals::kNone;
    if ((clear | set) != Signals::kNone) end.UpdateSignals(clear, set);
  }
}

Result<size_t> Pipe::Read(DataSink& sink) {
  if (sink.remaining() == 0) return 0;
  MutexLock lock(lock_);
  if (buffer_.empty()) {
    if (writers_ == 0) return 0;
    return Errno::kEAGAIN;
  }
  const bool was_full = buffer_.full();
  auto done = buffer_.Read(sink);
  AfterRead(was_full);
  return done;
}

Result<size_t> Pipe::Write(DataSource& source, bool packets) {
  if (source.remaining() == 0) return 0;
  MutexLock lock(lock_);
  if (readers_ == 0) return Errno::kEPIPE;
  const size_t done = TRY(buffer_.Write(source, packets));
  if (done == 0) return Errno::kEAGAIN;
  AfterWrite();
  return done;
}

size_t Pipe::byte_count() {
  MutexLock lock(lock_);
  return buffer_.byte_count();
}

uint32_t Pipe::capacity() {
  MutexLock lock(lock_);
  return buffer_.capacity();
}

Result<void> Pipe::SetCapacity(uint32_t slots) {
  MutexLock lock(lock_);
  TRY(buffer_.SetCapacity(slots));
  RefreshAll();
  return {};
}

Result<size_t> Pipe::RoomToPush() {
  MutexLock lock(lock_);
  if (readers_ == 0) return Errno::kEPIPE;
  if (buffer_.full()) return Errno::kEAGAIN;
  return (buffer_.capacity() - buffer_.used()) * PipePage::kSize;
}

Result<void> Pipe::Push(PipeSlot slot) {
  MutexLock lock(lock_);
  TRY(buffer_.Push(std::move(slot)));
  AfterWrite();
  return {};
}

Result<PipeSlot> Pipe::Pop(size_t size) {
  MutexLock lock(lock_);
  if (buffer_.empty()) {
    if (writers_ == 0) return PipeSlot{};
    return Errno::kEAGAIN;
  }
  const bool was_full = buffer_.full();
  PipeSlot slot = buffer_.PopFront(size);
  AfterRead(was_full);
  return slot;
}

Result<void> Pipe::GiveBack(PipeSlot slot) {
  MutexLock lock(lock_);
  slot.is_shared = true;
  TRY(buffer_.PushFront(std::move(slot)));
  RefreshAll();
  return {};
}

// The analysis cannot follow locks of two objects through LockBoth.
Result<size_t> Pipe::Transfer(Pipe& from, Pipe& to, size_t size, bool copy,
                              bool& source_empty) NO_THREAD_SAFETY_ANALYSIS {
  LockBoth lock(from.lock_, to.lock_);
  source_empty = false;
  if (to.readers_ == 0) return Errno::kEPIPE;
  if (from.buffer_.empty()) {
    source_empty = true;
    if (from.writers_ == 0) return 0;
    return Errno::kEAGAIN;
  }
  if (to.buffer_.full()) return Errno::kEAGAIN;
  const bool was_full = from.buffer_.full();
  size_t done = 0;
  for (uint32_t i = 0; done < size && !to.buffer_.full(); i++) {
    if (copy ? i >= from.buffer_.used() : from.buffer_.empty()) break;
    PipeSlot slot =
        copy ? from.buffer_.PeekFront(size - done, i) : from.buffer_.PopFront(size - done);
    const size_t moved = slot.size;
    if (auto pushed = to.buffer_.Push(std::move(slot)); !pushed.ok()) {
      if (done == 0) return pushed.error();
      break;
    }
    done += moved;
  }
  if (!copy) from.AfterRead(was_full);
  to.AfterWrite();
  return done;
}

// ---- PipeEnd

PipeEnd::PipeEnd(Path path, OpenFlags flags, RefPtr<Pipe> pipe, bool is_fifo)
    : FileDescription(std::move(path), flags, Signals::kNone),
      pipe_(std::move(pipe)),
      is_fifo_(is_fifo) {}

// Also for an end that never had a handle (an open that was interrupted).
PipeEnd::~PipeEnd() { pipe_->Detach(*this); }
void PipeEnd::OnZeroHandles() { pipe_->Detach(*this); }

Result<size_t> PipeEnd::Read(DataSink& sink) { return pipe_->Read(sink); }

Result<size_t> PipeEnd::Write(DataSource& source) {
  return pipe_->Write(source, HasAny(flags(), OpenFlags::kDirect));
}

Result<uint64_t> PipeEnd::Ioctl(uint32_t request, uint64_t argument, UserMemory& memory) {
  if (request != kFionRead) return Errno::kENOTTY;
  TRY(memory.Write(UserPtr<int32_t>(argument), int32_t(pipe_->byte_count())));
  return 0;
}

// ---- Making them

Result<PipePair> CreatePipe(OpenFlags flags, FileOwner owner, bool privileged) {
  auto pipe = TRY(Pipe::Create());
  if (const auto most = uint64_t(pipe_max_size.get()) / PipePage::kSize;
      !privileged && most < pipe->capacity())
    TRY(pipe->SetCapacity(uint32_t(most)));
  const Path path = TRY(MakeAnonymousPath("pipe", kModeFifo | 0600, owner, pipe));
  flags &= OpenFlags::kNonBlock | OpenFlags::kDirect;
  auto reader = TRY(MakeRef<PipeEnd>(path, flags | OpenFlags::kReadOnly, pipe, false));
  TRY(pipe->Attach(*reader, false));
  auto writer = TRY(MakeRef<PipeEnd>(path, flags | OpenFlags::kWriteOnly, pipe, false));
  TRY(pipe->Attach(*writer, false));
  return PipePair{std::move(reader), std::move(writer)};
}

Result<RefPtr<FileDescription>> OpenFifo(const Path& path, OpenFlags flags) {
  RefPtr<Vnode> vnode = path.vnode();
  if (!vnode) return Errno::kENOENT;
  // A pipe opened again through /proc/self/fd waits for nobody: its other end is there or gone.
  const bool is_named = path.mount.get() != nullptr;
  for (;;) {
    auto attached = vnode->attached_object();
    if (!attached) attached = vnode->AttachObject(TRY(Pipe::Create()));
    RefPtr<Pipe> pipe(static_cast<Pipe*>(attached.get()));
    auto end = TRY(MakeRef<PipeEnd>(path, flags, pipe, is_named));
    auto done = pipe->Attach(*end, !HasAny(flags, OpenFlags::kNonBlock));
    if (done.ok()) return end;
    if (done.error() != Errno::kESTALE) return done.error();
  }
}

Result<uint64_t> GetPipeSize(FileDescription& file) {
  PipeEnd* end = AsPipeEnd(file);
  if (!end) return Errno::kEBADF;
  return end->pipe().capacity() * PipePage::kSize;
}

Result<uint64_t> SetPipeSize(FileDescription& file, uint64_t size, bool privileged) {
  PipeEnd* end = AsPipeEnd(file);
  if (!end) return Errno::kEBADF;
  if (size > kMaxSize) return Errno::kEINVAL;
  const uint64_t rounded = RoundSize(size);
  const uint32_t slots = uint32_t(rounded / PipePage::kSize);
  if (rounded > uint64_t(pipe_max_size.get()) && slots > end->pipe().capacity() && !privileged)
    return Errno::kEPERM;
  TRY(end->pipe().SetCapacity(slots));
  return rounded;
}

}  // namespace zrun::vfs
