#include "vfs/procfs/procfs.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "objects/boot_for_test.h"
#include "vfs/eventfd.h"
#include "vfs/namei.h"
#include "vfs/ramfs/ramfs.h"
#include "vfs/test_files.h"

namespace zrun::vfs {
namespace {

// Two processes: 1 with the threads 1 and 7, and 5, which the reader may not look into.
class FakeSource final : public ProcSource {
 public:
  ProcId Current() override { return {1, 7}; }
  int32_t NextProcess(int32_t from) override { return Next(processes, from); }
  int32_t NextThread(int32_t pid, int32_t from) override {
    return pid == 1 ? Next({1, 7}, from) : Next({pid}, from);
  }
  Result<ProcId> Find(int32_t number) override {
    if (processes.contains(number)) return ProcId{number, 0};
    if (number == 7) return ProcId{1, 7};
    return Errno::kENOENT;
  }
  bool Exists(ProcId id) override {
    return processes.contains(id.pid) &&
           (id.tid == 0 || id.tid == id.pid || (id.pid == 1 && id.tid == 7));
  }
  Result<ProcFacts> Facts(ProcId id) override {
    if (!Exists(id)) return Errno::kESRCH;
    ProcFacts facts;
    facts.pid = id.number();
    facts.thread_group = id.pid;
    facts.name = TextBuffer<16>(name.view());
    facts.state = 'S';
    facts.threads = 2;
    facts.group = facts.session = 1;
    facts.nice = 5;
    facts.start_time = 3 * hal::kSecond;
    facts.credentials = MakeRef<Credentials>().value();
    facts.has_memory = true;
    facts.memory.total_bytes = facts.memory.peak_bytes = 1 << 20;
    facts.resident_bytes = 1 << 19;
    facts.umask = 022;
    facts.oom_score_adj = oom_score_adj;
    return facts;
  }
  Ownership Owner(ProcId) override { return {0, 1000, 100}; }
  Result<void> CheckInspect(ProcId id) override {
    if (id.pid == 5) return Errno::kEACCES;
    return {};
  }
  Result<RefPtr<VmAddressRegion>> Memory(ProcId) override { return RefPtr<VmAddressRegion>(); }
  Result<size_t> ReadMemory(ProcId, VmAddressRegion&, uint64_t, std::span<std::byte>) override {
    return size_t{0};
  }
  Result<size_t> WriteMemory(ProcId, VmAddressRegion&, uint64_t,
                             std::span<const std::byte>) override {
    return size_t{0};
  }
  int32_t NextChild(ProcId id, int32_t from) override {
    return id.number() == 1 && from <= 5 ? 5 : -1;
  }
  Result<uint64_t> Number(ProcId, ProcNumber) override { return kept_number; }
  Result<void> SetNumber(ProcId, ProcNumber, uint64_t value) override {
    kept_number = value;
    return {};
  }
  Result<String> Text(ProcId, ProcText) override {
    return String::Create(std::string_view("sh\0-c\0", 6));
  }
  Result<Path> Place(ProcId, ProcPlace) override { return namespace_->root(); }
  Result<RefPtr<MountNamespace>> Mounts(ProcId) override { return RefPtr(namespace_); }
  int NextFd(ProcId, int from) override { return from <= 3 ? 3 : -1; }
  Result<ProcFile> File(ProcId, int fd) override {
    if (fd != 3) return Errno::kENOENT;
    return ProcFile{file, true};
  }
  Result<ProcLimit> Limit(ProcId, unsigned which) override {
    return ProcLimit{which == 7 ? 1024 : ~uint64_t{0}, ~uint64_t{0}};
  }
  Result<String> NameOf(const Path& path, bool if_reachable) override {
    return vfs::NameOf(path, namespace_->root(), *namespace_,
                       if_reachable ? IfUnreachable::kNoName : IfUnreachable::kFullPath);
  }
  Result<void> SetName(ProcId, std::string_view text) override {
    name = TextBuffer<16>(text);
    return {};
  }
  Result<void> SetLastPid(int32_t) override { return Errno::kEPERM; }
  Result<void> SetOomScoreAdj(ProcId, int32_t value) override {
    oom_score_adj = value;
    return {};
  }
  SystemFacts System() override {
    SystemFacts facts;
    facts.uptime = 12'340'000'000;
    facts.threads = 3;
    facts.running = 1;
    facts.last_pid = 5;
    facts.switches = 77;
    facts.load = {3 << 11, 2048 / 4, 2048 / 100};
    return facts;
  }
  TextBuffer<64> GetSystemName(ProcName) override { return host; }
  Result<void> Residency(ProcId, VmAddressRegion&, hal::VirtRange, std::span<uint8_t>) override {
    return Errno::kESRCH;
  }
  RefPtr<ChangeNotice> SystemNameChanges(ProcName) override { return nullptr; }
  Result<void> SetSystemName(ProcName, std::string_view text) override {
    host = TextBuffer<64>(text);
    return {};
  }
  void ShowIpc(ProcIpc, TextSink& out) override { out.Append("key\n"); }
  std::string_view Release() override { return "6.6.0-zrun"; }

