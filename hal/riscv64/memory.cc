#include "hal/memory.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "hal/riscv64/device_tree.h"
#include "hal/riscv64/machine.h"

extern "C" const std::byte kernel_begin[], kernel_end[];

namespace zrun::hal {
namespace {

constinit DeviceTree g_tree;
constinit PhysRange g_ram = {};
constinit PhysRange g_image = {};
// What is taken of RAM: firmware, kernel and early frames; the device tree; the image.
constinit PhysRange g_reserved[3] = {};
constinit unsigned g_reserved_count = 0;

// Frames before there is a page allocator come from behind the kernel.
constinit paddr_t g_early_next = 0;
constinit FrameSource g_source = {};

PhysRange Pages(paddr_t begin, paddr_t end) {
  return {RoundDown(begin), RoundUp(end) - RoundDown(begin)};
}

void Reserve(PhysRange range) {
  if (range.size > 0) g_reserved[g_reserved_count++] = range;
}

paddr_t AllocateEarly() {
  const paddr_t frame = g_early_next;
  g_early_next += kPageSize;
  __builtin_memset(PhysToVirt(frame), 0, kPageSize);
  return frame;
}

}  // namespace

const DeviceTree& MachineTree() { return g_tree; }

void InitMemory(uint64_t device_tree) {
  CHECK(g_tree.Open(PhysToVirt(device_tree)));
  for (auto node = g_tree.Root().FirstChild(); node; node = node.Next()) {
    if (node.Text("device_type") != "memory") continue;
    const PhysRange bank{node.Number("reg", 0, 2), node.Number("reg", 2, 2)};
    if (bank.size > g_ram.size) g_ram = bank;
  }
  g_ram.size = std::min<uint64_t>(g_ram.size, ZRUN_WINDOW_SIZE - g_ram.base);
  CHECK(g_ram.size > 0);
  g_early_next = reinterpret_cast<uint64_t>(kernel_end) - ZRUN_KERNEL_OFFSET;
  const auto chosen = g_tree.Find("/chosen");
  if (chosen) {
    // One cell or two, as the firmware likes.
    const auto address = [&](std::string_view name) {
      const auto bytes = chosen.Property(name);
      return bytes ? chosen.Number(name, 0, unsigned(bytes->size() / 4)) : 0;
    };
    const paddr_t begin = address("linux,initrd-start"), end = address("linux,initrd-end");
    if (begin < end) g_image = {begin, end - begin};
  }
  Reserve({});
  g_reserved_count = 1;  // the first is known when the page allocator asks
  if (g_image.size > 0) Reserve(Pages(g_image.base, g_image.end()));
  Reserve(Pages(device_tree, device_tree + g_tree.size()));
  if (g_reserved_count == 3 && g_reserved[2].base < g_reserved[1].base)
    std::swap(g_reserved[1], g_reserved[2]);
}

PhysRange Ram() { return g_ram; }

std::span<const PhysRange> ReservedRam() {
  g_reserved[0] = {g_ram.base, g_early_next - g_ram.base};
  return {g_reserved, g_reserved_count};
}

void UseFrames(const FrameSource& source) { g_source = source; }

paddr_t AllocateTable() {
  if (!g_source.allocate) return AllocateEarly();
  const auto frame = g_source.allocate();
  return frame.ok() ? frame.value() : 0;
}

void FreeTable(paddr_t table) {
  CHECK(g_source.free);
  g_source.free(table);
}

uint64_t PreferredRun(uint64_t) { return kPageSize; }
bool FreshFramesAreZero() { return false; }
std::byte* PhysToVirt(paddr_t frame) { return WindowPointer<std::byte>(frame); }
paddr_t VirtToPhys(const void* address) {
  return reinterpret_cast<uint64_t>(address) - ZRUN_WINDOW;
}
void DiscardFrames(PhysRange) {}  // nobody else could use them
uint64_t CommittedRam() { return g_source.used ? g_source.used() : 0; }
uint64_t TotalRam() { return g_ram.size; }
PhysRange ImageRom() { return g_image; }

}  // namespace zrun::hal
