#include "vfs/memfd.h"

#include "compat/file_params.h"
#include "compat/owner.h"
#include "compat/syscall_table.h"
#include "compat/task.h"

namespace zrun::compat {

SyscallResult sys_memfd_create(Task& task, UserCString name, MemfdFlags flags) {
  constexpr size_t kNameMax = 249;  // NAME_MAX less "memfd:"
  constexpr uint32_t kHugeSizeShift = 26;
  using enum MemfdFlags;
  const auto size_bits = HasAny(flags, kHugeTlb) ? MemfdFlags(63u << kHugeSizeShift) : MemfdFlags{};
  if (!HasOnly(flags, kCloseOnExec | kAllowSealing | kHugeTlb | kNoExecSeal | kExec | size_bits) ||
      HasAll(flags, kNoExecSeal | kExec))
    return Errno::kEINVAL;
  const auto text = task.memory().ReadString(name, kNameMax + 1);
  if (!text.ok()) return text.error() == Errno::kENAMETOOLONG ? Errno::kEINVAL : text.error();
  auto file = TRY(vfs::CreateMemfd(text.value(), uint32_t(flags), OwnerOf(*task.credentials())));
  return task.InstallFile(std::move(file), HasAny(flags, kCloseOnExec));
}

}  // namespace zrun::compat
