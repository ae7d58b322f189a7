#include "vfs/erofs/erofs.h"

#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "vfs/test_tree.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace zrun::vfs {
namespace {

namespace fs = std::filesystem;
using test::ErrorOf;
using test::Get;
using test::Tree;

enum class Place { kBytes, kRom, kDisk };

// Images as mkfs.erofs makes them; skipped where it is not installed.
class Erofs : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    char name[] = "/tmp/erofs-test-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory = name;
    source = directory / "source";
    fs::create_directories(source / "dir" / "deep");
    Put("hello", "hello, world\n");
    Put("empty", "");
    Put("page", std::string(4096, 'p'));
    std::string big(300000, 0);
    std::mt19937 random(1);
    for (char& c : big) c = char(random());
    Put("big", big);
    Put("dir/deep/f", "deep");
    fs::create_symlink("dir/deep/f", source / "link");
    std::string target;
    for (int i = 0; i < 1000; i++) target += "no/";
    fs::create_symlink(target, source / "long");
    fs::create_hard_link(source / "hello", source / "hard");
    fs::create_directory(source / "many");
    for (int i = 0; i < 1000; i++) Put("many/file" + std::to_string(i), std::to_string(i));
    has_xattrs = setxattr((source / "hello").c_str(), "user.a", "value", 5, 0) == 0;
    setxattr((source / "page").c_str(), "user.a", "value", 5, 0);
    mkfifo((source / "fifo").c_str(), 0600);
    fs::permissions(source / "dir", fs::perms(0750));
  }
  void TearDown() override {
    if (!directory.empty()) fs::remove_all(directory);
  }
  void Put(const std::string& name, std::string_view text) {
    std::ofstream(source / name, std::ios::binary) << text;
  }
  bool Build(const std::string& options) {
    const std::string image = (directory / "image").string();
    const std::string command =
        "mkfs.erofs " + options + " " + image + " " + source.string() + " >/dev/null 2>&1";
    if (std::system(command.c_str()) != 0) return false;
    std::ifstream file(image, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    image_bytes.resize(bytes.size());
    std::memcpy(image_bytes.data(), bytes.data(), bytes.size());
    return true;
  }
  fs::path directory, source;
  std::vector<std::byte> image_bytes;
  bool has_xattrs = false;
};

TEST_P(Erofs, ReadsAll) {
  if (!Build(GetParam())) GTEST_SKIP() << "mkfs.erofs cannot do " << GetParam();
  hal::fake::SetImage(image_bytes);
  const hal::PhysRange rom = hal::ImageRom();
  const std::span<const std::byte> bytes(hal::PhysToVirt(rom.base), size_t(rom.size));
  hal::fake::SetDisks({image_bytes}, true);
  for (const Place place : {Place::kBytes, Place::kRom, Place::kDisk}) {
    Tree tree(place == Place::kBytes ? Get(MountErofsImage({bytes, std::nullopt, std::nullopt}))
              : place == Place::kRom ? Get(MountRootImage())
                                     : Get(MountErofsDisk(0)));
    for (const auto& entry : fs::recursive_directory_iterator(source)) {
      const std::string path = "/" + entry.path().lexically_relative(source).string();
      struct stat expected;
      ASSERT_EQ(lstat(entry.path().c_str(), &expected), 0);
      const Attributes found = tree.Stat(path);
      EXPECT_EQ(found.mode, expected.st_mode) << path;
      EXPECT_EQ(found.uid, expected.st_uid) << path;
      EXPECT_EQ(found.links, expected.st_nlink) << path;
      if (S_ISREG(expected.st_mode)) {
        std::ifstream file(entry.path(), std::ios::binary);
        const std::string text((std::istreambuf_iterator<char>(file)), {});
        EXPECT_EQ(tree.Read(path), text) << path;
        auto contents = Get(Get(tree.Walk(path)).vnode()->Contents());
        std::string copy(text.size(), 0);
        ASSERT_EQ(contents->size(), text.size()) << path;
        Get(contents->Read(0, std::as_writable_bytes(std::span(copy))));
        EXPECT_EQ(copy, text) << path;
      }
      if (S_ISLNK(expected.st_mode)) {
        auto vnode = Get(tree.Walk(path, WalkFlags::kNoFollow)).vnode();
        EXPECT_EQ(Get(vnode->ReadLink()).view(), fs::read_symlink(entry.path()).string());
      }
    }
    EXPECT_EQ(tree.List("/many").size(), 1002u);
    EXPECT_EQ(tree.Read("/link"), "deep");
    EXPECT_EQ(ErrorOf(tree.Walk("/many/file10000")), "ENOENT");
    EXPECT_EQ(ErrorOf(tree.Walk("/many/!")), "ENOENT");
    EXPECT_EQ(ErrorOf(tree.Walk("/many/z")), "ENOENT");
    EXPECT_EQ(Get(tree.Walk("/hello")).vnode(), Get(tree.Walk("/hard")).vnode());
    EXPECT_EQ(ErrorOf(tree.Open("/hello", OpenFlags::kWriteOnly)), "EROFS");
    EXPECT_EQ(ErrorOf(tree.Unlink("/hello")), "EROFS");
    if (has_xattrs && GetParam() != std::string("-x-1")) {
      std::byte value[8];
      auto vnode = Get(tree.Walk("/hello")).vnode();
      EXPECT_EQ(Get(vnode->GetXattr("user.a", value)), 5u);
      EXPECT_EQ(ErrorOf(vnode->GetXattr("user.b", value)), "ENODATA");
      EXPECT_EQ(Get(vnode->ListXattr({})), 7u);
    }
  }
}

