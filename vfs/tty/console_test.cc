#include "vfs/tty/console.h"

#include "hal/fake/fake.h"
#include "vfs/test_files.h"
#include "vfs/tty/console_tty.h"

namespace zrun::vfs {
namespace {

using testing::HandleOf;
using testing::Has;
using testing::ReadText;
using testing::WriteText;

TEST(Console, StreamsAreFilesOfTheirOwn) {
  ASSERT_TRUE(InitConsole(ConsoleMode::kStreams).ok());
  hal::fake::SetInput("abc", false);
  auto standard = OpenStandardFiles({}, 0).value();
  Handle handles[3];
  for (int i = 0; i < 3; i++) handles[i] = HandleOf(standard.files[i]);
  EXPECT_NE(standard.files[0]->kind(), FileDescription::Kind::kTty);
  EXPECT_TRUE(Has(*standard.files[0], Signals::kReadable));
  EXPECT_EQ(ReadText(*standard.files[0], 2), "ab");
  EXPECT_EQ(ReadText(*standard.files[0]), "c");
  EXPECT_EQ(ReadText(*standard.files[0]), "!EAGAIN");
  EXPECT_FALSE(Has(*standard.files[0], Signals::kReadable));
  hal::fake::SetInput("", true);
  EXPECT_TRUE(Has(*standard.files[0], Signals::kPeerClosed));
  EXPECT_EQ(ReadText(*standard.files[0]), "");
  EXPECT_EQ(WriteText(*standard.files[1], std::string(200000, 'x')), 200000);
  EXPECT_EQ(WriteText(*standard.files[2], "error\n"), 6);
  EXPECT_EQ(hal::fake::TakeOutput(1), std::string(200000, 'x'));
  EXPECT_EQ(hal::fake::TakeOutput(2), "error\n");
  EXPECT_EQ(OpenConsole(Path{}, OpenFlags::kReadWrite).error(), Errno::kENXIO);
  EXPECT_TRUE(FlushConsole({0}));
}

// As through /proc/self/fd.
TEST(Console, StreamsCanBeOpenedAgain) {
  ASSERT_TRUE(InitConsole(ConsoleMode::kStreams).ok());
  auto standard = OpenStandardFiles({}, 1000).value();
  Handle handles[3];
  for (int i = 0; i < 3; i++) handles[i] = HandleOf(standard.files[i]);
  const auto open = [&](int stream, OpenFlags flags) {
    const Path& path = standard.files[stream]->path();
    return path.vnode()->Open(path, flags);
  };
  EXPECT_EQ(standard.files[1]->path().vnode()->GetAttributes().value().uid, 1000u);
  EXPECT_EQ(open(0, OpenFlags::kWriteOnly).error(), Errno::kEACCES);
  EXPECT_EQ(open(2, OpenFlags::kReadOnly).error(), Errno::kEACCES);
  {
    auto again = open(1, OpenFlags::kWriteOnly).value();
    Handle handle = HandleOf(again);
    EXPECT_EQ(WriteText(*again, "again "), 6);
  }
  EXPECT_EQ(WriteText(*standard.files[1], "first"), 5);
  EXPECT_EQ(hal::fake::TakeOutput(1), "again first");
  hal::fake::SetInput("abc", false);
  auto input = open(0, OpenFlags::kReadOnly).value();
  Handle handle = HandleOf(input);
  EXPECT_EQ(ReadText(*input, 1), "a");
  EXPECT_EQ(ReadText(*standard.files[0]), "bc");
}

TEST(Console, TheTerminalHasALineDiscipline) {
  hal::fake::SetInput("", false);
  hal::fake::TakeOutput(1);
  hal::fake::SetWindowSize({40, 100, 0, 0});
  ASSERT_TRUE(InitConsole(ConsoleMode::kTerminal).ok());
  auto standard = OpenStandardFiles({}, 0).value();
  Handle handle = HandleOf(standard.files[0]);
  EXPECT_EQ(standard.files[0], standard.files[2]);
  FileDescription& tty = *standard.files[0];
  EXPECT_EQ(tty.kind(), FileDescription::Kind::kTty);
  EXPECT_EQ(static_cast<TtyFile&>(tty).tty().window_size().columns, 100);
  EXPECT_EQ(ReadText(tty), "!EAGAIN");
  hal::fake::SetInput("ls\r", false);
  OnStreamReady(0);
  EXPECT_EQ(ReadText(tty), "ls\n");
  EXPECT_EQ(WriteText(tty, "file\n"), 5);
  EXPECT_EQ(hal::fake::TakeOutput(1), "ls\r\nfile\r\n");
  // More typed ahead than a terminal keeps: the keyboard waits, nothing is lost.
  std::string typed;
  for (int i = 0; i < 2000; i++) typed += "line\r";
  hal::fake::SetInput(typed, false);
  OnStreamReady(0);
  size_t lines = 0;
  for (;;) {
    const std::string line = ReadText(tty);
    if (line == "!EAGAIN") {
      OnStreamReady(0);
      if (!Has(tty, Signals::kReadable)) break;
      continue;
    }
    ASSERT_EQ(line, "line\n");
    lines++;
  }
  EXPECT_EQ(lines, 2000u);
  hal::fake::SetInput("", true);
  OnStreamReady(0);
  EXPECT_EQ(ReadText(tty), "");
  EXPECT_TRUE(Has(tty, Signals::kPeerClosed));
}

}  // namespace
}  // namespace zrun::vfs
