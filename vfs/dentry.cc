#include "vfs/dentry.h"

#include "vfs/dentry_cache.h"
#include "vfs/file_system.h"
#include "vfs/notify.h"

namespace zrun::vfs {
namespace {

constinit std::atomic<uint64_t> rename_generation{0};
constinit std::atomic<uint64_t> dentry_count{0};

}  // namespace

Dentry::Dentry(Kind kind, RefPtr<Vnode> vnode, FileSystem& file_system, RefPtr<Dentry> parent)
    : vnode_(std::move(vnode)),
      file_system_(&file_system),
      keep_file_system_(kind == Kind::kChild ? nullptr : &file_system),
      kind_(kind),
      parent_(std::move(parent)) {
  dentry_count.fetch_add(1, std::memory_order_relaxed);
}

Dentry::~Dentry() {
  dentry_count.fetch_sub(1, std::memory_order_relaxed);
  if (name_ != inline_name_) ::operator delete(name_);
}

void Dentry::Release() const {
  const Dentry* dentry = this;
  while (dentry && dentry->DropRef()) {
    if (dentry->kind_ == Kind::kChild) DentryCache::Forget(*dentry);
    if (dentry->is_unlinked() && dentry->vnode_) NotifyNameGone(*dentry->vnode_);
    const Dentry* parent = dentry->parent_.Leak();
    delete dentry;
    dentry = parent;
  }
}

Dentry::Counts Dentry::Count() {
  Counts counts = DentryCache::Count();
  counts.all = dentry_count.load(std::memory_order_relaxed);
  return counts;
}

Result<void> Dentry::SetName(std::string_view name) {
  if (name.size() > kMaxName) return Errno::kENAMETOOLONG;
  if (name.size() > kInlineName) {
    void* memory = ::operator new(name.size(), std::nothrow);
    if (!memory) return Errno::kENOMEM;
    name_ = static_cast<char*>(memory);
  }
  __builtin_memcpy(name_, name.data(), name.size());
  name_size_ = uint8_t(name.size());
  return {};
}

Result<RefPtr<Dentry>> Dentry::CreateRoot(RefPtr<Vnode> vnode) {
  FileSystem& file_system = vnode->file_system();
  return MakeRef<Dentry>(Kind::kRoot, std::move(vnode), file_system, nullptr);
}

Result<RefPtr<Dentry>> Dentry::CreateDetached(RefPtr<Vnode> vnode, std::string_view name) {
  FileSystem& file_system = vnode->file_system();
  auto dentry = TRY(MakeRef<Dentry>(Kind::kDetached, std::move(vnode), file_system, nullptr));
  TRY(dentry->SetName(name.substr(0, kMaxName)));
  return dentry;
}

Result<RefPtr<Dentry>> Dentry::CreateChild(Dentry& parent, std::string_view name, uint32_t hash,
                                           RefPtr<Vnode> vnode) {
  auto dentry = TRY(MakeRef<Dentry>(Kind::kChild, std::move(vnode), *parent.file_system_,
                                    RefPtr<Dentry>(&parent)));
  TRY(dentry->SetName(name));
  dentry->hash_ = hash;
  return dentry;
}

Result<RefPtr<Dentry>> Dentry::CreateUnlinked(RefPtr<Vnode> vnode, std::string_view name) {
  auto dentry = TRY(CreateChild(*this, name, DentryCache::Hash(*this, name), std::move(vnode)));
  dentry->MarkUnlinked();
  return dentry;
}

RefPtr<Dentry> Dentry::parent() const {
  if (kind_ != Kind::kChild) return RefPtr<Dentry>(const_cast<Dentry*>(this));
  MutexLock lock(lock_);
  return parent_;
}

size_t Dentry::CopyName(char (&out)[kMaxName + 1]) const {
  MutexLock lock(lock_);
  __builtin_memcpy(out, name_, name_size_);
  out[name_size_] = 0;
  return name_size_;
}

Result<String> Dentry::name() const {
  char copy[kMaxName + 1];
  const size_t size = CopyName(copy);
  return String::Create({copy, size});
}

uint64_t Dentry::RenameGeneration() { return rename_generation.load(std::memory_order_acquire); }

Result<RefPtr<Dentry>> Dentry::Lookup(std::string_view component) {
  if (!vnode_ || vnode_->type() != VnodeType::kDirectory) return Errno::kENOTDIR;
  if (component.size() > kMaxName) return Errno::kENAMETOOLONG;
  const uint32_t hash = DentryCache::Hash(*this, component);
  RefPtr<Dentry> found = DentryCache::Find(*this, component, hash);
  if (found && Trusts(*found)) return found;
  if (!names_are_cached() && !vnode_->RevalidateNames()) {
    return CreateChild(*this, component, hash, TRY(vnode_->Lookup(component)));
  }
  MutexLock lock(directory_lock_);
  return LookupLocked(component, hash);
}

bool Dentry::Trusts(const Dentry& child) const {
  if (names_are_cached() || child.is_mount_point()) return true;
  const uint64_t stamp = child.stamp_.load(std::memory_order_relaxed);
  return stamp != 0 && stamp == vnode_->NamesStamp();
}

Result<RefPtr<Dentry>> Dentry::LookupLocked(std::string_view component, uint32_t hash) {
  const bool revalidates = vnode_->RevalidateNames();
  RefPtr<Dentry> found = DentryCache::Find(*this, component, hash);
  if (found && Trusts(*found)) return found;
  const uint64_t stamp = revalidates ? vnode_->NamesStamp() : 0;
  auto asked = vnode_->Lookup(component);
  if (!asked.ok() && asked.error() != Errno::kENOENT) return asked.error();
  RefPtr<Vnode> vnode = asked.ok() ? std::move(asked).value() : nullptr;
  if (found) {
    if (found->vnode_ == vnode) {
      found->stamp_.store(stamp, std::memory_order_relaxed);
      return found;
    }
    DentryCache::Remove(*found);
    found->MarkUnlinked();
  }
  const bool keep = names_are_cached() || revalidates;
  if (!vnode && !keep) return Errno::kENOENT;
  auto fresh = TRY(CreateChild(*this, component, hash, std::move(vnode)));
  fresh->stamp_.store(stamp, std::memory_order_relaxed);
  // Names of a removed directory are gone for good.
  if (!is_unlinked() && keep) DentryCache::Insert(*fresh, true);
  return fresh;
}

void Dentry::AddMountPoint() {
  mount_count_.fetch_add(1, std::memory_order_acq_rel);
  // Walks must find this very dentry from now on, also where names are not cached.
  if (kind_ != Kind::kChild || is_unlinked()) return;
  const RefPtr<Dentry> directory = parent();
  MutexLock lock(directory->directory_lock_);
  if (!hashed_) DentryCache::Insert(*this, false);
}

// Puts |fresh| into the cache as the name of |vnode|, in place of a negative one.
Result<RefPtr<Dentry>> Dentry::Install(RefPtr<Dentry> fresh, RefPtr<Vnode> vnode) {
  fresh->vnode_ = std::move(vnode);
  const RefPtr<Dentry> old = DentryCache::Find(*this, fresh->name_view(), fresh->hash_);
  if (old) {
    DentryCache::Remove(*old);
    if (old->vnode_) old->MarkUnlinked();
  }
  if (names_are_cached() || vnode_->RevalidateNames()) DentryCache::Insert(*fresh, true);
  return fresh;
}

Result<Dentry::Created> Dentry::CreateOrFind(std::string_view name, uint32_t mode, uint64_t rdev,
                                             uint32_t uid, uint32_t gid, bool exclusive) {
  const uint32_t hash = DentryCache::Hash(*this, name);
  MutexLock lock(directory_lock_);
  for (int attempt = 0;; attempt++) {
    auto found = LookupLocked(name, hash);
    if (!found.ok() && (found.error() != Errno::kENOENT || is_live())) return found.error();
    if (found.ok() && found.value()->vnode_) {
      if (exclusive) return Errno::kEEXIST;
      return Created{std::move(found).value(), false};
    }
    if (is_unlinked()) return Errno::kENOENT;
    auto fresh = TRY(CreateChild(*this, name, hash, nullptr));
    auto vnode = vnode_->Create(name, mode, rdev, uid, gid);
    // Someone outside this kernel (a shared host directory) may have been quicker.
    if (!vnode.ok() && vnode.error() == Errno::kEEXIST && !exclusive && attempt < 8 &&
        vnode_->RevalidateNames())
      continue;
    return Created{TRY(Install(std::move(fresh), TRY(std::move(vnode)))), true};
  }
}

Result<RefPtr<Dentry>> Dentry::Create(std::string_view name, uint32_t mode, uint64_t rdev,
                                      uint32_t uid, uint32_t gid, bool exclusive) {
  return std::move(TRY(CreateOrFind(name, mode, rdev, uid, gid, exclusive)).dentry);
}

Result<void> Dentry::CheckNameIsFree(std::string_view name, uint32_t hash) {
  if (is_unlinked()) return Errno::kENOENT;
  auto found = LookupLocked(name, hash);
  if (!found.ok()) {
    if (found.error() == Errno::kENOENT && !is_live()) return {};
    return found.error();
  }
  if (found.value()->vnode_) return Errno::kEEXIST;
  return {};
}

Result<void> Dentry::Symlink(std::string_view name, std::string_view target, uint32_t uid,
                             uint32_t gid) {
  const uint32_t hash = DentryCache::Hash(*this, name);
  MutexLock lock(directory_lock_);
  TRY(CheckNameIsFree(name, hash));
  auto fresh = TRY(CreateChild(*this, name, hash, nullptr));
  TRY(Install(std::move(fresh), TRY(vnode_->Symlink(name, target, uid, gid))));
  return {};
}

Result<void> Dentry::Link(std::string_view name, Vnode& target) {
  const uint32_t hash = DentryCache::Hash(*this, name);
  MutexLock lock(directory_lock_);
  TRY(CheckNameIsFree(name, hash));
  auto fresh = TRY(CreateChild(*this, name, hash, nullptr));
  TRY(vnode_->Link(name, target));
  TRY(Install(std::move(fresh), RefPtr<Vnode>(&target)));
  return {};
}

Result<void> Dentry::Unlink(std::string_view name, Dentry& victim, bool directory) {
  MutexLock lock(directory_lock_);
  if (victim.is_unlinked()) return Errno::kENOENT;
  if (victim.is_mount_point()) return Errno::kEBUSY;
  {
    MutexLock name_lock(victim.lock_);
    if (victim.parent_.get() != this || victim.name_view() != name) return Errno::kESTALE;
  }
  TRY(vnode_->Unlink(name, *victim.vnode_, directory));
  DentryCache::Remove(victim);
  victim.MarkUnlinked();
  return {};
}

Result<void> Dentry::Rename(Dentry& from, std::string_view name, Dentry& moved, Dentry& to,
                            std::string_view new_name, Dentry* victim, uint32_t flags) {
  constexpr uint32_t kExchange = 2;
  LockBoth lock(from.directory_lock_, to.directory_lock_);
  if (moved.is_unlinked() || from.is_unlinked() || to.is_unlinked()) return Errno::kENOENT;
  const auto is_at = [](Dentry& dentry, Dentry& parent, std::string_view expected) {
    MutexLock name_lock(dentry.lock_);
    return dentry.parent_.get() == &parent && dentry.name_view() == expected;
  };
  if (!is_at(moved, from, name)) return Errno::kESTALE;
  if (victim && victim->vnode_ && (victim->is_unlinked() || !is_at(*victim, to, new_name)))
    return Errno::kESTALE;
  if (moved.is_mount_point() || (victim && victim->is_mount_point())) return Errno::kEBUSY;
  Vnode* victim_vnode = victim ? victim->vnode_.get() : nullptr;

  // What the new names need is allocated before anything happens.
  const auto allocate_name = [](std::string_view text) -> Result<char*> {
    if (text.size() <= kInlineName) return static_cast<char*>(nullptr);
    void* memory = ::operator new(text.size(), std::nothrow);
    if (!memory) return Errno::kENOMEM;
    return static_cast<char*>(memory);
  };
  char* moved_name = TRY(allocate_name(new_name));
  char* victim_name = nullptr;
  if (flags & kExchange) {
    auto allocated = allocate_name(name);
    if (!allocated.ok()) {
      ::operator delete(moved_name);
      return allocated.error();
    }
    victim_name = allocated.value();
  }
  const auto renamed =
      from.vnode_->Rename(name, *moved.vnode_, *to.vnode_, new_name, victim_vnode, flags);
  if (!renamed.ok()) {
    ::operator delete(moved_name);
    ::operator delete(victim_name);
    return renamed.error();
  }

  const auto place = [](Dentry& dentry, Dentry& parent, std::string_view text, char* memory) {
    const uint32_t hash = DentryCache::Hash(parent, text);
    char* old;
    {
      MutexLock name_lock(dentry.lock_);
      old = dentry.name_;
      dentry.name_ = memory ? memory : dentry.inline_name_;
      __builtin_memmove(dentry.name_, text.data(), text.size());
      dentry.name_size_ = uint8_t(text.size());
      dentry.hash_ = hash;
    }
    if (old != dentry.inline_name_) ::operator delete(old);
    dentry.stamp_.store(0, std::memory_order_relaxed);
    if (parent.names_are_cached() || parent.vnode_->RevalidateNames())
      DentryCache::Insert(dentry, true);
  };
  const auto replace_parent = [](Dentry& dentry, Dentry& parent) {
    RefPtr<Dentry> other(&parent);
    MutexLock name_lock(dentry.lock_);
    std::swap(dentry.parent_, other);
    return other;  // dropped by the caller, without the lock
  };
  // A hard link to the same file: rename(2) does nothing.
  if (!(flags & kExchange) && victim_vnode == moved.vnode_.get()) {
    ::operator delete(moved_name);
    return {};
  }
  rename_generation.fetch_add(1, std::memory_order_acq_rel);
  DentryCache::Remove(moved);
  RefPtr<Dentry> stale = DentryCache::Find(to, new_name, DentryCache::Hash(to, new_name));
  if (stale) DentryCache::Remove(*stale);
  if (stale && stale.get() != victim && stale->vnode_) stale->MarkUnlinked();
  if (flags & kExchange) {
    const RefPtr<Dentry> old_to = replace_parent(*victim, from);
    DentryCache::Remove(*victim);
    place(*victim, from, name, victim_name);
  } else if (victim) {
    DentryCache::Remove(*victim);
    if (victim->vnode_) victim->MarkUnlinked();
  }
  const RefPtr<Dentry> old_from = replace_parent(moved, to);
  place(moved, to, new_name, moved_name);
  rename_generation.fetch_add(1, std::memory_order_acq_rel);
  return {};
}

}  // namespace zrun::vfs
