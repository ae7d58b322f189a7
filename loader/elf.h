#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/result.h"

// Reads ELF64 headers from bytes that nobody vouches for. Allocates nothing.
namespace zrun::loader {

// <elf.h>
struct ElfHeader {
  uint8_t ident[16];
  uint16_t type;
  uint16_t machine;
  uint32_t version;
  uint64_t entry;
  uint64_t phoff;
  uint64_t shoff;
  uint32_t flags;
  uint16_t ehsize;
  uint16_t phentsize;
  uint16_t phnum;
  uint16_t shentsize;
  uint16_t shnum;
  uint16_t shstrndx;
};
static_assert(sizeof(ElfHeader) == 64);

struct ProgramHeader {
  uint32_t type;
  uint32_t flags;
  uint64_t offset;
  uint64_t vaddr;
  uint64_t paddr;
  uint64_t filesz;
  uint64_t memsz;
  uint64_t align;
};
static_assert(sizeof(ProgramHeader) == 56);

inline constexpr uint16_t kMachineRiscv = 243;
inline constexpr uint16_t kTypeExecutable = 2, kTypeDynamic = 3;
inline constexpr uint32_t kPtLoad = 1, kPtInterp = 3, kPtGnuStack = 0x6474e551;
inline constexpr uint32_t kPfExecute = 1, kPfWrite = 2, kPfRead = 4;
// Linux takes no program header table larger than this.
inline constexpr size_t kMaxProgramHeaderBytes = 65536;

// ENOEXEC unless |bytes| start with the header of a program for |machine| whose program header
// table has a size Linux accepts.
Result<ElfHeader> ParseHeader(std::span<const std::byte> bytes, uint16_t machine);

// Where the segments of an image lie, before a base is chosen.
struct ImageLayout {
  uint64_t lowest = 0;     // page aligned
  uint64_t highest = 0;    // end of the last segment's memory, page aligned
  uint64_t alignment = 1;  // the largest a segment asks for; a power of two, at least a page
  uint64_t end_of_bss = 0;
  uint64_t start_code = 0, end_code = 0, start_data = 0, end_data = 0;
  std::optional<uint64_t> headers_at;  // the address of the program headers, if a segment has them
  std::optional<ProgramHeader> interpreter;
  std::optional<bool> executable_stack;  // PT_GNU_STACK
  // False: there is no segment, or one that cannot be mapped: sizes that do not fit together,
  // overflow, an offset that disagrees with its address within a page. Linux finds out when the old
  // program is gone.
  bool is_mappable = true;
};

// The program header table as |table| (a whole number of entries, from the file). ENOEXEC for an
// interpreter's path that is too long or too short to be one.
class ProgramHeaders {
 public:
  explicit ProgramHeaders(std::span<const std::byte> table) : table_(table) {}
  size_t count() const { return table_.size() / sizeof(ProgramHeader); }
  ProgramHeader operator[](size_t index) const;
  Result<ImageLayout> Check(const ElfHeader& header, uint64_t user_top) const;

 private:
  std::span<const std::byte> table_;
};

// How much of a file decides what it is.
inline constexpr size_t kScriptHead = 256;
// "#!interpreter [argument]" at the start of |head| (kScriptHead bytes of the file); nothing if it
// does not begin with "#!". ENOEXEC if there is no interpreter's name, or it was cut off.
struct ScriptLine {
  std::string_view interpreter;
  std::string_view argument;  // all of the rest; empty: none
};
Result<std::optional<ScriptLine>> ParseScript(std::string_view head, bool whole_file);

}  // namespace zrun::loader
