#include "objects/wait.h"

#include "base/vector.h"

namespace zrun {
namespace {

// Wakes the thread that made it.
class Waker final : public SignalObserver {
 public:
  Waker() : thread_(hal::CurrentThread()) {}
  // Only before it observes: lets a Vector hold it.
  Waker(Waker&& other) : SignalObserver(), thread_(other.thread_) { DCHECK(!other.is_linked()); }
  void OnSignals(Signals) override { hal::Unpark(thread_); }

 private:
  hal::Thread& thread_;
};

Errno WhyNothing(hal::ParkOutcome outcome) {
  return outcome == hal::ParkOutcome::kTimedOut ? Errno::kETIMEDOUT : Errno::kEINTR;
}

size_t Look(std::span<WaitItem> items) {
  size_t active = 0;
  for (WaitItem& item : items) {
    item.seen = item.object ? item.object->signals() & item.wanted : Signals::kNone;
    active += item.seen != Signals::kNone ? 1 : 0;
  }
  return active;
}

Result<size_t> Sleep(std::span<WaitItem> items, std::span<Waker> wakers, hal::Deadline deadline,
                     hal::Interruptible interruptible) {
  for (size_t i = 0; i < items.size(); i++) {
    if (items[i].object) items[i].object->AddObserver(wakers[i], items[i].wanted);
  }
  auto outcome = hal::ParkOutcome::kUnparked;
  size_t active;
  // A signal that is there counts for more than a kick or a deadline that is past.
  while ((active = Look(items)) == 0 && outcome == hal::ParkOutcome::kUnparked)
    outcome = hal::Park(deadline, interruptible);
  for (size_t i = 0; i < items.size(); i++) {
    if (items[i].object) items[i].object->RemoveObserver(wakers[i]);
  }
  if (active == 0) return WhyNothing(outcome);
  return active;
}

}  // namespace

Result<Signals> WaitOne(KernelObject& object, Signals wanted, hal::Deadline deadline,
                        hal::Interruptible interruptible) {
  WaitItem item{&object, wanted};
  if (Look({&item, 1}) > 0) return item.seen;
  Waker waker;
  TRY(Sleep({&item, 1}, {&waker, 1}, deadline, interruptible));
  return item.seen;
}

Result<size_t> WaitMany(std::span<WaitItem> items, hal::Deadline deadline,
                        hal::Interruptible interruptible) {
  if (const size_t active = Look(items); active > 0) return active;
  if (items.size() <= 8) {
    Waker wakers[8];
    return Sleep(items, {wakers, items.size()}, deadline, interruptible);
  }
  Vector<Waker> wakers;
  TRY(wakers.Resize(items.size()));
  return Sleep(items, wakers, deadline, interruptible);
}

}  // namespace zrun
