#include "objects/vm/user_memory.h"

#include <algorithm>

#include "hal/user_context.h"

namespace zrun {
namespace {

// A copy stopped at |address|. Whether to try again: a fault that the region has resolved may come
// back, because another thread unmaps the page again or because the machine's host cannot give it
// (the file behind it has shrunk): a few times is enough.
class FaultResolver {
 public:
  FaultResolver(VmAddressRegion& region, hal::Access access) : region_(region), access_(access) {}
  bool Resolve(hal::vaddr_t address) {
    const hal::vaddr_t page = hal::RoundDown(address);
    tries_ = page == last_page_ ? tries_ + 1 : 1;
    last_page_ = page;
    return tries_ <= kMaxTries && region_.HandleFault(address, access_).ok();
  }

 private:
  static constexpr int kMaxTries = 8;
  VmAddressRegion& region_;
  const hal::Access access_;
  hal::vaddr_t last_page_ = UINT64_MAX;
  int tries_ = 0;
};

// Calls |copy(done)|, which returns how much more was copied, until all is done or a fault stays.
template <typename Copy>
Result<size_t> CopyAll(VmAddressRegion& region, hal::Access access, hal::vaddr_t address,
                       size_t size, Copy copy) {
  FaultResolver resolver(region, access);
  size_t done = 0;
  while (done < size) {
    done += copy(done);
    if (done < size && !resolver.Resolve(address + done)) break;
  }
  if (done == 0 && size > 0) return Errno::kEFAULT;
  return done;
}

}  // namespace

Result<size_t> UserMemory::CopyIn(std::span<std::byte> to, UserPtr<const std::byte> from) {
  return CopyAll(region_, hal::Access::kRead, from.address(), to.size(), [&](size_t done) {
    return hal::CopyFromUser(to.data() + done, from.address() + done, to.size() - done);
  });
}

Result<size_t> UserMemory::CopyOut(UserPtr<std::byte> to, std::span<const std::byte> from) {
  return CopyAll(region_, hal::Access::kWrite, to.address(), from.size(), [&](size_t done) {
    return hal::CopyToUser(to.address() + done, from.data() + done, from.size() - done);
  });
}

Result<size_t> UserMemory::Zero(UserPtr<std::byte> to, size_t size) {
  return CopyAll(region_, hal::Access::kWrite, to.address(), size,
                 [&](size_t done) { return hal::ZeroUser(to.address() + done, size - done); });
}

Result<void> UserMemory::ReadAll(std::span<std::byte> to, UserPtr<const std::byte> from) {
  if (TRY(CopyIn(to, from)) < to.size()) return Errno::kEFAULT;
  return {};
}

Result<void> UserMemory::WriteAll(UserPtr<std::byte> to, std::span<const std::byte> from) {
  if (TRY(CopyOut(to, from)) < from.size()) return Errno::kEFAULT;
  return {};
}

Result<String> UserMemory::ReadString(UserCString from, size_t max) {
  constexpr size_t kStep = 256;
  FaultResolver resolver(region_, hal::Access::kRead);
  String text;
  size_t done = 0;
  while (done < max) {
    const size_t step = std::min(kStep, max - done);
    TRY(text.Resize(done + step));
    const auto copied = hal::CopyStringFromUser(text.data() + done, from.address + done, step);
    done += copied.copied;
    if (copied.terminated) {
      TRY(text.Resize(done - 1));
      return text;
    }
    if (copied.copied < step && !resolver.Resolve(from.address + done)) return Errno::kEFAULT;
  }
  return Errno::kENAMETOOLONG;
}

Result<uint32_t> UserMemory::LoadWord(UserPtr<const uint32_t> word) {
  if (word.address() % sizeof(uint32_t) != 0) return Errno::kEINVAL;
  FaultResolver resolver(region_, hal::Access::kRead);
  uint32_t value;
  while (!hal::LoadUserWord(word.address(), value)) {
    if (!resolver.Resolve(word.address())) return Errno::kEFAULT;
  }
  return value;
}

Result<bool> UserMemory::CompareExchangeWord(UserPtr<uint32_t> word, uint32_t& expected,
                                             uint32_t desired) {
  if (word.address() % sizeof(uint32_t) != 0) return Errno::kEINVAL;
  FaultResolver resolver(region_, hal::Access::kWrite);
  bool swapped = false;
  while (!hal::CompareExchangeUserWord(word.address(), expected, desired, swapped)) {
    if (!resolver.Resolve(word.address())) return Errno::kEFAULT;
  }
  return swapped;
}

}  // namespace zrun
