#include "hal/processor.h"

namespace zrun::hal {

const ProcessorFacts& GetProcessorFacts() {
  static const ProcessorFacts facts{0, 0, "fake", 2048, "processor\t: 0\n"};
  return facts;
}

bool HasExecuteOnly() { return true; }

}  // namespace zrun::hal
