#include "vfs/epoll.h"

#include <thread>

#include "objects/wait.h"
#include "vfs/eventfd.h"
#include "vfs/pipe.h"
#include "vfs/test_files.h"

namespace zrun::vfs {
namespace {

using testing::HandleOf;
using testing::Has;
using testing::ReadText;
using testing::WriteText;

constexpr uint32_t kIn = 1, kOut = 4, kHup = 16, kEdge = 1u << 31, kOneShot = 1u << 30,
                   kExclusive = 1u << 28;

struct EpollTest : ::testing::Test {
  EpollTest() {
    epoll = CreateEpoll().value();
    epoll_handle = HandleOf(epoll);
    auto pair = CreatePipe({}).value();
    reader = pair.reader;
    writer = pair.writer;
    read_handle = HandleOf(reader);
    write_handle = HandleOf(writer);
  }
  // "data:events " for each.
  std::string Collect() {
    EpollEvent events[8];
    uint64_t round = 0;
    auto count = EpollCollect(*epoll, events, round);
    EXPECT_TRUE(count.ok());
    std::string text;
    for (size_t i = 0; i < count.value(); i++)
      text += std::to_string(events[i].data) + ":" + std::to_string(events[i].events) + " ";
    return text;
  }
  Errno Add(const RefPtr<FileDescription>& target, uint32_t events, uint64_t data, int fd = 3) {
    return EpollAdd(*epoll, fd, target, {events, data}).error();
  }
  RefPtr<FileDescription> epoll, reader, writer;
  Handle epoll_handle, read_handle, write_handle;
};

TEST_F(EpollTest, LevelTellsAsLongAsItLasts) {
  EXPECT_EQ(Add(reader, kIn, 7), Errno{});
  EXPECT_EQ(Collect(), "");
  EXPECT_FALSE(Has(*epoll, Signals::kReadable));
  WriteText(*writer, "x");
  EXPECT_TRUE(Has(*epoll, Signals::kReadable));
  EXPECT_EQ(Collect(), "7:1 ");
  EXPECT_EQ(Collect(), "7:1 ");
  ReadText(*reader);
  EXPECT_EQ(Collect(), "");
}

TEST_F(EpollTest, EdgeTellsOnceForEachWrite) {
  EXPECT_EQ(Add(reader, kIn | kEdge, 7), Errno{});
  WriteText(*writer, "x");
  EXPECT_EQ(Collect(), "7:1 ");
  EXPECT_EQ(Collect(), "");
  WriteText(*writer, "y");  // behind unread bytes
  EXPECT_EQ(Collect(), "7:1 ");
  ReadText(*reader, 1);
  EXPECT_EQ(Collect(), "");
}

TEST_F(EpollTest, OneShotWaitsToBeArmedAgain) {
  WriteText(*writer, "x");
  EXPECT_EQ(Add(reader, kIn | kOneShot, 7), Errno{});
  EXPECT_EQ(Collect(), "7:1 ");
  WriteText(*writer, "y");
  EXPECT_EQ(Collect(), "");
  EXPECT_TRUE(EpollModify(*epoll, 3, reader, {kIn | kOneShot, 8}).ok());
  EXPECT_EQ(Collect(), "8:1 ");
}

TEST_F(EpollTest, HangUpIsAlwaysTold) {
  EXPECT_EQ(Add(reader, 0, 7), Errno{});
  write_handle = Handle();
  EXPECT_EQ(Collect(), "7:" + std::to_string(kHup) + " ");
}

TEST_F(EpollTest, ReportsOnlyWhatWasAskedFor) {
  EXPECT_EQ(Add(writer, kOut, 1, 4), Errno{});
  EXPECT_EQ(Collect(), "1:4 ");
  EXPECT_TRUE(EpollModify(*epoll, 4, writer, {kIn, 1}).ok());
  EXPECT_EQ(Collect(), "");
}

TEST_F(EpollTest, Errors) {
  EXPECT_EQ(Add(reader, kIn, 1), Errno{});
  EXPECT_EQ(Add(reader, kIn, 1), Errno::kEEXIST);
  EXPECT_EQ(Add(reader, kIn, 2, 5), Errno{});  // the same file by another number
  EXPECT_EQ(EpollModify(*epoll, 9, reader, {kIn, 1}).error(), Errno::kENOENT);
  EXPECT_TRUE(EpollRemove(*epoll, 3, reader).ok());
  EXPECT_EQ(EpollRemove(*epoll, 3, reader).error(), Errno::kENOENT);
  EXPECT_EQ(EpollAdd(*reader, 3, writer, {kIn, 1}).error(), Errno::kEINVAL);
  EXPECT_EQ(Add(epoll, kIn, 1), Errno::kEINVAL);
  EXPECT_EQ(Add(writer, kIn | kExclusive | kOneShot, 1), Errno::kEINVAL);
}

TEST_F(EpollTest, ClosingTheFileEndsTheInterest) {
  auto event = CreateEventFd(1, false, {}).value();
  {
    Handle handle = HandleOf(event);
    EXPECT_EQ(Add(event, kIn, 5), Errno{});
    EXPECT_EQ(Collect(), "5:1 ");
  }
  EXPECT_EQ(Collect(), "");
}

TEST_F(EpollTest, NestsButNotInCircles) {
  auto outer = CreateEpoll().value();
  Handle outer_handle = HandleOf(outer);
  EXPECT_TRUE(EpollAdd(*outer, 3, epoll, {kIn, 1}).ok());
  EXPECT_EQ(Add(outer, kIn, 2), Errno::kELOOP);
  EXPECT_EQ(Add(reader, kIn, 3), Errno{});
  EXPECT_FALSE(Has(*outer, Signals::kReadable));
  WriteText(*writer, "x");
  EXPECT_TRUE(Has(*outer, Signals::kReadable));
  EpollEvent event;
  uint64_t round = 0;
  EXPECT_EQ(EpollCollect(*outer, {&event, 1}, round).value(), 1u);
  EXPECT_EQ(event.data, 1u);
  ReadText(*reader);
  EXPECT_FALSE(Has(*outer, Signals::kReadable));
}

TEST_F(EpollTest, NestsOnlySoDeep) {
  std::vector<RefPtr<FileDescription>> files{epoll};
  std::vector<Handle> handles;
  Errno error{};
  for (int i = 0; i < 10 && error == Errno{}; i++) {
    files.push_back(CreateEpoll().value());
    handles.push_back(HandleOf(files.back()));
    error = EpollAdd(*files[files.size() - 2], 3, files.back(), {kIn, 1}).error();
  }
  EXPECT_EQ(error, Errno::kELOOP);
  EXPECT_LE(files.size(), 7u);
}

TEST_F(EpollTest, WakesThoseWhoWait) {
  EXPECT_EQ(Add(reader, kIn, 7), Errno{});
  std::thread writing([&] { WriteText(*writer, "x"); });
  EXPECT_TRUE(WaitOne(*epoll, Signals::kReadable, hal::Deadline::Never()).ok());
  EXPECT_EQ(Collect(), "7:1 ");
  writing.join();
}

TEST(EventFd, CountsAndBlocks) {
  auto event = CreateEventFd(3, false, {}).value();
  Handle handle = HandleOf(event);
  const auto put = [&](uint64_t value) {
    return WriteText(*event, {reinterpret_cast<char*>(&value), sizeof(value)});
  };
  EXPECT_TRUE(Has(*event, Signals::kReadable | Signals::kWritable));
  uint64_t value = 0;
  SpanSink sink(std::as_writable_bytes(std::span(&value, 1)));
  EXPECT_EQ(event->Read(sink).value(), 8u);
  EXPECT_EQ(value, 3u);
  EXPECT_EQ(ReadText(*event, 8), "!EAGAIN");
  EXPECT_EQ(ReadText(*event, 7), "!EINVAL");
  EXPECT_EQ(put(UINT64_MAX), -long(Errno::kEINVAL));
  EXPECT_EQ(put(UINT64_MAX - 1), 8);
  EXPECT_FALSE(Has(*event, Signals::kWritable));
  EXPECT_EQ(put(1), -long(Errno::kEAGAIN));
}

}  // namespace
}  // namespace zrun::vfs
