#pragma once
#include "base/intrusive_list.h"
#include "base/ref_ptr.h"
#include "hal/clock.h"

namespace zrun::compat {

// Calls back at a moment, on a kernel service thread with no lock held. For what sends signals;
// files that become readable at a moment have objects of their own.
class Alarm : public RefCounted<Alarm>, public ListNode<Alarm> {
 public:
  virtual ~Alarm();
  // Replaces an earlier moment. It may still be called once for that.
  void Arm(hal::Deadline at);
  void Disarm();
  // Starts the service thread; once, while booting.
  static Result<void> StartService();

 protected:
  Alarm() = default;
  virtual void OnAlarm() = 0;

 private:
  [[noreturn]] static void Serve(void*);
  hal::Nanoseconds at_ = 0;
};

}  // namespace zrun::compat
