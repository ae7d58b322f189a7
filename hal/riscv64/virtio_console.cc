// The launcher's streams: ports of a virtio console. Source: virtio specification 1.2, chapter 5.3.
#include <algorithm>
#include <new>

#include "base/assert.h"
#include "hal/riscv64/launcher.h"
#include "hal/riscv64/streams.h"
#include "hal/riscv64/virtio.h"

namespace zrun::hal {
namespace {

constexpr uint64_t kMultiport = 1 << 1;
enum ControlEvent : uint16_t {
  kDeviceReady = 0,
  kPortAdd = 1,
  kPortRemove = 2,
  kPortReady = 3,
  kConsolePort = 4,
  kResize = 5,
  kPortOpen = 6,
  kPortName = 7,
};
struct Control {
  uint32_t port;
  uint16_t event, value;
};
constexpr unsigned kBuffers = 8;  // of a page, in each direction

// A buffer that the device fills or empties.
struct Buffer {
  paddr_t frame;
  uint32_t size, done;
  std::byte* data() const { return PhysToVirt(frame); }
};

class Port final : public Stream {
 public:
  void Init(VirtioDevice& device, uint32_t number, bool input);
  Result<size_t> Read(std::span<std::byte> out) override;
  Result<size_t> Write(std::span<const std::byte> in) override;
  StreamReadiness Poll() override;
  bool IsDrained() override;
  void EndAfter(uint64_t bytes);  // input
  void Close();                   // output

 private:
  void Collect() REQUIRES(lock_);
  void Offer(Buffer& buffer) REQUIRES(lock_);

