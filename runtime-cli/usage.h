#pragma once
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

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

}  // namespace zrun
