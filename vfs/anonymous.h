#pragma once
#include "vfs/path.h"

// Files without a name: pipes, sockets, event and timer files.
namespace zrun::vfs {

// Who a new anonymous file belongs to (the maker's fsuid and fsgid).
struct FileOwner {
  uint32_t uid = 0, gid = 0;
};

// What opening an anonymous file again makes, where that is possible; lives for ever.
class Reopener {
 public:
  virtual Result<RefPtr<FileDescription>> Reopen(const Path& path, OpenFlags flags) = 0;

 protected:
  ~Reopener() = default;
};

// A detached dentry with a vnode of its own, which answers fstat, fchmod and fchown. What
// /proc/self/fd shows is |name|; for a FIFO or a socket (by |mode|) "name:[inode]". |mode| without
// a type is what anon_inode files have. Opening it again (through /proc) gives ENXIO, except for a
// pipe, whose vnode keeps |endpoint|, and where there is a |reopener|.
Result<Path> MakeAnonymousPath(std::string_view name, uint32_t mode, FileOwner owner = {},
                               RefPtr<KernelObject> endpoint = nullptr,
                               Reopener* reopener = nullptr);

}  // namespace zrun::vfs
