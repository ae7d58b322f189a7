#include "compat/async_io.h"

#include "compat/signal_send.h"

namespace zrun::compat {
namespace {

struct ListedTag;
struct QueuedTag;

// Watches one open file. It is told with the file's signal lock held, where no signal can be sent:
// that is done by a kernel thread.
class AsyncNotice final : public RefCounted<AsyncNotice>,
                          public SignalObserver,
                          public ListNode<ListedTag>,
                          public ListNode<QueuedTag> {
 public:
  static constexpr Signals kWatched =
      Signals::kReadable | Signals::kWritable | Signals::kPeerClosed | Signals::kError;
  AsyncNotice(RefPtr<vfs::FileDescription> file, Fd fd) : file_(std::move(file)), fd_(fd) {}
  void OnSignals(Signals active) override;
  void OnClosed() override;

  const RefPtr<vfs::FileDescription>& file() const { return file_; }
  Fd fd() const { return fd_; }

  // ---- Guarded by the mailbox's lock.
  Signals pending = Signals::kNone;
  bool closed = false;
  bool ended = false;  // nobody wants to be told any more

 private:
  const RefPtr<vfs::FileDescription> file_;
  const Fd fd_;
};

// Everything there is one of. No lock is taken while its own is held.
struct Mailbox {
  Mutex lock{LockRank::kLeaf};
  IntrusiveList<AsyncNotice, ListedTag> notices GUARDED_BY(lock);
  IntrusiveList<AsyncNotice, QueuedTag> queue GUARDED_BY(lock);  // each holds a reference
  bool started GUARDED_BY(lock) = false;
  std::atomic<uint32_t> posted{0};

