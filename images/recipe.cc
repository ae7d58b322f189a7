#include "images/recipe.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "images/error.h"
#include "images/progress.h"
#include "images/sha256.h"

namespace zrun::images {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string TagOf(std::string_view text) {
  Sha256 hash;
  hash.Update(text);
  return hash.FinishHex();
}

const EmbeddedRecipe* FindText(const std::string& name) {
  auto it = std::ranges::find(kEmbeddedRecipes, name, &EmbeddedRecipe::name);
  return it == kEmbeddedRecipes.end() ? nullptr : &*it;
}

// {"path": ..., and one of "link", "text" (a list of lines), "copy_of", "directory": true};
// with "names", a list, one of these for each name below the path
Addition ParseAddition(const json& item) {
  Addition addition;
  addition.path = item.at("path");
  std::string mode = item.value("mode", item.contains("directory") ? "0755" : "0644");
  addition.mode = uint32_t(std::stoul(mode, nullptr, 8));
  addition.gid = item.value("gid", 0u);
  if (item.contains("link")) {
    addition.mode = S_IFLNK | 0777;
    addition.text = item.at("link");
  } else if (item.contains("directory")) {
    addition.mode |= S_IFDIR;
  } else {
    addition.mode |= S_IFREG;
    addition.copy_of = item.value("copy_of", "");
    for (const json& line : item.value("text", json::array())) {
      addition.text += line.get<std::string>() + "\n";
    }
  }
  return addition;
}

std::vector<Addition> ParseAdditions(const json& recipe, const char* key) {
  std::vector<Addition> additions;
  for (const json& item : recipe.value(key, json::array())) {
    const Addition addition = ParseAddition(item);
    if (!item.contains("names")) additions.push_back(addition);
    for (const std::string& name : item.value("names", std::vector<std::string>{})) {
      additions.push_back(addition);
      additions.back().path += '/' + name;
    }
  }
  return additions;
}

Recipe Parse(const EmbeddedRecipe& embedded) {
  json text = json::parse(embedded.text);
  Recipe recipe;
  recipe.name = embedded.name;
  recipe.tag = TagOf(embedded.text);
  recipe.description = text.at("description");
  recipe.options.keep_directory_symlinks = text.value("keep_directory_symlinks", false);
  recipe.options.leave_out = text.value("leave_out", std::vector<std::string>{});
  recipe.options.additions_mtime = text.value("mtime", int64_t{0});
  recipe.options.before = ParseAdditions(text, "before");
  recipe.options.after = ParseAdditions(text, "after");
  if (text.contains("download")) {
    const json& download = text.at("download");
    recipe.url = download.at("url");
    recipe.file = fs::path(recipe.url).filename().string();
    recipe.sha256 = download.at("sha256");
  } else {
    const json& debian = text.at("debian");
    recipe.architecture = debian.at("architecture");
    recipe.suite = debian.value("suite", "");
    recipe.expected_package = debian.at("expected_package");
    recipe.packages = debian.at("packages");
  }
  return recipe;
}

void CheckDigest(const Recipe& recipe, const fs::path& file) {
  UniqueFd fd = OpenFile(file, O_RDONLY);
  std::string found = Sha256OfFile(fd.get(), file.string());
  if (found == recipe.sha256) return;
  throw ImageError("'" + file.string() + "' is not what the recipe '" + recipe.name +
                   "' asks for: its SHA-256 is " + found + ", not " + recipe.sha256);
}

fs::path FindLocal(const std::string& file) {
  const char* variable = getenv("ZRUN_IMAGE_PATH");
  std::string folders = variable != nullptr ? variable : "";
  while (!folders.empty()) {
    size_t colon = std::min(folders.find(':'), folders.size());
    fs::path candidate = fs::path(folders.substr(0, colon)) / file;
    folders.erase(0, colon + 1);
    std::error_code ignored;
    if (fs::is_regular_file(candidate, ignored)) return candidate;
  }
  return {};
}

// Removed at the end, and by the next build if this one is killed.
class BuildFolder {
 public:
  BuildFolder(const Cache& cache, const std::string& name)
      : path_(cache.root() / "build" / name),
        lock_(cache.Lock(cache.root() / "build", "waiting for another zrun that builds an image")) {
    Remove();
    fs::create_directories(path_);
  }
  BuildFolder(const BuildFolder&) = delete;
  BuildFolder& operator=(const BuildFolder&) = delete;
  ~BuildFolder() { Remove(); }

