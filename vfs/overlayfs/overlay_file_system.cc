#include "vfs/overlayfs/overlay_file_system.h"

#include "vfs/ramfs/ramfs_options.h"

namespace zrun::vfs {

// ---- Nodes in the table.

void OverlayNode::Pin() {
  if (pinned_.load(std::memory_order_acquire)) return;
  MutexLock lock(overlay_.table_lock_);
  if (pinned_.load(std::memory_order_relaxed)) return;
  vnode().AddRef();
  pinned_.store(true, std::memory_order_release);
}

void OverlayNode::Unpin() {
  {
    MutexLock lock(overlay_.table_lock_);
    if (!pinned_.load(std::memory_order_relaxed)) return;
    pinned_.store(false, std::memory_order_release);
  }
  // Whoever took the last name away still holds it.
  vnode().Release();
}

void OverlayNode::LeaveTable() {
  MutexLock lock(overlay_.table_lock_);
  OverlayNode** link = &overlay_.buckets_[OverlayFileSystem::BucketOf(*lower_)];
  for (; *link; link = &(*link)->next_) {
    if (*link != this) continue;
    *link = next_;
    return;
  }
}

OverlayFileSystem::~OverlayFileSystem() {
  DropTree();
  for (size_t bucket = 0; bucket < kBuckets; bucket++) {
    for (;;) {
      RefPtr<RamVnode> pinned;
      MutexLock lock(table_lock_);
      OverlayNode* node = buckets_[bucket];
      while (node && !node->pinned_.load(std::memory_order_relaxed)) node = node->next_;
      if (!node) break;
      node->pinned_.store(false, std::memory_order_relaxed);
      pinned = RefPtr<RamVnode>::Adopt(&node->vnode());
    }
  }
}

OverlayNode* OverlayFileSystem::Find(const Vnode& lower) {
  for (OverlayNode* node = buckets_[BucketOf(lower)]; node; node = node->next_)
    if (node->lower_.get() == &lower && node->vnode().TryAddRef()) return node;
  return nullptr;
}

uint64_t OverlayFileSystem::InodeOf(const FileSystem& file_system, uint64_t inode) const {
  for (size_t i = 1; i < lowers_.size(); i++)
    if (lowers_[i].get() == &file_system) return uint64_t{i} << 48 | inode;
  return inode;
}

uint64_t OverlayFileSystem::InodeOf(const Vnode& lower) const {
  return InodeOf(lower.file_system(), lower.inode());
}

Result<RefPtr<RamVnode>> OverlayFileSystem::MakeNode(RefPtr<Vnode> lower,
                                                     Vector<RefPtr<Vnode>> layers,
                                                     OverlayNode*& node) {
  const Attributes attributes = TRY(lower->GetAttributes());
  // Inodes are charged for every node, since each gives one back.
  TRY(ChargeInode());
  const auto keep = [&](auto made) -> Result<RefPtr<RamVnode>> {
    if (!made.ok()) {
      ReleaseInode();
      return made.error();
    }
    node = made.value().get();
    return RefPtr<RamVnode>(std::move(made).value());
  };
  switch (lower->type()) {
    case VnodeType::kDirectory:
      return keep(MakeRef<OverlayDirectory>(*this, std::move(layers), attributes));
    case VnodeType::kRegular:
      return keep(MakeRef<OverlayRegular>(*this, std::move(lower), attributes));
    default:
      return keep(MakeRef<OverlaySpecial>(*this, std::move(lower), attributes));
  }
}

Result<RefPtr<RamVnode>> OverlayFileSystem::NodeOf(RefPtr<Vnode> lower,
                                                   Vector<RefPtr<Vnode>> layers) {
  const Vnode& key = *lower;
  {
    MutexLock lock(table_lock_);
    if (OverlayNode* node = Find(key)) return RefPtr<RamVnode>::Adopt(&node->vnode());
  }
  OverlayNode* node = nullptr;
  RefPtr<RamVnode> fresh = TRY(MakeNode(std::move(lower), std::move(layers), node));
  RefPtr<RamVnode> other;  // so that what is not needed goes without the lock
  MutexLock lock(table_lock_);
  if (OverlayNode* existing = Find(key)) {
    other = RefPtr<RamVnode>::Adopt(&existing->vnode());
    return other;
  }
  OverlayNode*& head = buckets_[BucketOf(key)];
  node->next_ = head;
  head = node;
  return fresh;
}

Result<void> OverlayFileSystem::MakeRoot() {
  Vector<RefPtr<Vnode>> roots;
  for (const RefPtr<FileSystem>& lower : lowers_) TRY(roots.PushBack(lower->Root()));
  RefPtr<Vnode> top = roots[0];
  SetRoot(TRY(NodeOf(std::move(top), std::move(roots))));
  return {};
}

// There is no limit on inodes, but programs take 0 for "none left": as many as there are blocks.
Result<StatFs> OverlayFileSystem::GetStatFs() {
  StatFs stat = TRY(RamFileSystem::GetStatFs());
  stat.files = stat.blocks;
  stat.files_free = stat.blocks_free;
  return stat;
}

Result<RefPtr<FileSystem>> MountOverlay(std::span<const RefPtr<FileSystem>> lowers,
                                        std::string_view text) {
  if (lowers.empty()) return Errno::kEINVAL;
  RamfsOptions options = RamfsOptions::TmpfsDefaults();
  TRY(options.Parse(text, true));
  // Nodes that stand for files of below count as inodes too, and there is no limit on those.
  options.limits.inodes = UINT64_MAX;
  Vector<RefPtr<FileSystem>> layers;
  TRY(layers.Append(lowers));
  auto overlay = TRY(MakeRef<OverlayFileSystem>(std::move(layers), options.limits));
  TRY(overlay->MakeRoot());
  return RefPtr<FileSystem>(std::move(overlay));
}

// ---- Regular files and the rest; directories are in overlay_directory.cc.

OverlayRegular::OverlayRegular(OverlayFileSystem& overlay, RefPtr<Vnode> lower,
                               const Attributes& attributes)
    : RamRegular(overlay, overlay.InodeOf(*lower), kModeRegular, 0, 0, uint64_t{0}),
      OverlayNode(overlay, std::move(lower)),
      lower_bytes_(attributes.blocks * 512) {
  AdoptAttributes(attributes);
  set_size(attributes.size);
}

// Copied when it is opened for writing, so that a shared mapping made later is of the copy.
Result<RefPtr<FileDescription>> OverlayRegular::Open(const Path& path, OpenFlags flags) {
  if (HasAny(flags, OpenFlags::kAccessMode) && !is_copied()) {
    MutexLock lock(write_lock());
    BeforeChange();
    TRY(Materialize(size()));
  }
  return Vnode::Open(path, flags);
}

Result<void> OverlayRegular::Materialize(uint64_t keep) {
  if (is_copied()) return {};
  if (keep > 0) {
    if (fs_.free_bytes() < lower_bytes_) return Errno::kENOSPC;
    const RefPtr<VmObject> contents = TRY(lower().Contents());
    AdoptContents(TRY(contents->Snapshot(0, contents->size())));
    set_size(std::min(size(), contents->size()));
  } else {
    set_size(0);
  }
  copied_.store(true, std::memory_order_release);
  return {};
}

Result<size_t> OverlayRegular::Read(uint64_t offset, DataSink& sink) {
  return is_copied() ? RamRegular::Read(offset, sink) : lower().Read(offset, sink);
}

Result<RefPtr<VmObject>> OverlayRegular::Contents() {
  return is_copied() ? RamRegular::Contents() : lower().Contents();
}

Result<uint64_t> OverlayRegular::SeekData(uint64_t offset, bool data) {
  return is_copied() ? RamRegular::SeekData(offset, data) : lower().SeekData(offset, data);
}

OverlaySpecial::OverlaySpecial(OverlayFileSystem& overlay, RefPtr<Vnode> lower,
                               const Attributes& attributes)
    : RamSpecial(overlay, overlay.InodeOf(*lower), attributes.mode, 0, 0, attributes.rdev),
      OverlayNode(overlay, std::move(lower)),
      size_(attributes.size) {
  AdoptAttributes(attributes);
}

}  // namespace zrun::vfs
