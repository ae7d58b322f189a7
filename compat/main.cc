#include "compat/boot.h"

// The machine is up: what it calls on its first kernel thread.
extern "C" [[noreturn]] void KernelMain() {
  zrun::compat::Boot::Run();
  zrun::hal::ExitThread();
}
