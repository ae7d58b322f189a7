#include "compat/abi/arch.h"
#include "compat/abi/signal.h"
#include "compat/strace_format.h"

namespace zrun::compat {
namespace {

// "[INT CHLD]"; "~[KILL STOP]" where most are set, by those that are not.
void ShowSet(TextSink& out, uint64_t bits) {
  constexpr int kMany = 32;
  const bool inverted = __builtin_popcountll(bits) > kMany;
  if (inverted) bits = ~bits;
  out.Append(inverted ? "~[" : "[");
  bool first = true;
  for (int signo = 1; signo <= abi::kSigMax; signo++) {
    if (!(bits >> (signo - 1) & 1)) continue;
    if (!first) out.Append(" ");
    first = false;
    if (signo >= abi::kSigRtMin) {
      Write(out, "RT_", signo - abi::kSigRtMin);
    } else {
      out.Append(SignalName(signo).substr(3));  // without "SIG"
    }
  }
  out.Append("]");
}

void ShowActionFlags(TextSink& out, uint64_t flags) {
  static constexpr struct {
    std::string_view name;
    uint64_t bit;
  } kFlags[] = {{"SA_RESTORER", abi::kSaRestorer},   {"SA_ONSTACK", abi::kSaOnStack},
                {"SA_RESTART", abi::kSaRestart},     {"SA_NODEFER", abi::kSaNoDefer},
                {"SA_RESETHAND", abi::kSaResetHand}, {"SA_SIGINFO", abi::kSaSigInfo},
                {"SA_NOCLDSTOP", abi::kSaNoCldStop}, {"SA_NOCLDWAIT", abi::kSaNoCldWait}};
  bool first = true;
  for (const auto& flag : kFlags) {
    if (!(flags & flag.bit)) continue;
    Write(out, first ? "" : "|", flag.name);
    first = false;
    flags &= ~flag.bit;
  }
  if (flags || first) Write(out, first ? "" : "|", flags ? "0x" : "", Hex{flags});
}

}  // namespace

void ShowSignalSet(TextSink& out, UserMemory memory, uint64_t address) {
  const auto set = memory.Read(UserPtr<const uint64_t>(address));
  if (!set.ok()) {
    Write(out, "0x", Hex{address});
  } else {
    ShowSet(out, set.value());
  }
}

void ShowSigaction(TextSink& out, UserMemory memory, uint64_t address) {
  const auto action = memory.Read(UserPtr<const abi::Sigaction>(address));
  if (!action.ok()) return Write(out, "0x", Hex{address});
  const auto& value = action.value();
  out.Append("{sa_handler=");
  if (value.handler == abi::kSigDfl) {
    out.Append("SIG_DFL");
  } else if (value.handler == abi::kSigIgn) {
    out.Append("SIG_IGN");
  } else {
    Write(out, "0x", Hex{value.handler});
  }
  out.Append(", sa_mask=");
  ShowSet(out, value.mask);
  out.Append(", sa_flags=");
  ShowActionFlags(out, value.flags);
  out.Append("}");
}

}  // namespace zrun::compat
