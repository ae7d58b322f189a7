#include <algorithm>

#include "images/cache.h"
#include "images/error.h"
#include "images/progress.h"
#include "images/recipe.h"

namespace zrun::images {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> SplitLayers(const std::string& argument) {
  std::vector<std::string> layers;
  for (size_t start = 0; start <= argument.size();) {
    size_t comma = std::min(argument.find(',', start), argument.size());
    if (comma == start) throw ImageError("image '" + argument + "' has an empty layer");
    layers.push_back(argument.substr(start, comma - start));
    start = comma + 1;
  }
  return layers;
}

}  // namespace

bool NamesImage(const std::string& argument) {
  std::error_code ignored;
  return IsRecipe(argument) || fs::exists(argument, ignored);
}

fs::path ResolveLayer(Cache& cache, const std::string& argument) {
  std::error_code ignored;
  fs::file_status status = fs::status(argument, ignored);
  // A recipe's name means the recipe, whatever folders lie about; ./NAME means the folder.
  if (!fs::is_regular_file(status) && IsRecipe(argument)) return BuildRecipe(cache, argument).path;
  if (fs::exists(status)) return argument;
  throw ImageError("no image '" + argument +
                   "': neither a file or directory nor a name that 'zrun images' lists");
}

ResolvedImage ResolveImage(const std::string& argument) {
  std::error_code ignored;
  Cache cache;
  std::vector<std::string> names{argument};
  if (!fs::exists(argument, ignored)) names = SplitLayers(argument);
  std::vector<fs::path> layers;
  for (const std::string& name : names) layers.push_back(ResolveLayer(cache, name));
  if (layers.size() == 1 && IsImage(layers.front())) return OpenImage(layers.front());
  ProgressBar bar("packing " + fs::path(argument).filename().string());
  PackOptions options;
  options.progress = [&](uint64_t done, uint64_t total) { bar.Show(done, total); };
  return cache.Pack(layers, options);
}

}  // namespace zrun::images
