#include "loader/elf.h"

#include <algorithm>

#include "hal/memory.h"

namespace zrun::loader {

namespace {

using hal::kPageMask;
using hal::kPageSize;
using hal::RoundDown;
using hal::RoundUp;

constexpr bool IsPowerOfTwo(uint64_t value) { return value && (value & (value - 1)) == 0; }

Result<void> AddSegment(const ProgramHeader& segment, bool first, uint64_t user_top,
                        ImageLayout& layout) {
  if (segment.filesz > segment.memsz) return Errno::kEINVAL;
  uint64_t end, file_end;
  if (__builtin_add_overflow(segment.vaddr, segment.memsz, &end) || end > user_top)
    return Errno::kENOMEM;
  if (__builtin_add_overflow(segment.offset, segment.filesz, &file_end) ||
      file_end > INT64_MAX - kPageSize)
    return Errno::kEINVAL;
  // A page of the file cannot be mapped at another place within a page.
  if ((segment.vaddr & kPageMask) != (segment.offset & kPageMask) && segment.filesz != 0)
    return Errno::kEINVAL;
  const uint64_t start = RoundDown(segment.vaddr);
  layout.lowest = first ? start : std::min(layout.lowest, start);
  layout.highest = std::max(layout.highest, RoundUp(end));
  layout.end_of_bss = std::max(layout.end_of_bss, end);
  if (IsPowerOfTwo(segment.align)) layout.alignment = std::max(layout.alignment, segment.align);
  const uint64_t data_end = segment.vaddr + segment.filesz;
  if (segment.flags & kPfExecute) {
    layout.start_code =
        layout.end_code ? std::min(layout.start_code, segment.vaddr) : segment.vaddr;
    layout.end_code = std::max(layout.end_code, data_end);
  }
  layout.start_data = std::max(layout.start_data, segment.vaddr);
  layout.end_data = std::max(layout.end_data, data_end);
  return {};
}

}  // namespace

Result<ElfHeader> ParseHeader(std::span<const std::byte> bytes, uint16_t machine) {
  ElfHeader header;
  if (bytes.size() < sizeof header) return Errno::kENOEXEC;
  __builtin_memcpy(&header, bytes.data(), sizeof header);
  constexpr uint8_t kMagic[] = {0x7f, 'E', 'L', 'F'};
  constexpr uint8_t kClass64 = 2;
  if (!std::equal(std::begin(kMagic), std::end(kMagic), header.ident)) return Errno::kENOEXEC;
  // What the machine's number implies is not looked at, but that one number stands for two classes.
  if (machine == kMachineRiscv && header.ident[4] != kClass64) return Errno::kENOEXEC;
  if (header.type != kTypeExecutable && header.type != kTypeDynamic) return Errno::kENOEXEC;
  if (header.machine != machine) return Errno::kENOEXEC;
  if (header.phentsize != sizeof(ProgramHeader) || header.phnum == 0) return Errno::kENOEXEC;
  if (size_t{header.phnum} * sizeof(ProgramHeader) > kMaxProgramHeaderBytes) return Errno::kENOEXEC;
  if (header.phoff > INT64_MAX - kMaxProgramHeaderBytes) return Errno::kENOEXEC;
  return header;
}

ProgramHeader ProgramHeaders::operator[](size_t index) const {
  ProgramHeader header;
  __builtin_memcpy(&header, table_.data() + index * sizeof header, sizeof header);
  return header;
}

Result<ImageLayout> ProgramHeaders::Check(const ElfHeader& header, uint64_t user_top) const {
  ImageLayout layout;
  layout.alignment = kPageSize;
  bool any = false;
  Result<void> mappable;
  for (size_t i = 0; i < count(); i++) {
    const ProgramHeader segment = (*this)[i];
    switch (segment.type) {
      case kPtInterp:
        // The first one counts. A path with its NUL.
        if (layout.interpreter) break;
        if (segment.filesz < 2 || segment.filesz > 4096) return Errno::kENOEXEC;
        layout.interpreter = segment;
        break;
      case kPtGnuStack:
        layout.executable_stack = bool(segment.flags & kPfExecute);
        break;
      case kPtLoad: {
        if (segment.memsz == 0) break;
        if (auto added = AddSegment(segment, !any, user_top, layout); !added.ok()) mappable = added;
        any = true;
        const uint64_t table_end = header.phoff + table_.size();
        if (!layout.headers_at && segment.offset <= header.phoff &&
            table_end <= segment.offset + segment.filesz)
          layout.headers_at = segment.vaddr + (header.phoff - segment.offset);
        break;
      }
      default:
        break;
    }
  }
  layout.is_mappable = any && mappable.ok();
  return layout;
}

Result<std::optional<ScriptLine>> ParseScript(std::string_view head, bool whole_file) {
  if (!head.starts_with("#!")) return std::optional<ScriptLine>();
  std::string_view line = head.substr(2);
  const size_t newline = line.find('\n');
  const bool cut = newline == std::string_view::npos && !whole_file;
  if (newline != std::string_view::npos) {
    line = line.substr(0, newline);
  } else if (head.size() == kScriptHead) {
    line.remove_suffix(1);  // Linux keeps the last byte of its buffer for a NUL
  }
  if (const size_t nul = line.find('\0'); nul != std::string_view::npos) line = line.substr(0, nul);
  auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!line.empty() && is_blank(line.back())) line.remove_suffix(1);
  while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
  if (line.empty()) return Errno::kENOEXEC;
  const auto blank = std::find_if(line.begin(), line.end(), is_blank);
  // Of a name that does not end within the buffer nobody knows which program is meant.
  if (cut && blank == line.end()) return Errno::kENOEXEC;
  ScriptLine script;
  script.interpreter = line.substr(0, size_t(blank - line.begin()));
  script.argument = line.substr(script.interpreter.size());
  while (!script.argument.empty() && is_blank(script.argument.front()))
    script.argument.remove_prefix(1);
  return std::optional<ScriptLine>(script);
}

}  // namespace zrun::loader
