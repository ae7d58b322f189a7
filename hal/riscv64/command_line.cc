// What the launcher asks for: NUL-terminated "key=value" records, whose values may hold any byte.
// It puts them between the firmware and the kernel (layout.h), and their size among the boot
// arguments as "hal.records=SIZE". A machine that is started by hand gives the records as words of
// the boot arguments. "hal.key=value" among either concern this machine and are not passed on.
#include <algorithm>

#include "base/assert.h"
#include "base/text.h"
#include "hal/devices.h"
#include "hal/riscv64/device_tree.h"
#include "hal/riscv64/machine.h"

namespace zrun::hal {
namespace {

constexpr std::string_view kOwnPrefix = "hal.";
constinit char* g_text = nullptr;
constinit size_t g_size = 0;      // what the kernel is told
constinit size_t g_all_size = 0;  // and then our own records

// Moves our own records behind the others.
void SortOut() {
  size_t at = 0, end = g_all_size;
  while (at < end) {
    const std::string_view rest(g_text + at, end - at);
    const size_t size = std::min(rest.find('\0'), rest.size() - 1) + 1;
    if (rest.starts_with(kOwnPrefix)) {
      std::rotate(g_text + at, g_text + at + size, g_text + g_all_size);
      end -= size;
    } else {
      at += size;
    }
  }
  g_size = at;
}

}  // namespace

// Needs frames that follow each other: early ones do.
void InitCommandLine() {
  const auto chosen = MachineTree().Find("/chosen");
  const std::string_view words = chosen ? chosen.Text("bootargs") : std::string_view();
  constexpr std::string_view kRecords = "hal.records=";
  size_t records = 0;
  if (const size_t at = words.find(kRecords); at != std::string_view::npos)
    records = ParseUnsigned(words.substr(at + kRecords.size())).value;
  CHECK(records <= ZRUN_RECORDS_MAX);
  g_all_size = records + words.size() + 1;
  g_text = WindowPointer<char>(AllocateTable());
  for (size_t size = kPageSize; size < g_all_size; size += kPageSize) AllocateTable();
  __builtin_memcpy(g_text, WindowPointer<char>(ZRUN_RECORDS), records);
  std::replace_copy(words.begin(), words.end(), g_text + records, ' ', '\0');
  SortOut();
}

std::string_view CommandLine() { return {g_text, g_size}; }

std::string_view KernelOption(std::string_view name) {
  std::string_view rest(g_text + g_size, g_all_size - g_size);
  while (!rest.empty()) {
    const std::string_view record = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(record.size() + 1, rest.size()));
    std::string_view key = record.substr(0, record.find('='));
    if (!key.starts_with(kOwnPrefix)) continue;
    key.remove_prefix(kOwnPrefix.size());
    if (key == name && record.find('=') != std::string_view::npos)
      return record.substr(record.find('=') + 1);
  }
  return {};
}

}  // namespace zrun::hal
