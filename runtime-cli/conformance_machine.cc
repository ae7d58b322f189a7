#include <fcntl.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <system_error>

#include "images/file.h"
#include "runtime-cli/conformance_runner.h"

namespace zrun {
namespace {

using std::chrono::steady_clock;

constexpr double kBootSeconds = 120;

[[noreturn]] void Throw(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// No program can print what it does not know.
std::string RandomWord() {
  unsigned char bytes[16];
  if (getrandom(bytes, sizeof bytes, 0) != ssize_t(sizeof bytes)) Throw("getrandom");
  std::string word;
  for (unsigned char byte : bytes) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", byte);
    word += digits;
  }
  return word;
}

// A booted machine whose process 1 is a shell, which is given a line for each program.
class Machine {
 public:
  explicit Machine(const ConformanceSetup& setup);
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  ~Machine() { End(); }

  // The status that the shell tells after |line|; none when it tells nothing within the time.
  // |output| is what came before it.
  std::optional<int> Run(const std::string& line, double seconds, std::string& output);
  bool has_ended() const { return has_ended_; }
  int End();

 private:
  bool Read(steady_clock::time_point end, std::string& output);

  std::string word_ = RandomWord();
  images::UniqueFd end_;
  pid_t pid_ = -1;
  bool has_ended_ = false;
};

Machine::Machine(const ConformanceSetup& setup) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) Throw("socketpair");
  end_ = images::UniqueFd(ends[0]);
  const images::UniqueFd theirs(ends[1]);
  std::vector<std::string> words = {"zrun", "run", "-i", "--platform", "riscv64"};
  if (setup.processors) {
    words.push_back("--cpus");
    words.push_back(std::to_string(setup.processors));
  }
  if (!setup.memory.empty()) words.insert(words.end(), {"--memory", setup.memory});
  words.insert(words.end(), {"--entrypoint", "", setup.image, "--", "/bin/sh"});
  pid_ = SpawnZrun(words, theirs.get(), theirs.get());
  std::string output;
  // The shell is not to tell of programs that signals end.
  if (!Run("exec 2>/dev/null; status=0", kBootSeconds, output))
    throw std::runtime_error("the machine does not start a shell:\n" + output);
}

int Machine::End() {
  if (pid_ < 0) return 0;
  // The machine ends with its launcher.
  if (!has_ended_) kill(pid_, SIGKILL);
  const int status = AwaitStatus(pid_);
  pid_ = -1;
  return status;
}

// Whether there is more to come.
bool Machine::Read(steady_clock::time_point end, std::string& output) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - steady_clock::now()).count();
  if (left <= 0) return false;
  pollfd item = {.fd = end_.get(), .events = POLLIN, .revents = 0};
  const int ready = poll(&item, 1, int(left));
  if (ready < 0 && errno != EINTR) Throw("poll");
  if (ready <= 0) return true;
  char buffer[16 << 10];
  const ssize_t got = read(end_.get(), buffer, sizeof buffer);
  if (got <= 0) {
    has_ended_ = true;
    return false;
  }
  output.append(buffer, size_t(got));
  // Its beginning and its end are of interest.
  if (output.size() > 4 * kMostOutput) output.erase(kMostOutput, 2 * kMostOutput);
  return true;
}

std::optional<int> Machine::Run(const std::string& line, double seconds, std::string& output) {
  const std::string text = line + "; echo; echo " + word_ + " $status\n";
  if (send(end_.get(), text.data(), text.size(), MSG_NOSIGNAL) < 0) has_ended_ = true;
  const auto end = steady_clock::now() + std::chrono::duration_cast<steady_clock::duration>(
                                             std::chrono::duration<double>(seconds));
  const std::string mark = '\n' + word_ + ' ';
  while (!has_ended_ && Read(end, output)) {
    const size_t at = output.rfind(mark);
    if (at == output.npos || output.back() != '\n') continue;
    const int status = std::atoi(output.c_str() + at + mark.size());
    output.resize(at);
    return status;
  }
  return std::nullopt;
}

class MachineRunner : public ProgramRunner {
 public:
  explicit MachineRunner(const ConformanceSetup& setup) : setup_(setup) {}
  ConformanceResult Run(const ConformanceProgram& program) override;

 private:
  std::string LineFor(const ConformanceProgram& program) const;

  const ConformanceSetup& setup_;
  std::unique_ptr<Machine> machine_;
};

// The shell's command line: what the program leaves running is ended.
std::string MachineRunner::LineFor(const ConformanceProgram& program) const {
  std::string line = "directory=" + Quoted(setup_.WorkingDirectory(program)) + "; ";
  if (setup_.IsFresh())
    line = "directory=$(mktemp -d /tmp/conformance-XXXXXX); chmod 1777 \"$directory\"; ";
  line += "(cd \"$directory\"";
  for (const std::string& variable : setup_.environment) line += " && export " + Quoted(variable);
  line += " && exec";
  for (const std::string& word : setup_.Words(program)) line += ' ' + Quoted(word);
  line += ") </dev/null 2>&1; status=$?; kill -9 -1";
  if (setup_.IsFresh()) line += "; rm -rf \"$directory\"";
  return line;
}

ConformanceResult MachineRunner::Run(const ConformanceProgram& program) {
  if (!machine_) machine_ = std::make_unique<Machine>(setup_);
  ConformanceResult result;
  result.name = program.name;
  const auto start = steady_clock::now();
  const std::optional<int> status = machine_->Run(LineFor(program), setup_.timeout, result.output);
  result.seconds = std::chrono::duration<double>(steady_clock::now() - start).count();
  if (status) {
    result.status = *status;
  } else {
    result.timed_out = !machine_->has_ended();
    result.status = machine_->End();
    // That the machine has ended well is not a success.
    if (!result.timed_out) result.status = 125;
    machine_.reset();
  }
  if (result.output.size() > kMostOutput) result.output.resize(kMostOutput);
  return result;
}

}  // namespace

std::unique_ptr<ProgramRunner> MakeMachineRunner(const ConformanceSetup& setup) {
  return std::make_unique<MachineRunner>(setup);
}

}  // namespace zrun
