#pragma once
#include <span>

#include "hal/clock.h"
#include "vfs/anonymous.h"
#include "vfs/file_description.h"

// The launcher's standard streams, for the container: as one terminal (zrun -t), or as three
// streams.
namespace zrun::vfs {

enum class ConsoleMode : uint8_t { kTerminal, kStreams };
// Once, while booting, before the machine's events are dispatched. In kTerminal mode stream 0 is
// the terminal's keyboard and stream 1 its screen; the launcher has set it to raw mode.
Result<void> InitConsole(ConsoleMode mode);
// What fd 0, 1 and 2 of the first process are: three references to one open terminal, or a file of
// its own per stream. They are said to be opened at |places| where the stream is such a device, and
// belong to |user|, who may open them again.
struct StandardFiles {
  RefPtr<FileDescription> files[3];
};
struct StandardPlaces {
  Path console, null;  // /dev/console, /dev/null
};
Result<StandardFiles> OpenStandardFiles(const StandardPlaces& places, uint32_t user);
// Makes the console the terminal of |session| with |group| in the foreground (kTerminal mode).
void SetConsoleSession(int32_t session, int32_t group);

// hal::MachineEvent's kStreamReady and kWindowSize, on a kernel service thread.
void OnStreamReady(unsigned stream);
void OnWindowSize();
// Before the machine halts: waits until what guests wrote has reached the launcher's streams, or
// nobody reads them any more. False at the deadline.
bool FlushConsole(hal::Deadline deadline);

}  // namespace zrun::vfs
