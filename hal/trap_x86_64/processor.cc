#include "hal/processor.h"

#include "hal/trap_x86_64/machine.h"

namespace zrun::hal {
namespace {

constinit ProcessorFacts g_facts = {};

}  // namespace

const ProcessorFacts& GetProcessorFacts() {
  if (g_facts.platform.empty()) {
    const BootRecord& boot = Boot();
    g_facts.hwcap = boot.hwcap;
    g_facts.hwcap2 = boot.hwcap2;
    g_facts.minimum_signal_stack = boot.minsigstksz;
    g_facts.cpuinfo = boot.text + boot.cpuinfo;
    g_facts.platform = "x86_64";
  }
  return g_facts;
}

bool HasExecuteOnly() { return Boot().has_protection_keys; }

}  // namespace zrun::hal
