#include "compat/kernel.h"

#include "hal/devices.h"

namespace zrun::compat {
namespace {
alignas(Kernel) constinit std::byte g_kernel_storage[sizeof(Kernel)] = {};
constinit bool g_kernel_made = false;
}  // namespace

// Made on first use, which is single-threaded: booting, or a test's set-up. There are no global
// constructors.
Kernel& Kernel::Get() {
  if (!g_kernel_made) [[unlikely]] {
    new (g_kernel_storage) Kernel;
    g_kernel_made = true;
  }
  return *std::launder(reinterpret_cast<Kernel*>(g_kernel_storage));
}

Kernel::UtsName Kernel::hostname() const {
  MutexLock lock(uts_lock_);
  return hostname_;
}
void Kernel::SetHostname(std::string_view name) {
  {
    MutexLock lock(uts_lock_);
    hostname_ = UtsName(name);
  }
  TellUts(Uts::kHostname);
}
Kernel::UtsName Kernel::domainname() const {
  MutexLock lock(uts_lock_);
  return domainname_;
}
void Kernel::SetDomainname(std::string_view name) {
  {
    MutexLock lock(uts_lock_);
    domainname_ = UtsName(name);
  }
  TellUts(Uts::kDomainname);
}

vfs::ChangeNotice* Kernel::uts_changes(Uts which) {
  auto& place = uts_changes_[size_t(which)];
  if (vfs::ChangeNotice* const existing = place.load(std::memory_order_acquire)) return existing;
  auto made = MakeRef<vfs::ChangeNotice>();
  if (!made.ok()) return nullptr;
  vfs::ChangeNotice* expected = nullptr;
  if (place.compare_exchange_strong(expected, made.value().get(), std::memory_order_acq_rel))
    return std::move(made).value().Leak();  // lives for ever
  return expected;
}

void Kernel::TellUts(Uts which) {
  if (auto* const notice = uts_changes_[size_t(which)].load(std::memory_order_acquire))
    notice->Tell();
}

void Kernel::LogLine(std::string_view text) const {
  hal::ConsoleWrite(TextBuffer<300>("zrun: ", text, "\n"));
}

void Kernel::NoteMissingSyscall(uint64_t number) {
  if (number < missing_seen_.size() * 64) {
    const uint64_t bit = uint64_t{1} << (number % 64);
    if (missing_seen_[number / 64].fetch_or(bit, std::memory_order_relaxed) & bit) return;
  }
  Log(LogLevel::kInfo, "system call ", number, " is not implemented (ENOSYS)");
}

}  // namespace zrun::compat
