#pragma once
#include <array>
#include <string_view>

#include "vfs/byte_ring.h"
#include "vfs/tty/termios.h"

namespace zrun::vfs {

// What receiving bytes brought about, for the terminal to pass on.
struct TtyEvents {
  uint32_t signals = 0;  // bit N: signal N for the foreground group
  bool flushed_input = false, flushed_output = false;
  bool stopped = false, started = false;
  void Raise(int signal) { signals |= 1u << signal; }
};

// N_TTY (termios(3)): turns what is typed into what is read, what is written into what is shown,
// and echoes. It knows neither locks nor processes; the terminal owns it and its output queue.
class LineDiscipline {
 public:
  // A line is at most that long; so is what raw mode keeps, less one.
  static constexpr uint32_t kInputSize = 4096;
  explicit LineDiscipline(ByteRing& output, const Termios& initial)
      : termios_(initial), output_(output) {}

  const Termios& termios() const { return termios_; }
  void SetTermios(const Termios& termios, TtyEvents& events);

  // ---- From the far end. How many bytes were taken: less than given when nobody reads them.
  size_t Receive(std::span<const std::byte> bytes, TtyEvents& events);

  // ---- For the programs at this end.
  enum class ReadMode : uint8_t { kWait, kNoWait, kExpired };
  // A line, or what VMIN and VTIME ask for; kEAGAIN. kNoWait (O_NONBLOCK) does not insist on VMIN
  // bytes; kExpired (VTIME is over) takes what there is.
  Result<size_t> Read(DataSink& sink, ReadMode mode);
  // Is there something to read, as poll sees it?
  bool has_input() const;
  // FIONREAD.
  size_t input_size() const;
  // Any bytes at all, for the inter-byte timer.
  bool has_bytes() const { return head_ != tail_; }
  // As much as the output queue has room for; kEAGAIN if it has none, or output is stopped.
  Result<size_t> Write(DataSource& source);
  bool can_write() const { return !stopped_ && output_.room() > 0; }
  bool is_canonical() const { return Local(termios::kICanon); }

  void FlushInput();
  void Stop(TtyEvents& events);
  void Start(TtyEvents& events);
  bool is_stopped() const { return stopped_; }

 private:
  bool Local(uint32_t flag) const { return termios_.lflag & flag; }
  bool Input(uint32_t flag) const { return termios_.iflag & flag; }
  bool Output(uint32_t flag) const { return termios_.oflag & flag; }
  // A control character of 0 is disabled (_POSIX_VDISABLE).
  bool Is(uint8_t c, unsigned control) const { return c != 0 && c == termios_.cc[control]; }
  uint8_t& At(uint32_t position) { return input_[position % kInputSize]; }
  uint8_t At(uint32_t position) const { return input_[position % kInputSize]; }
  bool IsContinuation(uint8_t c) const { return Input(termios::kIUtf8) && (c & 0xc0) == 0x80; }

  bool MakeRoom();
  void ReceiveOne(uint8_t c, TtyEvents& events);
  bool ReceiveFlowControl(uint8_t c, TtyEvents& events);
  bool ReceiveSignal(uint8_t c, TtyEvents& events);
  bool ReceiveEditing(uint8_t c);
  void ReceiveText(uint8_t c);
  void Store(uint8_t c);
  void EndLine(uint8_t c);
  void Erase(uint8_t c);
  void KillLine(uint8_t c);
  void EraseOne(uint32_t from, uint32_t to, uint8_t eraser);
  void ReprintLine(uint8_t c);
  unsigned LineWidth() const;

  void EchoText(uint8_t c);
  void Echo(uint8_t c);
  void FinishErasing();
  void Show(uint8_t c);
  void ShowRaw(std::string_view text);
  void Emit(std::span<const std::byte> bytes);
  size_t Process(uint8_t c, uint8_t out[8]);

  Result<size_t> ReadLine(DataSink& sink);
  Result<size_t> ReadRaw(DataSink& sink, ReadMode mode);
  Result<size_t> Give(DataSink& sink, uint32_t count);

  bool IsLineEnd(uint32_t position) const {
    return line_ends_[position % kInputSize / 32] >> (position % 32) & 1;
  }
  void SetLineEnd(uint32_t position, bool value) {
    uint32_t& word = line_ends_[position % kInputSize / 32];
    const uint32_t bit = 1u << (position % 32);
    word = value ? word | bit : word & ~bit;
  }

  Termios termios_;
  ByteRing& output_;
  ByteRing held_echo_{4096};  // while output is stopped
  std::array<uint8_t, kInputSize> input_;
  std::array<uint32_t, kInputSize / 32> line_ends_{};
  // Positions only grow; [tail_, line_) are whole lines, [line_, head_) is the line being edited.
  uint32_t tail_ = 0, line_ = 0, head_ = 0;
  unsigned column_ = 0;       // where the cursor is
  unsigned line_column_ = 0;  // where the line being edited began
  bool literal_next_ = false;
  bool erasing_ = false;  // within ECHOPRT's \.../
  bool stopped_ = false;
};

}  // namespace zrun::vfs
