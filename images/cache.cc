#include "images/cache.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>
#include <sstream>

#include "images/crc32c.h"
#include "images/erofs_format.h"
#include "images/error.h"
#include "images/fingerprint.h"
#include "images/progress.h"
#include "images/sha256.h"

namespace zrun::images {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> ReadSmallFile(const fs::path& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.is_valid()) return std::nullopt;
  char buffer[256];
  return std::string(buffer, ReadFully(fd.get(), buffer, sizeof buffer, 0, path.string()));
}

std::string Absolute(const fs::path& path) { return fs::absolute(path).lexically_normal(); }

// EROFS superblock of an open file, if it has one.
std::optional<erofs::SuperBlock> ReadSuperBlock(int fd, const fs::path& path, std::string& block) {
  block.resize(erofs::kBlockSize - erofs::kSuperOffset);
  size_t size = ReadFully(fd, block.data(), block.size(), erofs::kSuperOffset, path.string());
  erofs::SuperBlock super;
  if (size < sizeof super) return std::nullopt;
  memcpy(&super, block.data(), sizeof super);
  if (super.magic != erofs::kMagic) return std::nullopt;
  return super;
}

}  // namespace

bool IsImage(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return false;
  UniqueFd fd = OpenFile(path, O_RDONLY);
  std::string block;
  return ReadSuperBlock(fd.get(), path, block).has_value();
}

ResolvedImage OpenImage(const fs::path& path) {
  ResolvedImage image{OpenFile(path, O_RDONLY), path};
  // In use, as long as any process has it open. Only Cache::Prune() locks otherwise, for a moment.
  flock(image.fd.get(), LOCK_SH);
  std::string where = "image '" + path.string() + "'";
  std::string block;
  auto super = ReadSuperBlock(image.fd.get(), path, block);
  if (!super) throw ImageError(where + " is not an EROFS image");
  if (super->block_bits != erofs::kBlockBits) {
    throw ImageError(where + " does not have blocks of 4096 bytes");
  }
  if (super->feature_compat & erofs::kCompatSuperChecksum) {
    memset(block.data() + offsetof(erofs::SuperBlock, checksum), 0, sizeof super->checksum);
    if (Crc32c(block) != super->checksum) {
      throw ImageError(where + " is broken: wrong checksum of the superblock");
    }
  }
  struct stat info;
  if (fstat(image.fd.get(), &info) != 0) throw SystemError(where);
  if (uint64_t(info.st_size) < uint64_t(super->blocks) * erofs::kBlockSize) {
    throw ImageError(where + " is truncated: " + std::to_string(info.st_size) + " bytes of " +
                     std::to_string(uint64_t(super->blocks) * erofs::kBlockSize));
  }
  return image;
}

fs::path Cache::DefaultRoot() {
  // The XDG specification has relative paths ignored.
  if (const char* home = getenv("XDG_CACHE_HOME"); home != nullptr && *home == '/') {
    return fs::path(home) / "zrun";
  }
  if (const char* home = getenv("HOME"); home != nullptr && *home == '/') {
    return fs::path(home) / ".cache/zrun";
  }
  if (const passwd* user = getpwuid(getuid())) return fs::path(user->pw_dir) / ".cache/zrun";
  throw ImageError("no place for packed images: set XDG_CACHE_HOME or HOME");
}

Cache::Cache(fs::path root) : root_(std::move(root)) {}

fs::path Cache::ImagePath(const std::string& id) const { return root_ / "images" / (id + ".img"); }

std::optional<ResolvedImage> Cache::TryOpen(const std::string& id) const {
  fs::path path = ImagePath(id);
  if (access(path.c_str(), F_OK) != 0) return std::nullopt;
  try {
    ResolvedImage image = OpenImage(path);
    struct stat info;
    if (fstat(image.fd.get(), &info) != 0 || info.st_nlink == 0)
      return std::nullopt;  // just pruned
    return image;
  } catch (const ImageError&) {
    return std::nullopt;  // as after a crash of the machine: it is packed again
  }
}

UniqueFd Cache::Lock(const fs::path& folder, const std::string& waiting) const {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw ImageError("cannot create '" + folder.string() + "': " + error.message());
  UniqueFd fd = OpenFile(folder, O_RDONLY | O_DIRECTORY);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (!ProgressBar::IsSilenced()) fprintf(stderr, "zrun: %s\n", waiting.c_str());
  while (flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) throw SystemError("cannot lock '" + folder.string() + "'");
  }
  return fd;
}

UniqueFd Cache::LockImages() const {
  UniqueFd lock = Lock(root_ / "images", "waiting for another zrun that packs an image");
  for (const char* folder : {"index", "names"}) {
    std::error_code error;
    fs::create_directories(root_ / folder, error);
    if (error) throw ImageError("cannot create '" + (root_ / folder).string() + "'");
  }
  RemoveStaleFiles();
  return lock;
}

// Those of NewFile, where the file system has no O_TMPFILE.
void Cache::RemoveStaleFiles() const {
  for (const char* folder : {"images", "index", "names"}) {
    std::error_code error;
    for (auto it = fs::directory_iterator(root_ / folder, error);
         !error && it != fs::directory_iterator(); it.increment(error)) {
      if (it->path().filename().string().starts_with(".")) unlink(it->path().c_str());
    }
  }
}

