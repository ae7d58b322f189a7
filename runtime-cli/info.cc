#include <sys/utsname.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "runtime-cli/commands.h"
#include "runtime-cli/trap_machine.h"

namespace zrun {

void AddInfoCommand(CLI::App& app) {
  auto json = std::make_shared<bool>(false);
  CLI::App* info = app.add_subcommand("info", "What this host offers zrun");
  info->footer(
      "Tells whether zrun can run here, and how well the host guards its kernel.\n\n"
      "  zrun info\n"
      "  zrun info --json | jq .protection_keys");
  info->add_flag("--json", *json, "Print JSON");
  info->callback([json] {
    const HostFacts facts = ReadHostFacts();
    utsname host = {};
    uname(&host);
    if (*json) {
      const nlohmann::json out = {
          {"version", ZRUN_VERSION},
          {"host",
           {{"system", host.sysname}, {"release", host.release}, {"machine", host.machine}}},
          {"processors", std::thread::hardware_concurrency()},
          {"platforms", {"trap"}},
          {"protection_keys", facts.protection_keys},
          {"fsgsbase", facts.fsgsbase},
          {"vector_state_bytes", facts.xsave_size}};
      std::printf("%s\n", out.dump(2).c_str());
      return;
    }
    std::printf("zrun %s on %s %s %s, %u processors\n", ZRUN_VERSION, host.sysname, host.release,
                host.machine, std::thread::hardware_concurrency());
    std::printf("platforms:        trap\n");
    std::printf(
        "protection keys:  %s\n",
        facts.protection_keys
            ? "yes: guest code cannot touch the kernel's memory by ordinary loads and stores"
            : "NO: this processor or host has none. Guest code can read and write the kernel's "
              "memory;\n"
              "                  only the seccomp filters stand between a hostile guest and the "
              "host");
    std::printf("FSGSBASE:         %s\n",
                facts.fsgsbase ? "yes" : "NO: zrun needs Linux 5.9 or newer");
  });
}

}  // namespace zrun
