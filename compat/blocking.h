#pragma once
#include "compat/task.h"
#include "vfs/leases.h"

namespace zrun::compat {

// Files never block: they return EAGAIN. Blocking is done here, once, for all of them.

// |operation| is () -> Result<T>. EAGAIN at |deadline| (SO_RCVTIMEO); kRestartSys if a signal comes
// first.
template <typename Operation>
auto RetryUntilReady(Task& task, KernelObject& object, Signals ready, bool nonblocking,
                     Operation operation, hal::Deadline deadline = hal::Deadline::Never())
    -> decltype(operation()) {
  for (;;) {
    auto result = operation();
    if (result.ok() || result.error() != Errno::kEAGAIN || nonblocking) return result;
    auto waited = task.WaitFor(object, ready, deadline);
    if (!waited.ok()) return waited.error() == Errno::kETIMEDOUT ? Errno::kEAGAIN : waited.error();
  }
}

// |operation| is (RefPtr<vfs::LeaseWait>&) -> Result<T>, and sets it with EAGAIN if a lease is in
// the way (vfs/namei.h): waits and tries again. kRestartSys if a signal comes first.
template <typename Operation>
auto RetryAfterLeases(Task& task, Operation operation)
    -> decltype(operation(std::declval<RefPtr<vfs::LeaseWait>&>())) {
  for (;;) {
    RefPtr<vfs::LeaseWait> wait;
    auto result = operation(wait);
    if (!wait) return result;
    const auto waited = task.WaitFor(*wait, Signals::kSignaled, wait->deadline());
    if (!waited.ok() && waited.error() != Errno::kETIMEDOUT) return waited.error();
  }
}

// read(2) and write(2) of an open file, at its position, as a blocking descriptor sees them: sleeps
// while there is nothing, writes all there is, sends SIGPIPE.
Result<size_t> ReadFile(Task& task, vfs::FileDescription& file, vfs::DataSink& sink,
                        bool nonblocking);
Result<size_t> WriteFile(Task& task, vfs::FileDescription& file, vfs::DataSource& source,
                         bool nonblocking);
// EINVAL for a range of a file that ends beyond the largest offset there is.
inline Result<void> CheckFileRange(uint64_t offset, uint64_t count) {
  if (int64_t(offset + count) < 0) return Errno::kEINVAL;
  return {};
}
// RLIMIT_FSIZE for a regular file: how many of |size| bytes may be written at |offset|. EFBIG, and
// SIGXFSZ, if that is none.
Result<size_t> LimitFileSize(Task& task, vfs::FileDescription& file, uint64_t offset, size_t size);
// The same for truncation to |size|.
Result<void> CheckFileSize(Task& task, uint64_t size);

// A part of another source.
class LimitedSource final : public vfs::DataSource {
 public:
  LimitedSource(vfs::DataSource& source, size_t limit) : source_(source), limit_(limit) {}
  size_t remaining() const override { return std::min(limit_, source_.remaining()); }
  Result<size_t> Take(std::span<std::byte> bytes) override {
    const size_t taken = TRY(source_.Take(bytes.first(std::min(bytes.size(), limit_))));
    limit_ -= taken;
    return taken;
  }
  Result<size_t> Peek(std::span<std::byte> bytes) override {
    return source_.Peek(bytes.first(std::min(bytes.size(), limit_)));
  }
  vfs::UserRange Next() const override {
    const vfs::UserRange next = source_.Next();
    return {next.base, std::min(next.size, limit_)};
  }
  void Skip(size_t count) override {
    source_.Skip(count);
    limit_ -= count;
  }

 private:
  vfs::DataSource& source_;
  size_t limit_;
};

// A descriptor number held for a file that is still to be made: what cannot get one fails before it
// has any effect.
class ReservedFd {
 public:
  static Result<ReservedFd> Create(Task& task);
  ReservedFd(ReservedFd&& other) : task_(std::exchange(other.task_, nullptr)), fd_(other.fd_) {}
  ReservedFd& operator=(ReservedFd&&) = delete;
  ~ReservedFd() {
    if (task_) task_->fds().Unreserve(fd_);
  }
  Fd fd() const { return fd_; }
  uint64_t Publish(const RefPtr<vfs::FileDescription>& file, bool close_on_exec) {
    std::exchange(task_, nullptr)
        ->fds()
        .Publish(fd_, Handle(file, file->default_rights()), close_on_exec);
    return uint64_t(fd_.value);
  }

 private:
  ReservedFd(Task& task, Fd fd) : task_(&task), fd_(fd) {}
  Task* task_;
  Fd fd_;
};

}  // namespace zrun::compat
