#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <memory>
#include <mutex>
#include <sstream>
#include <system_error>
#include <thread>

#include "images/cache.h"
#include "images/file.h"
#include "runtime-cli/commands.h"
#include "runtime-cli/conformance_report.h"

namespace zrun {
namespace {

using std::chrono::steady_clock;

struct ConformanceArguments {
  std::filesystem::path tree;
  std::string image, expect, junit, report, match, platform = "trap";
  unsigned jobs = std::max(1u, std::thread::hardware_concurrency());
  double timeout = 60;
  bool is_json = false;
};

constexpr size_t kMostOutput = 64 * 1024;
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

// Starts this very program with the words; standard input is empty, the output goes to |output|.
pid_t Spawn(const std::vector<std::string>& words, int output) {
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const pid_t pid = fork();
  if (pid < 0) Throw("fork");
  if (pid > 0) return pid;
  // Only async-signal-safe calls from here on: other threads may hold locks.
  prctl(PR_SET_PDEATHSIG, SIGTERM);  // the container ends with this program, however it ends
  const int null = open("/dev/null", O_RDONLY);
  dup2(null, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  execv("/proc/self/exe", argv.data());
  _exit(125);
}

ConformanceResult RunProgram(const ConformanceArguments& arguments, const std::string& image,
                             const std::string& name) {
  const std::filesystem::path program = arguments.tree / name;
  const std::string tree = arguments.tree.string();
  const images::UniqueFd output(memfd_create("output", MFD_CLOEXEC));
  if (output.get() < 0) Throw("memfd_create");
  const auto start = steady_clock::now();
  const pid_t pid =
      // Process 1 is special (signals, orphans), and the programs do not expect to be it.
      Spawn({"zrun", "run", "--init", "--platform", arguments.platform, "-v",
             tree + ":" + tree + ":ro", "-w", program.parent_path().string(), image, "--",
             program.string()},
            output.get());
  ConformanceResult result;
  result.name = name;
  const images::UniqueFd pidfd(int(syscall(SYS_pidfd_open, pid, 0)));
  if (pidfd.get() < 0) Throw("pidfd_open");
  if (!AwaitEnd(pidfd.get(), int(arguments.timeout * 1000))) {
    result.timed_out = true;
    kill(pid, SIGTERM);
    if (!AwaitEnd(pidfd.get(), kGraceMs)) kill(pid, SIGKILL);
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  result.seconds = std::chrono::duration<double>(steady_clock::now() - start).count();
  result.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  result.output = ReadBeginning(output.get());
  return result;
}

// Runs all programs on |jobs| threads; tells each result as it comes.
void RunAll(const ConformanceArguments& arguments, const std::string& image,
            const std::vector<std::string>& programs, ConformanceReport& report) {
  std::mutex mutex;
  size_t next = 0, done = 0;
  std::exception_ptr failure;
  const bool is_terminal = isatty(STDERR_FILENO);
  const auto work = [&] {
    std::unique_lock lock(mutex);
    while (next < programs.size() && !failure) {
      const std::string& name = programs[next++];
      lock.unlock();
      ConformanceResult result;
      std::exception_ptr problem;
      try {
        result = RunProgram(arguments, image, name);
      } catch (...) {
        problem = std::current_exception();
      }
      lock.lock();
      if (problem) {
        failure = problem;
        return;
      }
      const ConformanceResult& judged = report.Add(std::move(result));
      ++done;
      if (is_terminal) std::fprintf(stderr, "\r\033[K");
      if (judged.verdict == Verdict::kFailed)
        std::fprintf(stderr, "FAIL  %s: %s\n", judged.name.c_str(), Explain(judged).c_str());
      if (is_terminal) std::fprintf(stderr, "%zu of %zu", done, programs.size());
    }
  };
  std::vector<std::jthread> threads;
  for (size_t i = 0; i < std::min<size_t>(arguments.jobs, programs.size()); ++i)
    threads.emplace_back(work);
  threads.clear();  // joins
  if (is_terminal) std::fprintf(stderr, "\r\033[K");
  if (failure) std::rethrow_exception(failure);
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    if (!file || file.bad()) throw std::runtime_error(path + ": cannot read it");
  }
  return text.str();
}

void WriteFile(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  if (!(file << text).flush()) throw std::runtime_error(path + ": cannot write it");
}

void Conform(ConformanceArguments& arguments) {
  arguments.tree = std::filesystem::canonical(arguments.tree);
  const images::ResolvedImage image =
      images::ResolveImage(arguments.image);  // packed once, before all start
  std::vector<std::string> programs = FindPrograms(arguments.tree);
  if (programs.empty())
    throw std::runtime_error(arguments.tree.string() + ": no executable programs in it");
  std::erase_if(programs,
                [&](const std::string& name) { return name.find(arguments.match) == name.npos; });
  if (programs.empty())
    throw std::runtime_error("no program's name contains \"" + arguments.match + '"');
  Expectations expectations;
  if (!arguments.expect.empty()) expectations = ParseExpectations(ReadFile(arguments.expect));
  ConformanceReport report("conformance of " + arguments.tree.string() + " in " + arguments.image,
                           std::move(expectations));
  RunAll(arguments, image.path.string(), programs, report);
  report.Finish(arguments.match.empty());
  if (!arguments.junit.empty()) WriteFile(arguments.junit, report.JUnit());
  if (!arguments.report.empty()) WriteFile(arguments.report, report.Text());
  std::fputs((arguments.is_json ? report.Json() : report.Text()).c_str(), stdout);
  std::fflush(stdout);
  if (!report.Good()) throw ExitStatus{1};
}

}  // namespace

void AddConformanceCommand(CLI::App& app) {
  auto arguments = std::make_shared<ConformanceArguments>();
  CLI::App* command = app.add_subcommand(
      "conformance", "Run a tree of test programs, each in a container of its own");
  command->footer(
      "Runs every *.exe below DIR (libc-test's layout), or every executable ELF file when there is "
      "none, in its own\n"
      "folder, which the container sees read-only at the same place. Status 0 passes, 77 is "
      "skipped, all else fails.\n"
      "--expect names a list of known failures, \"NAME REASON\" on each line: a listed program "
      "that passes fails the run,\n"
      "so that the list only shrinks. Exit status: 0 all as expected, 1 not so.\n\n"
      "  zrun conformance libc-test/src --image alpine --expect known.txt --junit report.xml");
  command->add_option("DIR", arguments->tree, "The tree of built programs")
      ->required()
      ->check(CLI::ExistingDirectory);
  command->add_option("--image", arguments->image, "The image to run them in")->required();
  command->add_option("-j,--jobs", arguments->jobs, "Containers at once")
      ->check(CLI::Range(1u, 1024u));
  command->add_option("--timeout", arguments->timeout, "Seconds for each program")
      ->check(CLI::Range(0.1, 86400.0));
  command->add_option("--expect", arguments->expect, "List of known failures");
  command->add_option("--match", arguments->match, "Only programs whose name contains this");
  command->add_option("--junit", arguments->junit, "Write a JUnit XML report here");
  command->add_option("--report", arguments->report, "Write the text report here too");
  command->add_flag("--json", arguments->is_json, "Print JSON instead of text");
  command->add_option("--platform", arguments->platform, "The machine: trap")
      ->check(CLI::IsMember({"trap"}));
  command->callback([arguments] { Conform(*arguments); });
}

}  // namespace zrun
