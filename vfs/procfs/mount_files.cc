#include "vfs/namei.h"
#include "vfs/procfs/proc_entry.h"

// /proc/PID/mounts, mountinfo and mountstats: the mounts that the reader can name.
namespace zrun::vfs {
namespace {

// What would end a field is written as an octal escape.
void AppendField(TextSink& out, std::string_view text) {
  for (char c : text) {
    if (c == ' ' || c == '\t' || c == '\n' || c == '\\') {
      Write(out, '\\', Octal{uint8_t(c), 3});
    } else {
      Write(out, c);
    }
  }
}

void AppendMountOptions(TextSink& out, MountFlags flags, bool read_only) {
  out.Append(read_only ? "ro" : "rw");
  if (HasAny(flags, MountFlags::kNoSuid)) out.Append(",nosuid");
  if (HasAny(flags, MountFlags::kNoDev)) out.Append(",nodev");
  if (HasAny(flags, MountFlags::kNoExec)) out.Append(",noexec");
  if (HasAny(flags, MountFlags::kNoAtime)) out.Append(",noatime");
  if (HasAny(flags, MountFlags::kNoDirAtime)) out.Append(",nodiratime");
  if (HasAny(flags, MountFlags::kRelAtime)) out.Append(",relatime");
}

// Where a mount is seen: "" if the reader cannot see it.
Result<String> PlaceOf(const ProcRequest& request, Mount& mount) {
  return request.source.NameOf({RefPtr<Mount>(&mount), mount.root()}, true);
}

// |show| gets each visible mount and its place.
template <typename Show>
Result<void> ForEachMount(const ProcRequest& request, Show show) {
  const auto mounts = TRY(request.source.Mounts(request.id));
  if (!mounts) return Errno::kESRCH;
  const auto all = TRY(mounts->List());
  for (const auto& mount : all) {
    const String place = TRY(PlaceOf(request, *mount));
    if (!place.empty()) show(*mount, place.view());
  }
  return {};
}

}  // namespace

Result<void> ShowMounts(const ProcRequest& request, TextSink& out) {
  return ForEachMount(request, [&](Mount& mount, std::string_view place) {
    AppendField(out, mount.source());
    out.Append(" ");
    AppendField(out, place);
    Write(out, ' ', mount.file_system().type_name(), ' ');
    AppendMountOptions(out, mount.flags(), mount.is_read_only());
    mount.file_system().ShowOptions(out);
    out.Append(" 0 0\n");
  });
}

Result<void> ShowMountInfo(const ProcRequest& request, TextSink& out) {
  return ForEachMount(request, [&](Mount& mount, std::string_view place) {
    const Path parent = mount.mount_point();
    const uint64_t device = mount.file_system().device();
    Write(out, mount.id(), ' ', parent.mount ? parent.mount->id() : mount.id(), ' ',
          DeviceMajor(device), ':', DeviceMinor(device), ' ');
    const auto root = RootWithin(mount);
    AppendField(out, root.ok() ? root.value().view() : "/");
    out.Append(" ");
    AppendField(out, place);
    out.Append(" ");
    AppendMountOptions(out, mount.flags(), HasAny(mount.flags(), MountFlags::kReadOnly));
    Write(out, " - ", mount.file_system().type_name(), ' ');
    AppendField(out, mount.source());
    out.Append(mount.file_system().is_read_only() ? " ro" : " rw");
    mount.file_system().ShowOptions(out);
    out.Append("\n");
  });
}

Result<void> ShowMountStats(const ProcRequest& request, TextSink& out) {
  return ForEachMount(request, [&](Mount& mount, std::string_view place) {
    out.Append("device ");
    AppendField(out, mount.source());
    out.Append(" mounted on ");
    AppendField(out, place);
    Write(out, " with fstype ", mount.file_system().type_name(), '\n');
  });
}

RefPtr<ChangeNotice> MountChanges(const ProcRequest& request) {
  const auto mounts = request.source.Mounts(request.id);
  return mounts.ok() && mounts.value() ? mounts.value()->changes() : nullptr;
}

}  // namespace zrun::vfs
