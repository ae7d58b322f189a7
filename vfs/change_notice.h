#pragma once
#include "objects/kernel_object.h"

namespace zrun::vfs {

// Something that changes now and then, for those who wait until it does: it keeps no state, each
// change is told to its observers once (kSignaled).
class ChangeNotice final : public KernelObject {
 public:
  ChangeNotice() : KernelObject(ObjectType::kEvent) {}
  // No lock held from kKernelObject on.
  void Tell() { NotifyObservers(Signals::kSignaled); }
};

}  // namespace zrun::vfs
