// Randomness of the host's, stirred into the generator while booting. Source: virtio specification
// 1.2, chapter 5.4.
#include <new>

#include "hal/riscv64/entropy.h"
#include "hal/riscv64/virtio.h"

namespace zrun::hal {
namespace {

constexpr uint32_t kBytes = 64;

struct Source {
  VirtioDevice device;
  Virtqueue queue;
  paddr_t frame = 0;
};
alignas(Source) constinit std::byte g_storage[sizeof(Source)] = {};
constinit Source* g_source = nullptr;

void OnInterrupt(void*) {
  g_source->device.Acknowledge();
  while (const auto done = g_source->queue.Take())
    AddEntropy({PhysToVirt(g_source->frame), done->written < kBytes ? done->written : kBytes});
}

}  // namespace

void StartEntropyDevice() {
  ForEachVirtioDevice([](VirtioDevice device) {
    if (device.kind() != VirtioKind::kEntropy || g_source || !device.Negotiate(0, 0)) return;
    g_source = new (g_storage) Source;
    g_source->device = device;
  });
  if (!g_source) return;
  g_source->frame = AllocateTable();
  g_source->queue.Init(g_source->device, 0);
  g_source->device.Start(OnInterrupt, nullptr);
  const Virtqueue::Piece piece{g_source->frame, kBytes, true};
  g_source->queue.Add({&piece, 1}, nullptr);
  g_source->queue.Notify();
}

}  // namespace zrun::hal
