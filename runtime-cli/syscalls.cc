#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime-cli/commands.h"

// `zrun syscalls`: the kernel's own table, read as data.
namespace zrun {
namespace {

constexpr int kNone = -1;

struct Call {
  int x86_64;
  int riscv64;
  const char* name;
  const char* status;  // "yes", "partial", "no"
  std::string note;
};

constexpr const char* kStatusYes = "yes";
constexpr const char* kStatusPartial = "partial";
constexpr const char* kStatusNo = "no";

const std::vector<Call>& AllCalls() {
  static const std::vector<Call> calls = {
#define SYSCALL(x86_64, riscv64, name, ...) {x86_64, riscv64, #name, kStatusYes, {}},
#define PARTIAL(x86_64, riscv64, note, name, ...) {x86_64, riscv64, #name, kStatusPartial, note},
#define MISSING(x86_64, riscv64, name, reason) {x86_64, riscv64, #name, kStatusNo, reason},
#include "compat/syscalls.def"
#undef SYSCALL
#undef PARTIAL
#undef MISSING
  };
  return calls;
}

struct Options {
  bool json = false;
  bool markdown = false;
  bool missing = false;
};

std::string NumberText(int number) { return number == kNone ? "-" : std::to_string(number); }

void PrintJson(const std::vector<Call>& calls) {
  auto out = nlohmann::json::array();
  const auto number = [](int value) -> nlohmann::json {
    if (value == kNone) return nullptr;
    return value;
  };
  for (const Call& call : calls) {
    out.push_back({{"name", call.name},
                   {"x86_64", number(call.x86_64)},
                   {"riscv64", number(call.riscv64)},
                   {"implemented", call.status},
                   {"note", call.note}});
  }
  std::printf("%s\n", out.dump(2).c_str());
}

void PrintRows(const std::vector<Call>& calls, bool markdown) {
  const char* row = markdown ? "| %s | %s | %s | %s | %s |\n" : "%-24s %6s %7s  %-8s %s\n";
  std::printf(row, "name", "x86-64", "riscv64", "there", "note");
  if (markdown) std::printf("| --- | ---: | ---: | --- | --- |\n");
  for (const Call& call : calls)
    std::printf(row, call.name, NumberText(call.x86_64).c_str(), NumberText(call.riscv64).c_str(),
                call.status, call.note.c_str());
}

void Print(const Options& options) {
  std::vector<Call> calls;
  for (const Call& call : AllCalls())
    if (!options.missing || call.status == kStatusNo) calls.push_back(call);
  if (options.json) return PrintJson(calls);
  PrintRows(calls, options.markdown);
  const auto& all = AllCalls();
  const auto count = [&](const char* status) {
    return std::count_if(all.begin(), all.end(),
                         [&](const Call& call) { return call.status == status; });
  };
  std::printf("\n%zu system calls: %zu implemented, of which %zu in part; %zu give ENOSYS\n",
              all.size(), size_t(count(kStatusYes) + count(kStatusPartial)),
              size_t(count(kStatusPartial)), size_t(count(kStatusNo)));
}

}  // namespace

void AddSyscallsCommand(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("syscalls", "Linux's system calls and which are there");
  command->footer(
      "  zrun syscalls | grep futex\n"
      "  zrun syscalls --missing\n"
      "  zrun syscalls --json | jq '.[] | select(.name == \"openat\")'");
  auto* json = command->add_flag("--json", options->json, "Print JSON");
  command->add_flag("--markdown", options->markdown, "Print a Markdown table")->excludes(json);
  command->add_flag("--missing", options->missing, "Only those that give ENOSYS");
  command->callback([options] { Print(*options); });
}

}  // namespace zrun