  std::set<int32_t> processes{1, 5};
  TextBuffer<16> name{"init"};
  TextBuffer<64> host{"box"};
  int32_t oom_score_adj = 0;
  uint64_t kept_number = 51;
  RefPtr<FileDescription> file = CreateEventFd(0, false, OpenFlags::kReadWrite).value();
  RefPtr<MountNamespace> namespace_;

 private:
  static int32_t Next(const std::set<int32_t>& set, int32_t from) {
    const auto found = set.lower_bound(from);
    return found == set.end() ? -1 : *found;
  }
};

class Names final : public DirentSink {
 public:
  explicit Names(size_t room) : room_(room) {}
  bool Add(uint64_t inode, VnodeType, std::string_view name, uint64_t) override {
    if (room_ == 0) return false;
    room_--;
    EXPECT_NE(inode, 0u);
    EXPECT_TRUE(seen.insert(std::string(name)).second) << name;
    return true;
  }
  void MoreRoom(size_t room) { room_ = room; }
  std::set<std::string> seen;

 private:
  size_t room_;
};

class ProcFsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SetProcSource(&source_);
    auto ram = MountRamfs("", "").value();
    source_.namespace_ =
        MountNamespace::Create(Mount::CreateFor(ram, MountFlags::kNone, "ram").value()).value();
    ASSERT_TRUE(MakeDirectory(Context(), "/proc", 0755).ok());
    const auto where = Walk(Context(), "/proc", WalkFlags::kNone).value();
    auto proc = Mount::CreateFor(MountProcFs("", "").value(), MountFlags::kNoSuid, "proc").value();
    ASSERT_TRUE(source_.namespace_->Attach(where, std::move(proc)).ok());
  }
  void TearDown() override {
    source_.namespace_ = nullptr;
    SetProcSource(nullptr);
  }
  WalkContext Context() {
    const Path root = source_.namespace_->root();
    return {*credentials_, *source_.namespace_, root, root};
  }
  Result<RefPtr<FileDescription>> OpenAt(std::string_view path,
                                         OpenFlags flags = OpenFlags::kReadOnly) {
    return Open(Context(), path, {flags});
  }
  std::string Contents(std::string_view path) {
    auto file = OpenAt(path);
    if (!file.ok()) return "!" + std::string(ErrnoName(file.error()));
    return testing::ReadText(*file.value());
  }
  Errno Store(std::string_view path, std::string_view text) {
    auto file = OpenAt(path, OpenFlags::kWriteOnly | OpenFlags::kTruncate);
    if (!file.ok()) return file.error();
    const long written = testing::WriteText(*file.value(), text);
    return written < 0 ? Errno(-written) : Errno{};
  }
  std::string Link(std::string_view path) {
    auto place = Walk(Context(), path, WalkFlags::kNoFollow);
    if (!place.ok()) return "!" + std::string(ErrnoName(place.error()));
    auto text = place.value().vnode()->ReadLink();
    return text.ok() ? std::string(text.value().view())
                     : "!" + std::string(ErrnoName(text.error()));
  }
  // Everything a directory lists, |room| names at a time.
  std::set<std::string> List(std::string_view path, size_t room) {
    auto file = OpenAt(path, OpenFlags::kDirectory);
    EXPECT_TRUE(file.ok()) << path;
    Names names(room);
    for (size_t before = ~size_t{0}; names.seen.size() != before;) {
      before = names.seen.size();
      names.MoreRoom(room);
      EXPECT_TRUE(file.value()->ReadDirectory(names).ok());
    }
    return names.seen;
  }
  FakeSource source_;
  RefPtr<Credentials> credentials_ = [] {
    auto root = MakeRef<Credentials>().value();
    root->cap_effective = root->cap_permitted = ~uint64_t{0};
    return root;
  }();
};

