#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>

#include "compat/task_bed_for_test.h"

namespace zrun::compat {
namespace {

using test::kData;
using test::TaskBed;

constexpr uint64_t kPath = kData, kEmpty = kData + 100, kArguments = kData + 512,
                   kStatus = kData + 600, kText = kData + 8192;
constexpr int64_t kUser = 1000;

class ExecTest : public testing::Test {
 protected:
  ExecTest() {
    bed.PokeText(kPath, "/program");
    bed.PokeText(kEmpty, "");
    bed.Poke(kArguments, std::array<uint64_t, 2>{kPath, 0});
  }
  int32_t Fork() { return int32_t(bed.Call(1, SYS_fork)); }
  // What |child| is by then, as wait4 tells.
  int32_t Wait(int32_t child) {
    EXPECT_EQ(bed.Call(1, SYS_wait4, child, kStatus, 0, 0), child);
    return bed.Peek<int32_t>(kStatus);
  }
  void End(int32_t child) {
    EXPECT_EQ(bed.Call(child, SYS_exit_group, 3), TaskBed::kGone);
    EXPECT_EQ(Wait(child), 3 << 8);
  }

  TaskBed bed;
};

TEST_F(ExecTest, RunsAProgram) {
  bed.tree.MakeFile("/program", test::OnePageProgram(), 0755);
  const int32_t child = Fork();
  EXPECT_EQ(bed.Call(child, SYS_execve, kPath, kArguments, 0), 0);
  EXPECT_EQ(bed.guest(child).registers.pc(), test::kProgram + 0x100);
  EXPECT_EQ(bed.Call(child, SYS_getpid), child);
  End(child);
}

TEST_F(ExecTest, ASegmentThatCannotBeMappedEndsTheProcess) {
  bed.tree.MakeFile("/program", test::OnePageProgram(1), 0755);
  const int32_t child = Fork();
  EXPECT_EQ(bed.Call(child, SYS_execve, kPath, kArguments, 0), TaskBed::kGone);
  EXPECT_EQ(Wait(child), SIGSEGV);
}

TEST_F(ExecTest, RunsAMemfdWhoseMakerHasItOpen) {
  const std::string program = test::OnePageProgram();
  for (size_t i = 0; i < 256; i++) bed.Poke(kText + i, program[i]);
  const int64_t fd = bed.Call(1, SYS_memfd_create, kPath, 0);
  EXPECT_EQ(bed.Call(1, SYS_write, fd, kText, 4096), 4096);
  const int32_t child = Fork();
  EXPECT_EQ(bed.Call(child, SYS_execveat, fd, kEmpty, kArguments, 0, AT_EMPTY_PATH), 0);
  EXPECT_EQ(bed.guest(child).registers.pc(), test::kProgram + 0x100);
  End(child);
}

TEST_F(ExecTest, GainsNothingBesideOneThatHasItsFsContext) {
  bed.tree.MakeFile("/program", test::OnePageProgram(), 0755);
  ASSERT_EQ(bed.Call(1, SYS_chmod, kPath, 04755), 0);
  for (const bool shared : {false, true}) {
    const int32_t child = Fork();
    ASSERT_EQ(bed.Call(child, SYS_setresuid, kUser, kUser, kUser), 0);
    const auto other =
        int32_t(bed.Call(child, SYS_clone, (shared ? CLONE_FS : 0) | SIGCHLD, 0, 0, 0, 0));
    ASSERT_GT(other, 1);
    EXPECT_EQ(bed.Call(child, SYS_execve, kPath, kArguments, 0), 0);
    EXPECT_EQ(bed.Call(child, SYS_geteuid), shared ? kUser : 0);
    // Nobody is kept from sharing it afterwards.
    const auto third = int32_t(bed.Call(child, SYS_clone, CLONE_FS | SIGCHLD, 0, 0, 0, 0));
    ASSERT_GT(third, 1);
    for (const int32_t one : {other, third})
      EXPECT_EQ(bed.Call(one, SYS_exit_group, 0), TaskBed::kGone);
    End(child);
  }
}

}  // namespace
}  // namespace zrun::compat
