#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace zrun::images {

// Layers as stat(2) sees them: changes whenever their contents may have.
struct Identity {
  std::string key;
  // A layer changed so short a time ago that another change might not show in its times.
  bool is_fresh = false;
};
Identity IdentityOf(const std::vector<std::filesystem::path>& layers, const std::string& variant);

// What ContentOf() gives for one file with this SHA-256.
std::string ContentOfFile(const std::string& sha256, const std::string& variant);
// A hash of what the layers hold. Directories count as stat(2) sees their files.
std::string ContentOf(const std::vector<std::filesystem::path>& layers, const std::string& variant);

}  // namespace zrun::images
