#include "vfs/pipe.h"

#include <thread>

#include "objects/wait.h"
#include "vfs/pipe_end.h"
#include "vfs/splice.h"
#include "vfs/test_files.h"

namespace zrun::vfs {
namespace {

using testing::HandleOf;
using testing::Has;
using testing::ReadText;
using testing::WriteText;

struct Ends {
  explicit Ends(OpenFlags flags = {}) {
    auto pair = CreatePipe(flags);
    EXPECT_TRUE(pair.ok());
    reader = pair.value().reader;
    writer = pair.value().writer;
    read_handle = HandleOf(reader);
    write_handle = HandleOf(writer);
  }
  RefPtr<FileDescription> reader, writer;
  Handle read_handle, write_handle;
};

TEST(Pipe, GivesBackWhatWasWritten) {
  Ends pipe;
  EXPECT_EQ(ReadText(*pipe.reader), "!EAGAIN");
  EXPECT_EQ(WriteText(*pipe.writer, "hello "), 6);
  EXPECT_EQ(WriteText(*pipe.writer, "world"), 5);
  EXPECT_EQ(ReadText(*pipe.reader, 3), "hel");
  EXPECT_EQ(ReadText(*pipe.reader), "lo world");
}

TEST(Pipe, HoldsExactlySixtyFourKiB) {
  Ends pipe;
  EXPECT_EQ(WriteText(*pipe.writer, std::string(100000, 'x')), 65536);
  EXPECT_EQ(WriteText(*pipe.writer, "y"), -long(Errno::kEAGAIN));
  EXPECT_FALSE(Has(*pipe.writer, Signals::kWritable));
  EXPECT_EQ(ReadText(*pipe.reader, 4095).size(), 4095u);
  EXPECT_FALSE(Has(*pipe.writer, Signals::kWritable));  // no whole page is free
  EXPECT_EQ(ReadText(*pipe.reader, 1).size(), 1u);
  EXPECT_TRUE(Has(*pipe.writer, Signals::kWritable));
}

TEST(Pipe, SmallWritesAreAtomic) {
  Ends pipe;
  EXPECT_EQ(WriteText(*pipe.writer, std::string(15 * 4096 + 100, 'x')), 15 * 4096 + 100);
  EXPECT_EQ(WriteText(*pipe.writer, std::string(4096, 'y')), -long(Errno::kEAGAIN));
  EXPECT_EQ(WriteText(*pipe.writer, std::string(3996, 'y')), 3996);
}

TEST(Pipe, ReadReturnsZeroAfterLastWriterCloses) {
  Ends pipe;
  WriteText(*pipe.writer, "end");
  EXPECT_FALSE(Has(*pipe.reader, Signals::kPeerClosed));
  pipe.write_handle = Handle();
  EXPECT_TRUE(Has(*pipe.reader, Signals::kPeerClosed | Signals::kReadable));
  EXPECT_EQ(ReadText(*pipe.reader), "end");
  EXPECT_EQ(ReadText(*pipe.reader), "");
  EXPECT_FALSE(Has(*pipe.reader, Signals::kReadable));
}

TEST(Pipe, WriteFailsWithoutReaders) {
  Ends pipe;
  pipe.read_handle = Handle();
  EXPECT_TRUE(Has(*pipe.writer, Signals::kError | Signals::kWritable));
  EXPECT_EQ(WriteText(*pipe.writer, "x"), -long(Errno::kEPIPE));
  EXPECT_EQ(WriteText(*pipe.writer, ""), 0);
}

TEST(Pipe, PacketsAreReadOneAtATime) {
  Ends pipe(OpenFlags::kDirect);
  WriteText(*pipe.writer, "first");
  WriteText(*pipe.writer, "second");
  EXPECT_EQ(ReadText(*pipe.reader, 3), "fir");  // the rest is dropped
  EXPECT_EQ(ReadText(*pipe.reader), "second");
}

TEST(Pipe, ChangesItsSize) {
  Ends pipe;
  EXPECT_EQ(GetPipeSize(*pipe.reader).value(), 65536u);
  EXPECT_EQ(SetPipeSize(*pipe.reader, 5000, false).value(), 8192u);
  EXPECT_EQ(WriteText(*pipe.writer, std::string(10000, 'x')), 8192);
  EXPECT_EQ(SetPipeSize(*pipe.reader, 1, false).error(), Errno::kEBUSY);
  EXPECT_EQ(SetPipeSize(*pipe.reader, 2 << 20, false).error(), Errno::kEPERM);
  EXPECT_EQ(SetPipeSize(*pipe.reader, 2 << 20, true).value(), 2u << 20);
  EXPECT_EQ(SetPipeSize(*pipe.reader, 1ull << 40, true).error(), Errno::kEINVAL);
  EXPECT_EQ(ReadText(*pipe.reader, 10000).size(), 8192u);
}

TEST(Pipe, TeeLeavesTheBytesAndSpliceMovesThem) {
  Ends from, to;
  SpliceWait wait;
  EXPECT_EQ(Splice({*from.reader}, {*to.writer}, 10, wait).error(), Errno::kEAGAIN);
  EXPECT_EQ(wait.file, from.reader);
  WriteText(*from.writer, "abcdef");
  EXPECT_EQ(Tee(*from.reader, *to.writer, 4, wait).value(), 4u);
  EXPECT_EQ(ReadText(*to.reader), "abcd");
  EXPECT_EQ(Splice({*from.reader}, {*to.writer}, 100, wait).value(), 6u);
  EXPECT_EQ(ReadText(*to.reader), "abcdef");
  EXPECT_EQ(ReadText(*from.reader), "!EAGAIN");
  EXPECT_EQ(Tee(*from.reader, *from.writer, 4, wait).error(), Errno::kEINVAL);
}

TEST(Pipe, AppendingDoesNotChangeTeedPages) {
  Ends from, to;
  SpliceWait wait;
  WriteText(*from.writer, "abc");
  EXPECT_EQ(Tee(*from.reader, *to.writer, 3, wait).value(), 3u);
  WriteText(*from.writer, "def");
  WriteText(*to.writer, "xyz");
  EXPECT_EQ(ReadText(*to.reader), "abcxyz");
  EXPECT_EQ(ReadText(*from.reader), "abcdef");
}

// A stream of counted bytes through two threads that wait as system calls do.
TEST(Pipe, CarriesAStreamBetweenThreads) {
  constexpr size_t kTotal = 8 << 20;
  Ends pipe;
  std::thread writer([&] {
    std::string block(10007, '\0');
    size_t sent = 0;
    while (sent < kTotal) {
      const size_t size = std::min(block.size(), kTotal - sent);
      for (size_t i = 0; i < size; i++) block[i] = char((sent + i) * 31 >> 3);
      size_t at = 0;
      while (at < size) {
        const long done = WriteText(*pipe.writer, std::string_view(block).substr(at, size - at));
        if (done >= 0) {
          at += size_t(done);
          continue;
        }
        ASSERT_EQ(done, -long(Errno::kEAGAIN));
        ASSERT_TRUE(
            WaitOne(*pipe.writer, pipe.writer->write_signals(), hal::Deadline::Never()).ok());
      }
      sent += size;
    }
    pipe.write_handle = Handle();
  });
  size_t received = 0;
  bool same = true;
  for (;;) {
    const std::string text = ReadText(*pipe.reader, 7919);
    if (text == "!EAGAIN") {
      ASSERT_TRUE(WaitOne(*pipe.reader, pipe.reader->read_signals(), hal::Deadline::Never()).ok());
      continue;
    }
    if (text.empty()) break;
    for (char c : text) same &= c == char(received++ * 31 >> 3);
  }
  writer.join();
  EXPECT_EQ(received, kTotal);
  EXPECT_TRUE(same);
}

}  // namespace
}  // namespace zrun::vfs
