#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "runtime-cli/conformance_programs.h"
#include "runtime-cli/conformance_report.h"
#include "runtime-cli/run_options.h"

namespace zrun {

struct ConformanceSetup {
  std::filesystem::path tree;
  std::string image;  // packed; none natively
  double timeout = 60;
  unsigned processors = 0;               // 0: a default
  std::string memory;                    // as --memory has it; empty: a default
  std::vector<std::string> environment;  // NAME=VALUE
  std::vector<RunOptions::Volume> volumes;
  // Where programs run: "program" (the program's folder, the tree's root for those of a list),
  // "tree" (its root), "fresh" (an empty directory for each), or a place in the container.
  std::string working_directory = "program";

  bool IsFresh() const { return working_directory == "fresh"; }
  // Not for a fresh one.
  std::string WorkingDirectory(const ConformanceProgram& program) const;
  // The program and its arguments.
  std::vector<std::string> Words(const ConformanceProgram& program) const;
};

// Runs programs, one after the other. Runners are independent of each other: each thread has one.
class ProgramRunner {
 public:
  virtual ~ProgramRunner() = default;
  virtual ConformanceResult Run(const ConformanceProgram& program) = 0;
};

// Each program in a container of its own, which sees the tree at its place on the host.
std::unique_ptr<ProgramRunner> MakeContainerRunner(const ConformanceSetup& setup);
// On this host, without zrun: what the host's kernel has to say.
std::unique_ptr<ProgramRunner> MakeNativeRunner(const ConformanceSetup& setup);
// Many programs in one boot of the riscv64 machine; the tree is in the image. What hangs, or takes
// the machine down, costs a new boot.
std::unique_ptr<ProgramRunner> MakeMachineRunner(const ConformanceSetup& setup);

// ---- what they share ----

inline constexpr size_t kMostOutput = 64 * 1024;

// Starts this very program with the words.
pid_t SpawnZrun(const std::vector<std::string>& words, int input, int output);
// 128 + n for a signal, as a shell has it.
int AwaitStatus(pid_t pid);

}  // namespace zrun
