#include <CLI/CLI.hpp>
#include <memory>

#include "images/cache.h"
#include "images/progress.h"
#include "runtime-cli/commands.h"
#include "runtime-cli/usage.h"

namespace zrun {
namespace {

struct PackArguments {
  std::vector<std::string> layers;
  std::string output;
};

void Pack(const PackArguments& arguments) {
  images::Cache cache;
  std::vector<std::filesystem::path> layers;
  for (const std::string& layer : arguments.layers) {
    layers.push_back(images::ResolveLayer(cache, layer));
  }
  images::ProgressBar bar("packing " + arguments.output);
  images::PackOptions options;
  options.progress = [&](uint64_t done, uint64_t total) { bar.Show(done, total); };
  images::PackLayers(layers, arguments.output, options);
}

}  // namespace

void AddPackCommand(CLI::App& app) {
  auto arguments = std::make_shared<PackArguments>();
  CLI::App* command = app.add_subcommand("pack", "Pack layers into one image file");
  command->footer(
      "A layer is a tar archive (plain, .gz, .xz or .zst), a Debian package, a directory, an "
      "image\n"
      "that zrun packed, an image that 'docker save' or another tool saved (also an OCI image "
      "layout), or a\n"
      "name that 'zrun images' lists. Later layers lie on top of earlier "
      "ones;\n"
      "whiteouts (.wh.NAME, .wh..wh..opq) hide what is below.\n"
      "The image is an EROFS file system: 'zrun x.img -- COMMAND' runs it, Linux can mount it.\n\n"
      "  zrun pack alpine-minirootfs-3.20.3-x86_64.tar.gz tools.tar.zst -o x.img");
  command->add_option("LAYER", arguments->layers, "Layers, the lowest first")->required();
  command->add_option("-o,--output", arguments->output, "The image to write")->required();
  AddQuietFlag(*command);
  command->callback([arguments] { Pack(*arguments); });
}

}  // namespace zrun
