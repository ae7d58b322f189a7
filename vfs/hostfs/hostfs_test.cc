#include "vfs/hostfs/hostfs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

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

}  // namespace
}  // namespace zrun::vfs