  SpinLock lock_;
  bool input_ = false;
  bool closed_ = false;
  uint64_t taken_ = 0, end_ = UINT64_MAX;
  Virtqueue queue_;
  Buffer buffers_[kBuffers] = {};
  // Filled ones in order (input), or those free for writing (output).
  Buffer* ready_[kBuffers] = {};
  unsigned ready_first_ = 0, ready_count_ = 0;
};

struct Console {
  VirtioDevice device;
  Virtqueue control_in, control_out;
  paddr_t control_frames = 0;  // buffers of both
  unsigned next_control = 0;
  Port ports[kPortCount];
  LauncherMessage message = {};
  size_t message_size = 0;
};
alignas(Console) constinit std::byte g_storage[sizeof(Console)] = {};
constinit Console* g_console = nullptr;

constexpr unsigned kControlBuffers = 16;
constexpr uint32_t kControlSize = 128;  // a control message and a name

void Port::Init(VirtioDevice& device, uint32_t number, bool input) {
  InterruptsOff off;
  lock_.Lock();
  input_ = input;
  // Queues 2 and 3 are the control ones.
  const uint32_t first = number == 0 ? 0 : 2 * (number + 1);
  queue_.Init(device, input ? first : first + 1);
  for (Buffer& buffer : buffers_) {
    buffer.frame = AllocateTable();
    if (input) {
      Offer(buffer);
    } else {
      ready_[ready_count_++] = &buffer;
    }
  }
  lock_.Unlock();
}

void Port::Offer(Buffer& buffer) {
  const Virtqueue::Piece piece{buffer.frame, kPageSize, true};
  queue_.Add({&piece, 1}, &buffer);
}

// Takes back what the device is done with.
void Port::Collect() {
  while (const auto done = queue_.Take()) {
    auto* buffer = static_cast<Buffer*>(done->token);
    buffer->size = done->written;
    buffer->done = 0;
    ready_[(ready_first_ + ready_count_++) % kBuffers] = buffer;
  }
}

Result<size_t> Port::Read(std::span<std::byte> out) {
  if (!input_) return Errno::kEBADF;
  SpinLocked lock(lock_);
  Collect();
  size_t total = 0;
  bool offered = false;
  while (ready_count_ > 0 && total < out.size()) {
    Buffer& buffer = *ready_[ready_first_];
    const size_t size = std::min<size_t>(buffer.size - buffer.done, out.size() - total);
    __builtin_memcpy(out.data() + total, buffer.data() + buffer.done, size);
    total += size;
    buffer.done += uint32_t(size);
    if (buffer.done < buffer.size) break;
    ready_first_ = (ready_first_ + 1) % kBuffers;
    ready_count_--;
    Offer(buffer);
    offered = true;
  }
  if (offered) queue_.Notify();
  taken_ += total;
  if (total == 0 && taken_ < end_ && !out.empty()) return Errno::kEAGAIN;
  return total;
}

Result<size_t> Port::Write(std::span<const std::byte> in) {
  if (input_) return Errno::kEBADF;
  SpinLocked lock(lock_);
  if (closed_) return Errno::kEPIPE;
  Collect();
  size_t total = 0;
  while (ready_count_ > 0 && total < in.size()) {
    Buffer& buffer = *ready_[ready_first_];
    ready_first_ = (ready_first_ + 1) % kBuffers;
    ready_count_--;
    const size_t size = std::min<size_t>(kPageSize, in.size() - total);
    __builtin_memcpy(buffer.data(), in.data() + total, size);
    total += size;
    const Virtqueue::Piece piece{buffer.frame, uint32_t(size), false};
    queue_.Add({&piece, 1}, &buffer);
  }
  if (total > 0) queue_.Notify();
  if (total == 0 && !in.empty()) return Errno::kEAGAIN;
  return total;
}

StreamReadiness Port::Poll() {
  SpinLocked lock(lock_);
  Collect();
  if (input_) return {ready_count_ > 0 || taken_ >= end_, false, taken_ >= end_};
  return {false, ready_count_ > 0 || closed_, closed_};
}

bool Port::IsDrained() {
  SpinLocked lock(lock_);
  if (input_ || closed_) return true;
  Collect();
  return ready_count_ == kBuffers;
}

void Port::EndAfter(uint64_t bytes) {
  SpinLocked lock(lock_);
  end_ = bytes;
}

void Port::Close() {
  SpinLocked lock(lock_);
  closed_ = true;
}

// ---- The control queues. Only the reactor's thread uses them once the device runs.

std::byte* ControlBuffer(unsigned index) {
  return PhysToVirt(g_console->control_frames) + index * kControlSize;
}

void OfferControl(unsigned index) {
  std::byte* buffer = ControlBuffer(index);
  const Virtqueue::Piece piece{VirtToPhys(buffer), kControlSize, true};
  g_console->control_in.Add({&piece, 1}, buffer);
}

void SendControl(uint32_t port, ControlEvent event, uint16_t value) {
  Console& console = *g_console;
  // The device answers at once; buffers are used in turn.
  while (console.control_out.Take() || console.control_out.used_pieces() == kControlBuffers) {
  }
  std::byte* buffer = ControlBuffer(kControlBuffers + console.next_control++ % kControlBuffers);
  const Control message{port, event, value};
  __builtin_memcpy(buffer, &message, sizeof message);
  const Virtqueue::Piece piece{VirtToPhys(buffer), sizeof message, false};
  console.control_out.Add({&piece, 1}, buffer);
  console.control_out.Notify();
}

void HandleControl(const Control& message) {
  if (message.event != kPortAdd) return;
  SendControl(message.port, kPortReady, 1);
  if (message.port >= 1 && message.port <= kPortCount) SendControl(message.port, kPortOpen, 1);
}

void HandleMessage(const LauncherMessage& message) {
  Console& console = *g_console;
  switch (message.kind) {
    case LauncherMessage::kSignal:
      ReportEvent({MachineEvent::Kind::kSignal, uint32_t(message.value)});
      break;
    case LauncherMessage::kWindow:
      SetWindowSize(message.value);
      ReportEvent({MachineEvent::Kind::kWindowSize, 0});
      break;
    case LauncherMessage::kEndOfInput:
      console.ports[0].EndAfter(message.value);
      NotifyStreams(1);
      break;
    case LauncherMessage::kOutputClosed:
      if (message.value != 1 && message.value != 2) break;
      console.ports[message.value].Close();
      NotifyStreams(1u << message.value);
      break;
  }
}

void ReadLauncherMessages() {
  Console& console = *g_console;
  for (;;) {
    const auto bytes = std::as_writable_bytes(std::span(&console.message, 1));
    const auto got = console.ports[3].Read(bytes.subspan(console.message_size));
    if (!got.ok() || got.value() == 0) return;
    console.message_size += got.value();
    if (console.message_size < sizeof console.message) continue;
    console.message_size = 0;
    HandleMessage(console.message);
  }
}

}  // namespace

void ServicePorts() {
  if (!g_console) return;
  bool offered = false;
  while (const auto done = g_console->control_in.Take()) {
    auto* buffer = static_cast<std::byte*>(done->token);
    Control message = {};
    if (done->written >= sizeof message) __builtin_memcpy(&message, buffer, sizeof message);
    HandleControl(message);
    OfferControl(unsigned(size_t(buffer - ControlBuffer(0)) / kControlSize));
    offered = true;
  }
  if (offered) g_console->control_in.Notify();
  ReadLauncherMessages();
}

bool StartPorts(Stream* streams[3]) {
  ForEachVirtioDevice([](VirtioDevice device) {
    constexpr uint32_t kMaxPorts = VirtioDevice::kConfiguration + 4;
    if (device.kind() != VirtioKind::kConsole || g_console) return;
    if (!device.Negotiate(kMultiport, kMultiport) || device.Read(kMaxPorts) <= kPortCount) return;
    g_console = new (g_storage) Console;
    g_console->device = device;
  });
  if (!g_console) return false;
  Console& console = *g_console;
  console.control_frames = AllocateTable();
  static_assert(2 * kControlBuffers * kControlSize <= kPageSize);
  console.control_in.Init(console.device, 2);
  console.control_out.Init(console.device, 3);
  for (unsigned i = 0; i < kControlBuffers; i++) OfferControl(i);
  for (unsigned i = 0; i < kPortCount; i++)
    console.ports[i].Init(console.device, i + 1, i == 0 || i == 3);
  console.device.Start(
      [](void*) {
        g_console->device.Acknowledge();
        NotifyStreams(kNotifyPorts | 7);
      },
      nullptr);
  SendControl(0, kDeviceReady, 1);
  for (unsigned i = 0; i < 3; i++) streams[i] = &console.ports[i];
  return true;
}

}  // namespace zrun::hal
