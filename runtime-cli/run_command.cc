#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>

#include "images/cache.h"
#include "images/recipe.h"
#include "runtime-cli/commands.h"
#include "runtime-cli/run_options.h"
#include "runtime-cli/usage.h"

namespace zrun {
namespace {

struct RunArguments {
  RunOptions options;
  std::vector<std::string> volumes, disks, environment, environment_files;
  std::string memory, entrypoint;
  bool short_form = false;
  bool no_cwd = false;
};

// FILE[:ro]
RunOptions::Disk ParseDisk(const std::string& text) {
  constexpr std::string_view kReadOnly = ":ro";
  const bool read_only = text.ends_with(kReadOnly);
  return {text.substr(0, text.size() - (read_only ? kReadOnly.size() : 0)), read_only};
}

void ReadEnvironmentFile(std::vector<std::string>& out, const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("--env-file " + path + ": cannot read it");
  for (std::string line; std::getline(file, line);) {
    line.erase(0, line.find_first_not_of(" \t"));
    if (line.empty() || line.front() == '#') continue;
    AddVariable(out, line);
  }
}

// The current directory at its own place; what would hide the image's own files goes to /mnt/cwd.
RunOptions::Volume ShareCurrentDirectory() {
  const std::filesystem::path here = std::filesystem::current_path();
  static const char* const kSystem[] = {"bin",    "boot", "dev", "etc",  "lib", "lib32", "lib64",
                                        "libx32", "proc", "run", "sbin", "sys", "usr",   "var"};
  bool hides = here == "/" || std::distance(here.begin(), here.end()) == 2;
  for (const char* name : kSystem)
    hides = hides || *std::next(here.begin(), here == "/" ? 0 : 1) == name;
  return {here, hides ? "/mnt/cwd" : here.string(), false};
}

[[noreturn]] void FailToFindImage(const CLI::App& run, bool short_form, const std::string& word) {
  std::vector<std::string> known;
  for (const images::Recipe& recipe : images::AllRecipes()) known.push_back(recipe.name);
  if (short_form)
    for (const CLI::App* command : run.get_parent()->get_subcommands({}))
      known.push_back(command->get_name());
  throw std::runtime_error(std::string(short_form ? "no command or image '" : "no image '") + word +
                           "'" + DidYouMean(word, known) + " (zrun --help, zrun images)");
}

// IMAGE is the first word that is no option. What is neither an option, nor a command, nor an image
// is told of as what it looks like.
std::string TakeImage(const CLI::App& run, bool short_form, std::vector<std::string>& words) {
  if (words.empty()) throw CLI::RequiredError("IMAGE");
  std::string image = words.front();
  if (image.size() > 1 && image.front() == '-')
    throw std::runtime_error("no option '" + image + "'" + Suggestion(run, image) +
                             " (zrun run --help)");
  if (!images::NamesImage(image) && image.find_first_of("./,") == image.npos)
    FailToFindImage(run, short_form, image);
  words.erase(words.begin());
  return image;
}

void Run(const CLI::App& run, RunArguments& arguments) {
  RunOptions& options = arguments.options;
  std::vector<std::string> words = run.remaining();
  options.image = TakeImage(run, arguments.short_form, words);
  if (!words.empty() && words.front() == "--") words.erase(words.begin());
  options.command = words;
  for (const std::string& file : arguments.environment_files)
    ReadEnvironmentFile(options.environment, file);
  for (const std::string& variable : arguments.environment)
    AddVariable(options.environment, variable);
  for (const std::string& disk : arguments.disks) options.disks.push_back(ParseDisk(disk));
  for (const std::string& volume : arguments.volumes)
    options.volumes.push_back(ParseVolume(volume));
  // An empty one is one, too.
  if (run.count("--entrypoint") != 0) options.entrypoint = arguments.entrypoint;
  if (!arguments.memory.empty()) options.memory = ParseMemory(arguments.memory, options.platform);
  if (arguments.short_form) {
    options.interactive = true;
    options.tty = options.tty || (isatty(0) && isatty(1));
    if (!arguments.no_cwd && options.platform == "trap") {
      options.volumes.push_back(ShareCurrentDirectory());
      if (options.working_directory.empty())
        options.working_directory = options.volumes.back().target;
    }
  }
  throw ExitStatus{RunContainer(options)};
}

}  // namespace

void AddRunCommand(CLI::App& app) {
  auto arguments = std::make_shared<RunArguments>();
  RunOptions& options = arguments->options;
  CLI::App* run = app.add_subcommand("run", "Run a command in a new container");
  SetUsage(
      *run,
      "  zrun [OPTIONS] IMAGE [--] [COMMAND...]      the short form: shares the current directory, "
      "writable\n"
      "  zrun run [OPTIONS] IMAGE [--] [COMMAND...]  shares nothing unless -v asks\n\n"
      "  zrun alpine.tar.gz                          a shell\n"
      "  zrun debian-gcc -- gcc hello.c              compiles ./hello.c to ./a.out\n"
      "  zrun run -i -v $PWD:/src:ro alpine -- sh -c 'ls /src | wc -l'\n\n"
      "IMAGE is an image made by `zrun pack`, layers (tar, tar.gz, .xz, .zst, a directory) "
      "separated by commas, what\n"
      "`docker save` writes or an OCI image layout, or the name of a recipe (`zrun images`).");
  run->prefix_command();
  run->add_flag("-i,--interactive", options.interactive, "Keep standard input open");
  run->add_flag("-t,--tty", options.tty, "Give the container a terminal");
  run->add_option("-e,--env", arguments->environment, "Set NAME=VALUE, or pass on the host's NAME")
      ->allow_extra_args(false)
      ->take_all();
  run->add_option("--env-file", arguments->environment_files, "Read variables from a file")
      ->allow_extra_args(false)
      ->take_all();
  run->add_option("-w,--workdir", options.working_directory, "Working directory in the container");
  run->add_option("-u,--user", options.user,
                  "User, as UID[:GID] or names of the image's /etc/passwd");
  run->add_option("-v,--volume", arguments->volumes, "Share HOST:CONTAINER[:ro]")
      ->allow_extra_args(false)
      ->take_all();
  run->add_option("--entrypoint", arguments->entrypoint,
                  "Run this, with COMMAND as its arguments, instead of the image's entry point");
  run->add_option("--hostname", options.hostname, "The container's host name");
  run->add_flag("--read-only", options.read_only, "Mount the root file system read-only");
  run->add_option("--tmpfs", options.tmpfs, "Mount a tmpfs at /PATH[:OPTIONS]")
      ->allow_extra_args(false)
      ->take_all();
  run->add_option("-m,--memory", arguments->memory, "Memory limit, such as 512m or 2g");
  run->add_flag("--init", options.init, "Run an init that reaps and forwards signals as process 1");
  run->add_flag("--rm")->description("Accepted: containers leave nothing behind");
  run->add_flag("--strace", options.strace, "Trace system calls on standard error");
  run->add_option("--log-level", options.log_level, "error, warning, info or debug")
      ->check(CLI::IsMember({"error", "warning", "info", "debug"}));
  run->add_option("--platform", options.platform,
                  "The machine: trap (this host), or riscv64 (emulated by QEMU)")
      ->check(CLI::IsMember({"trap", "riscv64"}));
  run->add_option("--cpus", options.processors, "How many processors the container may use")
      ->check(CLI::Range(1u, 1024u));
  run->add_option("--disk", arguments->disks, "riscv64: a disk, FILE[:ro]: /dev/vdb and so on")
      ->allow_extra_args(false)
      ->take_all();
  run->add_option("--kernel-option", options.kernel_options,
                  "riscv64: NAME=VALUE, such as scheduler=stride")
      ->allow_extra_args(false)
      ->take_all();
  run->add_option("--qemu-option", options.qemu_options,
                  "riscv64: one more word for QEMU, such as --qemu-option=-cpu "
                  "--qemu-option=rv64,sstc=off")
      ->allow_extra_args(false)
      ->take_all();
  run->add_flag("--gdb", options.gdb, "riscv64: wait for gdb-multiarch");
  run->add_option("--gdb-port", options.gdb_port,
                  "riscv64: the port to wait on (1234; 0: any that is free)");
  run->add_flag("--no-cwd", arguments->no_cwd, "Short form: do not share the current directory");
  run->add_flag("--short-form", arguments->short_form)->group("");
  AddQuietFlag(*run);
  run->callback([arguments, run] { Run(*run, *arguments); });
}

}  // namespace zrun
