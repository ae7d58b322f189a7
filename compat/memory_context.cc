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

Result<void> MemoryContext::AddErrand(MemoryErrand& errand) {
  MutexLock lock(lock_);
  if (users.load() == 0) return Errno::kESRCH;
  errands_.PushBack(errand);
  return {};
}

bool MemoryContext::IsOver(MemoryErrand& errand, bool& refused) {
  MutexLock lock(lock_);
  refused = errand.state_ == MemoryErrand::State::kRefused;
  return refused || errand.state_ == MemoryErrand::State::kDone;
}

void MemoryContext::WithdrawErrand(MemoryErrand& errand) {
  MutexLock lock(lock_);
  if (errand.state_ != MemoryErrand::State::kWaiting) return;
  errands_.Remove(errand);
  errand.state_ = MemoryErrand::State::kRefused;
}

void MemoryContext::RunErrands() {
  for (;;) {
    MemoryErrand* errand;
    {
      MutexLock lock(lock_);
      errand = errands_.PopFront();
      if (!errand) return;
      errand->state_ = MemoryErrand::State::kRunning;
    }
    errand->Run(*region_);
    MutexLock lock(lock_);
    errand->state_ = MemoryErrand::State::kDone;
    hal::Unpark(errand->waiter_);
  }
}

void MemoryContext::RemoveUser() {
  if (users.fetch_sub(1) != 1) return;
  MutexLock lock(lock_);
  while (MemoryErrand* const errand = errands_.PopFront()) {
    errand->state_ = MemoryErrand::State::kRefused;
    hal::Unpark(errand->waiter_);
  }
}

}  // namespace zrun::compat
