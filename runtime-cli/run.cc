#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "images/cache.h"
#include "images/saved_image.h"
#include "runtime-cli/qemu_machine.h"
#include "runtime-cli/run_options.h"
#include "runtime-cli/supervisor.h"
#include "runtime-cli/terminal.h"
#include "runtime-cli/trap_machine.h"

namespace zrun {
namespace {

constexpr unsigned kMostEmulatedProcessors = 8;

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

namespace {

void OpenStreams(const RunOptions& options, UniqueFd streams[3]) {
  streams[0] = options.interactive ? OpenNonBlocking(0, O_RDONLY)
                                   : UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC));
  streams[1] = OpenNonBlocking(1, O_WRONLY);
  streams[2] = OpenNonBlocking(2, O_WRONLY);
}

// The user's terminal whose size the container's has; -1: none.
int TerminalOf(const RunOptions& options) {
  if (options.tty)
    for (int fd : {STDIN_FILENO, STDOUT_FILENO})
      if (isatty(fd)) return fd;
  return -1;
}

// The terminal that is the container's while it runs, which does the editing and the signals
// itself; -1: none. Without -i it stays the user's: Ctrl-C is a signal to zrun, which passes it on.
int KeyboardOf(const RunOptions& options) {
  return options.tty && options.interactive ? STDIN_FILENO : -1;
}

MachineDisk OpenDisk(const RunOptions::Disk& disk) {
  constexpr off_t kSector = 512;
  const auto fail = [&](const std::string& why) {
    throw std::runtime_error("--disk " + disk.file.string() + ": " + why);
  };
  MachineDisk opened{
      UniqueFd(open(disk.file.c_str(), (disk.read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC)),
      disk.read_only};
  if (!opened.file.is_valid()) fail(std::strerror(errno));
  const off_t size = lseek(opened.file.get(), 0, SEEK_END);
  if (size < 0) fail("neither a file nor a block device");
  if (size == 0 || size % kSector != 0) fail("its size is not a whole number of 512-byte sectors");
  return opened;
}

// What the image's author wants, where the user did not say otherwise: as docker does.
void ApplyConfig(RunOptions& options, const images::ImageConfig& config) {
  std::vector<std::string> command = config.entrypoint;
  if (options.entrypoint) command.clear();
  if (options.entrypoint && !options.entrypoint->empty()) command.push_back(*options.entrypoint);
  const bool is_default = options.command.empty() && !options.entrypoint;
  const std::vector<std::string>& rest = is_default ? config.command : options.command;
  command.insert(command.end(), rest.begin(), rest.end());
  options.command = command.empty() ? std::vector<std::string>{"/bin/sh"} : command;
  options.environment.insert(options.environment.begin(), config.environment.begin(),
                             config.environment.end());
  if (options.working_directory.empty()) options.working_directory = config.working_directory;
  if (options.user.empty()) options.user = config.user;
}

int RunInQemu(RunOptions& options, UniqueFd image) {
  if (!options.volumes.empty())
    throw std::runtime_error("-v: the riscv64 machine cannot share directories");
  QemuMachineConfig config;
  config.disks.push_back({std::move(image), true});
  for (const auto& disk : options.disks) config.disks.push_back(OpenDisk(disk));
  config.memory = std::exchange(options.memory, 0);
  config.records = MakeCommandLine(options);
  for (const std::string& option : options.kernel_options)
    AddRecord(config.records, "hal." + option.substr(0, option.find('=')),
              option.substr(std::min(option.find('=') + 1, option.size())));
  if (options.processors > kMostEmulatedProcessors)
    throw std::runtime_error("--cpus: the riscv64 machine has " +
                             std::to_string(kMostEmulatedProcessors) + " at most");
  config.processors = options.processors;
  config.gdb = options.gdb;
  config.gdb_port = options.gdb_port;
  config.more_options = options.qemu_options;
  config.terminal = TerminalOf(options);
  OpenStreams(options, config.streams);
  QemuMachine machine(std::move(config));
  const RawTerminal raw(KeyboardOf(options));
  return machine.Run();
}

// The container gets the first |count| of the processors that this program may use.
void LimitProcessors(unsigned count) {
  cpu_set_t allowed, chosen;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
    throw std::system_error(errno, std::generic_category(), "--cpus");
  const unsigned there = unsigned(CPU_COUNT(&allowed));
  if (count > there)
    throw std::runtime_error("--cpus " + std::to_string(count) + ": this host gives zrun " +
                             std::to_string(there));
  CPU_ZERO(&chosen);
  for (int cpu = 0; count > 0; cpu++) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    CPU_SET(cpu, &chosen);
    count--;
  }
  if (sched_setaffinity(0, sizeof chosen, &chosen) != 0)
    throw std::system_error(errno, std::generic_category(), "--cpus");
}

}  // namespace

int RunContainer(const RunOptions& given) {
  RunOptions options = given;
  if (options.hostname.empty()) options.hostname = "zrun";
  if (options.tty && options.interactive && !(isatty(0) && isatty(1)))
    throw std::runtime_error("-t: standard input and output are not a terminal");
  images::ResolvedImage image = images::ResolveImage(options.image);
  ApplyConfig(options, images::ReadConfig(image.path));
  if (options.platform == "riscv64") return RunInQemu(options, std::move(image.fd));
  if (!options.disks.empty())
    throw std::runtime_error("--disk: the trap machine has no disks; share files with -v");

  // What is mounted inside of another comes after it, in whichever order it was named.
  const auto depth = [](const RunOptions::Volume& volume) {
    const auto place = std::filesystem::path(volume.target + '/').lexically_normal();
    return std::distance(place.begin(), place.end());
  };
  std::stable_sort(options.volumes.begin(), options.volumes.end(),
                   [&](const auto& a, const auto& b) { return depth(a) < depth(b); });

  if (options.processors != 0) LimitProcessors(options.processors);
  TrapMachineConfig config;
  config.image = std::move(image.fd);
  config.command_line = MakeCommandLine(options);
  config.memory = options.memory;
  for (const auto& volume : options.volumes) {
    const int root = open(volume.source.c_str(), O_PATH | O_CLOEXEC);
    if (root < 0)
      throw std::system_error(errno, std::generic_category(), "volume " + volume.source.string());
    config.volumes.push_back({UniqueFd(root), volume.target, volume.read_only});
  }
  OpenStreams(options, config.streams);
  config.window = PackedWindowSize(TerminalOf(options));

  TrapMachine machine(std::move(config));
  Supervisor supervisor(machine, TerminalOf(options), options.memory);
  const RawTerminal raw(KeyboardOf(options));
  return supervisor.Run();
}

}  // namespace zrun
