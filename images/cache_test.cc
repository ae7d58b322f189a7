#include "images/cache.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>

#include "images/recipe.h"
#include "images/sha256.h"
#include "images/test_support.h"

namespace zrun::images {
namespace {

namespace fs = std::filesystem;

class CacheTest : public testing::Test {
 protected:
  fs::path MakeLayer(const std::string& name, const std::string& contents) {
    fs::path path = TarBuilder().Directory("d").File("d/f", contents).Save(scratch_ / name);
    usleep(120'000);  // older than what the cache takes for fresh
    return path;
  }
  size_t Count(const std::string& folder) {
    std::error_code error;
    return size_t(std::distance(fs::directory_iterator(cache_.root() / folder, error), {}));
  }
  int packs_ = 0;
  PackOptions Counting() {
    PackOptions options;
    options.progress = [this](uint64_t, uint64_t) { ++packs_; };
    return options;
  }

  Scratch scratch_;
  Cache cache_{scratch_ / "cache"};
};

TEST_F(CacheTest, PacksOnce) {
  fs::path layer = MakeLayer("x.tar", "1");
  fs::path first = cache_.Pack({layer}, Counting()).path;
  EXPECT_GT(packs_, 0);
  packs_ = 0;
  EXPECT_EQ(cache_.Pack({layer}, Counting()).path, first);
  // Another file with the same contents is the same image.
  fs::copy_file(layer, scratch_ / "copy.tar");
  EXPECT_EQ(cache_.Pack({scratch_ / "copy.tar"}, Counting()).path, first);
  EXPECT_EQ(packs_, 0);
}

TEST_F(CacheTest, FindsAnArchiveByItsDigest) {
  fs::path layer = MakeLayer("x.tar", "1");
  const std::string digest = Sha256OfFile(OpenFile(layer, O_RDONLY).get(), "x.tar");
  EXPECT_FALSE(cache_.FindArchive(digest));
  const fs::path packed = cache_.Pack({layer}).path;
  ASSERT_TRUE(cache_.FindArchive(digest));
  EXPECT_EQ(cache_.FindArchive(digest)->path, packed);
  EXPECT_FALSE(cache_.FindArchive(digest, "variant"));
}

TEST_F(CacheTest, PrunesWhatIsNotInUse) {
  const std::string used = cache_.Pack({MakeLayer("a.tar", "1")}).path;
  const fs::path unused = cache_.Pack({MakeLayer("b.tar", "2")}).path;
  const ResolvedImage wanted = cache_.Pack({MakeLayer("c.tar", "3")});
  cache_.SetName("wanted", "tag", wanted);
  fs::create_directories(cache_.root() / "build/old");
  std::optional<ResolvedImage> open = OpenImage(used);
  const auto keep = [](const Cache::Image& image) { return !image.names.empty(); };
  Cache::Pruned pruned = cache_.Prune(keep);
  ASSERT_EQ(pruned.removed.size(), 1u);
  EXPECT_EQ(pruned.removed[0].path, unused);
  ASSERT_EQ(pruned.in_use.size(), 1u);
  EXPECT_EQ(pruned.in_use[0].path, used);
  EXPECT_EQ(pruned.bytes_freed, pruned.removed[0].size);
  EXPECT_EQ(Count("build"), 0u);
  open.reset();
  EXPECT_EQ(cache_.Prune(keep).removed.size(), 1u);
  EXPECT_EQ(Count("images"), 2u);  // wanted, and its description
  EXPECT_TRUE(cache_.FindName("wanted", "tag"));
}

TEST_F(CacheTest, AFileJustWrittenIsNotTrustedByItsTimes) {
  fs::path layer = scratch_ / "x.tar";
  bool was_in_time = false;
  for (int i = 0; i < 100 && !was_in_time; ++i) {
    const size_t before = Count("index");
    const auto began = std::chrono::steady_clock::now();
    TarBuilder().Directory("d").File("d/f", std::to_string(i)).Save(layer);
    cache_.Pack({layer});
    // A busy machine lets the file get old meanwhile.
    was_in_time = std::chrono::steady_clock::now() - began < std::chrono::milliseconds(30);
    if (was_in_time) {
      EXPECT_EQ(Count("index"), before);
    }
  }
  if (!was_in_time) GTEST_SKIP() << "this machine is too slow";
}

TEST_F(CacheTest, SeesChanges) {
  fs::path layer = MakeLayer("x.tar", "1");
  fs::path first = cache_.Pack({layer}).path;
  MakeLayer("x.tar", "2");
  fs::path second = cache_.Pack({layer}).path;
  EXPECT_NE(first, second);
  EXPECT_NE(cache_.Pack({layer}, {}, "variant").path, second);
  EXPECT_NE(cache_.Pack({layer, layer}).path, second);
}

TEST_F(CacheTest, DirectoriesAreLayersToo) {
  fs::create_directories(scratch_ / "root/sub");
  WriteText(scratch_ / "root/sub/f", "1");
  usleep(120'000);
  fs::path first = cache_.Pack({scratch_ / "root"}).path;
  packs_ = 0;
  EXPECT_EQ(cache_.Pack({scratch_ / "root"}, Counting()).path, first);
  EXPECT_EQ(packs_, 0);
  WriteText(scratch_ / "root/sub/f", "2");
  EXPECT_NE(cache_.Pack({scratch_ / "root"}).path, first);
}

TEST_F(CacheTest, StartsAtOnceShareOneImage) {
  fs::path layer = MakeLayer("x.tar", std::string(1 << 20, 'x'));
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    pid_t child = fork();
    if (child == 0) {
      try {
        cache_.Pack({layer});
        _exit(0);
      } catch (const std::exception&) {
        _exit(1);
      }
    }
    children.push_back(child);
  }
  for (pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(Count("images"), 2u);
  EXPECT_EQ(Count("index"), 1u);
}

TEST_F(CacheTest, AKilledPackerLeavesNothing) {
  fs::path layer = MakeLayer("x.tar", std::string(1 << 20, 'x'));
  pid_t child = fork();
  if (child == 0) {
    PackOptions options;
    options.progress = [](uint64_t, uint64_t) { raise(SIGSTOP); };
    cache_.Pack({layer}, options);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, WUNTRACED);
  ASSERT_TRUE(WIFSTOPPED(status));
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  WriteText(cache_.root() / "images/.leftover.img.123", "of a file system without O_TMPFILE");
  ResolvedImage image = cache_.Pack({layer});
  EXPECT_EQ(Count("images"), 2u);
  EXPECT_EQ(RunCommand("fsck.erofs " + image.path.string()).status, 0);
}

TEST_F(CacheTest, ABrokenImageIsPackedAgain) {
  fs::path layer = MakeLayer("x.tar", "1");
  fs::path path = cache_.Pack({layer}).path;
  fs::resize_file(path, 4096);
  cache_.Pack({layer});
  EXPECT_NO_THROW(OpenImage(path));
}

TEST_F(CacheTest, ImagesAreCheckedWhenOpened) {
  fs::path layer = MakeLayer("x.tar", "1");
  fs::path image = scratch_ / "x.img";
  PackLayers({layer}, image);
  EXPECT_TRUE(IsImage(image));
  EXPECT_FALSE(IsImage(layer));
  std::string bytes = ReadText(image);
  auto error_of = [&](const std::string& changed) -> std::string {
    WriteText(image, changed);
    try {
      OpenImage(image);
      return "no error";
    } catch (const ImageError& error) {
      return error.what();
    }
  };
  EXPECT_EQ(error_of(bytes), "no error");
  EXPECT_NE(error_of(bytes.substr(0, bytes.size() - 1)).find("truncated"), std::string::npos);
  EXPECT_NE(error_of(bytes.substr(0, 500)).find("not an EROFS image"), std::string::npos);
  bytes[1024 + 40] ^= 1;
  EXPECT_NE(error_of(bytes).find("wrong checksum"), std::string::npos);
}

TEST_F(CacheTest, NamesAndRemoval) {
  fs::path layer = MakeLayer("x.tar", "1");
  ResolvedImage image = cache_.Pack({layer});
  cache_.SetName("name", "tag", image);
  EXPECT_TRUE(cache_.FindName("name", "tag"));
  EXPECT_FALSE(cache_.FindName("name", "other tag"));
  EXPECT_FALSE(cache_.FindName("other", "tag"));
  ASSERT_EQ(cache_.List().size(), 1u);
  EXPECT_EQ(cache_.List()[0].names, std::vector<std::string>{"name"});
  EXPECT_EQ(cache_.List()[0].layers, std::vector<std::string>{layer.string()});
  fs::path other = cache_.Pack({MakeLayer("y.tar", "2")}).path;
  cache_.SetName("moving", "tag", OpenImage(other));
  cache_.SetName("moving", "tag", image);
  EXPECT_FALSE(fs::exists(other));
  EXPECT_EQ(cache_.List()[0].names.size(), 2u);
  EXPECT_THROW(cache_.Remove("nothing"), ImageError);
  EXPECT_GT(cache_.Remove("name"), 0u);
  EXPECT_FALSE(cache_.FindName("name", "tag"));
  EXPECT_EQ(Count("images") + Count("index") + Count("names"), 0u);
  EXPECT_TRUE(cache_.List().empty());
}

class ResolveTest : public CacheTest {
 protected:
  ResolveTest() { setenv("XDG_CACHE_HOME", (scratch_ / "xdg").c_str(), 1); }

  std::string ErrorOf(const std::string& argument) {
    try {
      ResolveImage(argument);
      return "no error";
    } catch (const ImageError& error) {
      return error.what();
    }
  }
};

TEST_F(ResolveTest, ArgumentsOfEveryKind) {
  fs::path lower = MakeLayer("1.tar", "1");
  fs::path upper = TarBuilder().File("d/f", "2").File("g", "2").Save(scratch_ / "2.tar");
  fs::path image = scratch_ / "x.img";
  PackLayers({lower}, image);
  EXPECT_EQ(ResolveImage(image).path, image);
  EXPECT_EQ(ResolveImage(lower).path.parent_path(), scratch_ / "xdg/zrun/images");
  fs::path both = ResolveImage(lower.string() + "," + upper.string()).path;
  PackLayers({lower, upper}, image);
  EXPECT_EQ(ReadText(both), ReadText(image));
  EXPECT_NE(ErrorOf("no-such").find("no image 'no-such'"), std::string::npos);
  EXPECT_NE(ErrorOf(lower.string() + ",").find("empty layer"), std::string::npos);
  EXPECT_NE(ErrorOf("/dev/null"), "no error");
}

// ZRUN_IMAGE_PATH while it lives.
class ImagePath {
 public:
  explicit ImagePath(const std::string& folders) {
    const char* variable = getenv("ZRUN_IMAGE_PATH");
    if (variable != nullptr) previous_ = variable;
    setenv("ZRUN_IMAGE_PATH", folders.c_str(), 1);
  }
  ImagePath(const ImagePath&) = delete;
  ImagePath& operator=(const ImagePath&) = delete;
  ~ImagePath() { setenv("ZRUN_IMAGE_PATH", previous_.c_str(), 1); }

 private:
  std::string previous_;
};

TEST_F(ResolveTest, RecipesCheckTheirFile) {
  EXPECT_TRUE(IsRecipe("alpine"));
  for (const Recipe& recipe : AllRecipes()) EXPECT_TRUE(IsRecipe(recipe.name));
  Recipe alpine = FindRecipe("alpine");
  const ImagePath path("/nowhere:" + scratch_.path().string());
  WriteText(scratch_ / alpine.file, "something else");
  EXPECT_NE(ErrorOf("alpine").find("its SHA-256 is"), std::string::npos);
  Cache cache;
  EXPECT_THROW(BuildRecipe(cache, "alpine", {.from = MakeLayer("x.tar", "1")}), ImageError);
  EXPECT_THROW(BuildRecipe(cache, "no-such"), ImageError);
}

TEST_F(ResolveTest, BuildsARecipeFromALocalFile) {
  const fs::path archive = MakeLayer("little.tar", "1");
  Recipe recipe;
  recipe.name = "little";
  recipe.tag = "1";
  recipe.url = "https://nowhere.invalid/little.tar";
  recipe.file = archive.filename();
  recipe.sha256 = Sha256OfFile(OpenFile(archive, O_RDONLY).get(), archive);
  Cache cache;
  const fs::path image = [&] {
    const ImagePath path("/nowhere:" + scratch_.path().string());
    return BuildRecipe(cache, recipe).path;
  }();
  EXPECT_EQ(ResolveImage(archive).path, image);
  EXPECT_EQ(RunCommand("fsck.erofs " + image.string()).status, 0);
  EXPECT_EQ(BuildRecipe(cache, recipe).path, image);  // without the file: it is built already
  TarBuilder().File("usr/bin/tool", "#!/bin/sh").Save(scratch_ / "tool.tar");
  EXPECT_NE(ResolveImage((archive.string() + "," + (scratch_ / "tool.tar").string())).path, image);
}

}  // namespace
}  // namespace zrun::images
