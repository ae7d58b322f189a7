#include "objects/handle.h"

namespace zrun {

Handle::Handle(RefPtr<KernelObject> object, Rights rights)
    : object_(std::move(object)), rights_(rights) {
  if (object_) object_->handle_count_.fetch_add(1, std::memory_order_relaxed);
}

Handle Handle::IfOpen(KernelObject& object) {
  Handle handle;
  uint32_t count = object.handle_count_.load(std::memory_order_relaxed);
  do {
    if (count == 0) return handle;
  } while (!object.handle_count_.compare_exchange_weak(count, count + 1));
  handle.object_ = RefPtr<KernelObject>(&object);
  return handle;
}

Handle::Handle(Handle&& other)
    : object_(std::move(other.object_)), rights_(std::exchange(other.rights_, Rights::kNone)) {}

Handle& Handle::operator=(Handle&& other) {
  Handle moved(std::move(other));
  std::swap(object_, moved.object_);
  std::swap(rights_, moved.rights_);
  return *this;
}

Handle::~Handle() {
  if (!object_) return;
  if (object_->handle_count_.fetch_sub(1, std::memory_order_acq_rel) == 1)
    object_->LastHandleGone();
}

Result<Handle> Handle::Duplicate(Rights rights) const {
  if (!object_) return Errno::kEBADF;
  if (!HasAll(rights_, Rights::kDuplicate)) return Errno::kEACCES;
  if (rights == Rights::kSame) rights = rights_;
  if (!HasAll(rights_, rights)) return Errno::kEACCES;
  return Handle(object_, rights);
}

Result<HandleValue> HandleTable::Add(Handle handle) {
  MutexLock lock(lock_);
  size_t value = lowest_free_;
  while (value < handles_.size() && handles_[value]) value++;
  if (value == handles_.size()) {
    TRY(handles_.PushBack(std::move(handle)));
  } else {
    handles_[value] = std::move(handle);
  }
  lowest_free_ = value + 1;
  return HandleValue(value);
}

Result<Handle> HandleTable::Remove(HandleValue value) {
  MutexLock lock(lock_);
  if (value >= handles_.size() || !handles_[value]) return Errno::kEBADF;
  lowest_free_ = std::min<size_t>(lowest_free_, value);
  return std::move(handles_[value]);
}

size_t HandleTable::count() const {
  MutexLock lock(lock_);
  size_t count = 0;
  for (const Handle& handle : handles_) count += handle ? 1 : 0;
  return count;
}

}  // namespace zrun
