#include "compat/pid_table.h"

#include <gtest/gtest.h>

#include "compat/kernel.h"
#include "compat/thread_group.h"

namespace zrun::compat {
namespace {

Task* FakeTask(uintptr_t number) { return reinterpret_cast<Task*>(number * 64); }

TEST(PidTable, GivesNumbersInOrderAndWrapsPastTheReserved) {
  PidTable pids;
  EXPECT_EQ(pids.Allocate().value(), 1);
  pids.SetTask(1, FakeTask(1));
  for (int32_t expected = 2; expected < PidTable::kMaxPid; expected++) {
    ASSERT_EQ(pids.Allocate().value(), expected);
    pids.SetTask(expected, FakeTask(uintptr_t(expected)));
  }
  auto full = pids.Allocate();
  ASSERT_FALSE(full.ok());
  EXPECT_EQ(full.error(), Errno::kEAGAIN);
  pids.SetTask(5, nullptr);  // not given out anew: too low
  pids.SetTask(400, nullptr);
  EXPECT_EQ(pids.Allocate().value(), 400);
  for (int32_t pid = 1; pid < PidTable::kMaxPid; pid++) pids.SetTask(pid, nullptr);
}

TEST(PidTable, KeepsANumberWhileAnythingUsesIt) {
  PidTable pids;
  ASSERT_TRUE(pids.AllocateExactly(7).ok());
  EXPECT_EQ(pids.AllocateExactly(7).error(), Errno::kEEXIST);
  pids.SetTask(7, FakeTask(1));
  auto* group = reinterpret_cast<ProcessGroup*>(uintptr_t{128});
  pids.SetProcessGroup(7, group);
  pids.SetTask(7, nullptr);
  EXPECT_EQ(pids.AllocateExactly(7).error(), Errno::kEEXIST);
  EXPECT_EQ(pids.FindProcessGroup(7), group);
  pids.SetProcessGroup(7, nullptr);
  EXPECT_TRUE(pids.AllocateExactly(7).ok());
  pids.Cancel(7);
  EXPECT_TRUE(pids.AllocateExactly(7).ok());
  pids.Cancel(7);
}

TEST(PidTable, RefusesNumbersOutOfRange) {
  PidTable pids;
  EXPECT_EQ(pids.AllocateExactly(0).error(), Errno::kEINVAL);
  EXPECT_EQ(pids.AllocateExactly(-3).error(), Errno::kEINVAL);
  EXPECT_EQ(pids.AllocateExactly(PidTable::kMaxPid).error(), Errno::kEINVAL);
  EXPECT_EQ(pids.FindTask(-1), nullptr);
  EXPECT_EQ(pids.FindGroup(PidTable::kMaxPid), nullptr);
}

TEST(PidTable, WalksProcessesOnly) {
  PidTable pids;
  auto* group = reinterpret_cast<ThreadGroup*>(uintptr_t{128});
  for (int32_t pid : {3, 700, 20000}) {
    ASSERT_TRUE(pids.AllocateExactly(pid).ok());
    pids.SetGroup(pid, group);
  }
  ASSERT_TRUE(pids.AllocateExactly(4).ok());
  pids.SetTask(4, FakeTask(4));
  EXPECT_EQ(pids.NextGroup(1), 3);
  EXPECT_EQ(pids.NextGroup(4), 700);
  EXPECT_EQ(pids.NextGroup(701), 20000);
  EXPECT_EQ(pids.NextGroup(20001), -1);
  for (int32_t pid : {3, 700, 20000}) pids.SetGroup(pid, nullptr);
  pids.SetTask(4, nullptr);
}

}  // namespace
}  // namespace zrun::compat
