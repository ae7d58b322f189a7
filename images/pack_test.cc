#include "images/pack.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "images/test_support.h"

namespace zrun::images {
namespace {

namespace fs = std::filesystem;

std::string ErrorOf(const std::vector<fs::path>& layers, const fs::path& output) {
  try {
    PackLayers(layers, output);
  } catch (const ImageError& error) {
    EXPECT_FALSE(fs::exists(output));
    return error.what();
  }
  return "no error";
}

class PackTest : public testing::Test {
 protected:
  // Packs, has fsck.erofs check the image, and unpacks it with that.
  fs::path PackAndExtract(const std::vector<fs::path>& layers, const PackOptions& options = {}) {
    fs::path image = scratch_ / "x.img";
    fs::path tree = scratch_ / "tree";
    fs::remove_all(tree);
    PackLayers(layers, image, options);
    CommandResult result =
        RunCommand("fsck.erofs --extract=" + tree.string() + " " + image.string());
    EXPECT_EQ(result.status, 0) << result.output;
    return tree;
  }
  fs::path Tar(const std::string& name, const TarBuilder& builder) {
    return builder.Save(scratch_ / name);
  }
  std::string ErrorOfTar(const TarBuilder& builder) {
    return ErrorOf({Tar("bad.tar", builder)}, scratch_ / "bad.img");
  }

