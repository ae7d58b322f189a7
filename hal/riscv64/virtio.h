#pragma once
#include <array>
#include <optional>
#include <span>

#include "hal/riscv64/machine.h"

// Devices of the virtio kind behind memory-mapped registers. Source: virtio specification 1.2,
// chapters 2.7 (split queues) and 4.2 (MMIO, the modern interface).
namespace zrun::hal {

enum class VirtioKind : uint32_t {
  kNone = 0,
  kNetwork = 1,
  kBlock = 2,
  kConsole = 3,
  kEntropy = 4
};
inline constexpr uint64_t kVirtioVersion1 = uint64_t{1} << 32;

class VirtioDevice {
 public:
  VirtioDevice() = default;
  VirtioDevice(uint64_t registers, uint32_t interrupt)
      : registers_(registers), interrupt_(interrupt) {}
  VirtioKind kind() const;
  // Tells devices of one kind apart.
  uint64_t position() const { return registers_; }
  // Resets it and agrees on |wanted| of its features; nothing if it has not all of |needed|.
  std::optional<uint64_t> Negotiate(uint64_t wanted, uint64_t needed);
  // The queues are set up: it may begin. |handler| runs with interrupts off.
  void Start(InterruptHandler handler, void* argument);
  // Tells the device that its interrupt was seen.
  void Acknowledge();

  uint32_t Read(uint32_t offset) const { return Register(offset); }
  void Write(uint32_t offset, uint32_t value) { Register(offset) = value; }
  static constexpr uint32_t kConfiguration = 0x100;

 private:
  volatile uint32_t& Register(uint32_t offset) const {
    return *reinterpret_cast<volatile uint32_t*>(registers_ + offset);
  }
  uint64_t registers_ = 0;  // in the window
  uint32_t interrupt_ = 0;
};

// Calls |visit| with each device that is there.
void ForEachVirtioDevice(void (*visit)(VirtioDevice device));

// A queue of requests to a device. Whoever uses it has a lock around it.
class Virtqueue {
 public:
  static constexpr unsigned kSize = 64;  // at most; some devices have shorter queues
  struct Piece {
    paddr_t address;
    uint32_t size;
    bool device_writes;
  };
  // A queue of the device, before it is started. Takes a frame.
  void Init(VirtioDevice& device, uint32_t index);
  unsigned free_pieces() const { return free_count_; }
  unsigned used_pieces() const { return size_ - free_count_; }
  // A request, made of pieces the device reads and then pieces it writes. There must be room.
  void Add(std::span<const Piece> pieces, void* token);
  // Tells the device that there is something.
  void Notify();
  struct Done {
    void* token;
    uint32_t written;
  };
  // A request the device is done with.
  std::optional<Done> Take();

 private:
  struct Descriptor {
    uint64_t address;
    uint32_t size;
    uint16_t flags, next;
  };
  struct Available {
    uint16_t flags;
    std::atomic<uint16_t> index;
    uint16_t ring[kSize];
  };
  struct UsedElement {
    uint32_t id, size;
  };
  struct Used {
    uint16_t flags;
    std::atomic<uint16_t> index;
    UsedElement ring[kSize];
  };
  // As they lie in the frame.
  struct Rings {
    Descriptor descriptors[kSize];
    Available available;
    alignas(4) Used used;
  };
  static_assert(sizeof(Rings) <= kPageSize);

  VirtioDevice* device_ = nullptr;
  uint32_t index_ = 0;
  uint16_t size_ = 0;
  Rings* rings_ = nullptr;
  uint16_t first_free_ = 0;
  unsigned free_count_ = 0;
  uint16_t seen_ = 0;
  std::array<void*, kSize> tokens_{};
};

}  // namespace zrun::hal
