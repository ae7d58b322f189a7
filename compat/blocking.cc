#include "compat/blocking.h"

#include "vfs/socket/socket.h"

namespace zrun::compat {
namespace {

// Files whose blocking write goes on until all is written. Others take what they take at once:
// a regular file's short write means that the disk is full.
bool WritesInPieces(const vfs::FileDescription& file) {
  switch (file.kind()) {
    case vfs::FileDescription::Kind::kPipe:
    case vfs::FileDescription::Kind::kSocket:
    case vfs::FileDescription::Kind::kTty:
    case vfs::FileDescription::Kind::kOther:
      return true;
    default:
      return false;
  }
}

// Whether EPIPE comes with SIGPIPE: not for sockets of separate messages.
bool RaisesSigPipe(vfs::FileDescription& file) {
  return file.kind() != vfs::FileDescription::Kind::kSocket ||
         !static_cast<vfs::Socket&>(file).keeps_boundaries();
}

bool IsRegular(vfs::FileDescription& file) {
  if (file.kind() != vfs::FileDescription::Kind::kVnode) return false;
  const auto vnode = file.path().vnode();
  return vnode && vnode->type() == vfs::VnodeType::kRegular;
}

}  // namespace

Result<size_t> ReadFile(Task& task, vfs::FileDescription& file, vfs::DataSink& sink,
                        bool nonblocking) {
  auto result = file.Read(sink);
  if (result.ok() || result.error() != Errno::kEAGAIN || nonblocking) return result;
  const hal::Nanoseconds started = hal::MonotonicNow();
  for (;;) {
    const auto waited = task.WaitFor(file, file.read_signals(), file.read_deadline(started));
    if (!waited.ok()) {
      if (waited.error() == Errno::kETIMEDOUT) return file.ReadExpired(sink);
      return waited.error();
    }
    auto again = file.Read(sink);
    if (again.ok() || again.error() != Errno::kEAGAIN) return again;
  }
}

namespace {

// A counter takes its eight bytes or none, so they are kept for the next try.
Result<size_t> WriteCounter(Task& task, vfs::FileDescription& file, vfs::DataSource& source,
                            bool nonblocking) {
  std::array<std::byte, sizeof(uint64_t)> value;
  if (source.remaining() < value.size()) return Errno::kEINVAL;
  if (TRY(source.Take(value)) < value.size()) return Errno::kEFAULT;
  return RetryUntilReady(task, file, file.write_signals(), nonblocking, [&] {
    vfs::SpanSource again(value);
    return file.Write(again);
  });
}

}  // namespace

Result<size_t> WriteFile(Task& task, vfs::FileDescription& file, vfs::DataSource& source,
                         bool nonblocking) {
  if (file.kind() == vfs::FileDescription::Kind::kEventFd)
    return WriteCounter(task, file, source, nonblocking);
  size_t total = 0;
  // What was written counts; the error comes with the next call.
  const auto give_up = [&](Errno error) -> Result<size_t> {
    if (error == Errno::kEPIPE && RaisesSigPipe(file)) task.SendSelf(abi::kSigPipe);
    if (total != 0) return total;
    return error;
  };
  const hal::Nanoseconds started =
      file.kind() == vfs::FileDescription::Kind::kSocket ? hal::MonotonicNow() : 0;
  for (;;) {
    const size_t before = source.remaining();
    const auto written = file.Write(source);
    if (written.ok()) {
      total += written.value();
      // /dev/null takes everything without looking at a byte of it.
      const bool looked = source.remaining() < before;
      if (!looked || source.remaining() == 0 || !WritesInPieces(file)) return total;
      continue;
    }
    if (written.error() != Errno::kEAGAIN || nonblocking) return give_up(written.error());
    const auto waited = task.WaitFor(file, file.write_signals(), file.write_deadline(started));
    if (!waited.ok())
      return give_up(waited.error() == Errno::kETIMEDOUT ? Errno::kEAGAIN : waited.error());
  }
}

Result<void> CheckFileSize(Task& task, uint64_t size) {
  if (size <= task.group().limits().soft(Limit::kFileSize)) return {};
  task.SendSelf(abi::kSigXfsz);
  return Errno::kEFBIG;
}

Result<size_t> LimitFileSize(Task& task, vfs::FileDescription& file, uint64_t offset, size_t size) {
  const uint64_t limit = task.group().limits().soft(Limit::kFileSize);
  if (limit == kUnlimited || size == 0 || !IsRegular(file)) return size;
  if (offset >= limit) {
    task.SendSelf(abi::kSigXfsz);
    return Errno::kEFBIG;
  }
  return size_t(std::min<uint64_t>(size, limit - offset));
}

Result<ReservedFd> ReservedFd::Create(Task& task) {
  const Fd fd = TRY(task.fds().Reserve(task.group().limits().soft(Limit::kFiles)));
  return ReservedFd(task, fd);
}

}  // namespace zrun::compat
