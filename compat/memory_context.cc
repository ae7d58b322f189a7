#include "compat/memory_context.h"

namespace zrun::compat {

MemoryContext::MemoryContext(RefPtr<VmAddressRegion> region) : region_(std::move(region)) {}

Result<RefPtr<MemoryContext>> MemoryContext::Create(RefPtr<VmAddressRegion> region) {
  return MakeRef<MemoryContext>(std::move(region));
}

Result<RefPtr<MemoryContext>> MemoryContext::CloneForFork() {
  auto copy = TRY(MakeRef<MemoryContext>(nullptr));
  copy->SetExecutable(executable());
  copy->auxv = auxv;
  copy->auxv_size = auxv_size;
  copy->dumpable.store(dumpable.load());
  copy->peak_bytes.store(peak_bytes.load());
  return copy;
}

MemoryContext::~MemoryContext() { SetExecutable(nullptr); }

RefPtr<vfs::FileDescription> MemoryContext::executable() const {
  MutexLock lock(lock_);
  return executable_;
}

void MemoryContext::SetExecutable(RefPtr<vfs::FileDescription> file) {
  // Whoever has the program running keeps writers away from it: one count each.
  if (file) {
    if (auto vnode = file->path().vnode()) vnode->AddExecutor();
  }
  {
    MutexLock lock(lock_);
    std::swap(executable_, file);
  }
  if (file) {
    if (auto vnode = file->path().vnode()) vnode->RemoveExecutor();
  }
}

}  // namespace zrun::compat
