// Disks. Source: virtio specification 1.2, chapter 5.2.
#include <algorithm>
#include <new>

#include "base/assert.h"
#include "hal/disks.h"
#include "hal/riscv64/virtio.h"

namespace zrun::hal {
namespace {

constexpr unsigned kMostDisks = 4;
enum Feature : uint64_t {
  kSizeMax = 1 << 1,
  kSegmentsMax = 1 << 2,
  kReadOnly = 1 << 5,
  kFlush = 1 << 9,
};
enum class RequestType : uint32_t { kIn = 0, kOut = 1, kFlush = 4 };
struct RequestHeader {
  RequestType type;
  uint32_t reserved;
  uint64_t sector;
};

// What one caller waits for: requests of its that the disk has, plus one while it makes more.
struct Transfer {
  std::atomic<uint32_t> pending{1};
  std::atomic<bool> failed{false};
};

// A request that the disk has. It lies in a frame, where the disk reads its header and writes its
// status.
struct Request {
  RequestHeader header;
  Transfer* transfer;
  Request* next;  // while it is free
  uint8_t status;
};
constexpr unsigned kRequests = 16;
constexpr unsigned kMostSegments = 32;
constexpr uint64_t kMostBytes = 256 << 10;  // of a request

class BlockDevice {
 public:
  explicit BlockDevice(VirtioDevice device) : device_(device) {}
  bool Start();
  const Disk& disk() const { return disk_; }
  uint64_t position() const { return device_.position(); }
  Result<void> Move(DiskOperation operation, uint64_t offset, std::span<const PhysRange> frames);
  Result<void> Flush();

 private:
  static void OnInterrupt(void* self) { static_cast<BlockDevice*>(self)->Collect(); }
  void Collect();
  void Submit(RequestHeader header, std::span<const PhysRange> segments, Transfer& transfer);
  Result<void> Await(Transfer& transfer);

