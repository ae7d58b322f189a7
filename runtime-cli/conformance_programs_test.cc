#include "runtime-cli/conformance_programs.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

namespace zrun {
namespace {

class FindProgramsTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/zrun-find-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    tree_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(tree_); }

  void Make(const std::string& name, const std::string& text, bool executable) {
    const std::filesystem::path path = tree_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    if (executable) std::filesystem::permissions(path, std::filesystem::perms(0755));
  }

  std::vector<std::string> Find(const std::vector<std::string>& patterns = {}) {
    std::vector<std::string> names;
    for (const ConformanceProgram& program : FindPrograms(tree_, patterns)) {
      EXPECT_EQ(program.command, "");
      names.push_back(program.name);
    }
    return names;
  }

  std::filesystem::path tree_;
};

TEST_F(FindProgramsTest, PrefersNamedPrograms) {
  Make("b/two.exe", "anything", true);
  Make("a/one.exe", "anything", true);
  Make("a/one.o", "\177ELF", false);
  Make("a/library.so", "\177ELF", true);
  Make("a/notes.exe", "not executable", false);
  Make("common/runtest.exe", "runner", true);
  std::filesystem::create_directory_symlink("..", tree_ / "a/up");
  EXPECT_EQ(Find(), (std::vector<std::string>{"a/one.exe", "b/two.exe"}));
}

TEST_F(FindProgramsTest, TakesElfFilesOtherwise) {
  Make("program", "\177ELF", true);
  Make("sub/other", "\177ELF", true);
  Make("script", "#!/bin/sh\n", true);
  Make("object", "\177ELF", false);
  EXPECT_EQ(Find(), (std::vector<std::string>{"program", "sub/other"}));
}

TEST_F(FindProgramsTest, KnowsOpenPosix) {
  Make("interfaces/fork/1-1.run-test", "\177ELF", true);
  Make("interfaces/fork/1-1.test", "\177ELF", true);
  Make("tools/t0", "\177ELF", true);
  EXPECT_EQ(Find(), (std::vector<std::string>{"interfaces/fork/1-1.run-test"}));
}

TEST_F(FindProgramsTest, TakesWhatMatches) {
  Make("a/1-1.sh", "#!/bin/sh\n", true);
  Make("a/1-2.sh", "#!/bin/sh\n", false);
  Make("b/two.exe", "\177ELF", true);
  EXPECT_EQ(Find({"*.sh"}), (std::vector<std::string>{"a/1-1.sh"}));
  EXPECT_EQ(Find({"1-*", "t?o.exe"}), (std::vector<std::string>{"a/1-1.sh", "b/two.exe"}));
  EXPECT_EQ(Find({"*.none"}), std::vector<std::string>());
}

TEST_F(FindProgramsTest, ReadsLists) {
  Make("bin/fork13", "\177ELF", true);
  const std::vector<ConformanceProgram> programs = ParseProgramList(
      "#DESCRIPTION:calls\n"
      "abort01 abort01\r\n"
      "\n"
      "fork13\tbin/fork13  -i 1000 \"a b\" \n"
      "  mkdir03 export X=1; mkdir03 -T\n"
      "abort01 abort01 -v",
      tree_);
  std::vector<std::string> lines;
  for (const ConformanceProgram& program : programs)
    lines.push_back(program.name + ": " + program.command);
  EXPECT_EQ(lines, (std::vector<std::string>{
                       "abort01: abort01",
                       "fork13: '" + (tree_ / "bin/fork13").string() + "'  -i 1000 \"a b\"",
                       "mkdir03: export X=1; mkdir03 -T", "abort01#2: abort01 -v"}));
  EXPECT_THROW(ParseProgramList("name \n", tree_), std::runtime_error);
  EXPECT_EQ(Quoted("it's"), "'it'\\''s'");
}

}  // namespace
}  // namespace zrun
