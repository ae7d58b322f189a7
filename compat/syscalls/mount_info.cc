// What is mounted: listmount(2), statmount(2).
#include <algorithm>

#include "compat/syscall_table.h"
#include "compat/task.h"
#include "vfs/namei.h"

namespace zrun::compat {
namespace {

using vfs::Mount;
using vfs::MountFlags;
using vfs::Path;

struct MountRequest {  // struct mnt_id_req, <linux/mount.h>
  uint32_t size, spare;
  uint64_t mount;
  uint64_t parameter;   // statmount: what is wanted; listmount: the last one known
  uint64_t name_space;  // 0: the caller's
};
constexpr uint32_t kFirstRequestSize = 24;
constexpr uint64_t kNamespaceId = 1;  // there is one
constexpr uint64_t kRootMount = ~uint64_t{0};

Result<MountRequest> ReadRequest(Task& task, UserAddr address) {
  const UserPtr<const std::byte> from(address.address);
  const uint32_t size = TRY(task.memory().Read(from.as<const uint32_t>()));
  if (size > hal::kPageSize) return Errno::kE2BIG;
  if (size < kFirstRequestSize) return Errno::kEINVAL;
  MountRequest request = {};
  const std::span<std::byte> bytes = std::as_writable_bytes(std::span(&request, 1));
  TRY(task.memory().ReadAll(bytes.first(std::min<size_t>(size, bytes.size())), from));
  for (size_t at = bytes.size(); at < size; at++)
    if (TRY(task.memory().Read(from.at(at))) != std::byte{}) return Errno::kE2BIG;
  if (request.spare != 0 || request.mount <= Mount::kFirstUniqueId) return Errno::kEINVAL;
  if (request.name_space != 0 && request.name_space != kNamespaceId) return Errno::kENOENT;
  return request;
}

// Its place as seen from |root|; empty if it is not below.
Result<String> PlaceBelow(Task& task, Mount& mount, const Path& root) {
  return vfs::NameOf({RefPtr<Mount>(&mount), mount.root()}, root, task.fs().mounts(),
                     vfs::IfUnreachable::kNoName);
}

Result<RefPtr<Mount>> FindMount(Task& task, uint64_t id) {
  for (const auto& mount : TRY(task.fs().mounts().List()))
    if (mount->unique_id() == id) return mount;
  return Errno::kENOENT;
}

struct MountFacts {  // struct statmount
  uint32_t size, options;
  uint64_t mask;
  uint32_t device_major, device_minor;
  uint64_t magic;
  uint32_t fs_flags, fs_type;
  uint64_t id, parent;
  uint32_t old_id, old_parent;
  uint64_t attributes, propagation, peer_group, master, propagate_from;
  uint32_t root, point;
  uint64_t name_space;
  uint32_t fs_subtype, source;
  uint64_t spare[48];
};
static_assert(sizeof(MountFacts) == 512);

enum : uint64_t {  // STATMOUNT_*
  kFileSystem = 1,
  kMount = 2,
  kPropagateFrom = 4,
  kRootWithin = 8,
  kPoint = 0x10,
  kType = 0x20,
  kNamespace = 0x40,
  kSource = 0x200,
};
constexpr uint64_t kTexts = kRootWithin | kPoint | kType | kSource;

uint64_t AttributesOf(MountFlags flags) {  // MOUNT_ATTR_*
  constexpr uint64_t kNoAtime = 0x10, kStrictAtime = 0x20, kNoDirAtime = 0x80;
  uint64_t result = uint64_t(flags) & 0xf;  // read-only, nosuid, nodev, noexec: as MS_*
  if (HasAny(flags, MountFlags::kNoAtime)) {
    result |= kNoAtime;
  } else if (!HasAny(flags, MountFlags::kRelAtime)) {
    result |= kStrictAtime;
  }
  if (HasAny(flags, MountFlags::kNoDirAtime)) result |= kNoDirAtime;
  return result;
}

void FillMount(Mount& mount, MountFacts& facts) {
  const Path place = mount.mount_point();
  Mount& parent = place.mount ? *place.mount : mount;
  facts.id = mount.unique_id();
  facts.parent = parent.unique_id();
  facts.old_id = uint32_t(mount.id());
  facts.old_parent = uint32_t(parent.id());
  facts.attributes = AttributesOf(mount.flags());
  facts.propagation = uint64_t(MountBits::kPrivate);
}

Result<void> FillFileSystem(vfs::FileSystem& file_system, MountFacts& facts) {
  facts.device_major = vfs::DeviceMajor(file_system.device());
  facts.device_minor = vfs::DeviceMinor(file_system.device());
  facts.magic = TRY(file_system.GetStatFs()).type;
  facts.fs_flags = file_system.is_read_only() ? 1 : 0;  // SB_RDONLY
  return {};
}

// Appends |text| and its end to |texts|: where it starts.
Result<uint32_t> AddText(Vector<char>& texts, std::string_view text) {
  const size_t start = texts.size();
  TRY(texts.Resize(start + text.size() + 1));
  std::copy(text.begin(), text.end(), texts.begin() + start);
  texts[start + text.size()] = 0;
  return uint32_t(start);
}

Result<void> FillTexts(Task& task, Mount& mount, uint64_t wanted, MountFacts& facts,
                       Vector<char>& texts) {
  if (wanted & kType) facts.fs_type = TRY(AddText(texts, mount.file_system().type_name()));
  if (wanted & kRootWithin) facts.root = TRY(AddText(texts, TRY(RootWithin(mount))));
  if (wanted & kPoint)
    facts.point = TRY(AddText(texts, TRY(PlaceBelow(task, mount, task.fs().root()))));
  if (wanted & kSource) facts.source = TRY(AddText(texts, mount.source()));
  return {};
}

}  // namespace

SyscallResult sys_statmount(Task& task, UserAddr request, UserPtr<std::byte> buffer, uint64_t size,
                            uint32_t flags) {
  if (flags != 0) return Errno::kEINVAL;
  const MountRequest asked = TRY(ReadRequest(task, request));
  const auto mount = TRY(FindMount(task, asked.mount));
  const Path root = task.fs().root();
  if (TRY(PlaceBelow(task, *mount, root)).empty() && !task.Has(vfs::Capability::kSysAdmin))
    return Errno::kEPERM;
  const uint64_t wanted = asked.parameter;
  MountFacts facts = {};
  Vector<char> texts;
  facts.mask = wanted & (kFileSystem | kMount | kPropagateFrom | kNamespace | kTexts);
  if (wanted & kFileSystem) TRY(FillFileSystem(mount->file_system(), facts));
  if (wanted & kMount) FillMount(*mount, facts);
  if (wanted & kNamespace) facts.name_space = kNamespaceId;
  TRY(FillTexts(task, *mount, wanted, facts, texts));
  const size_t known = std::min<uint64_t>(size, sizeof facts);
  if (wanted & kTexts && size < sizeof facts + texts.size()) return Errno::kEOVERFLOW;
  facts.size = uint32_t(known + texts.size());
  const auto bytes = std::as_bytes(std::span(&facts, 1));
  TRY(task.memory().WriteAll(buffer, bytes.first(known)));
  TRY(task.memory().WriteAll(buffer.at(sizeof facts), std::as_bytes(std::span<char>(texts))));
  return 0;
}

SyscallResult sys_listmount(Task& task, UserAddr request, UserPtr<uint64_t> mounts, uint64_t count,
                            uint32_t flags) {
  constexpr uint32_t kReverse = 1;
  constexpr uint64_t kMost = 1'000'000;
  if (flags & ~kReverse) return Errno::kEINVAL;
  if (count > kMost) return Errno::kEOVERFLOW;
  const MountRequest asked = TRY(ReadRequest(task, request));
  const uint64_t last = asked.parameter;
  if (last != 0 && last <= Mount::kFirstUniqueId) return Errno::kEINVAL;
  Path top = task.fs().root();
  if (asked.mount != kRootMount) {
    const auto mount = TRY(FindMount(task, asked.mount));
    if (TRY(PlaceBelow(task, *mount, top)).empty() && !task.Has(vfs::Capability::kSysAdmin))
      return Errno::kEPERM;
    top = {mount, mount->root()};
  }
  auto all = TRY(task.fs().mounts().List());
  const bool reverse = flags & kReverse;
  std::sort(all.begin(), all.end(), [&](const auto& a, const auto& b) {
    return reverse ? a->unique_id() > b->unique_id() : a->unique_id() < b->unique_id();
  });
  uint64_t told = 0;
  for (const auto& mount : all) {
    const uint64_t id = mount->unique_id();
    if (told == count) break;
    if (id == asked.mount || (last != 0 && (reverse ? id >= last : id <= last))) continue;
    if (TRY(PlaceBelow(task, *mount, top)).empty()) continue;
    TRY(task.memory().Write(mounts.at(told), id));
    told++;
  }
  return told;
}

}  // namespace zrun::compat
