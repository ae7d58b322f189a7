#pragma once

namespace zrun {

// Ends the kernel: a report with a back trace on the machine's console, exit status 125. The
// machine (hal/) defines it; callers use CHECK.
[[noreturn]] void Panic(const char* file, int line, const char* message);

}  // namespace zrun

// Always on: an invariant of the kernel's own, never something a guest can make false.
#define CHECK(condition)                                              \
  do {                                                                \
    if (!(condition)) [[unlikely]]                                    \
      ::zrun::Panic(__FILE__, __LINE__, "CHECK failed: " #condition); \
  } while (false)

#ifdef NDEBUG
#define DCHECK(condition)                    \
  do {                                       \
    if (false) static_cast<void>(condition); \
  } while (false)
#else
#define DCHECK(condition) CHECK(condition)
#endif
#define PANIC(message) ::zrun::Panic(__FILE__, __LINE__, message)
