#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string_view>
#include <vector>

#include "runtime-cli/commands.h"
#include "runtime-cli/usage.h"

namespace {

constexpr int kOwnError = 125;

// `zrun IMAGE ...` means `zrun run --short-form IMAGE ...`.
std::vector<std::string> Expand(const CLI::App& app, int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty()) return words;
  const std::string& first = words.front();
  for (std::string_view own : {"-h", "--help", "--help-all", "--version"})
    if (first == own) return words;
  for (const CLI::App* command : app.get_subcommands({}))
    if (command->get_name() == first) return words;
  words.insert(words.begin(), {"run", "--short-form"});
  return words;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("zrun runs Linux programs from root-file-system images on a kernel of its own.");
  app.name("zrun");
  zrun::SetUsage(app, "  zrun [OPTIONS] IMAGE [--] [COMMAND...]\n  zrun COMMAND ...");
  app.footer(
      "Exit status: the command's own; 125 zrun's own error, 126 not executable, 127 not found, "
      "128+N killed by\n"
      "signal N. `zrun COMMAND --help` tells more, `zrun run --help` first.");
  app.set_version_flag("--version", ZRUN_VERSION);
  app.require_subcommand(1);
  zrun::AddRunCommand(app);
  zrun::AddPackCommand(app);
  zrun::AddImagesCommand(app);
  zrun::AddInfoCommand(app);
  zrun::AddSyscallsCommand(app);
  zrun::AddConformanceCommand(app);
  std::vector<std::string> words = Expand(app, argc, argv);
  if (words.empty()) words = {"--help"};
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
  try {
    app.parse(words);
    return 0;
  } catch (const zrun::ExitStatus& exit) {
    return exit.status;
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error);
    return status == 0 ? 0 : kOwnError;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "zrun: %s\n", error.what());
    return kOwnError;
  }
}
