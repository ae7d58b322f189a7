#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <system_error>

#include "images/cache.h"
#include "runtime-cli/run_options.h"
#include "runtime-cli/supervisor.h"
#include "runtime-cli/terminal.h"
#include "runtime-cli/trap_machine.h"

namespace zrun {
namespace {

void AddRecord(std::string& records, const std::string& key, const std::string& value) {
  if (value.find('\0') != std::string::npos)
    throw std::runtime_error(key + ": contains a NUL character");
  records += key + '=' + value;
  records += '\0';
}

// What docker gives a program, under what the user set.
std::vector<std::string> MakeEnvironment(const RunOptions& options) {
  std::vector<std::string> environment = {
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
  environment.push_back("HOSTNAME=" + options.hostname);
  if (options.tty) {
    const char* term = std::getenv("TERM");
    environment.push_back(std::string("TERM=") + (term ? term : "xterm"));
  }
  for (const std::string& variable : options.environment) {
    const std::string name = variable.substr(0, variable.find('=') + 1);
    std::erase_if(environment, [&](const std::string& other) { return other.starts_with(name); });
    environment.push_back(variable);
  }
  return environment;
}

std::string MakeCommandLine(const RunOptions& options) {
  std::string records;
  for (const std::string& argument : options.command) AddRecord(records, "arg", argument);
  for (const std::string& variable : MakeEnvironment(options)) AddRecord(records, "env", variable);
  if (!options.working_directory.empty()) AddRecord(records, "cwd", options.working_directory);
  AddRecord(records, "hostname", options.hostname);
  if (!options.user.empty()) AddRecord(records, "user", options.user);
  if (options.read_only) AddRecord(records, "readonly", "1");
  for (const std::string& place : options.tmpfs) AddRecord(records, "tmpfs", place);
  if (options.tty) AddRecord(records, "tty", "1");
  if (options.init) AddRecord(records, "init", "1");
  if (options.strace) AddRecord(records, "strace", "1");
  AddRecord(records, "log", options.log_level);
  if (options.memory) AddRecord(records, "memory", std::to_string(options.memory));
  return records;
}

}  // namespace

int RunContainer(const RunOptions& given) {
  RunOptions options = given;
  if (options.platform != "trap")
    throw std::runtime_error("platform " + options.platform + " is not available");
  if (options.command.empty()) options.command = {"/bin/sh"};
  if (options.hostname.empty()) options.hostname = "zrun";
  if (options.tty && !(isatty(0) && isatty(1)))
    throw std::runtime_error("-t: standard input and output are not a terminal");

  TrapMachineConfig config;
  config.image = std::move(images::ResolveImage(options.image).fd);
  config.command_line = MakeCommandLine(options);
  config.memory = options.memory;
  for (const auto& volume : options.volumes) {
    const int root = open(volume.source.c_str(), O_PATH | O_CLOEXEC);
    if (root < 0)
      throw std::system_error(errno, std::generic_category(), "volume " + volume.source.string());
    config.volumes.push_back({UniqueFd(root), volume.target, volume.read_only});
  }
  if (options.interactive) {
    config.streams[0] = OpenNonBlocking(0, O_RDONLY);
  } else {
    config.streams[0] = UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC));
  }
  config.streams[1] = OpenNonBlocking(1, O_WRONLY);
  config.streams[2] = OpenNonBlocking(2, O_WRONLY);
  config.window = PackedWindowSize(options.tty ? 0 : -1);

  TrapMachine machine(std::move(config));
  Supervisor supervisor(machine, options.tty ? 0 : -1, options.memory);
  std::optional<RawTerminal> raw;
  if (options.tty) raw.emplace(0);
  return supervisor.Run();
}

}  // namespace zrun
