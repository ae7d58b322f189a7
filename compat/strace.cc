#include "compat/strace.h"

#include "compat/strace_format.h"
#include "hal/devices.h"

namespace zrun::compat {
namespace {

constexpr size_t kResultColumn = 40;  // where strace puts "= result" of short lines

// A whole line at a time, so that threads do not mix theirs.
void Emit(Task& task, std::string_view text) {
  TextBuilder line;
  // Once there has been a second, lines of the first are told apart also when it is alone again.
  if (task.kernel().forks.load(std::memory_order_relaxed) > 0)
    Write(line, "[pid ", Pad{task.tid(), 5}, "] ");
  Write(line, text, "\n");
  hal::ConsoleWrite(line.view());
}

const SyscallEntry* EntryOf(uint64_t number) {
  if (number >= kMaxSyscall || kSyscallTable[number].name.empty()) return nullptr;
  return &kSyscallTable[number];
}

bool NeverReturns(std::string_view call) {
  return call == "exit" || call == "exit_group" || call == "rt_sigreturn";
}

bool ChangesProgram(std::string_view call) { return call == "execve" || call == "execveat"; }

// The mode that open takes means nothing unless it makes a file.
bool IsUnusedMode(std::string_view parameters, size_t index, const SyscallArgs& args) {
  if (ParameterAt(parameters, index).type != "FileMode" || index == 0) return false;
  if (ParameterAt(parameters, index - 1).type != "OpenFlags") return false;
  constexpr uint32_t kTmpFileBit = 020000000;
  return (uint32_t(args[index - 1]) & (uint32_t(OpenFlags::kCreate) | kTmpFileBit)) == 0;
}

void ShowCall(TextSink& out, TraceContext context, std::string_view parameters) {
  Write(out, context.call, "(");
  for (size_t index = 0; index < context.args.size(); index++) {
    const auto parameter = ParameterAt(parameters, index);
    if (parameter.type.empty()) break;
    if (IsUnusedMode(parameters, index, context.args)) continue;
    if (index != 0) out.Append(", ");
    ShowArgument(out, context, parameter, index);
  }
}

// A call that we do not have: what it was given, in hexadecimal.
void ShowUnknown(TextSink& out, const SyscallEntry* entry, uint64_t number,
                 const SyscallArgs& args) {
  if (entry) {
    Write(out, entry->name, "(");
  } else {
    Write(out, "syscall_0x", Hex{number}, "(");
  }
  for (size_t i = 0; i < args.size(); i++) Write(out, i ? ", 0x" : "0x", Hex{args[i]});
}

}  // namespace

void StraceEnter(Task& task, uint64_t number, const SyscallArgs& args) {
  const SyscallEntry* entry = EntryOf(number);
  if (!entry || !entry->invoke) return;
  const bool last = NeverReturns(entry->name);
  if (!last && !ChangesProgram(entry->name)) return;
  TextBuilder line;
  ShowCall(line, {task.memory(), entry->name, args}, entry->parameters);
  line.Append(last ? ") = ?" : " <unfinished ...>");
  Emit(task, line.view());
}

void StraceExit(Task& task, uint64_t number, const SyscallArgs& args, const SyscallResult& result) {
  const SyscallEntry* entry = EntryOf(number);
  TextBuilder line;
  if (!entry || !entry->invoke) {
    ShowUnknown(line, entry, number, args);
  } else if (NeverReturns(entry->name)) {
    return;
  } else if (ChangesProgram(entry->name)) {
    Write(line, "<... ", entry->name, " resumed>");
  } else {
    ShowCall(line, {task.memory(), entry->name, args, &result}, entry->parameters);
  }
  line.Append(")");
  for (size_t i = line.view().size(); i < kResultColumn - 1; i++) line.Append(" ");
  line.Append(" = ");
  ShowResult(line, entry ? entry->name : std::string_view(), result);
  Emit(task, line.view());
}

void StraceFirstProgram(std::string_view path, const ExecArguments& arguments) {
  constexpr size_t kItemsShown = 32, kTextShown = 4096;
  TextBuilder line;
  line.Append("execve(");
  ShowText(line, path, kTextShown);
  line.Append(", [");
  std::span<const char> rest = arguments.arguments.bytes();
  for (size_t i = 0; i < arguments.arguments.count() && i < kItemsShown; i++) {
    const std::string_view text(rest.data());
    if (i != 0) line.Append(", ");
    ShowText(line, text, kTextShown);
    rest = rest.subspan(text.size() + 1);
  }
  if (arguments.arguments.count() > kItemsShown) line.Append(", ...");
  Write(line, "], /* ", arguments.environment.count(), " vars */) = 0\n");
  hal::ConsoleWrite(line.view());
}

void StraceSignal(Task& task, const abi::SigInfo& info) {
  const std::string_view name = SignalName(info.signo);
  TextBuilder line;
  Write(line, "--- ", name, " {si_signo=", name, ", si_code=", info.code);
  if (info.signo == abi::kSigSegv || info.signo == abi::kSigBus || info.signo == abi::kSigIll ||
      info.signo == abi::kSigFpe) {
    Write(line, ", si_addr=0x", Hex{info.address()});
  } else if (info.code <= 0 || info.signo == abi::kSigChld) {
    Write(line, ", si_pid=", info.pid(), ", si_uid=", info.uid());
  }
  line.Append("} ---");
  Emit(task, line.view());
}

void StraceEnd(Task& task, int status) {
  TextBuilder line;
  if ((status & 0x7f) == 0) {
    Write(line, "+++ exited with ", (status >> 8) & 0xff, " +++");
  } else {
    Write(line, "+++ killed by ", SignalName(status & 0x7f),
          (status & 0x80) ? " (core dumped) +++" : " +++");
  }
  Emit(task, line.view());
}

}  // namespace zrun::compat
