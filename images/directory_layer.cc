#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include "images/error.h"
#include "images/layers.h"

namespace zrun::images {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> SortedNames(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  auto it = fs::directory_iterator(folder, error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  if (error) throw SystemError("cannot list it", error.value());
  std::ranges::sort(names);
  return names;
}

class DirectoryReader {
 public:
  DirectoryReader(Tree& tree, ErofsWriter& writer, fs::path root, fs::path place,
                  const ReadCallback& on_read)
      : tree_(tree),
        writer_(writer),
        root_(std::move(root)),
        place_(std::move(place)),
        on_read_(on_read) {}

  // Stays on the file system of the root: what is mounted below is an empty directory of the image.
  void Add(const std::string& name) {
    entry_ = name;
    fs::path path = root_ / name;
    struct stat info;
    // The root may be named by a symbolic link.
    int failed = name == "." ? stat(path.c_str(), &info) : lstat(path.c_str(), &info);
    if (failed) throw SystemError("cannot read it");
    if (name == ".") device_ = info.st_dev;
    Timestamp mtime{info.st_mtim.tv_sec, uint32_t(info.st_mtim.tv_nsec)};
    const std::string in_tree = (place_ / name).string();
    if (tree_.ApplyWhiteout(in_tree, mtime)) return;
    if (!S_ISDIR(info.st_mode) && info.st_nlink > 1) {
      auto [it, is_new] = links_.try_emplace({info.st_dev, info.st_ino}, in_tree);
      if (!is_new) {
        tree_.AddLink(in_tree, it->second, mtime);
        return;
      }
    }
    auto inode = std::make_shared<Inode>();
    inode->mode = info.st_mode;
    inode->uid = info.st_uid;
    inode->gid = info.st_gid;
    inode->mtime = mtime;
    inode->device = EncodeDevice(major(info.st_rdev), minor(info.st_rdev));
    ReadXattrs(path, *inode);
    if (S_ISLNK(info.st_mode)) inode->target = fs::read_symlink(path).string();
    tree_.Add(in_tree, inode);
    if (S_ISREG(info.st_mode)) ReadData(path, info, *inode);
    if (!S_ISDIR(info.st_mode) || info.st_dev != device_) return;
    for (const std::string& child : SortedNames(path)) {
      Add(name == "." ? child : name + "/" + child);
    }
  }

  const std::string& entry() const { return entry_; }

 private:
  static void ReadXattrs(const fs::path& path, Inode& inode) {
    ssize_t size = llistxattr(path.c_str(), nullptr, 0);
    if (size <= 0) return;  // the file system has none
    std::string list(size_t(size), '\0');
    size = llistxattr(path.c_str(), list.data(), list.size());
    if (size < 0) throw SystemError("cannot list its extended attributes");
    list.resize(size_t(size));
    for (size_t start = 0; start < list.size();) {
      std::string name = list.c_str() + start;
      start += name.size() + 1;
      // Labels of the host's security policy mean nothing in an image.
      if (name == "security.selinux") continue;
      std::string value(65536, '\0');
      ssize_t length = lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
      if (length < 0) throw SystemError("cannot read its extended attribute '" + name + "'");
      inode.xattrs[name] = value.substr(0, size_t(length));
    }
  }

  void ReadData(const fs::path& path, const struct stat& info, Inode& inode) {
    UniqueFd fd(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd.is_valid()) throw SystemError("cannot open it");
    CopyData(writer_, inode, fd.get(), 0, uint64_t(info.st_size), on_read_);
  }

  Tree& tree_;
  ErofsWriter& writer_;
  fs::path root_;
  fs::path place_;
  const ReadCallback& on_read_;
  dev_t device_ = 0;
  std::map<std::pair<dev_t, ino_t>, std::string> links_;
  std::string entry_;
};

}  // namespace

void AddDirectory(Tree& tree, ErofsWriter& writer, const fs::path& layer, const std::string& place,
                  const ReadCallback& on_read) {
  // Relative to the root, as names in archives are.
  DirectoryReader reader(tree, writer, layer, fs::path(place).relative_path(), on_read);
  try {
    reader.Add(".");
  } catch (const std::exception& error) {
    throw ImageError("layer '" + layer.string() + "': '" + reader.entry() + "': " + error.what());
  }
}

}  // namespace zrun::images
