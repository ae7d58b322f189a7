#pragma once
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

namespace zrun {

// Help that begins with usage lines of our own.
inline void SetUsage(CLI::App& app, std::string usage) {
  struct Formatter : CLI::Formatter {
    std::string make_usage(const CLI::App*, std::string) const override {
      return "Usage:\n" + text + "\n";
    }
    std::string text;
  };
  auto formatter = std::make_shared<Formatter>();
  formatter->text = std::move(usage);
  app.formatter(formatter);
}

}  // namespace zrun
