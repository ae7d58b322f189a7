#include "compat/exec.h"

#include <algorithm>

#include "compat/abi/arch.h"
#include "hal/devices.h"
#include "vfs/leases.h"
#include "vfs/namei.h"
#include "vfs/notify.h"

namespace zrun::compat {

using namespace abi;
using loader::Image;

namespace {

constexpr int kMaxScripts = 5;
constexpr uint32_t kMayExecute = 1, kMayRead = 4;

std::string_view BaseName(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace

Result<DenyWrites> DenyWrites::Of(RefPtr<vfs::Vnode> vnode) {
  if (!vnode->AddExecutor()) return Errno::kETXTBSY;
  DenyWrites deny;
  deny.vnode_ = std::move(vnode);
  return deny;
}

ExecPlan::~ExecPlan() = default;

Result<RefPtr<vfs::FileDescription>> OpenExecutable(const vfs::WalkContext& context,
                                                    std::string_view path, vfs::WalkFlags flags) {
  const vfs::Path found = TRY(vfs::Walk(context, path, flags));
  auto vnode = found.vnode();
  if (!vnode) return Errno::kENOENT;
  if (vnode->type() == vfs::VnodeType::kSymlink) return Errno::kELOOP;
  if (vnode->type() != vfs::VnodeType::kRegular) return Errno::kEACCES;
  // A memfd lies on no mount.
  if (found.mount && HasAny(found.mount->flags(), vfs::MountFlags::kNoExec)) return Errno::kEACCES;
  TRY(vfs::CheckAccess(context.credentials, found, kMayExecute));
  // Whoever may execute it need not be allowed to read it.
  auto file = TRY(vnode->Open(found, vfs::OpenFlags::kReadOnly));
  while (const auto wait = TRY(vfs::BreakLeases(*vnode, false, true))) {
    const auto waited = Task::Current().WaitFor(*wait, Signals::kSignaled, wait->deadline());
    if (!waited.ok() && waited.error() != Errno::kETIMEDOUT) return waited.error();
  }
  vfs::NotifyFile(found, vfs::NotifyEvent::kOpen);
  file->NoteOpened();
  return file;
}

Result<OwnPtr<ExecPlan>> ExecPlan::Prepare(const Source& source, ExecArguments arguments) {
  auto plan = TRY(MakeOwned<ExecPlan>());
  plan->arguments_ = std::move(arguments);
  plan->name_ = TRY(String::Create(source.name));
  plan->comm_ = TextBuffer<15>(source.comm.empty() ? BaseName(source.name) : source.comm);
  TRY(plan->FollowScripts(source));
  TRY(plan->OpenInterpreter(source));
  TRY(plan->ComputeCredentials(source));
  return plan;
}

// Until a program is found that is one.
Result<void> ExecPlan::FollowScripts(const Source& source) {
  RefPtr<vfs::FileDescription> file = source.file;
  String path = TRY(String::Create(source.name));
  for (int depth = 0;; depth++) {
    DenyWrites deny = TRY(DenyWrites::Of(file->path().vnode()));
    std::array<std::byte, loader::kScriptHead> head;
    const size_t size = TRY(loader::ReadFile(*file, 0, head));
    const std::span<const std::byte> bytes = std::span(head).first(size);
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), size);
    auto script = TRY(loader::ParseScript(text, size < head.size()));
    if (!script) {
      program_ = TRY(loader::ReadImage(std::move(file), bytes, kElfMachine, kUserTop));
      deny_writes_ = std::move(deny);
      return {};
    }
    if (depth == kMaxScripts) return Errno::kELOOP;
    if (!source.script_reachable) return Errno::kENOENT;
    // interpreter [argument] path arguments...: the path stands in for what the caller, or the
    // script's own script, called it.
    if (depth == 0) {
      arguments_.arguments.DropFirst();
    } else {
      front_.Erase(0);
    }
    TRY(front_.Insert(0, TRY(path.Clone())));
    if (!script->argument.empty()) TRY(front_.Insert(0, TRY(String::Create(script->argument))));
    TRY(front_.Insert(0, TRY(String::Create(script->interpreter))));
    path = TRY(String::Create(script->interpreter));
    file = TRY(OpenExecutable(source.context, path, vfs::WalkFlags::kNone));
  }
}

Result<void> ExecPlan::OpenInterpreter(const Source& source) {
  if (!program_.layout.interpreter) return {};
  const String path = TRY(loader::ReadInterpreterPath(program_));
  if (path.empty()) return Errno::kEACCES;  // the directory one is in, to Linux: no program
  auto file = TRY(OpenExecutable(source.context, path, vfs::WalkFlags::kNone));
  std::array<std::byte, loader::kScriptHead> head;
  const size_t size = TRY(loader::ReadFile(*file, 0, head));
  if (size < sizeof(loader::ElfHeader)) return Errno::kEIO;
  auto image =
      loader::ReadImage(std::move(file), std::span(head).first(size), kElfMachine, kUserTop);
  if (!image.ok()) return image.error() == Errno::kENOEXEC ? Errno::kELIBBAD : image.error();
  interpreter_.emplace(std::move(image).value());
  return {};
}

// ---- Rights: set-id bits, file capabilities, root (capabilities(7)).
namespace {

struct FileCapabilities {
  uint64_t permitted = 0, inheritable = 0;
  bool effective = false;
};

// struct vfs_cap_data and vfs_ns_cap_data
Result<std::optional<FileCapabilities>> ReadFileCapabilities(vfs::Vnode& vnode) {
  std::array<uint32_t, 6> words{};
  auto got = vnode.GetXattr("security.capability", std::as_writable_bytes(std::span(words)));
  if (!got.ok()) return std::optional<FileCapabilities>();
  constexpr uint32_t kRevisionMask = 0xff000000, kRevision2 = 0x02000000, kRevision3 = 0x03000000;
  const uint32_t revision = words[0] & kRevisionMask;
  const bool known = (revision == kRevision2 && got.value() == 20) ||
                     (revision == kRevision3 && got.value() == 24);
  if (!known) return Errno::kEINVAL;
  FileCapabilities capabilities;
  capabilities.permitted = words[1] | uint64_t{words[3]} << 32;
  capabilities.inheritable = words[2] | uint64_t{words[4]} << 32;
  capabilities.effective = words[0] & 1;
  return std::optional<FileCapabilities>(capabilities);
}

constexpr uint32_t kSecureNoRoot = 1 << 0, kSecureKeepCaps = 1 << 4;

}  // namespace

Result<void> ExecPlan::ComputeCredentials(const Source& source) {
  const vfs::Credentials& old = source.context.credentials;
  credentials_ = TRY(old.Clone());
  vfs::Credentials& next = *credentials_;
  const vfs::Path& path = program_.file->path();
  auto vnode = path.vnode();
  const vfs::Attributes attributes = TRY(vnode->GetAttributes());
  const bool may_gain = !source.no_new_privs &&
                        !(path.mount && HasAny(path.mount->flags(), vfs::MountFlags::kNoSuid));
  if (may_gain && (attributes.mode & vfs::kModeSetUid)) next.euid = attributes.uid;
  constexpr uint32_t kGroupExecute = 010;
  if (may_gain && (attributes.mode & vfs::kModeSetGid) && (attributes.mode & kGroupExecute))
    next.egid = attributes.gid;
  const bool id_changed = next.euid != old.euid || next.egid != old.egid;
  const bool is_setid = next.euid != old.uid || next.egid != old.gid;

  std::optional<FileCapabilities> file;
  if (may_gain) file = TRY(ReadFileCapabilities(*vnode));
  const bool has_file_capabilities = file.has_value();
  bool effective = file && file->effective;
  const bool root_rules = !(old.securebits & kSecureNoRoot);
  if (root_rules && (next.uid == 0 || next.euid == 0) &&
      !(has_file_capabilities && next.uid != 0)) {
    file = FileCapabilities{~uint64_t{0}, ~uint64_t{0}, next.euid == 0};
    effective = next.euid == 0;
  }
  if (has_file_capabilities || (id_changed && is_setid)) next.cap_ambient = 0;
  next.cap_permitted = next.cap_ambient;
  if (file) {
    next.cap_permitted |=
        (file->permitted & old.cap_bounding) | (file->inheritable & old.cap_inheritable);
    if (has_file_capabilities && effective &&
        (file->permitted & ~next.cap_permitted & ((uint64_t{1} << 41) - 1)) && next.uid != 0)
      return Errno::kEPERM;
  }
  // Of a program that others can confuse a user gains nothing (Linux: LSM_UNSAFE_SHARE).
  if (source.shares_fs && (is_setid || (next.cap_permitted & ~old.cap_permitted))) {
    if (!old.Has(vfs::Capability::kSetUid)) {
      next.euid = next.uid;
      next.egid = next.gid;
    }
    next.cap_permitted &= old.cap_permitted;
  }
  next.cap_effective = effective ? next.cap_permitted : next.cap_ambient;
  next.securebits &= ~kSecureKeepCaps;
  next.suid = next.fsuid = next.euid;
  next.sgid = next.fsgid = next.egid;

  const bool real_root = next.uid == 0;
  secure_ = is_setid || (!real_root && (effective || (next.cap_permitted & ~next.cap_ambient)));
  clear_death_signal_ = secure_ || id_changed;
  unreadable_ = id_changed || !vfs::CheckAccess(old, path, kMayRead).ok();
  return {};
}

void ExecPlan::InstallCredentials(Task& task) {
  if (clear_death_signal_) task.parent_death_signal.store(0);
  task.SetCredentials(std::move(credentials_));
}

}  // namespace zrun::compat
