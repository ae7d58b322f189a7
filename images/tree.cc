#include "images/tree.h"

#include <sys/stat.h>

#include <algorithm>

#include "images/erofs_format.h"
#include "images/error.h"

namespace zrun::images {
namespace {

constexpr size_t kPathMax = 4095;  // PATH_MAX without its NUL
constexpr int kDepthMax = 2048;    // what a path of that length can name
constexpr int kLinksMax = 40;      // as Linux
constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";

std::vector<std::string> Split(std::string_view path) {
  std::vector<std::string> components;
  while (!path.empty()) {
    size_t slash = std::min(path.find('/'), path.size());
    std::string_view name = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (name.empty() || name == ".") continue;
    if (name.size() > erofs::kNameMax) throw ImageError("a name is longer than 255 bytes");
    components.emplace_back(name);
  }
  return components;
}

// A name that begins with '/' is meant from the image's root, as tar(1) extracts it.
std::vector<std::string> SplitEntry(std::string_view path) {
  if (path.empty()) throw ImageError("its name is empty");
  if (path.size() > kPathMax) throw ImageError("its name is longer than 4095 bytes");
  if (path.find('\0') != path.npos) throw ImageError("its name holds a NUL byte");
  std::vector<std::string> components = Split(path);
  if (std::ranges::find(components, "..") != components.end()) {
    throw ImageError("its name has a '..' component");
  }
  return components;
}

std::shared_ptr<Inode> MakeDirectory(Timestamp mtime) {
  auto inode = std::make_shared<Inode>();
  inode->mode = S_IFDIR | 0755;
  inode->mtime = mtime;
  return inode;
}

void CopyAttributes(const Inode& from, Inode& to) {
  to.mode = from.mode;
  to.uid = from.uid;
  to.gid = from.gid;
  to.mtime = from.mtime;
  to.xattrs = from.xattrs;
}

}  // namespace

Tree::Tree(ErofsWriter& writer, bool keep_directory_symlinks, std::vector<std::string> leave_out)
    : writer_(writer),
      keep_directory_symlinks_(keep_directory_symlinks),
      leave_out_(std::move(leave_out)) {
  root_.inode = MakeDirectory({});
  root_.inode->parent = root_.inode.get();
}

Inode* Tree::Walk(const Components& components, bool create, Timestamp mtime) {
  Components todo(components.rbegin(), components.rend());
  Inode* current = root_.inode.get();
  int links = 0;
  while (!todo.empty()) {
    std::string name = std::move(todo.back());
    todo.pop_back();
    if (name == "..") {
      current = current->parent;
      continue;
    }
    auto it = current->names.find(name);
    if (it == current->names.end()) {
      if (!create) return nullptr;
      current = AddName(*current, name, MakeDirectory(mtime)).inode.get();
      continue;
    }
    Inode* inode = it->second.inode.get();
    if (S_ISDIR(inode->mode)) {
      if (create) it->second.layer = layer_;
      current = inode;
    } else if (S_ISLNK(inode->mode)) {
      if (++links > kLinksMax) throw ImageError("too many symbolic links on the way");
      if (inode->target.starts_with('/')) current = root_.inode.get();
      Components target = Split(inode->target);
      todo.insert(todo.end(), target.rbegin(), target.rend());
    } else {
      if (!create) return nullptr;
      throw ImageError("its parent '" + name + "' is not a directory");
    }
  }
  return current;
}

Inode::Name& Tree::AddName(Inode& directory, const std::string& name,
                           std::shared_ptr<Inode> inode) {
  if (S_ISDIR(inode->mode)) {
    if (directory.depth >= kDepthMax) throw ImageError("directories are nested too deep");
    inode->parent = &directory;
    inode->depth = directory.depth + 1;
  }
  Inode::Name& entry = directory.names[name];
  entry = {std::move(inode), layer_};
  return entry;
}

void Tree::Remove(Inode::Name& name) {
  Inode& inode = *name.inode;
  for (auto& [child_name, child] : inode.names) Remove(child);
  if (S_ISREG(inode.mode) && name.inode.use_count() == 1) {
    writer_.Free(inode.first_block, inode.size);
  }
  name.inode.reset();  // another link in the same directory is then seen to be the last
}

void Tree::RemoveLowerLayers(Inode& directory) {
  for (auto it = directory.names.begin(); it != directory.names.end();) {
    if (it->second.layer < layer_) {
      Remove(it->second);
      it = directory.names.erase(it);
    } else {
      RemoveLowerLayers(*it->second.inode);
      ++it;
    }
  }
}

Inode* Tree::Add(std::string_view path, std::shared_ptr<Inode> inode) {
  Components components = SplitEntry(path);
  bool is_directory = S_ISDIR(inode->mode);
  if (components.empty()) {
    if (!is_directory) throw ImageError("the root must be a directory");
    CopyAttributes(*inode, root());
    return &root();
  }
  std::string name = std::move(components.back());
  components.pop_back();
  Inode* parent = Walk(components, true, inode->mtime);
  auto existing = parent->names.find(name);
  if (existing != parent->names.end()) {
    Inode& old = *existing->second.inode;
    if (is_directory && S_ISDIR(old.mode)) {
      existing->second.layer = layer_;
      CopyAttributes(*inode, old);
      return &old;
    }
    if (is_directory && S_ISLNK(old.mode) && keep_directory_symlinks_) {
      components.push_back(name);
      if (Inode* directory = Walk(components, false, {})) return directory;
    }
    Remove(existing->second);
    parent->names.erase(existing);
  }
  return AddName(*parent, name, std::move(inode)).inode.get();
}

void Tree::AddLink(std::string_view path, std::string_view target, Timestamp mtime) {
  Components components = SplitEntry(path);
  Components target_components = SplitEntry(target);
  if (components.empty()) throw ImageError("the root must be a directory");
  std::shared_ptr<Inode> inode = Find(target);
  if (inode == nullptr) {
    throw ImageError("its hard link target '" + std::string(target) + "' does not exist");
  }
  if (S_ISDIR(inode->mode)) {
    throw ImageError("its hard link target '" + std::string(target) + "' is a directory");
  }
  std::string name = std::move(components.back());
  components.pop_back();
  Inode* parent = Walk(components, true, mtime);
  auto existing = parent->names.find(name);
  if (existing != parent->names.end()) {
    if (existing->second.inode != inode) Remove(existing->second);
    parent->names.erase(existing);
  }
  // Removing a directory may have taken the target with it; |inode| then lives on without a name of
  // its own.
  AddName(*parent, name, std::move(inode));
}

bool Tree::ApplyWhiteout(std::string_view path, Timestamp mtime) {
  while (path.ends_with('/')) path.remove_suffix(1);
  size_t slash = path.rfind('/');
  std::string_view last = slash == path.npos ? path : path.substr(slash + 1);
  if (!last.starts_with(kWhiteout)) return false;
  Components components = SplitEntry(path);
  components.pop_back();
  if (last == kOpaque) {
    RemoveLowerLayers(*Walk(components, true, mtime));
    return true;
  }
  // AUFS keeps more of its own under this prefix; none of it is the image's.
  std::string name(last.substr(kWhiteout.size()));
  if (name.starts_with(kWhiteout)) return true;
  if (name.empty() || name == "." || name == "..") {
    throw ImageError("it is a whiteout of no possible name");
  }
  Inode* parent = Walk(components, false, mtime);
  if (parent == nullptr) return true;
  auto it = parent->names.find(name);
  if (it == parent->names.end()) return true;
  if (it->second.layer < layer_) {
    Remove(it->second);
    parent->names.erase(it);
  } else {
    RemoveLowerLayers(*it->second.inode);
  }
  return true;
}

bool Tree::LeavesOut(std::string_view path) const {
  while (path.starts_with('/') || path.starts_with("./")) path.remove_prefix(path.find('/') + 1);
  return std::ranges::any_of(leave_out_, [&](const std::string& out) {
    return path.starts_with(out) && (path.size() == out.size() || path[out.size()] == '/');
  });
}

std::shared_ptr<Inode> Tree::Find(std::string_view path) {
  Components components = Split(path);
  if (components.empty()) return root_.inode;
  std::string name = std::move(components.back());
  components.pop_back();
  Inode* parent = Walk(components, false, {});
  if (parent == nullptr) return nullptr;
  auto it = parent->names.find(name);
  return it == parent->names.end() ? nullptr : it->second.inode;
}

void SetContents(ErofsWriter& writer, Inode& inode, std::string_view contents) {
  inode.size = contents.size();
  inode.first_block = writer.Allocate(inode.size);
  if (!contents.empty()) writer.Write(inode.first_block, 0, contents.data(), contents.size());
}

}  // namespace zrun::images
