#include "vfs/hostfs/hostfs.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include "vfs/file_locks.h"
#include "vfs/inotify.h"
#include "vfs/test_tree.h"

namespace zrun::vfs {
namespace {

namespace fs = std::filesystem;
using test::ErrorOf;
using test::Get;
using test::Tree;
using enum OpenFlags;
using Names = std::vector<std::string>;

class HostFs : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/hostfs-test-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory = name;
    Put("f", "host");
    fs::create_directory(directory / "d");
    Mount(false);
  }
  void Mount(bool read_only) {
    tree.reset();
    hal::fake::RemoveVolumes();
    hal::fake::AddVolume(directory.string(), "/shared", read_only);
    hal::HostVolume volume;
    ASSERT_TRUE(hal::GetHostVolume(0, volume));
    tree.emplace();
    tree->MakeDirectory("/shared");
    tree->Mount("/shared", Get(MountHostVolume(volume)));
    tree->cwd = Get(tree->Walk("/shared"));
  }
  void TearDown() override {
    tree.reset();
    hal::fake::RemoveVolumes();
    fs::remove_all(directory);
  }
  void Put(const std::string& name, std::string_view text) {
    std::ofstream(directory / name, std::ios::binary) << text;
  }
  std::string Host(const std::string& name) {
    std::ifstream file(directory / name, std::ios::binary);
    return {(std::istreambuf_iterator<char>(file)), {}};
  }
  fs::path directory;
  std::optional<Tree> tree;
};

TEST_F(HostFs, SharesFiles) {
  EXPECT_EQ(tree->Read("f"), "host");
  EXPECT_EQ(tree->List("."), (Names{".", "..", "d", "f"}));
  tree->MakeFile("made", "by the guest", 0751);
  EXPECT_EQ(Host("made"), "by the guest");
  auto file = Get(tree->Open("made", kWriteOnly | kAppend));
  Get(test::WriteText(*file, "!"));
  EXPECT_EQ(Host("made"), "by the guest!");
  EXPECT_EQ(ErrorOf(file->Truncate(2)), "OK");
  EXPECT_EQ(Host("made"), "by");
  EXPECT_EQ(ErrorOf(file->Sync(false)), "OK");
  EXPECT_EQ(tree->Stat("made").mode, kModeRegular | 0751);
  EXPECT_EQ(ErrorOf(ChangeMode(*tree->as, Get(tree->Walk("made")), 0600)), "OK");
  struct stat host;
  ASSERT_EQ(stat((directory / "made").c_str(), &host), 0);
  EXPECT_EQ(host.st_mode & 07777, 0600u);
  const std::string large(300000, 'L');
  tree->MakeFile("large", large);
  EXPECT_EQ(Host("large"), large);
  EXPECT_EQ(tree->Read("large"), large);
}

TEST_F(HostFs, ChangesNames) {
  tree->MakeDirectory("new");
  tree->MakeSymlink("new/link", "../f");
  EXPECT_EQ(tree->Read("new/link"), "host");
  EXPECT_EQ(fs::read_symlink(directory / "new/link").string(), "../f");
  EXPECT_EQ(ErrorOf(tree->Link("f", "new/hard")), "OK");
  EXPECT_EQ(tree->Stat("f").links, 2u);
  EXPECT_EQ(ErrorOf(tree->Rename("f", "d/g")), "OK");
  EXPECT_EQ(Host("d/g"), "host");
  EXPECT_FALSE(tree->Exists("f"));
  EXPECT_EQ(ErrorOf(tree->RemoveDirectory("new")), "ENOTEMPTY");
  EXPECT_EQ(ErrorOf(tree->Unlink("new/hard")), "OK");
  EXPECT_EQ(ErrorOf(tree->Unlink("new/link")), "OK");
  EXPECT_EQ(ErrorOf(tree->RemoveDirectory("new")), "OK");
  EXPECT_EQ(ErrorOf(tree->Rename("d", "d/x")), "EINVAL");
  auto inside = Get(tree->Walk("d"));
  EXPECT_EQ(ErrorOf(tree->Rename("d", "e")), "OK");
  EXPECT_EQ(tree->NameOf(inside), "/shared/e");
}

