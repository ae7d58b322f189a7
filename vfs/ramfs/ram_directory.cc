#include "vfs/ramfs/ram_directory.h"

#include "vfs/ramfs/ram_regular.h"

namespace zrun::vfs {
namespace {

constexpr size_t kFewEntries = 8;
constexpr uint32_t kRenameExchange = 2, kRenameWhiteout = 4;

}  // namespace

RamDirectory::RamDirectory(RamFileSystem& fs, uint64_t inode, uint32_t mode, uint32_t uid,
                           uint32_t gid)
    : RamVnode(fs, inode, kModeDirectory | (mode & 07777), uid, gid, 0) {}

Result<RefPtr<RamDirectory>> RamDirectory::Create(RamFileSystem& fs, uint32_t mode, uint32_t uid,
                                                  uint32_t gid) {
  TRY(fs.ChargeInode());
  auto directory = MakeRef<RamDirectory>(fs, fs.NextInode(), mode, uid, gid);
  if (!directory.ok()) fs.ReleaseInode();
  return directory;
}

RamDirectory::~RamDirectory() {
  for (Slot& slot : slots_) {
    if (!slot.entry) continue;
    RefPtr<RamVnode>& child = slot.entry->vnode;
    if (child && child->type() == VnodeType::kDirectory) fs_.Bury(std::move(child));
    delete slot.entry;
  }
}

// ---- The table of names.

uint32_t RamDirectory::Hash(std::string_view name) {
  uint32_t hash = 2166136261u;
  for (char c : name) hash = (hash ^ uint8_t(c)) * 16777619u;
  return hash ^ (hash >> 15);
}

RamDirectory::Entry* RamDirectory::Find(std::string_view name) {
  const uint32_t hash = Hash(name);
  if (buckets_.empty()) {
    for (Slot& slot : slots_)
      if (slot.entry && slot.entry->hash == hash && slot.entry->name.view() == name)
        return slot.entry;
    return nullptr;
  }
  for (Entry* entry = buckets_[hash & (buckets_.size() - 1)]; entry; entry = entry->next)
    if (entry->hash == hash && entry->name.view() == name) return entry;
  return nullptr;
}

Result<void> RamDirectory::GrowBuckets() {
  if (live_ < kFewEntries || live_ < buckets_.size()) return {};
  Vector<Entry*> grown;
  TRY(grown.Resize(buckets_.empty() ? 16 : buckets_.size() * 2));
  for (Slot& slot : slots_) {
    if (!slot.entry) continue;
    Entry*& head = grown[slot.entry->hash & (grown.size() - 1)];
    slot.entry->next = head;
    head = slot.entry;
  }
  buckets_ = std::move(grown);
  return {};
}

Result<RamDirectory::Entry*> RamDirectory::Add(std::string_view name, RefPtr<RamVnode> vnode) {
  TRY(GrowBuckets());
  // Removed slots go before the array grows: entries keep their cursors.
  if (slots_.size() == slots_.capacity() && slots_.size() > 2 * live_ + kFewEntries) {
    size_t kept = 0;
    for (Slot& slot : slots_)
      if (slot.entry) slots_[kept++] = slot;
    TRY(slots_.Resize(kept));
  }
  OwnPtr<Entry> entry = TRY(MakeOwned<Entry>());
  entry->name = TRY(String::Create(name));
  entry->vnode = std::move(vnode);
  entry->hash = Hash(name);
  entry->cursor = next_cursor_;
  entry->next = nullptr;
  TRY(slots_.PushBack(Slot{next_cursor_, entry.get()}));
  next_cursor_++;
  live_++;
  if (!buckets_.empty()) {
    Entry*& head = buckets_[entry->hash & (buckets_.size() - 1)];
    entry->next = head;
    head = entry.get();
  }
  return entry.release();
}

void RamDirectory::Unhash(Entry& entry) {
  if (buckets_.empty()) return;
  Entry** link = &buckets_[entry.hash & (buckets_.size() - 1)];
  while (*link != &entry) link = &(*link)->next;
  *link = entry.next;
}

// The first slot at or behind |cursor|.
size_t RamDirectory::SlotOf(uint64_t cursor) const {
  const Slot* slot =
      std::lower_bound(slots_.begin(), slots_.end(), cursor,
                       [](const Slot& each, uint64_t value) { return each.cursor < value; });
  return size_t(slot - slots_.begin());
}

void RamDirectory::Erase(Entry& entry) {
  Unhash(entry);
  slots_[SlotOf(entry.cursor)].entry = nullptr;
  live_--;
  delete &entry;
  while (!slots_.empty() && !slots_.back().entry) slots_.PopBack();
}

bool RamDirectory::Overrides(std::string_view name) {
  MutexLock lock(fs_.tree_lock());
  return Find(name) != nullptr;
}

// ---- Looking up and making.

Result<RefPtr<RamVnode>> RamDirectory::FindAnywhere(std::string_view name) {
  if (Entry* entry = Find(name)) {
    if (!entry->vnode) return Errno::kENOENT;
    return entry->vnode;
  }
  return LookupBelow(name);
}

Result<RefPtr<Vnode>> RamDirectory::Lookup(std::string_view name) {
  MutexLock lock(fs_.tree_lock());
  return RefPtr<Vnode>(TRY(FindAnywhere(name)));
}

Result<void> RamDirectory::CheckNewName(std::string_view name) {
  if (dead_) return Errno::kENOENT;
  auto existing = FindAnywhere(name);
  if (existing.ok()) return Errno::kEEXIST;
  if (existing.error() != Errno::kENOENT) return existing.error();
  return {};
}

// ".." of a subdirectory is a link to its parent.
void RamDirectory::Adopted(const RamVnode& child, int sign) {
  if (child.type() != VnodeType::kDirectory) return;
  if (sign > 0) {
    static_cast<void>(AddLink());
  } else if (links() > 2) {
    RemoveLink();
  }
}

// Gives |vnode| a name that is free, in the place of a whiteout if there is one.
Result<void> RamDirectory::Insert(std::string_view name, RefPtr<RamVnode> vnode) {
  BeforeChange();
  RamVnode& child = *vnode;
  if (Entry* whiteout = Find(name)) {
    whiteout->vnode = std::move(vnode);
  } else {
    TRY(Add(name, std::move(vnode)));
  }
  Adopted(child, +1);
  TouchModified();
  return {};
}

Result<void> RamDirectory::Place(std::string_view name, RefPtr<RamVnode> vnode) {
  MutexLock lock(fs_.tree_lock());
  TRY(CheckNewName(name));
  const uint32_t count = vnode->type() == VnodeType::kDirectory ? 2 : 1;
  TRY(vnode->AddLink(count));
  const auto inserted = Insert(name, vnode);
  if (!inserted.ok()) vnode->RemoveLink(count);
  if (!inserted.ok()) return inserted.error();
  return {};
}

Result<RefPtr<RamVnode>> RamDirectory::MakeNode(uint32_t mode, uint64_t rdev, uint32_t uid,
                                                uint32_t gid) {
  switch (TypeOfMode(mode)) {
    case VnodeType::kRegular:
      return RamRegular::Create(fs_, mode, uid, gid);
    case VnodeType::kDirectory:
      return RefPtr<RamVnode>(TRY(RamDirectory::Create(fs_, mode, uid, gid)));
    case VnodeType::kCharDevice:
      if (rdev == 0 && !fs_.allows_whiteout_nodes()) return Errno::kEPERM;
      [[fallthrough]];
    case VnodeType::kBlockDevice:
    case VnodeType::kFifo:
    case VnodeType::kSocket:
      return RamSpecial::Create(fs_, mode, rdev, uid, gid);
    case VnodeType::kSymlink:
      break;
  }
  return Errno::kEINVAL;
}

Result<RefPtr<Vnode>> RamDirectory::Create(std::string_view name, uint32_t mode, uint64_t rdev,
                                           uint32_t uid, uint32_t gid) {
  RefPtr<RamVnode> made = TRY(MakeNode(mode, rdev, uid, gid));
  TRY(Place(name, made));
  return RefPtr<Vnode>(std::move(made));
}

Result<RefPtr<Vnode>> RamDirectory::Symlink(std::string_view name, std::string_view target,
                                            uint32_t uid, uint32_t gid) {
  RefPtr<RamVnode> made = TRY(RamLink::Create(fs_, target, uid, gid));
  TRY(Place(name, made));
  return RefPtr<Vnode>(std::move(made));
}

Result<void> RamDirectory::Link(std::string_view name, Vnode& target) {
  if (&target.file_system() != &fs_) return Errno::kEXDEV;
  if (target.type() == VnodeType::kDirectory) return Errno::kEPERM;
  return Place(name, RefPtr<RamVnode>(static_cast<RamVnode*>(&target)));
}

Result<RefPtr<Vnode>> RamDirectory::CreateUnnamed(uint32_t mode, uint32_t uid, uint32_t gid) {
  return RefPtr<Vnode>(TRY(RamRegular::Create(fs_, kModeRegular | (mode & 07777), uid, gid)));
}

// ---- Removing and renaming.

Result<void> RamDirectory::CheckEmpty() {
  for (Slot& slot : slots_)
    if (slot.entry && slot.entry->vnode) return Errno::kENOTEMPTY;
  class Shown final : public NameVisitor {
   public:
    explicit Shown(RamDirectory& directory) : directory_(directory) {}
    bool Visit(std::string_view name) override {
      found = directory_.Find(name) == nullptr;
      return !found;
    }
    bool found = false;

   private:
    RamDirectory& directory_;
  } shown(*this);
  TRY(VisitBelow(shown));
  if (shown.found) return Errno::kENOTEMPTY;
  return {};
}

Result<void> RamDirectory::Unlink(std::string_view name, Vnode& victim, bool directory) {
  RefPtr<RamVnode> removed;  // dropped without the lock
  MutexLock lock(fs_.tree_lock());
  removed = TRY(FindAnywhere(name));
  if (removed.get() != &victim) return Errno::kESTALE;
  const bool is_directory = victim.type() == VnodeType::kDirectory;
  if (directory && !is_directory) return Errno::kENOTDIR;
  if (!directory && is_directory) return Errno::kEISDIR;
  if (is_directory) TRY(static_cast<RamDirectory&>(*removed).CheckEmpty());
  Entry* entry = Find(name);
  if (TRY(HasBelow(name))) {
    if (!entry) TRY(Add(name, nullptr));
    if (entry) entry->vnode = nullptr;
  } else if (entry) {
    Erase(*entry);
  }
  BeforeChange();
  removed->BeforeChange();
  if (is_directory) static_cast<RamDirectory&>(*removed).dead_ = true;
  Adopted(*removed, -1);
  removed->RemoveLink(is_directory ? removed->links() : 1);
  TouchModified();
  return {};
}

Result<void> RamDirectory::Rename(std::string_view name, Vnode& moved_vnode, Vnode& new_parent,
                                  std::string_view new_name, Vnode* victim_vnode, uint32_t flags) {
  if (&new_parent.file_system() != &fs_) return Errno::kEXDEV;
  RamDirectory& to = static_cast<RamDirectory&>(new_parent);
  RefPtr<RamVnode> moved, victim, whiteout;  // dropped without the lock
  if (flags & kRenameWhiteout) {
    if (!fs_.allows_whiteout_nodes()) return Errno::kEINVAL;
    whiteout = TRY(RamSpecial::Create(fs_, kModeChar, 0, 0, 0));
    TRY(whiteout->AddLink());
  }
  MutexLock lock(fs_.tree_lock());
  if (to.dead_) return Errno::kENOENT;
  moved = TRY(FindAnywhere(name));
  auto existing = to.FindAnywhere(new_name);
  if (!existing.ok() && existing.error() != Errno::kENOENT) return existing.error();
  if (existing.ok()) victim = std::move(existing).value();
  if (moved.get() != &moved_vnode || victim.get() != victim_vnode) return Errno::kESTALE;
  if (moved == victim) return {};  // names of one file: rename(2) does nothing
  const bool exchange = (flags & kRenameExchange) != 0;
  if (exchange && !victim) return Errno::kENOENT;
  const bool victim_is_directory = victim && victim->type() == VnodeType::kDirectory;
  if (victim && !exchange) {
    const bool moved_is_directory = moved->type() == VnodeType::kDirectory;
    if (moved_is_directory && !victim_is_directory) return Errno::kENOTDIR;
    if (!moved_is_directory && victim_is_directory) return Errno::kEISDIR;
    if (victim_is_directory) TRY(static_cast<RamDirectory&>(*victim).CheckEmpty());
  }
  // Everything that can fail first; entries that name what is there now change nothing.
  const bool leaves_whiteout = !exchange && !whiteout && TRY(HasBelow(name));
  if (!Find(name)) TRY(Add(name, moved));
  if (!to.Find(new_name)) TRY(to.Add(new_name, moved));
  Entry* from_entry = Find(name);
  Entry* to_entry = to.Find(new_name);

  BeforeChange();
  to.BeforeChange();
  moved->BeforeChange();
  if (victim) victim->BeforeChange();
  to_entry->vnode = moved;
  Adopted(*moved, -1);
  to.Adopted(*moved, +1);
  moved->TouchChanged();
  if (exchange) {
    from_entry->vnode = victim;
    to.Adopted(*victim, -1);
    Adopted(*victim, +1);
    victim->TouchChanged();
  } else {
    if (leaves_whiteout || whiteout) {
      from_entry->vnode = whiteout;
    } else {
      Erase(*from_entry);
    }
    if (victim) {
      to.Adopted(*victim, -1);
      if (victim_is_directory) static_cast<RamDirectory&>(*victim).dead_ = true;
      victim->RemoveLink(victim_is_directory ? victim->links() : 1);
    }
  }
  TouchModified();
  to.TouchModified();
  return {};
}

// ---- Reading.

// Entries copied out under the lock and given away without it: the reader's memory may fault.
struct RamDirectory::Batch {
  struct Item {
    uint64_t inode, cursor;
    VnodeType type;
    uint8_t size;
  };
  static constexpr size_t kItems = 64;
  Item items[kItems];
  char names[kItems * 48];
  size_t count = 0, used = 0;
  bool Add(const Entry& entry) {
    const std::string_view name = entry.name.view();
    if (count == kItems || used + name.size() > sizeof(names)) return false;
    items[count++] = {entry.vnode->inode(), entry.cursor, entry.vnode->type(),
                      uint8_t(name.size())};
    __builtin_memcpy(names + used, name.data(), name.size());
    used += name.size();
    return true;
  }
};

Result<void> RamDirectory::ReadDirectory(uint64_t cursor, DirentSink& sink) {
  if (cursor >= kBelowCursor) return ReadBelow(cursor, sink);
  OwnPtr<Batch> batch;
  for (;;) {
    bool at_end = true;
    {
      MutexLock lock(fs_.tree_lock());
      size_t slot = SlotOf(cursor);
      if (slot < slots_.size() && !batch) batch = TRY(MakeOwned<Batch>());
      if (batch) batch->count = batch->used = 0;
      for (; slot < slots_.size(); slot++) {
        const Entry* entry = slots_[slot].entry;
        if (!entry || !entry->vnode) continue;
        if (!batch->Add(*entry)) {
          at_end = false;
          break;
        }
      }
    }
    size_t name = 0;
    for (size_t i = 0; batch && i < batch->count; i++) {
      const Batch::Item& item = batch->items[i];
      cursor = item.cursor + 1;
      if (!sink.Add(item.inode, item.type, {batch->names + name, item.size}, cursor)) return {};
      name += item.size;
    }
    if (at_end) return ReadBelow(kBelowCursor, sink);
  }
}

}  // namespace zrun::vfs
