// Goes on after an access that faults: if (sigsetjmp(back, 1) == 0) the access, else it faulted as
// |caught| tells.
#pragma once
#include <setjmp.h>

#include "check.h"

static sigjmp_buf back;
static siginfo_t caught;

static inline void OnFault(int number, siginfo_t* info, void* context) {
  (void)number, (void)context;
  caught = *info;
  siglongjmp(back, 1);
}
