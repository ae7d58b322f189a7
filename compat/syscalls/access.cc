// May the caller use a file?
#include "compat/path_argument.h"
#include "compat/syscall_table.h"

namespace zrun::compat {
namespace {

// access(2) asks for the real user, who has what capabilities that user's programs would get.
Result<RefPtr<const vfs::Credentials>> RealCredentials(const vfs::Credentials& current) {
  auto real = TRY(current.Clone());
  real->fsuid = current.uid;
  real->fsgid = current.gid;
  constexpr uint32_t kNoSetUidFixup = 1 << 2;  // SECBIT_NO_SETUID_FIXUP
  if (!(current.securebits & kNoSetUidFixup))
    real->cap_effective = current.uid == 0 ? current.cap_permitted : 0;
  return RefPtr<const vfs::Credentials>(std::move(real));
}

}  // namespace

SyscallResult sys_faccessat2(Task& task, Fd directory, UserCString path, AccessMask mask,
                             AtFlags flags) {
  using enum AccessMask;
  if (!HasOnly(mask, kRead | kWrite | kExecute)) return Errno::kEINVAL;
  if (!HasOnly(flags, AtFlags::kEffectiveIds | AtFlags::kSymlinkNoFollow | AtFlags::kEmptyPath))
    return Errno::kEINVAL;
  const auto argument =
      TRY(ReadPathArgument(task, directory, path, HasAny(flags, AtFlags::kEmptyPath)));
  const auto& own = argument.base.credentials;
  const auto credentials = HasAny(flags, AtFlags::kEffectiveIds) ? own : TRY(RealCredentials(*own));
  const vfs::WalkContext context{*credentials, argument.context().mounts, argument.context().root,
                                 argument.context().base};
  const vfs::Path place = argument.text.empty()
                              ? context.base
                              : TRY(vfs::Walk(context, argument.text, WalkFlagsOf(flags)));
  const auto vnode = place.vnode();
  if (!vnode) return Errno::kENOENT;
  if (HasAny(mask, kExecute) && vnode->type() == vfs::VnodeType::kRegular && place.mount &&
      HasAny(place.mount->flags(), vfs::MountFlags::kNoExec))
    return Errno::kEACCES;
  if (mask != kExists) TRY(vfs::CheckAccess(*credentials, place, uint32_t(mask)));
  return 0;
}

SyscallResult sys_faccessat(Task& task, Fd directory, UserCString path, AccessMask mask) {
  return sys_faccessat2(task, directory, path, mask, AtFlags::kNone);
}

SyscallResult sys_access(Task& task, UserCString path, AccessMask mask) {
  return sys_faccessat2(task, Fd{kAtFdCwd}, path, mask, AtFlags::kNone);
}

}  // namespace zrun::compat
