#include <sys/mman.h>

#include <atomic>
#include <cstring>

#include "base/assert.h"
#include "hal/fake/fake.h"
#include "hal/fake/internal.h"

namespace zrun::hal {
namespace {

constexpr paddr_t kRamBase = 0x8000'0000;
constexpr paddr_t kImageBase = paddr_t{1} << 44;
constexpr size_t kWindowAlignment = 1 << 20;

std::byte* RamWindow() {
  static std::byte* const window = [] {
    void* memory = mmap(nullptr, fake::kRamSize + kWindowAlignment, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) PANIC("no memory for the fake machine's RAM");
    const uintptr_t address = reinterpret_cast<uintptr_t>(memory);
    return reinterpret_cast<std::byte*>((address + kWindowAlignment - 1) & ~(kWindowAlignment - 1));
  }();
  return window;
}

std::atomic<bool> g_sparse{false};
std::vector<std::byte> g_image;

}  // namespace

PhysRange Ram() { return {kRamBase, fake::kRamSize}; }
std::span<const PhysRange> ReservedRam() { return {}; }
void UseFrames(const FrameSource&) {}
uint64_t PreferredRun(uint64_t wanted) { return g_sparse ? wanted : kPageSize; }
bool FreshFramesAreZero() { return g_sparse; }

std::byte* PhysToVirt(paddr_t frame) {
  if (frame >= kRamBase && frame < kRamBase + fake::kRamSize)
    return RamWindow() + (frame - kRamBase);
  if (std::byte* disk = fake::DiskPointer(frame)) return disk;
  CHECK(frame >= kImageBase && frame < kImageBase + g_image.size());
  return g_image.data() + (frame - kImageBase);
}

paddr_t VirtToPhys(const void* address) {
  return kRamBase + uint64_t(static_cast<const std::byte*>(address) - RamWindow());
}

void DiscardFrames(PhysRange frames) {
  constexpr uint64_t kMaxPoisoned = 1 << 20;
  if (g_sparse) {
    madvise(PhysToVirt(frames.base), frames.size, MADV_DONTNEED);
  } else {  // real memory would keep what it had; nobody may rely on that either
    memset(PhysToVirt(frames.base), 0xee, std::min(frames.size, kMaxPoisoned));
  }
}

uint64_t CommittedRam() { return 0; }
uint64_t TotalRam() { return fake::kRamSize; }
PhysRange ImageRom() { return {kImageBase, g_image.size()}; }

const UserLayout& GetUserLayout() {
  static constexpr UserLayout layout{
      .lowest = 0x10000,
      .highest = 0x7fff'ffff'f000,
      .reserved = {0x6000'0000'0000, 0x1000'0000'0000},
      .vdso = {0x7fff'0000'0000, 2 * kPageSize},
      .vdso_header = 0x7fff'0000'1000,
  };
  return layout;
}

namespace fake {

void SetSparseRam(bool sparse) { g_sparse = sparse; }

std::byte* PhysToPointer(paddr_t address) {
  if (std::byte* file = HostFilePointer(address)) return file;
  if (address >= kRamBase && address < kRamBase + kRamSize) return PhysToVirt(address);
  if (address >= kImageBase && address < kImageBase + RoundUp(g_image.size()))
    return PhysToVirt(address);
  return nullptr;
}

void SetImage(std::vector<std::byte> image) {
  image.resize(RoundUp(image.size()));
  g_image = std::move(image);
}

}  // namespace fake
}  // namespace zrun::hal

void zrun::Panic(const char* file, int line, const char* message) {
  fprintf(stderr, "panic: %s:%d: %s\n", file, line, message);
  abort();
}
