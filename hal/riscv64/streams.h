#pragma once
#include "hal/devices.h"

// Behind hal/devices.h: where the launcher's three streams really are. Ports of a virtio console,
// one for each, when the launcher has made them; the serial port for all when there are none.
namespace zrun::hal {

class Stream {
 public:
  // As StreamRead() and its like; never block.
  virtual Result<size_t> Read(std::span<std::byte> buffer) = 0;
  virtual Result<size_t> Write(std::span<const std::byte> buffer) = 0;
  virtual StreamReadiness Poll() = 0;
  // Whether everything written has left the machine.
  virtual bool IsDrained() = 0;

 protected:
  ~Stream() = default;
};

// At once: Halt() lets the streams' bytes out first.
[[noreturn]] void PowerOff(int exit_status);

// Something may have changed for streams: bit n for stream n. From interrupt handlers too.
void NotifyStreams(uint32_t bits);
inline constexpr uint32_t kNotifyPorts = 8;  // the virtio console wants ServicePorts()

// The ports, if there are any; then |streams| are theirs. False otherwise.
bool StartPorts(Stream* streams[3]);
// On the reactor's thread.
void ServicePorts();
Stream& SerialStream();
// What the launcher sends becomes events of the machine.
void ReportEvent(const MachineEvent& event);
void SetWindowSize(uint64_t packed);  // launcher.h

}  // namespace zrun::hal
