#include "compat/signals.h"

#include "compat/posix_timers.h"

namespace zrun::compat {

using namespace abi;

DefaultAction DefaultActionOf(int signo) {
  switch (signo) {
    case kSigChld:
    case kSigUrg:
    case kSigWinch:
      return DefaultAction::kIgnore;
    case kSigCont:
      return DefaultAction::kContinue;
    case kSigStop:
    case kSigTstp:
    case kSigTtin:
    case kSigTtou:
      return DefaultAction::kStop;
    case kSigQuit:
    case kSigIll:
    case kSigTrap:
    case kSigAbrt:
    case kSigBus:
    case kSigFpe:
    case kSigSegv:
    case kSigXcpu:
    case kSigXfsz:
    case kSigSys:
      return DefaultAction::kCore;
    default:
      return DefaultAction::kTerminate;
  }
}

Result<RefPtr<SignalActions>> SignalActions::Clone() const {
  auto copy = TRY(Create());
  copy->CopyFrom(*this);
  return copy;
}

// Into a new object that nobody else knows yet, so its own lock is not needed.
void SignalActions::CopyFrom(const SignalActions& other) NO_THREAD_SAFETY_ANALYSIS {
  MutexLock lock(other.lock_);
  actions_ = other.actions_;
}

SignalAction SignalActions::Get(int signo) const {
  MutexLock lock(lock_);
  return actions_[size_t(signo - 1)];
}

SignalAction SignalActions::Set(int signo, const SignalAction& action) {
  MutexLock lock(lock_);
  return std::exchange(actions_[size_t(signo - 1)], action);
}

void SignalActions::Reset() {
  MutexLock lock(lock_);
  for (SignalAction& action : actions_) {
    const bool ignored = action.handler == kSigIgn;
    action = SignalAction{};
    if (ignored) action.handler = kSigIgn;
  }
}

SignalSet SignalActions::ignored() const {
  MutexLock lock(lock_);
  SignalSet set;
  for (int signo = 1; signo <= kSigMax; signo++)
    if (actions_[size_t(signo - 1)].handler == kSigIgn) set.Add(signo);
  return set;
}

SignalSet SignalActions::caught() const {
  MutexLock lock(lock_);
  SignalSet set;
  for (int signo = 1; signo <= kSigMax; signo++)
    if (actions_[size_t(signo - 1)].handler > kSigIgn) set.Add(signo);
  return set;
}

// ---- Accounts
namespace {
struct Accounts {
  Mutex lock{LockRank::kLeaf};
  IntrusiveList<UserAccount, UserAccount> list GUARDED_BY(lock);
};
alignas(Accounts) constinit std::byte g_accounts_storage[sizeof(Accounts)] = {};
constinit std::atomic<Accounts*> g_accounts{nullptr};

Accounts& AllAccounts() {
  Accounts* accounts = g_accounts.load(std::memory_order_acquire);
  if (!accounts) {  // the first process's, while booting
    accounts = new (g_accounts_storage) Accounts;
    g_accounts.store(accounts, std::memory_order_release);
  }
  return *accounts;
}
}  // namespace

Result<RefPtr<UserAccount>> UserAccount::Of(uint32_t uid) {
  Accounts& accounts = AllAccounts();
  auto made = TRY(MakeRef<UserAccount>(uid));
  MutexLock lock(accounts.lock);
  for (UserAccount& account : accounts.list)
    if (account.uid_ == uid && account.TryAddRef()) {
      made->uncounted_ = true;
      return RefPtr<UserAccount>::Adopt(&account);
    }
  accounts.list.PushBack(*made);
  return made;
}

UserAccount::~UserAccount() {
  if (uncounted_) return;
  MutexLock lock(AllAccounts().lock);
  Unlink();
}

// ---- Queues
QueuedSignal::~QueuedSignal() {
  if (account) account->pending_signals.fetch_sub(1, std::memory_order_relaxed);
}

void SignalQueue::Add(OwnPtr<QueuedSignal> signal) {
  AddBare(signal->info.signo);
  list_.PushBack(*signal.release());
}

bool SignalQueue::Take(int signo, SigInfo& info, RefPtr<PosixTimer>& timer) {
  if (!pending().Has(signo)) return false;
  QueuedSignal* found = nullptr;
  bool more = false;
  for (QueuedSignal& queued : list_) {
    if (queued.info.signo != signo) continue;
    if (found) {
      more = true;
      break;
    }
    found = &queued;
  }
  if (!more) SetPending(pending() & ~SignalSet::Of(signo));
  if (!found) {
    info = SigInfo::Make(signo, kSiUser);
    return true;
  }
  list_.Remove(*found);
  OwnPtr<QueuedSignal> owned(found);
  info = owned->info;
  timer = std::move(owned->timer);
  return true;
}

void SignalQueue::Discard(SignalSet signals) {
  if ((pending() & signals).empty()) return;
  SetPending(pending() & ~signals);
  for (QueuedSignal* queued = list_.front(); queued;) {
    QueuedSignal* next = list_.NextOf(*queued);
    if (signals.Has(queued->info.signo)) {
      list_.Remove(*queued);
      delete queued;
    }
    queued = next;
  }
}

void SignalQueue::DiscardTimer(const PosixTimer& timer) {
  for (QueuedSignal* queued = list_.front(); queued;) {
    QueuedSignal* next = list_.NextOf(*queued);
    if (queued->timer.get() == &timer) {
      const int signo = queued->info.signo;
      list_.Remove(*queued);
      delete queued;
      bool more = false;
      for (QueuedSignal& other : list_) more |= other.info.signo == signo;
      if (!more) SetPending(pending() & ~SignalSet::Of(signo));
    }
    queued = next;
  }
}

}  // namespace zrun::compat
