#pragma once
#include "base/tree.h"
#include "hal/clock.h"
#include "objects/kernel_object.h"

namespace zrun {

// The kernel thread that runs deadlines. Once, while booting. ENOMEM.
Result<void> StartTimerService();

// Something that happens at a time. The service thread calls OnDeadline() with no lock held, one
// callback at a time for the whole kernel: it must be short and must not wait for anything but
// locks.
class DeadlineCallback : public TreeNode<DeadlineCallback> {
 public:
  // In place of the deadline it had. Also from OnDeadline().
  void Arm(hal::Deadline deadline);
  // Afterwards it does not run: a call that has begun is waited for (unless this is that call), so
  // the caller must hold no lock that OnDeadline() takes. True if it was armed.
  bool Cancel();
  // What it is armed for; Never if it is not.
  hal::Deadline deadline() const;

 protected:
  DeadlineCallback() = default;
  // Derived classes cancel in their own destructor, while they are still whole.
  ~DeadlineCallback() = default;
  virtual void OnDeadline() = 0;

 private:
  friend class TimerQueue;
  hal::Nanoseconds at_ = 0;  // guarded by the queue's lock
};

// A one-shot or periodic timer that can be waited for: kReadable and kSignaled from its first
// expiration until the expirations are taken.
class Timer final : public KernelObject {
 public:
  static constexpr ObjectType kType = ObjectType::kTimer;
  static Result<RefPtr<Timer>> Create();
  ~Timer() override;

  struct Setting {
    hal::Deadline next;       // Never: disarmed
    hal::Nanoseconds period;  // 0: once
  };
  // Forgets expirations that were not taken. Returns the old setting.
  Setting Set(Setting setting) EXCLUDES(lock_);
  Setting setting() const EXCLUDES(lock_);
  // How often it expired since they were last taken; 0 if it did not.
  uint64_t TakeExpirations() EXCLUDES(lock_);

 private:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> MakeRef(Args&&...);
  class Callback final : public DeadlineCallback {
   public:
    explicit Callback(Timer& timer) : timer_(timer) {}
    void OnDeadline() override { timer_.Expire(); }

   private:
    Timer& timer_;
  };
  Timer() : KernelObject(kType), callback_(*this) {}
  void Expire() EXCLUDES(lock_);

  Callback callback_;
  mutable Mutex lock_{LockRank::kTimer};
  Setting setting_ GUARDED_BY(lock_) = {hal::Deadline::Never(), 0};
  uint64_t expirations_ GUARDED_BY(lock_) = 0;
};

}  // namespace zrun
