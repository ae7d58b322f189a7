#include "base/text.h"

namespace zrun {

void AppendUnsigned(TextSink& sink, uint64_t value, unsigned base, int digits, bool negative,
                    int width, char fill) {
  char reversed[72];
  int count = 0;
  do {
    const unsigned digit = unsigned(value % base);
    reversed[count++] = char(digit < 10 ? '0' + digit : 'a' + digit - 10);
    value /= base;
  } while (value != 0 || count < digits);
  const bool left = width < 0;
  const int padding = (left ? -width : width) - count - (negative ? 1 : 0);
  const auto pad = [&] {
    for (int i = 0; i < padding; i++) sink.Append({&fill, 1});
  };
  if (negative && fill == '0') sink.Append("-");
  if (!left) pad();
  if (negative && fill != '0') sink.Append("-");
  while (count > 0) sink.Append({&reversed[--count], 1});
  if (left) pad();
}

void AppendPart(TextSink& sink, Pad pad) {
  const bool negative = pad.value < 0;
  AppendUnsigned(sink, negative ? uint64_t{0} - uint64_t(pad.value) : uint64_t(pad.value), 10, 1,
                 negative, pad.width, pad.fill);
}

void AppendPart(TextSink& sink, PadText pad) {
  const bool left = pad.width < 0;
  const int padding = (left ? -pad.width : pad.width) - int(pad.text.size());
  if (left) sink.Append(pad.text);
  for (int i = 0; i < padding; i++) sink.Append(" ");
  if (!left) sink.Append(pad.text);
}

ParsedNumber ParseUnsigned(std::string_view text, unsigned base) {
  ParsedNumber parsed;
  for (char c : text) {
    unsigned digit = 0;
    if (c >= '0' && c <= '9') {
      digit = unsigned(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      digit = unsigned(c - 'a') + 10;
    } else if (c >= 'A' && c <= 'F') {
      digit = unsigned(c - 'A') + 10;
    } else {
      break;
    }
    if (digit >= base) break;
    if (__builtin_mul_overflow(parsed.value, base, &parsed.value) ||
        __builtin_add_overflow(parsed.value, digit, &parsed.value)) {
      return {};
    }
    parsed.length++;
  }
  return parsed;
}

}  // namespace zrun
