#include "hal/host_pages.h"
#include "hal/trap_x86_64/host_call.h"
#include "hal/trap_x86_64/machine.h"

// Address spaces: a host process each. Private memory is the host's, shared memory maps the memory
// file, the image or a host file.
namespace zrun::hal {
namespace {

enum : int { kShared = 1, kPrivate = 2, kFixed = 0x10, kAnonymous = 0x20, kNoReserve = 0x4000 };

int Protection(Access access) { return int(access); }  // PROT_READ 1, WRITE 2, EXEC 4
static_assert(int(Access::kRead) == 1 && int(Access::kWrite) == 2 && int(Access::kExecute) == 4);

constinit UserLayout g_layout = {};

// Everything of the guest's range, around the kernel's hole and the vDSO.
void UnmapGuestRange() {
  const UserLayout& layout = GetUserLayout();
  const VirtRange kept[] = {layout.reserved, layout.vdso};
  vaddr_t from = 0;
  while (from < layout.highest) {
    vaddr_t next = layout.highest, resume = layout.highest;
    for (const VirtRange& range : kept) {
      if (range.size == 0 || range.base < from || range.base >= next) continue;
      next = range.base;
      resume = range.end();
    }
    if (next > from) HostCall(HostNumber::kMunmap, from, next - from);
    from = resume;
  }
}

}  // namespace

const UserLayout& GetUserLayout() {
  if (g_layout.highest == 0) {
    const BootRecord& boot = Boot();
    g_layout.lowest = 0x10000;
    g_layout.reserved = {ZRUN_HOLE_BASE, ZRUN_HOLE_SIZE};
    g_layout.vdso = {boot.vdso_base, boot.vdso_size};
    g_layout.vdso_header = boot.vdso_header;
    g_layout.highest = 0x7ffffffff000;
  }
  return g_layout;
}

bool Carrier::is_current() const { return CurrentThread().space == this; }

Carrier::~Carrier() {
  // A blank carrier that was never used: its thread still waits.
  if (!first_thread) return;
  first_thread->start = {[](void*) { ExitThread(); }, nullptr};
  first_thread->start_gate.store(1, std::memory_order_release);
  WakeWord(first_thread->start_gate, 1);
}

Result<void> Carrier::MapFrames(vaddr_t base, std::span<const PhysRange> frames, Access access,
                                bool is_private) {
  CHECK(is_current());
  if (has_pending_work()) DoPendingWork();  // or it would take away what comes now
  const int flags = (is_private ? kPrivate | kNoReserve : kShared) | kFixed;
  for (const PhysRange& run : frames) {
    const HostRange host = ToHost(run.base);
    const int64_t mapped =
        HostMmap(base, run.size, Protection(access), flags, host.fd, host.offset);
    if (mapped < 0) return HostError(mapped);
    base += run.size;
  }
  return {};
}

Result<void> Carrier::MapShared(vaddr_t base, std::span<const PhysRange> frames, Access access) {
  return MapFrames(base, frames, access, false);
}

Result<void> Carrier::Protect(VirtRange range, Access access) {
  CHECK(is_current());
  return HostResult(HostCall(HostNumber::kMprotect, range.base, range.size, Protection(access)));
}

Result<void> Carrier::Unmap(VirtRange range) {
  if (is_current()) return HostResult(HostCall(HostNumber::kMunmap, range.base, range.size));
  {
    HostLock lock(lock_);
    // The frames go to others next: it must not fail.
    while (!pending_unmaps_.PushBack(range).ok()) Yield();
    pending_work_.store(true, std::memory_order_seq_cst);
    for (Thread& thread : threads_) DriveOut(thread);
  }
  // Nobody may reach the pages when this returns: threads in guest code are on their way out of it,
  // copies that have begun end soon, and whoever comes later does the work first.
  while (MayReachGuestMemory()) Yield();
  return {};
}

bool Carrier::MayReachGuestMemory() {
  HostLock lock(lock_);
  if (!has_pending_work()) return false;
  for (Thread& thread : threads_) {
    if (thread.in_guest() || thread.touching.load(std::memory_order_seq_cst) != 0) return true;
  }
  return false;
}

Result<void> Carrier::UnmapAll() {
  CHECK(is_current());
  UnmapGuestRange();
  return {};
}

void Carrier::DoPendingWork() {
  HostLock lock(lock_);
  for (const VirtRange& range : pending_unmaps_)
    HostCall(HostNumber::kMunmap, range.base, range.size);
  pending_unmaps_.Clear();
  pending_work_.store(false, std::memory_order_seq_cst);
}

Result<uint32_t> Carrier::AddThread(Thread& thread) {
  HostLock lock(lock_);
  uint32_t slot = 0;
  for (;; slot++) {
    if (slot / 64 == used_slots_.size()) TRY(used_slots_.PushBack(0));
    if (!(used_slots_[slot / 64] >> (slot % 64) & 1)) break;
  }
  if (uint64_t{slot + 1} * ZRUN_EXIT_SLOT_SIZE > ZRUN_EXIT_SLOTS_SIZE) return Errno::kEAGAIN;
  used_slots_[slot / 64] |= uint64_t{1} << (slot % 64);
  threads_.PushBack(thread);
  return slot;
}

void Carrier::AdoptFirstThread(Thread& thread) {
  HostLock lock(lock_);
  if (used_slots_.empty()) {
    auto grown = used_slots_.PushBack(0);
    CHECK(grown.ok());
  }
  used_slots_[0] |= 1;
  threads_.PushBack(thread);
}

size_t Carrier::thread_count() {
  HostLock lock(lock_);
  return threads_.CountSlow();
}

void Carrier::RemoveThread(Thread& thread) {
  HostLock lock(lock_);
  thread.Unlink();
  used_slots_[thread.slot_index / 64] &= ~(uint64_t{1} << (thread.slot_index % 64));
}

// ---- Private memory is the host's (hal/host_pages.h).

Result<void> MapPrivateZero(AddressSpace& space, VirtRange range, Access access) {
  CHECK(AsCarrier(space).is_current());
  if (AsCarrier(space).has_pending_work()) AsCarrier(space).DoPendingWork();
  const int64_t mapped = HostMmap(range.base, range.size, Protection(access),
                                  kPrivate | kFixed | kAnonymous | kNoReserve, -1, 0);
  if (mapped < 0) return HostError(mapped);
  return {};
}

Result<void> MapPrivateCopy(AddressSpace& space, vaddr_t base, std::span<const PhysRange> frames,
                            Access access) {
  return AsCarrier(space).MapFrames(base, frames, access, true);
}

Result<void> MoveRange(AddressSpace& space, VirtRange from, vaddr_t to) {
  CHECK(AsCarrier(space).is_current());
  if (AsCarrier(space).has_pending_work()) AsCarrier(space).DoPendingWork();
  constexpr int kMayMoveFixed = 3;
  const int64_t moved =
      HostCall(HostNumber::kMremap, from.base, from.size, from.size, kMayMoveFixed, to);
  if (moved < 0) return HostError(moved);
  return {};
}

Result<void> AdvisePrivate(AddressSpace& space, VirtRange range, int advice) {
  CHECK(AsCarrier(space).is_current());
  return HostResult(HostCall(HostNumber::kMadvise, range.base, range.size, advice));
}

Result<void> ResidentPages(AddressSpace& space, VirtRange range, std::span<uint8_t> out) {
  CHECK(AsCarrier(space).is_current());
  CHECK(out.size() >= range.size / kPageSize);
  return HostResult(HostCall(HostNumber::kMincore, range.base, range.size, out.data()));
}

Result<ForkedSpace> ForkAddressSpace(AddressSpace& current, ThreadStart start) {
  CHECK(AsCarrier(current).is_current());
  if (AsCarrier(current).has_pending_work()) AsCarrier(current).DoPendingWork();  // not the child's
  auto carrier = TRY(MakeRef<Carrier>());
  Thread* thread = TRY(AllocateThread());
  thread->start = start;
  carrier->AddRef();
  thread->space = carrier.get();
  carrier->AdoptFirstThread(*thread);
  auto launched = LaunchThread(*thread, true);
  if (!launched.ok()) {
    carrier->RemoveThread(*thread);
    carrier->Release();
    FreeThread(*thread);
    return launched.error();
  }
  return ForkedSpace{carrier, thread};
}

// ---- Blank carriers, made by the spawner: it has no guest memory.
namespace {

struct Spawner {
  HostMutex call_lock;  // one RunOnSpawner at a time
  std::atomic<uint32_t> request{0};
  std::atomic<uint32_t> done{0};
  void (*function)(void*) = nullptr;
  void* argument = nullptr;

