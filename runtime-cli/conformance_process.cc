#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <system_error>

#include "images/file.h"
#include "runtime-cli/conformance_runner.h"

namespace zrun {
namespace {

using std::chrono::steady_clock;

constexpr int kGraceMs = 3000;  // between asking a container to end and killing it

[[noreturn]] void Throw(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// Whether the process ended within the time. Waits on a pidfd, so that each thread sees its own
// child only.
bool AwaitEnd(int pidfd, int milliseconds) {
  const auto end = steady_clock::now() + std::chrono::milliseconds(milliseconds);
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end - steady_clock::now()).count();
    pollfd item = {.fd = pidfd, .events = POLLIN, .revents = 0};
    const int ready = poll(&item, 1, int(std::max<long>(left, 0)));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) Throw("poll");
  }
}

std::string ReadBeginning(int fd) {
  std::string text(kMostOutput, '\0');
  const ssize_t got = pread(fd, text.data(), text.size(), 0);
  text.resize(got > 0 ? size_t(got) : 0);
  return text;
}

std::vector<char*> Pointers(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// A child of this process for each program.
class ProcessRunner : public ProgramRunner {
 public:
  explicit ProcessRunner(const ConformanceSetup& setup) : setup_(setup) {}
  ConformanceResult Run(const ConformanceProgram& program) override;

 protected:
  virtual pid_t Start(const ConformanceProgram& program, int input, int output) = 0;
  // Asks for the end of what takes too long; what is not ended soon is killed.
  virtual void Stop(pid_t pid) = 0;
  virtual void CleanUp(pid_t) {}

  const ConformanceSetup& setup_;
};

ConformanceResult ProcessRunner::Run(const ConformanceProgram& program) {
  const images::UniqueFd output(memfd_create("output", MFD_CLOEXEC));
  if (output.get() < 0) Throw("memfd_create");
  const images::UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const auto start = steady_clock::now();
  const pid_t pid = Start(program, null.get(), output.get());
  ConformanceResult result;
  result.name = program.name;
  const images::UniqueFd pidfd(int(syscall(SYS_pidfd_open, pid, 0)));
  if (pidfd.get() < 0) Throw("pidfd_open");
  if (!AwaitEnd(pidfd.get(), int(setup_.timeout * 1000))) {
    result.timed_out = true;
    Stop(pid);
    if (!AwaitEnd(pidfd.get(), kGraceMs)) kill(pid, SIGKILL);
  }
  CleanUp(pid);
  result.status = AwaitStatus(pid);
  result.seconds = std::chrono::duration<double>(steady_clock::now() - start).count();
  result.output = ReadBeginning(output.get());
  return result;
}

class ContainerRunner : public ProcessRunner {
 public:
  using ProcessRunner::ProcessRunner;

 private:
  pid_t Start(const ConformanceProgram& program, int input, int output) override;
  void Stop(pid_t pid) override { kill(pid, SIGTERM); }
};

pid_t ContainerRunner::Start(const ConformanceProgram& program, int input, int output) {
  constexpr const char* kFreshPlace = "/tmp/conformance";
  const std::string tree = setup_.tree.string();
  // Process 1 is special (signals, orphans), and the programs do not expect to be it.
  std::vector<std::string> words = {
      "zrun", "run", "--init", "--entrypoint", "", "-v", tree + ":" + tree + ":ro"};
  for (const RunOptions::Volume& volume : setup_.volumes)
    words.insert(words.end(), {"-v", volume.source.string() + ":" + volume.target +
                                         (volume.read_only ? ":ro" : ":rw")});
  for (const std::string& variable : setup_.environment)
    words.insert(words.end(), {"-e", variable});
  if (!setup_.memory.empty()) words.insert(words.end(), {"--memory", setup_.memory});
  if (setup_.processors != 0)
    words.insert(words.end(), {"--cpus", std::to_string(setup_.processors)});
  if (setup_.IsFresh()) words.insert(words.end(), {"--tmpfs", kFreshPlace});
  words.insert(words.end(),
               {"-w", setup_.IsFresh() ? kFreshPlace : setup_.WorkingDirectory(program),
                setup_.image, "--"});
  const std::vector<std::string> command = setup_.Words(program);
  words.insert(words.end(), command.begin(), command.end());
  return SpawnZrun(words, input, output);
}

class NativeRunner : public ProcessRunner {
 public:
  using ProcessRunner::ProcessRunner;

 private:
  pid_t Start(const ConformanceProgram& program, int input, int output) override;
  void Stop(pid_t pid) override { kill(-pid, SIGKILL); }
  void CleanUp(pid_t pid) override;

  std::string fresh_;  // of the program that runs
};

pid_t NativeRunner::Start(const ConformanceProgram& program, int input, int output) {
  std::string directory;
  if (setup_.IsFresh()) {
    fresh_ = std::filesystem::temp_directory_path() / "zrun-conformance-XXXXXX";
    if (mkdtemp(fresh_.data()) == nullptr || chmod(fresh_.c_str(), 01777) != 0) Throw("mkdtemp");
    directory = fresh_;
  } else {
    directory = setup_.WorkingDirectory(program);
  }
  std::vector<std::string> environment = {
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"};
  environment.insert(environment.end(), setup_.environment.begin(), setup_.environment.end());
  const std::vector<std::string> words = setup_.Words(program);
  std::vector<char*> argv = Pointers(words), envp = Pointers(environment);
  const pid_t pid = fork();
  if (pid < 0) Throw("fork");
  if (pid > 0) return pid;
  // Only async-signal-safe calls from here on: other threads may hold locks.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setsid();
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  if (chdir(directory.c_str()) == 0) execve(argv[0], argv.data(), envp.data());
  _exit(126);
}

// Before the process is reaped: its group cannot be another's yet.
void NativeRunner::CleanUp(pid_t pid) {
  kill(-pid, SIGKILL);
  std::error_code ignored;
  if (!fresh_.empty()) std::filesystem::remove_all(fresh_, ignored);
  fresh_.clear();
}

}  // namespace

std::string ConformanceSetup::WorkingDirectory(const ConformanceProgram& program) const {
  if (working_directory == "program" && program.command.empty())
    return (tree / program.name).parent_path().string();
  if (working_directory == "program" || working_directory == "tree") return tree.string();
  return working_directory;
}

std::vector<std::string> ConformanceSetup::Words(const ConformanceProgram& program) const {
  if (program.command.empty()) return {(tree / program.name).string()};
  return {"/bin/sh", "-c", program.command};
}

pid_t SpawnZrun(const std::vector<std::string>& words, int input, int output) {
  std::vector<char*> argv = Pointers(words);
  const pid_t pid = fork();
  if (pid < 0) Throw("fork");
  if (pid > 0) return pid;
  // Only async-signal-safe calls from here on: other threads may hold locks.
  prctl(PR_SET_PDEATHSIG, SIGTERM);  // the container ends with this program, however it ends
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  execv("/proc/self/exe", argv.data());
  _exit(125);
}

int AwaitStatus(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::unique_ptr<ProgramRunner> MakeContainerRunner(const ConformanceSetup& setup) {
  return std::make_unique<ContainerRunner>(setup);
}

std::unique_ptr<ProgramRunner> MakeNativeRunner(const ConformanceSetup& setup) {
  return std::make_unique<NativeRunner>(setup);
}

}  // namespace zrun
