#include "vfs/tty/line_discipline.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace zrun::vfs {
namespace {

using namespace termios;
using namespace std::string_literals;

// A terminal of which only the line discipline is there.
struct Terminal {
  ByteRing output{65536};
  Termios settings = kDefaults;
  LineDiscipline discipline{output, kDefaults};
  TtyEvents events;

  void Apply() { discipline.SetTermios(settings, events); }
  size_t Type(std::string_view text) {
    return discipline.Receive(std::as_bytes(std::span(text.data(), text.size())), events);
  }
  std::string Read(size_t size = 8192,
                   LineDiscipline::ReadMode mode = LineDiscipline::ReadMode::kWait) {
    std::string buffer(size, '\0');
    SpanSink sink(std::as_writable_bytes(std::span(buffer)));
    auto done = discipline.Read(sink, mode);
    if (!done.ok()) return "!" + std::string(ErrnoName(done.error()));
    buffer.resize(done.value());
    return buffer;
  }
  std::string Shown() {
    std::string text(output.size(), '\0');
    SpanSink sink(std::as_writable_bytes(std::span(text)));
    EXPECT_TRUE(output.Drain(sink).ok());
    return text;
  }
  long Write(std::string_view text) {
    SpanSource source(std::as_bytes(std::span(text.data(), text.size())));
    auto done = discipline.Write(source);
    return done.ok() ? long(done.value()) : -long(done.error());
  }
};

// Canonical input, with what is typed, read and shown.
struct LineCase {
  const char* name;
  std::string typed;
  std::vector<std::string> lines;  // then kEAGAIN
  std::string shown;
  uint32_t set_local = 0, clear_local = 0;
  uint32_t set_input = 0, clear_input = 0;
};

class Lines : public ::testing::TestWithParam<LineCase> {};

TEST_P(Lines, AreEditedAndEchoed) {
  const LineCase& test = GetParam();
  Terminal terminal;
  terminal.settings.lflag = (terminal.settings.lflag | test.set_local) & ~test.clear_local;
  terminal.settings.iflag = (terminal.settings.iflag | test.set_input) & ~test.clear_input;
  terminal.Apply();
  EXPECT_EQ(terminal.Type(test.typed), test.typed.size());
  EXPECT_EQ(terminal.Shown(), test.shown);
  for (const std::string& line : test.lines) EXPECT_EQ(terminal.Read(), line);
  EXPECT_EQ(terminal.Read(), "!EAGAIN");
}

INSTANTIATE_TEST_SUITE_P(
    All, Lines,
    ::testing::Values(
        LineCase{"Plain", "ls\r", {"ls\n"}, "ls\r\n"},
        LineCase{"Two", "a\nb\n", {"a\n", "b\n"}, "a\r\nb\r\n"},
        LineCase{"Unfinished", "abc", {}, "abc"},
        LineCase{"Erase", "lx\x7fs\n", {"ls\n"}, "lx\b \bs\r\n"},
        LineCase{"EraseNothing", "\x7f\x7f\n", {"\n"}, "\r\n"},
        LineCase{"EraseWithoutEchoE", "ab\x7f\n", {"a\n"}, "ab^?\r\n", 0, kEchoE},
        LineCase{"EraseControl", "a\x16\x01\x7f\n", {"a\n"}, "a^\b^A\b \b\b \b\r\n"},
        LineCase{"EraseTab",
                 "ab\t\x7f"
                 "c\n",
                 {"abc\n"},
                 "ab\t\b\b\b\b\b\bc\r\n"},
        LineCase{
            "EraseUtf8", "\xc3\xa9x\x7f\x7f\n", {"\n"}, "\xc3\xa9x\b \b\b \b\r\n", 0, 0, kIUtf8},
        LineCase{"EraseUtf8AsBytes", "\xc3\xa9\x7f\n", {"\xc3\n"}, "\xc3\xa9\b \b\r\n"},
        LineCase{"WordErase",
                 "rm  foo_1  \x17ok\n",
                 {"rm  ok\n"},
                 "rm  foo_1  \b \b\b \b\b \b\b \b\b \b\b \b\b \bok\r\n"},
        LineCase{"Kill",
                 "abc\x15"
                 "d\n",
                 {"d\n"},
                 "abc\b \b\b \b\b \bd\r\n"},
        LineCase{"KillWithoutEchoKe",
                 "abc\x15"
                 "d\n",
                 {"d\n"},
                 "abc^U\r\nd\r\n",
                 0,
                 kEchoKe},
        LineCase{"KillWithoutEchoK",
                 "abc\x15"
                 "d\n",
                 {"d\n"},
                 "abc^Ud\r\n",
                 0,
                 kEchoK | kEchoKe},
        LineCase{"EchoPrt",
                 "abc\x7f\x7f"
                 "d\n",
                 {"ad\n"},
                 "abc\\cb/d\r\n",
                 kEchoPrt,
                 0},
        LineCase{"Reprint",
                 "ab\x12"
                 "c\n",
                 {"abc\n"},
                 "ab^R\r\nabc\r\n"},
        LineCase{"LiteralNext", "\x16\x03\x16\x7f\n", {"\x03\x7f\n"}, "^\b^C^\b^?\r\n"},
        LineCase{"LiteralNewline", "a\x16\nb\n", {"a\nb\n"}, "a^\b\r\nb\r\n"},
        LineCase{"NoExtensions", "a\x17\x16\n", {"a\x17\x16\n"}, "a^W^V\r\n", 0, kIExten},
        LineCase{"EndOfFile", "\x04", {""}, ""},
        LineCase{"EndOfFileAfterText", "ab\x04", {"ab"}, "ab"},
        LineCase{"EndOfFileTwice", "ab\x04\x04", {"ab", ""}, "ab"},
        LineCase{"ControlEcho", "\x01\n", {"\x01\n"}, "^A\r\n"},
        LineCase{"ControlRaw", "\x01\n", {"\x01\n"}, "\x01\r\n", 0, kEchoCtl},
        LineCase{"NoEcho", "pw\n", {"pw\n"}, "", 0, kEcho},
        LineCase{"NoEchoNewlineOnly", "pw\n", {"pw\n"}, "\r\n", kEchoNl, kEcho},
        LineCase{"NoEchoErase", "px\x7fw\n", {"pw\n"}, "", 0, kEcho},
        LineCase{"IgnoreCr", "a\rb\n", {"ab\n"}, "ab\r\n", 0, 0, kIgnCr},
        LineCase{"CrStays", "a\rb\n", {"a\rb\n"}, "a^Mb\r\n", 0, 0, 0, kIcrNl},
        LineCase{"NlToCr", "a\n\r", {"a\r\n"}, "a^M\r\n", 0, 0, kInlCr},
        LineCase{"Strip", "\xe1\n", {"a\n"}, "a\r\n", 0, 0, kIStrip},
        LineCase{"ToLower", "AbC\n", {"abc\n"}, "abc\r\n", 0, 0, kIuclc},
        LineCase{"ParityMark", "\xff\n", {"\xff\xff\n"}, "\xff\r\n", 0, 0, kParMrk},
        LineCase{"SignalsOff", "\x03\n", {"\x03\n"}, "^C\r\n", 0, kISig}),
    [](const auto& test) { return test.param.name; });

TEST(LineDiscipline, EndOfLineCharactersEndALine) {
  Terminal terminal;
  terminal.settings.cc[kEol] = ';';
  terminal.settings.cc[kEol2] = ':';
  terminal.Apply();
  terminal.Type("a;b:c\n");
  EXPECT_EQ(terminal.Read(), "a;");
  EXPECT_EQ(terminal.Read(), "b:");
  EXPECT_EQ(terminal.Read(), "c\n");
}

TEST(LineDiscipline, SmallReadsTakePartsOfALine) {
  Terminal terminal;
  terminal.Type("abcdef\ngh\x04\x04");
  EXPECT_EQ(terminal.discipline.input_size(), 9u);
  EXPECT_EQ(terminal.Read(4), "abcd");
  EXPECT_EQ(terminal.Read(4), "ef\n");
  EXPECT_EQ(terminal.Read(2), "gh");  // takes the EOF behind it along
  EXPECT_EQ(terminal.Read(2), "");
  EXPECT_EQ(terminal.Read(2), "!EAGAIN");
}

TEST(LineDiscipline, SignalCharactersRaiseSignalsAndFlush) {
  Terminal terminal;
  terminal.Type("abc\x03");
  EXPECT_EQ(terminal.events.signals, 1u << 2);
  EXPECT_TRUE(terminal.events.flushed_input && terminal.events.flushed_output);
  EXPECT_EQ(terminal.Shown(), "^C");
  terminal.Type("x\n");
  EXPECT_EQ(terminal.Read(), "x\n");
  terminal.events = {};
  terminal.Type("\x1c\x1a");
  EXPECT_EQ(terminal.events.signals, 1u << 3 | 1u << 20);
}

TEST(LineDiscipline, NoFlushKeepsInput) {
  Terminal terminal;
  terminal.settings.lflag |= kNoFlush;
  terminal.Apply();
  terminal.Type(
      "ab\x03"
      "c\n");
  EXPECT_EQ(terminal.events.signals, 1u << 2);
  EXPECT_EQ(terminal.Read(), "abc\n");
  EXPECT_EQ(terminal.Shown(), "ab^Cc\r\n");
}

TEST(LineDiscipline, DisabledCharactersDoNothing) {
  Terminal terminal;
  terminal.settings.cc[kIntr] = 0;
  terminal.Apply();
  terminal.Type("a\0b\n"s);
  EXPECT_EQ(terminal.events.signals, 0u);
  EXPECT_EQ(terminal.Read(), "a\0b\n"s);
}

TEST(LineDiscipline, FlowControlHoldsOutputAndEcho) {
  Terminal terminal;
  terminal.Type("\x13");
  EXPECT_TRUE(terminal.events.stopped);
  EXPECT_EQ(terminal.Write("x"), -long(Errno::kEAGAIN));
  terminal.Type("ab");
  EXPECT_EQ(terminal.Shown(), "");
  terminal.Type("\x11");
  EXPECT_EQ(terminal.Shown(), "ab");
  EXPECT_EQ(terminal.Write("x"), 1);
}

TEST(LineDiscipline, AnyCharacterRestartsOutput) {
  Terminal terminal;
  terminal.settings.iflag |= kIxAny;
  terminal.Apply();
  terminal.Type("\x13q");
  EXPECT_FALSE(terminal.discipline.is_stopped());
  EXPECT_EQ(terminal.Shown(), "q");
}

TEST(LineDiscipline, InterruptRestartsOutput) {
  Terminal terminal;
  terminal.Type("\x13\x03");
  EXPECT_FALSE(terminal.discipline.is_stopped());
}

TEST(LineDiscipline, OutputIsProcessed) {
  struct Case {
    uint32_t flags;
    std::string written, shown;
  };
  const Case cases[] = {
      {kOPost | kOnlCr, "a\nb", "a\r\nb"},
      {0, "a\nb\t", "a\nb\t"},
      {kOPost | kOcrNl, "a\rb", "a\nb"},
      {kOPost | kOnoCr, "\ra\r", "a\r"},
      {kOPost | kTab3, "ab\tc\t", "ab      c       "},
      {kOPost | kTab3 | kOnlCr, "abc\n\tx", "abc\r\n        x"},
      {kOPost | kOlcuc, "aZ1", "AZ1"},
      {kOPost | kOnlRet | kOnoCr, "a\n\rb", "a\nb"},
      {kOPost | kTab3, "abc\b\t|", "abc\b      |"},
  };
  for (const Case& test : cases) {
    Terminal terminal;
    terminal.settings.oflag = test.flags;
    terminal.Apply();
    EXPECT_EQ(terminal.Write(test.written), long(test.written.size()));
    EXPECT_EQ(terminal.Shown(), test.shown) << test.written;
  }
}

TEST(LineDiscipline, OutputStopsWhenItsQueueIsFull) {
  Terminal terminal;
  const std::string big(200000, '\n');
  const long done = terminal.Write(big);
  EXPECT_GT(done, 30000);
  EXPECT_LT(done, 70000);
  EXPECT_EQ(terminal.Write("x"), -long(Errno::kEAGAIN));
  EXPECT_EQ(terminal.Shown().size(), size_t(done) * 2);
}

struct RawTerminal : Terminal {
  RawTerminal(uint8_t minimum, uint8_t time) {
    settings.lflag = 0;
    settings.iflag = 0;
    settings.cc[kMin] = minimum;
    settings.cc[kTime] = time;
    Apply();
  }
};

TEST(LineDiscipline, RawInputWaitsForItsMinimum) {
  using Mode = LineDiscipline::ReadMode;
  RawTerminal terminal(3, 0);
  EXPECT_EQ(terminal.Read(), "!EAGAIN");
  terminal.Type("a\r");
  EXPECT_FALSE(terminal.discipline.has_input());
  EXPECT_EQ(terminal.Read(10), "!EAGAIN");
  EXPECT_EQ(terminal.Read(1), "a");  // no more was asked for
  terminal.Type("\x03");
  EXPECT_EQ(terminal.Read(10), "!EAGAIN");
  EXPECT_EQ(terminal.Read(10, Mode::kNoWait), "\r\x03");
  EXPECT_EQ(terminal.Read(10, Mode::kNoWait), "!EAGAIN");
  terminal.Type("xyz");
  EXPECT_TRUE(terminal.discipline.has_input());
  EXPECT_EQ(terminal.Read(10), "xyz");
  EXPECT_EQ(terminal.Shown(), "");
}

TEST(LineDiscipline, RawInputWithoutMinimumOrTimeNeverWaits) {
  RawTerminal terminal(0, 0);
  EXPECT_EQ(terminal.Read(), "");
  terminal.Type("a");
  EXPECT_EQ(terminal.Read(), "a");
}

TEST(LineDiscipline, TimedRawInputEndsWithWhatThereIs) {
  using Mode = LineDiscipline::ReadMode;
  RawTerminal terminal(0, 5);
  EXPECT_EQ(terminal.Read(), "!EAGAIN");
  EXPECT_EQ(terminal.Read(10, Mode::kExpired), "");
  RawTerminal between(4, 5);
  between.Type("ab");
  EXPECT_TRUE(between.discipline.has_input());
  EXPECT_EQ(between.Read(), "!EAGAIN");
  EXPECT_EQ(between.Read(10, Mode::kExpired), "ab");
}

TEST(LineDiscipline, ALineThatIsTooLongCanStillBeEnded) {
  Terminal terminal;
  terminal.settings.lflag &= ~kEcho;
  terminal.Apply();
  EXPECT_EQ(terminal.Type(std::string(5000, 'a')), 5000u);
  EXPECT_EQ(terminal.Type("\nnext"), 1u);  // nobody has read: no room for more
  EXPECT_EQ(terminal.Read(), std::string(4095, 'a') + "\n");
  EXPECT_EQ(terminal.Type("next\n"), 5u);
  EXPECT_EQ(terminal.Read(), "next\n");
}

TEST(LineDiscipline, RawInputStopsWhenItsBufferIsFull) {
  RawTerminal terminal(1, 0);
  EXPECT_EQ(terminal.Type(std::string(5000, 'a')), 4095u);
  EXPECT_EQ(terminal.Read(100).size(), 100u);
  EXPECT_EQ(terminal.Type(std::string(5000, 'b')), 100u);
  EXPECT_EQ(terminal.Read().size(), 4095u);
}

TEST(LineDiscipline, ChangingModeKeepsWhatWasTyped) {
  Terminal terminal;
  terminal.Type("abc");
  EXPECT_EQ(terminal.Read(), "!EAGAIN");
  terminal.settings.lflag &= ~kICanon;
  terminal.Apply();
  EXPECT_TRUE(terminal.discipline.has_input());
  EXPECT_EQ(terminal.Read(2), "ab");
  terminal.settings.lflag |= kICanon;
  terminal.Apply();
  EXPECT_EQ(terminal.Read(), "c");
  EXPECT_EQ(terminal.Read(), "!EAGAIN");
}

TEST(LineDiscipline, WrapsAroundItsBuffer) {
  Terminal terminal;
  for (int i = 0; i < 1000; i++) {
    const std::string line = std::string(size_t(i % 50), char('a' + i % 26)) + "\n";
    ASSERT_EQ(terminal.Type(line), line.size());
    ASSERT_EQ(terminal.Read(), line);
    terminal.Shown();
  }
}

}  // namespace
}  // namespace zrun::vfs
