#pragma once
#include "base/flags.h"
#include "base/vector.h"
#include "objects/kernel_object.h"

namespace zrun {

enum class Rights : uint32_t {
  kNone = 0,
  kRead = 1 << 0,
  kWrite = 1 << 1,
  kExecute = 1 << 2,
  kMap = 1 << 3,
  kDuplicate = 1 << 4,
  kTransfer = 1 << 5,
  kWait = 1 << 6,
  kSignal = 1 << 7,
  kManage = 1 << 8,
  kInspect = 1 << 9,
  kSame = 1u << 31,  // only to Duplicate(): keep the rights there are
};

}  // namespace zrun
template <>
inline constexpr bool zrun::kIsFlags<zrun::Rights> = true;

namespace zrun {

// An owned reference with rights. File descriptors, SCM_RIGHTS messages and handle tables hold
// these.
class Handle {
 public:
  Handle() = default;
  Handle(RefPtr<KernelObject> object, Rights rights);
  // One more, without rights, for an object that has handles; empty for one that has none (any
  // more): its last handle goes only once.
  static Handle IfOpen(KernelObject& object);
  Handle(Handle&& other);
  Handle& operator=(Handle&& other);
  ~Handle();
  Rights rights() const { return rights_; }
  explicit operator bool() const { return bool(object_); }
  const RefPtr<KernelObject>& object() const { return object_; }
  // EACCES without kDuplicate, or to gain rights.
  Result<Handle> Duplicate(Rights rights = Rights::kSame) const;
  // EBADF if it is no T, then EACCES if a right is missing.
  template <typename T>
  Result<RefPtr<T>> Get(Rights needed) const {
    auto object = Downcast<T>(object_);
    if (!object) return Errno::kEBADF;
    if (!HasAll(rights_, needed)) return Errno::kEACCES;
    return object;
  }

 private:
  RefPtr<KernelObject> object_;
  Rights rights_ = Rights::kNone;
};

// A process's handles by number. Lowest free number first.
using HandleValue = uint32_t;
class HandleTable {
 public:
  Result<HandleValue> Add(Handle handle) EXCLUDES(lock_);
  Result<Handle> Remove(HandleValue value) EXCLUDES(lock_);
  template <typename T>
  Result<RefPtr<T>> Get(HandleValue value, Rights needed) EXCLUDES(lock_) {
    MutexLock lock(lock_);
    if (value >= handles_.size() || !handles_[value]) return Errno::kEBADF;
    return handles_[value].template Get<T>(needed);
  }
  size_t count() const EXCLUDES(lock_);

 private:
  mutable Mutex lock_{LockRank::kHandleTable};
  Vector<Handle> handles_ GUARDED_BY(lock_);
  size_t lowest_free_ GUARDED_BY(lock_) = 0;  // none below it is free
};

}  // namespace zrun
