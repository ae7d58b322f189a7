// Moving bytes between files without a buffer of the guest's.
#include "vfs/splice.h"

#include "compat/blocking.h"
#include "compat/file_params.h"
#include "compat/syscall_table.h"
#include "compat/time_argument.h"
#include "compat/user_buffer.h"

namespace zrun::compat {
namespace {

using vfs::FileDescription;
using vfs::SpliceWait;

// Runs |move| (SpliceWait& -> Result<size_t>) until it moves something or, if |nonblocking|, must
// not wait. SIGPIPE where the far end is gone.
template <typename Move>
SyscallResult MoveOrWait(Task& task, bool nonblocking, Move move) {
  for (;;) {
    SpliceWait wait;
    task.call_time.Forget();
    const auto moved = move(wait);
    if (moved.ok()) return moved.value();
    if (moved.error() == Errno::kEPIPE) task.SendSelf(abi::kSigPipe);
    if (moved.error() != Errno::kEAGAIN || nonblocking || !wait.file) return moved.error();
    TRY(task.WaitFor(*wait.file, wait.signals, hal::Deadline::Never()));
  }
}

bool IsRegular(const FileDescription& file) {
  const auto vnode = file.path().vnode();
  return vnode && vnode->type() == vfs::VnodeType::kRegular;
}

// An offset that the guest may give: read before the call, written back after it.
class OffsetArgument {
 public:
  OffsetArgument(Task& task, UserPtr<int64_t> pointer) : task_(task), pointer_(pointer) {}
  Result<void> Read() {
    if (!pointer_) return {};
    const int64_t value = TRY(task_.memory().Read(pointer_));
    if (value < 0) return Errno::kEINVAL;
    offset_ = uint64_t(value);
    return {};
  }
  Result<void> WriteBack() {
    if (!pointer_) return {};
    return task_.memory().Write(pointer_, int64_t(offset_));
  }
  uint64_t* pointer() { return pointer_ ? &offset_ : nullptr; }
  uint64_t start(FileDescription& file) const {
    if (pointer_) return offset_;
    const auto position = file.Seek(0, int(Whence::kCurrent));
    return position.ok() ? position.value() : 0;
  }

