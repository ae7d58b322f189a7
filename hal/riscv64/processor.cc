#include "hal/processor.h"

#include "base/text.h"
#include "hal/riscv64/device_tree.h"
#include "hal/riscv64/isa.h"
#include "hal/riscv64/machine.h"
#include "hal/riscv64/sbi.h"
#include "hal/riscv64/timekeeping.h"
#include "hal/riscv64/vector_state.h"

namespace zrun::hal {
namespace {

constinit ProcessorFacts g_facts = {};
constinit char g_cpuinfo[kMaxHarts * 512] = {};
constinit size_t g_cpuinfo_size = 0;
constinit uint64_t g_extensions = 0;  // RISCV_HWPROBE_KEY_IMA_EXT_0

class CpuInfoSink final : public TextSink {
 public:
  void Append(std::string_view text) override {
    const size_t size = std::min(text.size(), sizeof g_cpuinfo - g_cpuinfo_size);
    __builtin_memcpy(g_cpuinfo + g_cpuinfo_size, text.data(), size);
    g_cpuinfo_size += size;
  }
};

// Whether guests can use the extension of a letter.
bool IsForGuests(char letter) {
  if (letter == 'v') return HasVectors();
  return std::string_view("imafdc").find(letter) != std::string_view::npos;
}

// Whether the hart has an extension, and guests can use it.
bool Offers(Isa isa, std::string_view name) {
  return isa.Has(name) && (name.size() > 1 || IsForGuests(name[0]));
}

// AT_HWCAP: a bit for each letter of the base string that guests can use.
uint64_t CapabilitiesOf(Isa isa) {
  uint64_t bits = 0;
  for (char letter : isa.letters()) {
    if (IsForGuests(letter)) bits |= uint64_t{1} << (letter - 'a');
  }
  return bits;
}

// <asm/hwprobe.h>.
uint64_t ExtensionsOf(Isa isa) {
  struct Extension {
    std::string_view name;
    unsigned bit;
  };
  static constexpr Extension kExtensions[] = {{"c", 1},     {"v", 2},    {"zba", 3},    {"zbb", 4},
                                              {"zbs", 5},   {"zbc", 7},  {"zbkb", 8},   {"zbkc", 9},
                                              {"zbkx", 10}, {"zfh", 27}, {"zfhmin", 28}};
  uint64_t bits = Offers(isa, "f") && Offers(isa, "d") ? 1 : 0;
  for (const Extension& extension : kExtensions) {
    if (Offers(isa, extension.name)) bits |= uint64_t{1} << extension.bit;
  }
  return bits;
}

// The letters that guests can use, and the extensions with names.
void WriteIsa(TextSink& sink, std::string_view isa) {
  bool names = false;
  for (size_t i = 0; i < isa.size(); i++) {
    names |= isa[i] == '_';
    if (!names && i >= 4 && !IsForGuests(isa[i])) continue;
    sink.Append(isa.substr(i, 1));
  }
}

void Describe() {
  CpuInfoSink sink;
  const DeviceTree& tree = MachineTree();
  for (unsigned i = 0; i < HartCount(); i++) {
    for (auto cpu = tree.Find("/cpus").FirstChild(); cpu; cpu = cpu.Next()) {
      if (!cpu.Is("cpu") || cpu.Number("reg") != HartAt(i).id) continue;
      const Isa isa(cpu.Text("riscv,isa"));
      Write(sink, "processor\t: ", i, "\nhart\t\t: ", HartAt(i).id, "\nisa\t\t: ");
      WriteIsa(sink, isa.text());
      Write(sink, "\nmmu\t\t: ", PagingLevels() == 4 ? "sv48" : "sv39", "\n\n");
      g_facts.hwcap = CapabilitiesOf(isa);
      g_extensions = ExtensionsOf(isa);
    }
  }
  g_facts.cpuinfo = {g_cpuinfo, g_cpuinfo_size};
  constexpr uint64_t kFrameWithoutFloats = 768;  // siginfo, ucontext, alignment; and some stack
  g_facts.minimum_signal_stack = kFrameWithoutFloats + VectorStateSize();
}

}  // namespace

Isa Isa::OfBootHart() {
  const auto node = MachineTree().Find("/cpus/cpu");
  return Isa(node ? node.Text("riscv,isa") : std::string_view());
}

void InitProcessorFacts() { Describe(); }

const ProcessorFacts& GetProcessorFacts() { return g_facts; }

// Source: Documentation/arch/riscv/hwprobe.rst.
std::optional<uint64_t> ProbeProcessor(int64_t key) {
  enum : int64_t {
    kVendor,
    kArchitecture,
    kImplementation,
    kBaseBehavior,
    kExtensions,
    kPerformance,
    kZicbozBlockSize,
    kHighestAddress,
    kTimeFrequency,
  };
  constexpr uint64_t kGetVendor = 4, kGetArchitecture = 5, kGetImplementation = 6;
  const auto ask = [](uint64_t function) { return SbiCall(SbiExtension::kBase, function).value; };
  switch (key) {
    case kVendor:
      return ask(kGetVendor);
    case kArchitecture:
      return ask(kGetArchitecture);
    case kImplementation:
      return ask(kGetImplementation);
    case kBaseBehavior:
      return 1;  // IMA
    case kExtensions:
      return g_extensions;
    case kPerformance:
    case kZicbozBlockSize:
      return 0;  // unknown; none
    case kHighestAddress:
      return GetUserLayout().highest - 1;
    case kTimeFrequency:
      return GetTimekeeping().ticks_per_second;
  }
  return std::nullopt;
}

bool HasExecuteOnly() { return true; }

}  // namespace zrun::hal
