#include "runtime-cli/terminal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

namespace zrun {

RawTerminal::RawTerminal(int fd) : fd_(fd) {
  if (tcgetattr(fd_, &saved_) != 0) return;
  termios raw = saved_;
  cfmakeraw(&raw);
  changed_ = tcsetattr(fd_, TCSADRAIN, &raw) == 0;
}

RawTerminal::~RawTerminal() {
  if (changed_) tcsetattr(fd_, TCSADRAIN, &saved_);
}

uint64_t PackedWindowSize(int fd) {
  winsize size = {};
  if (ioctl(fd, TIOCGWINSZ, &size) != 0) return 0;
  return uint64_t{size.ws_row} | uint64_t{size.ws_col} << 16 | uint64_t{size.ws_xpixel} << 32 |
         uint64_t{size.ws_ypixel} << 48;
}

UniqueFd OpenNonBlocking(int fd, int access) {
  struct stat status;
  if (fstat(fd, &status) != 0) return UniqueFd();
  const bool may_reopen = S_ISCHR(status.st_mode) || S_ISFIFO(status.st_mode);
  if (may_reopen) {
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    const int reopened = open(path.c_str(), access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (reopened >= 0) return UniqueFd(reopened);
  }
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  // Regular files never block; their offset must stay the shared one.
  if (copy >= 0 && !S_ISREG(status.st_mode))
    fcntl(copy, F_SETFL, fcntl(copy, F_GETFL) | O_NONBLOCK);
  return UniqueFd(copy);
}

}  // namespace zrun
