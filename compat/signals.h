#pragma once
#include <array>
#include <atomic>

#include "base/intrusive_list.h"
#include "base/ref_ptr.h"
#include "compat/abi/signal.h"
#include "objects/sync/mutex.h"

namespace zrun::compat {

using abi::SigInfo;

// A set of signals 1..64, as sigset_t is laid out.
class SignalSet {
 public:
  constexpr SignalSet() = default;
  explicit constexpr SignalSet(uint64_t bits) : bits_(bits) {}
  static constexpr SignalSet Of(int signo) { return SignalSet(uint64_t{1} << (signo - 1)); }
  template <typename... Signos>
  static constexpr SignalSet Of(int first, Signos... rest) {
    return SignalSet(Of(first).bits() | Of(rest...).bits());
  }
  constexpr uint64_t bits() const { return bits_; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr bool Has(int signo) const { return bits_ >> (signo - 1) & 1; }
  constexpr void Add(int signo) { bits_ |= Of(signo).bits_; }
  constexpr void Remove(int signo) { bits_ &= ~Of(signo).bits_; }
  constexpr SignalSet operator|(SignalSet other) const { return SignalSet(bits_ | other.bits_); }
  constexpr SignalSet operator&(SignalSet other) const { return SignalSet(bits_ & other.bits_); }
  constexpr SignalSet operator~() const { return SignalSet(~bits_); }
  constexpr bool operator==(const SignalSet&) const = default;
  // The lowest signal in the set; 0 if it is empty.
  constexpr int First() const { return bits_ ? std::countr_zero(bits_) + 1 : 0; }

 private:
  uint64_t bits_ = 0;
};
inline constexpr SignalSet kUnblockable = SignalSet::Of(abi::kSigKill, abi::kSigStop);
// Faults of the instruction itself come before what others sent.
inline constexpr SignalSet kSynchronous = SignalSet::Of(abi::kSigSegv, abi::kSigBus, abi::kSigIll,
                                                        abi::kSigTrap, abi::kSigFpe, abi::kSigSys);
inline constexpr SignalSet kStopSignals =
    SignalSet::Of(abi::kSigStop, abi::kSigTstp, abi::kSigTtin, abi::kSigTtou);

enum class DefaultAction : uint8_t { kTerminate, kCore, kIgnore, kStop, kContinue };
DefaultAction DefaultActionOf(int signo);
constexpr bool IsValidSignal(int signo) { return signo >= 1 && signo <= abi::kSigMax; }

struct SignalAction {
  uint64_t handler = abi::kSigDfl;
  uint64_t flags = 0;
  uint64_t restorer = 0;
  SignalSet mask;
  bool Ignores(int signo) const {
    return handler == abi::kSigIgn ||
           (handler == abi::kSigDfl && DefaultActionOf(signo) == DefaultAction::kIgnore);
  }
};

// What a process does on each signal (Linux: sighand_struct); shared by CLONE_SIGHAND.
class SignalActions : public RefCounted<SignalActions> {
 public:
  static Result<RefPtr<SignalActions>> Create() { return MakeRef<SignalActions>(); }
  Result<RefPtr<SignalActions>> Clone() const EXCLUDES(lock_);
  SignalAction Get(int signo) const EXCLUDES(lock_);
  // Returns the old one.
  SignalAction Set(int signo, const SignalAction& action) EXCLUDES(lock_);
  // execve, CLONE_CLEAR_SIGHAND: handlers become SIG_DFL, ignored signals stay ignored.
  void Reset() EXCLUDES(lock_);
  SignalSet ignored() const EXCLUDES(lock_);  // SIG_IGN, for /proc/PID/status
  SignalSet caught() const EXCLUDES(lock_);

 private:
  void CopyFrom(const SignalActions& other);
  mutable Mutex lock_{LockRank::kLeaf};
  std::array<SignalAction, abi::kSigMax> actions_ GUARDED_BY(lock_);
};

// What RLIMIT_NPROC and RLIMIT_SIGPENDING count, per real user (Linux: user_struct).
class UserAccount : public RefCounted<UserAccount>, public ListNode<UserAccount> {
 public:
  // The account of |uid|, made if there is none.
  static Result<RefPtr<UserAccount>> Of(uint32_t uid);
  explicit UserAccount(uint32_t uid) : uid_(uid) {}
  ~UserAccount();
  uint32_t uid() const { return uid_; }
  std::atomic<uint64_t> tasks{0};
  std::atomic<uint64_t> pending_signals{0};

 private:
  const uint32_t uid_;
  bool uncounted_ = false;  // made in vain: there was one already
};

class PosixTimer;

// One queued signal.
struct QueuedSignal : ListNode<QueuedSignal> {
  SigInfo info;
  RefPtr<UserAccount> account;  // charged; null if none
  RefPtr<PosixTimer> timer;     // a timer's: its overrun is read when it is taken
  ~QueuedSignal();
};

// Pending signals of a thread or of a process. Guarded by the thread group's signal lock; what is
// pending may be looked at without (signalfd).
class SignalQueue {
 public:
  ~SignalQueue() { Clear(); }
  SignalSet pending() const { return SignalSet(pending_.load(std::memory_order_acquire)); }
  // False if a standard signal is pending already (nothing is queued then).
  bool CanAdd(int signo) const { return signo >= abi::kSigRtMin || !pending().Has(signo); }
  void Add(OwnPtr<QueuedSignal> signal);
  // Pending without information, where queueing one failed (sigqueue(3): SI_USER from nobody).
  void AddBare(int signo) { SetPending(pending() | SignalSet::Of(signo)); }
  // Takes the first of |signo|; false if there is none. |timer| receives the timer it came from.
  bool Take(int signo, SigInfo& info, RefPtr<PosixTimer>& timer);
  void Discard(SignalSet signals);
  void Clear() { Discard(SignalSet(~uint64_t{0})); }
  // Drops what |timer| has queued.
  void DiscardTimer(const PosixTimer& timer);

 private:
  void SetPending(SignalSet set) { pending_.store(set.bits(), std::memory_order_release); }
  std::atomic<uint64_t> pending_{0};
  IntrusiveList<QueuedSignal, QueuedSignal> list_;
};

// The signal state of one thread. Only its own thread changes the mask and the alternate stack;
// the rest is guarded by the thread group's signal lock.
struct TaskSignals {
  SignalQueue queue;
  SignalSet mask;        // changed with the signal lock held; its own thread reads it without
  SignalSet saved_mask;  // restored after the handler: sigsuspend, ppoll, ...
  bool restore_mask = false;
  SignalSet real_mask;  // sigtimedwait: the mask without what it waits for; empty otherwise
  abi::StackT alternate_stack{0, abi::kSsDisable, 0, 0};
  bool OnAlternateStack(uint64_t sp) const {
    return !(alternate_stack.flags & abi::kSsAutoDisarm) && alternate_stack.size != 0 &&
           sp > alternate_stack.sp && sp - alternate_stack.sp <= alternate_stack.size;
  }
};

}  // namespace zrun::compat
