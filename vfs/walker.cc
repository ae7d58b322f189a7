#include "vfs/walker.h"

#include "vfs/permissions.h"

namespace zrun::vfs {
namespace {

constexpr size_t kMaxPath = 4096;

}  // namespace

Result<void> Walker::Start(std::string_view path) {
  if (path.size() >= kMaxPath) return Errno::kENAMETOOLONG;
  if (path.empty() && !HasAny(flags_, WalkFlags::kEmptyPath)) return Errno::kENOENT;
  text_.rest = path;
  if (path.empty() || path.front() != '/') {
    place_ = context_.base;
    return {};
  }
  return JumpToRoot();
}

Result<void> Walker::JumpToRoot() {
  if (HasAny(flags_, WalkFlags::kBeneath)) return Errno::kEXDEV;
  const Path& here = place_ ? place_ : context_.base;
  if (HasAny(flags_, WalkFlags::kNoXdev) && here.mount != root().mount) return Errno::kEXDEV;
  place_ = root();
  return {};
}

Walker::Text& Walker::saved(size_t index) {
  return index < kInlineTexts ? saved_[index] : more_saved_[index - kInlineTexts];
}

Result<void> Walker::Push() {
  if (depth_ >= kInlineTexts) TRY(more_saved_.PushBack({}));
  saved(depth_++) = std::move(text_);
  text_ = Text{};
  return {};
}

void Walker::Pop() {
  text_ = std::move(saved(--depth_));
  if (depth_ >= kInlineTexts) more_saved_.PopBack();
}

// The next component of the current text; false at its end. Sets trailing_slash_ for the last one.
bool Walker::TakeComponent(std::string_view& component) {
  std::string_view& rest = text_.rest;
  size_t start = 0;
  while (start < rest.size() && rest[start] == '/') start++;
  size_t end = start;
  while (end < rest.size() && rest[end] != '/') end++;
  component = rest.substr(start, end - start);
  size_t next = end;
  while (next < rest.size() && rest[next] == '/') next++;
  trailing_slash_ = next > end && next == rest.size();
  rest = rest.substr(next);
  return !component.empty();
}

Result<void> Walker::ToLast() {
  for (;;) {
    std::string_view component;
    if (!TakeComponent(component)) {
      last_ = {};
      if (depth_ == 0) return {};
      Pop();
      continue;
    }
    if (text_.rest.empty() && depth_ == 0) {
      last_ = component;
      needs_directory_ = needs_directory_ || trailing_slash_;
      Vnode& directory = *place_.dentry->vnode();
      if (directory.type() != VnodeType::kDirectory) return Errno::kENOTDIR;
      return CheckSearch(context_.credentials, directory);
    }
    TRY(Step(component));
  }
}

Result<void> Walker::Step(std::string_view component) {
  Vnode& directory = *place_.dentry->vnode();
  if (directory.type() != VnodeType::kDirectory) return Errno::kENOTDIR;
  TRY(CheckSearch(context_.credentials, directory));
  if (component == ".") return {};
  if (component == "..") return StepUp();
  Path next = TRY(Child(component));
  if (!next.dentry->vnode()) return Errno::kENOENT;
  if (next.dentry->vnode()->type() == VnodeType::kSymlink) [[unlikely]]
    return FollowLink(next, false);
  place_ = std::move(next);
  return {};
}

Result<Path> Walker::Child(std::string_view component) {
  auto found = TRY(place_.dentry->Lookup(component));
  Path next{place_.mount, std::move(found)};
  if (!next.dentry->is_mount_point()) return next;
  next = context_.mounts.Descend(std::move(next));
  if (HasAny(flags_, WalkFlags::kNoXdev) && next.mount != place_.mount) return Errno::kEXDEV;
  return next;
}

Result<void> Walker::StepUp() {
  if (place_ == root()) {
    if (HasAny(flags_, WalkFlags::kBeneath)) return Errno::kEXDEV;
    return {};
  }
  if (place_ == context_.root) return {};
  if (place_.dentry != place_.mount->root()) {
    place_.dentry = place_.dentry->parent();
  } else {
    Path up = context_.mounts.Ascend(place_);
    if (up == place_ || up == context_.root) return {};
    if (HasAny(flags_, WalkFlags::kNoXdev)) return Errno::kEXDEV;
    up.dentry = up.dentry->parent();
    place_ = std::move(up);
  }
  if (!place_.dentry->is_mount_point()) return {};
  Path top = context_.mounts.Descend(place_);
  if (HasAny(flags_, WalkFlags::kNoXdev) && top.mount != place_.mount) return Errno::kEXDEV;
  place_ = std::move(top);
  return {};
}

Result<Path> Walker::LookupLast() {
  if (last_.empty() || last_ == ".") return place_;
  if (last_ == "..") {
    Path here = place_;
    TRY(StepUp());
    std::swap(here, place_);
    return here;
  }
  return Child(last_);
}

// Documentation/admin-guide/sysctl/fs.rst, protected_symlinks: in a sticky directory that all may
// write, a link is followed only for its owner, or if the directory's owner made it.
Result<void> Walker::CheckFollow(Vnode& link) const {
  constexpr uint32_t kShared = kModeSticky | 0002;
  const Ownership directory = TRY(place_.dentry->vnode()->GetOwnership());
  if ((directory.mode & kShared) != kShared) return {};
  const Ownership owner = TRY(link.GetOwnership());
  if (owner.uid == context_.credentials.fsuid || owner.uid == directory.uid) return {};
  return Errno::kEACCES;
}

Result<void> Walker::FollowLink(const Path& link, bool is_last) {
  if (++links_ > kMaxLinks || HasAny(flags_, WalkFlags::kNoSymlinks)) return Errno::kELOOP;
  Vnode& vnode = *link.dentry->vnode();
  if (is_last) TRY(CheckFollow(vnode));
  auto jump = vnode.FollowMagicLink();
  if (!jump.ok() && jump.error() != Errno::kENOENT) return jump.error();
  if (jump.ok()) {
    if (HasAny(flags_, WalkFlags::kNoMagicLinks)) return Errno::kELOOP;
    if (HasAny(flags_, WalkFlags::kBeneath | WalkFlags::kInRoot)) return Errno::kEXDEV;
    if (HasAny(flags_, WalkFlags::kNoXdev) && jump.value().mount != place_.mount)
      return Errno::kEXDEV;
    place_ = std::move(jump).value();
    return {};
  }
  if (!text_.rest.empty()) TRY(Push());
  text_ = Text{};
  vnode.NoteAccess();
  if (const std::string_view stable = vnode.StableLink(); !stable.empty()) {
    text_.link = link.dentry->vnode();
    text_.rest = stable;
  } else {
    text_.storage = TRY(vnode.ReadLink());
    text_.rest = text_.storage.view();
  }
  if (text_.rest.empty()) return Errno::kENOENT;
  if (text_.rest.front() == '/') return JumpToRoot();
  return {};
}

}  // namespace zrun::vfs
