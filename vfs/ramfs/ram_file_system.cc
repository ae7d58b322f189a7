#include "vfs/ramfs/ram_file_system.h"

#include "base/text.h"
#include "vfs/ramfs/ram_directory.h"

namespace zrun::vfs {

Result<RefPtr<RamFileSystem>> RamFileSystem::Create(std::string_view type_name, uint64_t magic,
                                                    Limits limits, RootOwner root) {
  auto fs = TRY(MakeRef<RamFileSystem>(type_name, magic, limits, LockRank::kVnode, uint64_t{1}));
  auto directory = TRY(RamDirectory::Create(*fs, root.mode, root.uid, root.gid));
  TRY(directory->AddLink(2));
  fs->SetRoot(std::move(directory));
  return fs;
}

RamFileSystem::~RamFileSystem() { DropTree(); }

void RamFileSystem::DropTree() {
  RefPtr<RamVnode> root(static_cast<RamVnode*>(root_.get()));
  root_ = nullptr;
  if (root) Bury(std::move(root));
}

RefPtr<Vnode> RamFileSystem::Root() { return root_; }

Result<void> RamFileSystem::ChargeInode() {
  if (inodes_.fetch_add(1, std::memory_order_relaxed) < limits_.inodes) return {};
  ReleaseInode();
  return Errno::kENOSPC;
}

uint64_t RamFileSystem::free_bytes() const {
  const uint64_t used = bytes_.load(std::memory_order_relaxed);
  return used < limits_.bytes ? limits_.bytes - used : 0;
}

Result<StatFs> RamFileSystem::GetStatFs() {
  StatFs stat;
  stat.type = magic_;
  stat.id = device();
  // Without limits there is nothing to say, as on Linux.
  if (limits_.bytes != UINT64_MAX) {
    stat.blocks = limits_.bytes / stat.block_size;
    stat.blocks_free = stat.blocks_available = free_bytes() / stat.block_size;
  }
  if (limits_.inodes != UINT64_MAX) {
    const uint64_t used = inodes_.load(std::memory_order_relaxed);
    stat.files = limits_.inodes;
    stat.files_free = used < limits_.inodes ? limits_.inodes - used : 0;
  }
  return stat;
}

void RamFileSystem::ShowOptions(TextSink& out) { out.Append(shown_options_.view()); }

void RamFileSystem::Bury(RefPtr<RamVnode> vnode) {
  // One that is used elsewhere too goes when that use ends.
  if (vnode->ref_count() != 1) return;
  {
    MutexLock lock(graves_lock_);
    graves_.PushBack(*vnode.Leak());
    if (digging_) return;
    digging_ = true;
  }
  for (;;) {
    RamVnode* next;
    {
      MutexLock lock(graves_lock_);
      next = graves_.PopFront();
      if (!next) digging_ = false;
    }
    if (!next) return;
    next->Release();
  }
}

}  // namespace zrun::vfs
