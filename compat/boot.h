#pragma once
#include "compat/exec.h"
#include "hal/devices.h"
#include "vfs/tty/console.h"

namespace zrun::compat {

// hal::CommandLine(): what the launcher asks for, as "key=value" records.
struct BootOptions {
  StringList arguments;    // arg=
  StringList environment;  // env=
  std::string_view working_directory = "/";
  std::string_view hostname = "zrun";
  std::string_view user;
  Vector<std::string_view> tmpfs;
  LogLevel log_level = LogLevel::kWarning;
  uint64_t memory = 0;  // bytes; 0: no limit
  bool read_only = false;
  bool tty = false;
  bool init = false;
  bool strace = false;
};
// ENOMEM; EINVAL for a record that nobody knows.
Result<void> ParseCommandLine(std::string_view records, BootOptions& options);

// From the image's /etc/passwd and /etc/group, as docker run --user reads them.
struct BootUser {
  RefPtr<vfs::Credentials> credentials;
  String home;
};
// ENOENT for a name that is not there.
Result<BootUser> ResolveUser(const vfs::WalkContext& context, std::string_view user);
// Everything of a small file.
Result<String> ReadWholeFile(const vfs::WalkContext& context, std::string_view path);

// The container's tree of mounts.
Result<RefPtr<vfs::MountNamespace>> BuildMounts(const BootOptions& options);
// mkdir -p
Result<void> MakeDirectories(const vfs::WalkContext& context, std::string_view path);

// Rights of the kernel itself, for its own look at files.
RefPtr<vfs::Credentials> RootCredentials();

// Brings the container up; ends the machine if it cannot (125, 126, 127).
class Boot {
 public:
  static void Run();

 private:
  static void StartProgram(const BootOptions& options);
  static Result<RefPtr<ThreadGroup>> MakeReaper(RefPtr<Session> session);
  static Result<RefPtr<FdTable>> OpenStandardDescriptors(const BootOptions& options,
                                                         const vfs::WalkContext& context,
                                                         uint32_t user);
};

// The machine's events, on a kernel service thread.
void OnMachineEvent(const hal::MachineEvent& event);

}  // namespace zrun::compat
