#include "hal/disks.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "hal/fake/fake.h"
#include "hal/fake/internal.h"

namespace zrun::hal {
namespace {

constexpr paddr_t kDisksBase = paddr_t{1} << 45;
constexpr uint64_t kWindowSize = uint64_t{1} << 30;

struct FakeDisk {
  std::vector<std::byte> contents;
  std::byte* window = nullptr;
};
std::mutex g_mutex;
std::vector<FakeDisk> g_disks;
bool g_read_only = false;
uint64_t g_broken_begin = 0, g_broken_end = 0;
unsigned g_transfers = 0;

}  // namespace

unsigned DiskCount() {
  std::lock_guard lock(g_mutex);
  return unsigned(g_disks.size());
}

Disk GetDisk(unsigned index) {
  std::lock_guard lock(g_mutex);
  return {g_disks.at(index).contents.size(), g_read_only};
}

Result<void> TransferDisk(unsigned index, DiskOperation operation, uint64_t offset,
                          std::span<const PhysRange> frames) {
  std::lock_guard lock(g_mutex);
  std::vector<std::byte>& contents = g_disks.at(index).contents;
  g_transfers++;
  if (operation == DiskOperation::kWrite && g_read_only) return Errno::kEROFS;
  for (const PhysRange& range : frames) {
    CHECK(offset % kSectorSize == 0 && range.size % kSectorSize == 0);
    if (offset > contents.size() || range.size > contents.size() - offset) return Errno::kENXIO;
    if (offset < g_broken_end && offset + range.size > g_broken_begin) return Errno::kEIO;
    if (operation == DiskOperation::kRead) {
      memcpy(PhysToVirt(range.base), &contents[offset], range.size);
    } else {
      memcpy(&contents[offset], PhysToVirt(range.base), range.size);
    }
    offset += range.size;
  }
  return {};
}

Result<void> FlushDisk(unsigned) { return {}; }

PhysRange DiskWindow(unsigned index) {
  return {kDisksBase + index * kWindowSize, RoundUp(GetDisk(index).size)};
}

Result<void> LoadDiskWindow(unsigned index, uint64_t offset, uint64_t size) {
  std::lock_guard lock(g_mutex);
  FakeDisk& disk = g_disks.at(index);
  const uint64_t begin = RoundDown(offset), end = RoundUp(offset + size);
  if (offset + size > disk.contents.size()) return Errno::kENXIO;
  if (begin < g_broken_end && end > g_broken_begin) return Errno::kEIO;
  mprotect(disk.window + begin, end - begin, PROT_READ | PROT_WRITE);
  memcpy(disk.window + begin, &disk.contents[begin], std::min(end, disk.contents.size()) - begin);
  return {};
}

namespace fake {

std::byte* DiskPointer(paddr_t address) {
  if (address < kDisksBase) return nullptr;
  const uint64_t index = (address - kDisksBase) / kWindowSize;
  return index < g_disks.size() ? g_disks[index].window + address % kWindowSize : nullptr;
}

void SetDisks(std::vector<std::vector<std::byte>> contents, bool read_only) {
  std::lock_guard lock(g_mutex);
  for (FakeDisk& disk : g_disks) munmap(disk.window, kWindowSize);
  g_disks.clear();
  g_read_only = read_only;
  for (auto& bytes : contents) {
    void* window =
        mmap(nullptr, kWindowSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(window != MAP_FAILED);
    g_disks.push_back({std::move(bytes), static_cast<std::byte*>(window)});
  }
}

std::vector<std::byte> DiskContents(unsigned index) {
  std::lock_guard lock(g_mutex);
  return g_disks.at(index).contents;
}

void BreakDisks(uint64_t begin, uint64_t end) {
  std::lock_guard lock(g_mutex);
  g_broken_begin = begin;
  g_broken_end = end;
}

unsigned DiskTransfers() {
  std::lock_guard lock(g_mutex);
  return g_transfers;
}

}  // namespace fake
}  // namespace zrun::hal
