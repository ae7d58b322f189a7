#pragma once

namespace CLI {
class App;
}

// The subcommands of zrun. Their callbacks throw std::exception for what ends with status 125.
namespace zrun {

void AddImagesCommand(CLI::App& app);
void AddPackCommand(CLI::App& app);

}  // namespace zrun