TEST_F(HostFs, SeesWhatTheHostDoes) {
  EXPECT_FALSE(tree->Exists("later"));
  Put("later", "now");
  EXPECT_EQ(tree->Read("later"), "now");
  fs::remove(directory / "later");
  EXPECT_FALSE(tree->Exists("later"));
  Put("later", "again");
  EXPECT_EQ(tree->Read("later"), "again");
  fs::rename(directory / "later", directory / "f");
  EXPECT_EQ(tree->Read("f"), "again");
  Put("f", "grown by the host");
  EXPECT_EQ(tree->Stat("f").size, 17u);
  EXPECT_EQ(tree->Read("f"), "grown by the host");
  // O_CREAT finds what somebody else has just made.
  EXPECT_FALSE(tree->Exists("raced"));
  Put("raced", "host's");
  EXPECT_EQ(ErrorOf(tree->Open("raced", kCreate | kExclusive)), "EEXIST");
  auto open = Get(tree->Open("raced", kReadOnly | kCreate));
  fs::remove(directory / "raced");
  EXPECT_EQ(test::ReadAll(*open), "host's");
}

TEST_F(HostFs, KeepsNamesOfQuietDirectories) {
  const timespec old[2] = {{1000, 0}, {1000, 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, (directory / "d").c_str(), old, 0), 0);
  usleep(150'000);  // until the change of the times itself is old
  EXPECT_FALSE(tree->Exists("d/x"));
  EXPECT_FALSE(tree->Exists("d/x"));
  Put("d/x", "there");
  EXPECT_EQ(tree->Read("d/x"), "there");
}

TEST_F(HostFs, IsReadOnlyWhenAsked) {
  Mount(true);
  EXPECT_EQ(tree->Read("f"), "host");
  EXPECT_EQ(ErrorOf(tree->Open("f", kWriteOnly)), "EROFS");
  EXPECT_EQ(ErrorOf(tree->Open("g", kCreate)), "EROFS");
  EXPECT_EQ(ErrorOf(tree->Unlink("f")), "EROFS");
}

TEST_F(HostFs, HoldsFewNodes) {
  for (int i = 0; i < 3000; i++) Put("d/" + std::to_string(i), "");
  for (int i = 0; i < 3000; i++) EXPECT_TRUE(tree->Exists("d/" + std::to_string(i)));
  EXPECT_LT(std::distance(fs::directory_iterator("/proc/self/fd"), {}), 700);
  EXPECT_EQ(tree->List("d").size(), 3002u);
}

// What other programs of the host see: an open file of the host's own stands for them.
class HostFsLocks : public HostFs {
 protected:
  void SetUp() override {
    HostFs::SetUp();
    host = open((directory / "f").c_str(), O_RDWR | O_CLOEXEC);
    file = Get(tree->Open("f", kReadWrite));
    locks = Get(file->path().vnode()->locks());
  }
  void TearDown() override {
    file = nullptr;
    close(host);
    HostFs::TearDown();
  }
  FileLock Lock(int owner, bool exclusive, uint64_t first, uint64_t last) {
    return {{FileLockOwner::Kind::kProcess, &owners[owner]}, exclusive, first, last, owner};
  }
  std::string Set(int owner, char kind, uint64_t first, uint64_t last) {
    const FileLock lock = Lock(owner, kind == 'w', first, last);
    return ErrorOf(kind == 'u' ? locks->Clear(lock) : locks->Set(lock));
  }
  std::string Flock(int owner, char kind) {
    const FileLock lock{{FileLockOwner::Kind::kFlock, &owners[owner]}, kind == 'w'};
    return ErrorOf(kind == 'u' ? locks->Clear(lock) : locks->Set(lock));
  }
  // What the host is kept from writing ('W': and from reading), byte by byte.
  std::string Map(off_t size) {
    std::string map;
    for (off_t at = 0; at < size; at++) {
      struct flock lock = {};
      lock.l_type = F_WRLCK, lock.l_start = at, lock.l_len = 1;
      EXPECT_EQ(fcntl(host, F_OFD_GETLK, &lock), 0);
      map += lock.l_type == F_UNLCK ? '.' : lock.l_type == F_RDLCK ? 'R' : 'W';
    }
    return map;
  }
  bool HostLock(short kind, off_t first, off_t size) {
    struct flock lock = {};
    lock.l_type = kind, lock.l_start = first, lock.l_len = size;
    return fcntl(host, F_OFD_SETLK, &lock) == 0;
  }
  bool HostFlock(int operation) { return flock(host, operation | LOCK_NB) == 0; }
  int host = -1;
  RefPtr<FileDescription> file;
  FileLocks* locks = nullptr;
  char owners[4];
};

TEST_F(HostFsLocks, HoldsWhatItsOwnersHoldTogether) {
  EXPECT_EQ(Set(0, 'r', 0, 5), "OK");
  EXPECT_EQ(Set(1, 'r', 3, 7), "OK");
  EXPECT_EQ(Map(10), "RRRRRRRR..");
  EXPECT_EQ(Set(1, 'w', 8, 8), "OK");  // now it must be open for writing
  EXPECT_EQ(Map(10), "RRRRRRRRW.");
  EXPECT_EQ(Set(0, 'u', 0, 9), "OK");
  EXPECT_EQ(Map(10), "...RRRRRW.");
  EXPECT_EQ(Set(1, 'w', 4, 5), "OK");
  EXPECT_EQ(Set(0, 'r', 3, 5), "EAGAIN");
  EXPECT_EQ(Map(10), "...RWWRRW.");
  EXPECT_EQ(Set(0, 'r', 2, 3), "OK");
  locks->ClearAll({FileLockOwner::Kind::kProcess, &owners[1]});
  EXPECT_EQ(Map(10), "..RR......");
  locks->ClearAll({FileLockOwner::Kind::kProcess, &owners[0]});
  EXPECT_EQ(Map(10), "..........");
}

TEST_F(HostFsLocks, AreKeptOutByTheHosts) {
  ASSERT_TRUE(HostLock(F_RDLCK, 0, 4));
  EXPECT_EQ(Set(0, 'w', 3, 3), "EAGAIN");
  EXPECT_EQ(Set(0, 'r', 3, 3), "OK");
  const auto conflict = Get(locks->FindConflict(Lock(1, true, 2, 9)));
  ASSERT_TRUE(conflict);
  EXPECT_EQ(conflict->process_id, 0);  // an owner's here comes first
  ASSERT_TRUE(HostLock(F_WRLCK, 5, 0));
  const auto outer = Get(locks->FindConflict(Lock(0, false, 4, 9)));
  ASSERT_TRUE(outer);
  EXPECT_TRUE(outer->exclusive);
  EXPECT_EQ(outer->first, 5u);
  EXPECT_EQ(outer->last, FileLock::kToEnd);
  EXPECT_EQ(outer->process_id, -1);
  const auto wait =
      Get(locks->SetOrWait(*file->path().vnode(), Lock(0, false, 5, FileLock::kToEnd)));
  ASSERT_TRUE(wait);
  EXPECT_TRUE(wait->is_outer());
  ASSERT_TRUE(HostLock(F_UNLCK, 5, 0));
  EXPECT_FALSE(Get(locks->SetOrWait(*file->path().vnode(), Lock(0, false, 5, FileLock::kToEnd))));
  EXPECT_FALSE(HostLock(F_WRLCK, 9, 1));
}

TEST_F(HostFsLocks, OfWholeFiles) {
  EXPECT_EQ(Flock(0, 'r'), "OK");
  EXPECT_EQ(Flock(1, 'r'), "OK");
  EXPECT_EQ(Set(2, 'w', 0, 9), "OK");  // another family
  EXPECT_TRUE(HostFlock(LOCK_SH));
  EXPECT_EQ(Flock(1, 'u'), "OK");
  EXPECT_FALSE(HostFlock(LOCK_EX));  // which gives up the shared one
  EXPECT_TRUE(HostFlock(LOCK_SH));
  EXPECT_EQ(Flock(0, 'w'), "EAGAIN");
  EXPECT_TRUE(HostFlock(LOCK_EX));  // because |0| has lost its own
  EXPECT_EQ(Flock(0, 'r'), "EAGAIN");
  EXPECT_TRUE(HostFlock(LOCK_UN));
  EXPECT_EQ(Flock(0, 'w'), "OK");
  EXPECT_FALSE(HostFlock(LOCK_SH));
}

TEST_F(HostFsLocks, GoWithTheOpenFile) {
  EXPECT_EQ(Flock(0, 'w'), "OK");
  EXPECT_EQ(Set(0, 'w', 0, 9), "OK");
  file = nullptr;
  EXPECT_TRUE(HostFlock(LOCK_EX));
  EXPECT_EQ(Map(10), "..........");
}

class HostWatched : public HostFs {
 protected:
  void SetUp() override {
    HostFs::SetUp();
    inotify = Get(CreateInotify({}, 0));
    handle.emplace(inotify, Rights::kNone);
  }
  void TearDown() override {
    handle.reset();
    inotify = nullptr;
    HostFs::TearDown();
  }
  void Watch(std::string_view path) {
    EXPECT_TRUE(InotifyAddWatch(*inotify, Get(tree->Walk(path)), kChanges).ok());
  }
  // "watch:mask:name " for each event there is.
  std::string Events() {
    DeliverHostChanges();
    std::array<std::byte, 4096> bytes;
    SpanSink sink(bytes);
    const auto size = inotify->Read(sink);
    std::string text;
    for (size_t at = 0; size.ok() && at < size.value();) {
      uint32_t header[4];
      memcpy(header, &bytes[at], sizeof header);
      char line[64];
      snprintf(line, sizeof line, "%d:%x:", int(header[0]), header[1]);
      text += line;
      if (header[3] > 0) text += reinterpret_cast<const char*>(&bytes[at + sizeof header]);
      text += ' ';
      at += sizeof header + header[3];
    }
    return text;
  }
  static constexpr uint32_t kChanges = 0xfce;  // all but kAccess, kOpen, kCloseNoWrite
  RefPtr<FileDescription> inotify;
  std::optional<Handle> handle;
};

TEST_F(HostWatched, OthersChangesAreTold) {
  Watch(".");
  Put("new", "x");
  EXPECT_EQ(Events(), "1:100:new 1:2:new 1:8:new ");
  fs::rename(directory / "new", directory / "d" / "old");
  EXPECT_EQ(Events(), "1:40:new ");
  fs::create_directory(directory / "e");
  fs::permissions(directory / "f", fs::perms::owner_all);
  fs::remove(directory / "f");
  EXPECT_EQ(Events(), "1:40000100:e 1:4:f 1:200:f ");
}

TEST_F(HostWatched, RemovedFilesEndTheirWatches) {
  Watch("f");
  fs::remove(directory / "f");
  EXPECT_EQ(Events(), "1:4: 1:400: 1:8000: ");
  Put("f", "another");
  EXPECT_EQ(Events(), "");
}

TEST_F(HostWatched, RemovedDirectoriesEndTheirWatches) {
  Watch("d");
  Put("d/f", "");
  fs::remove_all(directory / "d");
  EXPECT_EQ(Events(), "1:100:f 1:8:f 1:200:f 1:400: 1:8000: ");
  // The one above was watched for its sake only.
  Put("new", "");
  EXPECT_EQ(Events(), "");
}

TEST_F(HostWatched, OwnChangesAreToldOnce) {
  Watch(".");
  Watch("f");
  tree->MakeFile("new", "x");
  EXPECT_EQ(Events(), "1:100:new 1:2:new 1:8:new ");
  {
    auto file = Get(tree->Open("f", kReadWrite));
    const Handle open(file, Rights::kNone);
    Get(test::WriteText(*file, "ab"));
    EXPECT_EQ(ErrorOf(file->Truncate(1)), "OK");
    EXPECT_EQ(Events(), "1:2:f 2:2: 1:2:f 2:2: ");
  }
  EXPECT_EQ(ErrorOf(ChangeMode(*tree->as, Get(tree->Walk("f")), 0600)), "OK");
  tree->MakeDirectory("e");
  EXPECT_EQ(Events(), "1:8:f 2:8: 1:4:f 2:4: 1:40000100:e ");
  EXPECT_EQ(ErrorOf(tree->Rename("f", "g")), "OK");
  EXPECT_EQ(Events(), "1:40:f 1:80:g 2:800: ");
  // Where it is now is known, too.
  EXPECT_EQ(ErrorOf(ChangeMode(*tree->as, Get(tree->Walk("g")), 0644)), "OK");
  EXPECT_EQ(Events(), "1:4:g 2:4: ");
  EXPECT_EQ(ErrorOf(tree->Unlink("new")), "OK");
  EXPECT_EQ(Events(), "1:200:new ");
  // Others' in between are theirs.
  Put("theirs", "");
  tree->MakeFile("ours");
  EXPECT_EQ(Events(), "1:100:theirs 1:8:theirs 1:100:ours 1:8:ours ");
}

TEST_F(HostWatched, NobodyIsToldWhenNobodyWatches) {
  Watch(".");
  EXPECT_EQ(ErrorOf(InotifyRemoveWatch(*inotify, 1)), "OK");
  EXPECT_EQ(Events(), "1:8000: ");
  Put("new", "x");
  EXPECT_EQ(Events(), "");
}

}  // namespace
}  // namespace zrun::vfs
