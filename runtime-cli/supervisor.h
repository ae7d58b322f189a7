#pragma once
#include "runtime-cli/trap_machine.h"

namespace zrun {

// The zrun process outside the filters: starts the machine, serves its broker, forwards signals and
// window sizes, collects the exit status, and leaves no process behind.
class Supervisor {
 public:
  // |terminal|: a descriptor whose window size is forwarded, or -1. |memory_limit| in bytes, 0:
  // none.
  Supervisor(TrapMachine& machine, int terminal, uint64_t memory_limit);
  ~Supervisor();
  // Until the container has ended; the exit status for zrun.
  int Run();

 private:
  void HandleSignals();
  void ReapCarriers();
  void CheckMemory();
  uint64_t MeasureMemory() const;
  void KillAll();

  TrapMachine& machine_;
  const int terminal_;
  const uint64_t memory_limit_;
  UniqueFd signals_;
  int checks_over_limit_ = 0;
  bool ended_ = false;
  int status_ = 125;
};

}  // namespace zrun