  VirtioDevice device_;
  Disk disk_ = {};
  bool can_flush_ = false;
  uint32_t most_segments_ = 1;
  uint64_t most_bytes_ = kMostBytes;
  SpinLock lock_;
  Virtqueue queue_;
  Request* free_ = nullptr;               // GUARDED_BY(lock_)
  std::atomic<uint32_t> completions_{0};  // what those wait for who found no room
};

alignas(BlockDevice) constinit std::byte g_storage[kMostDisks][sizeof(BlockDevice)] = {};
constinit BlockDevice* g_disks[kMostDisks] = {};
constinit unsigned g_count = 0;

bool BlockDevice::Start() {
  const auto features = device_.Negotiate(kSizeMax | kSegmentsMax | kReadOnly | kFlush, 0);
  if (!features) return false;
  constexpr uint32_t kConfiguration = VirtioDevice::kConfiguration;
  const uint64_t sectors =
      uint64_t{device_.Read(kConfiguration + 4)} << 32 | device_.Read(kConfiguration);
  disk_ = {sectors * kSectorSize, (*features & kReadOnly) != 0};
  can_flush_ = (*features & kFlush) != 0;
  if (*features & kSizeMax)
    most_bytes_ = std::clamp<uint64_t>(device_.Read(kConfiguration + 8), kPageSize, kMostBytes);
  if (*features & kSegmentsMax)
    most_segments_ = std::clamp<uint32_t>(device_.Read(kConfiguration + 12), 1, kMostSegments);
  const paddr_t frame = AllocateTable();
  if (!frame) return false;
  static_assert(kRequests * sizeof(Request) <= kPageSize);
  for (unsigned i = 0; i < kRequests; i++) {
    auto* request = new (WindowPointer<Request>(frame) + i) Request{};
    request->next = std::exchange(free_, request);
  }
  queue_.Init(device_, 0);
  device_.Start(OnInterrupt, this);
  return true;
}

// From the disk's interrupt.
void BlockDevice::Collect() {
  device_.Acknowledge();
  bool any = false;
  lock_.Lock();
  while (const auto done = queue_.Take()) {
    auto* request = static_cast<Request*>(done->token);
    Transfer& transfer = *request->transfer;
    if (request->status != 0) transfer.failed.store(true, std::memory_order_relaxed);
    request->next = std::exchange(free_, request);
    any = true;
    // With the last one its caller may return: only the word's address is good from then on.
    const std::atomic<uint32_t>& word = transfer.pending;
    if (transfer.pending.fetch_sub(1, std::memory_order_acq_rel) == 1) WakeWord(word, 1);
  }
  lock_.Unlock();
  if (!any) return;
  completions_.fetch_add(1, std::memory_order_release);
  WakeWord(completions_, UINT32_MAX);
}

void BlockDevice::Submit(RequestHeader header, std::span<const PhysRange> segments,
                         Transfer& transfer) {
  const unsigned needed = unsigned(segments.size()) + 2;
  for (;;) {
    const uint32_t seen = completions_.load(std::memory_order_acquire);
    {
      SpinLocked lock(lock_);
      if (free_ && queue_.free_pieces() >= needed) {
        Request* request = std::exchange(free_, free_->next);
        request->header = header;
        request->transfer = &transfer;
        request->status = 0xff;
        Virtqueue::Piece pieces[kMostSegments + 2];
        unsigned count = 0;
        pieces[count++] = {VirtToPhys(&request->header), sizeof request->header, false};
        for (const PhysRange& segment : segments)
          pieces[count++] = {segment.base, uint32_t(segment.size), header.type == RequestType::kIn};
        pieces[count++] = {VirtToPhys(&request->status), 1, true};
        transfer.pending.fetch_add(1, std::memory_order_relaxed);
        queue_.Add({pieces, count}, request);
        queue_.Notify();
        return;
      }
    }
    WaitOnWord(completions_, seen, Deadline::Never());
  }
}

Result<void> BlockDevice::Await(Transfer& transfer) {
  uint32_t pending = transfer.pending.fetch_sub(1, std::memory_order_acq_rel) - 1;
  while (pending > 0) {
    WaitOnWord(transfer.pending, pending, Deadline::Never());
    pending = transfer.pending.load(std::memory_order_acquire);
  }
  // The interrupt handler may still be about to wake us.
  SpinLocked lock(lock_);
  if (transfer.failed.load(std::memory_order_relaxed)) return Errno::kEIO;
  return {};
}

Result<void> BlockDevice::Move(DiskOperation operation, uint64_t offset,
                               std::span<const PhysRange> frames) {
  const bool writes = operation == DiskOperation::kWrite;
  if (writes && disk_.read_only) return Errno::kEROFS;
  uint64_t total = 0;
  for (const PhysRange& range : frames) total += range.size;
  if ((offset | total) % kSectorSize) return Errno::kEINVAL;
  if (offset > disk_.size || total > disk_.size - offset) return Errno::kENXIO;
  Transfer transfer;
  RequestHeader header{writes ? RequestType::kOut : RequestType::kIn, 0, offset / kSectorSize};
  PhysRange segments[kMostSegments];
  unsigned count = 0;
  uint64_t bytes = 0;
  const auto submit = [&] {
    if (count > 0) Submit(header, {segments, count}, transfer);
    header.sector += bytes / kSectorSize;
    count = 0;
    bytes = 0;
  };
  for (PhysRange rest : frames) {
    while (rest.size > 0) {
      // Ranges are whole pages, or the end of a transfer: requests end at sectors.
      const bool joins = count > 0 && segments[count - 1].end() == rest.base;
      if (bytes == most_bytes_ || (!joins && count == most_segments_)) {
        submit();
        continue;
      }
      const uint64_t size = std::min(rest.size, most_bytes_ - bytes);
      if (joins) {
        segments[count - 1].size += size;
      } else {
        segments[count++] = {rest.base, size};
      }
      rest = {rest.base + size, rest.size - size};
      bytes += size;
    }
  }
  submit();
  return Await(transfer);
}

Result<void> BlockDevice::Flush() {
  if (disk_.read_only || !can_flush_) return {};
  Transfer transfer;
  Submit({RequestType::kFlush, 0, 0}, {}, transfer);
  return Await(transfer);
}

}  // namespace

void StartDisks() {
  ForEachVirtioDevice([](VirtioDevice device) {
    if (device.kind() != VirtioKind::kBlock || g_count == kMostDisks) return;
    auto* disk = new (g_storage[g_count]) BlockDevice(device);
    if (!disk->Start()) return;
    // QEMU gives its first device the highest place.
    unsigned at = g_count++;
    for (; at > 0 && g_disks[at - 1]->position() < disk->position(); at--)
      g_disks[at] = g_disks[at - 1];
    g_disks[at] = disk;
  });
  for (unsigned i = 0; i < g_count; i++) {
    const PhysRange window = DiskWindow(i);
    if (window.size > 0) ReserveKernelRange({ToWindow(window.base), window.size});
  }
}

unsigned DiskCount() { return g_count; }
Disk GetDisk(unsigned index) { return index < g_count ? g_disks[index]->disk() : Disk{}; }

Result<void> TransferDisk(unsigned index, DiskOperation operation, uint64_t offset,
                          std::span<const PhysRange> frames) {
  if (index >= g_count) return Errno::kENXIO;
  return g_disks[index]->Move(operation, offset, frames);
}

Result<void> FlushDisk(unsigned index) {
  if (index >= g_count) return Errno::kENXIO;
  return g_disks[index]->Flush();
}

}  // namespace zrun::hal
