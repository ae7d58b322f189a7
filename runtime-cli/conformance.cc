#include <fcntl.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <set>
#include <sstream>
#include <system_error>
#include <thread>

#include "images/cache.h"
#include "images/pack.h"
#include "images/progress.h"
#include "runtime-cli/commands.h"
#include "runtime-cli/conformance_report.h"
#include "runtime-cli/conformance_runner.h"
#include "runtime-cli/usage.h"

namespace zrun {
namespace {

struct ConformanceArguments {
  ConformanceSetup setup;
  std::vector<std::string> names, lists, patterns, environment, volumes;
  std::set<int> skip_statuses;
  std::string image, expect, oracle, junit, report, match, platform = "trap";
  unsigned jobs = 0;
  bool is_json = false;
};

// A container wants one processor; a machine has several.
unsigned DefaultJobs(const ConformanceArguments& arguments) {
  const unsigned host = std::max(1u, std::thread::hardware_concurrency());
  if (arguments.platform != "riscv64") return host;
  const unsigned processors = arguments.setup.processors ? arguments.setup.processors : 4;
  return std::max(1u, host / processors);
}

std::unique_ptr<ProgramRunner> MakeRunner(const ConformanceArguments& arguments) {
  if (arguments.platform == "native") return MakeNativeRunner(arguments.setup);
  if (arguments.platform == "riscv64") return MakeMachineRunner(arguments.setup);
  return MakeContainerRunner(arguments.setup);
}

// Runs all programs on |jobs| threads; tells each result as it comes.
void RunAll(const ConformanceArguments& arguments, const std::vector<ConformanceProgram>& programs,
            ConformanceReport& report) {
  std::mutex mutex;
  size_t next = 0, done = 0;
  std::exception_ptr failure;
  images::ProgressBar bar("conformance");
  const auto work = [&] {
    const std::unique_ptr<ProgramRunner> runner = MakeRunner(arguments);
    std::unique_lock lock(mutex);
    while (next < programs.size() && !failure) {
      const ConformanceProgram& program = programs[next++];
      lock.unlock();
      ConformanceResult result;
      std::exception_ptr problem;
      try {
        result = runner->Run(program);
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
      if (judged.verdict == Verdict::kFailed) {
        bar.Clear();
        std::fprintf(stderr, "FAIL  %s: %s\n", judged.name.c_str(), Explain(judged).c_str());
      }
      bar.Show(done, programs.size());
    }
  };
  const unsigned jobs = arguments.jobs ? arguments.jobs : DefaultJobs(arguments);
  std::vector<std::jthread> threads;
  for (size_t i = 0; i < std::min<size_t>(jobs, programs.size()); ++i) threads.emplace_back(work);
  threads.clear();  // joins
  bar.Clear();
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

std::vector<ConformanceProgram> ChoosePrograms(const ConformanceArguments& arguments) {
  const std::filesystem::path& tree = arguments.setup.tree;
  std::vector<ConformanceProgram> all;
  for (const std::string& list : arguments.lists)
    std::ranges::move(ParseProgramList(ReadFile(list), tree), std::back_inserter(all));
  if (arguments.lists.empty()) all = FindPrograms(tree, arguments.patterns);
  if (all.empty()) throw std::runtime_error(tree.string() + ": no executable programs in it");
  std::vector<ConformanceProgram> chosen;
  for (const std::string& name : arguments.names) {
    const auto found = std::ranges::find(all, name, &ConformanceProgram::name);
    if (found == all.end())
      throw std::runtime_error(tree.string() + ": no program " + name + " in it");
    chosen.push_back(*found);
  }
  if (arguments.names.empty()) chosen = std::move(all);
  std::erase_if(chosen, [&](const ConformanceProgram& program) {
    return program.name.find(arguments.match) == program.name.npos;
  });
  if (chosen.empty())
    throw std::runtime_error("no program's name contains \"" + arguments.match + '"');
  return chosen;
}

// A file that the packer puts into the image by itself.
images::Addition CopyOf(const RunOptions::Volume& volume) {
  struct stat info;
  if (stat(volume.source.c_str(), &info) != 0)
    throw std::system_error(errno, std::generic_category(), volume.source);
  return {.path = volume.target.substr(1),
          .mode = S_IFREG | (info.st_mode & 07777),
          .text = ReadFile(volume.source)};
}

// An image with copies of the tree and the volumes in it, for a machine that cannot share
// directories: open, and without a name, so that nothing stays behind.
images::ResolvedImage PackTree(const std::filesystem::path& image, const ConformanceSetup& setup) {
  std::string folder = std::filesystem::temp_directory_path() / "zrun-conformance-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr)
    throw std::system_error(errno, std::generic_category(), folder);
  const std::filesystem::path file = std::filesystem::path(folder) / "image";
  images::PackOptions options;
  std::vector<std::filesystem::path> layers = {image, setup.tree};
  options.places[setup.tree] = setup.tree.string();
  images::ResolvedImage packed;
  try {
    for (const RunOptions::Volume& volume : setup.volumes) {
      if (!std::filesystem::is_directory(volume.source)) {
        options.after.push_back(CopyOf(volume));
        continue;
      }
      if (!options.places.emplace(volume.source, volume.target).second)
        throw std::runtime_error(volume.source.string() + ": can be copied to one place only");
      layers.push_back(volume.source);
    }
    images::PackLayers(layers, file, options);
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

// What the runners need, before any of them starts. The image is to stay open as long as they run.
images::ResolvedImage Prepare(ConformanceArguments& arguments) {
  ConformanceSetup& setup = arguments.setup;
  const std::string& place = setup.working_directory;
  if (place != "program" && place != "tree" && place != "fresh" && !place.starts_with('/'))
    throw std::runtime_error("-w " + place + ": program, tree, fresh, or an absolute path");
  for (const std::string& variable : arguments.environment)
    AddVariable(setup.environment, variable);
  for (const std::string& volume : arguments.volumes) setup.volumes.push_back(ParseVolume(volume));
  if (!setup.memory.empty()) ParseMemory(setup.memory, arguments.platform);
  if (arguments.platform == "native") {
    for (const RunOptions::Volume& volume : setup.volumes)
      if (volume.source != volume.target)
        throw std::runtime_error("-v: native programs see files at their own places only");
    return {};
  }
  if (arguments.image.empty()) throw CLI::RequiredError("--image");
  images::ResolvedImage image = images::ResolveImage(arguments.image);
  if (arguments.platform == "riscv64") image = PackTree(image.path, setup);
  setup.image = image.path.string();
  return image;
}

void Conform(ConformanceArguments& arguments) {
  ConformanceSetup& setup = arguments.setup;
  setup.tree = std::filesystem::canonical(setup.tree);
  const std::vector<ConformanceProgram> programs = ChoosePrograms(arguments);
  const images::ResolvedImage image = Prepare(arguments);
  Expectations expectations;
  if (!arguments.expect.empty()) expectations = ParseExpectations(ReadFile(arguments.expect));
  ConformanceRules rules;
  if (!arguments.skip_statuses.empty()) rules.skipped = arguments.skip_statuses;
  if (!arguments.oracle.empty()) rules.oracle = ParseOracle(ReadFile(arguments.oracle));
  const std::string where =
      arguments.platform == "native" ? "" : " in " + arguments.image + " on " + arguments.platform;
  ConformanceReport report("conformance of " + setup.tree.string() + where, std::move(expectations),
                           std::move(rules));
  RunAll(arguments, programs, report);
  report.Finish(arguments.match.empty() && arguments.names.empty());
  if (!arguments.junit.empty()) WriteFile(arguments.junit, report.JUnit());
  if (!arguments.report.empty()) WriteFile(arguments.report, report.Text());
  std::fputs((arguments.is_json ? report.Json() : report.Text()).c_str(), stdout);
  std::fflush(stdout);
  if (!report.Good()) throw ExitStatus{1};
}

constexpr const char* kFooter =
    "Runs every *.exe below DIR (libc-test's layout), or *.run-test or *.test (Open POSIX), or "
    "every "
    "executable ELF file\n"
    "when there are none of those; or, with --list, the lines \"NAME COMMAND...\" of a file (LTP's "
    "runtest files), with the\n"
    "container's /bin/sh. Containers see DIR read-only at the same place, and what -v shares; the "
    "riscv64 machine, which\n"
    "runs many programs in one boot, a copy of all that.\n\n"
    "Status 0 passes, 77 (or --skip-status) is skipped, all else fails. --expect names a list of "
    "known failures, \"NAME\n"
    "REASON\" on each line: a listed program that passes fails the run, so that the list only "
    "shrinks. --oracle names the\n"
    "--json report of another run, such as one with --platform native: what fails there as well is "
    "known; what is skipped\n"
    "here, but passes there, has failed. Exit status: 0 all as expected, 1 not so.\n\n"
    "  zrun conformance libc-test --image alpine -w tree --expect known.txt --junit report.xml\n"
    "  zrun conformance conformance/interfaces --platform native --skip-status 4,5 --json "
    ">native.json\n"
    "  zrun conformance conformance/interfaces --image debian-gcc --skip-status 4,5 --oracle "
    "native.json\n"
    "  zrun conformance /opt/ltp --list /opt/ltp/runtest/syscalls --image debian-gcc --skip-status "
    "32 -w fresh \\\n"
    "    -e LTPROOT=/opt/ltp -e PATH=/opt/ltp/testcases/bin:/usr/sbin:/usr/bin:/sbin:/bin";

}  // namespace

void AddConformanceCommand(CLI::App& app) {
  auto arguments = std::make_shared<ConformanceArguments>();
  CLI::App* command = app.add_subcommand(
      "conformance", "Run a tree of test programs, each in a container of its own");
  command->footer(kFooter);
  command->add_option("DIR", arguments->setup.tree, "The tree of built programs")
      ->required()
      ->check(CLI::ExistingDirectory);
  command->add_option("PROGRAM", arguments->names,
                      "Only these, named relative to DIR or as the list does");
  command->add_option("--image", arguments->image, "The image to run them in");
  command
      ->add_option(
          "--list", arguments->lists,
          "Run the lines of this file: NAME COMMAND...; a first word that is a file of DIR "
          "means that one")
      ->allow_extra_args(false)
      ->take_all()
      ->check(CLI::ExistingFile);
  command
      ->add_option("--programs", arguments->patterns,
                   "Run the executable files with such names, like '*.sh'")
      ->allow_extra_args(false)
      ->take_all();
  command
      ->add_option("--skip-status", arguments->skip_statuses,
                   "Exit statuses that mean \"cannot run here\" (77)")
      ->allow_extra_args(false)
      ->delimiter(',')
      ->take_all()
      ->check(CLI::Range(1, 255));
  command
      ->add_option("-e,--env", arguments->environment, "Set NAME=VALUE, or pass on the host's NAME")
      ->allow_extra_args(false)
      ->take_all();
  command
      ->add_option("-v,--volume", arguments->volumes,
                   "Share HOST:CONTAINER[:ro]; riscv64: copy it into the machine")
      ->allow_extra_args(false)
      ->take_all();
  command->add_option(
      "-w,--workdir", arguments->setup.working_directory,
      "Where programs run: program (its own folder, the default; DIR for a list's), "
      "tree (DIR), fresh (an empty directory for each), or a place in the container");
  command->add_option("-m,--memory", arguments->setup.memory,
                      "Memory limit of a container, or the machine's memory, such as 512m");
  command->add_option("-j,--jobs", arguments->jobs, "Containers, or machines, at once")
      ->check(CLI::Range(1u, 1024u));
  command
      ->add_option("--timeout", arguments->setup.timeout,
                   "Seconds for each program (60); what starts a machine does not count")
      ->check(CLI::Range(0.1, 86400.0));
  command->add_option("--expect", arguments->expect, "List of known failures");
  command->add_option("--oracle", arguments->oracle, "Compare with this JSON report")
      ->check(CLI::ExistingFile);
  command->add_option("--match", arguments->match, "Only programs whose name contains this");
  command->add_option("--junit", arguments->junit, "Write a JUnit XML report here");
  command->add_option("--report", arguments->report, "Write the text report here too");
  command->add_flag("--json", arguments->is_json, "Print JSON instead of text");
  command
      ->add_option("--platform", arguments->platform,
                   "The machine: trap (this host), riscv64 (emulated by QEMU), or native: without "
                   "zrun")
      ->check(CLI::IsMember({"trap", "riscv64", "native"}));
  command
      ->add_option("--cpus", arguments->setup.processors, "Processors of each container or machine")
      ->check(CLI::Range(1u, 1024u));
  AddQuietFlag(*command);
  command->callback([arguments] { Conform(*arguments); });
}

}  // namespace zrun
