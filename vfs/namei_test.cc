#include "vfs/namei.h"

#include "vfs/test_tree.h"

namespace zrun::vfs {
namespace {

using test::ErrorOf;
using test::Get;
using test::Tree;
using Names = std::vector<std::string>;

class Namei : public ::testing::Test {
 protected:
  Tree tree;
};

TEST_F(Namei, Walks) {
  tree.MakeDirectory("/a");
  tree.MakeDirectory("/a/b");
  tree.MakeFile("/a/b/f", "text");
  tree.MakeSymlink("/a/up", "../a/b");
  tree.MakeSymlink("/a/abs", "/a/b/f");
  tree.MakeSymlink("/a/slash", "b/");
  tree.MakeSymlink("/a/fslash", "b/f/");
  tree.MakeSymlink("/a/dangling", "nothing");
  tree.MakeSymlink("/loop", "loop");
  tree.MakeSymlink("/one", "/two");
  tree.MakeSymlink("/two", "one");
  const struct {
    std::string_view path;
    WalkFlags flags;
    std::string_view result;  // the place's name, or an error
  } kCases[] = {
      {"/", {}, "/"},
      {"", {}, "ENOENT"},
      {"", WalkFlags::kEmptyPath, "/"},
      {"a/b/f", {}, "/a/b/f"},
      {"//a///b//f", {}, "/a/b/f"},
      {"/a/./b/../b/f", {}, "/a/b/f"},
      {"/..", {}, "/"},
      {"../../a", {}, "/a"},
      {"/a/b/f/", {}, "ENOTDIR"},
      {"/a/b/f/.", {}, "ENOTDIR"},
      {"/a/b/f/..", {}, "ENOTDIR"},
      {"/a/b/", {}, "/a/b"},
      {"/a/up/f", {}, "/a/b/f"},
      {"/a/up", WalkFlags::kNoFollow, "/a/up"},
      {"/a/up/", WalkFlags::kNoFollow, "/a/b"},
      {"/a/abs", {}, "/a/b/f"},
      {"/a/abs/", {}, "ENOTDIR"},
      {"/a/slash", {}, "/a/b"},
      {"/a/slash/f", {}, "/a/b/f"},
      {"/a/fslash", {}, "ENOTDIR"},
      {"/a/dangling", {}, "ENOENT"},
      {"/a/dangling", WalkFlags::kNoFollow, "/a/dangling"},
      {"/none/x", {}, "ENOENT"},
      {"/a/b/f/x", {}, "ENOTDIR"},
      {"/loop", {}, "ELOOP"},
      {"/loop/x", {}, "ELOOP"},
      {"/one", {}, "ELOOP"},
      {"/a/b/f", WalkFlags::kDirectory, "ENOTDIR"},
      {"/a/up", WalkFlags::kNoSymlinks, "ELOOP"},
      {"/a/up", WalkFlags::kNoSymlinks | WalkFlags::kNoFollow, "/a/up"},
  };
  for (const auto& each : kCases) {
    const auto found = tree.Walk(each.path, each.flags);
    EXPECT_EQ(found.ok() ? tree.NameOf(found.value()) : ErrorOf(found), each.result) << each.path;
  }
  EXPECT_EQ(ErrorOf(tree.Walk("/" + std::string(256, 'x'))), "ENAMETOOLONG");
  EXPECT_EQ(ErrorOf(tree.Walk(std::string(4096, '/'))), "ENAMETOOLONG");
  EXPECT_EQ(ErrorOf(tree.Walk(std::string(4095, '/'))), "OK");
}

TEST_F(Namei, FollowsFortyLinks) {
  tree.MakeFile("/l0");
  for (int i = 1; i <= 41; i++)
    tree.MakeSymlink("/l" + std::to_string(i), "l" + std::to_string(i - 1));
  EXPECT_EQ(ErrorOf(tree.Walk("/l40")), "OK");
  EXPECT_EQ(ErrorOf(tree.Walk("/l41")), "ELOOP");
  // Links in the middle nest.
  tree.MakeDirectory("/d0");
  tree.MakeFile("/d0/f");
  for (int i = 1; i <= 30; i++)
    tree.MakeSymlink("/d" + std::to_string(i), "d" + std::to_string(i - 1) + "/.");
  EXPECT_EQ(tree.NameOf("/d30/f"), "/d0/f");
}

TEST_F(Namei, ScopesResolution) {
  tree.MakeDirectory("/jail");
  tree.MakeDirectory("/jail/in");
  tree.MakeFile("/out");
  tree.MakeFile("/jail/out");
  tree.MakeSymlink("/jail/abs", "/out");
  tree.MakeSymlink("/jail/up", "../out");
  tree.MakeSymlink("/jail/in/back", "../out");
  tree.cwd = Get(tree.Walk("/jail"));
  const struct {
    std::string_view path;
    WalkFlags flags;
    std::string_view result;
  } kCases[] = {
      {"in/..", WalkFlags::kBeneath, "/jail"},        {"..", WalkFlags::kBeneath, "EXDEV"},
      {"/out", WalkFlags::kBeneath, "EXDEV"},         {"abs", WalkFlags::kBeneath, "EXDEV"},
      {"up", WalkFlags::kBeneath, "EXDEV"},           {"in/back", WalkFlags::kBeneath, "/jail/out"},
      {"/out", WalkFlags::kInRoot, "/jail/out"},      {"abs", WalkFlags::kInRoot, "/jail/out"},
      {"../../out", WalkFlags::kInRoot, "/jail/out"},
  };
  for (const auto& each : kCases) {
    const auto found = tree.Walk(each.path, each.flags);
    EXPECT_EQ(found.ok() ? tree.NameOf(found.value()) : ErrorOf(found), each.result) << each.path;
  }
  // chroot.
  tree.root = tree.cwd;
  EXPECT_EQ(tree.NameOf("/../out"), "/out");
  EXPECT_EQ(tree.NameOf("abs"), "/out");
}

TEST_F(Namei, CrossesMounts) {
  tree.MakeDirectory("/m");
  tree.MakeDirectory("/m/hidden");
  tree.Mount("/m", Get(MountTmpfs("", "")));
  EXPECT_FALSE(tree.Exists("/m/hidden"));
  tree.MakeDirectory("/m/d");
  EXPECT_EQ(tree.NameOf("/m/d"), "/m/d");
  EXPECT_EQ(tree.NameOf("/m/.."), "/");
  EXPECT_EQ(tree.NameOf("/m/d/../../m"), "/m");
  EXPECT_EQ(ErrorOf(tree.Walk("/m/d", WalkFlags::kNoXdev)), "EXDEV");
  EXPECT_NE(tree.Stat("/").device, tree.Stat("/m").device);
  EXPECT_EQ(ErrorOf(tree.RemoveDirectory("/m")), "EBUSY");
  EXPECT_EQ(ErrorOf(tree.Rename("/m", "/n")), "EBUSY");
  tree.MakeFile("/f");
  EXPECT_EQ(ErrorOf(tree.Rename("/f", "/m/f")), "EXDEV");
  EXPECT_EQ(ErrorOf(tree.Link("/f", "/m/f")), "EXDEV");
  // A second one on top, and down again.
  tree.Mount("/m", Get(MountTmpfs("", "")));
  EXPECT_FALSE(tree.Exists("/m/d"));
  EXPECT_EQ(ErrorOf(tree.mounts->Detach(Get(tree.Walk("/m")), false)), "OK");
  EXPECT_TRUE(tree.Exists("/m/d"));
  {
    const Path busy = Get(tree.Walk("/m/d"));
    EXPECT_EQ(ErrorOf(tree.mounts->Detach(Get(tree.Walk("/m")), false)), "EBUSY");
    EXPECT_EQ(ErrorOf(tree.mounts->Detach(Get(tree.Walk("/m")), true)), "OK");
    EXPECT_EQ(tree.NameOf(busy), "(unreachable)/d");
  }
  EXPECT_TRUE(tree.Exists("/m/hidden"));
  EXPECT_EQ(ErrorOf(tree.mounts->Detach(Get(tree.Walk("/m")), false)), "EINVAL");
  EXPECT_EQ(ErrorOf(tree.mounts->Detach(Get(tree.Walk("/")), false)), "EBUSY");
}

TEST_F(Namei, MovesMounts) {
  tree.MakeDirectory("/a");
  tree.MakeDirectory("/b");
  tree.Mount("/a", Get(MountTmpfs("", "")));
  tree.MakeFile("/a/x");
  EXPECT_EQ(ErrorOf(tree.mounts->Move(Get(tree.Walk("/a")), Get(tree.Walk("/b")))), "OK");
  EXPECT_TRUE(tree.Exists("/b/x"));
  EXPECT_FALSE(tree.Exists("/a/x"));
  tree.MakeDirectory("/b/sub");
  EXPECT_EQ(ErrorOf(tree.mounts->Move(Get(tree.Walk("/b")), Get(tree.Walk("/b/sub")))), "ELOOP");
}

TEST_F(Namei, OpensWithFlags) {
  tree.MakeDirectory("/d");
  tree.MakeFile("/f", "text");
  tree.MakeSymlink("/link", "f");
  tree.MakeSymlink("/new", "/d/made");
  tree.MakeSymlink("/dlink", "d");
  using enum OpenFlags;
  const struct {
    std::string_view path;
    OpenFlags flags;
    std::string_view result;
  } kCases[] = {
      {"/f", kReadWrite, "OK"},
      {"/d", kReadOnly, "OK"},
      {"/d", kWriteOnly, "EISDIR"},
      {"/d", kCreate, "EISDIR"},
      {"/d", kCreate | kExclusive, "EEXIST"},
      {"/f", kCreate | kExclusive, "EEXIST"},
      {"/link", kCreate | kExclusive, "EEXIST"},
      {"/f", kDirectory, "ENOTDIR"},
      {"/f/", kReadOnly, "ENOTDIR"},
      {"/g/", kCreate, "EISDIR"},
      {"/none/g", kCreate, "ENOENT"},
      {"/f/g", kCreate, "ENOTDIR"},
      {"/link", kNoFollow, "ELOOP"},
      {"/link", kNoFollow | kDirectory, "ENOTDIR"},
      {"/link", kNoFollow | kPath, "OK"},
      {"/dlink", kDirectory, "OK"},
      {"/dlink", kDirectory | kNoFollow, "ENOTDIR"},
      {"/new", kWriteOnly | kCreate, "OK"},
      {"/d/made", kReadOnly, "OK"},
      {"/none", kReadOnly, "ENOENT"},
      {"", kReadOnly, "ENOENT"},
      {".", kCreate, "EISDIR"},
      {"/d", kTmpFile | kReadOnly, "EINVAL"},
      {"/d", kTmpFile | kReadWrite, "OK"},
      {"/f", kTmpFile | kReadWrite, "ENOTDIR"},
      {"/d", kCreate | kDirectory, "EINVAL"},
  };
  for (const auto& each : kCases)
    EXPECT_EQ(ErrorOf(tree.Open(each.path, each.flags)), each.result) << each.path;
  EXPECT_EQ(tree.Read("/f"), "text");
  Get(tree.Open("/f", kReadOnly | kTruncate));
  EXPECT_EQ(tree.Read("/f"), "");
}

TEST_F(Namei, KeepsExecutablesAndWritersApart) {
  tree.MakeFile("/f", "text");
  auto vnode = Get(tree.Walk("/f")).vnode();
  {
    auto writer = Get(tree.Open("/f", OpenFlags::kWriteOnly));
    EXPECT_FALSE(vnode->AddExecutor());
  }
  EXPECT_TRUE(vnode->AddExecutor());
  EXPECT_EQ(ErrorOf(tree.Open("/f", OpenFlags::kWriteOnly)), "ETXTBSY");
  EXPECT_EQ(ErrorOf(tree.Open("/f", OpenFlags::kTruncate)), "ETXTBSY");
  EXPECT_EQ(ErrorOf(tree.Open("/f", OpenFlags::kReadOnly)), "OK");
  vnode->RemoveExecutor();
  EXPECT_EQ(ErrorOf(tree.Open("/f", OpenFlags::kWriteOnly)), "OK");
}

TEST_F(Namei, NamesUnnamedFiles) {
  tree.MakeDirectory("/d");
  auto file = Get(tree.Open("/d", OpenFlags::kTmpFile | OpenFlags::kReadWrite));
  Get(test::WriteText(*file, "hidden"));
  EXPECT_EQ(Get(vfs::Stat(file->path())).links, 0u);
  WalkContext from = tree.context();
  from.base = file->path();
  EXPECT_EQ(ErrorOf(MakeLink(from, "", tree.context(), "/d/named", WalkFlags::kEmptyPath)), "OK");
  EXPECT_EQ(tree.Read("/d/named"), "hidden");
  EXPECT_EQ(tree.Stat("/d/named").links, 1u);
  auto private_file =
      Get(tree.Open("/d", OpenFlags::kTmpFile | OpenFlags::kExclusive | OpenFlags::kReadWrite));
  from.base = private_file->path();
  EXPECT_EQ(ErrorOf(MakeLink(from, "", tree.context(), "/d/x", WalkFlags::kEmptyPath)), "ENOENT");
}

TEST_F(Namei, MakesAndRemovesNames) {
  tree.MakeDirectory("/d");
  tree.MakeFile("/f");
  tree.MakeSymlink("/l", "f");
  EXPECT_EQ(ErrorOf(MakeDirectory(tree.context(), "/d", 0755)), "EEXIST");
  EXPECT_EQ(ErrorOf(MakeDirectory(tree.context(), "/", 0755)), "EEXIST");
  EXPECT_EQ(ErrorOf(MakeDirectory(tree.context(), "/d/.", 0755)), "EEXIST");
  EXPECT_EQ(ErrorOf(MakeDirectory(tree.context(), "/l", 0755)), "EEXIST");
  EXPECT_EQ(ErrorOf(MakeDirectory(tree.context(), "/none/x", 0755)), "ENOENT");
  EXPECT_EQ(ErrorOf(MakeDirectory(tree.context(), "/e/", 0755)), "OK");
  EXPECT_EQ(ErrorOf(MakeSymlink(tree.context(), "", "/s")), "ENOENT");
  EXPECT_EQ(ErrorOf(MakeSymlink(tree.context(), "t", "/s/")), "ENOENT");
  EXPECT_EQ(ErrorOf(MakeNode(tree.context(), "/fifo", kModeFifo | 0600, 0)), "OK");
  EXPECT_EQ(ErrorOf(MakeNode(tree.context(), "/dir", kModeDirectory | 0600, 0)), "EPERM");
  EXPECT_EQ(tree.Stat("/fifo").mode, kModeFifo | 0600);

  EXPECT_EQ(ErrorOf(tree.Unlink("/d")), "EISDIR");
  EXPECT_EQ(ErrorOf(tree.Unlink("/f/")), "ENOTDIR");
  EXPECT_EQ(ErrorOf(tree.Unlink("/none")), "ENOENT");
  EXPECT_EQ(ErrorOf(tree.Unlink("/")), "EISDIR");
  EXPECT_EQ(ErrorOf(tree.Unlink("/l")), "OK");
  EXPECT_TRUE(tree.Exists("/f"));
  EXPECT_EQ(ErrorOf(tree.RemoveDirectory("/f")), "ENOTDIR");
  EXPECT_EQ(ErrorOf(tree.RemoveDirectory("/d/.")), "EINVAL");
  EXPECT_EQ(ErrorOf(tree.RemoveDirectory("/d/..")), "ENOTEMPTY");
  EXPECT_EQ(ErrorOf(tree.RemoveDirectory("/")), "EBUSY");
  tree.MakeFile("/d/x");
  EXPECT_EQ(ErrorOf(tree.RemoveDirectory("/d")), "ENOTEMPTY");
  EXPECT_EQ(ErrorOf(tree.Unlink("/d/x")), "OK");
  tree.cwd = Get(tree.Walk("/d"));
  EXPECT_EQ(ErrorOf(tree.RemoveDirectory("/d")), "OK");
  EXPECT_EQ(ErrorOf(tree.Open("x", OpenFlags::kCreate)), "ENOENT");
  EXPECT_EQ(ErrorOf(tree.Walk("x")), "ENOENT");
  EXPECT_EQ(tree.NameOf(tree.cwd), "/d (deleted)");
  EXPECT_EQ(tree.NameOf(".."), "/");
}

TEST_F(Namei, LinksFiles) {
  tree.MakeDirectory("/d");
  tree.MakeFile("/f", "one");
  tree.MakeSymlink("/l", "f");
  EXPECT_EQ(ErrorOf(tree.Link("/f", "/g")), "OK");
  EXPECT_EQ(tree.Stat("/f").links, 2u);
  EXPECT_EQ(tree.Stat("/f").inode, tree.Stat("/g").inode);
  EXPECT_EQ(ErrorOf(tree.Link("/f", "/g")), "EEXIST");
  EXPECT_EQ(ErrorOf(tree.Link("/d", "/e")), "EPERM");
  EXPECT_EQ(ErrorOf(tree.Link("/l", "/l2")), "OK");
  EXPECT_EQ(tree.Stat("/l2").mode & kModeTypeMask, kModeSymlink);
  EXPECT_EQ(ErrorOf(MakeLink(tree.context(), "/l", tree.context(), "/l3", WalkFlags::kNone)), "OK");
  EXPECT_EQ(tree.Stat("/l3").mode & kModeTypeMask, kModeRegular);
  EXPECT_EQ(tree.Stat("/f").links, 3u);
  EXPECT_EQ(ErrorOf(tree.Unlink("/f")), "OK");
  EXPECT_EQ(tree.Read("/g"), "one");
}

TEST_F(Namei, NamesManyFilesAndForgetsThem) {
  // More than the cache keeps.
  tree.MakeDirectory("/many");
  for (int i = 0; i < 40000; i++) {
    const std::string path =
        "/many/file-with-a-rather-long-name-so-that-it-is-allocated-" + std::to_string(i);
    ASSERT_EQ(ErrorOf(MakeNode(tree.context(), path, kModeRegular | 0600, 0)), "OK");
  }
  EXPECT_EQ(tree.List("/many").size(), 40002u);
  for (int i = 0; i < 40000; i += 1000) {
    EXPECT_TRUE(tree.Exists("/many/file-with-a-rather-long-name-so-that-it-is-allocated-" +
                            std::to_string(i)));
  }
  Dentry::ShrinkCache();
  EXPECT_TRUE(tree.Exists("/many/file-with-a-rather-long-name-so-that-it-is-allocated-777"));
}

TEST_F(Namei, DropsDeepTrees) {
  std::string path;
  Path deep = tree.root;
  for (int i = 0; i < 20000; i++) {
    tree.cwd = deep;
    tree.MakeDirectory("d");
    deep = Get(tree.Walk("d"));
  }
  tree.cwd = deep;
  const auto name = vfs::NameOf(deep, tree.root, *tree.mounts);
  EXPECT_EQ(ErrorOf(name), "ENAMETOOLONG");
}

}  // namespace
}  // namespace zrun::vfs
