#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
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

// Names what nobody took: an option or a command that there is not. Empty if there is no such
// thing.
std::string DescribeExtras(const CLI::App& app) {
  const CLI::App* command = &app;
  std::string where;
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    where += command->get_name() + ' ';
  }
  const std::vector<std::string> extras = command->remaining();
  if (extras.empty()) return {};
  const auto option =
      std::ranges::find_if(extras, [](const std::string& word) { return word.starts_with('-'); });
  const std::string word = option != extras.end() ? *option : extras.front();
  const char* kind = word.starts_with('-')                   ? "no option '"
                     : !command->get_subcommands({}).empty() ? "no command '"
                                                             : "unexpected argument '";
  return where + (where.empty() ? "" : "has ") + kind + word + "'" +
         zrun::Suggestion(*command, word) + " (zrun " + where + "--help)";
}

// Whoever starts zrun may have closed some of 0, 1 and 2. Files that are opened later must not get
// these numbers: they would be taken for the streams, by the container too.
bool FillStandardStreams() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) return false;
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (!FillStandardStreams()) return kOwnError;
  CLI::App app("zrun runs Linux programs from root-file-system images on a kernel of its own.");
  app.name("zrun");
  zrun::SetUsage(app, "  zrun [OPTIONS] IMAGE [--] [COMMAND...]\n  zrun COMMAND ...");
  app.footer(
      "Exit status: the command's own; 125 zrun's own error, 126 not executable, 127 not found, "
      "128+N killed by\n"
      "signal N. `zrun COMMAND --help` tells more, `zrun run --help` first.");
  app.set_version_flag("--version", "zrun " ZRUN_VERSION);
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
    // An option that is misspelt may be one that is missing.
    const auto kind = static_cast<CLI::ExitCodes>(error.get_exit_code());
    const bool is_about_words =
        kind == CLI::ExitCodes::ExtrasError || kind == CLI::ExitCodes::RequiredError;
    if (const std::string text = DescribeExtras(app); is_about_words && !text.empty()) {
      std::fprintf(stderr, "zrun: %s\n", text.c_str());
      return kOwnError;
    }
    const int status = app.exit(error);
    return status == 0 ? 0 : kOwnError;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "zrun: %s\n", error.what());
    return kOwnError;
  }
}
