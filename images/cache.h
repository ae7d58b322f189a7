#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "images/file.h"
#include "images/pack.h"

namespace zrun::images {

struct ResolvedImage {
  UniqueFd fd;  // open for reading; stays good when the cache drops the image
  std::filesystem::path path;
};

// Opens an EROFS image; ImageError if it is none, is cut short or has a broken superblock.
ResolvedImage OpenImage(const std::filesystem::path& path);
bool IsImage(const std::filesystem::path& path);

// Images that were packed once, below $XDG_CACHE_HOME/zrun:
//   images/ID.img, ID.json  ID is a hash of the layers' contents; the description is for people
//   index/KEY               the ID for layers as stat(2) saw them, so that they need not be read
//                           again
//   names/NAME              the ID of a built recipe, and the recipe's hash
//   build/                  what a recipe needs while it is built
// Everything is published by rename. Images in use are locked (flock(2), shared). Whoever writes
// holds the lock, so temporary files found under it are stale.
class Cache {
 public:
  struct Image {
    std::string id;
    std::filesystem::path path;
    uint64_t size = 0;
    int64_t created = 0;
    std::vector<std::string> layers;
    std::vector<std::string> names;
  };

  // Without |root|, the place that the environment names.
  explicit Cache(std::filesystem::path root = DefaultRoot());
  static std::filesystem::path DefaultRoot();

  const std::filesystem::path& root() const { return root_; }

  // The image of these layers, packed if it is not there yet. |variant| tells apart different
  // options.
  ResolvedImage Pack(const std::vector<std::filesystem::path>& layers, PackOptions options = {},
                     const std::string& variant = {});

  // The image of one archive, known by its SHA-256, if it has been packed.
  std::optional<ResolvedImage> FindArchive(const std::string& sha256,
                                           const std::string& variant = {}) const;

  // Names given to images; |tag| must be what it was when the name was set. An image that loses its
  // only name is removed.
  std::optional<ResolvedImage> FindName(const std::string& name, const std::string& tag) const;
  void SetName(const std::string& name, const std::string& tag, const ResolvedImage& image);

  std::vector<Image> List() const;
  // By name, ID or a beginning of it (at least four digits); bytes freed. ImageError if there is
  // none.
  uint64_t Remove(const std::string& name_or_id);

  struct Pruned {
    std::vector<Image> removed;
    std::vector<Image> in_use;  // by a zrun that runs, so kept
    uint64_t bytes_freed = 0;   // what builds that were killed had left is in it
  };
  // Removes what nobody uses and |keep| does not ask for.
  Pruned Prune(const std::function<bool(const Image&)>& keep);

  // Held until it is closed. |folder| is locked, made if missing.
  UniqueFd Lock(const std::filesystem::path& folder, const std::string& waiting) const;

 private:
  std::filesystem::path ImagePath(const std::string& id) const;
  std::optional<ResolvedImage> TryOpen(const std::string& id) const;
  UniqueFd LockImages() const;
  void RemoveStaleFiles() const;
  void RemoveLocked(const Image& image);
  uint64_t RemoveBuilds() const;

  std::filesystem::path root_;
};

// What one LAYER means on a command line: a file or directory, or the image of a recipe, built if
// need be.
std::filesystem::path ResolveLayer(Cache& cache, const std::string& argument);

// Whether an argument is a file, a directory or a recipe's name.
bool NamesImage(const std::string& argument);

// What IMAGE means on a command line: an EROFS image; one or more layers, separated by commas (the
// last on top); or the name of a recipe, built if need be. Shows progress (ProgressBar).
ResolvedImage ResolveImage(const std::string& argument);

}  // namespace zrun::images
