#include "compat/pidfd.h"

#include "base/text.h"
#include "compat/kernel.h"
#include "compat/task.h"
#include "vfs/anonymous.h"

namespace zrun::compat {

namespace {

// struct pidfd_info of <linux/pidfd.h>, as Linux 6.13 has it.
struct PidFdInfo {
  uint64_t mask, cgroup;
  uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
  int32_t exit_status;
};
constexpr uint64_t kInfoPid = 1, kInfoCredentials = 2, kInfoExit = 8;
static_assert(sizeof(PidFdInfo) == 64);

// PIDFD_GET_INFO's size is the caller's structure's.
constexpr uint32_t kGetInfo = 0xc000ff0b, kSizeMask = 0x3fff0000;
constexpr int kSizeShift = 16;

}  // namespace

Result<RefPtr<PidFd>> PidFd::Create(RefPtr<ThreadGroup> group, RefPtr<Task> thread,
                                    vfs::OpenFlags flags) {
  vfs::Path path = TRY(vfs::MakeAnonymousPath("anon_inode:[pidfd]", 0600));
  return MakeRef<PidFd>(std::move(path), flags, std::move(group), std::move(thread));
}

PidFd::PidFd(vfs::Path path, vfs::OpenFlags flags, RefPtr<ThreadGroup> group, RefPtr<Task> thread)
    : FileDescription(std::move(path), flags, Signals::kNone),
      group_(std::move(group)),
      thread_(std::move(thread)) {
  MutexLock lock(group_->pid_fd_lock);
  group_->pid_fds.PushBack(*this);
  Refresh(group_->end_stage);
}

PidFd::~PidFd() {
  MutexLock lock(group_->pid_fd_lock);
  Unlink();
}

void PidFd::Refresh(ThreadGroup::EndStage stage) {
  using Stage = ThreadGroup::EndStage;
  Signals now = Signals::kNone;
  if (thread_) {
    if (thread_->has_left.load()) now = Signals::kReadable | Signals::kPeerClosed;
  } else {
    if (stage >= (names_thread() ? Stage::kLeaderEnded : Stage::kEnded)) now |= Signals::kReadable;
    if (stage == Stage::kForgotten) now |= Signals::kPeerClosed;
  }
  UpdateSignals(Signals::kNone, now);
}

Task* PidFd::Find() const {
  const PidTable& pids = Kernel::Get().pids();
  Task* const task = pids.FindTask(thread_ ? thread_->tid() : group_->pid());
  if (!task || (thread_ ? task != thread_.get() : &task->group() != group_.get())) return nullptr;
  return task;
}

RefPtr<Task> PidFd::Get() const {
  MutexLock lock(Kernel::Get().lock());
  return RefPtr<Task>(Find());
}

RefPtr<PidFd> AsPidFd(vfs::FileDescription& file) {
  if (file.kind() != vfs::FileDescription::Kind::kPidFd) return nullptr;
  return RefPtr<PidFd>(static_cast<PidFd*>(&file));
}

void NotifyPidFds(ThreadGroup& group, ThreadGroup::EndStage stage) {
  MutexLock lock(group.pid_fd_lock);
  group.end_stage = stage;
  for (PidFd& file : group.pid_fds) file.Refresh(stage);
}

void NotifyPidFds(Task& thread) {
  ThreadGroup& group = thread.group();
  MutexLock lock(group.pid_fd_lock);
  thread.has_left.store(true);
  for (PidFd& file : group.pid_fds)
    if (file.thread_.get() == &thread) file.Refresh(group.end_stage);
}

// -1 once nobody remembers the process.
void PidFd::ShowInfo(TextSink& out) {
  const auto task = Get();
  const int32_t pid = task ? task->tid() : -1;
  zrun::Write(out, "Pid:\t", pid, "\nNSpid:\t", pid, "\n");
}

int PidFd::exit_status() const {
  MutexLock lock(Kernel::Get().lock());
  return thread_ ? thread_->exit_status() : group_->exit_status;
}

Result<uint64_t> PidFd::Ioctl(uint32_t request, uint64_t argument, UserMemory& memory) {
  const size_t size = (request & kSizeMask) >> kSizeShift;
  if ((request & ~kSizeMask) != kGetInfo || size < sizeof(PidFdInfo)) return Errno::kENOTTY;
  if (argument == 0) return Errno::kEINVAL;
  PidFdInfo info = {};
  const uint64_t wanted = TRY(memory.Read(UserPtr<const uint64_t>(argument)));
  if (const auto task = Get()) {
    const auto who = task->credentials();
    info = {kInfoPid | kInfoCredentials,
            0,
            uint32_t(task->tid()),
            uint32_t(group_->pid()),
            0,
            who->uid,
            who->gid,
            who->euid,
            who->egid,
            who->suid,
            who->sgid,
            who->fsuid,
            who->fsgid,
            0};
    MutexLock lock(Kernel::Get().lock());
    if (group_->parent) info.ppid = uint32_t(group_->parent->pid());
  } else if (wanted & kInfoExit) {
    info.mask = kInfoExit;
    info.exit_status = exit_status();
  } else {
    return Errno::kESRCH;
  }
  TRY(memory.Write(UserPtr<PidFdInfo>(argument), info));
  // What a newer program has room for is not known here.
  const UserPtr<std::byte> bytes(argument);
  for (size_t at = sizeof(info); at < size; at++) TRY(memory.Write(bytes.at(at), std::byte{}));
  return 0;
}

}  // namespace zrun::compat
