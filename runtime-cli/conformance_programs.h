#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

// What `zrun conformance` runs: the programs of a tree, or the lines of a list.
namespace zrun {

struct ConformanceProgram {
  std::string name;     // of a list's line, or relative to the tree
  std::string command;  // a shell's command line; empty: the tree's file NAME, without arguments
};

// Those whose file names match one of the patterns (fnmatch(3)). Without any: files named *.exe
// (libc-test), or else *.run-test, or *.test (the Open POSIX Test Suite), or else every executable
// ELF file. Sorted by name; libc-test's own runner is left out.
std::vector<ConformanceProgram> FindPrograms(const std::filesystem::path& tree,
                                             const std::vector<std::string>& patterns = {});

// "NAME COMMAND..." on each line, as in LTP's runtest files; # begins a comment line. A command
// whose first word is a file of the tree means that file. What is listed twice under one name runs
// as NAME and NAME#2. std::runtime_error for a name without a command.
std::vector<ConformanceProgram> ParseProgramList(std::string_view text,
                                                 const std::filesystem::path& tree);

// |text| as one word of a shell's command line.
std::string Quoted(const std::string& text);

}  // namespace zrun
