#include "images/fingerprint.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <ctime>

#include "images/error.h"
#include "images/file.h"
#include "images/pack.h"
#include "images/sha256.h"

namespace zrun::images {
namespace {

namespace fs = std::filesystem;

// File systems stamp with the clock of the last timer tick.
constexpr int64_t kFreshNanoseconds = 50'000'000;

int64_t Nanoseconds(const timespec& time) {
  return int64_t(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

void AddNumber(Sha256& hash, uint64_t number) { hash.Update(&number, sizeof number); }

void AddText(Sha256& hash, const std::string& text) {
  AddNumber(hash, text.size());
  hash.Update(text);
}

class Stats {
 public:
  explicit Stats(Sha256& hash) : hash_(hash) {
    timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    now_ = Nanoseconds(now);
  }

  // Returns whether |path| is a directory.
  bool Add(const std::string& path, const std::string& name, bool follow, struct stat& info) {
    if ((follow ? stat(path.c_str(), &info) : lstat(path.c_str(), &info)) != 0) {
      throw SystemError("layer '" + path + "'");
    }
    AddText(hash_, name);
    for (uint64_t number :
         {uint64_t(info.st_dev), uint64_t(info.st_ino), uint64_t(info.st_mode),
          uint64_t(info.st_nlink), uint64_t(info.st_uid), uint64_t(info.st_gid),
          uint64_t(info.st_rdev), uint64_t(info.st_size), uint64_t(Nanoseconds(info.st_mtim)),
          uint64_t(Nanoseconds(info.st_ctim))}) {
      AddNumber(hash_, number);
    }
    // A time in the future tells nothing either.
    if (Nanoseconds(info.st_ctim) > now_ - kFreshNanoseconds) is_fresh_ = true;
    return S_ISDIR(info.st_mode);
  }

  // Everything below a directory; as the packer, not across mount points.
  void AddBelow(const std::string& folder, const struct stat& folder_info) {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      names.push_back(entry.path().filename().string());
    }
    if (error) throw ImageError("cannot list '" + folder + "': " + error.message());
    std::ranges::sort(names);
    AddNumber(hash_, names.size());
    for (const std::string& name : names) {
      struct stat info;
      if (Add(folder + "/" + name, name, false, info) && info.st_dev == folder_info.st_dev) {
        AddBelow(folder + "/" + name, info);
      }
    }
  }

  bool is_fresh() const { return is_fresh_; }

 private:
  Sha256& hash_;
  int64_t now_ = 0;
  bool is_fresh_ = false;
};

}  // namespace

Identity IdentityOf(const std::vector<fs::path>& layers, const std::string& variant) {
  Sha256 hash;
  AddNumber(hash, kPackerVersion);
  AddText(hash, variant);
  Stats stats(hash);
  for (const fs::path& layer : layers) {
    struct stat info;
    std::string path = fs::absolute(layer);
    if (stats.Add(path, path, true, info)) stats.AddBelow(path, info);
  }
  return {hash.FinishHex(), stats.is_fresh()};
}

std::string ContentOfFile(const std::string& sha256, const std::string& variant) {
  Sha256 hash;
  AddNumber(hash, kPackerVersion);
  AddText(hash, variant);
  AddText(hash, sha256);
  return hash.FinishHex();
}

std::string ContentOf(const std::vector<fs::path>& layers, const std::string& variant) {
  Sha256 hash;
  AddNumber(hash, kPackerVersion);
  AddText(hash, variant);
  for (const fs::path& layer : layers) {
    std::error_code error;
    if (fs::is_directory(layer, error)) {
      AddText(hash, "directory " + IdentityOf({layer}, {}).key);
    } else {
      UniqueFd fd = OpenFile(layer, O_RDONLY);
      AddText(hash, Sha256OfFile(fd.get(), layer.string()));
    }
  }
  return hash.FinishHex();
}

}  // namespace zrun::images
