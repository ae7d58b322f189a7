#include "compat/boot.h"

#include "compat/clone.h"
#include "compat/job_control.h"
#include "compat/load_average.h"
#include "compat/memory_pressure.h"
#include "compat/signal_send.h"
#include "compat/strace.h"
#include "compat/strace_format.h"
#include "hal/devices.h"
#include "objects/heap.h"
#include "objects/ipc/timer.h"
#include "vfs/hostfs/hostfs.h"
#include "vfs/namei.h"

namespace zrun::compat {

namespace {

constexpr int kStatusZrun = 125, kStatusNotExecutable = 126, kStatusNotFound = 127;

template <typename... Parts>
[[noreturn]] void Fail(int status, const Parts&... parts) {
  hal::ConsoleWrite(TextBuffer<512>("zrun: ", parts..., "\n"));
  hal::Halt(status);
}

// Ends the machine where Linux would have panicked for want of memory or mounts.
template <typename T>
T OrFail(Result<T> result, std::string_view what) {
  if (!result.ok()) Fail(kStatusZrun, what, ": ", ErrnoName(result.error()));
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

std::string_view FindVariable(const StringList& environment, std::string_view name) {
  std::string_view rest(environment.bytes().data(), environment.bytes().size());
  while (!rest.empty()) {
    const std::string_view variable = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(variable.size() + 1);
    if (variable.starts_with(name) && variable.substr(name.size()).starts_with('='))
      return variable.substr(name.size() + 1);
  }
  return {};
}

// The program |name| as execvp(3) finds it.
struct Program {
  RefPtr<vfs::FileDescription> file;
  String path;
};
Result<Program> FindProgram(const vfs::WalkContext& context, std::string_view name,
                            std::string_view search) {
  if (name.find('/') != std::string_view::npos) {
    auto file = TRY(OpenExecutable(context, name, vfs::WalkFlags::kNone));
    auto path = TRY(String::Create(name));
    return Program{std::move(file), std::move(path)};
  }
  Errno error = Errno::kENOENT;
  while (!name.empty()) {
    const size_t colon = search.find(':');
    const std::string_view folder = search.substr(0, colon);
    String path = TRY(String::Create(folder.empty() ? "." : folder));
    TRY(path.Append("/"));
    TRY(path.Append(name));
    auto file = OpenExecutable(context, path, vfs::WalkFlags::kNone);
    if (file.ok()) return Program{std::move(file).value(), std::move(path)};
    if (file.error() == Errno::kEACCES) error = Errno::kEACCES;
    if (colon == std::string_view::npos) break;
    search.remove_prefix(colon + 1);
  }
  return error;
}

}  // namespace

Result<RefPtr<FdTable>> Boot::OpenStandardDescriptors(const BootOptions& options,
                                                      const vfs::WalkContext& context,
                                                      uint32_t user) {
  TRY(vfs::InitConsole(options.tty ? vfs::ConsoleMode::kTerminal : vfs::ConsoleMode::kStreams));
  const vfs::StandardPlaces places{TRY(vfs::Walk(context, "/dev/console", vfs::WalkFlags::kNone)),
                                   TRY(vfs::Walk(context, "/dev/null", vfs::WalkFlags::kNone))};
  vfs::StandardFiles standard = TRY(vfs::OpenStandardFiles(places, user));
  auto fds = TRY(FdTable::Create());
  for (RefPtr<vfs::FileDescription>& file : standard.files) {
    const Rights rights = file->default_rights();
    TRY(fds->Add(Handle(std::move(file), rights), false, 3));
  }
  return fds;
}

// zrun --init: pid 1 without a program. Its children leave no zombies, and the launcher's signals
// go to the command.
Result<RefPtr<ThreadGroup>> Boot::MakeReaper(RefPtr<Session> session) {
  Kernel& kernel = Kernel::Get();
  auto process = TRY(Process::Create(kernel.job(), nullptr));
  auto group = TRY(ThreadGroup::Create(1, std::move(process), TRY(SignalActions::Create())));
  group->unkillable.store(true);
  auto task = TRY(TaskBuilder::CreateIdle(group, "init", RootCredentials()));
  MutexLock lock(Kernel::Get().lock());
  group->reaps_by_itself = true;
  TRY(Kernel::Get().pids().AllocateExactly(1));
  Kernel::Get().pids().SetGroup(1, group.get());
  Kernel::Get().pids().SetTask(1, task.get());
  group->remains = std::move(task);
  Kernel::Get().pids().SetSession(1, session.get());
  group->process_group = TRY(MakeRef<ProcessGroup>(1, std::move(session)));
  Kernel::Get().pids().SetProcessGroup(1, group->process_group.get());
  group->process_group->members.PushBack(*group);
  group->AddRef();
  return group;
}

void Boot::StartProgram(const BootOptions& options) {
  Kernel& kernel = Kernel::Get();
  auto root = RootCredentials();
  const vfs::Path top = kernel.mounts_->root();
  const vfs::WalkContext as_root{*root, *kernel.mounts_, top, top};
  auto user = ResolveUser(as_root, options.user);
  if (!user.ok())
    Fail(kStatusZrun, "user ", options.user, ": not in the image's /etc/passwd or /etc/group");
  BootUser who = std::move(user).value();

  auto cwd = vfs::Walk(as_root, options.working_directory, vfs::WalkFlags::kDirectory);
  if (!cwd.ok())
    Fail(kStatusZrun, "working directory ", options.working_directory, ": ",
         ErrorText(cwd.error()));
  auto fs = OrFail(FsContext::Create(kernel.mounts_, top), "file system context");
  fs->SetCwd(cwd.value());
  auto fds =
      OrFail(OpenStandardDescriptors(options, as_root, who.credentials->uid), "standard streams");

  ExecArguments arguments;
  OrFail(arguments.arguments.Clone(options.arguments), "arguments");
  OrFail(arguments.environment.Clone(options.environment), "environment");
  if (FindVariable(options.environment, "HOME").empty())
    OrFail(arguments.environment.Add(TextBuffer<512>("HOME=", who.home.view())), "environment");

  const std::string_view name(options.arguments.bytes().data());
  std::string_view search = FindVariable(options.environment, "PATH");
  if (search.empty()) search = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  const vfs::WalkContext as_user{*who.credentials, *kernel.mounts_, top, cwd.value()};
  auto program = FindProgram(as_user, name, search);
  if (!program.ok()) {
    const bool missing = program.error() == Errno::kENOENT || program.error() == Errno::kENOTDIR;
    if (missing && name.find('/') == std::string_view::npos)
      Fail(kStatusNotFound, name, ": not found in the container's PATH");
    if (missing) Fail(kStatusNotFound, name, ": not found in the container");
    Fail(kStatusNotExecutable, name, ": ", ErrorText(program.error()));
  }
  Program found = std::move(program).value();
  if (options.strace) StraceFirstProgram(found.path, arguments);
  auto plan =
      ExecPlan::Prepare({.context = as_user, .file = std::move(found.file), .name = found.path},
                        std::move(arguments));
  if (!plan.ok()) {
    const bool missing = plan.error() == Errno::kENOENT;
    if (missing) Fail(kStatusNotFound, name, ": its interpreter is not in the container");
    if (plan.error() == Errno::kENOEXEC)
      Fail(kStatusNotExecutable, name,
           ": cannot be executed: neither a sound ELF program of this architecture nor a script");
    Fail(kStatusNotExecutable, name, ": cannot be executed: ", ErrorText(plan.error()));
  }

  TaskBuilder::First first;
  auto session = OrFail(MakeRef<Session>(1), "session");
  first.pid = 1;
  first.parent = nullptr;
  RefPtr<ThreadGroup> reaper;
  if (options.init) {
    reaper = OrFail(MakeReaper(session), "init");
    session = OrFail(MakeRef<Session>(2), "session");
    first.pid = 2;
    first.parent = reaper.get();
  }
  first.credentials = std::move(who.credentials);
  first.fds = std::move(fds);
  first.fs = std::move(fs);
  first.region =
      OrFail(VmAddressRegion::Create(OrFail(hal::CreateAddressSpace(), "address space")), "region");
  first.plan = std::move(plan).value();
  hal::SetEventHandler(&OnMachineEvent);
  if (options.tty) vfs::SetConsoleSession(first.pid, first.pid);
  OrFail(TaskBuilder::StartFirst(std::move(first), std::move(session), reaper.get()),
         "first process");
}

void Boot::Run() {
  InitHeap();
  Kernel& kernel = Kernel::Get();
  kernel.boot_time_ = hal::MonotonicNow();
  BootOptions options;
  OrFail(ParseCommandLine(hal::CommandLine(), options), "kernel command line");
  if (options.arguments.count() == 0) Fail(kStatusZrun, "no command");
  kernel.log_level_ = options.log_level;
  kernel.strace_ = options.strace;
  kernel.SetHostname(options.hostname);
  kernel.SetDomainname("(none)");
  JobLimits limits;
  if (options.memory) limits.memory_bytes = options.memory;
  kernel.job_ = OrFail(Job::CreateRoot(limits), "job");
  OrFail(StartTimerService(), "timers");
  StartMemoryKiller();
  StartLoadAverages();
  InstallJobControl();
  CallTime now;
  CallTime::SetForService(&now);
  auto mounts = BuildMounts(options);
  if (!mounts.ok()) hal::Halt(kStatusZrun);  // it has said why
  kernel.mounts_ = std::move(mounts).value();
  StartProgram(options);
  CallTime::SetForService(nullptr);
}

// ---- While it runs
namespace {

void SignalMain(int signo) {
  MutexLock lock(Kernel::Get().lock());
  if (ThreadGroup* group = Kernel::Get().main())
    static_cast<void>(SendToGroup(*group, SigInfo::Make(signo, abi::kSiUser), Force::kYes));
}

}  // namespace

void OnMachineEvent(const hal::MachineEvent& event) {
  switch (event.kind) {
    case hal::MachineEvent::Kind::kStreamReady:
      vfs::OnStreamReady(event.value);
      break;
    case hal::MachineEvent::Kind::kWindowSize:
      vfs::OnWindowSize();
      break;
    case hal::MachineEvent::Kind::kSignal:
      if (IsValidSignal(int(event.value))) SignalMain(int(event.value));
      break;
    case hal::MachineEvent::Kind::kOutOfMemory:
      KillLargest();
      break;
    case hal::MachineEvent::Kind::kHostChanges:
      vfs::DeliverHostChanges();
      break;
  }
}

}  // namespace zrun::compat
