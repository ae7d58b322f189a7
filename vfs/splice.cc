#include "vfs/splice.h"

#include "vfs/pipe_end.h"

namespace zrun::vfs {
namespace {

constexpr size_t kCopyChunk = 64 << 10;
// One call moves no more, so that it comes to an end; the caller goes on.
constexpr size_t kMaxPerCall = 16 << 20;

Result<size_t> ReadFrom(SpliceEnd& in, DataSink& sink) {
  return in.offset ? in.file.ReadAt(*in.offset, sink) : in.file.Read(sink);
}
Result<size_t> WriteTo(SpliceEnd& out, DataSource& source) {
  return out.offset ? out.file.WriteAt(*out.offset, source) : out.file.Write(source);
}
// kEAGAIN, remembering whom to sleep for.
Errno WaitFor(SpliceWait& wait, FileDescription& file, Signals signals) {
  wait = {RefPtr<FileDescription>(&file), signals};
  return Errno::kEAGAIN;
}

Result<size_t> PipeToPipe(PipeEnd& in, PipeEnd& out, size_t size, bool copy, SpliceWait& wait) {
  if (&in.pipe() == &out.pipe()) return Errno::kEINVAL;
  bool source_empty = false;
  auto done = Pipe::Transfer(in.pipe(), out.pipe(), size, copy, source_empty);
  if (!done.ok() && done.error() == Errno::kEAGAIN) {
    if (source_empty) return WaitFor(wait, in, in.read_signals());
    return WaitFor(wait, out, out.write_signals());
  }
  return done;
}

Result<size_t> PipeToFile(PipeEnd& in, SpliceEnd out, size_t size, SpliceWait& wait) {
  size_t done = 0;
  while (done < size) {
    auto popped = in.pipe().Pop(size - done);
    if (!popped.ok()) {
      if (done > 0) break;
      if (popped.error() == Errno::kEAGAIN) return WaitFor(wait, in, in.read_signals());
      return popped.error();
    }
    PipeSlot slot = std::move(popped).value();
    if (slot.size == 0) break;
    SpanSource source(slot.bytes());
    auto written = WriteTo(out, source);
    const size_t taken = written.ok() ? written.value() : 0;
    if (out.offset) *out.offset += taken;
    done += taken;
    if (taken == slot.size) continue;
    slot.offset += uint32_t(taken);
    slot.size -= uint32_t(taken);
    TRY(in.pipe().GiveBack(std::move(slot)));
    if (done > 0 || written.ok()) break;
    if (written.error() == Errno::kEAGAIN) return WaitFor(wait, out.file, out.file.write_signals());
    return written.error();
  }
  return done;
}

Result<size_t> FileToPipe(SpliceEnd in, PipeEnd& out, size_t size, SpliceWait& wait) {
  auto room = out.pipe().RoomToPush();
  if (!room.ok()) {
    if (room.error() == Errno::kEAGAIN) return WaitFor(wait, out, out.write_signals());
    return room.error();
  }
  size = std::min(size, room.value());
  size_t done = 0;
  while (done < size) {
    PipeSlot slot{TRY(PipePage::Create())};
    SpanSink sink({slot.page->data(), std::min(size - done, PipePage::kSize)});
    auto read = ReadFrom(in, sink);
    if (!read.ok() && done == 0) {
      if (read.error() == Errno::kEAGAIN) return WaitFor(wait, in.file, in.file.read_signals());
      return read.error();
    }
    if (!read.ok() || read.value() == 0) break;
    slot.size = uint32_t(read.value());
    TRY(out.pipe().Push(std::move(slot)));
    if (in.offset) *in.offset += read.value();
    done += read.value();
  }
  return done;
}

}  // namespace

Result<size_t> Splice(SpliceEnd in, SpliceEnd out, size_t size, SpliceWait& wait) {
  PipeEnd* from = AsPipeEnd(in.file);
  PipeEnd* to = AsPipeEnd(out.file);
  if ((from && in.offset) || (to && out.offset)) return Errno::kESPIPE;
  if (!from && !to) return Errno::kEINVAL;
  if (HasAny(out.file.flags(), OpenFlags::kAppend) && !to) return Errno::kEINVAL;
  if (size == 0) return 0;
  if (from && to) return PipeToPipe(*from, *to, size, false, wait);
  return from ? PipeToFile(*from, out, size, wait) : FileToPipe(in, *to, size, wait);
}

Result<size_t> Tee(FileDescription& in, FileDescription& out, size_t size, SpliceWait& wait) {
  PipeEnd* from = AsPipeEnd(in);
  PipeEnd* to = AsPipeEnd(out);
  if (!from || !to) return Errno::kEINVAL;
  if (size == 0) return 0;
  return PipeToPipe(*from, *to, size, true, wait);
}

Result<size_t> CopyFile(SpliceEnd in, SpliceEnd out, size_t size, SpliceWait& wait) {
  if (AsPipeEnd(in.file)) return Splice(in, out, size, wait);
  size = std::min(size, kMaxPerCall);
  if (size == 0) return 0;
  Vector<std::byte> buffer;
  TRY(buffer.Resize(std::min(size, kCopyChunk)));
  size_t done = 0;
  while (done < size) {
    SpanSink sink(std::span<std::byte>(buffer).first(std::min(buffer.size(), size - done)));
    auto read = ReadFrom(in, sink);
    if (!read.ok() && done == 0) {
      if (read.error() == Errno::kEAGAIN) return WaitFor(wait, in.file, in.file.read_signals());
      return read.error();
    }
    if (!read.ok() || read.value() == 0) break;
    SpanSource source(std::span<const std::byte>(buffer).first(read.value()));
    auto written = WriteTo(out, source);
    const size_t taken = written.ok() ? written.value() : 0;
    if (out.offset) *out.offset += taken;
    if (in.offset) {
      *in.offset += taken;
    } else if (taken < read.value()) {
      TRY(in.file.Seek(-int64_t(read.value() - taken), 1));
    }
    done += taken;
    if (taken == read.value()) continue;
    if (done > 0 || written.ok()) break;
    if (written.error() == Errno::kEAGAIN) return WaitFor(wait, out.file, out.file.write_signals());
    return written.error();
  }
  return done;
}

}  // namespace zrun::vfs
