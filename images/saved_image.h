#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "images/file.h"

namespace zrun::images {

// An image as container tools save it: what `docker save` and `podman save` write (manifest.json),
// or an OCI image layout (index.json), as a directory or a tar archive, which may be compressed.
struct SavedImage {
  struct Layer {
    std::filesystem::path path;  // to be opened; good as long as |files| is
    std::string name;            // for messages
  };
  std::vector<Layer> layers;    // the lowest first
  std::string config;           // see ImageConfig
  std::vector<UniqueFd> files;  // layers that were taken out of an archive
};

// Nothing if |path| is no such thing, a root file system for instance; ImageError if it is one that
// cannot be used: broken, or with more than one image for this machine's processor.
std::optional<SavedImage> OpenSavedImage(const std::filesystem::path& path);

// What the image's author wants run, and how. Kept in packed images as an extended attribute of the
// root: JSON, with the names and meanings of the OCI image specification's "config".
struct ImageConfig {
  std::vector<std::string> environment;  // NAME=VALUE
  std::vector<std::string> entrypoint, command;
  std::string working_directory, user;
};
inline constexpr const char* kConfigXattr = "trusted.zrun.config";
ImageConfig ParseConfig(const std::string& json);

// Of an image file; empty if it has none.
ImageConfig ReadConfig(const std::filesystem::path& image);

}  // namespace zrun::images
