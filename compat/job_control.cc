#include "compat/job_control.h"

#include "compat/exit.h"
#include "compat/signal_send.h"
#include "vfs/tty/job_control.h"

namespace zrun::compat {

namespace {

using namespace abi;

class LinuxJobControl final : public vfs::JobControl {
 public:
  constexpr LinuxJobControl() = default;

  Caller GetCaller() override {
    Task* task = static_cast<Task*>(Thread::Current());
    if (!task) return {};
    Caller caller;
    auto credentials = task->credentials();
    caller.privileged = credentials->Has(vfs::Capability::kSysAdmin);
    caller.uid = credentials->fsuid;
    caller.gid = credentials->fsgid;
    caller.real_uid = credentials->uid;
    caller.real_gid = credentials->gid;
    ThreadGroup& group = task->group();
    caller.process = group.pid();
    caller.detached = group.gave_up_terminal.load();
    MutexLock lock(Kernel::Get().lock());
    caller.session = group.session().id;
    caller.group = group.process_group->id;
    caller.leads_session = caller.session == caller.process;
    return caller;
  }

  void DetachCaller() override { Task::Current().group().gave_up_terminal.store(true); }

  bool CallerIgnores(int signal) override {
    Task& task = Task::Current();
    return task.signal_state().mask.Has(signal) ||
           task.group().actions->Get(signal).handler == kSigIgn;
  }

  bool IsOrphaned(int32_t id) override {
    MutexLock lock(Kernel::Get().lock());
    ProcessGroup* group = Kernel::Get().pids().FindProcessGroup(id);
    return !group || compat::IsOrphaned(*group, nullptr);
  }

  int32_t SessionOfGroup(int32_t id) override {
    MutexLock lock(Kernel::Get().lock());
    ProcessGroup* group = Kernel::Get().pids().FindProcessGroup(id);
    return group ? group->session->id : 0;
  }

  void SignalGroup(int32_t id, int signal) override {
    MutexLock lock(Kernel::Get().lock());
    if (ProcessGroup* group = Kernel::Get().pids().FindProcessGroup(id))
      SendToProcessGroup(*group, SigInfo::Make(signal, kSiKernel));
  }

  vfs::Path FollowMounts(vfs::Path path) override {
    return Task::Current().fs().mounts().Descend(std::move(path));
  }

  void SignalProcess(int32_t process, int signal) override {
    MutexLock lock(Kernel::Get().lock());
    if (ThreadGroup* group = Kernel::Get().pids().FindGroup(process))
      static_cast<void>(SendToGroup(*group, SigInfo::Make(signal, kSiKernel)));
  }
};

constinit LinuxJobControl g_job_control;

}  // namespace

void InstallJobControl() { vfs::SetJobControl(&g_job_control); }

}  // namespace zrun::compat
