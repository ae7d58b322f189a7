#include "vfs/inotify.h"

#include "objects/ipc/timer.h"
#include "objects/wait.h"
#include "vfs/devfs/devices.h"
#include "vfs/memfd.h"
#include "vfs/namei.h"
#include "vfs/notify.h"
#include "vfs/pipe.h"
#include "vfs/ramfs/ramfs.h"
#include "vfs/test_files.h"
#include "vfs/timerfd.h"

namespace zrun::vfs {
namespace {

using testing::HandleOf;
using testing::Has;
using testing::ReadText;
using testing::WriteText;

constexpr uint32_t kModify = 2, kCreate = 0x100, kDelete = 0x200, kDeleteSelf = 0x400,
                   kIsDir = 0x40000000, kOneShot = 0x80000000;

struct TreeTest : ::testing::Test, testing::Tree {
  TreeTest() : Tree(MountDevFs("", "").value()) {}
  RefPtr<FileDescription> OpenFile(std::string_view path, OpenFlags flags) {
    auto file = Open(*walk, path, {flags, 0644});
    EXPECT_TRUE(file.ok()) << path << ErrnoName(file.error());
    return file.ok() ? file.value() : nullptr;
  }
};

struct InotifyTest : TreeTest {
  InotifyTest() : inotify(CreateInotify({}, 0).value()), handle(HandleOf(inotify)) {}
  int Watch(std::string_view path, uint32_t mask) {
    auto place = Walk(*walk, path, WalkFlags::kNone);
    EXPECT_TRUE(place.ok());
    auto watch = InotifyAddWatch(*inotify, place.value(), mask);
    return watch.ok() ? watch.value() : -int(watch.error());
  }
  // "watch:mask:name " for each event.
  std::string Events() {
    const std::string bytes = ReadText(*inotify);
    if (bytes[0] == '!') return bytes;
    std::string text;
    for (size_t at = 0; at < bytes.size();) {
      uint32_t header[4];
      memcpy(header, &bytes[at], sizeof(header));
      char line[64];
      snprintf(line, sizeof(line), "%d:%x:", int(header[0]), header[1]);
      text += line + std::string(&bytes[at + 16], strnlen(&bytes[at + 16], header[3])) + " ";
      EXPECT_EQ(header[3] % 16, 0u);
      at += 16 + header[3];
    }
    return text;
  }
  RefPtr<FileDescription> inotify;
  Handle handle;
};

TEST_F(InotifyTest, TellsOfEntriesOfADirectory) {
  EXPECT_EQ(Watch("/shm", kCreate | kDelete), 1);
  EXPECT_EQ(Events(), "!EAGAIN");
  ASSERT_TRUE(MakeNode(*walk, "/shm/file", kModeRegular | 0644, 0).ok());
  ASSERT_TRUE(MakeDirectory(*walk, "/shm/dir", 0755).ok());
  EXPECT_TRUE(Has(*inotify, Signals::kReadable));
  EXPECT_EQ(Events(), "1:100:file 1:40000100:dir ");
  ASSERT_TRUE(Unlink(*walk, "/shm/file").ok());
  EXPECT_EQ(Events(), "1:200:file ");
  EXPECT_FALSE(Has(*inotify, Signals::kReadable));
}

TEST_F(InotifyTest, TellsOfFilesThemselvesAndInTheirDirectory) {
  ASSERT_TRUE(MakeNode(*walk, "/shm/file", kModeRegular | 0644, 0).ok());
  EXPECT_EQ(Watch("/shm/file", kModify | kDeleteSelf), 1);
  EXPECT_EQ(Watch("/shm", kModify), 2);
  {
    auto file = OpenFile("/shm/file", OpenFlags::kWriteOnly);
    Handle file_handle = HandleOf(file);
    EXPECT_EQ(WriteText(*file, "x"), 1);
    EXPECT_EQ(WriteText(*file, "x"), 1);
  }
  EXPECT_EQ(Events().substr(0, 15), "2:2:file 1:2: 2");
  ASSERT_TRUE(Unlink(*walk, "/shm/file").ok());
  EXPECT_EQ(Events(), "1:400: 1:8000: ");
  EXPECT_EQ(InotifyRemoveWatch(*inotify, 1).error(), Errno::kEINVAL);
  EXPECT_TRUE(InotifyRemoveWatch(*inotify, 2).ok());
  EXPECT_EQ(Events(), "2:8000: ");
}

TEST_F(InotifyTest, OneShotsAndErrors) {
  EXPECT_EQ(Watch("/shm", kCreate | kOneShot), 1);
  EXPECT_EQ(Watch("/shm", 0), -int(Errno::kEINVAL));
  EXPECT_EQ(Watch("/shm", kCreate | 0x10000000), -int(Errno::kEEXIST));
  ASSERT_TRUE(MakeNode(*walk, "/shm/a", kModeRegular | 0644, 0).ok());
  ASSERT_TRUE(MakeNode(*walk, "/shm/b", kModeRegular | 0644, 0).ok());
  EXPECT_EQ(ReadText(*inotify, 20), "!EINVAL");
  EXPECT_EQ(Events(), "1:100:a 1:8000: ");
  static_cast<void>(kIsDir);
}

TEST_F(TreeTest, DevicesDoWhatTheyAreFor) {
  auto null = OpenFile("/null", OpenFlags::kReadWrite);
  EXPECT_EQ(WriteText(*null, "gone"), 4);
  EXPECT_EQ(ReadText(*null), "");
  EXPECT_EQ(ReadText(*OpenFile("/zero", OpenFlags::kReadOnly), 5), std::string(5, '\0'));
  EXPECT_EQ(WriteText(*OpenFile("/full", OpenFlags::kWriteOnly), "x"), -long(Errno::kENOSPC));
  auto random = OpenFile("/urandom", OpenFlags::kReadOnly);
  EXPECT_NE(ReadText(*random, 600), ReadText(*random, 600));
  EXPECT_EQ(Open(*walk, "/tty", {OpenFlags::kReadWrite}).error(), Errno::kENXIO);
  ASSERT_TRUE(MakeNode(*walk, "/shm/mem", kModeChar | 0600, MakeDevice(1, 1)).ok());
  EXPECT_EQ(Open(*walk, "/shm/mem", {OpenFlags::kReadOnly}).error(), Errno::kENXIO);
  // No devpts is mounted beside it.
  EXPECT_EQ(Open(*walk, "/ptmx", {OpenFlags::kReadWrite}).error(), Errno::kENODEV);
}

TEST_F(TreeTest, FifosWaitForTheirOtherSide) {
  ASSERT_TRUE(MakeNode(*walk, "/shm/fifo", kModeFifo | 0644, 0).ok());
  EXPECT_EQ(Open(*walk, "/shm/fifo", {OpenFlags::kWriteOnly | OpenFlags::kNonBlock}).error(),
            Errno::kENXIO);
  auto reader = OpenFile("/shm/fifo", OpenFlags::kReadOnly);
  EXPECT_EQ(reader->FinishOpen().error(), Errno::kEAGAIN);
  EXPECT_FALSE(Has(*reader, Signals::kUser));
  auto writer = OpenFile("/shm/fifo", OpenFlags::kWriteOnly);
  EXPECT_TRUE(writer->FinishOpen().ok());
  EXPECT_TRUE(Has(*reader, Signals::kUser));
  EXPECT_TRUE(reader->FinishOpen().ok());
  Handle a = HandleOf(reader), b = HandleOf(writer);
  EXPECT_EQ(WriteText(*writer, "x"), 1);
  EXPECT_EQ(ReadText(*reader), "x");
  b = Handle();
  EXPECT_EQ(ReadText(*reader), "");
  a = Handle();
  // Nobody has it open any more: what comes is a new pipe.
  auto early = OpenFile("/shm/fifo", OpenFlags::kReadOnly | OpenFlags::kNonBlock);
  Handle c = HandleOf(early);
  EXPECT_FALSE(Has(*early, Signals::kPeerClosed));
  EXPECT_EQ(ReadText(*early), "");
  {
    Handle d = HandleOf(OpenFile("/shm/fifo", OpenFlags::kWriteOnly));
    EXPECT_EQ(ReadText(*early), "!EAGAIN");
  }
  EXPECT_TRUE(Has(*early, Signals::kPeerClosed));
}

TEST_F(TreeTest, AnInterruptedOpenLeavesNothingBehind) {
  ASSERT_TRUE(MakeNode(*walk, "/shm/fifo", kModeFifo | 0644, 0).ok());
  { auto reader = OpenFile("/shm/fifo", OpenFlags::kReadOnly); }
  EXPECT_EQ(Open(*walk, "/shm/fifo", {OpenFlags::kWriteOnly | OpenFlags::kNonBlock}).error(),
            Errno::kENXIO);
}

TEST(Memfd, IsAFileWithoutAName) {
  auto file = CreateMemfd("x", 0, {}).value();
  Handle handle = HandleOf(file);
  EXPECT_EQ(WriteText(*file, "hello"), 5);
  EXPECT_EQ(file->Seek(0, 0).value(), 0u);
  EXPECT_EQ(ReadText(*file), "hello");
  EXPECT_EQ(file->path().dentry->name().value().view(), "/memfd:x (deleted)");
  EXPECT_EQ(CreateMemfd("x", 64, {}).error(), Errno::kEINVAL);
}

TEST(TimerFd, CountsExpirations) {
  ASSERT_TRUE(StartTimerService().ok());
  auto timer = CreateTimerFd(1, {}).value();
  Handle handle = HandleOf(timer);
  EXPECT_EQ(CreateTimerFd(5, {}).error(), Errno::kEINVAL);
  EXPECT_EQ(ReadText(*timer, 8), "!EAGAIN");
  EXPECT_EQ(SetTimerFd(*timer, 0, {1000, 0}).value().value, 0);
  ASSERT_TRUE(WaitOne(*timer, Signals::kReadable, hal::Deadline::Never()).ok());
  EXPECT_EQ(ReadText(*timer, 8), std::string("\1\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(ReadText(*timer, 8), "!EAGAIN");
  EXPECT_TRUE(SetTimerFd(*timer, 0, {hal::kSecond * 1000, hal::kSecond}).ok());
  const auto setting = GetTimerFd(*timer).value();
  EXPECT_GT(setting.value, hal::kSecond * 990);
  EXPECT_EQ(setting.interval, hal::kSecond);
  EXPECT_TRUE(SetTimerFd(*timer, 1, {1, 1'000'000}).ok());  // long ago
  uint64_t count = 0;
  SpanSink sink(std::as_writable_bytes(std::span(&count, 1)));
  EXPECT_EQ(timer->Read(sink).value(), 8u);
  EXPECT_GT(count, 1000u);
  EXPECT_TRUE(SetTimerFd(*timer, 0, {}).ok());
  EXPECT_EQ(SetTimerFd(*timer, 8, {}).error(), Errno::kEINVAL);
}

}  // namespace
}  // namespace zrun::vfs
