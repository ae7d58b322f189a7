#include "vfs/mount.h"

namespace zrun::vfs {
namespace {

constinit std::atomic<int> next_mount_id{1};

bool IsDirectory(const Dentry& dentry) {
  return dentry.vnode() && dentry.vnode()->type() == VnodeType::kDirectory;
}

}  // namespace

constinit std::atomic<uint32_t> MountNamespace::limit_{100'000};

RefPtr<Vnode> Path::vnode() const { return dentry ? dentry->vnode() : nullptr; }

Mount::Mount(RefPtr<FileSystem> file_system, RefPtr<Dentry> root, MountFlags flags, String source)
    : file_system_(std::move(file_system)),
      root_(std::move(root)),
      source_(std::move(source)),
      flags_(uint32_t(flags)),
      id_(next_mount_id.fetch_add(1, std::memory_order_relaxed)) {}

// Nobody is inside any more: names that are only cached would keep the file system alive.
Mount::~Mount() { Dentry::ShrinkCache(*file_system_); }

Result<RefPtr<Mount>> Mount::Create(RefPtr<FileSystem> file_system, RefPtr<Dentry> root,
                                    MountFlags flags, std::string_view source) {
  String text = TRY(String::Create(source));
  return MakeRef<Mount>(std::move(file_system), std::move(root), flags, std::move(text));
}

Result<RefPtr<Mount>> Mount::CreateFor(RefPtr<FileSystem> file_system, MountFlags flags,
                                       std::string_view source) {
  auto root = TRY(Dentry::CreateRoot(file_system->Root()));
  return Create(std::move(file_system), std::move(root), flags, source);
}

Path Mount::mount_point() const {
  MutexLock lock(place_lock_);
  return mount_point_;
}

Path Mount::SetMountPoint(Path path) {
  MutexLock lock(place_lock_);
  std::swap(path, mount_point_);
  return path;
}

Result<RefPtr<MountNamespace>> MountNamespace::Create(RefPtr<Mount> root) {
  auto mounts = TRY(MakeRef<MountNamespace>(TRY(MakeRef<ChangeNotice>())));
  MutexLock lock(mounts->lock_);
  root->namespace_ = mounts.get();
  mounts->count_ = 1;
  mounts->mounts_.PushBack(*RefPtr<Mount>(root).Leak());
  mounts->root_ = std::move(root);
  return mounts;
}

MountNamespace::~MountNamespace() {
  // Latest first: what is attached inside another mount goes before that one.
  for (;;) {
    Mount* mount;
    Path place;
    {
      MutexLock lock(lock_);
      mount = mounts_.back();
      if (!mount) break;
      mounts_.Remove(*mount);
      place = TakeFromPlace(*mount);
      mount->namespace_ = nullptr;
    }
    if (place) place.dentry->RemoveMountPoint();
    mount->Release();
  }
}

void MountNamespace::PutAt(Mount& mount, const Path& where) {
  where.dentry->AddMountPoint();
  mount.SetMountPoint(where);
  mount.place_.key = {where.mount.get(), where.dentry.get()};
  where.mount->children_++;
  places_.Insert(mount.place_);
}

Path MountNamespace::TakeFromPlace(Mount& mount) {
  Path place = mount.SetMountPoint({});
  if (!place) return place;
  places_.Remove(mount.place_);
  place.mount->children_--;
  mount.place_.key = {};
  return place;
}

Path MountNamespace::root() const {
  MutexLock lock(lock_);
  return {root_, root_->root()};
}

bool MountNamespace::Contains(const Mount& mount) { return mount.namespace_ == this; }

Result<void> MountNamespace::CheckAttached(const Mount& mount) {
  MutexLock lock(lock_);
  if (!Contains(mount)) return Errno::kEINVAL;
  return {};
}

// The latest of those that were attached there.
Mount* MountNamespace::FindAt(const Mount& mount, const Dentry& dentry) {
  const Mount::PlaceKey key{&mount, &dentry};
  Mount::PlaceNode* const found = places_.AtOrBefore(key);
  return found && !(found->key < key) ? &found->mount : nullptr;
}

bool MountNamespace::IsBelow(const Mount& mount, const Mount& ancestor) {
  const Mount* each = &mount;
  while (each && each != &ancestor) each = each->place_.key.mount;
  return each != nullptr;
}

Result<void> MountNamespace::Attach(const Path& where, RefPtr<Mount> mount) {
  if (!where.dentry->vnode()) return Errno::kENOENT;
  if (IsDirectory(*where.dentry) != IsDirectory(*mount->root())) return Errno::kENOTDIR;
  MutexLock lock(lock_);
  if (!where.mount || !Contains(*where.mount)) return Errno::kEINVAL;
  if (where.dentry->is_unlinked()) return Errno::kENOENT;
  if (count_ >= limit()) return Errno::kENOSPC;
  count_++;
  mount->namespace_ = this;
  PutAt(*mount, where);
  mounts_.PushBack(*mount.Leak());
  changes_->Tell();
  return {};
}

Result<void> MountNamespace::Detach(const Path& where, bool lazy) {
  if (where.dentry != where.mount->root()) return Errno::kEINVAL;
  IntrusiveList<Mount, Mount> gone;
  {
    MutexLock lock(lock_);
    if (!Contains(*where.mount)) return Errno::kEINVAL;
    if (where.mount == root_) return Errno::kEBUSY;
    if (!lazy && (where.mount->children_ > 0 || where.mount->ref_count() > 2)) return Errno::kEBUSY;
    where.mount->leaving_ = true;
    // A mount mostly comes after the one it is in: one round finds all, and another sees that.
    for (bool more = true; more;) {
      more = false;
      for (Mount* each = mounts_.front(); each;) {
        Mount* next = mounts_.NextOf(*each);
        if (each->leaving_ || (each->place_.key.mount && each->place_.key.mount->leaving_)) {
          each->leaving_ = true;
          each->namespace_ = nullptr;
          mounts_.Remove(*each);
          gone.PushFront(*each);
          count_--;
          more = true;
        }
        each = next;
      }
    }
  }
  while (Mount* mount = gone.PopFront()) {
    Path place;
    {
      MutexLock lock(lock_);
      place = TakeFromPlace(*mount);
    }
    place.dentry->RemoveMountPoint();
    mount->Release();
  }
  changes_->Tell();
  return {};
}

Result<void> MountNamespace::Move(const Path& from, const Path& to) {
  if (from.dentry != from.mount->root()) return Errno::kEINVAL;
  if (!to.dentry->vnode()) return Errno::kENOENT;
  if (IsDirectory(*to.dentry) != IsDirectory(*from.dentry)) return Errno::kENOTDIR;
  Path old;
  {
    MutexLock lock(lock_);
    if (!Contains(*from.mount) || !Contains(*to.mount) || from.mount == root_)
      return Errno::kEINVAL;
    if (IsBelow(*to.mount, *from.mount)) return Errno::kELOOP;
    old = TakeFromPlace(*from.mount);
    PutAt(*from.mount, to);
    // The latest is the one seen.
    mounts_.Remove(*from.mount);
    mounts_.PushBack(*from.mount);
  }
  old.dentry->RemoveMountPoint();
  changes_->Tell();
  return {};
}

Result<void> MountNamespace::Pivot(const Path& new_root, const Path& put_old) {
  if (new_root.dentry != new_root.mount->root()) return Errno::kEINVAL;
  Path old_place;
  RefPtr<Mount> old_root;
  {
    MutexLock lock(lock_);
    if (!Contains(*new_root.mount) || !Contains(*put_old.mount)) return Errno::kEINVAL;
    if (new_root.mount == root_ || put_old.mount == root_) return Errno::kEBUSY;
    if (!IsBelow(*put_old.mount, *new_root.mount)) return Errno::kEINVAL;
    old_place = TakeFromPlace(*new_root.mount);
    old_root = root_;
    root_ = new_root.mount;
    PutAt(*old_root, put_old);
  }
  old_place.dentry->RemoveMountPoint();
  changes_->Tell();
  return {};
}

Path MountNamespace::Descend(Path path) {
  if (!path.dentry->is_mount_point()) return path;
  RefPtr<Mount> mount;
  {
    MutexLock lock(lock_);
    const Mount* top = path.mount.get();
    const Dentry* dentry = path.dentry.get();
    Mount* found = nullptr;
    while (Mount* next = FindAt(*top, *dentry)) {
      found = next;
      top = next;
      dentry = next->root().get();
    }
    mount = RefPtr<Mount>(found);
  }
  if (!mount) return path;
  RefPtr<Dentry> root = mount->root();
  return {std::move(mount), std::move(root)};
}

Path MountNamespace::Ascend(Path path) {
  while (path.dentry == path.mount->root()) {
    Path place = path.mount->mount_point();
    if (!place) break;
    path = std::move(place);
  }
  return path;
}

Result<Vector<RefPtr<Mount>>> MountNamespace::List() {
  Vector<RefPtr<Mount>> mounts;
  MutexLock lock(lock_);
  TRY(mounts.Reserve(count_));
  for (Mount& mount : mounts_) TRY(mounts.PushBack(RefPtr<Mount>(&mount)));
  return mounts;
}

Result<String> RootWithin(const Mount& mount) {
  String path;
  for (RefPtr<Dentry> dentry = mount.root(); !dentry->is_root(); dentry = dentry->parent()) {
    String longer = TRY(String::Create("/"));
    TRY(longer.Append(TRY(dentry->name())));
    TRY(longer.Append(path));
    path = std::move(longer);
  }
  if (path.empty()) return String::Create("/");
  return path;
}

}  // namespace zrun::vfs
