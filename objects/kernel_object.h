#pragma once
#include <atomic>
#include <cstdint>

#include "base/ref_ptr.h"
#include "objects/signals.h"
#include "objects/sync/mutex.h"

namespace zrun {

using Koid = uint64_t;
enum class ObjectType : uint8_t {
  kJob,
  kProcess,
  kThread,
  kVmObject,
  kVmAddressRegion,
  kEvent,
  kTimer,
  kPort,
  kFile,      // vfs::FileDescription
  kEndpoint,  // what files share and a vnode may keep: a pipe, a bound socket (vfs)
};

// Everything a handle can name: counted references, an identity, and signals to wait for.
// References keep the memory; handles keep the meaning (OnZeroHandles).
class KernelObject : public RefCounted<KernelObject> {
 public:
  virtual ~KernelObject();
  Koid koid() const { return koid_; }
  uint32_t handle_count() const { return handle_count_.load(std::memory_order_acquire); }
  ObjectType type() const { return type_; }
  // What is set now. Objects whose state lies elsewhere may compute it.
  virtual Signals signals() const { return Signals(signals_.load()); }
  // The same for those who tell a program: what is news rather than a state is over then.
  virtual Signals TakeSignals() { return signals(); }
  // Calls observer->OnSignals() at once if any of |wanted| already holds.
  void AddObserver(SignalObserver& observer, Signals wanted) EXCLUDES(signal_lock_);
  // Only what happens from now on: who calls it looks at signals() himself, afterwards.
  void AddObserverUnchecked(SignalObserver& observer, Signals wanted) EXCLUDES(signal_lock_);
  // After it returns the observer is not, and will not be, called.
  void RemoveObserver(SignalObserver& observer) EXCLUDES(signal_lock_);

 protected:
  explicit KernelObject(ObjectType type, Signals initial = Signals::kNone);
  // Clears, then sets, and tells observers of what is in |set|.
  void UpdateSignals(Signals clear, Signals set) EXCLUDES(signal_lock_);
  // Only tells observers: for objects that compute their signals. |nested|: from inside
  // OnSignals(), by an object that observes others (a Port); who observes whom must have no cycles
  // then.
  void NotifyObservers(Signals set, bool nested = false) EXCLUDES(signal_lock_);

 private:
  friend class Handle;
  // The last handle is gone though references may remain: break cycles, tell peers.
  virtual void OnZeroHandles() {}
  void LastHandleGone() EXCLUDES(signal_lock_);

  const Koid koid_;
  const ObjectType type_;
  std::atomic<uint32_t> handle_count_{0};
  std::atomic<uint32_t> signals_;
  std::atomic<uint32_t> observer_count_{0};  // lets UpdateSignals() skip the lock
  mutable Mutex signal_lock_{LockRank::kKernelObject};
  IntrusiveList<SignalObserver, SignalObserver> observers_ GUARDED_BY(signal_lock_);
};

// T::kType names its ObjectType; that is all the RTTI there is.
template <typename T>
RefPtr<T> Downcast(const RefPtr<KernelObject>& object) {
  return object && object->type() == T::kType ? RefPtr<T>(static_cast<T*>(object.get())) : nullptr;
}

}  // namespace zrun