TEST_F(ProcFsTest, ListsWhatThereIsWhateverTheRoom) {
  const auto all = List("/proc", 1000);
  for (std::string_view name : {".", "..", "1", "5", "self", "sys", "cpuinfo", "mounts", "stat"})
    EXPECT_TRUE(all.contains(std::string(name))) << name;
  EXPECT_FALSE(all.contains("7"));
  for (size_t room : {1, 2, 7}) EXPECT_EQ(List("/proc", room), all);
  const auto process = List("/proc/1", 3);
  for (std::string_view name : {"fd", "task", "ns", "net", "status", "mem"})
    EXPECT_TRUE(process.contains(std::string(name))) << name;
  EXPECT_EQ(List("/proc/1/task", 1), (std::set<std::string>{".", "..", "1", "7"}));
  EXPECT_FALSE(List("/proc/1/task/7", 5).contains("task"));
  EXPECT_EQ(List("/proc/1/fd", 5), (std::set<std::string>{".", "..", "3"}));
  EXPECT_TRUE(List("/proc/sys", 1).contains("kernel"));
  EXPECT_TRUE(List("/proc/sys/kernel/random", 1).contains("uuid"));
}

// Every name that is listed can be looked up, as what the listing says.
TEST_F(ProcFsTest, EveryNameIsThere) {
  for (std::string directory : {"/proc", "/proc/1", "/proc/1/task/7", "/proc/1/net", "/proc/1/ns",
                                "/proc/sys", "/proc/sys/kernel", "/proc/sys/vm"}) {
    for (const std::string& name : List(directory, 100))
      EXPECT_TRUE(Walk(Context(), directory + "/" + name, WalkFlags::kNoFollow).ok())
          << directory << "/" << name;
  }
}

TEST_F(ProcFsTest, Links) {
  EXPECT_EQ(Link("/proc/self"), "1");
  EXPECT_EQ(Link("/proc/thread-self"), "1/task/7");
  EXPECT_EQ(Link("/proc/mounts"), "self/mounts");
  EXPECT_EQ(Link("/proc/1/cwd"), "/");
  EXPECT_EQ(Link("/proc/1/fd/3"), "anon_inode:[eventfd]");
  EXPECT_EQ(Link("/proc/1/ns/uts"), "uts:[4026531838]");
  EXPECT_EQ(Link("/proc/1/fd/4"), "!ENOENT");
  EXPECT_EQ(Link("/proc/1/fd/03"), "!ENOENT");
  // A magic link leads to the place itself.
  EXPECT_TRUE(Walk(Context(), "/proc/1/root/proc/self/stat", WalkFlags::kNone).ok());
}

TEST_F(ProcFsTest, Formats) {
  EXPECT_EQ(Contents("/proc/1/cmdline"), std::string("sh\0-c\0", 6));
  EXPECT_EQ(Contents("/proc/1/comm"), "init\n");
  const std::string stat = Contents("/proc/1/stat");
  EXPECT_EQ(stat.substr(0, 24), "1 (init) S 0 1 1 0 -1 41");
  EXPECT_EQ(std::count(stat.begin(), stat.end(), ' '), 51);
  EXPECT_EQ(Contents("/proc/1/statm"), "256 128 0 0 0 0 0\n");
  const std::string status = Contents("/proc/7/status");
  EXPECT_EQ(status.substr(0, 24), "Name:\tinit\nUmask:\t0022\nS");
  EXPECT_NE(status.find("\nTgid:\t1\n"), status.npos);
  EXPECT_NE(status.find("\nPid:\t7\n"), status.npos);
  EXPECT_NE(status.find("\nVmSize:\t    1024 kB\n"), status.npos);
  const std::string limits = Contents("/proc/1/limits");
  EXPECT_NE(limits.find("Max open files            1024                 unlimited            "
                        "files     \n"),
            limits.npos);
  EXPECT_NE(Contents("/proc/stat").find("\nctxt 77\n"), std::string::npos);
  EXPECT_EQ(Contents("/proc/uptime").substr(0, 6), "12.34 ");
  EXPECT_EQ(Contents("/proc/loadavg").substr(0, 20), "3.00 0.25 0.01 1/3 5");
  EXPECT_EQ(Contents("/proc/sys/kernel/osrelease"), "6.6.0-zrun\n");
  EXPECT_EQ(Contents("/proc/mounts"), "ram / ramfs rw 0 0\nproc /proc proc rw,nosuid 0 0\n");
  EXPECT_NE(Contents("/proc/filesystems").find("nodev\ttmpfs\n"), std::string::npos);
  const std::string uuid = Contents("/proc/sys/kernel/random/uuid");
  EXPECT_EQ(uuid.size(), 37u);
  EXPECT_EQ(uuid[14], '4');
  EXPECT_NE(uuid, Contents("/proc/sys/kernel/random/uuid"));
  EXPECT_EQ(Contents("/proc/sys/kernel/random/boot_id"),
            Contents("/proc/sys/kernel/random/boot_id"));
  EXPECT_EQ(Contents("/proc/1/fdinfo/3").substr(0, 20), "pos:\t0\nflags:\t020000");
}