  HostMutex pool_lock;
  RefPtr<Carrier> pool[2] GUARDED_BY(pool_lock);
};
constinit Spawner* g_spawner = nullptr;
alignas(Spawner) constinit std::byte g_spawner_storage[sizeof(Spawner)] = {};

constexpr uint32_t kCall = 1, kRefill = 2;

Result<RefPtr<Carrier>> MakeBlankCarrier() {
  auto carrier = TRY(MakeRef<Carrier>());
  Thread* thread = TRY(AllocateThread());
  auto launched = LaunchThread(*thread, true);
  if (!launched.ok()) {
    FreeThread(*thread);
    return launched.error();
  }
  carrier->first_thread = thread;
  return carrier;
}

void FillPool() {
  for (;;) {
    {
      HostLock lock(g_spawner->pool_lock);
      bool full = true;
      for (auto& place : g_spawner->pool) full = full && place;
      if (full) return;
    }
    auto made = MakeBlankCarrier();
    if (!made.ok()) return;
    HostLock lock(g_spawner->pool_lock);
    for (auto& place : g_spawner->pool) {
      if (place) continue;
      place = std::move(made).value();
      break;
    }
  }
}

void SpawnerMain(void*) {
  for (;;) {
    const uint32_t wanted = g_spawner->request.exchange(0, std::memory_order_acq_rel);
    if (wanted == 0) {
      WaitOnWord(g_spawner->request, 0, Deadline::Never());
      continue;
    }
    if (wanted & kCall) {
      g_spawner->function(g_spawner->argument);
      g_spawner->done.store(1, std::memory_order_release);
      WakeWord(g_spawner->done, 1);
    }
    FillPool();
  }
}

void Ask(uint32_t what) {
  g_spawner->request.fetch_or(what, std::memory_order_acq_rel);
  WakeWord(g_spawner->request, 1);
}

}  // namespace

void RunOnSpawner(void (*function)(void*), void* argument) {
  HostLock lock(g_spawner->call_lock);
  g_spawner->function = function;
  g_spawner->argument = argument;
  g_spawner->done.store(0);
  Ask(kCall);
  while (g_spawner->done.load(std::memory_order_acquire) == 0)
    WaitOnWord(g_spawner->done, 0, Deadline::Never());
}

void StartSpawner() {
  g_spawner = new (g_spawner_storage) Spawner;
  auto started = StartThread(nullptr, {SpawnerMain, nullptr});
  CHECK(started.ok());
}

Result<RefPtr<AddressSpace>> CreateAddressSpace() {
  RefPtr<Carrier> carrier;
  {
    HostLock lock(g_spawner->pool_lock);
    for (auto& place : g_spawner->pool) {
      if (!place) continue;
      carrier = std::move(place);
      break;
    }
  }
  if (carrier) {
    Ask(kRefill);
    return RefPtr<AddressSpace>(carrier);
  }
  struct Call {
    RefPtr<Carrier> carrier;
    Errno error;
  } call = {nullptr, Errno{}};
  RunOnSpawner(
      [](void* argument) {
        auto& c = *static_cast<Call*>(argument);
        auto made = MakeBlankCarrier();
        if (made.ok()) {
          c.carrier = std::move(made).value();
        } else {
          c.error = made.error();
        }
      },
      &call);
  if (!call.carrier) return call.error;
  return RefPtr<AddressSpace>(call.carrier);
}

}  // namespace zrun::hal
