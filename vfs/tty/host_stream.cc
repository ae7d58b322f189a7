#include "vfs/tty/host_stream.h"

#include "hal/devices.h"

namespace zrun::vfs {

Result<std::span<std::byte>> StreamChannel::Buffer() {
  if (!buffer_) buffer_.reset(new (std::nothrow) std::byte[kBufferSize]);
  if (!buffer_) return Errno::kENOMEM;
  return std::span(buffer_.get(), kBufferSize);
}

Result<size_t> StreamChannel::Read(DataSink& sink) {
  if (sink.remaining() == 0) return 0;
  MutexLock lock(lock_);
  if (unread_.empty()) {
    const std::span<std::byte> buffer = TRY(Buffer());
    // No more than was asked for: what zrun does not read stays for others.
    const auto wanted = buffer.first(std::min(buffer.size(), sink.remaining()));
    const auto read = hal::StreamRead(stream_, wanted);
    if (!read.ok()) {
      // Also those who wait for an edge will hear of what comes.
      if (read.error() == Errno::kEAGAIN) hal::WatchStream(stream_, true, false);
      return read.error();
    }
    const size_t size = read.value();
    if (size == 0) return 0;
    auto given = sink.Put(wanted.first(size));
    const size_t done = given.ok() ? given.value() : 0;
    if (done < size) TRY(unread_.Append(wanted.subspan(done, size - done)));
    has_unread_.store(!unread_.empty());
    return given;
  }
  auto done = unread_.Drain(sink);
  has_unread_.store(!unread_.empty());
  return done;
}

// True when nothing is left.
bool StreamChannel::FlushLocked() {
  while (!unsent_.empty()) {
    const auto written = hal::StreamWrite(stream_, unsent_.front());
    if (written.ok()) {
      unsent_.Consume(written.value());
    } else if (written.error() == Errno::kEAGAIN) {
      return false;
    } else {
      unsent_.Clear();  // the next write will learn it
    }
  }
  has_unsent_.store(false);
  return true;
}

Result<size_t> StreamChannel::Write(DataSource& source) {
  if (source.remaining() == 0) return 0;
  MutexLock lock(lock_);
  const std::span<std::byte> buffer = TRY(Buffer());
  size_t done = 0;
  while (source.remaining() != 0) {
    if (!FlushLocked()) break;
    const auto chunk = buffer.first(std::min(buffer.size(), source.remaining()));
    auto taken = source.Take(chunk);
    if (!taken.ok()) {
      if (done > 0) break;
      return taken.error();
    }
    const auto bytes = chunk.first(taken.value());
    auto written = hal::StreamWrite(stream_, bytes);
    if (!written.ok() && written.error() != Errno::kEAGAIN) {
      if (done > 0) break;
      return written.error();
    }
    const size_t sent = written.ok() ? written.value() : 0;
    if (sent < bytes.size()) {
      TRY(unsent_.Append(bytes.subspan(sent)));
      has_unsent_.store(true);
    }
    done += bytes.size();
    if (bytes.size() < chunk.size()) break;
  }
  // What could not be written yet goes on when the stream is ready.
  if (!unsent_.empty()) hal::WatchStream(stream_, false, true);
  if (done == 0) return Errno::kEAGAIN;
  return done;
}

Result<RefPtr<FileDescription>> StreamChannel::Reopen(const Path& path, OpenFlags flags) {
  const OpenFlags access = flags & OpenFlags::kAccessMode;
  const OpenFlags given = stream_ == 0 ? OpenFlags::kReadOnly : OpenFlags::kWriteOnly;
  // Both directions are asked for as if it were a terminal; the one that is missing answers EBADF.
  if (access != given && access != OpenFlags::kReadWrite) return Errno::kEACCES;
  return TRY(MakeRef<HostStream>(path, (flags & ~OpenFlags::kAccessMode) | given, *this));
}

Signals StreamChannel::Poll(bool reads, bool writes) const {
  const hal::StreamReadiness ready = hal::PollStream(stream_);
  Signals signals = Signals::kNone;
  const bool can_read = ready.readable || ready.hang_up || has_unread_.load();
  const bool can_write = ready.writable && !has_unsent_.load();
  if (reads && (ready.readable || has_unread_.load())) signals |= Signals::kReadable;
  if (reads && ready.hang_up) signals |= Signals::kPeerClosed;
  if (writes && can_write) signals |= Signals::kWritable;
  if (writes && ready.hang_up) signals |= Signals::kError;
  const bool await_read = reads && !can_read;
  const bool await_write = writes && !can_write && !ready.hang_up;
  if (await_read || await_write) hal::WatchStream(stream_, await_read, await_write);
  return signals;
}

bool StreamChannel::Flush() {
  MutexLock lock(lock_);
  const bool done = FlushLocked();
  if (!done) hal::WatchStream(stream_, false, true);
  return done;
}

void StreamChannel::OnReady() {
  {
    MutexLock lock(lock_);
    if (!FlushLocked()) hal::WatchStream(stream_, false, true);
  }
  MutexLock lock(files_lock_);
  for (HostStream& file : files_) {
    const Signals now = file.signals();
    if (now == Signals::kNone) continue;
    // A pulse: the level is computed, never stored.
    file.UpdateSignals(Signals::kNone, now);
    file.UpdateSignals(now, Signals::kNone);
  }
}

HostStream::HostStream(Path path, OpenFlags flags, StreamChannel& channel)
    : FileDescription(std::move(path), flags, Signals::kNone), channel_(channel) {
  MutexLock lock(channel_.files_lock_);
  channel_.files_.PushBack(*this);
}

HostStream::~HostStream() {
  MutexLock lock(channel_.files_lock_);
  channel_.files_.Remove(*this);
}

}  // namespace zrun::vfs