TEST_P(Erofs, ADiskThatCannotBeRead) {
  if (!Build(GetParam())) GTEST_SKIP() << "mkfs.erofs cannot do " << GetParam();
  hal::fake::SetDisks({image_bytes}, true);
  Tree tree(Get(MountErofsDisk(0)));
  hal::fake::BreakDisks(4096, image_bytes.size());
  auto file = tree.Walk("/big");
  if (file.ok()) {
    std::byte byte;
    auto contents = Get(file.value().vnode()->Contents());
    EXPECT_EQ(ErrorOf(contents->Read(8192, {&byte, 1})), "EIO");
  } else {
    EXPECT_EQ(ErrorOf(std::move(file)), "EIO");
  }
  hal::fake::BreakDisks(0, 0);
  EXPECT_EQ(tree.Read("/big").size(), 300000u);
}

// Every byte of what describes files, wrong in some way, must at worst be an error.
TEST_P(Erofs, SurvivesBrokenImages) {
  fs::remove_all(source / "many");
  fs::remove(source / "big");
  if (!Build(GetParam())) GTEST_SKIP() << "mkfs.erofs cannot do " << GetParam();
  std::vector<std::byte> image = image_bytes;
  const auto run = [](std::span<const std::byte> bytes) {
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  };
  std::mt19937 random(7);
  for (int i = 0; i < 800; i++) {
    image = image_bytes;
    const int changes = 1 + int(random() % 4);
    for (int change = 0; change < changes; change++) {
      const size_t at = 1024 + random() % (image.size() - 1024);
      image[at] = random() % 2 ? std::byte(random()) : std::byte{0xff};
    }
    run(image);
    run(std::span(image).first(random() % image.size()));
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, Erofs,
                         ::testing::Values("", "-Eforce-inode-compact", "-Eforce-inode-extended",
                                           "-Enoinline_data", "--chunksize=4096",
                                           "-Eforce-chunk-indexes --chunksize=8192", "-x-1",
                                           "-x1"));

TEST(ErofsImage, RefusesWhatItIsNot) {
  std::vector<std::byte> nothing(8192);
  EXPECT_EQ(ErrorOf(MountErofsImage({nothing, std::nullopt, std::nullopt})), "EINVAL");
  EXPECT_EQ(ErrorOf(MountErofsImage({std::span(nothing).first(100), std::nullopt, std::nullopt})),
            "EINVAL");
}

}  // namespace
}  // namespace zrun::vfs

// The test runs the fuzzer's body on its own inputs.
#include "vfs/erofs/erofs_fuzz.cc"
