#include "vfs/permissions.h"

#include "vfs/test_tree.h"

namespace zrun::vfs {
namespace {

using test::ErrorOf;
using test::Get;
using test::Tree;
using test::UserCredentials;

RefPtr<Credentials> With(RefPtr<Credentials> credentials, Capability capability) {
  credentials->cap_effective |= uint64_t{1} << unsigned(capability);
  return credentials;
}

TEST(Permissions, ChecksModes) {
  const Ownership file{kModeRegular | 0640, 1, 1};
  const Ownership directory{kModeDirectory | 0710, 1, 1};
  auto owner = UserCredentials(1), other = UserCredentials(2);
  EXPECT_EQ(ErrorOf(CheckMode(*owner, file, 6)), "OK");
  EXPECT_EQ(ErrorOf(CheckMode(*owner, file, 1)), "EACCES");
  EXPECT_EQ(ErrorOf(CheckMode(*other, file, 4)), "EACCES");
  EXPECT_EQ(ErrorOf(other->groups.PushBack(1)), "OK");
  EXPECT_EQ(ErrorOf(CheckMode(*other, file, 4)), "OK");
  EXPECT_EQ(ErrorOf(CheckMode(*other, file, 2)), "EACCES");
  EXPECT_EQ(ErrorOf(CheckMode(*other, directory, 1)), "OK");
  // The owner's bits count for the owner, even where the others' would allow more.
  EXPECT_EQ(ErrorOf(CheckMode(*owner, {kModeRegular | 0077, 1, 1}, 4)), "EACCES");
  auto searcher = With(UserCredentials(3), Capability::kDacReadSearch);
  EXPECT_EQ(ErrorOf(CheckMode(*searcher, file, 4)), "OK");
  EXPECT_EQ(ErrorOf(CheckMode(*searcher, file, 6)), "EACCES");
  EXPECT_EQ(ErrorOf(CheckMode(*searcher, directory, 5)), "OK");
  auto overrider = With(UserCredentials(3), Capability::kDacOverride);
  EXPECT_EQ(ErrorOf(CheckMode(*overrider, file, 6)), "OK");
  EXPECT_EQ(ErrorOf(CheckMode(*overrider, file, 1)), "EACCES");
  EXPECT_EQ(ErrorOf(CheckMode(*overrider, {kModeRegular | 0001, 1, 1}, 1)), "OK");
  EXPECT_EQ(ErrorOf(CheckMode(*overrider, directory, 7)), "OK");
}

TEST(Permissions, GuardsWalksAndNames) {
  Tree tree;
  tree.MakeDirectory("/closed", 0700);
  tree.MakeFile("/closed/f");
  tree.MakeDirectory("/readable", 0755);
  tree.MakeFile("/readable/f", "", 0600);
  tree.as = UserCredentials(1000);
  EXPECT_EQ(ErrorOf(tree.Walk("/closed")), "OK");
  EXPECT_EQ(ErrorOf(tree.Walk("/closed/f")), "EACCES");
  EXPECT_EQ(ErrorOf(tree.Walk("/closed/..")), "EACCES");
  EXPECT_EQ(ErrorOf(tree.Open("/closed", OpenFlags::kReadOnly)), "EACCES");
  EXPECT_EQ(ErrorOf(tree.Open("/readable/f", OpenFlags::kReadOnly)), "EACCES");
  EXPECT_EQ(ErrorOf(tree.Open("/readable/new", OpenFlags::kCreate)), "EACCES");
  EXPECT_EQ(ErrorOf(tree.Unlink("/readable/f")), "EACCES");
  EXPECT_EQ(ErrorOf(tree.Open("/readable/f", OpenFlags::kPath)), "OK");
  EXPECT_EQ(ErrorOf(tree.Link("/readable/f", "/x")), "EPERM");
  EXPECT_EQ(ErrorOf(MakeNode(tree.context(), "/readable/c", kModeChar, MakeDevice(1, 3))),
            "EACCES");
}

TEST(Permissions, ChangesAttributes) {
  Tree tree;
  tree.MakeFile("/f", "", 0644);
  const Path path = Get(tree.Walk("/f"));
  auto user = UserCredentials(1000), root = test::RootCredentials();
  EXPECT_EQ(ErrorOf(ChangeMode(*user, path, 0600)), "EPERM");
  EXPECT_EQ(ErrorOf(ChangeOwner(*user, path, 1000, ~0u)), "EPERM");
  EXPECT_EQ(ErrorOf(ChangeOwner(*root, path, 1000, 1000)), "OK");
  EXPECT_EQ(ErrorOf(ChangeMode(*user, path, 06755)), "OK");
  EXPECT_EQ(tree.Stat("/f").mode, kModeRegular | 06755);
  // A group one is not in: the set-group-ID bit goes.
  EXPECT_EQ(ErrorOf(ChangeOwner(*root, path, ~0u, 7)), "OK");
  EXPECT_EQ(tree.Stat("/f").mode, kModeRegular | 0755);
  EXPECT_EQ(ErrorOf(ChangeMode(*user, path, 06755)), "OK");
  EXPECT_EQ(tree.Stat("/f").mode, kModeRegular | 04755);
  // Writing without CAP_FSETID clears them.
  tree.as = user;
  auto file = Get(tree.Open("/f", OpenFlags::kWriteOnly));
  Get(test::WriteText(*file, "x"));
  EXPECT_EQ(tree.Stat("/f").mode, kModeRegular | 0755);

  using Kind = TimeChange::Kind;
  auto other = UserCredentials(2);
  EXPECT_EQ(ErrorOf(ChangeTimes(*other, path, {Kind::kNow, 0}, {Kind::kNow, 0})), "EACCES");
  EXPECT_EQ(ErrorOf(ChangeTimes(*other, path, {Kind::kSet, 0}, {Kind::kSet, 0})), "EPERM");
  EXPECT_EQ(ErrorOf(ChangeTimes(*other, path, {Kind::kOmit, 0}, {Kind::kOmit, 0})), "OK");
  EXPECT_EQ(ErrorOf(ChangeTimes(*user, path, {Kind::kSet, 5}, {Kind::kOmit, 0})), "OK");
  EXPECT_EQ(tree.Stat("/f").atime, 5);
}

TEST(Permissions, RespectsReadOnlyMounts) {
  Tree tree;
  tree.MakeDirectory("/m");
  auto file_system = Get(MountTmpfs("", ""));
  tree.Mount("/m", file_system);
  tree.MakeFile("/m/f", "text");
  tree.MakeDirectory("/m/d");
  Get(tree.Walk("/m"))
      .mount->set_flags(MountFlags::kReadOnly | MountFlags::kNoExec | MountFlags::kNoDev);
  EXPECT_EQ(ErrorOf(tree.Open("/m/f", OpenFlags::kReadOnly)), "OK");
  EXPECT_EQ(ErrorOf(tree.Open("/m/f", OpenFlags::kReadOnly | OpenFlags::kCreate)), "OK");
  EXPECT_EQ(ErrorOf(tree.Open("/m/f", OpenFlags::kWriteOnly)), "EROFS");
  EXPECT_EQ(ErrorOf(tree.Open("/m/f", OpenFlags::kTruncate)), "EROFS");
  EXPECT_EQ(ErrorOf(tree.Open("/m/g", OpenFlags::kCreate)), "EROFS");
  EXPECT_EQ(ErrorOf(tree.Unlink("/m/f")), "EROFS");
  EXPECT_EQ(ErrorOf(tree.Unlink("/m/none")), "EROFS");
  EXPECT_EQ(ErrorOf(tree.RemoveDirectory("/m/d")), "EROFS");
  EXPECT_EQ(ErrorOf(tree.Rename("/m/f", "/m/g")), "EROFS");
  EXPECT_EQ(ErrorOf(MakeDirectory(tree.context(), "/m/e", 0755)), "EROFS");
  EXPECT_EQ(ErrorOf(MakeDirectory(tree.context(), "/m/d", 0755)), "EEXIST");
  EXPECT_EQ(ErrorOf(ChangeMode(*tree.as, Get(tree.Walk("/m/f")), 0600)), "EROFS");
  EXPECT_EQ(ErrorOf(CheckAccess(*tree.as, Get(tree.Walk("/m/f")), 2)), "EROFS");
  EXPECT_EQ(ErrorOf(CheckAccess(*tree.as, Get(tree.Walk("/m/f")), 1)), "EACCES");
  EXPECT_EQ(ErrorOf(CheckAccess(*tree.as, Get(tree.Walk("/m/f")), 4)), "OK");
}

TEST(Permissions, ProtectsSharedDirectories) {
  Tree tree;
  tree.MakeDirectory("/tmp");
  EXPECT_EQ(ErrorOf(ChangeMode(*tree.as, Get(tree.Walk("/tmp")), 01777)), "OK");
  tree.MakeFile("/tmp/roots", "", 0666);
  EXPECT_EQ(ErrorOf(ChangeMode(*tree.as, Get(tree.Walk("/tmp/roots")), 0666)), "OK");
  tree.as = UserCredentials(1000);
  tree.MakeSymlink("/tmp/link", "roots");
  tree.MakeFile("/tmp/theirs", "", 0666);
  EXPECT_EQ(ErrorOf(ChangeMode(*tree.as, Get(tree.Walk("/tmp/theirs")), 0666)), "OK");
  EXPECT_EQ(ErrorOf(tree.Walk("/tmp/link")), "OK");
  tree.as = UserCredentials(2000);
  EXPECT_EQ(ErrorOf(tree.Walk("/tmp/link")), "EACCES");
  EXPECT_EQ(ErrorOf(tree.Walk("/tmp/link", WalkFlags::kNoFollow)), "OK");
  EXPECT_EQ(ErrorOf(tree.Unlink("/tmp/theirs")), "EPERM");
  EXPECT_EQ(ErrorOf(tree.Open("/tmp/theirs", OpenFlags::kWriteOnly)), "OK");
  EXPECT_EQ(ErrorOf(tree.Open("/tmp/theirs", OpenFlags::kWriteOnly | OpenFlags::kCreate)),
            "EACCES");
  EXPECT_EQ(ErrorOf(tree.Open("/tmp/roots", OpenFlags::kWriteOnly | OpenFlags::kCreate)), "OK");
}

TEST(Permissions, HandsDownGroups) {
  Tree tree;
  tree.MakeDirectory("/g");
  EXPECT_EQ(ErrorOf(ChangeOwner(*tree.as, Get(tree.Walk("/g")), 1000, 50)), "OK");
  EXPECT_EQ(ErrorOf(ChangeMode(*tree.as, Get(tree.Walk("/g")), 02777)), "OK");
  tree.as = UserCredentials(1000);
  tree.MakeFile("/g/f", "", 02755);
  tree.MakeDirectory("/g/d");
  EXPECT_EQ(tree.Stat("/g/f").gid, 50u);
  EXPECT_EQ(tree.Stat("/g/f").mode, kModeRegular | 0755);
  EXPECT_EQ(tree.Stat("/g/d").gid, 50u);
  EXPECT_EQ(tree.Stat("/g/d").mode, kModeDirectory | 02755);
}

TEST(Permissions, GuardsXattrs) {
  Tree tree;
  tree.MakeFile("/f");
  tree.MakeSymlink("/l", "f");
  const Path path = Get(tree.Walk("/f"));
  const auto bytes = [](std::string_view text) { return std::as_bytes(std::span(text)); };
  auto user = UserCredentials(1000);
  EXPECT_EQ(ErrorOf(SetXattr(*tree.as, path, "user.a", bytes("one"), 0)), "OK");
  EXPECT_EQ(ErrorOf(SetXattr(*tree.as, path, "user.a", bytes("x"), 1)), "EEXIST");
  EXPECT_EQ(ErrorOf(SetXattr(*tree.as, path, "user.b", bytes("x"), 2)), "ENODATA");
  EXPECT_EQ(ErrorOf(SetXattr(*tree.as, path, "trusted.t", bytes("x"), 0)), "OK");
  EXPECT_EQ(ErrorOf(SetXattr(*tree.as, path, "nothing", bytes("x"), 0)), "EOPNOTSUPP");
  EXPECT_EQ(ErrorOf(SetXattr(*user, path, "user.a", bytes("x"), 0)), "EACCES");
  EXPECT_EQ(ErrorOf(SetXattr(*user, path, "trusted.t", bytes("x"), 0)), "EPERM");
  EXPECT_EQ(ErrorOf(SetXattr(*tree.as, Get(tree.Walk("/l", WalkFlags::kNoFollow)), "user.a",
                             bytes("x"), 0)),
            "EPERM");
  std::byte value[8];
  EXPECT_EQ(Get(GetXattr(*user, path, "user.a", value)), 3u);
  EXPECT_EQ(ErrorOf(GetXattr(*user, path, "user.a", std::span(value).first(2))), "ERANGE");
  EXPECT_EQ(ErrorOf(GetXattr(*user, path, "trusted.t", value)), "ENODATA");
  EXPECT_EQ(Get(ListXattr(*tree.as, path, {})), 17u);
  EXPECT_EQ(Get(ListXattr(*user, path, {})), 7u);
  EXPECT_EQ(ErrorOf(RemoveXattr(*tree.as, path, "user.a")), "OK");
  EXPECT_EQ(ErrorOf(RemoveXattr(*tree.as, path, "user.a")), "ENODATA");
}

}  // namespace
}  // namespace zrun::vfs
