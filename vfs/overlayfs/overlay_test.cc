#include "vfs/overlayfs/overlay.h"

#include <optional>

#include "vfs/leases.h"
#include "vfs/test_tree.h"

namespace zrun::vfs {
namespace {

using test::ErrorOf;
using test::Get;
using test::Tree;
using enum OpenFlags;
using Names = std::vector<std::string>;

// Trees below are made as tmpfs file systems and then only read.
class Overlay : public ::testing::Test {
 protected:
  Overlay() : lower(Get(MountTmpfs("", "mode=755,nr_inodes=0"))), below(lower) {
    below.MakeDirectory("/dir", 0750);
    below.MakeFile("/dir/a", "lower a");
    below.MakeFile("/dir/b", "lower b");
    below.MakeDirectory("/dir/sub");
    below.MakeFile("/dir/sub/deep", "deep");
    below.MakeFile("/file", "lower file", 0644);
    static_cast<void>(below.Link("/file", "/hard"));
    below.MakeSymlink("/link", "dir/a");
    below.MakeFile("/big", std::string(100000, 'b'));
    std::vector<RefPtr<FileSystem>> lowers{lower};
    tree.emplace(Get(MountOverlay(lowers, "")));
  }
  // What was there must still be there.
  ~Overlay() override {
    EXPECT_EQ(below.Read("/dir/a"), "lower a");
    EXPECT_EQ(below.Read("/file"), "lower file");
    EXPECT_EQ(below.Read("/dir/sub/deep"), "deep");
    EXPECT_EQ(below.List("/dir"), (Names{".", "..", "a", "b", "sub"}));
  }
  void Forget() { Dentry::ShrinkCache(); }
  RefPtr<FileSystem> lower;
  Tree below;
  std::optional<Tree> tree;
};

TEST_F(Overlay, ShowsWhatIsBelow) {
  EXPECT_EQ(tree->Read("/dir/a"), "lower a");
  EXPECT_EQ(tree->Read("/link"), "lower a");
  EXPECT_EQ(tree->List("/dir"), (Names{".", "..", "a", "b", "sub"}));
  EXPECT_EQ(tree->Stat("/dir").mode, kModeDirectory | 0750);
  EXPECT_EQ(tree->Stat("/file").links, 2u);
  EXPECT_EQ(tree->Stat("/file").inode, tree->Stat("/hard").inode);
  // Nothing stands between a mapping and the file below.
  EXPECT_EQ(Get(tree->Walk("/file")).vnode()->Contents().value(),
            Get(below.Walk("/file")).vnode()->Contents().value());
  EXPECT_EQ(Get(tree->root.mount->file_system().GetStatFs()).type, 0x794c7630u);
}

TEST_F(Overlay, CopiesUpOnWrite) {
  const uint64_t inode = tree->Stat("/file").inode;
  auto reader = Get(tree->Open("/file", kReadOnly));
  auto mapped = Get(reader->Mmap());
  auto writer = Get(tree->Open("/file", kReadWrite));
  Get(test::WriteText(*writer, "UPPER"));
  EXPECT_EQ(tree->Read("/file"), "UPPER file");
  EXPECT_EQ(tree->Read("/hard"), "UPPER file");
  EXPECT_EQ(tree->Stat("/file").inode, inode);
  EXPECT_EQ(test::ReadAll(*reader), "UPPER file");
  std::byte bytes[5];
  Get(mapped->Read(0, bytes));
  EXPECT_EQ(bytes[0], std::byte{'l'});  // a mapping made before stays with the old pages
  writer = nullptr;
  reader = nullptr;
  Forget();
  EXPECT_EQ(tree->Read("/file"), "UPPER file");
  auto appender = Get(tree->Open("/dir/a", kWriteOnly | kAppend));
  Get(test::WriteText(*appender, "+"));
  EXPECT_EQ(tree->Read("/dir/a"), "lower a+");
  Get(tree->Open("/big", kWriteOnly | kTruncate));
  EXPECT_EQ(tree->Stat("/big").size, 0u);
  RefPtr<LeaseWait> wait;
  EXPECT_EQ(ErrorOf(TruncatePath(*tree->as, Get(tree->Walk("/dir/b")), 5, wait)), "OK");
  EXPECT_EQ(tree->Read("/dir/b"), "lower");
}

TEST_F(Overlay, KeepsChangedAttributes) {
  EXPECT_EQ(ErrorOf(ChangeMode(*tree->as, Get(tree->Walk("/file")), 0600)), "OK");
  EXPECT_EQ(ErrorOf(ChangeOwner(*tree->as, Get(tree->Walk("/dir")), 5, 6)), "OK");
  std::byte value[1] = {std::byte{'v'}};
  EXPECT_EQ(ErrorOf(SetXattr(*tree->as, Get(tree->Walk("/dir/a")), "user.x", value, 0)), "OK");
  Forget();
  EXPECT_EQ(tree->Stat("/hard").mode, kModeRegular | 0600);
  EXPECT_EQ(tree->Stat("/dir").uid, 5u);
  EXPECT_EQ(Get(GetXattr(*tree->as, Get(tree->Walk("/dir/a")), "user.x", {})), 1u);
  EXPECT_EQ(tree->Read("/file"), "lower file");
  EXPECT_EQ(below.Stat("/file").mode, kModeRegular | 0644);
}

TEST_F(Overlay, RemovesAndMakesAgain) {
  EXPECT_EQ(ErrorOf(tree->RemoveDirectory("/dir")), "ENOTEMPTY");
  EXPECT_EQ(ErrorOf(tree->Unlink("/dir/a")), "OK");
  Forget();
  EXPECT_FALSE(tree->Exists("/dir/a"));
  EXPECT_EQ(tree->List("/dir"), (Names{".", "..", "b", "sub"}));
  tree->MakeFile("/dir/a", "new a");
  EXPECT_EQ(tree->List("/dir"), (Names{".", "..", "a", "b", "sub"}));
  EXPECT_EQ(ErrorOf(tree->Unlink("/dir/a")), "OK");
  EXPECT_FALSE(tree->Exists("/dir/a"));
  EXPECT_EQ(ErrorOf(tree->Unlink("/dir/b")), "OK");
  EXPECT_EQ(ErrorOf(tree->Unlink("/dir/sub/deep")), "OK");
  EXPECT_EQ(ErrorOf(tree->RemoveDirectory("/dir/sub")), "OK");
  const uint32_t links = tree->Stat("/").links;
  EXPECT_EQ(ErrorOf(tree->RemoveDirectory("/dir")), "OK");
  EXPECT_EQ(tree->Stat("/").links, links - 1);
  Forget();
  EXPECT_FALSE(tree->Exists("/dir"));
  // A new directory in the place of an old one shows nothing of it.
  tree->MakeDirectory("/dir");
  EXPECT_EQ(tree->List("/dir"), (Names{".", ".."}));
  EXPECT_EQ(ErrorOf(tree->RemoveDirectory("/dir")), "OK");
}

TEST_F(Overlay, CountsLinksOfLowerFiles) {
  EXPECT_EQ(ErrorOf(tree->Unlink("/file")), "OK");
  Forget();
  EXPECT_EQ(tree->Stat("/hard").links, 1u);
  EXPECT_EQ(ErrorOf(tree->Link("/hard", "/dir/more")), "OK");
  EXPECT_EQ(tree->Stat("/hard").links, 2u);
  Forget();
  EXPECT_EQ(tree->Stat("/dir/more").inode, tree->Stat("/hard").inode);
  EXPECT_EQ(ErrorOf(tree->Unlink("/hard")), "OK");
  EXPECT_EQ(tree->Read("/dir/more"), "lower file");
}

TEST_F(Overlay, RenamesDirectoriesOfBelow) {
  const uint64_t inode = tree->Stat("/dir").inode;
  EXPECT_EQ(ErrorOf(tree->Rename("/dir", "/moved")), "OK");
  Forget();
  EXPECT_FALSE(tree->Exists("/dir"));
  EXPECT_EQ(tree->Stat("/moved").inode, inode);
  EXPECT_EQ(tree->List("/moved"), (Names{".", "..", "a", "b", "sub"}));
  EXPECT_EQ(tree->Read("/moved/sub/deep"), "deep");
  EXPECT_EQ(tree->NameOf("/moved/sub"), "/moved/sub");
  tree->MakeDirectory("/dir");
  EXPECT_EQ(tree->List("/dir"), (Names{".", ".."}));
  EXPECT_EQ(ErrorOf(tree->Rename("/moved/sub", "/dir/sub")), "OK");
  EXPECT_EQ(tree->Read("/dir/sub/deep"), "deep");
  EXPECT_EQ(tree->List("/moved"), (Names{".", "..", "a", "b"}));
  EXPECT_EQ(ErrorOf(tree->Rename("/moved/a", "/moved/b")), "OK");
  EXPECT_EQ(tree->Read("/moved/b"), "lower a");
  EXPECT_EQ(ErrorOf(tree->Rename("/file", "/dir", 2)), "OK");
  EXPECT_EQ(tree->Read("/dir"), "lower file");
  EXPECT_EQ(tree->Read("/file/sub/deep"), "deep");
  EXPECT_EQ(ErrorOf(tree->Rename("/dir", "/x", 4)), "EINVAL");
  EXPECT_EQ(ErrorOf(MakeNode(tree->context(), "/w", kModeChar, 0)), "EPERM");
}

TEST_F(Overlay, ReadsDirectoriesPieceByPiece) {
  for (int i = 0; i < 50; i++) below.MakeFile("/dir/sub/" + std::to_string(i));
  for (int i = 0; i < 50; i += 2)
    EXPECT_EQ(ErrorOf(tree->Unlink("/dir/sub/" + std::to_string(i))), "OK");
  for (int i = 100; i < 120; i++) tree->MakeFile("/dir/sub/" + std::to_string(i));
  tree->MakeFile("/dir/sub/1", "changed");
  auto directory = Get(tree->Open("/dir/sub", kReadOnly | kDirectory));
  Names all;
  for (;;) {
    test::NameSink sink(3);
    ASSERT_EQ(ErrorOf(directory->ReadDirectory(sink)), "OK");
    if (sink.names.empty()) break;
    for (size_t i = 0; i < sink.names.size(); i++) {
      all.push_back(sink.names[i]);
      if (sink.names[i][0] != '.') {
        EXPECT_EQ(sink.inodes[i], tree->Stat("/dir/sub/" + sink.names[i]).inode);
      }
    }
  }
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::unique(all.begin(), all.end()), all.end());
  EXPECT_EQ(all.size(), 2u + 1 + 25 + 20);
  EXPECT_EQ(ErrorOf(directory->Seek(0, 0)), "OK");
}

TEST(OverlayLayers, Merges) {
  auto bottom_fs = Get(MountTmpfs("", "mode=755")), top_fs = Get(MountTmpfs("", "mode=755"));
  Tree bottom(bottom_fs), top(top_fs);
  bottom.MakeDirectory("/d");
  bottom.MakeFile("/d/both", "bottom");
  bottom.MakeFile("/d/only", "only bottom");
  bottom.MakeFile("/d/gone", "gone");
  bottom.MakeDirectory("/o");
  bottom.MakeFile("/o/hidden");
  bottom.MakeFile("/type", "file");
  top.MakeDirectory("/d", 0700);
  top.MakeFile("/d/both", "top");
  ASSERT_EQ(ErrorOf(MakeNode(top.context(), "/d/gone", kModeChar, 0)), "OK");
  top.MakeDirectory("/o");
  std::byte yes[1] = {std::byte{'y'}};
  ASSERT_EQ(ErrorOf(SetXattr(*top.as, Get(top.Walk("/o")), "trusted.overlay.opaque", yes, 0)),
            "OK");
  top.MakeDirectory("/type");
  std::vector<RefPtr<FileSystem>> lowers{top_fs, bottom_fs};
  Tree tree(Get(MountOverlay(lowers, "")));
  EXPECT_EQ(tree.List("/"), (Names{".", "..", "d", "o", "type"}));
  EXPECT_EQ(tree.List("/d"), (Names{".", "..", "both", "only"}));
  EXPECT_EQ(tree.Stat("/d").mode, kModeDirectory | 0700);
  EXPECT_EQ(tree.Read("/d/both"), "top");
  EXPECT_EQ(tree.Read("/d/only"), "only bottom");
  EXPECT_FALSE(tree.Exists("/d/gone"));
  EXPECT_EQ(tree.List("/o"), (Names{".", ".."}));
  EXPECT_EQ(tree.List("/type"), (Names{".", ".."}));
  EXPECT_EQ(ErrorOf(tree.Unlink("/d/both")), "OK");
  EXPECT_FALSE(tree.Exists("/d/both"));
  EXPECT_EQ(ErrorOf(tree.RemoveDirectory("/o")), "OK");
  EXPECT_FALSE(tree.Exists("/o"));
}

}  // namespace
}  // namespace zrun::vfs
