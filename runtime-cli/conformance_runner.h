#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "runtime-cli/conformance_report.h"

namespace zrun {

struct ConformanceSetup {
  std::filesystem::path tree;
  std::string image;  // packed
  double timeout = 60;
  unsigned processors = 0;  // of an emulated machine; 0: a default
};

// Runs programs, one after the other. Runners are independent of each other: each thread has one.
class ProgramRunner {
 public:
  virtual ~ProgramRunner() = default;
  virtual ConformanceResult Run(const std::string& name) = 0;
};

// Each program in a container of its own, which sees the tree at its place on the host.
std::unique_ptr<ProgramRunner> MakeContainerRunner(const ConformanceSetup& setup);
// Many programs in one boot of the riscv64 machine; the tree is in the image. What hangs, or takes
// the machine down, costs a new boot.
std::unique_ptr<ProgramRunner> MakeMachineRunner(const ConformanceSetup& setup);

// ---- what both use ----

inline constexpr size_t kMostOutput = 64 * 1024;

// Starts this very program with the words.
pid_t SpawnZrun(const std::vector<std::string>& words, int input, int output);
// 128 + n for a signal, as a shell has it.
int AwaitStatus(pid_t pid);

}  // namespace zrun
