#include "vfs/hostfs/host_vnode.h"

namespace zrun::vfs {

HostFileSystem::~HostFileSystem() { root_ = nullptr; }

Result<void> HostFileSystem::SetRoot(hal::HostNode node) {
  root_node_ = node;
  root_ = TRY(GetVnode(node));
  return {};
}

Result<StatFs> HostFileSystem::GetStatFs() {
  const hal::HostStatFs from = TRY(hal::HostGetStatFs(root_node_));
  StatFs stat;
  stat.type = from.type;
  stat.block_size = from.block_size;
  stat.blocks = from.blocks;
  stat.blocks_free = from.blocks_free;
  stat.blocks_available = from.blocks_available;
  stat.files = from.files;
  stat.files_free = from.files_free;
  stat.name_max = from.name_max;
  stat.id = device();
  return stat;
}

HostVnode* HostFileSystem::Find(uint64_t device, uint64_t inode) {
  for (HostVnode* vnode = buckets_[inode % kBuckets]; vnode; vnode = vnode->next_) {
    if (vnode->host_device_ == device && vnode->host_inode_ == inode && vnode->TryAddRef())
      return vnode;
  }
  return nullptr;
}

Result<RefPtr<HostVnode>> HostFileSystem::GetVnode(hal::HostNode node, const HostVnode* parent,
                                                   std::string_view name) {
  const auto attributes = hal::HostGetAttributes(node);
  if (!attributes.ok()) {
    hal::HostClose(node);
    return attributes.error();
  }
  // The vnode owns the node from here on, also one that turns out not to be needed.
  auto made = MakeRef<HostVnode>(*this, node, attributes.value());
  if (!made.ok()) {
    hal::HostClose(node);
    return made.error();
  }
  RefPtr<HostVnode> fresh = std::move(made).value();
  if (parent) fresh->SetPlace(*parent, name);
  RefPtr<HostVnode> other;
  MutexLock lock(lock_);
  if (HostVnode* found = Find(attributes.value().device, attributes.value().inode)) {
    other = RefPtr<HostVnode>::Adopt(found);
    return other;
  }
  HostVnode*& head = buckets_[attributes.value().inode % kBuckets];
  fresh->next_ = head;
  head = fresh.get();
  node_count_.fetch_add(1, std::memory_order_relaxed);
  return fresh;
}

RefPtr<HostVnode> HostFileSystem::FindVnode(uint64_t device, uint64_t inode) {
  MutexLock lock(lock_);
  return RefPtr<HostVnode>::Adopt(Find(device, inode));
}

void HostFileSystem::Forget(HostVnode& vnode) {
  MutexLock lock(lock_);
  for (HostVnode** link = &buckets_[vnode.host_inode_ % kBuckets]; *link; link = &(*link)->next_) {
    if (*link != &vnode) continue;
    *link = vnode.next_;
    node_count_.fetch_sub(1, std::memory_order_relaxed);
    return;
  }
}

void HostFileSystem::LimitNodes() {
  if (node_count_.load(std::memory_order_relaxed) < node_limit_.load(std::memory_order_relaxed))
    return;
  Dentry::ShrinkCache(*this);
  // What is left is in use; look again only when as many have come again.
  node_limit_.store(std::max(kManyNodes, 2 * node_count_.load(std::memory_order_relaxed)),
                    std::memory_order_relaxed);
}

Result<hal::HostNode> HostFileSystem::Lookup(hal::HostNode directory, std::string_view name) {
  LimitNodes();
  auto node = hal::HostLookup(directory, name);
  if (node.ok() || node.error() != Errno::kEMFILE) return node;
  DropCaches();
  return hal::HostLookup(directory, name);
}

Result<hal::HostNode> HostFileSystem::Create(const HostVnode& directory, std::string_view name,
                                             uint32_t mode) {
  LimitNodes();
  const auto create = [&] {
    // An unnamed file's name is of no interest; the host makes one up.
    const OwnChange own(kHostCreate, {directory.PlaceOf(name)});
    return hal::HostCreate(directory.node(), name, mode);
  };
  auto node = create();
  if (node.ok() || node.error() != Errno::kEMFILE) return node;
  DropCaches();
  if (!name.empty()) {
    // It may have been made before there was no descriptor for it.
    auto made = hal::HostLookup(directory.node(), name);
    if (made.ok() || made.error() != Errno::kENOENT) return made;
  }
  return create();
}

void HostFileSystem::DropCaches() {
  Dentry::ShrinkCache(*this);
  std::array<KeptNode, kMostKept> dropped;
  {
    MutexLock lock(lock_);
    std::swap(dropped, kept_);
  }
  for (const KeptNode& kept : dropped) hal::HostClose(kept.node);
}

void HostFileSystem::Keep(const HostVnode& vnode, hal::HostNode open_node) {
  if (open_node == hal::kNoHostNode) return;
  const auto attributes = hal::HostGetAttributes(open_node);
  KeptNode place{&vnode, open_node, attributes.ok() ? attributes.value().ctime : -1};
  {
    MutexLock lock(lock_);
    KeptNode* to = std::find_if(kept_.begin(), kept_.end(),
                                [&](const KeptNode& kept) { return kept.vnode == &vnode; });
    if (to == kept_.end()) to = &kept_[next_kept_++ % kMostKept];
    std::swap(place, *to);
  }
  hal::HostClose(place.node);
}

hal::HostNode HostFileSystem::Take(const HostVnode& vnode) {
  KeptNode taken;
  {
    MutexLock lock(lock_);
    for (KeptNode& kept : kept_) {
      if (kept.vnode != &vnode) continue;
      std::swap(taken, kept);
      break;
    }
  }
  if (taken.node == hal::kNoHostNode) return taken.node;
  const auto attributes = hal::HostGetAttributes(taken.node);
  if (attributes.ok() && attributes.value().ctime == taken.ctime) return taken.node;
  hal::HostClose(taken.node);
  return hal::kNoHostNode;
}

void HostFileSystem::SetOwner(hal::HostNode node, const HostPlace& place, uint32_t uid,
                              uint32_t gid) {
  if (!may_change_owner_.load(std::memory_order_relaxed)) return;
  const auto attributes = hal::HostGetAttributes(node);
  if (!attributes.ok()) return;
  if (attributes.value().uid == uid && attributes.value().gid == gid) return;
  hal::HostAttributeChange change;
  change.valid = hal::HostAttributeChange::kUid | hal::HostAttributeChange::kGid;
  change.uid = uid;
  change.gid = gid;
  const OwnChange own(kHostAttrib, {place});
  const auto changed = hal::HostSetAttributes(node, change);
  // The launcher is not root there: its files are its own, whoever made them here.
  if (!changed.ok() && changed.error() == Errno::kEPERM)
    may_change_owner_.store(false, std::memory_order_relaxed);
}

Result<RefPtr<FileSystem>> MountHostVolume(const hal::HostVolume& volume) {
  auto fs = TRY(MakeRef<HostFileSystem>(volume.read_only));
  TRY(fs->SetRoot(volume.root));
  return RefPtr<FileSystem>(std::move(fs));
}

}  // namespace zrun::vfs
