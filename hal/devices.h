#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"
#include "hal/memory.h"

// Console, byte streams of the launcher (its standard input, output and error), entropy, the end.
namespace zrun::hal {

// The kernel's own messages. Never fails, never blocks for long.
void ConsoleWrite(std::string_view text);
// Cryptographically good bytes.
void FillEntropy(std::span<std::byte> buffer);
// Ends the machine; |exit_status| is the launcher's.
[[noreturn]] void Halt(int exit_status);
// The kernel command line that the launcher gave.
std::string_view CommandLine();

// Streams 0, 1 and 2: what the launcher was given as stdin, stdout and stderr. Reads and writes
// never block (kEAGAIN); a read of 0 bytes is end of file; a write may fail with kEPIPE.
enum class StreamKind : uint8_t { kNone, kFile, kPipe, kSocket, kTerminal, kNull };
StreamKind GetStreamKind(unsigned stream);
Result<size_t> StreamRead(unsigned stream, std::span<std::byte> buffer);
Result<size_t> StreamWrite(unsigned stream, std::span<const std::byte> buffer);
struct StreamReadiness {
  bool readable;
  bool writable;
  bool hang_up;
};
StreamReadiness PollStream(unsigned stream);
// Asks for one kStreamReady event when the stream becomes readable (or writable).
void WatchStream(unsigned stream, bool readable, bool writable);

struct WindowSize {
  uint16_t rows, columns, x_pixels, y_pixels;
};
// Of the launcher's terminal.
WindowSize GetWindowSize();

struct MachineEvent {
  enum class Kind : uint8_t {
    kStreamReady,  // value: which stream
    kWindowSize,   // the launcher's terminal changed size
    kSignal,       // value: a Linux signal for the container's first process
    kOutOfMemory,  // the container is over its limit: free something or kill
    kHostChanges,  // HostReadChanges() has something
  } kind;
  uint32_t value;
};
// Called on a kernel service thread, one event at a time. Set once, while booting.
void SetEventHandler(void (*handler)(const MachineEvent& event));

}  // namespace zrun::hal