  void Post(AsyncNotice& notice) REQUIRES(lock) {
    if (static_cast<ListNode<QueuedTag>&>(notice).is_linked()) return;
    notice.AddRef();
    queue.PushBack(notice);
    posted.fetch_add(1, std::memory_order_release);
    hal::WakeWord(posted, 1);
  }
};

// Never destroyed; made by the first who asks.
alignas(Mailbox) constinit std::byte g_storage[sizeof(Mailbox)] = {};
constinit Mutex g_making{LockRank::kLeaf};
constinit std::atomic<Mailbox*> g_mailbox{nullptr};

Mailbox& GetMailbox() {
  MutexLock lock(g_making);
  if (!g_mailbox.load()) g_mailbox.store(new (g_storage) Mailbox);
  return *g_mailbox.load();
}

void AsyncNotice::OnSignals(Signals active) {
  Mailbox& box = *g_mailbox.load();
  MutexLock lock(box.lock);
  pending |= active;
  box.Post(*this);
}

void AsyncNotice::OnClosed() {
  Mailbox& box = *g_mailbox.load();
  MutexLock lock(box.lock);
  closed = true;
  box.Post(*this);
}

// What poll would say, and which news that is (sigaction(2), SI_POLL codes).
struct News {
  int32_t code;
  int64_t band;
};
News NewsOf(Signals active) {
  enum : int32_t { kIn = 1, kOut = 2, kHangUp = 6 };
  if (HasAny(active, Signals::kPeerClosed | Signals::kError)) return {kHangUp, 0x18};
  if (HasAny(active, Signals::kReadable)) return {kIn, 0x41};
  return {kOut, 0x304};
}

// The owner must be one whom he could signal who named him.
bool MaySend(const vfs::FileDescription& file, Task& target) {
  const auto theirs = target.credentials();
  const uint32_t uid = file.owner_uid.load(), euid = file.owner_euid.load();
  return euid == 0 || euid == theirs->suid || euid == theirs->uid || uid == theirs->suid ||
         uid == theirs->uid;
}

void SendToProcess(const vfs::FileDescription& file, ThreadGroup& group, const SigInfo& info)
    REQUIRES(Kernel::Get().lock()) {
  const auto member = group.AnyTask();
  if (!member || !MaySend(file, *member)) return;
  // What finds no room in the queue of a real-time signal becomes a plain one.
  if (!SendToGroup(group, info).ok())
    static_cast<void>(SendToGroup(group, SigInfo::Make(abi::kSigIo, abi::kSiKernel)));
}

void Send(const AsyncNotice& notice, Signals active) {
  const vfs::FileDescription& file = *notice.file();
  const int32_t id = file.owner_id.load(), chosen = file.owner_signal.load();
  if (id == 0) return;
  SigInfo info = SigInfo::Make(abi::kSigIo, abi::kSiKernel);
  if (chosen != 0) {
    const News news = NewsOf(active);
    info = SigInfo::Make(chosen, news.code);
    info.SetPoll(news.band, notice.fd().value);
  }
  MutexLock lock(Kernel::Get().lock());
  PidTable& pids = Kernel::Get().pids();
  switch (file.owner_type.load()) {
    case kOwnerTid:
      if (Task* const task = pids.FindTask(id); task && MaySend(file, *task))
        static_cast<void>(SendToTask(*task, info));
      return;
    case kOwnerPid:
      if (ThreadGroup* const group = pids.FindGroup(id)) SendToProcess(file, *group, info);
      return;
    default:
      if (ProcessGroup* const group = pids.FindProcessGroup(id))
        for (ThreadGroup& member : group->members) SendToProcess(file, member, info);
      return;
  }
}

RefPtr<AsyncNotice> TakePosted(Mailbox& box, Signals& active, bool& closed) {
  MutexLock lock(box.lock);
  AsyncNotice* const notice = box.queue.PopFront();
  if (!notice) return nullptr;
  active = notice->ended ? Signals::kNone : notice->pending;
  notice->pending = Signals::kNone;
  closed = notice->closed;
  return RefPtr<AsyncNotice>::Adopt(notice);
}

// Ends it: true for the one who has to drop the list's reference.
bool Unlist(Mailbox& box, AsyncNotice& notice) {
  MutexLock lock(box.lock);
  notice.ended = true;
  auto& node = static_cast<ListNode<ListedTag>&>(notice);
  if (!node.is_linked()) return false;
  node.Unlink();
  return true;
}

void End(Mailbox& box, AsyncNotice& notice) {
  if (!Unlist(box, notice)) return;
  notice.file()->RemoveObserver(notice);
  notice.Release();
}

void SenderMain(void*) {
  Mailbox& box = GetMailbox();
  for (;;) {
    const uint32_t seen = box.posted.load(std::memory_order_acquire);
    Signals active = Signals::kNone;
    bool closed = false;
    if (const auto notice = TakePosted(box, active, closed)) {
      if (active != Signals::kNone) Send(*notice, active);
      if (closed) End(box, *notice);
    } else {
      hal::WaitOnWord(box.posted, seen, hal::Deadline::Never());
    }
  }
}

Result<void> StartSender(Mailbox& box) {
  {
    MutexLock lock(box.lock);
    if (std::exchange(box.started, true)) return {};
  }
  if (auto started = hal::StartThread(nullptr, {SenderMain, nullptr}); !started.ok()) {
    MutexLock lock(box.lock);
    box.started = false;
    return started.error();
  }
  return {};
}

// Whose files have a fasync operation in Linux.
bool SendsSignals(const vfs::FileDescription& file) {
  using enum vfs::FileDescription::Kind;
  const auto kind = file.kind();
  return kind == kPipe || kind == kSocket || kind == kTty || kind == kInotify;
}

RefPtr<AsyncNotice> Find(Mailbox& box, const vfs::FileDescription& file) {
  MutexLock lock(box.lock);
  for (AsyncNotice& notice : box.notices)
    if (notice.file().get() == &file) return RefPtr<AsyncNotice>(&notice);
  return nullptr;
}

}  // namespace

Result<void> SetAsync(const RefPtr<vfs::FileDescription>& file, Fd fd, bool on) {
  if (!SendsSignals(*file)) return {};
  Mailbox& box = GetMailbox();
  const auto found = Find(box, *file);
  if (found && !on) End(box, *found);
  if (found || !on) return {};
  TRY(StartSender(box));
  auto notice = TRY(MakeRef<AsyncNotice>(file, fd));
  {
    MutexLock lock(box.lock);
    box.notices.PushBack(*notice);
    notice->AddRef();
  }
  // From now on: what holds already is no news.
  file->AddObserverUnchecked(*notice, AsyncNotice::kWatched);
  if (file->handle_count() == 0) End(box, *notice);  // closed meanwhile
  return {};
}

// ---- Who is told

Result<void> SetAsyncOwner(Task& task, vfs::FileDescription& file, int32_t type, int32_t id) {
  if (id != 0) {
    MutexLock lock(task.kernel().lock());
    const PidTable& pids = task.kernel().pids();
    const bool exists = type == kOwnerTid   ? pids.FindTask(id) != nullptr
                        : type == kOwnerPid ? pids.FindGroup(id) != nullptr
                                            : pids.FindProcessGroup(id) != nullptr;
    if (!exists) return Errno::kESRCH;
  }
  const auto credentials = task.credentials();
  file.owner_uid.store(credentials->uid);
  file.owner_euid.store(credentials->euid);
  file.owner_type.store(type);
  file.owner_id.store(id);
  return {};
}

Result<void> SetAsyncOwner(Task& task, vfs::FileDescription& file, int32_t number) {
  if (number == INT32_MIN) return Errno::kEINVAL;
  return number < 0 ? SetAsyncOwner(task, file, kOwnerGroup, -number)
                    : SetAsyncOwner(task, file, kOwnerPid, number);
}

int32_t GetAsyncOwner(const vfs::FileDescription& file) {
  const int32_t id = file.owner_id.load();
  return file.owner_type.load() == kOwnerGroup ? -id : id;
}

}  // namespace zrun::compat
