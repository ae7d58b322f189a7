#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <mutex>
#include <sstream>
#include <system_error>
#include <thread>

#include "images/cache.h"
#include "images/pack.h"
#include "runtime-cli/commands.h"
#include "runtime-cli/conformance_report.h"
#include "runtime-cli/conformance_runner.h"

namespace zrun {
namespace {

struct ConformanceArguments {
  ConformanceSetup setup;
  std::vector<std::string> names;
  std::string image, expect, junit, report, match, platform = "trap";
  unsigned jobs = 0;
  bool is_json = false;
};

// A container wants one processor; a machine has several.
unsigned DefaultJobs(const ConformanceArguments& arguments) {
  const unsigned host = std::max(1u, std::thread::hardware_concurrency());
  if (arguments.platform == "trap") return host;
  const unsigned processors = arguments.setup.processors ? arguments.setup.processors : 4;
  return std::max(1u, host / processors);
}

// Runs all programs on |jobs| threads; tells each result as it comes.
void RunAll(const ConformanceArguments& arguments, const std::vector<std::string>& programs,
            ConformanceReport& report) {
  std::mutex mutex;
  size_t next = 0, done = 0;
  std::exception_ptr failure;
  const bool is_terminal = isatty(STDERR_FILENO);
  const auto work = [&] {
    const std::unique_ptr<ProgramRunner> runner = arguments.platform == "trap"
                                                      ? MakeContainerRunner(arguments.setup)
                                                      : MakeMachineRunner(arguments.setup);
    std::unique_lock lock(mutex);
    while (next < programs.size() && !failure) {
      const std::string& name = programs[next++];
      lock.unlock();
      ConformanceResult result;
      std::exception_ptr problem;
      try {
        result = runner->Run(name);
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
  const unsigned jobs = arguments.jobs ? arguments.jobs : DefaultJobs(arguments);
  std::vector<std::jthread> threads;
  for (size_t i = 0; i < std::min<size_t>(jobs, programs.size()); ++i) threads.emplace_back(work);
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

std::vector<std::string> ChoosePrograms(const ConformanceArguments& arguments) {
  std::vector<std::string> programs = FindPrograms(arguments.setup.tree);
  if (programs.empty())
    throw std::runtime_error(arguments.setup.tree.string() + ": no executable programs in it");
  for (const std::string& name : arguments.names) {
    if (std::ranges::find(programs, name) == programs.end())
      throw std::runtime_error(arguments.setup.tree.string() + ": no program " + name + " in it");
  }
  if (!arguments.names.empty()) programs = arguments.names;
  std::erase_if(programs,
                [&](const std::string& name) { return name.find(arguments.match) == name.npos; });
  if (programs.empty())
    throw std::runtime_error("no program's name contains \"" + arguments.match + '"');
  return programs;
}

// An image with the tree in it, for a machine that cannot share directories: open, and without a
// name, so that nothing stays behind.
images::ResolvedImage PackTree(const std::filesystem::path& image,
                               const std::filesystem::path& tree) {
  std::string folder = std::filesystem::temp_directory_path() / "zrun-conformance-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr)
    throw std::system_error(errno, std::generic_category(), folder);
  const std::filesystem::path file = std::filesystem::path(folder) / "image";
  images::PackOptions options;
  options.places[tree] = tree.string();
  images::ResolvedImage packed;
  try {
    images::PackLayers({image, tree}, file, options);
    packed = images::OpenImage(file);
  } catch (...) {
    std::filesystem::remove_all(folder);
    throw;
  }
  std::filesystem::remove_all(folder);
  fcntl(packed.fd.get(), F_SETFD, 0);  // for the programs that this one starts
  packed.path = "/proc/self/fd/" + std::to_string(packed.fd.get());
  return packed;
}

void Conform(ConformanceArguments& arguments) {
  ConformanceSetup& setup = arguments.setup;
  setup.tree = std::filesystem::canonical(setup.tree);
  const std::vector<std::string> programs = ChoosePrograms(arguments);
  images::ResolvedImage image = images::ResolveImage(arguments.image);  // packed before all start
  if (arguments.platform != "trap") image = PackTree(image.path, setup.tree);
  setup.image = image.path.string();
  Expectations expectations;
  if (!arguments.expect.empty()) expectations = ParseExpectations(ReadFile(arguments.expect));
  ConformanceReport report("conformance of " + setup.tree.string() + " in " + arguments.image +
                               " on " + arguments.platform,
                           std::move(expectations));
  RunAll(arguments, programs, report);
  report.Finish(arguments.match.empty() && arguments.names.empty());
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
      "folder, which the container sees read-only at the same place (a machine that QEMU emulates: "
      "a copy of it; and\n"
      "it runs many programs in one boot). Status 0 passes, 77 is "
      "skipped, all else fails.\n"
      "--expect names a list of known failures, \"NAME REASON\" on each line: a listed program "
      "that passes fails the run,\n"
      "so that the list only shrinks. Exit status: 0 all as expected, 1 not so.\n\n"
      "  zrun conformance libc-test/src --image alpine --expect known.txt --junit report.xml");
  command->add_option("DIR", arguments->setup.tree, "The tree of built programs")
      ->required()
      ->check(CLI::ExistingDirectory);
  command->add_option("PROGRAM", arguments->names, "Only these, named relative to DIR");
  command->add_option("--image", arguments->image, "The image to run them in")->required();
  command->add_option("-j,--jobs", arguments->jobs, "Containers, or machines, at once")
      ->check(CLI::Range(1u, 1024u));
  command
      ->add_option("--timeout", arguments->setup.timeout,
                   "Seconds for each program (60); what starts a machine does not count")
      ->check(CLI::Range(0.1, 86400.0));
  command->add_option("--expect", arguments->expect, "List of known failures");
  command->add_option("--match", arguments->match, "Only programs whose name contains this");
  command->add_option("--junit", arguments->junit, "Write a JUnit XML report here");
  command->add_option("--report", arguments->report, "Write the text report here too");
  command->add_flag("--json", arguments->is_json, "Print JSON instead of text");
  command
      ->add_option("--platform", arguments->platform,
                   "The machine: trap (this host), or riscv64 (emulated by QEMU)")
      ->check(CLI::IsMember({"trap", "riscv64"}));
  command->add_option("--cpus", arguments->setup.processors, "riscv64: how many processors")
      ->check(CLI::Range(1u, 8u));
  command->callback([arguments] { Conform(*arguments); });
}

}  // namespace zrun
