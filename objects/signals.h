#pragma once
#include <cstdint>

#include "base/flags.h"
#include "base/intrusive_list.h"

namespace zrun {

// What an object can be waited for. A level: a signal stays set until its cause is gone.
enum class Signals : uint32_t {
  kNone = 0,
  kReadable = 1 << 0,      // POLLIN
  kWritable = 1 << 1,      // POLLOUT
  kPeerClosed = 1 << 2,    // POLLHUP: nobody is at the other end any more
  kPriority = 1 << 3,      // POLLPRI: out-of-band data
  kError = 1 << 4,         // POLLERR
  kReadClosed = 1 << 5,    // POLLRDHUP: the peer will write no more
  kSignaled = 1 << 6,      // events and timers
  kTerminated = 1 << 7,    // jobs, processes, threads
  kReadableBand = 1 << 8,  // POLLRDBAND
  kUser = 1 << 9,          // whatever the object's own header says
};

}  // namespace zrun
template <>
inline constexpr bool zrun::kIsFlags<zrun::Signals> = true;

namespace zrun {

class KernelObject;

// Told, with the object's signal lock held, each time one of the signals it wants is set, also when
// it was set already (an edge: new data behind old data), and once when it starts to observe if one
// is set. Must be a leaf: it may take locks ranked after kKernelObject only.
class SignalObserver : public ListNode<SignalObserver> {
 public:
  virtual void OnSignals(Signals active) = 0;
  // In its place for an exclusive observer: false if it will not act on it now, so that the next is
  // told too.
  virtual bool OnExclusiveSignals(Signals active) {
    OnSignals(active);
    return true;
  }
  // The object's last handle is gone; called in the same way.
  virtual void OnClosed() {}

 protected:
  SignalObserver() = default;
  // Exclusive observers take turns: only one of an object's is told (EPOLLEXCLUSIVE).
  void set_exclusive(bool exclusive) { exclusive_ = exclusive; }
  ~SignalObserver() = default;

 private:
  friend class KernelObject;
  Signals wanted_ = Signals::kNone;
  bool exclusive_ = false;
};

}  // namespace zrun
