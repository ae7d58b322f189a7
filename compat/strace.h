#pragma once
#include "compat/exec_arguments.h"
#include "compat/syscall_table.h"
#include "compat/task.h"

// --strace: every call as strace(1) shows it, on the launcher's standard error. The run loop asks
// Kernel::strace() before it calls any of this. What is shown comes from the parameters' types in
// syscalls.def (compat/strace_format.h).
namespace zrun::compat {

// Shows calls that do not return, or return to another program (exit, execve). All others are shown
// when they are over, with what they filled in.
void StraceEnter(Task& task, uint64_t number, const SyscallArgs& args);
void StraceExit(Task& task, uint64_t number, const SyscallArgs& args, const SyscallResult& result);
// The execve that nobody called: the container's first program.
void StraceFirstProgram(std::string_view path, const ExecArguments& arguments);
// "--- SIGCHLD {si_signo=SIGCHLD, ...} ---", when a signal is delivered.
void StraceSignal(Task& task, const abi::SigInfo& info);
// "+++ exited with 0 +++" or "+++ killed by SIGTERM +++"; |status| as wait4 gives it.
void StraceEnd(Task& task, int status);

}  // namespace zrun::compat