TEST_F(ProcFsTest, ReadsPieceByPiece) {
  auto file = OpenAt("/proc/1/status").value();
  const std::string whole = testing::ReadText(*file);
  ASSERT_TRUE(file->Seek(0, 0).ok());
  std::string pieces;
  for (std::string part; !(part = testing::ReadText(*file, 7)).empty();) pieces += part;
  EXPECT_EQ(pieces, whole);
  // From the start again: made anew.
  source_.name = TextBuffer<16>("changed");
  ASSERT_TRUE(file->Seek(0, 0).ok());
  EXPECT_EQ(testing::ReadText(*file).substr(0, 13), "Name:\tchanged");
}

TEST_F(ProcFsTest, Writes) {
  EXPECT_EQ(Store("/proc/sys/kernel/hostname", "other\n"), Errno{});
  EXPECT_EQ(Contents("/proc/sys/kernel/hostname"), "other\n");
  EXPECT_EQ(Store("/proc/1/oom_score_adj", "-17\n"), Errno{});
  EXPECT_EQ(Contents("/proc/1/oom_score_adj"), "-17\n");
  EXPECT_EQ(Store("/proc/1/oom_score_adj", "1001"), Errno::kEINVAL);
  EXPECT_EQ(Store("/proc/1/oom_score_adj", "x"), Errno::kEINVAL);
  EXPECT_EQ(Store("/proc/1/comm", "renamed"), Errno{});
  EXPECT_EQ(Contents("/proc/1/comm"), "renamed\n");
}

TEST_F(ProcFsTest, ProtectsWhatIsPrivate) {
  EXPECT_EQ(Contents("/proc/5/environ"), "!EACCES");
  EXPECT_EQ(Contents("/proc/5/maps"), "!EACCES");
  EXPECT_EQ(Link("/proc/5/exe"), "!EACCES");
  EXPECT_EQ(Link("/proc/5/fd/3"), "!EACCES");
  EXPECT_EQ(OpenAt("/proc/5/mem").error(), Errno::kEACCES);
  EXPECT_EQ(Contents("/proc/5/comm"), "init\n");
  credentials_->cap_effective = 0;
  credentials_->fsuid = 77;
  EXPECT_EQ(Contents("/proc/1/environ"), "!EACCES");  // mode 0400, another's
  EXPECT_EQ(OpenAt("/proc/1/fd", OpenFlags::kDirectory).error(), Errno::kEACCES);
}

TEST_F(ProcFsTest, NothingCanBeMade) {
  EXPECT_EQ(OpenAt("/proc/new", OpenFlags::kWriteOnly | OpenFlags::kCreate).error(),
            Errno::kENOENT);
  EXPECT_FALSE(MakeDirectory(Context(), "/proc/new", 0755).ok());
  EXPECT_FALSE(Unlink(Context(), "/proc/uptime").ok());
}

TEST_F(ProcFsTest, ProcessesComeAndGo) {
  auto file = OpenAt("/proc/5/comm").value();
  auto directory = OpenAt("/proc/5", OpenFlags::kDirectory).value();
  source_.processes.erase(5);
  EXPECT_EQ(testing::ReadText(*file), "!ESRCH");
  EXPECT_EQ(Contents("/proc/5/comm"), "!ENOENT");
  Names names(10);
  EXPECT_FALSE(List("/proc", 10).contains("5"));
  EXPECT_EQ(directory->ReadDirectory(names).error(), Errno::kENOENT);
}

}  // namespace
}  // namespace zrun::vfs
