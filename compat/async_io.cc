#include "compat/async_io.h"

#include "compat/signal_mailbox.h"
#include "compat/signal_send.h"

namespace zrun::compat {
namespace {

struct ListedTag;

// Whom a file's signals go to, as it stood when there was something to tell.
struct Recipient {
  int32_t type, id, signal;
  uint32_t uid, euid;
  static Recipient Of(const vfs::FileDescription& file) {
    return {file.owner_type.load(), file.owner_id.load(), file.owner_signal.load(),
            file.owner_uid.load(), file.owner_euid.load()};
  }
};

// Watches one open file. It is told with the file's signal lock held.
class AsyncNotice final : public MailboxItem, public SignalObserver, public ListNode<ListedTag> {
 public:
  static constexpr Signals kWatched =
      Signals::kReadable | Signals::kWritable | Signals::kPeerClosed | Signals::kError;
  AsyncNotice(RefPtr<vfs::FileDescription> file, Fd fd) : file_(std::move(file)), fd_(fd) {}
  void OnSignals(Signals active) override EXCLUDES(lock_);
  void OnClosed() override EXCLUDES(lock_);
  void Deliver() override EXCLUDES(lock_);
  // Nobody wants to be told any more.
  void Disable() EXCLUDES(lock_);

  const RefPtr<vfs::FileDescription>& file() const { return file_; }

