#include <algorithm>

#include "vfs/procfs/proc_text_file.h"

// /proc/PID/mem and pagemap: a process's memory as a file.
namespace zrun::vfs {
namespace {

// The memory that the process had when the file was opened.
class MemoryFile final : public FileDescription {
 public:
  MemoryFile(Path path, OpenFlags flags, const ProcRequest& request, RefPtr<VmAddressRegion> region)
      : FileDescription(std::move(path), flags, Signals::kReadable | Signals::kWritable),
        request_(request),
        region_(std::move(region)) {}
  bool can_wait() const override { return false; }
  Result<size_t> Read(DataSink& sink) override {
    const size_t count = TRY(ReadAt(position_.load(), sink));
    position_.fetch_add(count);
    return count;
  }
  Result<size_t> Write(DataSource& source) override {
    const size_t count = TRY(WriteAt(position_.load(), source));
    position_.fetch_add(count);
    return count;
  }
  Result<size_t> ReadAt(uint64_t offset, DataSink& sink) override {
    std::array<std::byte, 512> buffer;
    size_t total = 0;
    while (sink.remaining() > 0) {
      const auto part = std::span(buffer).first(std::min(buffer.size(), sink.remaining()));
      const auto count = request_.source.ReadMemory(request_.id, *region_, offset + total, part);
      if (!count.ok() && total == 0) return Errno::kEIO;
      if (!count.ok()) break;
      const auto put = sink.Put(part.first(count.value()));
      if (!put.ok() && total == 0) return put.error();
      if (!put.ok()) break;
      total += put.value();
      if (put.value() < part.size()) break;
    }
    return total;
  }
  Result<size_t> WriteAt(uint64_t offset, DataSource& source) override {
    std::array<std::byte, 512> buffer;
    size_t total = 0;
    while (source.remaining() > 0) {
      const size_t taken = TRY(source.Take(buffer));
      const auto count = request_.source.WriteMemory(
          request_.id, *region_, offset + total, std::span<const std::byte>(buffer).first(taken));
      if (!count.ok() && total == 0) return Errno::kEIO;
      if (!count.ok()) break;
      total += count.value();
      if (count.value() < taken) break;
    }
    return total;
  }
  // Addresses above the middle are negative as offsets: Linux lets this file have them.
  Result<uint64_t> Seek(int64_t offset, int whence) override {
    if (whence != kSeekSet && whence != kSeekCurrent) return Errno::kEINVAL;
    position_.store((whence == kSeekSet ? 0 : position_.load()) + uint64_t(offset));
    return position_.load();
  }

 private:
  const ProcRequest request_;
  const RefPtr<VmAddressRegion> region_;
  std::atomic<uint64_t> position_{0};
};

// A word for each page of an address space (Documentation/admin-guide/mm/pagemap.rst). Frames have
// no numbers that a program could be told: on one machine they are another kernel's, and on both
// the field is zero as it is for whoever lacks CAP_SYS_ADMIN. Which pages were written to since
// clear_refs is not noted either, as by a kernel without CONFIG_MEM_SOFT_DIRTY.
class PagemapFile final : public FileDescription {
 public:
  PagemapFile(Path path, OpenFlags flags, const ProcRequest& request,
              RefPtr<VmAddressRegion> region)
      : FileDescription(std::move(path), flags, Signals::kReadable | Signals::kWritable),
        request_(request),
        region_(std::move(region)) {}
  bool can_wait() const override { return false; }
  Result<size_t> Read(DataSink& sink) override {
    const size_t count = TRY(ReadAt(position_.load(), sink));
    position_.fetch_add(count);
    return count;
  }
  Result<size_t> ReadAt(uint64_t offset, DataSink& sink) override {
    if (offset % sizeof(Word) != 0 || sink.remaining() % sizeof(Word) != 0) return Errno::kEINVAL;
    const uint64_t end = hal::GetUserLayout().highest / hal::kPageSize;
    size_t total = 0;
    for (uint64_t page = offset / sizeof(Word); page < end && sink.remaining() > 0;) {
      std::array<Word, kAtOnce> words{};
      const auto part = std::span(words).first(
          std::min({words.size(), sink.remaining() / sizeof(Word), size_t(end - page)}));
      TRY(Describe(page, part));
      const auto put = sink.Put(std::as_bytes(part));
      if (!put.ok() && total == 0) return put.error();
      if (!put.ok()) break;
      total += put.value();
      if (put.value() < part.size_bytes()) break;
      page += part.size();
    }
    return total;
  }
  Result<uint64_t> Seek(int64_t offset, int whence) override {
    position_.store(TRY(SeekFrom(position_.load(), offset, whence)));
    return position_.load();
  }

 private:
  using Word = uint64_t;
  static constexpr size_t kAtOnce = 128;
  static constexpr Word kPresent = Word{1} << 63, kFileOrShared = Word{1} << 61,
                        kExclusive = Word{1} << 56;

  static Word WordFor(const Mapping& mapping) {
    const bool is_private = HasAny(mapping.flags, MapFlags::kPrivate);
    // A copy of a file's page cannot be told from the page: who may write has written.
    const bool is_copy =
        is_private && (!mapping.object || HasAny(mapping.access, hal::Access::kWrite));
    return kPresent | (is_copy ? kExclusive : kFileOrShared);
  }
  Result<void> Describe(uint64_t page, std::span<Word> words) {
    const uint64_t begin = page * hal::kPageSize, end = begin + words.size() * hal::kPageSize;
    for (uint64_t at = begin; at < end;) {
      const auto mapping = region_->FindFrom(at);
      if (!mapping || mapping->range.base >= end) break;
      const uint64_t from = std::max(at, mapping->range.base);
      const uint64_t to = std::min(end, mapping->range.end());
      std::array<uint8_t, kAtOnce> resident{};
      const auto pages = std::span(resident).first((to - from) / hal::kPageSize);
      const auto known = request_.source.Residency(request_.id, *region_, {from, to - from}, pages);
      // It may have changed meanwhile.
      if (!known.ok() && known.error() != Errno::kENOMEM) return known;
      for (size_t i = 0; i < pages.size(); i++)
        if (pages[i] & 1) words[(from - begin) / hal::kPageSize + i] = WordFor(*mapping);
      at = to;
    }
    return {};
  }

  const ProcRequest request_;
  const RefPtr<VmAddressRegion> region_;
  std::atomic<uint64_t> position_{0};
};

template <typename File>
Result<RefPtr<FileDescription>> OpenOver(const Path& path, OpenFlags flags,
                                         const ProcRequest& request) {
  TRY(request.source.CheckInspect(request.id));
  auto region = TRY(request.source.Memory(request.id));
  if (!region) return Errno::kESRCH;
  return RefPtr<FileDescription>(TRY(MakeRef<File>(path, flags, request, std::move(region))));
}

}  // namespace

Result<RefPtr<FileDescription>> OpenProcMemory(const Path& path, OpenFlags flags,
                                               const ProcRequest& request) {
  return OpenOver<MemoryFile>(path, flags, request);
}

Result<RefPtr<FileDescription>> OpenProcPagemap(const Path& path, OpenFlags flags,
                                                const ProcRequest& request) {
  return OpenOver<PagemapFile>(path, flags, request);
}

}  // namespace zrun::vfs
