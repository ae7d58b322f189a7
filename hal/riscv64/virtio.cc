#include "hal/riscv64/virtio.h"

#include <algorithm>

#include "base/assert.h"
#include "hal/riscv64/device_tree.h"

namespace zrun::hal {
namespace {

enum : uint32_t {
  kMagic = 0x000,
  kVersion = 0x004,
  kDeviceId = 0x008,
  kDeviceFeatures = 0x010,
  kDeviceFeaturesSelect = 0x014,
  kDriverFeatures = 0x020,
  kDriverFeaturesSelect = 0x024,
  kQueueSelect = 0x030,
  kQueueSizeMax = 0x034,
  kQueueSize = 0x038,
  kQueueReady = 0x044,
  kQueueNotify = 0x050,
  kInterruptStatus = 0x060,
  kInterruptAcknowledge = 0x064,
  kStatus = 0x070,
  kQueueDescriptors = 0x080,
  kQueueDriver = 0x090,
  kQueueDevice = 0x0a0,
};
enum : uint32_t { kAcknowledged = 1, kDriver = 2, kDriverOk = 4, kFeaturesOk = 8 };
enum : uint16_t { kNext = 1, kDeviceWrites = 2 };

}  // namespace

VirtioKind VirtioDevice::kind() const {
  constexpr uint32_t kVirt = 0x74726976;
  if (Read(kMagic) != kVirt || Read(kVersion) != 2) return VirtioKind::kNone;
  return VirtioKind(Read(kDeviceId));
}

std::optional<uint64_t> VirtioDevice::Negotiate(uint64_t wanted, uint64_t needed) {
  Write(kStatus, 0);
  Write(kStatus, kAcknowledged | kDriver);
  uint64_t offered = 0;
  for (uint32_t half = 0; half < 2; half++) {
    Write(kDeviceFeaturesSelect, half);
    offered |= uint64_t{Read(kDeviceFeatures)} << (32 * half);
  }
  const uint64_t agreed = offered & (wanted | needed | kVirtioVersion1);
  if ((agreed & (needed | kVirtioVersion1)) != (needed | kVirtioVersion1)) return std::nullopt;
  for (uint32_t half = 0; half < 2; half++) {
    Write(kDriverFeaturesSelect, half);
    Write(kDriverFeatures, uint32_t(agreed >> (32 * half)));
  }
  Write(kStatus, Read(kStatus) | kFeaturesOk);
  if (!(Read(kStatus) & kFeaturesOk)) return std::nullopt;
  return agreed;
}

void VirtioDevice::Start(InterruptHandler handler, void* argument) {
  SetInterruptHandler(interrupt_, handler, argument);
  Write(kStatus, Read(kStatus) | kDriverOk);
}

void VirtioDevice::Acknowledge() { Write(kInterruptAcknowledge, Read(kInterruptStatus)); }

void ForEachVirtioDevice(void (*visit)(VirtioDevice device)) {
  const auto soc = MachineTree().Find("/soc");
  for (auto node = soc.FirstChild(); node; node = node.Next()) {
    if (!node.IsCompatible("virtio,mmio")) continue;
    const VirtioDevice device(ToWindow(node.Number("reg", 0, 2)),
                              uint32_t(node.Number("interrupts")));
    if (device.kind() != VirtioKind::kNone) visit(device);
  }
}

void Virtqueue::Init(VirtioDevice& device, uint32_t index) {
  device_ = &device;
  index_ = index;
  const paddr_t frame = AllocateTable();
  CHECK(frame);
  rings_ = WindowPointer<Rings>(frame);
  device.Write(kQueueSelect, index);
  size_ = uint16_t(std::min<uint32_t>(kSize, device.Read(kQueueSizeMax)));
  CHECK(size_ > 0);
  for (uint16_t i = 0; i < size_; i++) rings_->descriptors[i].next = uint16_t(i + 1);
  free_count_ = size_;
  device.Write(kQueueSize, size_);
  const auto set = [&](uint32_t offset, const void* part) {
    const paddr_t address = VirtToPhys(part);
    device.Write(offset, uint32_t(address));
    device.Write(offset + 4, uint32_t(address >> 32));
  };
  set(kQueueDescriptors, rings_->descriptors);
  set(kQueueDriver, &rings_->available);
  set(kQueueDevice, &rings_->used);
  device.Write(kQueueReady, 1);
}

void Virtqueue::Add(std::span<const Piece> pieces, void* token) {
  CHECK(pieces.size() > 0 && pieces.size() <= free_count_);
  const uint16_t head = first_free_;
  for (size_t i = 0; i < pieces.size(); i++) {
    Descriptor& descriptor = rings_->descriptors[first_free_];
    descriptor.address = pieces[i].address;
    descriptor.size = pieces[i].size;
    const bool last = i + 1 == pieces.size();
    descriptor.flags = uint16_t((last ? 0 : kNext) | (pieces[i].device_writes ? kDeviceWrites : 0));
    first_free_ = descriptor.next;  // the free ones are linked in the same way
  }
  free_count_ -= unsigned(pieces.size());
  tokens_[head] = token;
  const uint16_t index = rings_->available.index.load(std::memory_order_relaxed);
  rings_->available.ring[index % size_] = head;
  rings_->available.index.store(uint16_t(index + 1), std::memory_order_release);
}

void Virtqueue::Notify() {
  // What the device reads is ordered before the register that wakes it.
  asm volatile("fence rw, ow" : : : "memory");
  device_->Write(kQueueNotify, index_);
}

std::optional<Virtqueue::Done> Virtqueue::Take() {
  if (rings_->used.index.load(std::memory_order_acquire) == seen_) return std::nullopt;
  const UsedElement element = rings_->used.ring[seen_++ % size_];
  const uint16_t head = uint16_t(element.id % size_);
  uint16_t last = head;
  free_count_++;
  while (rings_->descriptors[last].flags & kNext) {
    last = rings_->descriptors[last].next;
    free_count_++;
  }
  rings_->descriptors[last].next = first_free_;
  first_free_ = head;
  return Done{tokens_[head], element.size};
}

}  // namespace zrun::hal
