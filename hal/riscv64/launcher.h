#pragma once
#include <cstdint>

// What the launcher and the kernel of the riscv64 machine agree on besides records (layout.h,
// command_line.cc). Both sides are built from this header; both are little-endian.
namespace zrun::hal {

// Names of the virtio console's ports. Each of the first three goes one way.
inline constexpr const char* kPortNames[] = {"zrun.stdin", "zrun.stdout", "zrun.stderr",
                                             "zrun.control"};
inline constexpr unsigned kPortCount = 4;

// On the control port, from the launcher. Ends are told here and not by closing ports: QEMU may
// notice that before it has passed on what was written.
struct LauncherMessage {
  enum Kind : uint32_t {
    kSignal = 1,        // |value|: a Linux signal for the container's first process
    kWindow = 2,        // |value|: rows | columns << 16 | x << 32 | y << 48
    kEndOfInput = 3,    // |value|: how many bytes there are before it
    kOutputClosed = 4,  // |value|: which stream; nobody reads it any more
  };
  uint64_t kind;
  uint64_t value;
};

// What the kernel writes to the serial port follows this; the firmware's greeting comes before.
inline constexpr char kSerialMark = '\x1e';

}  // namespace zrun::hal
