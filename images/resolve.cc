#include <algorithm>

#include "images/cache.h"
#include "images/error.h"
#include "images/progress.h"
#include "images/recipe.h"

namespace zrun::images {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> SplitLayers(const std::string& argument) {
  std::vector<fs::path> layers;
  for (size_t start = 0; start <= argument.size();) {
    size_t comma = std::min(argument.find(',', start), argument.size());
    if (comma == start) throw ImageError("image '" + argument + "' has an empty layer");
    layers.emplace_back(argument.substr(start, comma - start));
    start = comma + 1;
  }
  return layers;
}

}  // namespace

ResolvedImage ResolveImage(const std::string& argument) {
  std::error_code ignored;
  fs::file_status status = fs::status(argument, ignored);
  if (fs::is_regular_file(status) && IsImage(argument)) return OpenImage(argument);
  Cache cache;
  // A recipe's name means the recipe, whatever folders lie about; ./NAME means the folder.
  if (!fs::is_regular_file(status) && IsRecipe(argument)) return BuildRecipe(cache, argument);

  std::vector<fs::path> layers;
  if (fs::exists(status)) {
    layers.emplace_back(argument);
  } else {
    layers = SplitLayers(argument);
    for (const fs::path& layer : layers) {
      if (fs::exists(layer, ignored)) continue;
      throw ImageError("no image '" + layer.string() +
                       "': neither a file or directory nor a name that 'zrun images' lists");
    }
  }
  ProgressBar bar("packing " + layers.front().filename().string());
  PackOptions options;
  options.progress = [&](uint64_t done, uint64_t total) { bar.Show(done, total); };
  return cache.Pack(layers, options);
}

}  // namespace zrun::images
