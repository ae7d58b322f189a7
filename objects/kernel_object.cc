#include "objects/kernel_object.h"

#include "base/assert.h"

namespace zrun {
namespace {
constinit std::atomic<Koid> g_next_koid{1};
}  // namespace

KernelObject::KernelObject(ObjectType type, Signals initial)
    : koid_(g_next_koid.fetch_add(1, std::memory_order_relaxed)),
      type_(type),
      signals_(uint32_t(initial)) {}

KernelObject::~KernelObject() { DCHECK(handle_count_.load(std::memory_order_relaxed) == 0); }

void KernelObject::AddObserverUnchecked(SignalObserver& observer, Signals wanted) {
  MutexLock lock(signal_lock_);
  observer.wanted_ = wanted;
  observers_.PushBack(observer);
  // Before signals are looked at: who raises one does it the other way round, so one sees the
  // other.
  observer_count_.fetch_add(1, std::memory_order_seq_cst);
}

void KernelObject::AddObserver(SignalObserver& observer, Signals wanted) {
  AddObserverUnchecked(observer, wanted);
  const Signals active =
      signals() & wanted;  // computed without the lock: the object may need others
  if (active == Signals::kNone) return;
  MutexLock lock(signal_lock_);
  if (observer.is_linked()) observer.OnSignals(active);
}

void KernelObject::RemoveObserver(SignalObserver& observer) {
  MutexLock lock(signal_lock_);
  if (!observer.is_linked()) return;
  observers_.Remove(observer);
  observer_count_.fetch_sub(1, std::memory_order_relaxed);
}

void KernelObject::UpdateSignals(Signals clear, Signals set) {
  uint32_t old = signals_.load(std::memory_order_relaxed);
  // The order against |observer_count_| is AddObserver's turned round.
  while (!signals_.compare_exchange_weak(old, (old & ~uint32_t(clear)) | uint32_t(set),
                                         std::memory_order_seq_cst)) {
  }
  NotifyObservers(set);
}

// Which of two ways to lock it is, the analysis cannot follow.
void KernelObject::NotifyObservers(Signals set, bool nested) NO_THREAD_SAFETY_ANALYSIS {
  if (set == Signals::kNone || observer_count_.load(std::memory_order_seq_cst) == 0) return;
  if (nested) {
    signal_lock_.LockNested();
  } else {
    signal_lock_.Lock();
  }
  SignalObserver* last = nullptr;  // of those of whom one is enough
  for (SignalObserver& observer : observers_) {
    if (!HasAny(observer.wanted_, set)) continue;
    if (observer.exclusive_) {
      last = &observer;
    } else {
      observer.OnSignals(observer.wanted_ & set);
    }
  }
  for (SignalObserver* next = last ? observers_.front() : nullptr; next;) {
    SignalObserver& observer = *next;
    next = next == last ? nullptr : observers_.NextOf(observer);
    if (!observer.exclusive_ || !HasAny(observer.wanted_, set)) continue;
    if (!observer.OnExclusiveSignals(observer.wanted_ & set)) continue;
    observers_.Remove(observer);  // the next time it is another's turn
    observers_.PushBack(observer);
    break;
  }
  signal_lock_.Unlock();
}

void KernelObject::LastHandleGone() {
  {
    MutexLock lock(signal_lock_);
    for (SignalObserver& observer : observers_) observer.OnClosed();
  }
  OnZeroHandles();
}

}  // namespace zrun
