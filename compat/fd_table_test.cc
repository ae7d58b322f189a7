#include "compat/fd_table.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "objects/boot_for_test.h"
#include "vfs/eventfd.h"
#include "vfs/pipe.h"

namespace zrun::compat {
namespace {

constexpr uint64_t kLimit = 64;

Handle NewFile() {
  auto file = vfs::CreateEventFd(0, false, vfs::OpenFlags::kReadWrite).value();
  const Rights rights = file->default_rights();
  return Handle(std::move(file), rights);
}

// The end of a pipe, which tells the other one when it is closed for good.
Handle HandleTo(const RefPtr<vfs::FileDescription>& file) {
  return Handle(file, file->default_rights());
}

class FdTableTest : public testing::Test {
 protected:
  int Add(int lowest = 0, bool close_on_exec = false) {
    auto fd = table_->Add(NewFile(), close_on_exec, kLimit, lowest);
    return fd.ok() ? fd.value().value : -int(fd.error());
  }
  bool IsOpen(int fd) { return table_->Get(Fd{fd}).ok(); }
  RefPtr<FdTable> table_ = FdTable::Create().value();
};

TEST_F(FdTableTest, GivesTheLowestFreeNumber) {
  for (int i = 0; i < 10; i++) EXPECT_EQ(Add(), i);
  EXPECT_TRUE(table_->Close(Fd{3}).ok());
  EXPECT_TRUE(table_->Close(Fd{7}).ok());
  EXPECT_EQ(Add(), 3);
  EXPECT_EQ(Add(), 7);
  EXPECT_EQ(Add(), 10);
  EXPECT_EQ(Add(20), 20);
  EXPECT_EQ(Add(20), 21);
  EXPECT_EQ(Add(), 11);
}

// Numbers in other words of the bitmaps, and words that fill up and get room again.
TEST_F(FdTableTest, GivesTheLowestFreeNumberOfMany) {
  constexpr int kMany = 20000;
  const Handle file = NewFile();
  const auto add = [&](int lowest = 0) {
    return table_->Add(file.Duplicate().value(), false, kMany, lowest).value().value;
  };
  for (int i = 0; i < kMany; i++) ASSERT_EQ(add(), i);
  EXPECT_EQ(table_->Add(NewFile(), false, kMany).error(), Errno::kEMFILE);
  for (int fd : {19999, 64, 8191, 4096, 63}) EXPECT_TRUE(table_->Close(Fd{fd}).ok());
  EXPECT_EQ(add(5000), 8191);
  const auto copy = table_->Clone().value();
  for (int fd : {63, 64, 4096, 19999}) {
    EXPECT_EQ(copy->Add(NewFile(), false, kMany).value().value, fd);
    EXPECT_EQ(add(), fd);
  }
  EXPECT_TRUE(table_->CloseRange(0, kMany - 2, false).ok());
  EXPECT_EQ(table_->NextOpen(0), kMany - 1);
  EXPECT_TRUE(table_->Set(Fd{64}, NewFile(), false, kMany).ok());
  EXPECT_EQ(add(64), 65);
}

TEST_F(FdTableTest, StopsAtTheLimit) {
  for (uint64_t i = 0; i < kLimit; i++) EXPECT_EQ(Add(), int(i));
  EXPECT_EQ(Add(), -int(Errno::kEMFILE));
  EXPECT_EQ(table_->Set(Fd{int(kLimit)}, NewFile(), false, kLimit).error(), Errno::kEBADF);
  EXPECT_TRUE(table_->Close(Fd{5}).ok());
  EXPECT_EQ(Add(6), -int(Errno::kEMFILE));
  EXPECT_EQ(Add(), 5);
}

TEST_F(FdTableTest, ChecksRights) {
  auto pipe = vfs::CreatePipe({}).value();
  const Fd reader = table_->Add(HandleTo(pipe.reader), false, kLimit).value();
  const Fd writer = table_->Add(HandleTo(pipe.writer), false, kLimit).value();
  EXPECT_TRUE(table_->Get(reader, Rights::kRead).ok());
  EXPECT_EQ(table_->Get(reader, Rights::kWrite).error(), Errno::kEBADF);
  EXPECT_EQ(table_->Get(writer, Rights::kRead).error(), Errno::kEBADF);
  EXPECT_EQ(table_->Get(Fd{-1}).error(), Errno::kEBADF);
  EXPECT_EQ(table_->Get(Fd{99}).error(), Errno::kEBADF);
}

TEST_F(FdTableTest, ReservedNumbersAreNeitherOpenNorFree) {
  const Fd reserved = table_->Reserve(kLimit).value();
  EXPECT_EQ(reserved.value, 0);
  EXPECT_FALSE(IsOpen(0));
  EXPECT_EQ(table_->Close(reserved).error(), Errno::kEBADF);
  EXPECT_EQ(table_->Set(reserved, NewFile(), false, kLimit).error(), Errno::kEBUSY);
  EXPECT_EQ(Add(), 1);
  const auto copy = table_->Clone().value();
  table_->Publish(reserved, NewFile(), true);
  EXPECT_TRUE(IsOpen(0));
  EXPECT_TRUE(table_->close_on_exec(reserved).value());
  EXPECT_FALSE(copy->Get(reserved).ok());

  const Fd other = table_->Reserve(kLimit).value();
  EXPECT_EQ(other.value, 2);
  table_->Unreserve(other);
  EXPECT_EQ(Add(), 2);
}

TEST_F(FdTableTest, ClosesTheFileWithItsLastNumber) {
  auto pipe = vfs::CreatePipe({}).value();
  const Fd writer = table_->Add(HandleTo(pipe.writer), false, kLimit).value();
  const Handle reader = HandleTo(pipe.reader);
  auto copy = table_->Clone().value();
  pipe.writer = nullptr;
  const auto hung_up = [&] { return HasAny(pipe.reader->signals(), Signals::kPeerClosed); };
  EXPECT_TRUE(table_->Close(writer).ok());
  EXPECT_FALSE(hung_up());
  copy = nullptr;
  EXPECT_TRUE(hung_up());
}

TEST_F(FdTableTest, ClosesRanges) {
  for (int i = 0; i < 10; i++) Add();
  EXPECT_EQ(table_->CloseRange(5, 4, false).error(), Errno::kEINVAL);
  EXPECT_TRUE(table_->CloseRange(2, 4, false).ok());
  EXPECT_TRUE(table_->CloseRange(7, ~0u, true).ok());
  for (int i = 0; i < 10; i++) EXPECT_EQ(IsOpen(i), i < 2 || i > 4) << i;
  table_->CloseOnExec();
  for (int i = 0; i < 10; i++) EXPECT_EQ(IsOpen(i), i < 2 || i == 5 || i == 6) << i;
  EXPECT_EQ(Add(), 2);
  EXPECT_TRUE(table_->CloseRange(0, ~0u, false).ok());
  EXPECT_EQ(table_->NextOpen(0), -1);
}

TEST_F(FdTableTest, ListsWhatIsOpen) {
  Add();
  Add(5);
  Add(9);
  EXPECT_EQ(table_->NextOpen(0), 0);
  EXPECT_EQ(table_->NextOpen(1), 5);
  EXPECT_EQ(table_->NextOpen(6), 9);
  EXPECT_EQ(table_->NextOpen(10), -1);
  EXPECT_GE(table_->capacity(), 10u);
}

TEST_F(FdTableTest, CloneCopiesFlags) {
  Add(0, true);
  Add();
  const auto copy = table_->Clone().value();
  EXPECT_TRUE(copy->close_on_exec(Fd{0}).value());
  EXPECT_FALSE(copy->close_on_exec(Fd{1}).value());
  EXPECT_TRUE(copy->SetCloseOnExec(Fd{1}, true).ok());
  EXPECT_FALSE(table_->close_on_exec(Fd{1}).value());
}

// Every number is given once, whoever asks.
TEST_F(FdTableTest, ManyThreads) {
  constexpr int kThreads = 4, kRounds = 300;
  std::vector<std::thread> threads;
  std::atomic<int> failures = 0;
  for (int i = 0; i < kThreads; i++) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; round++) {
        const auto fd = table_->Add(NewFile(), false, kLimit);
        if (!fd.ok() || !table_->Get(fd.value()).ok() || !table_->Close(fd.value()).ok())
          failures++;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(table_->NextOpen(0), -1);
}

}  // namespace
}  // namespace zrun::compat
