#include "runtime-cli/conformance_programs.h"

#include <fnmatch.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <stdexcept>

namespace zrun {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kBlank = " \t\r";

bool IsElf(const fs::path& path) {
  char magic[4] = {};
  std::ifstream file(path, std::ios::binary);
  return file.read(magic, sizeof magic) && std::string_view(magic, sizeof magic) == "\177ELF";
}

bool Matches(const fs::path& path, const std::vector<std::string>& patterns) {
  return std::ranges::any_of(patterns, [&](const std::string& pattern) {
    return fnmatch(pattern.c_str(), path.filename().c_str(), 0) == 0;
  });
}

std::vector<fs::path> ExecutableFiles(const fs::path& tree) {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(tree)) {
    if (entry.is_regular_file() && !entry.is_symlink() &&
        entry.path().filename() != "runtest.exe" && access(entry.path().c_str(), X_OK) == 0)
      files.push_back(entry.path());
  }
  return files;
}

// Cuts a word off the front, and the blanks before it.
std::string_view TakeWord(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlank), text.size()));
  const std::string_view word = text.substr(0, std::min(text.find_first_of(kBlank), text.size()));
  text.remove_prefix(word.size());
  return word;
}

}  // namespace

std::vector<ConformanceProgram> FindPrograms(const fs::path& tree,
                                             const std::vector<std::string>& patterns) {
  std::vector<fs::path> files = ExecutableFiles(tree);
  const auto keep = [&](const auto& wanted) {
    if (std::ranges::none_of(files, wanted)) return false;
    std::erase_if(files, [&](const fs::path& path) { return !wanted(path); });
    return true;
  };
  if (!patterns.empty()) {
    if (!keep([&](const fs::path& path) { return Matches(path, patterns); })) files.clear();
  } else {
    static constexpr std::array kSuites = {".exe", ".run-test", ".test"};
    const bool is_suite = std::ranges::any_of(kSuites, [&](const char* extension) {
      return keep([&](const fs::path& path) { return path.extension() == extension; });
    });
    if (!is_suite && !keep(IsElf)) files.clear();
  }
  std::vector<ConformanceProgram> programs;
  for (const fs::path& path : files)
    programs.push_back({path.lexically_relative(tree).string(), {}});
  std::ranges::sort(programs, {}, &ConformanceProgram::name);
  return programs;
}

std::vector<ConformanceProgram> ParseProgramList(std::string_view text, const fs::path& tree) {
  std::vector<ConformanceProgram> programs;
  std::map<std::string, int> seen;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    std::string name(TakeWord(line));
    if (name.empty() || name.front() == '#') continue;
    const std::string program(TakeWord(line));
    if (program.empty()) throw std::runtime_error("list: " + name + " has no command");
    std::string command = program;
    if (fs::is_regular_file(tree / program)) command = Quoted((tree / program).string());
    line.remove_suffix(line.size() - (line.find_last_not_of(kBlank) + 1));
    command += line;
    if (const int times = ++seen[name]; times > 1) name += '#' + std::to_string(times);
    programs.push_back({std::move(name), std::move(command)});
  }
  return programs;
}

std::string Quoted(const std::string& text) {
  std::string quoted = "'";
  for (char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace zrun
