#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace zrun {

// What `zrun run` was asked to do.
struct RunOptions {
  std::string image;
  std::vector<std::string> command;       // empty: the image's, or a shell
  std::optional<std::string> entrypoint;  // instead of the image's; empty: none
  std::vector<std::string> environment;   // NAME=VALUE
  std::string working_directory;
  std::string user;  // UID[:GID] or names
  std::string hostname;
  std::string platform = "trap";
  std::string log_level = "warning";
  struct Volume {
    std::filesystem::path source;
    std::string target;
    bool read_only = false;
  };
  std::vector<Volume> volumes;
  struct Disk {
    std::filesystem::path file;
    bool read_only = false;
  };
  std::vector<Disk> disks;                  // of an emulated machine, after the image's
  std::vector<std::string> tmpfs;           // /path[:options]
  uint64_t memory = 0;                      // bytes; 0: no limit
  unsigned processors = 0;                  // 0: all; of an emulated machine: a default
  std::vector<std::string> kernel_options;  // NAME=VALUE, for the machine's part of the kernel
  std::vector<std::string> qemu_options;    // more words for QEMU
  bool gdb = false;                         // an emulated machine waits for a debugger
  uint16_t gdb_port = 1234;                 // 0: one that is free
  bool interactive = false;
  bool tty = false;
  bool read_only = false;
  bool init = false;
  bool strace = false;
};

// Of the command line; std::runtime_error for what is no such thing.
RunOptions::Volume ParseVolume(const std::string& text);  // HOST:CONTAINER[:ro|:rw]
// 512m, 2g, plain bytes; at least what the platform needs.
uint64_t ParseMemory(const std::string& text, const std::string& platform);
// NAME=VALUE, or NAME: the host's value, if there is one.
void AddVariable(std::vector<std::string>& out, const std::string& text);

// Runs the container; its exit status.
int RunContainer(const RunOptions& options);

}  // namespace zrun
