#include "loader/image.h"

#include <algorithm>

namespace zrun::loader {

using hal::Access;
using hal::kPageMask;
using hal::RoundDown;
using hal::RoundUp;

Result<size_t> ReadFile(vfs::FileDescription& file, uint64_t offset, std::span<std::byte> to) {
  size_t done = 0;
  while (done < to.size()) {
    vfs::SpanSink sink(to.subspan(done));
    const size_t count = TRY(file.ReadAt(offset + done, sink));
    if (count == 0) break;
    done += count;
  }
  return done;
}

Result<Image> ReadImage(RefPtr<vfs::FileDescription> file, std::span<const std::byte> head,
                        uint16_t machine, uint64_t user_top) {
  Image image;
  image.header = TRY(ParseHeader(head, machine));
  TRY(image.table.Resize(size_t{image.header.phnum} * sizeof(ProgramHeader)));
  const std::span<std::byte> table = image.table;
  const uint64_t at = image.header.phoff;
  if (at <= head.size() && table.size() <= head.size() - at) {
    std::copy_n(head.begin() + ptrdiff_t(at), table.size(), table.begin());
  } else if (TRY(ReadFile(*file, at, table)) != table.size()) {
    return Errno::kENOEXEC;
  }
  image.layout = TRY(ProgramHeaders(table).Check(image.header, user_top));
  image.file = std::move(file);
  return image;
}

Result<String> ReadInterpreterPath(const Image& image) {
  const ProgramHeader& segment = *image.layout.interpreter;
  String path;
  TRY(path.Resize(segment.filesz));
  const std::span<char> chars(path.data(), path.size());
  if (TRY(ReadFile(*image.file, segment.offset, std::as_writable_bytes(chars))) != path.size())
    return Errno::kEIO;
  if (chars.back() != '\0') return Errno::kENOEXEC;
  const size_t length = std::string_view(chars.data(), chars.size()).find('\0');
  TRY(path.Resize(length));
  return path;
}

namespace {

Access AccessOf(uint32_t flags) {
  Access access = Access::kNone;
  if (flags & kPfRead) access |= Access::kRead;
  if (flags & kPfWrite) access |= Access::kWrite;
  if (flags & kPfExecute) access |= Access::kExecute;
  return access;
}

Result<void> MapSegment(UserMemory memory, const Image& image, const RefPtr<VmObject>& contents,
                        const ProgramHeader& segment, uint64_t bias) {
  VmAddressRegion& region = memory.region();
  const Access access = AccessOf(segment.flags);
  const uint64_t start = segment.vaddr + bias;
  const uint64_t file_end = start + segment.filesz;
  const uint64_t end = start + segment.memsz;
  const MapFlags flags = MapFlags::kPrivate | MapFlags::kFixed | MapFlags::kReplace;
  uint64_t mapped_end = RoundDown(start);
  if (segment.filesz != 0) {
    Mapping mapping;
    mapping.range = {RoundDown(start), RoundUp(file_end) - RoundDown(start)};
    mapping.object = contents;
    mapping.object_offset = segment.offset - (start & kPageMask);
    mapping.access = access;
    mapping.flags = flags;
    mapping.file = image.file;
    TRY(region.Map(std::move(mapping)));
    mapped_end = RoundUp(file_end);
    // The file's bytes beyond the segment are no part of it. A read-only segment keeps them, as on
    // Linux.
    if (end > file_end && (segment.flags & kPfWrite)) {
      TRY(memory.Zero(UserPtr<std::byte>(file_end), mapped_end - file_end));
    }
  }
  if (RoundUp(end) > mapped_end) {
    Mapping zeros;
    zeros.range = {mapped_end, RoundUp(end) - mapped_end};
    zeros.access = access;
    zeros.flags = flags;
    TRY(region.Map(std::move(zeros)));
  }
  return {};
}

}  // namespace

Result<void> MapImage(UserMemory memory, const Image& image, uint64_t bias) {
  auto contents = TRY(image.file->Mmap());
  const ProgramHeaders headers(image.table);
  for (size_t i = 0; i < headers.count(); i++) {
    const ProgramHeader segment = headers[i];
    if (segment.type == kPtLoad && segment.memsz != 0)
      TRY(MapSegment(memory, image, contents, segment, bias));
  }
  return {};
}

Result<uint64_t> FindPlace(VmAddressRegion& region, const ImageLayout& layout, uint64_t below,
                           uint64_t lowest) {
  const uint64_t size = layout.highest - layout.lowest;
  if (size > below) return Errno::kENOMEM;
  uint64_t base = (below - size) & ~(layout.alignment - 1);
  // From the top down, past what is in the way. A handful of mappings exist at this time.
  while (base >= lowest) {
    auto mapping = region.FindFrom(base);
    if (!mapping || mapping->range.base >= base + size) return base;
    if (mapping->range.base < size) break;
    base = (mapping->range.base - size) & ~(layout.alignment - 1);
  }
  return Errno::kENOMEM;
}

}  // namespace zrun::loader
