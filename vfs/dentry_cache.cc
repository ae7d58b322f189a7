#include "vfs/dentry_cache.h"

#include <array>

namespace zrun::vfs {
namespace {

constexpr uint32_t kBuckets = 8192;
constexpr uint32_t kStripes = 128;
struct Stripe {
  Mutex lock{LockRank::kLeaf};
};
constinit std::array<Stripe, kStripes> stripes;
constinit std::array<Dentry*, kBuckets> buckets{};
constinit std::atomic<uint32_t> kept_names{0};
constinit std::atomic<uint32_t> clock_hand{0};

uint32_t BucketOf(uint32_t hash) { return hash % kBuckets; }
Mutex& LockOf(uint32_t bucket) { return stripes[bucket % kStripes].lock; }

uint64_t Mix(uint64_t state, uint64_t value) {
  state = (state ^ value) * 0x9e3779b97f4a7c15u;
  return state ^ (state >> 32);
}

}  // namespace

uint32_t DentryCache::Hash(const Dentry& parent, std::string_view name) {
  uint64_t state = Mix(name.size(), reinterpret_cast<uintptr_t>(&parent) >> 4);
  while (name.size() >= 8) {
    uint64_t word;
    __builtin_memcpy(&word, name.data(), 8);
    state = Mix(state, word);
    name.remove_prefix(8);
  }
  uint64_t word = 0;
  for (char c : name) word = word << 8 | uint8_t(c);
  return uint32_t(Mix(state, word));
}

RefPtr<Dentry> DentryCache::Find(const Dentry& parent, std::string_view name, uint32_t hash) {
  const uint32_t bucket = BucketOf(hash);
  MutexLock lock(LockOf(bucket));
  for (Dentry* dentry = buckets[bucket]; dentry; dentry = dentry->next_in_bucket_) {
    if (dentry->hash_ != hash || dentry->parent_.get() != &parent || dentry->name_view() != name)
      continue;
    if (!dentry->TryAddRef()) return nullptr;  // on its way out
    if (!dentry->referenced_.load(std::memory_order_relaxed))
      dentry->referenced_.store(true, std::memory_order_relaxed);
    return RefPtr<Dentry>::Adopt(dentry);
  }
  return nullptr;
}

void DentryCache::Insert(Dentry& dentry, bool keep) {
  const uint32_t bucket = BucketOf(dentry.hash_);
  {
    MutexLock lock(LockOf(bucket));
    DCHECK(!dentry.hashed_);
    dentry.next_in_bucket_ = buckets[bucket];
    buckets[bucket] = &dentry;
    dentry.hashed_ = true;
    dentry.kept_ = keep;
    if (keep) dentry.AddRef();
  }
  if (!keep) return;
  if (kept_names.fetch_add(1, std::memory_order_relaxed) < kMaxNames) return;
  // Over the bound: turn the clock until something went, but not for long. Perhaps nothing can: a
  // deep tree's names are all in use by the next below.
  constexpr uint32_t kMaxTurns = 64;
  for (uint32_t turns = 0; turns < kMaxTurns; turns++) {
    const uint32_t hand = clock_hand.fetch_add(1, std::memory_order_relaxed) % kBuckets;
    if (SweepBucket(hand, nullptr, true) > 0) return;
  }
}

// Unhooks |dentry|; true if the caller must drop the cache's reference. The bucket's lock is held.
bool DentryCache::RemoveLocked(Dentry& dentry) {
  if (!dentry.hashed_) return false;
  Dentry** link = &buckets[BucketOf(dentry.hash_)];
  while (*link != &dentry) link = &(*link)->next_in_bucket_;
  *link = dentry.next_in_bucket_;
  dentry.next_in_bucket_ = nullptr;
  dentry.hashed_ = false;
  if (!dentry.kept_) return false;
  dentry.kept_ = false;
  kept_names.fetch_sub(1, std::memory_order_relaxed);
  return true;
}

void DentryCache::Remove(Dentry& dentry) {
  bool drop;
  {
    MutexLock lock(LockOf(BucketOf(dentry.hash_)));
    drop = RemoveLocked(dentry);
  }
  if (drop) dentry.Release();
}

void DentryCache::Forget(const Dentry& dentry) {
  MutexLock lock(LockOf(BucketOf(dentry.hash_)));
  CHECK(!RemoveLocked(const_cast<Dentry&>(dentry)));  // a kept one has a reference
}

uint32_t DentryCache::SweepBucket(uint32_t bucket, const FileSystem* file_system,
                                  bool second_chance) {
  Dentry* dropped = nullptr;
  uint32_t count = 0;
  {
    MutexLock lock(LockOf(bucket));
    Dentry* next;
    for (Dentry* dentry = buckets[bucket]; dentry; dentry = next) {
      next = dentry->next_in_bucket_;
      if (!dentry->kept_ || (file_system && dentry->file_system_ != file_system)) continue;
      // Nobody can get a new reference while the bucket is locked.
      if (dentry->ref_count() != 1 || dentry->is_mount_point()) continue;
      if (second_chance && dentry->referenced_.exchange(false, std::memory_order_relaxed)) continue;
      RemoveLocked(*dentry);
      dentry->next_in_bucket_ = dropped;
      dropped = dentry;
      count++;
    }
  }
  while (dropped) {
    Dentry* dentry = dropped;
    dropped = dentry->next_in_bucket_;
    dentry->next_in_bucket_ = nullptr;
    RefPtr<Dentry> parent = dentry->parent_;
    dentry->Release();
    if (!second_chance) DropUpwards(std::move(parent));
  }
  return count;
}

// A child keeps its parent: once it is gone the parent may go too, and so on, however deep.
void DentryCache::DropUpwards(RefPtr<Dentry> dentry) {
  while (dentry && dentry->kind_ == Dentry::Kind::kChild) {
    {
      MutexLock lock(LockOf(BucketOf(dentry->hash_)));
      // The cache's reference and ours.
      if (!dentry->kept_ || dentry->ref_count() != 2 || dentry->is_mount_point()) return;
      RemoveLocked(*dentry);
    }
    dentry->Release();
    dentry = RefPtr<Dentry>(dentry->parent_);
  }
}

void DentryCache::Shrink(const FileSystem* file_system) {
  for (uint32_t bucket = 0; bucket < kBuckets; bucket++) SweepBucket(bucket, file_system, false);
}

Dentry::Counts DentryCache::Count() {
  Dentry::Counts counts;
  for (uint32_t bucket = 0; bucket < kBuckets; bucket++) {
    MutexLock lock(LockOf(bucket));
    for (const Dentry* dentry = buckets[bucket]; dentry; dentry = dentry->next_in_bucket_) {
      if (!dentry->kept_ || dentry->ref_count() != 1) continue;
      counts.unused++;
      if (!dentry->vnode_) counts.negative++;
    }
  }
  return counts;
}

void Dentry::ShrinkCache() { DentryCache::Shrink(nullptr); }
void Dentry::ShrinkCache(const FileSystem& file_system) { DentryCache::Shrink(&file_system); }

}  // namespace zrun::vfs
