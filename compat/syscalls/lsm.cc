// Security modules: there are only capabilities, which have no attributes (<linux/lsm.h>).
#include "compat/syscall_table.h"
#include "compat/task.h"

namespace zrun::compat {

SyscallResult sys_lsm_list_modules(Task& task, UserPtr<uint64_t> ids, UserPtr<uint32_t> size,
                                   uint32_t flags) {
  constexpr uint64_t kCapability = 100;  // LSM_ID_CAPABILITY
  if (flags != 0) return Errno::kEINVAL;
  UserMemory memory = task.memory();
  const uint32_t room = TRY(memory.Read(size.as<const uint32_t>()));
  TRY(memory.Write(size, uint32_t{sizeof(kCapability)}));
  if (room < sizeof(kCapability)) return Errno::kE2BIG;
  TRY(memory.Write(ids, kCapability));
  return 1;
}

SyscallResult sys_lsm_get_self_attr(Task& task, uint32_t attribute, UserAddr context,
                                    UserPtr<uint32_t> size, uint32_t flags) {
  constexpr uint32_t kSingle = 1;  // LSM_FLAG_SINGLE: of the module that |context| names
  if (attribute == 0 || !size || (flags & ~kSingle)) return Errno::kEINVAL;
  UserMemory memory = task.memory();
  TRY(memory.Read(size.as<const uint32_t>()));
  if (flags & kSingle) {
    if (!context.address) return Errno::kEINVAL;
    const auto wanted = TRY(memory.Read(UserPtr<const abi::LsmContext>(context.address)));
    if (wanted.module == 0) return Errno::kEINVAL;
  }
  TRY(memory.Write(size, uint32_t{0}));
  return Errno::kEOPNOTSUPP;
}

SyscallResult sys_lsm_set_self_attr(Task& task, uint32_t attribute,
                                    UserPtr<const abi::LsmContext> context, uint32_t size,
                                    uint32_t flags) {
  static_cast<void>(attribute);
  if (flags != 0 || size < sizeof(abi::LsmContext)) return Errno::kEINVAL;
  if (size > hal::kPageSize) return Errno::kE2BIG;
  const auto given = TRY(task.memory().Read(context));
  if (given.length > size || given.text_length > size ||
      given.length < sizeof(abi::LsmContext) + given.text_length)
    return Errno::kEINVAL;
  return Errno::kEOPNOTSUPP;
}

}  // namespace zrun::compat
