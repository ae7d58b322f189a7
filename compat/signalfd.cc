#include "compat/signalfd.h"

#include "base/text.h"
#include "compat/posix_timers.h"
#include "compat/task.h"
#include "vfs/anonymous.h"

namespace zrun::compat {

using namespace abi;

namespace {

SignalFdInfo ToSignalFd(const SigInfo& info) {
  SignalFdInfo out{};
  out.signo = uint32_t(info.signo);
  out.error = info.error;
  out.code = info.code;
  const bool from_program = info.code == kSiUser || info.code == kSiQueue ||
                            info.code == kSiTkill || info.code == kSiMesgQ;
  if (info.code == kSiTimer) {
    out.tid = uint32_t(info.fields[0]);
    out.overrun = uint32_t(info.fields[0] >> 32);
  } else if (from_program || info.signo == kSigChld) {
    out.pid = uint32_t(info.pid());
    out.uid = info.uid();
  }
  if (info.code == kSiTimer || info.code == kSiQueue || info.code == kSiMesgQ) {
    out.pointer = info.value();
    out.int_value = int32_t(info.value());
  }
  if (info.signo == kSigChld && info.code > 0) {
    out.status = info.status();
    out.user_time = info.fields[2];
    out.system_time = info.fields[3];
  }
  if (info.signo == kSigIo && info.code > 0) {
    out.band = uint32_t(info.fields[0]);
    out.fd = int32_t(info.fields[1]);
  }
  if (kSynchronous.Has(info.signo) && info.code > 0) out.address = info.address();
  return out;
}

class SignalFd final : public vfs::FileDescription {
 public:
  SignalFd(vfs::Path path, vfs::OpenFlags flags, SignalSet mask)
      : FileDescription(std::move(path), flags, Signals::kNone), mask_(mask.bits()) {}
  ~SignalFd() override {
    while (Watch* watch = watches_.PopFront()) {
      {
        MutexLock lock(watch->group->signal_lock);
        static_cast<ListNode<SignalWatcher>*>(watch)->Unlink();
      }
      delete watch;
    }
  }
  Kind kind() const override { return Kind::kSignalFd; }
  void ShowInfo(TextSink& out) override {
    zrun::Write(out, "sigmask:\t", Hex{mask().bits(), 16}, "\n");
  }
  void SetMask(SignalSet mask) {
    mask_.store(mask.bits(), std::memory_order_release);
    if (HasAny(signals(), Signals::kReadable)) UpdateSignals(Signals::kNone, Signals::kReadable);
  }

  // Of the thread that asks.
  Signals signals() const override {
    Task* task = static_cast<Task*>(Thread::Current());
    if (!task) return Signals::kNone;
    const SignalSet pending = task->signal_state().queue.pending() | SharedPending(task->group());
    return (pending & mask()).empty() ? Signals::kNone : Signals::kReadable;
  }

  Result<size_t> Read(vfs::DataSink& sink) override {
    if (sink.remaining() < sizeof(SignalFdInfo)) return Errno::kEINVAL;
    Task& task = Task::Current();
    TRY(WatchGroup(task.group_ref()));
    size_t done = 0;
    while (sink.remaining() >= sizeof(SignalFdInfo)) {
      SigInfo info;
      RefPtr<PosixTimer> timer;
      {
        MutexLock lock(task.signal_lock());
        if (!task.TakeSignal(mask(), info, timer)) break;
        task.RecomputePending();
      }
      if (timer) timer->OnDelivered(info);
      const SignalFdInfo out = ToSignalFd(info);
      auto put = sink.Put(std::as_bytes(std::span(&out, 1)));
      if (!put.ok() || put.value() < sizeof out) {
        if (done == 0) return Errno::kEFAULT;
        break;
      }
      done += sizeof out;
    }
    if (done == 0) return Errno::kEAGAIN;
    return done;
  }

  // A process that reads, or may come to poll, hears of its signals from now on.
  Result<void> WatchGroup(const RefPtr<ThreadGroup>& group) {
    {
      MutexLock lock(lock_);
      for (Watch& watch : watches_)
        if (watch.group == group) return {};
    }
    auto watch = TRY(MakeOwned<Watch>(*this, group));
    {
      MutexLock lock(group->signal_lock);
      group->signal_watchers.PushBack(*watch);
    }
    MutexLock lock(lock_);
    watches_.PushBack(*watch.release());
    return {};
  }

 private:
  struct WatchTag;
  struct Watch final : SignalWatcher, ListNode<WatchTag> {
    Watch(SignalFd& its_file, RefPtr<ThreadGroup> its_group)
        : file(its_file), group(std::move(its_group)) {}
    void OnSignalSent(int signo) override {
      if (file.mask().Has(signo)) file.UpdateSignals(Signals::kNone, Signals::kReadable);
    }
    SignalFd& file;
    const RefPtr<ThreadGroup> group;
  };
  SignalSet mask() const { return SignalSet(mask_.load(std::memory_order_acquire)); }
  // What is pending may be looked at without the lock.
  static SignalSet SharedPending(ThreadGroup& group) NO_THREAD_SAFETY_ANALYSIS {
    return group.shared_queue.pending();
  }

  std::atomic<uint64_t> mask_;
  Mutex lock_{LockRank::kFile};
  IntrusiveList<Watch, WatchTag> watches_ GUARDED_BY(lock_);
};

}  // namespace

Result<RefPtr<vfs::FileDescription>> CreateSignalFd(SignalSet mask, vfs::OpenFlags flags) {
  vfs::Path path = TRY(vfs::MakeAnonymousPath("anon_inode:[signalfd]", 0600));
  auto file = TRY(
      MakeRef<SignalFd>(std::move(path), flags | vfs::OpenFlags::kReadWrite, mask & ~kUnblockable));
  TRY(file->WatchGroup(Task::Current().group_ref()));
  return file;
}

Result<void> SetSignalFdMask(vfs::FileDescription& file, SignalSet mask) {
  if (file.kind() != vfs::FileDescription::Kind::kSignalFd) return Errno::kEINVAL;
  static_cast<SignalFd&>(file).SetMask(mask & ~kUnblockable);
  return {};
}

}  // namespace zrun::compat