  const fs::path& path() const { return path_; }

 private:
  void Remove() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }

  fs::path path_;
  UniqueFd lock_;
};

std::vector<fs::path> PackagesIn(const fs::path& folder) {
  std::vector<fs::path> packages;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".deb") packages.push_back(entry.path());
  }
  std::ranges::sort(packages);
  return packages;
}

void CheckRelease(const Recipe& recipe, const std::vector<fs::path>& packages) {
  for (const fs::path& package : packages) {
    if (package.filename().string().starts_with(recipe.expected_package)) return;
  }
  throw ImageError("recipe '" + recipe.name + "' needs the packages of another Debian release: " +
                   "there is no " + recipe.expected_package + "*.deb");
}

// Plain archives share an image with those that are run by their file's name.
std::string VariantOf(const Recipe& recipe) {
  const PackOptions& options = recipe.options;
  const bool is_plain =
      options.before.empty() && options.after.empty() && options.leave_out.empty();
  return is_plain ? "" : recipe.tag;
}

ResolvedImage Pack(Cache& cache, const Recipe& recipe, const std::vector<fs::path>& layers) {
  ProgressBar bar("packing " + recipe.name);
  PackOptions options = recipe.options;
  options.progress = [&](uint64_t done, uint64_t total) { bar.Show(done, total); };
  return cache.Pack(layers, options, VariantOf(recipe));
}

ResolvedImage Build(Cache& cache, const Recipe& recipe, const BuildOptions& how) {
  const fs::path& from = how.from;
  if (!recipe.packages.empty()) {
    BuildFolder folder(cache, recipe.name);
    std::vector<fs::path> packages =
        PackagesIn(from.empty() ? FetchDebianPackages(recipe, folder.path()) : from);
    CheckRelease(recipe, packages);
    return Pack(cache, recipe, packages);
  }
  if (from.empty() && !how.rebuild) {
    if (auto image = cache.FindArchive(recipe.sha256, VariantOf(recipe))) return std::move(*image);
  }
  fs::path local = from.empty() ? FindLocal(recipe.file) : from;
  if (!local.empty()) {
    CheckDigest(recipe, local);
    return Pack(cache, recipe, {local});
  }
  BuildFolder folder(cache, recipe.name);
  fs::path file = folder.path() / recipe.file;
  Download(recipe.url, file);
  CheckDigest(recipe, file);
  return Pack(cache, recipe, {file});
}

std::optional<ResolvedImage> FindBuilt(Cache& cache, const std::string& name,
                                       const std::string& tag, const BuildOptions& options) {
  if (options.rebuild || !options.from.empty()) return std::nullopt;
  return cache.FindName(name, tag);
}

}  // namespace

bool IsRecipe(const std::string& name) { return FindText(name) != nullptr; }

Recipe FindRecipe(const std::string& name) {
  const EmbeddedRecipe* text = FindText(name);
  if (text == nullptr) throw ImageError("no recipe '" + name + "'");
  return Parse(*text);
}

std::vector<Recipe> AllRecipes() {
  std::vector<Recipe> recipes;
  for (const EmbeddedRecipe& text : kEmbeddedRecipes) recipes.push_back(Parse(text));
  return recipes;
}

ResolvedImage BuildRecipe(Cache& cache, const Recipe& recipe, const BuildOptions& options) {
  if (auto image = FindBuilt(cache, recipe.name, recipe.tag, options)) return std::move(*image);
  ResolvedImage image = Build(cache, recipe, options);
  cache.SetName(recipe.name, recipe.tag, image);
  return image;
}

ResolvedImage BuildRecipe(Cache& cache, const std::string& name, const BuildOptions& options) {
  const EmbeddedRecipe* text = FindText(name);
  if (text == nullptr) throw ImageError("no recipe '" + name + "'");
  // Each start of a container comes here: the recipe's text is read only to build it.
  if (auto image = FindBuilt(cache, name, TagOf(text->text), options)) return std::move(*image);
  return BuildRecipe(cache, Parse(*text), options);
}

}  // namespace zrun::images
