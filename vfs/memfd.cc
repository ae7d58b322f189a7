#include "vfs/memfd.h"

#include "base/text.h"
#include "vfs/ramfs/ramfs.h"
#include "vfs/vnode_file.h"

namespace zrun::vfs {
namespace {

// <linux/memfd.h>
constexpr uint32_t kCloseOnExec = 1, kAllowSealing = 2, kHugeTlb = 4, kNoExecSeal = 8, kExec = 16;
constexpr uint32_t kHugeSizes = 63u << 26;
constexpr uint32_t kSealExec = 0x20;  // F_SEAL_EXEC

}  // namespace

Result<RefPtr<FileDescription>> CreateMemfd(std::string_view name, uint32_t flags,
                                            FileOwner owner) {
  constexpr uint32_t kKnown = kCloseOnExec | kAllowSealing | kHugeTlb | kNoExecSeal | kExec;
  if (flags & ~(kKnown | (flags & kHugeTlb ? kHugeSizes : 0))) return Errno::kEINVAL;
  if ((flags & kNoExecSeal) && (flags & kExec)) return Errno::kEINVAL;
  if (flags & kHugeTlb) return Errno::kENODEV;
  const bool sealable = flags & (kAllowSealing | kNoExecSeal);
  const uint32_t mode = flags & kNoExecSeal ? 0666 : 0777;
  RefPtr<Vnode> vnode = TRY(CreateMemfdVnode(mode, owner.uid, owner.gid, sealable));
  if (flags & kNoExecSeal) TRY(vnode->AddSeals(kSealExec));
  const TextBuffer<280> text("/memfd:", name, " (deleted)");  // as /proc/PID/fd shows it
  Path path;
  path.dentry = TRY(Dentry::CreateDetached(std::move(vnode), text.view()));
  // Linux does not count it as a writer: programs write one into it and execute it.
  return VnodeFile::CreateUncounted(path, OpenFlags::kReadWrite | OpenFlags::kLargeFile);
}

}  // namespace zrun::vfs
