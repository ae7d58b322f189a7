#pragma once
#include "vfs/path.h"

// Files without a name: pipes, sockets, event and timer files.
namespace zrun::vfs {

// Who a new anonymous file belongs to (the maker's fsuid and fsgid).
struct FileOwner {
  uint32_t uid = 0, gid = 0;
};

// A detached dentry with a vnode of its own, which answers fstat, fchmod and fchown. What
// /proc/self/fd shows is |name|; for a FIFO or a socket (by |mode|) "name:[inode]". |mode| without
// a type is what anon_inode files have. Opening it again (through /proc) gives ENXIO, except for a
// pipe, whose vnode keeps |endpoint|.
Result<Path> MakeAnonymousPath(std::string_view name, uint32_t mode, FileOwner owner = {},
                               RefPtr<KernelObject> endpoint = nullptr);

}  // namespace zrun::vfs
