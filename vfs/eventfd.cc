#include "vfs/eventfd.h"

#include <algorithm>

#include "base/text.h"
#include "vfs/anonymous.h"

namespace zrun::vfs {
namespace {

// eventfd(2): a 64-bit counter.
class EventFd final : public FileDescription {
 public:
  EventFd(Path path, OpenFlags flags, uint64_t count, bool semaphore)
      : FileDescription(std::move(path), flags, SignalsOf(count)),
        semaphore_(semaphore),
        count_(count) {}
  Kind kind() const override { return Kind::kEventFd; }
  // kWritable says that one fits; a larger value waits until something was read.
  Signals write_signals() const override { return Signals::kUser; }

  Result<size_t> Read(DataSink& sink) override {
    if (sink.remaining() < sizeof(uint64_t)) return Errno::kEINVAL;
    MutexLock lock(lock_);
    if (count_ == 0) return Errno::kEAGAIN;
    const uint64_t value = semaphore_ ? 1 : count_;
    const size_t done = TRY(sink.Put(std::as_bytes(std::span(&value, 1))));
    if (done < sizeof(value)) return Errno::kEFAULT;
    count_ -= value;
    Refresh(Signals::kWritable);
    UpdateSignals(Signals::kNone, Signals::kUser);
    return done;
  }
  Result<size_t> Write(DataSource& source) override {
    if (source.remaining() < sizeof(uint64_t)) return Errno::kEINVAL;
    MutexLock lock(lock_);
    uint64_t value = 0;
    const auto bytes = std::as_writable_bytes(std::span(&value, 1));
    if (TRY(source.Peek(bytes)) < sizeof(value)) return Errno::kEFAULT;
    if (value == UINT64_MAX) return Errno::kEINVAL;
    if (UINT64_MAX - 1 - count_ < value) {
      // Others may be on their way to write less.
      least_refused_ = std::min(least_refused_, value);
      if (UINT64_MAX - 1 - count_ < least_refused_) UpdateSignals(Signals::kUser, Signals::kNone);
      return Errno::kEAGAIN;
    }
    if (TRY(source.Take(bytes)) < sizeof(value)) return Errno::kEFAULT;
    // Another thread may have changed it.
    if (UINT64_MAX - 1 - count_ < value) return Errno::kEAGAIN;
    count_ += value;
    least_refused_ = UINT64_MAX;
    Refresh(Signals::kReadable);
    return sizeof(value);
  }
  void ShowInfo(TextSink& out) override {
    TextBuffer<20> count;
    {
      MutexLock lock(lock_);
      count = TextBuffer<20>(Hex{count_});
    }
    zrun::Write(out, "eventfd-count: ", PadText{count, 16}, "\neventfd-id: ", id_,
                "\neventfd-semaphore: ", int(semaphore_), "\n");
  }

 private:
  static constexpr Signals SignalsOf(uint64_t count) {
    return (count > 0 ? Signals::kReadable : Signals::kNone) |
           (count < UINT64_MAX - 1 ? Signals::kWritable : Signals::kNone);
  }
  // |told|: whose side the change is news for, also if its signal was set already.
  void Refresh(Signals told) REQUIRES(lock_) {
    const Signals now = SignalsOf(count_), before = signals();
    UpdateSignals(before & ~now, now & (told | ~before));
  }

  static constinit std::atomic<uint64_t> next_id_;
  const uint64_t id_ = next_id_.fetch_add(1, std::memory_order_relaxed);
  const bool semaphore_;
  Mutex lock_{LockRank::kFile};
  uint64_t count_ GUARDED_BY(lock_);
  uint64_t least_refused_ GUARDED_BY(lock_) = UINT64_MAX;  // by writes since the last that fitted
};

constinit std::atomic<uint64_t> EventFd::next_id_{0};

}  // namespace

Result<RefPtr<FileDescription>> CreateEventFd(uint32_t initial, bool semaphore, OpenFlags flags) {
  Path path = TRY(MakeAnonymousPath("anon_inode:[eventfd]", 0600));
  return TRY(MakeRef<EventFd>(
      std::move(path), (flags & OpenFlags::kNonBlock) | OpenFlags::kReadWrite, initial, semaphore));
}

}  // namespace zrun::vfs
