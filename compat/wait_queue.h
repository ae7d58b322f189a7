#pragma once
#include "base/intrusive_list.h"
#include "hal/thread.h"

namespace zrun::compat {

// Threads that sleep until something changes that has no KernelObject: children, stops, vfork. The
// queue is guarded by the lock that guards what is waited for: look, Add, unlock, Park, lock,
// Remove, look again.
class WaitQueue {
 public:
  struct Waiter : ListNode<Waiter> {
    hal::Thread& thread = hal::CurrentThread();
  };
  void Add(Waiter& waiter) { waiters_.PushBack(waiter); }
  void Remove(Waiter& waiter) {
    if (waiter.is_linked()) waiters_.Remove(waiter);
  }
  void WakeAll() {
    for (Waiter& waiter : waiters_) hal::Unpark(waiter.thread);
  }

 private:
  IntrusiveList<Waiter, Waiter> waiters_;
};

}  // namespace zrun::compat
