#include "vfs/namei.h"

namespace zrun::vfs {
namespace {

constexpr size_t kMaxPath = 4096;

// Text built from its end to its beginning.
class ReversedPath {
 public:
  static Result<ReversedPath> Create() {
    ReversedPath path;
    TRY(path.buffer_.Resize(kMaxPath));
    path.start_ = kMaxPath;
    return path;
  }
  bool Prepend(std::string_view text) {
    if (text.size() > start_) return false;
    start_ -= text.size();
    __builtin_memcpy(buffer_.data() + start_, text.data(), text.size());
    return true;
  }
  bool empty() const { return start_ == kMaxPath; }
  void Clear() { start_ = kMaxPath; }
  std::string_view view() const { return {buffer_.data() + start_, kMaxPath - start_}; }

 private:
  Vector<char> buffer_;
  size_t start_ = 0;
};

enum class Reach : uint8_t { kReached, kOutside, kTooLong };

// Everything from |root| down to |path|.
Reach Collect(const Path& path, const Path& root, ReversedPath& out) {
  char name[Dentry::kMaxName + 1];
  Path at = path;
  while (!(at == root)) {
    if (at.dentry == at.mount->root()) {
      Path place = at.mount->mount_point();
      if (!place) return Reach::kOutside;
      at = std::move(place);
      continue;
    }
    if (at.dentry->is_root() || at.dentry->is_detached()) return Reach::kOutside;
    const size_t size = at.dentry->CopyName(name);
    if (!out.Prepend({name, size}) || !out.Prepend("/")) return Reach::kTooLong;
    at.dentry = at.dentry->parent();
  }
  return Reach::kReached;
}

}  // namespace

Result<String> NameOf(const Path& path, const Path& root, MountNamespace&,
                      IfUnreachable if_unreachable) {
  if (path.dentry->is_detached()) return path.dentry->name();
  ReversedPath text = TRY(ReversedPath::Create());
  for (;;) {
    const uint64_t generation = Dentry::RenameGeneration();
    text.Clear();
    if (path.dentry->is_unlinked()) text.Prepend(" (deleted)");
    const size_t suffix = text.view().size();
    const Reach reach = Collect(path, root, text);
    if (generation != Dentry::RenameGeneration()) continue;
    if (reach == Reach::kTooLong) return Errno::kENAMETOOLONG;
    if (text.view().size() == suffix && !text.Prepend("/")) return Errno::kENAMETOOLONG;
    if (reach == Reach::kOutside && if_unreachable == IfUnreachable::kNoName) return String();
    if (reach == Reach::kOutside && if_unreachable == IfUnreachable::kMark &&
        !text.Prepend("(unreachable)"))
      return Errno::kENAMETOOLONG;
    return String::Create(text.view());
  }
}

}  // namespace zrun::vfs
