#include "vfs/overlayfs/overlay_file_system.h"

namespace zrun::vfs {
namespace {

// A character device 0:0 in one layer hides a name of those below it.
Result<bool> IsWhiteout(Vnode& vnode) {
  if (vnode.type() != VnodeType::kCharDevice) return false;
  return TRY(vnode.GetAttributes()).rdev == 0;
}

bool IsOpaque(Vnode& directory) {
  std::byte value[1];
  const auto size = directory.GetXattr("trusted.overlay.opaque", value);
  return size.ok() && size.value() == 1 && value[0] == std::byte{'y'};
}

constexpr unsigned kLayerShift = 52;

}  // namespace

OverlayDirectory::OverlayDirectory(OverlayFileSystem& overlay, Vector<RefPtr<Vnode>> layers,
                                   const Attributes& attributes)
    : RamDirectory(overlay, overlay.InodeOf(*layers[0]), attributes.mode, 0, 0),
      OverlayNode(overlay, layers[0]),
      layers_(std::move(layers)) {
  AdoptAttributes(attributes);
}

Result<RefPtr<RamVnode>> OverlayDirectory::LookupBelow(std::string_view name) {
  Vector<RefPtr<Vnode>> merged;
  for (const RefPtr<Vnode>& layer : layers_) {
    auto asked = layer->Lookup(name);
    if (!asked.ok()) {
      if (asked.error() == Errno::kENOENT) continue;
      return asked.error();
    }
    RefPtr<Vnode> found = std::move(asked).value();
    if (TRY(IsWhiteout(*found))) break;
    if (found->type() != VnodeType::kDirectory) {
      if (!merged.empty()) break;
      return overlay().NodeOf(std::move(found), {});
    }
    const bool last = layers_.size() == 1 || IsOpaque(*found);
    TRY(merged.PushBack(std::move(found)));
    if (last) break;
  }
  if (merged.empty()) return Errno::kENOENT;
  RefPtr<Vnode> top = merged[0];
  return overlay().NodeOf(std::move(top), std::move(merged));
}

Result<bool> OverlayDirectory::HasBelow(std::string_view name) {
  for (const RefPtr<Vnode>& layer : layers_) {
    auto asked = layer->Lookup(name);
    if (asked.ok()) return !TRY(IsWhiteout(*asked.value()));
    if (asked.error() != Errno::kENOENT) return asked.error();
  }
  return false;
}

// Whether |name| of a layer is neither a whiteout nor in a layer above.
Result<bool> OverlayDirectory::IsShown(size_t layer, VnodeType type, std::string_view name) {
  for (size_t above = 0; above < layer; above++) {
    const auto asked = layers_[above]->Lookup(name);
    if (asked.ok()) return false;
    if (asked.error() != Errno::kENOENT) return asked.error();
  }
  if (type != VnodeType::kCharDevice) return true;
  return !TRY(IsWhiteout(*TRY(layers_[layer]->Lookup(name))));
}

Result<void> OverlayDirectory::VisitBelow(NameVisitor& visitor) {
  class Sink final : public DirentSink {
   public:
    Sink(OverlayDirectory& directory, size_t layer, NameVisitor& visitor)
        : directory_(directory), layer_(layer), visitor_(visitor) {}
    bool Add(uint64_t, VnodeType type, std::string_view name, uint64_t) override {
      const auto shown = directory_.IsShown(layer_, type, name);
      if (!shown.ok()) error = shown.error();
      stopped = !shown.ok() || (shown.value() && !visitor_.Visit(name));
      return !stopped;
    }
    bool stopped = false;
    Errno error{};

   private:
    OverlayDirectory& directory_;
    const size_t layer_;
    NameVisitor& visitor_;
  };
  for (size_t layer = 0; layer < layers_.size(); layer++) {
    Sink sink(*this, layer, visitor);
    TRY(layers_[layer]->ReadDirectory(0, sink));
    if (sink.error != Errno{}) return sink.error;
    if (sink.stopped) return {};
  }
  return {};
}

class OverlayDirectory::BelowSink final : public DirentSink {
 public:
  BelowSink(OverlayDirectory& directory, size_t layer, DirentSink& sink)
      : directory_(directory), layer_(layer), sink_(sink) {}
  bool Add(uint64_t inode, VnodeType type, std::string_view name, uint64_t next) override {
    if (directory_.Overrides(name)) return true;
    const auto shown = directory_.IsShown(layer_, type, name);
    if (!shown.ok()) error = shown.error();
    if (!shown.ok()) return false;
    if (!shown.value()) return true;
    const FileSystem& owner = directory_.layers_[layer_]->file_system();
    full = !sink_.Add(directory_.overlay().InodeOf(owner, inode), type, name,
                      kBelowCursor | uint64_t{layer_} << kLayerShift | next);
    return !full;
  }
  bool full = false;
  Errno error{};

 private:
  OverlayDirectory& directory_;
  const size_t layer_;
  DirentSink& sink_;
};

Result<void> OverlayDirectory::ReadBelow(uint64_t cursor, DirentSink& sink) {
  cursor &= ~kBelowCursor;
  size_t layer = cursor >> kLayerShift;
  uint64_t within = cursor & ((uint64_t{1} << kLayerShift) - 1);
  for (; layer < layers_.size(); layer++, within = 0) {
    BelowSink below(*this, layer, sink);
    TRY(layers_[layer]->ReadDirectory(within, below));
    if (below.error != Errno{}) return below.error;
    if (below.full) return {};
  }
  return {};
}

}  // namespace zrun::vfs
