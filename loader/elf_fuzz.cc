// Headers of programs that nobody vouches for: must neither crash nor lay out what cannot be.
#include <cstdlib>
#include <cstring>

#include "loader/elf.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace zrun;
  constexpr uint64_t kTop = 0x7ffffffff000;
  const auto bytes = std::as_bytes(std::span(data, size));
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto script =
      loader::ParseScript(text.substr(0, loader::kScriptHead), size < loader::kScriptHead);
  if (script.ok() && script.value()) Require(!script.value()->interpreter.empty());

  auto header = loader::ParseHeader(bytes, 62);
  if (!header.ok()) return 0;
  const uint64_t at = header.value().phoff;
  const size_t table = size_t{header.value().phnum} * sizeof(loader::ProgramHeader);
  Require(table <= loader::kMaxProgramHeaderBytes);
  if (at > size || table > size - at) return 0;
  auto layout = loader::ProgramHeaders(bytes.subspan(at, table)).Check(header.value(), kTop);
  if (!layout.ok() || !layout.value().is_mappable) return 0;
  Require(layout.value().lowest < layout.value().highest);
  Require(layout.value().highest <= kTop + 4096);
  Require((layout.value().alignment & (layout.value().alignment - 1)) == 0);
  return 0;
}
