#pragma once
#include <array>
#include <concepts>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/string.h"

namespace zrun {

// Formatting without allocation or varargs. Write(sink, parts...) appends parts one after another:
// integers in decimal, Hex(x), Pad(x, width), text as it is. |sink| has Append(string_view).
struct Hex {
  uint64_t value;
  int digits = 1;  // at least so many, zero filled
};
struct Octal {
  uint64_t value;
  int digits = 1;
};
struct Pad {  // right aligned; left aligned if width is negative
  int64_t value;
  int width;
  char fill = ' ';
};
struct PadText {
  std::string_view text;
  int width;
};

class TextSink {
 public:
  virtual void Append(std::string_view text) = 0;

 protected:
  ~TextSink() = default;
};

void AppendUnsigned(TextSink& sink, uint64_t value, unsigned base, int digits, bool negative,
                    int width, char fill);
inline void AppendPart(TextSink& sink, std::string_view text) { sink.Append(text); }
inline void AppendPart(TextSink& sink, const char* text) { sink.Append(text); }
inline void AppendPart(TextSink& sink, char c) { sink.Append({&c, 1}); }
inline void AppendPart(TextSink& sink, Hex hex) {
  AppendUnsigned(sink, hex.value, 16, hex.digits, false, 0, ' ');
}
inline void AppendPart(TextSink& sink, Octal octal) {
  AppendUnsigned(sink, octal.value, 8, octal.digits, false, 0, ' ');
}
void AppendPart(TextSink& sink, Pad pad);
void AppendPart(TextSink& sink, PadText pad);
template <std::integral T>
requires(!std::same_as<T, char>) void AppendPart(TextSink& sink, T value) {
  const bool negative = value < T{};
  AppendUnsigned(sink, negative ? uint64_t{0} - uint64_t(value) : uint64_t(value), 10, 1, negative,
                 0, ' ');
}
template <typename... Parts>
void Write(TextSink& sink, const Parts&... parts) {
  (AppendPart(sink, parts), ...);
}

// Text of at most N bytes in place; what does not fit is dropped and is_truncated() says so.
template <size_t N>
class TextBuffer final : public TextSink {
 public:
  TextBuffer() = default;
  template <typename... Parts>
  explicit TextBuffer(const Parts&... parts) {
    Write(*this, parts...);
  }
  void Append(std::string_view text) override {
    for (char c : text) {
      if (size_ == N) {
        truncated_ = true;
        return;
      }
      chars_[size_++] = c;
    }
  }
  std::string_view view() const { return {chars_.data(), size_}; }
  operator std::string_view() const { return view(); }
  bool is_truncated() const { return truncated_; }
  void Clear() {
    size_ = 0;
    truncated_ = false;
  }

 private:
  std::array<char, N> chars_;
  size_t size_ = 0;
  bool truncated_ = false;
};

// Text of any length on the heap; a failed allocation is kept and reported by result().
class TextBuilder final : public TextSink {
 public:
  void Append(std::string_view text) override {
    if (auto appended = string_.Append(text); !appended.ok()) failed_ = true;
  }
  std::string_view view() const { return string_.view(); }
  Result<void> result() const {
    if (failed_) return Errno::kENOMEM;
    return {};
  }
  String Take() { return std::move(string_); }

 private:
  String string_;
  bool failed_ = false;
};

// The number at the start of |text| in |base|, and how many characters it took (0: there is none,
// or it is larger than 64 bits).
struct ParsedNumber {
  uint64_t value = 0;
  size_t length = 0;
};
ParsedNumber ParseUnsigned(std::string_view text, unsigned base = 10);

}  // namespace zrun
