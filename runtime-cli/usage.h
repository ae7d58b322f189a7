#pragma once
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "images/progress.h"
#include "runtime-cli/suggest.h"

namespace zrun {

// Help of |app| that begins with usage lines of our own; its subcommands keep CLI11's.
inline void SetUsage(CLI::App& app, std::string usage) {
  struct Formatter : CLI::Formatter {
    std::string make_usage(const CLI::App* shown, std::string name) const override {
      if (shown != owner) return CLI::Formatter::make_usage(shown, std::move(name));
      return "Usage:\n" + text + "\n";
    }
    const CLI::App* owner = nullptr;
    std::string text;
  };
  auto formatter = std::make_shared<Formatter>();
  formatter->owner = &app;
  formatter->text = std::move(usage);
  app.formatter(formatter);
}

// Of a command that may take long.
inline void AddQuietFlag(CLI::App& command) {
  command.add_flag_callback(
      "-q,--quiet", [] { images::ProgressBar::Silence(); },
      "Do not show how far the work has come");
}

// What the user may have meant by |word|, an option of |command| or one of its subcommands.
inline std::string Suggestion(const CLI::App& command, const std::string& word) {
  std::vector<std::string> known;
  for (const CLI::Option* option : command.get_options({})) {
    if (option->get_group().empty()) continue;
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    for (const std::string& name : option->get_snames()) known.push_back("-" + name);
  }
  for (const CLI::App* subcommand : command.get_subcommands({}))
    known.push_back(subcommand->get_name());
  return DidYouMean(word.substr(0, word.find('=')), known);
}

}  // namespace zrun
