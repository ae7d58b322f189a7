#include "loader/elf.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace zrun::loader {
namespace {

constexpr uint16_t kMachine = 62;
constexpr uint64_t kTop = 0x7ffffffff000;

ElfHeader GoodHeader() {
  ElfHeader header{};
  const uint8_t ident[] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
  std::memcpy(header.ident, ident, sizeof ident);
  header.type = kTypeDynamic;
  header.machine = kMachine;
  header.version = 1;
  header.entry = 0x1000;
  header.phoff = sizeof(ElfHeader);
  header.ehsize = sizeof(ElfHeader);
  header.phentsize = sizeof(ProgramHeader);
  header.phnum = 2;
  return header;
}

Errno ErrorOf(const ElfHeader& header) {
  auto parsed = ParseHeader(std::as_bytes(std::span(&header, 1)), kMachine);
  return parsed.ok() ? Errno{} : parsed.error();
}

TEST(ElfHeader, TakesAGoodOne) { EXPECT_EQ(ErrorOf(GoodHeader()), Errno{}); }

TEST(ElfHeader, RefusesWhatIsNoProgramForTheMachine) {
  auto broken = [](auto change) {
    ElfHeader header = GoodHeader();
    change(header);
    return ErrorOf(header);
  };
  EXPECT_EQ(broken([](ElfHeader& h) { h.ident[0] = 0; }), Errno::kENOEXEC);
  EXPECT_EQ(broken([](ElfHeader& h) { h.type = 1; }), Errno::kENOEXEC);  // relocatable
  EXPECT_EQ(broken([](ElfHeader& h) { h.machine = 243; }), Errno::kENOEXEC);
  EXPECT_EQ(broken([](ElfHeader& h) { h.phentsize = 32; }), Errno::kENOEXEC);
  EXPECT_EQ(broken([](ElfHeader& h) { h.phnum = 0; }), Errno::kENOEXEC);
  EXPECT_EQ(broken([](ElfHeader& h) { h.phnum = 0xffff; }), Errno::kENOEXEC);
  EXPECT_EQ(broken([](ElfHeader& h) { h.phoff = ~uint64_t{0}; }), Errno::kENOEXEC);
}

// As Linux does not: the machine's number is enough, where it stands for one class.
TEST(ElfHeader, PassesOverClassAndByteOrder) {
  ElfHeader header = GoodHeader();
  header.ident[5] = 2;
  EXPECT_EQ(ErrorOf(header), Errno{});
  header.ident[4] = 1;
  EXPECT_EQ(ErrorOf(header), Errno{});
  header.machine = kMachineRiscv;
  EXPECT_FALSE(ParseHeader(std::as_bytes(std::span(&header, 1)), kMachineRiscv).ok());
  header.ident[4] = 2;
  EXPECT_TRUE(ParseHeader(std::as_bytes(std::span(&header, 1)), kMachineRiscv).ok());
}

TEST(ElfHeader, RefusesATruncatedFile) {
  const ElfHeader header = GoodHeader();
  auto parsed = ParseHeader(std::as_bytes(std::span(&header, 1)).first(63), kMachine);
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.error(), Errno::kENOEXEC);
}

ProgramHeader Load(uint64_t vaddr, uint64_t filesz, uint64_t memsz, uint32_t flags,
                   uint64_t offset) {
  return {kPtLoad, flags, offset, vaddr, vaddr, filesz, memsz, 0x1000};
}

Result<ImageLayout> CheckTable(const std::vector<ProgramHeader>& table) {
  return ProgramHeaders(std::as_bytes(std::span(table))).Check(GoodHeader(), kTop);
}

TEST(ProgramHeaders, LaysOutSegments) {
  auto layout = CheckTable({Load(0, 0x800, 0x800, kPfRead, 0),
                            Load(0x1000, 0x500, 0x500, kPfRead | kPfExecute, 0x1000),
                            Load(0x3e10, 0x200, 0x900, kPfRead | kPfWrite, 0x2e10),
                            {kPtGnuStack, kPfRead | kPfWrite, 0, 0, 0, 0, 0, 16}});
  ASSERT_TRUE(layout.ok());
  EXPECT_EQ(layout.value().lowest, 0u);
  EXPECT_EQ(layout.value().highest, 0x5000u);
  EXPECT_EQ(layout.value().end_of_bss, 0x4710u);
  EXPECT_EQ(layout.value().headers_at, std::optional<uint64_t>(64));
  EXPECT_EQ(layout.value().executable_stack, std::optional<bool>(false));
  EXPECT_EQ(layout.value().start_code, 0x1000u);
  EXPECT_EQ(layout.value().end_code, 0x1500u);
  EXPECT_FALSE(layout.value().interpreter);
}