ResolvedImage Cache::Pack(const std::vector<fs::path>& layers, PackOptions options,
                          const std::string& variant) {
  Identity before = IdentityOf(layers, variant);
  fs::path index = root_ / "index" / before.key;
  if (auto id = ReadSmallFile(index)) {
    if (auto image = TryOpen(*id)) return std::move(*image);
  }
  UniqueFd lock = LockImages();
  std::string id = ContentOf(layers, variant);
  auto image = TryOpen(id);
  if (!image) {
    std::vector<std::string> names;
    for (const fs::path& layer : layers) names.push_back(Absolute(layer));
    PackLayers(layers, ImagePath(id), options);
    if (IdentityOf(layers, variant).key != before.key) {
      unlink(ImagePath(id).c_str());
      throw ImageError("a layer changed while it was packed");
    }
    nlohmann::json description = {{"created", time(nullptr)}, {"layers", names}};
    WriteFileAtomically(root_ / "images" / (id + ".json"), description.dump());
    image = OpenImage(ImagePath(id));
  }
  if (!before.is_fresh) WriteFileAtomically(index, id);
  return std::move(*image);
}

std::optional<ResolvedImage> Cache::FindArchive(const std::string& sha256,
                                                const std::string& variant) const {
  return TryOpen(ContentOfFile(sha256, variant));
}

std::optional<ResolvedImage> Cache::FindName(const std::string& name,
                                             const std::string& tag) const {
  auto contents = ReadSmallFile(root_ / "names" / name);
  if (!contents) return std::nullopt;
  std::istringstream words(*contents);
  std::string id;
  std::string found;
  if (!(words >> id >> found) || found != tag) return std::nullopt;
  return TryOpen(id);
}

void Cache::SetName(const std::string& name, const std::string& tag, const ResolvedImage& image) {
  UniqueFd lock = LockImages();
  std::string id = image.path.stem().string();
  std::vector<Image> images = List();
  WriteFileAtomically(root_ / "names" / name, id + " " + tag);
  // What an older recipe made is of no use once it has lost its only name.
  for (const Image& old : images) {
    if (old.id != id && old.names == std::vector{name}) RemoveLocked(old);
  }
}

std::vector<Cache::Image> Cache::List() const {
  std::vector<Image> images;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(root_ / "images", error)) {
    if (entry.path().extension() != ".img") continue;
    Image image;
    image.id = entry.path().stem().string();
    image.path = entry.path();
    image.size = entry.file_size(error);
    fs::path description = root_ / "images" / (image.id + ".json");
    if (fs::exists(description, error)) {
      auto json = nlohmann::json::parse(ReadFile(description), nullptr, false);
      if (json.is_object()) {
        image.created = json.value("created", int64_t{0});
        image.layers = json.value("layers", image.layers);
      }
    }
    images.push_back(std::move(image));
  }
  for (const auto& entry : fs::directory_iterator(root_ / "names", error)) {
    auto contents = ReadSmallFile(entry.path());
    for (Image& image : images) {
      if (contents && contents->starts_with(image.id + " ")) {
        image.names.push_back(entry.path().filename().string());
      }
    }
  }
  std::ranges::sort(images, std::greater<>(), [](const Image& i) { return i.created; });
  return images;
}

uint64_t Cache::Remove(const std::string& name_or_id) {
  std::vector<Image> images = List();
  std::vector<Image> found;
  for (const Image& image : images) {
    bool is_named = std::ranges::find(image.names, name_or_id) != image.names.end();
    if (is_named || (name_or_id.size() >= 4 && image.id.starts_with(name_or_id))) {
      found.push_back(image);
    }
  }
  if (found.empty()) throw ImageError("no packed image '" + name_or_id + "'");
  if (found.size() > 1) throw ImageError("'" + name_or_id + "' names more than one image");
  UniqueFd lock = LockImages();
  RemoveLocked(found.front());
  return found.front().size;
}

Cache::Pruned Cache::Prune(const std::function<bool(const Image&)>& keep) {
  Pruned pruned;
  UniqueFd lock = LockImages();
  for (Image& image : List()) {
    if (keep(image)) continue;
    UniqueFd fd(open(image.path.c_str(), O_RDONLY | O_CLOEXEC));
    if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      pruned.in_use.push_back(std::move(image));
      continue;
    }
    RemoveLocked(image);
    pruned.bytes_freed += image.size;
    pruned.removed.push_back(std::move(image));
  }
  pruned.bytes_freed += RemoveBuilds();
  return pruned;
}

uint64_t Cache::RemoveBuilds() const {
  const fs::path folder = root_ / "build";
  UniqueFd lock(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return 0;  // there is none, or one is under way
  uint64_t bytes = 0;
  std::error_code ignored;
  for (const auto& entry : fs::recursive_directory_iterator(folder, ignored))
    if (!entry.is_symlink() && entry.is_regular_file()) bytes += entry.file_size(ignored);
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    fs::remove_all(entry.path(), ignored);
  }
  return bytes;
}

void Cache::RemoveLocked(const Image& image) {
  for (const char* folder : {"names", "index"}) {
    for (const auto& entry : fs::directory_iterator(root_ / folder)) {
      auto contents = ReadSmallFile(entry.path());
      if (contents && contents->starts_with(image.id)) unlink(entry.path().c_str());
    }
  }
  unlink((root_ / "images" / (image.id + ".json")).c_str());
  if (unlink(image.path.c_str()) != 0) throw SystemError("cannot remove '" + image.id + "'");
}

}  // namespace zrun::images