  Scratch scratch_;
};

void MakeSampleTree(const fs::path& root) {
  fs::create_directories(root / "a/b/empty");
  WriteText(root / "a/hello", "hello\n");
  WriteText(root / "a/empty-file", "");
  WriteText(root / "a/page", std::string(4096, 'p'));
  WriteText(root / "a/page1", std::string(4097, 'q'));
  WriteText(root / ("a/" + std::string(255, 'n')), "long name");
  fs::create_directories(root / "deep" / std::string(200, 'd') / std::string(200, 'e'));
  WriteText(root / "deep" / std::string(200, 'd') / std::string(200, 'e') / "leaf", "leaf");
  fs::create_hard_link(root / "a/hello", root / "a/b/hello-too");
  fs::create_symlink("hello", root / "a/short");
  fs::create_symlink(std::string(1000, 'x'), root / "a/longer");
  for (const char* name : {"!", "+x", "-x", ".hidden", "..two", "~", "\xc3\xa4"}) {
    WriteText(root / "a/b" / name, name);
  }
  fs::create_directories(root / "many");
  for (int i = 0; i < 1000; ++i) {
    WriteText(root / "many" / ("file-" + std::to_string(i)), std::to_string(i));
  }
  EXPECT_EQ(mkfifo((root / "fifo").c_str(), 0600), 0);
  chmod((root / "a/hello").c_str(), 04755);
}

TEST_F(PackTest, EveryKindOfLayerGivesTheSameTree) {
  fs::path root = scratch_ / "root";
  MakeSampleTree(root);
  std::string tar = "cd " + root.string() + " && tar --sort=name --owner=0 --group=0 ";
  ASSERT_EQ(RunCommand(tar + "-cf ../x.tar .").status, 0);
  ASSERT_EQ(RunCommand(tar + "--format=pax -cf ../pax.tar .").status, 0);
  ASSERT_EQ(RunCommand("cd " + scratch_.path().string() +
                       " && gzip -k x.tar && xz -k x.tar && zstd -q x.tar")
                .status,
            0);
  PackLayers({scratch_ / "x.tar"}, scratch_ / "plain.img");
  for (const char* suffix : {"gz", "xz", "zst"}) {
    PackLayers({scratch_ / ("x.tar." + std::string(suffix))}, scratch_ / "other.img");
    EXPECT_EQ(ReadText(scratch_ / "plain.img"), ReadText(scratch_ / "other.img")) << suffix;
  }
  for (fs::path layer : {scratch_ / "x.tar", scratch_ / "pax.tar", root}) {
    fs::path tree = PackAndExtract({layer});
    CommandResult diff =
        RunCommand("diff -r --no-dereference " + root.string() + " " + tree.string());
    // diff cannot compare FIFOs, and says so.
    EXPECT_EQ(diff.output.find("Only in"), std::string::npos) << diff.output;
    EXPECT_EQ(diff.output.find("differ"), std::string::npos) << diff.output;
  }
}

TEST_F(PackTest, AnImageIsALayer) {
  fs::path root = scratch_ / "root";
  MakeSampleTree(root);
  setxattr((root / "a/hello").c_str(), "user.zrun", "value", 5, 0);
  PackLayers({root}, scratch_ / "1.img");
  PackLayers({scratch_ / "1.img"}, scratch_ / "2.img");
  EXPECT_EQ(ReadText(scratch_ / "1.img"), ReadText(scratch_ / "2.img"));
  fs::path upper = Tar("up.tar", TarBuilder().File(".wh.many", "").File("a/hello", "changed"));
  fs::path tree = PackAndExtract({scratch_ / "1.img", upper});
  EXPECT_FALSE(fs::exists(tree / "many"));
  EXPECT_EQ(ReadText(tree / "a/hello"), "changed");

  // Whatever is broken in one ends in an error or in another good image.
  PackLayers({Tar("s.tar", TarBuilder().Directory("d").File("d/f", "x").Symlink("l", "d"))},
             scratch_ / "small.img");
  std::string bytes = ReadText(scratch_ / "small.img");
  for (size_t at = 8192; at < bytes.size() && at < 8192 + 1024; ++at) {
    std::string broken = bytes;
    broken[at] = char(broken[at] ^ 0x41);
    WriteText(scratch_ / "broken.img", broken);
    try {
      PackLayers({scratch_ / "broken.img"}, scratch_ / "again.img");
    } catch (const ImageError&) {
    }
  }
}

TEST_F(PackTest, TheSameLayersGiveTheSameBytes) {
  fs::path layer = Tar("x.tar", TarBuilder().Directory("d").File("d/f", "data").File("g", "more"));
  PackLayers({layer}, scratch_ / "1.img");
  PackLayers({layer}, scratch_ / "2.img");
  EXPECT_EQ(ReadText(scratch_ / "1.img"), ReadText(scratch_ / "2.img"));
}

std::string Xattr(const fs::path& path, const char* name) {
  char value[256];
  ssize_t size = getxattr(path.c_str(), name, value, sizeof value);
  return size < 0 ? "none" : std::string(value, size_t(size));
}

TEST_F(PackTest, LinuxMountsIt) {
  if (geteuid() != 0) GTEST_SKIP() << "mounting needs root";
  fs::path root = scratch_ / "root";
  MakeSampleTree(root);
  setxattr((root / "a/hello").c_str(), "user.zrun", "value", 5, 0);
  setxattr((root / "a").c_str(), "trusted.t", "1", 1, 0);
  // As setcap(8) writes it: revision 2, effective, CAP_NET_RAW; see capabilities(7).
  const std::string capability("\1\0\0\2\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
  setxattr((root / "a/hello").c_str(), "security.capability", capability.data(), 20, 0);
  bool has_device = mknod((root / "null").c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0;
  ASSERT_EQ(chown((root / "a/page").c_str(), 70000, 80000), 0);
  fs::path image = scratch_ / "x.img";
  PackLayers({root}, image);
  fs::path mount = scratch_ / "mount";
  fs::create_directory(mount);
  CommandResult mounted =
      RunCommand("mount -t erofs -o loop,ro " + image.string() + " " + mount.string());
  if (mounted.status != 0) GTEST_SKIP() << mounted.output;
  std::string list =
      " && find . ! -type d -printf '%p %y %m %U %G %s %T@ %n %l\\n' | sort; find . -type d "
      "-printf "
      "'%p %m %U %G %T@ %n\\n' | sort; find . -type f | sort | xargs -d '\\n' sha256sum";
  CommandResult expected = RunCommand("cd " + root.string() + list);
  CommandResult found = RunCommand("cd " + mount.string() + list);
  EXPECT_EQ(expected.output, found.output);
  for (auto [file, name] : {std::pair("a/hello", "user.zrun"), std::pair("a", "trusted.t"),
                            std::pair("a/hello", "security.capability")}) {
    EXPECT_EQ(Xattr(root / file, name), Xattr(mount / file, name)) << name;
  }
  if (has_device) {
    struct stat info;
    ASSERT_EQ(stat((mount / "null").c_str(), &info), 0);
    EXPECT_EQ(info.st_rdev, makedev(1, 3));
  }
  EXPECT_EQ(RunCommand("umount " + mount.string()).status, 0);
}

TEST_F(PackTest, WhiteoutsHideLowerLayersOnly) {
  fs::path lower = Tar("1.tar", TarBuilder()
                                    .File("gone", "1")
                                    .File("dir/gone", "1")
                                    .File("dir/kept", "1")
                                    .File("opaque/old", "1")
                                    .File("opaque/sub/old", "1")
                                    .File("both", "1"));
  // In any order within the layer.
  fs::path upper = Tar("2.tar", TarBuilder()
                                    .File("opaque/sub/new", "2")
                                    .File("opaque/.wh..wh..opq", "")
                                    .File(".wh.gone", "")
                                    .File("dir/.wh.gone", "")
                                    .File("both", "2")
                                    .File(".wh.both", "")
                                    .File(".wh.never-was", "")
                                    .File("nowhere/.wh.x", "")
                                    .File(".wh..wh.plnk", ""));
  fs::path tree = PackAndExtract({lower, upper});
  EXPECT_FALSE(fs::exists(tree / "gone"));
  EXPECT_FALSE(fs::exists(tree / "dir/gone"));
  EXPECT_EQ(ReadText(tree / "dir/kept"), "1");
  EXPECT_FALSE(fs::exists(tree / "opaque/old"));
  EXPECT_FALSE(fs::exists(tree / "opaque/sub/old"));
  EXPECT_EQ(ReadText(tree / "opaque/sub/new"), "2");
  EXPECT_EQ(ReadText(tree / "both"), "2");
  EXPECT_EQ(std::distance(fs::directory_iterator(tree), {}), 3);
}

TEST_F(PackTest, TypesAreReplaced) {
  fs::path lower = Tar("1.tar", TarBuilder()
                                    .File("to-dir", "1")
                                    .File("to-file/inside", "1")
                                    .Symlink("link", "to-file")
                                    .File("plain", "1"));
  fs::path upper = Tar("2.tar", TarBuilder()
                                    .Directory("to-dir")
                                    .File("to-dir/x", "2")
                                    .File("to-file", "2")
                                    .Directory("link", 0700)
                                    .Symlink("plain", "to-file"));
  fs::path tree = PackAndExtract({lower, upper});
  EXPECT_EQ(ReadText(tree / "to-dir/x"), "2");
  EXPECT_EQ(ReadText(tree / "to-file"), "2");
  EXPECT_TRUE(fs::is_directory(fs::symlink_status(tree / "link")));
  EXPECT_TRUE(fs::is_symlink(tree / "plain"));
}

TEST_F(PackTest, PackagesFollowTheMergedUsr) {
  fs::path layer = Tar("1.tar", TarBuilder().Directory("bin").File("bin/sh", "shell"));
  PackOptions options;
  options.keep_directory_symlinks = true;
  options.before = {{.path = "usr/bin", .mode = S_IFDIR | 0755},
                    {.path = "bin", .mode = S_IFLNK | 0777, .text = "usr/bin"}};
  options.after = {{.path = "etc/copy", .mode = S_IFREG | 0600, .copy_of = "bin/sh"}};
  fs::path tree = PackAndExtract({layer}, options);
  EXPECT_TRUE(fs::is_symlink(tree / "bin"));
  EXPECT_EQ(ReadText(tree / "usr/bin/sh"), "shell");
  EXPECT_EQ(ReadText(tree / "etc/copy"), "shell");
}

TEST_F(PackTest, ADirectoryCanGoToAPlace) {
  MakeSampleTree(scratch_ / "sample");
  PackOptions options;
  options.places[scratch_ / "sample"] = "/opt/x/y";
  fs::path tree =
      PackAndExtract({Tar("1.tar", TarBuilder().File("f", "1")), scratch_ / "sample"}, options);
  EXPECT_EQ(ReadText(tree / "f"), "1");
  EXPECT_EQ(ReadText(tree / "opt/x/y/a/hello"), "hello\n");
  EXPECT_EQ(ReadText(tree / "opt/x/y/a/b/hello-too"), "hello\n");
}

TEST_F(PackTest, WhatIsLeftOutIsNotThere) {
  fs::path layer = Tar("1.tar", TarBuilder()
                                    .Directory("./doc/")
                                    .File("./doc/a", "text")
                                    .File("./document", "text")
                                    .File("bin/large", "program"));
  PackOptions options;
  options.leave_out = {"doc", "bin/large"};
  fs::path tree = PackAndExtract({layer}, options);
  EXPECT_FALSE(fs::exists(tree / "doc"));
  EXPECT_FALSE(fs::exists(tree / "bin/large"));
  EXPECT_EQ(ReadText(tree / "document"), "text");
}

TEST_F(PackTest, ADebianPackageIsALayer) {
  TarBuilder data;
  data.Directory("./").Directory("./usr").File("./usr/f", "deb");
  std::string tar = data.bytes() + std::string(1024, '\0');
  auto member = [](const std::string& name, const std::string& contents) {
    char header[61];
    snprintf(header, sizeof header, "%-16s%-12d%-6d%-6d%-8o%-10zu`\n", name.c_str(), 0, 0, 0,
             0100644u, contents.size());
    return header + contents + (contents.size() % 2 ? "\n" : "");
  };
  std::string deb = "!<arch>\n" + member("debian-binary", "2.0") + member("data.tar", tar);
  WriteText(scratch_ / "x.deb", deb);
  EXPECT_EQ(ReadText(PackAndExtract({scratch_ / "x.deb"}) / "usr/f"), "deb");
  for (size_t size : {size_t(9), size_t(70), size_t(100), deb.size() - 1}) {
    WriteText(scratch_ / "cut.deb", deb.substr(0, size));
    EXPECT_NE(ErrorOf({scratch_ / "cut.deb"}, scratch_ / "cut.img").find("truncated"),
              std::string::npos)
        << size;
  }
}

TEST_F(PackTest, TheLastOfEqualEntriesWinsAndItsSpaceIsReused) {
  TarBuilder tar;
  for (int i = 0; i < 50; ++i) tar.File("f", std::string(20000, char('a' + i % 26)));
  fs::path tree = PackAndExtract({Tar("x.tar", tar)});
  EXPECT_EQ(ReadText(tree / "f"), std::string(20000, char('a' + 49 % 26)));
  EXPECT_LE(fs::file_size(scratch_ / "x.img"), 12 * 4096u);
}

TEST_F(PackTest, HardLinksAcrossLayersAndThroughLinks) {
  fs::path lower = Tar("1.tar", TarBuilder().File("usr/f", "data").Symlink("alias", "usr"));
  fs::path upper = Tar("2.tar", TarBuilder()
                                    .HardLink("g", "alias/f")
                                    .HardLink("h", "/usr/f")
                                    .HardLink("usr/f", "h")
                                    .File("alias/new", "n"));
  fs::path tree = PackAndExtract({lower, upper});
  EXPECT_EQ(ReadText(tree / "g"), "data");
  CommandResult dump = RunCommand("dump.erofs --path=/usr/f " + (scratch_ / "x.img").string());
  EXPECT_NE(dump.output.find("Links: 3"), std::string::npos) << dump.output;
  EXPECT_EQ(ReadText(tree / "usr/new"), "n");
}

TEST_F(PackTest, LinksNeverLeadOutOfTheTree) {
  fs::path tree = PackAndExtract({Tar("x.tar", TarBuilder()
                                                   .Symlink("up", "../../../../tmp")
                                                   .File("up/inside", "1")
                                                   .Symlink("abs", "/etc")
                                                   .File("abs/inside", "2"))});
  EXPECT_EQ(ReadText(tree / "tmp/inside"), "1");
  EXPECT_EQ(ReadText(tree / "etc/inside"), "2");
}

TEST_F(PackTest, TimesAndLongLinksAreExact) {
  TarBuilder tar;
  tar.Pax("mtime", "1234567890.123456789").File("new", "");
  tar.Pax("mtime", "-5.5").File("old", "");
  for (size_t length : {4031, 4032, 4033, 4095}) {
    tar.Pax("linkpath", std::string(length, 't')).Symlink("l" + std::to_string(length), "x");
  }
  fs::path tree = PackAndExtract({Tar("x.tar", tar)});
  struct stat info;
  ASSERT_EQ(stat((tree / "new").c_str(), &info), 0);
  EXPECT_EQ(info.st_mtim.tv_sec, 1234567890);
  EXPECT_EQ(info.st_mtim.tv_nsec, 123456789);
  for (size_t length : {4031, 4032, 4033, 4095}) {
    EXPECT_EQ(fs::read_symlink(tree / ("l" + std::to_string(length))), std::string(length, 't'));
  }
}

TEST_F(PackTest, SparseFilesStaySparse) {
  fs::path root = scratch_ / "root";
  fs::create_directory(root);
  ASSERT_EQ(RunCommand("cd " + root.string() +
                       " && truncate -s 64M f && printf end | dd of=f bs=1 seek=50000000 "
                       "conv=notrunc && tar -S -cf ../x.tar f")
                .status,
            0);
  for (fs::path layer : {root, scratch_ / "x.tar"}) {
    fs::path tree = PackAndExtract({layer});
    EXPECT_EQ(RunCommand("cmp " + (root / "f").string() + " " + (tree / "f").string()).status, 0);
    struct stat info;
    ASSERT_EQ(stat((scratch_ / "x.img").c_str(), &info), 0);
    EXPECT_LT(info.st_blocks * 512, 1 << 20);
  }
}

TEST_F(PackTest, AbsoluteNamesAreMeantFromTheImagesRoot) {
  const auto lower =
      Tar("1.tar", TarBuilder().Directory("/").File("/etc/a", "1").File("etc/b", "2"));
  const auto upper = Tar("2.tar", TarBuilder()
                                      .File("//etc/.wh.b", "")
                                      .File("/etc/c", "3")
                                      .HardLink("/etc/d", "/etc/a")
                                      .HardLink("etc/e", "//etc/c"));
  PackOptions options;
  options.leave_out = {"doc"};
  fs::path tree =
      PackAndExtract({lower, upper, Tar("3.tar", TarBuilder().File("/doc/x", ""))}, options);
  EXPECT_EQ(ReadText(tree / "etc/a"), "1");
  EXPECT_FALSE(fs::exists(tree / "etc/b"));
  EXPECT_EQ(ReadText(tree / "etc/c"), "3");
  EXPECT_EQ(ReadText(tree / "etc/d"), "1");
  EXPECT_EQ(ReadText(tree / "etc/e"), "3");
  EXPECT_FALSE(fs::exists(tree / "doc"));
}

TEST_F(PackTest, EntriesThatReachOutAreRefusedByName) {
  EXPECT_NE(ErrorOfTar(TarBuilder().File("/../x", "")).find("entry '/../x': its name has"),
            std::string::npos);
  EXPECT_NE(ErrorOfTar(TarBuilder().HardLink("x", "/../y")).find("entry 'x'"), std::string::npos);
  EXPECT_NE(ErrorOfTar(TarBuilder().File("a/../../x", "")).find("entry 'a/../../x': its name has"),
            std::string::npos);
  EXPECT_NE(ErrorOfTar(TarBuilder().HardLink("x", "../y")).find("entry 'x'"), std::string::npos);
  EXPECT_NE(ErrorOfTar(TarBuilder().File("a/.wh...", "")).find("whiteout"), std::string::npos);
}

TEST_F(PackTest, HostileArchivesAreRefused) {
  EXPECT_NE(ErrorOfTar(TarBuilder().Symlink("a", "b").Symlink("b", "a").File("a/x", ""))
                .find("too many symbolic links"),
            std::string::npos);
  EXPECT_NE(ErrorOfTar(TarBuilder().HardLink("x", "missing")).find("does not exist"),
            std::string::npos);
  EXPECT_NE(ErrorOfTar(TarBuilder().Directory("d").HardLink("x", "d")).find("is a directory"),
            std::string::npos);
  EXPECT_NE(ErrorOfTar(TarBuilder().File("f", "").File("f/x", "")).find("is not a directory"),
            std::string::npos);
  EXPECT_NE(ErrorOfTar(TarBuilder().File(".", "")).find("root must be"), std::string::npos);
  EXPECT_NE(ErrorOfTar(TarBuilder().Pax("path", std::string(300, 'n')).File("x", ""))
                .find("longer than 255"),
            std::string::npos);
  EXPECT_NE(ErrorOfTar(TarBuilder().Pax("size", "99999999999999999").File("x", "")), "no error");
  // Nested ever deeper through a link to the deepest directory so far.
  std::string path;
  for (int i = 0; i < 1500; ++i) path += "d/";
  EXPECT_NE(ErrorOfTar(TarBuilder()
                           .Pax("path", path)
                           .Directory("x")
                           .Pax("linkpath", path)
                           .Symlink("s", "x")
                           .Pax("path", "s/" + path)
                           .Directory("x"))
                .find("nested too deep"),
            std::string::npos);
}

TEST_F(PackTest, TruncatedArchivesAreNeverTaken) {
  TarBuilder tar;
  tar.Directory("d").File("d/f", std::string(3000, 'x')).Symlink("l", "d").File("g", "tail");
  fs::path cut = scratch_ / "cut.tar";
  for (size_t size = 0; size <= tar.bytes().size(); size += 128) {
    WriteText(cut, tar.bytes().substr(0, size));
    std::string error = ErrorOf({cut}, scratch_ / "cut.img");
    EXPECT_NE(error.find("layer '" + cut.string() + "'"), std::string::npos) << size << error;
  }
  Tar("whole.tar", tar);
  for (const char* tool : {"gzip", "xz", "zstd -q"}) {
    std::string command =
        std::string(tool) + " -c " + (scratch_ / "whole.tar").string() + " > " + cut.string();
    ASSERT_EQ(RunCommand(command).status, 0);
    std::string whole = ReadText(cut);
    // What is cut from the very end may be no more than the compressor's checksum.
    for (size_t size = 0; size + 40 < whole.size(); size += 7) {
      WriteText(cut, whole.substr(0, size));
      EXPECT_NE(ErrorOf({cut}, scratch_ / "cut.img"), "no error") << tool << " " << size;
    }
  }
  std::vector<std::string> names = scratch_.Names();
  EXPECT_EQ(names.size(), 2u) << "a failed attempt left files behind";
}

TEST_F(PackTest, ErrorsNameTheFile) {
  WriteText(scratch_ / "text", "this is no archive, whatever it is called\n");
  EXPECT_NE(ErrorOf({scratch_ / "text"}, scratch_ / "x.img").find("text': it is not a tar"),
            std::string::npos);
  EXPECT_NE(ErrorOf({scratch_ / "none"}, scratch_ / "x.img").find("No such file"),
            std::string::npos);
  fs::path good = Tar("good.tar", TarBuilder().File("f", "1"));
  EXPECT_NE(ErrorOf({good}, scratch_ / "no/such/x.img").find("no/such/x.img"), std::string::npos);
}

}  // namespace
}  // namespace zrun::images
