#pragma once

namespace CLI {
class App;
}

// The subcommands of zrun. Their callbacks throw std::exception for what ends with status 125.
namespace zrun {

// Thrown by a subcommand to end with |status|.
struct ExitStatus {
  int status;
};

void AddRunCommand(CLI::App& app);
void AddInfoCommand(CLI::App& app);
void AddImagesCommand(CLI::App& app);
void AddPackCommand(CLI::App& app);
void AddSyscallsCommand(CLI::App& app);
void AddConformanceCommand(CLI::App& app);

}  // namespace zrun
