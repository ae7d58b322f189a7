#pragma once
#include "base/text.h"
#include "compat/syscall_table.h"
#include "objects/vm/user_memory.h"

// How --strace shows one value; compat/strace.cc makes lines of them.
namespace zrun::compat {

struct TraceParameter {
  std::string_view type;
  std::string_view name;
};
// The |index|th of the parameters as written in syscalls.def; an empty type past the last.
TraceParameter ParameterAt(std::string_view parameters, size_t index);

// The call that an argument belongs to.
struct TraceContext {
  UserMemory memory;
  std::string_view call;
  const SyscallArgs& args;
  const SyscallResult* result = nullptr;  // null before the call: nothing is filled in yet
  bool succeeded() const { return result && result->ok(); }
};
void ShowArgument(TextSink& out, TraceContext& context, const TraceParameter& parameter,
                  size_t index);
void ShowResult(TextSink& out, std::string_view call, const SyscallResult& result);

// Text in quotes, with C's escapes; at most |max| bytes, then "...".
void ShowText(TextSink& out, std::string_view text, size_t max);
// Names of |value| if |type| is an enumeration that has them (compat/strace_names.cc); false if
// not.
bool ShowNamed(TextSink& out, std::string_view type, uint64_t value);
// The type that a plain number stands for in |call|; empty if it is but a number.
std::string_view MeaningOf(std::string_view call, std::string_view parameter);
// A set of signals, and struct sigaction, in guest memory (compat/strace_signals.cc).
void ShowSignalSet(TextSink& out, UserMemory memory, uint64_t address);
void ShowSigaction(TextSink& out, UserMemory memory, uint64_t address);
std::string_view SignalName(int signo);
// strerror(3).
std::string_view ErrorText(Errno error);

}  // namespace zrun::compat
