#include <cstring>

#include "base/assert.h"
#include "hal/fake/fake.h"
#include "hal/fake/internal.h"

namespace zrun::hal {
namespace {

std::function<Trap(Registers&)> g_guest_of_all;

}  // namespace

Result<RefPtr<AddressSpace>> CreateAddressSpace() {
  return RefPtr<AddressSpace>(TRY(MakeRef<fake::Space>()));
}

namespace fake {

Result<void> Space::MapShared(vaddr_t base, std::span<const PhysRange> frames, Access access) {
  if (MustFail()) return Errno::kENOMEM;
  std::lock_guard lock(mutex_);
  for (const PhysRange& range : frames) {
    CHECK(((base | range.base | range.size) & kPageMask) == 0 && range.size > 0);
    for (uint64_t done = 0; done < range.size; done += kPageSize)
      pages_[base + done] = {.frame = range.base + done, .access = access};
    base += range.size;
  }
  CHECK(base <= GetUserLayout().highest);
  return {};
}

Result<void> Space::Protect(VirtRange range, Access access) {
  if (MustFail()) return Errno::kENOMEM;
  std::lock_guard lock(mutex_);
  for (auto it = pages_.lower_bound(range.base); it != pages_.end() && it->first < range.end();
       ++it)
    it->second.access = access;
  return {};
}

Result<void> Space::Unmap(VirtRange range) {
  std::lock_guard lock(mutex_);
  CHECK(((range.base | range.size) & kPageMask) == 0);
  pages_.erase(pages_.lower_bound(range.base), pages_.lower_bound(range.end()));
  return {};
}

Result<void> Space::UnmapAll() {
  std::lock_guard lock(mutex_);
  pages_.clear();
  return {};
}

std::optional<Space::Translation> Space::Find(vaddr_t address) {
  std::lock_guard lock(mutex_);
  auto it = pages_.find(RoundDown(address));
  if (it == pages_.end()) return std::nullopt;
  return it->second;
}

size_t Space::page_count() {
  std::lock_guard lock(mutex_);
  return pages_.size();
}

// The memory behind a translation; copies it first if that is due.
std::byte* Space::Reach(Translation& page, Access access) {
  static std::array<std::byte, kPageSize> zeros{};
  if (page.own) return page.own->data();
  std::byte* frame = page.frame ? PhysToPointer(page.frame) : zeros.data();
  CHECK(frame);
  if (!page.is_private || !HasAny(access, Access::kWrite)) return frame;
  page.own = std::make_shared<std::array<std::byte, kPageSize>>();
  memcpy(page.own->data(), frame, kPageSize);
  return page.own->data();
}

size_t Space::Touch(vaddr_t address, size_t size, Access access,
                    const std::function<void(std::byte*, size_t, size_t)>& use) {
  std::lock_guard lock(mutex_);
  size_t done = 0;
  while (done < size) {
    auto it = pages_.find(RoundDown(address + done));
    if (it == pages_.end() || !HasAll(it->second.access, access)) break;
    const size_t offset = (address + done) & kPageMask;
    const size_t bytes = std::min(size - done, kPageSize - offset);
    std::byte* page = Reach(it->second, access);
    use(page + offset, done, bytes);
    done += bytes;
  }
  return done;
}

void EnterSpace(AddressSpace* space) { CurrentThread().space = RefPtr<AddressSpace>(space); }
void SetGuest(std::function<Trap(Registers&)> guest) { CurrentThread().guest = std::move(guest); }
void SetGuestOfAll(std::function<Trap(Registers&)> guest) { g_guest_of_all = std::move(guest); }

}  // namespace fake

namespace {

size_t Touch(vaddr_t address, size_t size, Access access,
             const std::function<void(std::byte*, size_t, size_t)>& use) {
  auto* space = static_cast<fake::Space*>(CurrentThread().space.get());
  const UserLayout& layout = GetUserLayout();
  if (!space || address < layout.lowest || address >= layout.highest) return 0;
  return space->Touch(address, std::min<uint64_t>(size, layout.highest - address), access, use);
}

}  // namespace

size_t CopyFromUser(void* to, vaddr_t from, size_t size) {
  return Touch(from, size, Access::kRead, [&](std::byte* memory, size_t done, size_t bytes) {
    memcpy(static_cast<std::byte*>(to) + done, memory, bytes);
  });
}

size_t CopyToUser(vaddr_t to, const void* from, size_t size) {
  return Touch(to, size, Access::kWrite, [&](std::byte* memory, size_t done, size_t bytes) {
    memcpy(memory, static_cast<const std::byte*>(from) + done, bytes);
  });
}

size_t ZeroUser(vaddr_t to, size_t size) {
  return Touch(to, size, Access::kWrite,
               [&](std::byte* memory, size_t, size_t bytes) { memset(memory, 0, bytes); });
}

CopiedString CopyStringFromUser(char* to, vaddr_t from, size_t size) {
  CopiedString copied{0, false};
  while (copied.copied < size && !copied.terminated) {
    if (CopyFromUser(to + copied.copied, from + copied.copied, 1) == 0) break;
    copied.terminated = to[copied.copied++] == '\0';
  }
  return copied;
}

bool LoadUserWord(vaddr_t address, uint32_t& value) {
  return Touch(address, sizeof value, Access::kRead, [&](std::byte* memory, size_t, size_t) {
           value = __atomic_load_n(reinterpret_cast<uint32_t*>(memory), __ATOMIC_SEQ_CST);
         }) == sizeof value;
}

bool CompareExchangeUserWord(vaddr_t address, uint32_t& expected, uint32_t desired, bool& swapped) {
  return Touch(address, sizeof desired, Access::kWrite, [&](std::byte* memory, size_t, size_t) {
           swapped =
               __atomic_compare_exchange_n(reinterpret_cast<uint32_t*>(memory), &expected, desired,
                                           false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
         }) == sizeof desired;
}

// ---- User mode: whatever the test's guest does.

Trap Run() {
  Thread& self = CurrentThread();
  if (KickPending()) return Trap{};
  if (self.guest) return self.guest(self.registers);
  if (g_guest_of_all) return g_guest_of_all(self.registers);
  while (!KickPending()) Park(Deadline::Never(), Interruptible::kYes);
  return Trap{};
}

Registers& UserRegisters() { return CurrentThread().registers; }
uint64_t ThreadPointer() { return CurrentThread().thread_pointer; }
void SetThreadPointer(uint64_t value) { CurrentThread().thread_pointer = value; }
uint64_t GsBase() { return CurrentThread().gs_base; }
void SetGsBase(uint64_t value) { CurrentThread().gs_base = value; }
size_t VectorStateSize() { return 0; }
void SaveVectorState(std::span<std::byte>, vaddr_t) {}
bool LoadVectorState(std::span<const std::byte> image) { return image.empty(); }
void ResetVectorState() {}
void ResetForExec() {
  SetThreadPointer(0);
  SetGsBase(0);
}

}  // namespace zrun::hal
