#include "vfs/tty/pty.h"

#include <algorithm>
#include <vector>

#include "vfs/devfs/devices.h"
#include "vfs/mount.h"
#include "vfs/test_files.h"
#include "vfs/tty/pty_pair.h"

namespace zrun::vfs {
namespace {

using testing::HandleOf;
using testing::Has;
using testing::ReadText;
using testing::WriteText;

struct FakeJobs final : JobControl {
  Caller caller{.process = 10, .session = 10, .group = 10, .leads_session = true};
  bool ignores = false, orphaned = false;
  std::vector<std::pair<int, int>> sent;  // group, signal
  FakeJobs() { SetJobControl(this); }
  ~FakeJobs() { SetJobControl(nullptr); }
  Caller GetCaller() override { return caller; }
  void DetachCaller() override { caller.detached = true; }
  bool CallerIgnores(int) override { return ignores; }
  bool IsOrphaned(int32_t) override { return orphaned; }
  int32_t SessionOfGroup(int32_t group) override { return group == 10 || group == 20 ? 10 : 0; }
  void SignalGroup(int32_t group, int signal) override { sent.push_back({group, signal}); }
  Path FollowMounts(Path path) override { return path; }
  void SignalProcess(int32_t process, int signal) override { sent.push_back({-process, signal}); }
  bool Sent(int group, int signal) const {
    return std::find(sent.begin(), sent.end(), std::pair(group, signal)) != sent.end();
  }
};

struct PtyTest : ::testing::Test {
  PtyTest() {
    auto mounted = MountDevPts("devpts", "");
    mount = Mount::CreateFor(mounted.value(), MountFlags::kNone, "devpts").value();
    auto opened = OpenPtyMaster(PathOf("ptmx"), OpenFlags::kReadWrite);
    EXPECT_TRUE(opened.ok());
    master = opened.value();
    master_handle = HandleOf(master);
    pty = RefPtr<Pty>(&static_cast<PtyMaster&>(*master).pty());
  }
  RefPtr<FileDescription> OpenSlave(OpenFlags flags = OpenFlags::kReadWrite) {
    auto opened = OpenTty(Path{}, pty, flags);
    EXPECT_TRUE(opened.ok());
    return opened.ok() ? opened.value() : nullptr;
  }
  Path PathOf(std::string_view name) { return {mount, mount->root()->Lookup(name).value()}; }
  void Unlock() { pty->SetLocked(false); }
  FakeJobs jobs;
  RefPtr<Mount> mount;
  RefPtr<FileDescription> master;
  Handle master_handle;
  RefPtr<Pty> pty;
};

TEST_F(PtyTest, LockedSlavesCannotBeOpened) {
  EXPECT_EQ(OpenPtySlave(PathOf("0"), pty->number(), OpenFlags::kReadWrite).error(), Errno::kEIO);
  EXPECT_EQ(OpenPtySlave(PathOf("0"), 4000, OpenFlags::kReadWrite).error(), Errno::kENXIO);
  EXPECT_EQ(OpenPtySlave(Path{}, pty->number(), OpenFlags::kReadWrite).error(), Errno::kEIO);
}

TEST_F(PtyTest, CarriesBothWays) {
  Unlock();
  auto slave = OpenSlave();
  Handle handle = HandleOf(slave);
  EXPECT_EQ(ReadText(*master), "!EAGAIN");
  EXPECT_EQ(WriteText(*slave, "hi\n"), 3);
  EXPECT_TRUE(Has(*master, Signals::kReadable));
  EXPECT_EQ(ReadText(*master), "hi\r\n");
  EXPECT_EQ(WriteText(*master, "ls\r"), 3);
  EXPECT_EQ(ReadText(*master), "ls\r\n");
  EXPECT_TRUE(Has(*slave, Signals::kReadable));
  EXPECT_EQ(ReadText(*slave), "ls\n");
  EXPECT_FALSE(Has(*slave, Signals::kReadable));
  EXPECT_EQ(ReadText(*slave), "!EAGAIN");
}

TEST_F(PtyTest, MasterSeesTheSlavesGo) {
  Unlock();
  EXPECT_EQ(ReadText(*master), "!EAGAIN");  // nobody was there yet
  auto slave = OpenSlave();
  Handle handle = HandleOf(slave);
  WriteText(*slave, "bye");
  handle = Handle();
  EXPECT_TRUE(Has(*master, Signals::kPeerClosed | Signals::kReadable));
  EXPECT_EQ(ReadText(*master), "bye");
  EXPECT_EQ(ReadText(*master), "!EIO");
  auto again = OpenSlave();
  Handle again_handle = HandleOf(again);
  EXPECT_EQ(ReadText(*master), "!EAGAIN");
}

TEST_F(PtyTest, ClosingTheMasterHangsUp) {
  Unlock();
  auto slave = OpenSlave();
  Handle handle = HandleOf(slave);
  EXPECT_EQ(pty->session(), 10);
  jobs.caller.group = 20;
  pty->SetSession(10, 20);
  master_handle = Handle();
  EXPECT_EQ(ReadText(*slave), "");
  EXPECT_EQ(WriteText(*slave, "x"), -long(Errno::kEIO));
  EXPECT_TRUE(Has(*slave, Signals::kPeerClosed | Signals::kReadable | Signals::kError));
  EXPECT_TRUE(jobs.Sent(-10, 1));
  EXPECT_TRUE(jobs.Sent(20, 1));
  EXPECT_EQ(pty->session(), 0);
}

TEST_F(PtyTest, OpeningMakesItTheLeadersTerminal) {
  Unlock();
  jobs.caller.leads_session = false;
  Handle first = HandleOf(OpenSlave());
  EXPECT_EQ(pty->session(), 0);
  jobs.caller.leads_session = true;
  Handle second = HandleOf(OpenSlave(OpenFlags::kReadWrite | OpenFlags::kNoControllingTty));
  EXPECT_EQ(pty->session(), 0);
  Handle third = HandleOf(OpenSlave());
  EXPECT_EQ(pty->session(), 10);
  EXPECT_EQ(FindSessionTerminal(10).device, MakeDevice(136, pty->number()));
  auto tty = OpenCallersTty(Path{}, OpenFlags::kReadWrite);
  ASSERT_TRUE(tty.ok());
  jobs.caller.detached = true;
  EXPECT_EQ(OpenCallersTty(Path{}, OpenFlags::kReadWrite).error(), Errno::kENXIO);
}

TEST_F(PtyTest, TypedSignalsGoToTheForeground) {
  Unlock();
  Handle slave = HandleOf(OpenSlave());
  pty->SetSession(10, 20);
  WriteText(*master, "\x03");
  EXPECT_TRUE(jobs.Sent(20, 2));
}

TEST_F(PtyTest, BackgroundReadersAreStopped) {
  Unlock();
  auto slave = OpenSlave();
  Handle handle = HandleOf(slave);
  WriteText(*master, "x\n");
  jobs.caller.group = 20;
  EXPECT_EQ(ReadText(*slave), "!ERESTARTSYS");
  EXPECT_TRUE(jobs.Sent(20, 21));
  EXPECT_EQ(WriteText(*slave, "fine"), 4);
  jobs.orphaned = true;
  EXPECT_EQ(ReadText(*slave), "!EIO");
  jobs.orphaned = false;
  jobs.ignores = true;
  EXPECT_EQ(ReadText(*slave), "!EIO");
  jobs.caller.group = 10;
  EXPECT_EQ(ReadText(*slave), "x\n");
}

TEST_F(PtyTest, WindowSizeChangesAreTold) {
  pty->SetSession(10, 20);
  pty->SetWindowSize({24, 80, 0, 0});
  EXPECT_TRUE(jobs.Sent(20, 28));
  EXPECT_EQ(pty->window_size().columns, 80);
  jobs.sent.clear();
  pty->SetWindowSize({24, 80, 0, 0});
  EXPECT_TRUE(jobs.sent.empty());
}

TEST_F(PtyTest, InputBeyondTheBufferWaits) {
  Unlock();
  auto slave = OpenSlave();
  Handle handle = HandleOf(slave);
  const std::string line = std::string(99, 'x') + "\n";
  size_t sent = 0;
  for (int i = 0; i < 300; i++) {
    const long done = WriteText(*master, line);
    ASSERT_EQ(done, 100);
    sent += 100;
    ReadText(*master);  // the echo
  }
  size_t received = 0;
  for (;;) {
    const std::string text = ReadText(*slave);
    if (text == "!EAGAIN") break;
    ASSERT_EQ(text, line);
    received += text.size();
  }
  EXPECT_EQ(received, sent);
}

TEST_F(PtyTest, NumbersAreFreedWithTheLastEnd) {
  const uint32_t number = pty->number();
  EXPECT_TRUE(bool(DevPts::Of(PathOf("ptmx"))->Find(number)));
  master_handle = Handle();
  EXPECT_FALSE(bool(DevPts::Of(PathOf("ptmx"))->Find(number)));
  master = nullptr;
  pty = nullptr;
  auto again = OpenPtyMaster(PathOf("ptmx"), OpenFlags::kReadWrite);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(static_cast<PtyMaster&>(*again.value()).pty().number(), number);
}

// What is not beside a devpts has no number to give.
TEST_F(PtyTest, EachMountHasNumbersOfItsOwn) {
  auto other = Mount::CreateFor(MountDevPts("devpts", "").value(), MountFlags::kNone, "x").value();
  const Path ptmx{other, other->root()->Lookup("ptmx").value()};
  auto opened = OpenPtyMaster(ptmx, OpenFlags::kReadWrite);
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(static_cast<PtyMaster&>(*opened.value()).pty().number(), pty->number());
  EXPECT_NE(&static_cast<PtyMaster&>(*opened.value()).pty(), pty.get());
  EXPECT_EQ(OpenPtyMaster(Path{}, OpenFlags::kReadWrite).error(), Errno::kENODEV);
}

}  // namespace
}  // namespace zrun::vfs