 private:
  Task& task_;
  const UserPtr<int64_t> pointer_;
  uint64_t offset_ = 0;
};

// A file that blocks by itself makes the whole call block; the pipes follow SPLICE_F_NONBLOCK.
bool IsNonblocking(SpliceFlags flags, const FileDescription& in, const FileDescription& out) {
  return HasAny(flags, SpliceFlags::kNonBlock) || in.is_nonblocking() || out.is_nonblocking();
}

constexpr SpliceFlags kKnownSpliceFlags =
    SpliceFlags::kMove | SpliceFlags::kNonBlock | SpliceFlags::kMore | SpliceFlags::kGift;

}  // namespace

SyscallResult sys_sendfile(Task& task, Fd out_fd, Fd in_fd, UserPtr<int64_t> offset,
                           uint64_t count) {
  OffsetArgument position(task, offset);
  TRY(position.Read());
  const auto in = TRY(task.fds().Get(in_fd, Rights::kRead));
  const auto out = TRY(task.fds().Get(out_fd, Rights::kWrite));
  if (int64_t(count) < 0) return Errno::kEINVAL;
  // What could not be written must stay readable: the source has to have a position.
  if (!IsRegular(*in) &&
      (in->kind() != FileDescription::Kind::kOther || !in->Seek(0, int(Whence::kCurrent)).ok()))
    return Errno::kEINVAL;
  if (HasAny(out->flags(), OpenFlags::kAppend)) return Errno::kEINVAL;
  TRY(CheckFileRange(position.start(*in), count));
  size_t size = std::min<uint64_t>(count, kMaxRwCount);
  const auto here = out->Seek(0, int(Whence::kCurrent));
  size = TRY(LimitFileSize(task, *out, here.ok() ? here.value() : 0, size));
  size_t total = 0;
  const bool nonblocking = out->is_nonblocking() || in->is_nonblocking();
  while (total < size) {
    const auto moved = MoveOrWait(task, nonblocking, [&](SpliceWait& wait) {
      return vfs::CopyFile({*in, position.pointer()}, {*out, nullptr}, size - total, wait);
    });
    if (!moved.ok() && total == 0) return moved.error();
    if (!moved.ok() || moved.value() == 0) break;
    total += moved.value();
  }
  task.CountRead(total);
  task.CountWrite(total);
  TRY(position.WriteBack());
  return total;
}

SyscallResult sys_copy_file_range(Task& task, Fd in_fd, UserPtr<int64_t> in_offset, Fd out_fd,
                                  UserPtr<int64_t> out_offset, uint64_t count, uint32_t flags) {
  const auto in = TRY(task.fds().Get(in_fd));
  const auto out = TRY(task.fds().Get(out_fd));
  OffsetArgument from(task, in_offset), to(task, out_offset);
  TRY(from.Read());
  TRY(to.Read());
  if (flags != 0) return Errno::kEINVAL;
  const auto in_vnode = in->path().vnode(), out_vnode = out->path().vnode();
  if (!in_vnode || !out_vnode) return Errno::kEINVAL;
  if (in_vnode->type() == vfs::VnodeType::kDirectory ||
      out_vnode->type() == vfs::VnodeType::kDirectory)
    return Errno::kEISDIR;
  if (!IsRegular(*in) || !IsRegular(*out)) return Errno::kEINVAL;
  if (!in->readable() || !out->writable() || HasAny(out->flags(), OpenFlags::kAppend))
    return Errno::kEBADF;
  // A file system copies within itself. Callers do it by hand elsewhere, above all from files of
  // /proc, whose size says nothing.
  if (&in->path().dentry->file_system() != &out->path().dentry->file_system()) return Errno::kEXDEV;
  size_t size = std::min<uint64_t>(count, kMaxRwCount);
  const uint64_t in_start = from.start(*in), out_start = to.start(*out);
  if (in_start + count < in_start || out_start + count < out_start) return Errno::kEOVERFLOW;
  size = TRY(LimitFileSize(task, *out, out_start, size));
  const uint64_t in_size = TRY(in_vnode->GetAttributes()).size;
  size = in_start >= in_size ? 0 : size_t(std::min<uint64_t>(size, in_size - in_start));
  // Within one file the ranges may not overlap.
  if (in_vnode == out_vnode && in_start < out_start + size && out_start < in_start + size)
    return Errno::kEINVAL;
  if (size == 0) return 0;
  SpliceWait wait;
  const size_t copied = TRY(vfs::CopyFile({*in, from.pointer()}, {*out, to.pointer()}, size, wait));
  task.CountRead(copied);
  task.CountWrite(copied);
  TRY(from.WriteBack());
  TRY(to.WriteBack());
  return copied;
}

SyscallResult sys_splice(Task& task, Fd in_fd, UserPtr<int64_t> in_offset, Fd out_fd,
                         UserPtr<int64_t> out_offset, uint64_t count, SpliceFlags flags) {
  if (count == 0) return 0;
  if (!HasOnly(flags, kKnownSpliceFlags)) return Errno::kEINVAL;
  const auto in = TRY(task.fds().Get(in_fd, Rights::kRead));
  const auto out = TRY(task.fds().Get(out_fd, Rights::kWrite));
  const bool in_pipe = in->kind() == FileDescription::Kind::kPipe;
  const bool out_pipe = out->kind() == FileDescription::Kind::kPipe;
  if ((in_pipe && in_offset) || (out_pipe && out_offset)) return Errno::kESPIPE;
  if (!in_pipe && !out_pipe) return Errno::kEINVAL;
  OffsetArgument from(task, in_offset), to(task, out_offset);
  TRY(from.Read());
  TRY(to.Read());
  size_t size = std::min<uint64_t>(count, kMaxRwCount);
  if (!in_pipe) TRY(CheckFileRange(from.start(*in), size));
  if (!out_pipe) TRY(CheckFileRange(to.start(*out), size));
  if (!out_pipe) size = TRY(LimitFileSize(task, *out, to.start(*out), size));
  const uint64_t moved =
      TRY(MoveOrWait(task, IsNonblocking(flags, *in, *out), [&](SpliceWait& wait) {
        return vfs::Splice({*in, from.pointer()}, {*out, to.pointer()}, size, wait);
      }));
  TRY(from.WriteBack());
  TRY(to.WriteBack());
  return moved;
}

SyscallResult sys_tee(Task& task, Fd in_fd, Fd out_fd, uint64_t count, SpliceFlags flags) {
  if (!HasOnly(flags, kKnownSpliceFlags)) return Errno::kEINVAL;
  if (count == 0) return 0;
  const auto in = TRY(task.fds().Get(in_fd, Rights::kRead));
  const auto out = TRY(task.fds().Get(out_fd, Rights::kWrite));
  const size_t size = std::min<uint64_t>(count, kMaxRwCount);
  return MoveOrWait(task, IsNonblocking(flags, *in, *out),
                    [&](SpliceWait& wait) { return vfs::Tee(*in, *out, size, wait); });
}

// Memory into a pipe, or out of it: as a write or a read of the pipe. The pages are copied, which a
// guest cannot tell from a gift that it does not touch again.
SyscallResult sys_vmsplice(Task& task, Fd fd, UserPtr<const abi::Iovec> vectors, uint64_t count,
                           SpliceFlags flags) {
  if (!HasOnly(flags, kKnownSpliceFlags)) return Errno::kEINVAL;
  const auto file = TRY(task.fds().Get(fd));
  if (file->kind() != FileDescription::Kind::kPipe) return Errno::kEBADF;
  const auto copied = TRY(ReadIovecs(task.memory(), vectors, count));
  const bool nonblocking = HasAny(flags, SpliceFlags::kNonBlock) || file->is_nonblocking();
  if (file->writable()) {
    UserSource source(task.memory(), copied);
    if (source.remaining() == 0) return 0;
    // Waits for room once, and takes what finds room then.
    return MoveOrWait(task, nonblocking, [&](SpliceWait& wait) {
      wait = {file, file->write_signals()};
      return file->Write(source);
    });
  }
  UserSink sink(task.memory(), copied);
  if (sink.remaining() == 0) return 0;
  return TRY(ReadFile(task, *file, sink, nonblocking));
}

}  // namespace zrun::compat
