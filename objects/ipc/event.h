#pragma once
#include "objects/kernel_object.h"

namespace zrun {

// Nothing but its signals: kSignaled, and the user's bit.
class Event final : public KernelObject {
 public:
  static constexpr ObjectType kType = ObjectType::kEvent;
  static Result<RefPtr<Event>> Create(bool signaled = false) {
    return MakeRef<Event>(signaled ? Signals::kSignaled : Signals::kNone);
  }
  void Signal(Signals set = Signals::kSignaled) { UpdateSignals(Signals::kNone, set); }
  void Clear(Signals clear = Signals::kSignaled) { UpdateSignals(clear, Signals::kNone); }

 private:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> MakeRef(Args&&...);
  explicit Event(Signals initial) : KernelObject(kType, initial) {}
};

}  // namespace zrun