TEST(ProgramHeaders, KeepsTheLargestAlignment) {
  std::vector<ProgramHeader> table = {Load(0, 16, 16, kPfRead, 0),
                                      Load(0x200000, 16, 16, kPfRead, 0)};
  table[1].align = 0x200000;
  auto layout = CheckTable(table);
  ASSERT_TRUE(layout.ok());
  EXPECT_EQ(layout.value().alignment, 0x200000u);
  table[1].align = 0x1234;  // no power of two: passed over
  EXPECT_EQ(CheckTable(table).value().alignment, 0x1000u);
}

TEST(ProgramHeaders, FindsSegmentsThatCannotBeMapped) {
  const auto mappable = [](const std::vector<ProgramHeader>& table) {
    return CheckTable(table).value().is_mappable;
  };
  EXPECT_TRUE(mappable({Load(0, 16, 16, kPfRead, 0)}));
  EXPECT_FALSE(mappable({}));
  EXPECT_FALSE(mappable({Load(0, 0x900, 0x800, kPfRead, 0)}));  // more file than memory
  EXPECT_FALSE(mappable({Load(~uint64_t{0xfff}, 16, 0x2000, kPfRead, 0)}));
  EXPECT_FALSE(mappable({Load(kTop, 16, 16, kPfRead, 0)}));
  EXPECT_FALSE(mappable({Load(0x10, 16, 16, kPfRead, 0)}));  // another place in the page
  EXPECT_FALSE(mappable({Load(0, 16, 16, kPfRead, ~uint64_t{0xfff})}));
}

TEST(ProgramHeaders, TakesTheFirstInterpreter) {
  std::vector<ProgramHeader> table = {{kPtInterp, kPfRead, 0x300, 0, 0, 20, 20, 1},
                                      {kPtInterp, kPfRead, 0x400, 0, 0, 30, 30, 1},
                                      Load(0, 16, 16, kPfRead, 0)};
  auto layout = CheckTable(table);
  ASSERT_TRUE(layout.ok());
  EXPECT_EQ(layout.value().interpreter->offset, 0x300u);
  table[0].filesz = 1;
  EXPECT_FALSE(CheckTable(table).ok());
  table[0].filesz = 5000;
  EXPECT_FALSE(CheckTable(table).ok());
}

std::optional<ScriptLine> Script(std::string_view head, bool whole = true) {
  auto parsed = ParseScript(head, whole);
  EXPECT_TRUE(parsed.ok());
  return parsed.ok() ? parsed.value() : std::nullopt;
}

TEST(Script, SplitsTheLineOnce) {
  EXPECT_FALSE(
      Script("\x7f"
             "ELF"));
  EXPECT_FALSE(Script(""));
  EXPECT_EQ(Script("#!/bin/sh\n")->interpreter, "/bin/sh");
  EXPECT_EQ(Script("#!/bin/sh\nrest")->argument, "");
  const auto line = Script("#! \t/bin/sh  -e -x \t\nrest");
  EXPECT_EQ(line->interpreter, "/bin/sh");
  EXPECT_EQ(line->argument, "-e -x");
  EXPECT_EQ(Script("#!/bin/sh")->interpreter, "/bin/sh");  // the file ends without a newline
}

TEST(Script, RefusesALineWithoutAnInterpreter) {
  EXPECT_FALSE(ParseScript("#!\n", true).ok());
  EXPECT_FALSE(ParseScript("#!  \t\n", true).ok());
}

TEST(Script, KnowsWhenTheNameWasCutOff) {
  std::string head = "#!/" + std::string(kScriptHead - 3, 'x');
  EXPECT_FALSE(ParseScript(head, false).ok());
  head[100] = ' ';
  const auto line = Script(head, false);
  EXPECT_EQ(line->interpreter.size(), 98u);
  EXPECT_EQ(line->argument.size(), kScriptHead - 102);
}

}  // namespace
}  // namespace zrun::loader
