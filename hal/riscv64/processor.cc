#include "hal/processor.h"

#include "base/text.h"
#include "hal/riscv64/device_tree.h"
#include "hal/riscv64/machine.h"

namespace zrun::hal {
namespace {

constinit ProcessorFacts g_facts = {};
constinit char g_cpuinfo[kMaxHarts * 512] = {};
constinit size_t g_cpuinfo_size = 0;

class CpuInfoSink final : public TextSink {
 public:
  void Append(std::string_view text) override {
    const size_t size = std::min(text.size(), sizeof g_cpuinfo - g_cpuinfo_size);
    __builtin_memcpy(g_cpuinfo + g_cpuinfo_size, text.data(), size);
    g_cpuinfo_size += size;
  }
};

// AT_HWCAP: a bit for each letter of the base string that guests can use.
uint64_t CapabilitiesOf(std::string_view isa) {
  uint64_t bits = 0;
  isa.remove_prefix(isa.size() < 4 ? isa.size() : 4);  // "rv64"
  for (char letter : isa) {
    if (letter == '_') break;
    if (std::string_view("imafdc").find(letter) != std::string_view::npos)
      bits |= uint64_t{1} << (letter - 'a');
  }
  return bits;
}

// The letters that guests can use, and the extensions with names.
void WriteIsa(TextSink& sink, std::string_view isa) {
  bool names = false;
  for (size_t i = 0; i < isa.size(); i++) {
    names |= isa[i] == '_';
    if (!names && i >= 4 && std::string_view("imafdc").find(isa[i]) == std::string_view::npos)
      continue;
    sink.Append(isa.substr(i, 1));
  }
}

void Describe() {
  CpuInfoSink sink;
  const DeviceTree& tree = MachineTree();
  for (unsigned i = 0; i < HartCount(); i++) {
    for (auto cpu = tree.Find("/cpus").FirstChild(); cpu; cpu = cpu.Next()) {
      if (!cpu.Is("cpu") || cpu.Number("reg") != HartAt(i).id) continue;
      const std::string_view isa = cpu.Text("riscv,isa");
      Write(sink, "processor\t: ", i, "\nhart\t\t: ", HartAt(i).id, "\nisa\t\t: ");
      WriteIsa(sink, isa);
      Write(sink, "\nmmu\t\t: ", PagingLevels() == 4 ? "sv48" : "sv39", "\n\n");
      g_facts.hwcap = CapabilitiesOf(isa);
    }
  }
  g_facts.cpuinfo = {g_cpuinfo, g_cpuinfo_size};
  g_facts.minimum_signal_stack = 0;
}

}  // namespace

void InitProcessorFacts() { Describe(); }

const ProcessorFacts& GetProcessorFacts() { return g_facts; }

}  // namespace zrun::hal
