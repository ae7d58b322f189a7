#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "images/erofs_writer.h"
#include "images/inode.h"

namespace zrun::images {

// The tree that layers are merged into, by the rules of OCI image layers. Every name is resolved
// inside the tree, through its own symbolic links, so that no entry reaches outside. Errors are
// ImageErrors without the entry's name, which the caller adds.
class Tree {
 public:
  // With |keep_directory_symlinks|, an entry for a directory leaves a link to a directory in its
  // place, as dpkg does: packages that ship /bin/x then land in a merged /usr.
  Tree(ErofsWriter& writer, bool keep_directory_symlinks, std::vector<std::string> leave_out = {});

  Inode& root() { return *root_.inode; }

  // Whiteouts hide only what earlier layers brought.
  void BeginLayer() { ++layer_; }

  // Puts |inode| at |path|, making missing parents. Returns what stands there now: |inode|, or the
  // directory that was merged with it.
  Inode* Add(std::string_view path, std::shared_ptr<Inode> inode);
  // A hard link. |target| is relative to the root, with or without a leading slash.
  void AddLink(std::string_view path, std::string_view target, Timestamp mtime);
  // If |path| names a whiteout, applies it and returns true.
  bool ApplyWhiteout(std::string_view path, Timestamp mtime);
  // Whether |path| is, or lies in, what is to be left out.
  bool LeavesOut(std::string_view path) const;

  std::shared_ptr<Inode> Find(std::string_view path);

 private:
  using Components = std::vector<std::string>;

  Inode* Walk(const Components& components, bool create, Timestamp mtime);
  Inode::Name& AddName(Inode& directory, const std::string& name, std::shared_ptr<Inode> inode);
  void Remove(Inode::Name& name);
  void RemoveLowerLayers(Inode& directory);

  ErofsWriter& writer_;
  bool keep_directory_symlinks_;
  std::vector<std::string> leave_out_;
  Inode::Name root_;
  int layer_ = 0;
};

// Contents for a regular file of the tree.
void SetContents(ErofsWriter& writer, Inode& inode, std::string_view contents);

}  // namespace zrun::images
