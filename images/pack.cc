#include "images/pack.h"

#include <sys/stat.h>

#include "images/erofs_writer.h"
#include "images/layers.h"
#include "images/saved_image.h"
#include "images/tree.h"

namespace zrun::images {
namespace {

void Add(Tree& tree, ErofsWriter& writer, const Addition& addition, int64_t mtime) {
  auto inode = std::make_shared<Inode>();
  inode->mode = addition.mode;
  inode->uid = addition.uid;
  inode->gid = addition.gid;
  inode->mtime.seconds = mtime;
  std::string contents = addition.text;
  if (S_ISLNK(addition.mode)) inode->target = addition.text;
  if (!addition.copy_of.empty()) {
    std::shared_ptr<Inode> source = tree.Find(addition.copy_of);
    if (source == nullptr || !S_ISREG(source->mode)) {
      throw ImageError("there is no file '" + addition.copy_of + "' to copy");
    }
    contents = writer.Read(source->first_block, source->size);
  }
  tree.Add(addition.path, inode);
  if (S_ISREG(addition.mode)) SetContents(writer, *inode, contents);
}

void AddAll(Tree& tree, ErofsWriter& writer, const std::vector<Addition>& additions,
            int64_t mtime) {
  tree.BeginLayer();
  for (const Addition& addition : additions) {
    try {
      Add(tree, writer, addition, mtime);
    } catch (const ImageError& error) {
      throw ImageError("'" + addition.path + "': " + error.what());
    }
  }
}

}  // namespace

void PackLayers(const std::vector<std::filesystem::path>& layers,
                const std::filesystem::path& output, const PackOptions& options) {
  uint64_t total = 0;
  for (const auto& layer : layers) total += LayerBytes(layer);
  uint64_t done = 0;
  ReadCallback on_read;
  if (options.progress) {
    on_read = [&](uint64_t bytes) { options.progress(done += bytes, total); };
  }
  ErofsWriter writer(output);
  Tree tree(writer, options.keep_directory_symlinks, options.leave_out);
  AddAll(tree, writer, options.before, options.additions_mtime);
  std::string config;
  for (const auto& layer : layers) {
    auto place = options.places.find(layer);
    AddLayer(tree, writer, layer, place == options.places.end() ? "" : place->second, on_read);
    // What lies on top may describe the root anew, without it.
    const auto& xattrs = tree.root().xattrs;
    if (auto found = xattrs.find(kConfigXattr); found != xattrs.end()) config = found->second;
  }
  if (!config.empty()) tree.root().xattrs[kConfigXattr] = config;
  AddAll(tree, writer, options.after, options.additions_mtime);
  writer.Finish(tree.root());
}

}  // namespace zrun::images
