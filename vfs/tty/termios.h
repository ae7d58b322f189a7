#pragma once
#include <cstdint>

// Terminal settings with the values of <asm-generic/termbits.h>, which x86-64 and riscv64 share.
namespace zrun::vfs {

// struct termios2; its first kTermiosSize bytes are the kernel's struct termios.
struct Termios {
  uint32_t iflag, oflag, cflag, lflag;
  uint8_t line;
  uint8_t cc[19];
  uint32_t ispeed, ospeed;
};
inline constexpr size_t kTermiosSize = 36;
static_assert(sizeof(Termios) == 44);

// struct termio of System V (TCGETA).
struct Termio {
  uint16_t iflag, oflag, cflag, lflag;
  uint8_t line;
  uint8_t cc[8];
  uint8_t padding;
};
static_assert(sizeof(Termio) == 18);

struct TtyWindowSize {  // struct winsize
  uint16_t rows = 0, columns = 0, x_pixels = 0, y_pixels = 0;
  friend bool operator==(const TtyWindowSize&, const TtyWindowSize&) = default;
};

namespace termios {
// c_cc
inline constexpr unsigned kIntr = 0, kQuit = 1, kErase = 2, kKill = 3, kEof = 4, kTime = 5,
                          kMin = 6, kStart = 8, kStop = 9, kSusp = 10, kEol = 11, kReprint = 12,
                          kWordErase = 14, kLiteralNext = 15, kEol2 = 16;
// c_iflag
inline constexpr uint32_t kParMrk = 010, kIStrip = 040, kInlCr = 0100, kIgnCr = 0200, kIcrNl = 0400,
                          kIuclc = 01000, kIxOn = 02000, kIxAny = 04000, kIUtf8 = 040000;
// c_oflag
inline constexpr uint32_t kOPost = 01, kOlcuc = 02, kOnlCr = 04, kOcrNl = 010, kOnoCr = 020,
                          kOnlRet = 040, kTabDelay = 014000, kTab3 = 014000;
// c_cflag
inline constexpr uint32_t kB38400 = 017, kCSize = 060, kCs8 = 060, kCRead = 0200, kParEnb = 0400,
                          kHupCl = 02000;
// c_lflag
inline constexpr uint32_t kISig = 01, kICanon = 02, kEcho = 010, kEchoE = 020, kEchoK = 040,
                          kEchoNl = 0100, kNoFlush = 0200, kToStop = 0400, kEchoCtl = 01000,
                          kEchoPrt = 02000, kEchoKe = 04000, kIExten = 0100000;

// What a new terminal has ("stty sane").
inline constexpr Termios kDefaults = {
    .iflag = kIcrNl | kIxOn,
    .oflag = kOPost | kOnlCr,
    .cflag = kB38400 | kCs8 | kCRead,
    .lflag = kISig | kICanon | kEcho | kEchoE | kEchoK | kEchoCtl | kEchoKe | kIExten,
    .line = 0,
    .cc = {3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0},
    .ispeed = 38400,
    .ospeed = 38400,
};
}  // namespace termios

}  // namespace zrun::vfs
