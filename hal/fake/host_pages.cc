// The host's part of private memory, so that what the trap machine uses of the VM layer can be
// tested.
#include "hal/host_pages.h"

#include <sys/mman.h>

#include <algorithm>

#include "base/assert.h"
#include "hal/fake/fake.h"
#include "hal/fake/internal.h"

namespace zrun::hal {
namespace {

// Only threads of the space may change it.
fake::Space& Own(AddressSpace& space) {
  CHECK(CurrentThread().space.get() == &space);
  return static_cast<fake::Space&>(space);
}

}  // namespace

Result<void> MapPrivateZero(AddressSpace& space, VirtRange range, Access access) {
  CHECK(range.size > 0);
  if (fake::MustFail()) return Errno::kENOMEM;
  for (uint64_t done = 0; done < range.size; done += kPageSize)
    Own(space).MapPrivate(range.base + done, 0, access);
  return {};
}

Result<void> MapPrivateCopy(AddressSpace& space, vaddr_t base, std::span<const PhysRange> frames,
                            Access access) {
  if (fake::MustFail()) return Errno::kENOMEM;
  for (const PhysRange& range : frames) {
    for (uint64_t done = 0; done < range.size; done += kPageSize)
      Own(space).MapPrivate(base + done, range.base + done, access);
    base += range.size;
  }
  return {};
}

Result<void> MoveRange(AddressSpace& space, VirtRange from, vaddr_t to) {
  if (fake::MustFail()) return Errno::kENOMEM;
  return Own(space).Move(from, to);
}

Result<void> AdvisePrivate(AddressSpace& space, VirtRange range, int advice) {
  if (advice == MADV_DONTNEED) Own(space).Drop(range);
  if (advice == MADV_WIPEONFORK) Own(space).WipeOnFork(range, true);
  if (advice == MADV_KEEPONFORK) Own(space).WipeOnFork(range, false);
  if (advice == MADV_POPULATE_WRITE) Own(space).Populate(range);
  return {};
}

Result<void> ResidentPages(AddressSpace& space, VirtRange range, std::span<uint8_t> out) {
  for (size_t i = 0; i < range.size / kPageSize; i++) {
    const auto page = Own(space).Find(range.base + i * kPageSize);
    out[i] = page && (page->own || page->frame) ? 1 : 0;
  }
  return {};
}

Result<ForkedSpace> ForkAddressSpace(AddressSpace& current, ThreadStart start) {
  RefPtr<AddressSpace> space = TRY(Own(current).Fork());
  Thread* thread = TRY(StartThread(space.get(), start));
  return ForkedSpace{std::move(space), thread};
}

namespace fake {

void Space::MapPrivate(vaddr_t page, paddr_t frame, Access access) {
  std::lock_guard lock(mutex_);
  pages_[page] = {.frame = frame, .access = access, .is_private = true};
  wiped_.erase(page);
}

// Like the host, which moves one of its areas at a time, it refuses ranges with holes and those
// that mix private and shared memory.
Result<void> Space::Move(VirtRange from, vaddr_t to) {
  std::lock_guard lock(mutex_);
  const auto first = pages_.find(from.base);
  for (vaddr_t page = from.base; page < from.end(); page += kPageSize) {
    const auto it = pages_.find(page);
    if (it == pages_.end() || it->second.is_private != first->second.is_private)
      return Errno::kEFAULT;
  }
  for (uint64_t done = 0; done < from.size; done += kPageSize) {
    pages_[to + done] = std::move(pages_[from.base + done]);
    pages_.erase(from.base + done);
    if (wiped_.erase(from.base + done)) wiped_.insert(to + done);
  }
  return {};
}

void Space::Drop(VirtRange range) {
  std::lock_guard lock(mutex_);
  for (auto it = pages_.lower_bound(range.base); it != pages_.end() && it->first < range.end();
       ++it)
    it->second.own = nullptr;
}

void Space::Populate(VirtRange range) {
  std::lock_guard lock(mutex_);
  for (auto it = pages_.lower_bound(range.base); it != pages_.end() && it->first < range.end();
       ++it)
    Reach(it->second, Access::kWrite);
}

void Space::WipeOnFork(VirtRange range, bool wipe) {
  std::lock_guard lock(mutex_);
  for (vaddr_t page = range.base; page < range.end(); page += kPageSize) {
    if (wipe) {
      wiped_.insert(page);
    } else {
      wiped_.erase(page);
    }
  }
}

Result<RefPtr<Space>> Space::Fork() {
  RefPtr<Space> child = TRY(MakeRef<Space>());
  std::lock_guard lock(mutex_);
  for (const auto& [page, translation] : pages_) {
    Translation& copy = child->pages_[page];
    copy = translation;
    if (copy.own) copy.own = std::make_shared<std::array<std::byte, kPageSize>>(*copy.own);
    if (wiped_.contains(page)) copy.own = nullptr;
  }
  child->wiped_ = wiped_;
  return child;
}

}  // namespace fake
}  // namespace zrun::hal
