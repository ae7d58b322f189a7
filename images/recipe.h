#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "images/cache.h"

namespace zrun::images {

// How to make an image that zrun knows by name: a file of images/recipes/, carried inside the
// binary.
struct Recipe {
  std::string name;
  std::string description;
  std::string tag;  // a hash of the recipe: an image made by another version of it is not used
  PackOptions options;

  // Either one archive...
  std::string url;
  std::string file;
  std::string sha256;
  // ...or Debian packages, with all that they depend on.
  std::string architecture;
  std::string suite;  // another release of Debian than the machine's sources name; empty: theirs
  std::string expected_package;  // the beginning of a file name, which tells the right release
  std::vector<std::string> packages;
};

// The text of each, from CMake.
struct EmbeddedRecipe {
  std::string_view name;
  std::string_view text;
};
extern const std::vector<EmbeddedRecipe> kEmbeddedRecipes;

bool IsRecipe(const std::string& name);
Recipe FindRecipe(const std::string& name);  // ImageError if there is none
std::vector<Recipe> AllRecipes();

struct BuildOptions {
  // A local file to use instead of the download; for Debian packages, a folder of them.
  std::filesystem::path from = {};
  bool rebuild = false;
};

// The built image, which is looked up first.
ResolvedImage BuildRecipe(Cache& cache, const Recipe& recipe, const BuildOptions& options = {});
ResolvedImage BuildRecipe(Cache& cache, const std::string& name, const BuildOptions& options = {});

void Download(const std::string& url, const std::filesystem::path& to);
// With apt, below |folder|; the result is where the packages lie.
std::filesystem::path FetchDebianPackages(const Recipe& recipe,
                                          const std::filesystem::path& folder);

}  // namespace zrun::images
