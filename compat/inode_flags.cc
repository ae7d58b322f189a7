#include "compat/inode_flags.h"

#include "vfs/namei.h"
#include "vfs/permissions.h"

namespace zrun::compat {
namespace {

using vfs::InodeFlag;

enum : uint32_t {  // <linux/fs.h>
  kGetFlags = 0x80086601,
  kSetFlags = 0x40086602,
  kGetAttributes = 0x801c581f,
  kSetAttributes = 0x401c5820,
};

// struct fsxattr. Here there are flags only, of other values.
struct FsAttributes {
  uint32_t flags, extent_size, extents, project, cow_extent_size;
  uint8_t padding[8];
};
static_assert(sizeof(FsAttributes) == 28);

constexpr uint32_t kGuarded = InodeFlag::kImmutable | InodeFlag::kAppendOnly;
constexpr uint32_t kKnown = kGuarded | InodeFlag::kNoDump | InodeFlag::kNoAtime;

struct FlagPair {
  uint32_t flag, attribute;
};
constexpr FlagPair kPairs[] = {{InodeFlag::kImmutable, 8},
                               {InodeFlag::kAppendOnly, 0x10},
                               {InodeFlag::kNoAtime, 0x40},
                               {InodeFlag::kNoDump, 0x80}};

uint32_t ToAttributes(uint32_t flags) {
  uint32_t result = 0;
  for (const FlagPair& pair : kPairs)
    if (flags & pair.flag) result |= pair.attribute;
  return result;
}

Result<uint32_t> FromAttributes(const FsAttributes& attributes) {
  uint32_t rest = attributes.flags, flags = 0;
  for (const FlagPair& pair : kPairs) {
    if (rest & pair.attribute) flags |= pair.flag;
    rest &= ~pair.attribute;
  }
  if (rest || attributes.extent_size || attributes.project || attributes.cow_extent_size)
    return Errno::kEOPNOTSUPP;
  return flags;
}

SyscallResult Change(Task& task, vfs::FileDescription& file, uint32_t flags) {
  vfs::Vnode& vnode = *file.path().vnode();
  const uint32_t old = TRY(vnode.GetFlags());
  const auto& mount = file.path().mount;
  if (mount && mount->is_read_only()) return Errno::kEROFS;
  const auto who = task.credentials();
  if (!vfs::IsOwnerOrCapable(*who, TRY(vnode.GetOwnership()))) return Errno::kEPERM;
  if (((old ^ flags) & kGuarded) && !who->Has(vfs::Capability::kLinuxImmutable))
    return Errno::kEPERM;
  if (flags & ~kKnown) return Errno::kEOPNOTSUPP;
  TRY(vnode.SetFlags(flags));
  return 0;
}

}  // namespace

std::optional<SyscallResult> InodeFlagsRequest(Task& task, vfs::FileDescription& file,
                                               uint32_t request, uint64_t argument) {
  UserMemory memory = task.memory();
  const auto answer = [&]() -> SyscallResult {
    vfs::Vnode& vnode = *file.path().vnode();
    switch (request) {
      case kGetFlags:
        TRY(memory.Write(UserPtr<uint32_t>(argument), TRY(vnode.GetFlags())));
        return 0;
      case kSetFlags:
        return Change(task, file, TRY(memory.Read(UserPtr<const uint32_t>(argument))));
      case kGetAttributes: {
        FsAttributes attributes = {};
        attributes.flags = ToAttributes(TRY(vnode.GetFlags()));
        TRY(memory.Write(UserPtr<FsAttributes>(argument), attributes));
        return 0;
      }
      default: {
        const auto given = TRY(memory.Read(UserPtr<const FsAttributes>(argument)));
        return Change(task, file, TRY(FromAttributes(given)));
      }
    }
  };
  switch (request) {
    case kGetFlags:
    case kSetFlags:
    case kGetAttributes:
    case kSetAttributes:
      return answer();
    default:
      return std::nullopt;
  }
}

}  // namespace zrun::compat
