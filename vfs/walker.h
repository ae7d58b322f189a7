#pragma once
#include <array>

#include "vfs/namei.h"

namespace zrun::vfs {

// One path resolution, step by step: WalkContext in, a place out. NextParent() walks all but the
// last component; the caller looks at that one and goes on with Finish() or FollowLast(), so that
// open(O_CREAT) and friends follow links at the end by the same rules as everything else.
class Walker {
 public:
  Walker(const WalkContext& context, WalkFlags flags) : context_(context), flags_(flags) {}

  // Takes |path|, which must live as long as the walker.
  Result<void> Start(std::string_view path);
  // Walks on to the last component. Afterwards place() is its directory and last() its name; an
  // empty name: the path was all slashes, or a magic link that went straight to place().
  Result<void> ToLast();
  std::string_view last() const { return last_; }
  // Slashes after the name: it must be a directory.
  bool trailing_slash() const { return trailing_slash_; }
  bool needs_directory() const { return needs_directory_; }
  const Path& place() const { return place_; }
  Path TakePlace() { return std::move(place_); }

  // What last() names: "." and ".." resolved, mounts crossed. A null vnode or ENOENT if nothing.
  Result<Path> LookupLast();
  // Whether a symbolic link found as the last component is to be followed.
  bool follows_last() const { return needs_directory_ || !HasAny(flags_, WalkFlags::kNoFollow); }
  // Goes on with the link's target instead of last(); then ToLast() again.
  Result<void> FollowLink(const Path& link, bool is_last);

 private:
  // What is left of a text being walked, and what keeps that text alive.
  struct Text {
    std::string_view rest;
    RefPtr<Vnode> link;
    String storage;
  };
  static constexpr size_t kInlineTexts = 3;
  static constexpr int kMaxLinks = 40;

  Result<void> Push();
  void Pop();
  Text& saved(size_t index);
  bool TakeComponent(std::string_view& component);
  Result<void> Step(std::string_view component);
  Result<void> StepUp();
  Result<Path> Child(std::string_view component);
  Result<void> JumpToRoot();
  Result<void> CheckFollow(Vnode& link) const;
  const Path& root() const {
    return HasAny(flags_, WalkFlags::kBeneath | WalkFlags::kInRoot) ? context_.base : context_.root;
  }

  const WalkContext& context_;
  const WalkFlags flags_;
  Path place_;
  Text text_;
  size_t depth_ = 0;
  std::array<Text, kInlineTexts> saved_;
  Vector<Text> more_saved_;
  std::string_view last_;
  bool trailing_slash_ = false;
  bool needs_directory_ = false;
  int links_ = 0;
};

}  // namespace zrun::vfs
