#pragma once
#include <sys/ioctl.h>
#include <termios.h>

#include "images/file.h"

namespace zrun {

using images::UniqueFd;

// The user's terminal in raw mode while a container owns it; put back at the end, whatever the end.
class RawTerminal {
 public:
  explicit RawTerminal(int fd);
  ~RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  int fd_;
  bool changed_ = false;
  termios saved_ = {};
};

// rows | columns << 16 | x << 32 | y << 48, as BootRecord has it; zero if |fd| is no terminal.
uint64_t PackedWindowSize(int fd);

// A non-blocking description of what |fd| names. Of its own where the host allows that, so that the
// user's shell does not find its terminal non-blocking.
UniqueFd OpenNonBlocking(int fd, int access);

}  // namespace zrun
