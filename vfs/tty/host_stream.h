#pragma once
#include "vfs/anonymous.h"
#include "vfs/byte_ring.h"
#include "vfs/file_description.h"

namespace zrun::vfs {

class HostStream;

// One of the launcher's streams and what is on its way to it; lives for ever, since bytes written
// must arrive after the file was closed. Any number of open files share it.
class StreamChannel final : public Reopener {
 public:
  // Stream 0 is read, the others are written.
  explicit StreamChannel(unsigned stream) : stream_(stream) {}
  // A file at |path|. EACCES the other way round: the launcher gave one direction.
  Result<RefPtr<FileDescription>> Reopen(const Path& path, OpenFlags flags) override;
  Result<size_t> Read(DataSink& sink) EXCLUDES(lock_);
  Result<size_t> Write(DataSource& source) EXCLUDES(lock_);
  // Computed from the machine; asks for an event where something is missing.
  Signals Poll(bool reads, bool writes) const;
  // True when nothing is left to write, or nobody will ever read it.
  bool Flush() EXCLUDES(lock_);
  void OnReady() EXCLUDES(lock_);

 private:
  friend class HostStream;
  // Bytes read from (to be written to) the stream that did not find their way yet.
  static constexpr size_t kBufferSize = 64 << 10;
  Result<std::span<std::byte>> Buffer() REQUIRES(lock_);
  bool FlushLocked() REQUIRES(lock_);

  const unsigned stream_;
  Mutex lock_{LockRank::kFile};
  std::unique_ptr<std::byte[]> buffer_ GUARDED_BY(lock_);  // for copies in both directions
  ByteRing unread_ GUARDED_BY(lock_){kBufferSize};
  ByteRing unsent_ GUARDED_BY(lock_){kBufferSize};
  // For Poll(), which may not take the lock.
  std::atomic<bool> has_unread_{false}, has_unsent_{false};
  Mutex files_lock_{LockRank::kFileSystem};
  IntrusiveList<HostStream> files_ GUARDED_BY(files_lock_);
};

// A stream of the launcher as an open file.
class HostStream final : public FileDescription, public ListNode<> {
 public:
  HostStream(Path path, OpenFlags flags, StreamChannel& channel);
  ~HostStream() override;
  Signals signals() const override { return channel_.Poll(readable(), writable()); }
  Result<size_t> Read(DataSink& sink) override { return channel_.Read(sink); }
  Result<size_t> Write(DataSource& source) override { return channel_.Write(source); }

 private:
  friend class StreamChannel;
  StreamChannel& channel_;
};

}  // namespace zrun::vfs
