#pragma once
#include "base/string.h"
#include "vfs/file_system.h"

namespace zrun::vfs {

// A name in a tree, cached: (parent, component) -> Vnode, or nothing (negative). Linux: struct
// dentry.
class Dentry;
// A file system (or a subtree of one), attached at a place in a namespace. Linux: struct mount.
class Mount;

// Where something is. What chdir, open and every *at call deal in. Linux: struct path.
struct Path {
  RefPtr<Mount> mount;
  RefPtr<Dentry> dentry;
  explicit operator bool() const { return bool(dentry); }
  RefPtr<Vnode> vnode() const;  // null if the name names nothing
  friend bool operator==(const Path&, const Path&) = default;
};

}  // namespace zrun::vfs

#include "vfs/dentry.h"
#include "vfs/mount.h"
