#pragma once
#include "vfs/dentry.h"

namespace zrun::vfs {

// The table of names: found by parent and component. Bounded; a clock sweep drops names that nobody
// uses and that were not looked up since the last turn.
class DentryCache {
 public:
  static uint32_t Hash(const Dentry& parent, std::string_view name);
  static RefPtr<Dentry> Find(const Dentry& parent, std::string_view name, uint32_t hash);
  // |keep|: the cache holds a reference; otherwise the name is findable only while in use.
  static void Insert(Dentry& dentry, bool keep);
  // Afterwards Find() does not give it any more.
  static void Remove(Dentry& dentry);
  // Called when the last reference is gone.
  static void Forget(const Dentry& dentry);
  static void Shrink(const FileSystem* file_system);
  static Dentry::Counts Count();  // without |all|

  static constexpr uint32_t kMaxNames = 32768;

 private:
  static bool RemoveLocked(Dentry& dentry);
  static uint32_t SweepBucket(uint32_t bucket, const FileSystem* file_system, bool second_chance);
  static void DropUpwards(RefPtr<Dentry> dentry);
};

}  // namespace zrun::vfs