 private:
  const RefPtr<vfs::FileDescription> file_;
  const Fd fd_;
  Mutex lock_{LockRank::kLeaf};
  Signals pending_ GUARDED_BY(lock_) = Signals::kNone;
  bool closed_ GUARDED_BY(lock_) = false;
  bool ended_ GUARDED_BY(lock_) = false;
};

// All that watch; each holds a reference.
constinit Mutex g_notices_lock{LockRank::kLeaf};
alignas(IntrusiveList<AsyncNotice, ListedTag>) constinit std::byte
    g_notices_storage[sizeof(IntrusiveList<AsyncNotice, ListedTag>)] = {};
constinit IntrusiveList<AsyncNotice, ListedTag>* g_notices GUARDED_BY(g_notices_lock) = nullptr;

IntrusiveList<AsyncNotice, ListedTag>& Notices() REQUIRES(g_notices_lock) {
  if (!g_notices) g_notices = new (g_notices_storage) IntrusiveList<AsyncNotice, ListedTag>;
  return *g_notices;
}

void AsyncNotice::OnSignals(Signals active) {
  {
    MutexLock lock(lock_);
    pending_ |= active;
  }
  Post(*this);
}

void AsyncNotice::OnClosed() {
  {
    MutexLock lock(lock_);
    closed_ = true;
  }
  Post(*this);
}

void AsyncNotice::Disable() {
  MutexLock lock(lock_);
  ended_ = true;
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
bool MaySend(const Recipient& to, Task& target) {
  const auto theirs = target.credentials();
  return to.euid == 0 || to.euid == theirs->suid || to.euid == theirs->uid ||
         to.uid == theirs->suid || to.uid == theirs->uid;
}

void SendToProcess(const Recipient& to, ThreadGroup& group, const SigInfo& info)
    REQUIRES(Kernel::Get().lock()) {
  const auto member = group.AnyTask();
  if (!member || !MaySend(to, *member)) return;
  // What finds no room in the queue of a real-time signal becomes a plain one.
  if (!SendToGroup(group, info).ok())
    static_cast<void>(SendToGroup(group, SigInfo::Make(abi::kSigIo, abi::kSiKernel)));
}

void Send(const Recipient& to, News news, Fd fd) {
  if (to.id == 0) return;
  SigInfo info = SigInfo::Make(abi::kSigIo, abi::kSiKernel);
  if (to.signal != 0) {
    info = SigInfo::Make(to.signal, news.code);
    info.SetPoll(news.band, fd.value);
  }
  MutexLock lock(Kernel::Get().lock());
  PidTable& pids = Kernel::Get().pids();
  switch (to.type) {
    case kOwnerTid:
      if (Task* const task = pids.FindTask(to.id); task && MaySend(to, *task))
        static_cast<void>(SendToTask(*task, info));
      return;
    case kOwnerPid:
      if (ThreadGroup* const group = pids.FindGroup(to.id)) SendToProcess(to, *group, info);
      return;
    default:
      if (ProcessGroup* const group = pids.FindProcessGroup(to.id))
        for (ThreadGroup& member : group->members) SendToProcess(to, member, info);
      return;
  }
}

// Ends it: true for the one who has to drop the list's reference.
bool Unlist(AsyncNotice& notice) {
  MutexLock lock(g_notices_lock);
  auto& node = static_cast<ListNode<ListedTag>&>(notice);
  if (!node.is_linked()) return false;
  node.Unlink();
  return true;
}

void End(AsyncNotice& notice) {
  notice.Disable();
  if (!Unlist(notice)) return;
  notice.file()->RemoveObserver(notice);
  notice.Release();
}

void AsyncNotice::Deliver() {
  Signals active;
  bool closed;
  {
    MutexLock lock(lock_);
    active = ended_ ? Signals::kNone : pending_;
    pending_ = Signals::kNone;
    closed = closed_;
  }
  if (active != Signals::kNone) Send(Recipient::Of(*file_), NewsOf(active), fd_);
  if (closed) End(*this);
}

// What F_SETLEASE and F_NOTIFY have to tell: each time counts.
class FileMessage final : public vfs::FileMessenger {
 public:
  // Posted apart: the messenger's own references are another kind of life.
  class Item final : public MailboxItem {
   public:
    explicit Item(Fd fd) : fd_(fd) {}
    void Add(const Recipient& to) EXCLUDES(lock_) {
      MutexLock lock(lock_);
      to_ = to;
      count_++;
    }
    void Deliver() override EXCLUDES(lock_) {
      constexpr News kMessage{3, 0x441};  // POLL_MSG: POLLIN, POLLRDNORM, POLLMSG
      Recipient to;
      uint32_t count;
      {
        MutexLock lock(lock_);
        to = to_;
        count = std::exchange(count_, 0);
      }
      for (; count > 0; count--) Send(to, kMessage, fd_);
    }

   private:
    const Fd fd_;
    Mutex lock_{LockRank::kLeaf};
    Recipient to_ GUARDED_BY(lock_){};
    uint32_t count_ GUARDED_BY(lock_) = 0;
  };
  explicit FileMessage(RefPtr<Item> item) : item_(std::move(item)) {}
  void Tell(vfs::FileDescription& file) override {
    item_->Add(Recipient::Of(file));
    Post(*item_);
  }

 private:
  const RefPtr<Item> item_;
};

// Whose files have a fasync operation in Linux.
bool SendsSignals(const vfs::FileDescription& file) {
  using enum vfs::FileDescription::Kind;
  const auto kind = file.kind();
  return kind == kPipe || kind == kSocket || kind == kTty || kind == kInotify;
}

RefPtr<AsyncNotice> Find(const vfs::FileDescription& file) {
  MutexLock lock(g_notices_lock);
  for (AsyncNotice& notice : Notices())
    if (notice.file().get() == &file) return RefPtr<AsyncNotice>(&notice);
  return nullptr;
}

}  // namespace

Result<void> SetAsync(const RefPtr<vfs::FileDescription>& file, Fd fd, bool on) {
  if (!SendsSignals(*file)) return {};
  const auto found = Find(*file);
  if (found && !on) End(*found);
  if (found || !on) return {};
  TRY(StartMailbox());
  auto notice = TRY(MakeRef<AsyncNotice>(file, fd));
  {
    MutexLock lock(g_notices_lock);
    Notices().PushBack(*notice);
    notice->AddRef();
  }
  // From now on: what holds already is no news.
  file->AddObserverUnchecked(*notice, AsyncNotice::kWatched);
  if (file->handle_count() == 0) End(*notice);  // closed meanwhile
  return {};
}

Result<RefPtr<vfs::FileMessenger>> MakeFileMessenger(Fd fd) {
  TRY(StartMailbox());
  return RefPtr<vfs::FileMessenger>(TRY(MakeRef<FileMessage>(TRY(MakeRef<FileMessage::Item>(fd)))));
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

void ClaimAsync(Task& task, vfs::FileDescription& file) {
  if (file.owner_id.load() != 0) return;
  static_cast<void>(SetAsyncOwner(task, file, kOwnerPid, task.group().pid()));  // who is there
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
