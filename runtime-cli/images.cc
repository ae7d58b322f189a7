#include <CLI/CLI.hpp>
#include <algorithm>
#include <ctime>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "images/cache.h"
#include "images/recipe.h"
#include "runtime-cli/commands.h"
#include "runtime-cli/usage.h"

namespace zrun {
namespace {

using nlohmann::json;

struct ImagesArguments {
  bool is_json = false;
  std::string name;
  images::BuildOptions build;
  std::vector<std::string> removed;
  bool remove_all = false;
  bool prune_all = false;
};

std::string HumanSize(uint64_t bytes) {
  char text[32];
  snprintf(text, sizeof text, "%.1f MiB", double(bytes) / (1 << 20));
  return text;
}

std::string HumanTime(int64_t seconds) {
  time_t time = seconds;
  tm parts{};
  char text[32];
  localtime_r(&time, &parts);
  return std::string(text, strftime(text, sizeof text, "%Y-%m-%d %H:%M", &parts));
}

void PrintLine(const std::string& name, const std::string& id, const std::string& size,
               const std::string& created, const std::string& from) {
  char text[96];
  snprintf(text, sizeof text, "%-20s %-12s %12s  %-16s  ", name.c_str(), id.c_str(), size.c_str(),
           created.c_str());
  std::cout << text << from << '\n';
}

std::string Joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    if (!text.empty()) text += ',';
    text += std::filesystem::path(name).filename().string();
  }
  return text;
}

// Recipes that are not built come last, so that the list tells what names there are.
void List(bool is_json) {
  std::vector<images::Cache::Image> cached = images::Cache().List();
  std::vector<images::Recipe> recipes = images::AllRecipes();
  json list = json::array();
  if (!is_json) PrintLine("NAME", "ID", "SIZE", "CREATED", "FROM");
  for (const auto& image : cached) {
    for (const std::string& name : image.names) {
      std::erase_if(recipes, [&](const auto& recipe) { return recipe.name == name; });
    }
    list.push_back({{"names", image.names},
                    {"id", image.id},
                    {"path", image.path.string()},
                    {"size", image.size},
                    {"created", image.created},
                    {"layers", image.layers}});
    if (is_json) continue;
    bool is_long = image.layers.size() > 4;
    PrintLine(image.names.empty() ? "-" : Joined(image.names), image.id.substr(0, 12),
              HumanSize(image.size), HumanTime(image.created),
              is_long ? std::to_string(image.layers.size()) + " layers" : Joined(image.layers));
  }
  for (const auto& recipe : recipes) {
    list.push_back(
        {{"names", {recipe.name}}, {"id", nullptr}, {"description", recipe.description}});
    if (!is_json) PrintLine(recipe.name, "-", "not built", "-", recipe.description);
  }
  if (is_json) std::cout << list.dump(2) << '\n';
}

void Build(const ImagesArguments& arguments) {
  images::Cache cache;
  images::ResolvedImage image = images::BuildRecipe(cache, arguments.name, arguments.build);
  std::cout << image.path.string() << '\n';
}

void Remove(const ImagesArguments& arguments) {
  images::Cache cache;
  std::vector<std::string> names = arguments.removed;
  if (arguments.remove_all) {
    for (const auto& image : cache.List()) names.push_back(image.id);
  }
  if (names.empty() && !arguments.remove_all) {
    throw images::ImageError("images rm: give names or IDs, or --all");
  }
  for (const std::string& name : names) {
    uint64_t freed = cache.Remove(name);
    std::cout << name << ": " << HumanSize(freed) << " freed\n";
  }
}

// Images with a name are what somebody asked for, as long as the recipe is still the same. The
// others are copies of archives, which can be packed again.
void Prune(bool all) {
  images::Cache cache;
  const auto keep = [&](const images::Cache::Image& image) {
    return !all && std::ranges::any_of(image.names, [&](const std::string& name) {
      if (!images::IsRecipe(name)) return false;
      return cache.FindName(name, images::FindRecipe(name).tag).has_value();
    });
  };
  const images::Cache::Pruned pruned = cache.Prune(keep);
  const auto tell = [](const char* what, const images::Cache::Image& image) {
    const std::string& from = image.names.empty() ? Joined(image.layers) : Joined(image.names);
    std::cout << what << image.id.substr(0, 12) << "  " << HumanSize(image.size) << "  " << from
              << '\n';
  };
  for (const auto& image : pruned.removed) tell("removed  ", image);
  for (const auto& image : pruned.in_use) tell("in use   ", image);
  std::cout << HumanSize(pruned.bytes_freed) << " freed\n";
}

}  // namespace

void AddImagesCommand(CLI::App& app) {
  auto arguments = std::make_shared<ImagesArguments>();
  CLI::App* command = app.add_subcommand("images", "List, build and remove images");
  command->footer(
      "Images are kept in $XDG_CACHE_HOME/zrun (or ~/.cache/zrun). Those with a name are made by\n"
      "recipes; the others are archives that were run and so packed once.\n\n"
      "  zrun images build alpine --from alpine-minirootfs-3.20.3-x86_64.tar.gz\n"
      "  zrun images build debian-gcc\n"
      "  zrun images prune");
  command->require_subcommand(0, 1);
  command->add_flag("--json", arguments->is_json, "Print JSON");
  command->callback([arguments, command] {
    if (command->get_subcommands().empty()) List(arguments->is_json);
  });

  CLI::App* list = command->add_subcommand("ls", "List images (the default)");
  list->add_flag("--json", arguments->is_json, "Print JSON");
  list->footer("  zrun images ls --json | jq -r '.[].path'");
  list->callback([arguments] { List(arguments->is_json); });

  CLI::App* build = command->add_subcommand("build", "Make an image by its recipe, print its path");
  build->add_option("NAME", arguments->name, "The recipe's name")->required();
  build->add_option("--from", arguments->build.from,
                    "A local file instead of the download; for Debian, a folder of packages");
  build->add_flag("--rebuild", arguments->build.rebuild, "Make it anew");
  AddQuietFlag(*build);
  build->footer(
      "Only the first time: the image is kept.\n\n"
      "  zrun images build debian-busybox\n"
      "  zrun images build alpine --from alpine-minirootfs-3.20.3-x86_64.tar.gz\n"
      "  image=$(zrun images build --quiet debian-gcc)");
  build->callback([arguments] { Build(*arguments); });

  CLI::App* remove = command->add_subcommand("rm", "Remove images");
  remove->add_option("NAME", arguments->removed, "Names, IDs or beginnings of IDs");
  remove->add_flag("--all", arguments->remove_all, "All of them");
  remove->footer("  zrun images rm alpine 1a73\n  zrun images rm --all");
  remove->callback([arguments] { Remove(*arguments); });

  CLI::App* prune = command->add_subcommand("prune", "Remove images that are not in use");
  prune->add_flag("--all", arguments->prune_all, "Those that recipes made, too");
  prune->footer(
      "Archives that were run are kept as packed, uncompressed copies. This removes those that no "
      "running zrun uses,\n"
      "images of recipes that have changed since, and what builds that were killed have left.\n\n"
      "  zrun images prune");
  prune->callback([arguments] { Prune(arguments->prune_all); });
}

}  // namespace zrun
