#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
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

class ContainerRunner : public ProgramRunner {
 public:
  explicit ContainerRunner(const ConformanceSetup& setup) : setup_(setup) {}
  ConformanceResult Run(const std::string& name) override;

 private:
  const ConformanceSetup& setup_;
};

ConformanceResult ContainerRunner::Run(const std::string& name) {
  const std::filesystem::path program = setup_.tree / name;
  const std::string tree = setup_.tree.string();
  const images::UniqueFd output(memfd_create("output", MFD_CLOEXEC));
  if (output.get() < 0) Throw("memfd_create");
  const images::UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const auto start = steady_clock::now();
  const pid_t pid =
      // Process 1 is special (signals, orphans), and the programs do not expect to be it.
      SpawnZrun({"zrun", "run", "--init", "-v", tree + ":" + tree + ":ro", "-w",
                 program.parent_path().string(), setup_.image, "--", program.string()},
                null.get(), output.get());
  ConformanceResult result;
  result.name = name;
  const images::UniqueFd pidfd(int(syscall(SYS_pidfd_open, pid, 0)));
  if (pidfd.get() < 0) Throw("pidfd_open");
  if (!AwaitEnd(pidfd.get(), int(setup_.timeout * 1000))) {
    result.timed_out = true;
    kill(pid, SIGTERM);
    if (!AwaitEnd(pidfd.get(), kGraceMs)) kill(pid, SIGKILL);
  }
  result.status = AwaitStatus(pid);
  result.seconds = std::chrono::duration<double>(steady_clock::now() - start).count();
  result.output = ReadBeginning(output.get());
  return result;
}

}  // namespace

pid_t SpawnZrun(const std::vector<std::string>& words, int input, int output) {
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
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

}  // namespace zrun
