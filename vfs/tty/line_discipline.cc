#include "vfs/tty/line_discipline.h"

namespace zrun::vfs {

using namespace termios;

namespace {

constexpr int kSigInt = 2, kSigQuit = 3, kSigTstp = 20;
// What an EOF character leaves behind in the input: a line end that is no byte of the line.
constexpr uint8_t kEndOfFile = 0;

bool IsControl(uint8_t c) { return c < 32 || c == 127; }
bool IsWordCharacter(uint8_t c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         c >= 0xc0;
}

}  // namespace

void LineDiscipline::SetTermios(const Termios& termios, TtyEvents& events) {
  const Termios old = termios_;
  termios_ = termios;
  if ((old.lflag ^ termios_.lflag) & kICanon) {
    // What was typed so far becomes readable: as raw bytes, or as a line of its own.
    line_ends_ = {};
    if (Local(kICanon) && has_bytes()) {
      SetLineEnd(head_ - 1, true);
      line_ = head_;
    } else {
      line_ = tail_;
    }
    literal_next_ = erasing_ = false;
  }
  if ((old.iflag & kIxOn) && !Input(kIxOn)) Start(events);
}

// ---- Output

// What |c| becomes on the screen; keeps the column.
size_t LineDiscipline::Process(uint8_t c, uint8_t out[8]) {
  out[0] = c;
  if (!Output(kOPost)) return 1;
  switch (c) {
    case '\n':
      if (Output(kOnlRet)) column_ = 0;
      if (!Output(kOnlCr)) return 1;
      column_ = 0;
      out[0] = '\r';
      out[1] = '\n';
      return 2;
    case '\r':
      if (Output(kOnoCr) && column_ == 0) return 0;
      if (Output(kOcrNl)) {
        out[0] = '\n';
        if (Output(kOnlRet)) column_ = 0;
        return 1;
      }
      column_ = 0;
      return 1;
    case '\t': {
      const unsigned spaces = 8 - column_ % 8;
      column_ += spaces;
      if ((termios_.oflag & kTabDelay) != kTab3) return 1;
      __builtin_memset(out, ' ', spaces);
      return spaces;
    }
    case '\b':
      if (column_ > 0) column_--;
      return 1;
    default:
      if (IsControl(c)) return 1;
      if (Output(kOlcuc) && c >= 'a' && c <= 'z') out[0] = uint8_t(c - 32);
      if (!IsContinuation(c)) column_++;
      return 1;
  }
}

Result<size_t> LineDiscipline::Write(DataSource& source) {
  if (source.remaining() == 0) return 0;
  if (!can_write()) return Errno::kEAGAIN;
  if (!Output(kOPost)) return output_.Fill(source, output_.room());
  size_t done = 0;
  std::array<std::byte, 256> chunk;
  std::array<uint8_t, 256> shown;
  while (source.remaining() != 0 && output_.room() > 0) {
    const size_t wanted = std::min(chunk.size(), source.remaining());
    auto taken = source.Take(std::span(chunk).first(wanted));
    if (!taken.ok()) {
      if (done > 0) break;
      return taken.error();
    }
    size_t count = 0;
    for (size_t i = 0; i < taken.value(); i++) {
      count += Process(uint8_t(chunk[i]), &shown[count]);
      if (count + 8 > shown.size() || i + 1 == taken.value()) {
        TRY(output_.Append(std::as_bytes(std::span(shown).first(count))));
        count = 0;
      }
    }
    done += taken.value();
    if (taken.value() < wanted) break;
  }
  return done;
}

void LineDiscipline::Stop(TtyEvents& events) {
  if (stopped_) return;
  stopped_ = true;
  events.stopped = true;
  events.started = false;
}

void LineDiscipline::Start(TtyEvents& events) {
  if (!stopped_) return;
  stopped_ = false;
  events.started = true;
  events.stopped = false;
  while (!held_echo_.empty()) {
    const auto piece = held_echo_.front();
    if (!output_.Append(piece).ok()) break;  // an echo that there is no memory for is lost
    held_echo_.Consume(piece.size());
  }
}

// ---- Echo

// Echo may exceed the output queue's limit by as much as its own; what is more is lost, as is one
// that there is no memory for: nobody could be told.
void LineDiscipline::Emit(std::span<const std::byte> bytes) {
  ByteRing& queue = stopped_ ? held_echo_ : output_;
  if (queue.room() == 0 && (stopped_ || queue.size() > 2 * 65536)) return;
  if (!queue.Append(bytes).ok()) return;
}

void LineDiscipline::Show(uint8_t c) {
  uint8_t out[8];
  const size_t size = Process(c, out);
  Emit(std::as_bytes(std::span(out, size)));
}

void LineDiscipline::ShowRaw(std::string_view text) {
  Emit(std::as_bytes(std::span(text.data(), text.size())));
}

void LineDiscipline::Echo(uint8_t c) {
  if (Local(kEchoCtl) && IsControl(c) && c != '\t') {
    Show('^');
    Show(c ^ 0x40);
  } else {
    Show(c);
  }
}

void LineDiscipline::EchoText(uint8_t c) {
  FinishErasing();
  if (line_ == head_) line_column_ = column_;
  Echo(c);
}

void LineDiscipline::FinishErasing() {
  if (!erasing_) return;
  erasing_ = false;
  Show('/');
}

// ---- Input

void LineDiscipline::Store(uint8_t c) { At(head_++) = c; }

void LineDiscipline::EndLine(uint8_t c) {
  SetLineEnd(head_, true);
  Store(c);
  line_ = head_;
}

void LineDiscipline::FlushInput() {
  line_ends_ = {};
  tail_ = line_ = head_ = 0;
  literal_next_ = erasing_ = false;
}

// Room for one more byte. A line that got too long loses its last byte instead, so that it can
// still be ended or erased.
bool LineDiscipline::MakeRoom() {
  const uint32_t used = head_ - tail_;
  if (used < kInputSize - 1) return true;
  if (!Local(kICanon) || line_ != tail_) return false;
  if (used == kInputSize) head_--;
  return true;
}

size_t LineDiscipline::Receive(std::span<const std::byte> bytes, TtyEvents& events) {
  size_t done = 0;
  for (; done < bytes.size() && MakeRoom(); done++) ReceiveOne(uint8_t(bytes[done]), events);
  return done;
}

void LineDiscipline::ReceiveOne(uint8_t c, TtyEvents& events) {
  if (Input(kIStrip)) c &= 0x7f;
  if (Input(kIuclc) && Local(kIExten) && c >= 'A' && c <= 'Z') c = uint8_t(c + 32);
  if (literal_next_) {
    literal_next_ = false;
    ReceiveText(c);
    return;
  }
  if (Input(kIxOn) && ReceiveFlowControl(c, events)) return;
  if (Local(kISig) && ReceiveSignal(c, events)) return;
  if (stopped_ && Input(kIxOn) && Input(kIxAny)) Start(events);
  if (c == '\r') {
    if (Input(kIgnCr)) return;
    if (Input(kIcrNl)) c = '\n';
  } else if (c == '\n' && Input(kInlCr)) {
    c = '\r';
  }
  if (Local(kICanon) && ReceiveEditing(c)) return;
  ReceiveText(c);
}

bool LineDiscipline::ReceiveFlowControl(uint8_t c, TtyEvents& events) {
  // START and STOP may be the same character: it toggles.
  if (Is(c, kStart) && (stopped_ || !Is(c, kStop))) {
    Start(events);
    return true;
  }
  if (!Is(c, kStop)) return false;
  Stop(events);
  return true;
}

bool LineDiscipline::ReceiveSignal(uint8_t c, TtyEvents& events) {
  const int signal = Is(c, kIntr) ? kSigInt : Is(c, kQuit) ? kSigQuit : Is(c, kSusp) ? kSigTstp : 0;
  if (signal == 0) return false;
  events.Raise(signal);
  if (!Local(kNoFlush)) {
    FlushInput();
    held_echo_.Clear();
    output_.Clear();
    events.flushed_input = events.flushed_output = true;
  }
  if (Input(kIxOn)) Start(events);
  if (Local(kEcho)) Echo(c);
  return true;
}

bool LineDiscipline::ReceiveEditing(uint8_t c) {
  const bool extended = Local(kIExten), echo = Local(kEcho);
  if (Is(c, kErase) || (extended && Is(c, kWordErase))) {
    Erase(c);
  } else if (Is(c, kKill)) {
    KillLine(c);
  } else if (extended && Is(c, kLiteralNext)) {
    literal_next_ = true;
    if (echo) FinishErasing();
    if (echo && Local(kEchoCtl)) ShowRaw("^\b");
  } else if (extended && echo && Is(c, kReprint)) {
    ReprintLine(c);
  } else if (c == '\n') {
    if (echo || Local(kEchoNl)) {
      FinishErasing();
      Show('\n');
    }
    EndLine(c);
  } else if (Is(c, kEof)) {
    EndLine(kEndOfFile);
  } else if (Is(c, kEol) || (extended && Is(c, kEol2))) {
    if (echo) EchoText(c);
    EndLine(c);
  } else {
    return false;
  }
  return true;
}

void LineDiscipline::ReceiveText(uint8_t c) {
  if (Local(kEcho)) {
    if (c == '\n') {
      FinishErasing();
      Show('\n');
    } else {
      EchoText(c);
    }
  }
  // PARMRK: a marker byte among the data is doubled.
  if (c == 0xff && Input(kParMrk) && head_ - tail_ < kInputSize - 1) Store(c);
  Store(c);
}

void LineDiscipline::ReprintLine(uint8_t c) {
  FinishErasing();
  Echo(c);
  Show('\n');
  line_column_ = column_;
  for (uint32_t i = line_; i != head_; i++) Echo(At(i));
}

// The column behind the line being edited.
unsigned LineDiscipline::LineWidth() const {
  unsigned column = line_column_;
  for (uint32_t i = line_; i != head_; i++) {
    const uint8_t c = At(i);
    if (c == '\t') {
      column += 8 - column % 8;
    } else if (IsControl(c)) {
      column += Local(kEchoCtl) ? 2 : 0;
    } else if (!IsContinuation(c)) {
      column++;
    }
  }
  return column;
}

void LineDiscipline::Erase(uint8_t c) {
  const bool whole_word = !Is(c, kErase);
  bool in_word = false;
  while (head_ != line_) {
    uint32_t start = head_;
    do {
      start--;
    } while (start != line_ && IsContinuation(At(start)));
    if (IsContinuation(At(start))) break;  // not the rest of a character that is not all there
    if (whole_word) {
      if (IsWordCharacter(At(start))) {
        in_word = true;
      } else if (in_word) {
        break;
      }
    }
    const uint32_t end = head_;
    head_ = start;
    if (Local(kEcho)) EraseOne(start, end, c);
    if (!whole_word) break;
  }
  if (head_ == line_ && Local(kEcho)) FinishErasing();
}

void LineDiscipline::KillLine(uint8_t c) {
  if (head_ == line_) return;
  const bool visibly = Local(kEchoK) && Local(kEchoKe) && Local(kEchoE);
  if (!Local(kEcho) || !visibly) {
    head_ = line_;
    if (!Local(kEcho)) return;
    FinishErasing();
    Echo(c);
    if (Local(kEchoK)) Show('\n');
    return;
  }
  while (head_ != line_) {
    const uint32_t end = head_;
    do {
      head_--;
    } while (head_ != line_ && IsContinuation(At(head_)));
    EraseOne(head_, end, termios_.cc[kErase]);
  }
  FinishErasing();
}

// Shows that the character [from, to), already taken from the line, is gone.
void LineDiscipline::EraseOne(uint32_t from, uint32_t to, uint8_t eraser) {
  const uint8_t c = At(from);
  if (Local(kEchoPrt)) {
    if (!erasing_) Show('\\');
    erasing_ = true;
    Echo(c);
    for (uint32_t i = from + 1; i != to; i++) Show(At(i));
    return;
  }
  if (Is(eraser, kErase) && !Local(kEchoE)) {
    Echo(eraser);
    return;
  }
  if (c == '\t') {
    const unsigned width = 8 - LineWidth() % 8;
    for (unsigned i = 0; i < width; i++) ShowRaw("\b");
    column_ -= std::min(column_, width);
    return;
  }
  const unsigned width = !IsControl(c) ? 1 : Local(kEchoCtl) ? 2 : 0;
  for (unsigned i = 0; i < width; i++) ShowRaw("\b \b");
  column_ -= std::min(column_, width);
}

// ---- Reading

bool LineDiscipline::has_input() const {
  if (Local(kICanon)) return line_ != tail_;
  const uint32_t minimum = termios_.cc[kTime] == 0 ? std::max<uint32_t>(termios_.cc[kMin], 1) : 1;
  return head_ - tail_ >= minimum;
}

size_t LineDiscipline::input_size() const {
  if (!Local(kICanon)) return head_ - tail_;
  size_t size = 0;
  for (uint32_t i = tail_; i != line_; i++) size += !(IsLineEnd(i) && At(i) == kEndOfFile);
  return size;
}

Result<size_t> LineDiscipline::Read(DataSink& sink, ReadMode mode) {
  if (sink.remaining() == 0) return 0;
  return Local(kICanon) ? ReadLine(sink) : ReadRaw(sink, mode);
}

// The first |count| bytes, which are there.
Result<size_t> LineDiscipline::Give(DataSink& sink, uint32_t count) {
  size_t done = 0;
  while (done < count) {
    const uint32_t start = tail_ % kInputSize;
    const size_t piece = std::min<size_t>(kInputSize - start, count - done);
    auto given = sink.Put(std::as_bytes(std::span(input_).subspan(start, piece)));
    if (!given.ok()) {
      if (done > 0) break;
      return given.error();
    }
    tail_ += uint32_t(given.value());
    done += given.value();
    if (given.value() < piece) break;
  }
  return done;
}

Result<size_t> LineDiscipline::ReadLine(DataSink& sink) {
  if (line_ == tail_) return Errno::kEAGAIN;
  uint32_t end = tail_;
  while (end + 1 != line_ && !IsLineEnd(end)) end++;
  const bool at_eof = IsLineEnd(end) && At(end) == kEndOfFile;
  const uint32_t size = end - tail_ + (at_eof ? 0 : 1);
  const uint32_t wanted = uint32_t(std::min<size_t>(size, sink.remaining()));
  const size_t done = TRY(Give(sink, wanted));
  if (done == size) {
    SetLineEnd(end, false);
    if (at_eof) tail_++;
  }
  return done;
}

Result<size_t> LineDiscipline::ReadRaw(DataSink& sink, ReadMode mode) {
  line_ = tail_;
  const uint32_t there = head_ - tail_;
  const uint32_t minimum = termios_.cc[kMin];
  const size_t wanted = std::min<size_t>(sink.remaining(), std::max<uint32_t>(minimum, 1));
  const bool enough = there >= wanted || (there > 0 && mode != ReadMode::kWait);
  if (!enough) {
    if (minimum == 0 && termios_.cc[kTime] == 0) return 0;
    if (mode == ReadMode::kExpired) return 0;
    return Errno::kEAGAIN;
  }
  auto done = Give(sink, uint32_t(std::min<size_t>(there, sink.remaining())));
  line_ = tail_;
  return done;
}

}  // namespace zrun::vfs
