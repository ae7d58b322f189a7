#include "compat/memory_context.h"

namespace zrun::compat {

MemoryContext::MemoryContext(RefPtr<VmAddressRegion> region) : region_(std::move(region)) {}

Result<RefPtr<MemoryContext>> MemoryContext::Create(RefPtr<VmAddressRegion> region) {
  return MakeRef<MemoryContext>(std::move(region));
}

Result<RefPtr<MemoryContext>> MemoryContext::CloneForFork() {
  auto copy = TRY(MakeRef<MemoryContext>(nullptr));
  copy->SetExecutable(executable());
  copy->SetProgramText(program_text());
  copy->auxv = auxv;
  copy->auxv_size = auxv_size;
  copy->dumpable.store(dumpable.load());
  return copy;
}

MemoryContext::~MemoryContext() { SetExecutable(nullptr); }

RefPtr<vfs::FileDescription> MemoryContext::executable() const {
  MutexLock lock(lock_);
  return executable_;
}

RefPtr<const MemoryContext::ProgramText> MemoryContext::program_text() const {
  MutexLock lock(lock_);
  return program_text_;
}

void MemoryContext::SetProgramText(RefPtr<const ProgramText> text) {
  MutexLock lock(lock_);
  std::swap(program_text_, text);
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
