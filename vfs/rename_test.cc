#include "vfs/test_tree.h"

namespace zrun::vfs {
namespace {

using test::ErrorOf;
using test::Get;
using test::Tree;

constexpr uint32_t kNoReplace = 1, kExchange = 2, kWhiteout = 4;

void Populate(Tree& tree) {
  tree.MakeDirectory("/empty");
  tree.MakeDirectory("/full");
  tree.MakeFile("/full/in", "in");
  tree.MakeDirectory("/full/sub");
  tree.MakeFile("/f", "f");
  tree.MakeFile("/g", "g");
  tree.MakeSymlink("/l", "f");
  static_cast<void>(tree.Link("/f", "/hard"));
}

struct Case {
  std::string_view from, to;
  uint32_t flags;
  std::string_view result;
};

TEST(Rename, Matrix) {
  const Case kCases[] = {
      {"/f", "/new", 0, "OK"},
      {"/f", "/g", 0, "OK"},
      {"/f", "/f", 0, "OK"},
      {"/f", "/hard", 0, "OK"},
      {"/none", "/new", 0, "ENOENT"},
      {"/none", "/g", 0, "ENOENT"},
      {"/f", "/none/x", 0, "ENOENT"},
      {"/f", "/g/x", 0, "ENOTDIR"},
      {"/f", "/empty", 0, "EISDIR"},
      {"/empty", "/f", 0, "ENOTDIR"},
      {"/full", "/empty", 0, "OK"},
      {"/empty", "/full", 0, "ENOTEMPTY"},
      {"/full", "/full/sub/x", 0, "EINVAL"},
      {"/full", "/full/x", 0, "EINVAL"},
      {"/full/sub", "/full", 0, "ENOTEMPTY"},
      {"/full/in", "/full", 0, "ENOTEMPTY"},
      {"/f", "/new/", 0, "ENOTDIR"},
      {"/f/", "/new", 0, "ENOTDIR"},
      {"/empty/", "/new/", 0, "OK"},
      {"/empty/.", "/new", 0, "EBUSY"},
      {"/empty/..", "/new", 0, "EBUSY"},
      {"/f", "/empty/.", 0, "EBUSY"},
      {"/", "/new", 0, "EBUSY"},
      {"/l", "/new", 0, "OK"},
      {"/l", "/f", 0, "OK"},
      {"/f", "/g", kNoReplace, "EEXIST"},
      {"/f", "/new", kNoReplace, "OK"},
      {"/f", "/hard", kNoReplace, "EEXIST"},
      {"/f", "/empty/.", kNoReplace, "EEXIST"},
      {"/f", "/new", kExchange, "ENOENT"},
      {"/f", "/full", kExchange, "OK"},
      {"/full/sub", "/f", kExchange, "OK"},
      {"/full", "/full/sub", kExchange, "EINVAL"},
      {"/full/sub", "/full", kExchange, "EINVAL"},
      {"/f", "/new", kNoReplace | kExchange, "EINVAL"},
      {"/f", "/new", 8, "EINVAL"},
      {"/f", "/new", kWhiteout, "OK"},
  };
  for (const Case& each : kCases) {
    Tree tree;
    Populate(tree);
    EXPECT_EQ(ErrorOf(tree.Rename(each.from, each.to, each.flags)), each.result)
        << each.from << " -> " << each.to << " " << each.flags;
  }
}

TEST(Rename, MovesTheFile) {
  Tree tree;
  Populate(tree);
  const uint64_t inode = tree.Stat("/f").inode;
  auto file = Get(tree.Open("/f", OpenFlags::kReadOnly));
  EXPECT_EQ(ErrorOf(tree.Rename("/f", "/full/moved")), "OK");
  EXPECT_FALSE(tree.Exists("/f"));
  EXPECT_EQ(tree.Stat("/full/moved").inode, inode);
  EXPECT_EQ(tree.NameOf(file->path()), "/full/moved");
  EXPECT_EQ(tree.Stat("/hard").links, 2u);
  // Names of one file: nothing happens.
  EXPECT_EQ(ErrorOf(tree.Rename("/full/moved", "/hard")), "OK");
  EXPECT_TRUE(tree.Exists("/full/moved"));
  // Over another file.
  auto replaced = Get(tree.Open("/g", OpenFlags::kReadOnly));
  EXPECT_EQ(ErrorOf(tree.Rename("/full/moved", "/g")), "OK");
  EXPECT_EQ(tree.Read("/g"), "f");
  EXPECT_EQ(test::ReadAll(*replaced), "g");
  EXPECT_EQ(Get(Stat(replaced->path())).links, 0u);
  EXPECT_EQ(tree.NameOf(replaced->path()), "/g (deleted)");
}

TEST(Rename, MovesDirectories) {
  Tree tree;
  Populate(tree);
  const uint32_t root_links = tree.Stat("/").links;
  tree.cwd = Get(tree.Walk("/full/sub"));
  EXPECT_EQ(ErrorOf(tree.Rename("/full", "/empty/full")), "OK");
  EXPECT_EQ(tree.NameOf(tree.cwd), "/empty/full/sub");
  EXPECT_EQ(tree.NameOf("../.."), "/empty");
  EXPECT_EQ(tree.Stat("/").links, root_links - 1);
  EXPECT_EQ(tree.Stat("/empty").links, 3u);
  EXPECT_EQ(tree.Read("/empty/full/in"), "in");
  EXPECT_FALSE(tree.Exists("/full"));
}

TEST(Rename, Exchanges) {
  Tree tree;
  Populate(tree);
  EXPECT_EQ(ErrorOf(tree.Rename("/f", "/full/sub", kExchange)), "OK");
  EXPECT_EQ(tree.Read("/full/sub"), "f");
  EXPECT_EQ(tree.Stat("/f").mode & kModeTypeMask, kModeDirectory);
  EXPECT_EQ(tree.Stat("/full").links, 2u);
  tree.MakeFile("/f/below", "deep");
  EXPECT_EQ(tree.NameOf("/f/below"), "/f/below");
  EXPECT_EQ(ErrorOf(tree.Rename("/f/below", "/f/below")), "OK");
}

TEST(Rename, LeavesWhiteout) {
  Tree tree;
  Populate(tree);
  EXPECT_EQ(ErrorOf(tree.Rename("/f", "/new", kWhiteout)), "OK");
  const Attributes whiteout = tree.Stat("/f");
  EXPECT_EQ(whiteout.mode & kModeTypeMask, kModeChar);
  EXPECT_EQ(whiteout.rdev, 0u);
}

TEST(Rename, ChecksPermissions) {
  Tree tree;
  Populate(tree);
  tree.MakeDirectory("/open", 0777);
  Get(tree.Walk("/open"));
  EXPECT_EQ(ErrorOf(ChangeMode(*tree.as, Get(tree.Walk("/open")), 01777)), "OK");
  tree.MakeFile("/open/roots");
  tree.MakeDirectory("/own", 0777);
  EXPECT_EQ(ErrorOf(ChangeMode(*tree.as, Get(tree.Walk("/own")), 0777)), "OK");
  tree.as = test::UserCredentials(1000);
  tree.MakeFile("/open/mine");
  tree.MakeDirectory("/own/dir");
  EXPECT_EQ(ErrorOf(tree.Rename("/open/mine", "/open/renamed")), "OK");
  EXPECT_EQ(ErrorOf(tree.Rename("/open/roots", "/open/x")), "EPERM");
  EXPECT_EQ(ErrorOf(tree.Rename("/open/renamed", "/open/roots")), "EPERM");
  EXPECT_EQ(ErrorOf(tree.Rename("/open/renamed", "/x")), "EACCES");
  EXPECT_EQ(ErrorOf(tree.Rename("/f", "/own/f")), "EACCES");
  EXPECT_EQ(ErrorOf(tree.Rename("/open/renamed", "/own/y", kWhiteout)), "EPERM");
  // ".." of a directory that moves has to be writable.
  EXPECT_EQ(ErrorOf(ChangeMode(*tree.as, Get(tree.Walk("/own/dir")), 0555)), "OK");
  EXPECT_EQ(ErrorOf(tree.Rename("/own/dir", "/own/dir2")), "OK");
  EXPECT_EQ(ErrorOf(tree.Rename("/own/dir2", "/open/dir")), "EACCES");
}

}  // namespace
}  // namespace zrun::vfs
