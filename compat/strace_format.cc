#include "compat/strace_format.h"

#include <algorithm>

namespace zrun::compat {
namespace {

constexpr size_t kTextShown = 32;    // of buffers, as strace -s 32
constexpr size_t kPathShown = 4096;  // names are shown whole
constexpr size_t kItemsShown = 16;

void ShowAddress(TextSink& out, uint64_t address) {
  if (address == 0) {
    out.Append("NULL");
  } else {
    Write(out, "0x", Hex{address});
  }
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// "UserPtr<const abi::Stat>" -> "abi::Stat", and whether it was const.
struct Pointer {
  std::string_view target;
  bool input = false;
};
Pointer PointerOf(std::string_view type) {
  constexpr std::string_view kPrefix = "UserPtr<", kConst = "const ";
  if (!type.starts_with(kPrefix)) return {};
  type = type.substr(kPrefix.size(), type.size() - kPrefix.size() - 1);
  if (type.starts_with(kConst)) return {type.substr(kConst.size()), true};
  return {type, false};
}

void ShowString(TextSink& out, UserMemory memory, uint64_t address) {
  if (address == 0) return out.Append("NULL");
  const auto text = memory.ReadString(UserCString{address}, kPathShown);
  if (!text.ok()) return ShowAddress(out, address);
  ShowText(out, text.value().view(), kPathShown);
}

void ShowBytes(TextSink& out, UserMemory memory, uint64_t address, uint64_t size) {
  if (address == 0) return out.Append("NULL");
  std::array<std::byte, kTextShown + 1> bytes;
  const auto part = std::span(bytes).first(std::min<uint64_t>(size, bytes.size()));
  if (!memory.ReadAll(part, UserPtr<const std::byte>(address)).ok())
    return ShowAddress(out, address);
  ShowText(out, {reinterpret_cast<const char*>(part.data()), part.size()}, kTextShown);
}

// A NULL-terminated array of strings: execve's arguments.
void ShowStrings(TextSink& out, UserMemory memory, uint64_t address) {
  if (address == 0) return out.Append("NULL");
  out.Append("[");
  for (size_t i = 0;; i++) {
    const auto item = memory.Read(UserPtr<const uint64_t>(address).at(i));
    if (!item.ok()) {
      ShowAddress(out, address);
      break;
    }
    if (item.value() == 0) break;
    if (i != 0) out.Append(", ");
    if (i == kItemsShown) {
      out.Append("...");
      break;
    }
    ShowString(out, memory, item.value());
  }
  out.Append("]");
}

void CountStrings(TextSink& out, UserMemory memory, uint64_t address) {
  ShowAddress(out, address);
  size_t count = 0;
  for (;; count++) {
    const auto item = memory.Read(UserPtr<const uint64_t>(address).at(count));
    if (!item.ok()) return;
    if (item.value() == 0) break;
  }
  Write(out, " /* ", count, " vars */");
}

// ---- Structures.

void Show(TextSink& out, const abi::Timespec& time) {
  Write(out, "{tv_sec=", time.seconds, ", tv_nsec=", time.nanoseconds, "}");
}
void Show(TextSink& out, const abi::Timeval& time) {
  Write(out, "{tv_sec=", time.seconds, ", tv_usec=", time.microseconds, "}");
}
void Show(TextSink& out, const abi::Itimerspec& timer) {
  out.Append("{it_interval=");
  Show(out, timer.interval);
  out.Append(", it_value=");
  Show(out, timer.value);
  out.Append("}");
}
void Show(TextSink& out, const abi::Stat& stat) {
  out.Append("{st_mode=");
  ShowNamed(out, "FileMode", stat.mode);
  if ((stat.mode & vfs::kModeTypeMask) == vfs::kModeChar ||
      (stat.mode & vfs::kModeTypeMask) == vfs::kModeBlock) {
    Write(out, ", st_rdev=makedev(0x", Hex{vfs::DeviceMajor(stat.rdev)}, ", 0x",
          Hex{vfs::DeviceMinor(stat.rdev)}, ")");
  } else {
    Write(out, ", st_size=", stat.size);
  }
  out.Append(", ...}");
}
void Show(TextSink& out, const abi::Statx& stat) {
  out.Append("{stx_mask=");
  ShowNamed(out, "StatxMask", stat.mask);
  out.Append(", stx_mode=");
  ShowNamed(out, "FileMode", stat.mode);
  Write(out, ", stx_size=", stat.size, ", ...}");
}
void Show(TextSink& out, const abi::Flock& lock) {
  constexpr std::string_view kTypes[] = {"F_RDLCK", "F_WRLCK", "F_UNLCK"};
  Write(out, "{l_type=", lock.type >= 0 && lock.type < 3 ? kTypes[lock.type] : "?", ", l_whence=");
  ShowNamed(out, "Whence", uint64_t(lock.whence));
  Write(out, ", l_start=", lock.start, ", l_len=", lock.length, "}");
}
void Show(TextSink& out, const abi::EpollEvent& event) {
  out.Append("{events=");
  ShowNamed(out, "EpollEvents", event.events);
  Write(out, ", data=0x", Hex{event.data}, "}");
}
void Show(TextSink& out, const abi::OpenHow& how) {
  out.Append("{flags=");
  ShowNamed(out, "OpenFlags", how.flags);
  Write(out, ", mode=0", Octal{how.mode}, ", resolve=0x", Hex{how.resolve}, "}");
}
void Show(TextSink& out, const abi::Statfs& statfs) {
  Write(out, "{f_type=0x", Hex{uint64_t(statfs.type)}, ", f_bsize=", statfs.block_size,
        ", f_blocks=", statfs.blocks, ", ...}");
}
void Show(TextSink& out, int32_t value) { Write(out, value); }

template <typename T>
void ShowStruct(TextSink& out, UserMemory memory, uint64_t address, size_t count = 1) {
  for (size_t i = 0; i < count; i++) {
    const auto value = memory.Read(UserPtr<const T>(address).at(i));
    if (!value.ok()) return ShowAddress(out, address);
    if (count > 1) out.Append(i == 0 ? "[" : ", ");
    Show(out, value.value());
  }
  if (count > 1) out.Append("]");
}

void ShowSocketAddress(TextSink& out, UserMemory memory, uint64_t address, uint64_t size) {
  constexpr uint16_t kUnix = 1;
  const auto family = memory.Read(UserPtr<const uint16_t>(address));
  if (size < sizeof(uint16_t) || !family.ok()) return ShowAddress(out, address);
  out.Append("{sa_family=");
  ShowNamed(out, "SocketDomain", family.value());
  if (family.value() == kUnix) {
    std::array<char, 108> path;
    const auto part = std::span(path).first(std::min<uint64_t>(size - 2, path.size()));
    if (memory.ReadArray(part, UserPtr<const char>(address + 2)).ok()) {
      std::string_view text(part.data(), part.size());
      const bool is_abstract = !text.empty() && text.front() == 0;
      if (is_abstract) text.remove_prefix(1);
      out.Append(is_abstract ? ", sun_path=@" : ", sun_path=");
      ShowText(out, text.substr(0, is_abstract ? text.npos : text.find('\0')), path.size());
    }
  }
  out.Append("}");
}

void ShowVectors(TextSink& out, TraceContext& context, uint64_t address, uint64_t count) {
  const bool with_text = context.call.find("write") != std::string_view::npos ||
                         context.call == "vmsplice" || context.succeeded();
  out.Append("[");
  for (uint64_t i = 0; i < count; i++) {
    if (i != 0) out.Append(", ");
    if (i == kItemsShown) {
      out.Append("...");
      break;
    }
    const auto vector = context.memory.Read(UserPtr<const abi::Iovec>(address).at(i));
    if (!vector.ok()) {
      ShowAddress(out, address);
      break;
    }
    out.Append("{iov_base=");
    if (with_text) {
      ShowBytes(out, context.memory, vector.value().base, vector.value().length);
    } else {
      ShowAddress(out, vector.value().base);
    }
    Write(out, ", iov_len=", vector.value().length, "}");
  }
  out.Append("]");
}

void ShowPollfds(TextSink& out, TraceContext& context, uint64_t address, uint64_t count) {
  out.Append("[");
  for (uint64_t i = 0; i < std::min<uint64_t>(count, kItemsShown); i++) {
    const auto item = context.memory.Read(UserPtr<const abi::Pollfd>(address).at(i));
    if (!item.ok()) break;
    Write(out, i == 0 ? "{fd=" : ", {fd=", item.value().fd, ", events=");
    ShowNamed(out, "PollEvents", uint16_t(item.value().events));
    if (context.succeeded() && item.value().returned) {
      out.Append(", revents=");
      ShowNamed(out, "PollEvents", uint16_t(item.value().returned));
    }
    out.Append("}");
  }
  out.Append(count > kItemsShown ? ", ...]" : "]");
}

// The ones that have a shape of their own; false: just an address.
bool ShowPointed(TextSink& out, TraceContext& context, const TraceParameter& parameter,
                 size_t index, Pointer pointer) {
  const uint64_t address = context.args[index];
  const uint64_t next = index + 1 < context.args.size() ? context.args[index + 1] : 0;
  const std::string_view target = pointer.target;
  const bool filled = pointer.input || context.succeeded();
  if (target == "abi::Iovec") return ShowVectors(out, context, address, next), true;
  if (target == "abi::Pollfd") return ShowPollfds(out, context, address, next), true;
  if (parameter.name == "argv" || parameter.name == "arguments")
    return ShowStrings(out, context.memory, address), true;
  if (parameter.name == "envp" || parameter.name == "environment")
    return CountStrings(out, context.memory, address), true;
  if (!filled) return false;
  const bool signals = context.call.starts_with("rt_sig") || context.call.starts_with("signalfd");
  if (target == "abi::Sigaction") return ShowSigaction(out, context.memory, address), true;
  if (target == "uint64_t" && (signals || parameter.name == "mask"))
    return ShowSignalSet(out, context.memory, address), true;
  if (parameter.name == "address") {
    if (pointer.input) return ShowSocketAddress(out, context.memory, address, next), true;
    return false;
  }
  if (target == "std::byte" || target == "char") {
    ShowBytes(out, context.memory, address, pointer.input ? next : context.result->value());
    return true;
  }
  const size_t count =
      parameter.name == "times" || (target == "int32_t" && parameter.name == "fds") ? 2 : 1;
  UserMemory memory = context.memory;
  if (target == "abi::Timespec")
    return ShowStruct<abi::Timespec>(out, memory, address, count), true;
  if (target == "abi::Timeval") return ShowStruct<abi::Timeval>(out, memory, address, count), true;
  if (target == "abi::Itimerspec") return ShowStruct<abi::Itimerspec>(out, memory, address), true;
  if (target == "abi::Stat") return ShowStruct<abi::Stat>(out, memory, address), true;
  if (target == "abi::Statx") return ShowStruct<abi::Statx>(out, memory, address), true;
  if (target == "abi::Statfs") return ShowStruct<abi::Statfs>(out, memory, address), true;
  if (target == "abi::OpenHow") return ShowStruct<abi::OpenHow>(out, memory, address), true;
  if (target == "abi::EpollEvent") {
    const size_t events =
        pointer.input ? 1 : std::min<size_t>(context.result->value(), kItemsShown);
    return ShowStruct<abi::EpollEvent>(out, memory, address, events), true;
  }
  if (target == "int32_t") return ShowStruct<int32_t>(out, memory, address, count), true;
  return false;
}

void ShowFcntlArgument(TextSink& out, TraceContext& context, uint64_t argument) {
  using enum FcntlCommand;
  switch (FcntlCommand(uint32_t(context.args[1]))) {
    case kSetFd:
      return out.Append(argument & 1 ? "FD_CLOEXEC" : "0");
    case kSetFlags:
      static_cast<void>(ShowNamed(out, "OpenFlags", argument));
      return;
    case kGetLock:
    case kSetLock:
    case kSetLockWait:
    case kOfdGetLock:
    case kOfdSetLock:
    case kOfdSetLockWait:
      return ShowStruct<abi::Flock>(out, context.memory, argument);
    default:
      return Write(out, argument);
  }
}

bool ShowScalar(TextSink& out, std::string_view type, uint64_t value) {
  if (type == "Fd") {
    if (int32_t(value) == kAtFdCwd) return out.Append("AT_FDCWD"), true;
    return Write(out, int32_t(value)), true;
  }
  if (type == "int64_t") return Write(out, int64_t(value)), true;
  if (type == "int32_t" || type == "int" || type == "UserId")
    return Write(out, int32_t(value)), true;
  if (type == "uint64_t" || type == "size_t") return Write(out, value), true;
  if (type == "uint32_t") return Write(out, uint32_t(value)), true;
  if (type == "DeviceNumber") {
    Write(out, "makedev(0x", Hex{vfs::DeviceMajor(uint32_t(value))}, ", 0x",
          Hex{vfs::DeviceMinor(uint32_t(value))}, ")");
    return true;
  }
  return false;
}

bool ReturnsAddress(std::string_view call) {
  return call == "mmap" || call == "brk" || call == "mremap" || call == "shmat";
}

std::string_view RestartText(Errno error) {
  switch (error) {
    case Errno::kRestartSys:
      return "ERESTARTSYS (To be restarted if SA_RESTART is set)";
    case Errno::kRestartNoIntr:
      return "ERESTARTNOINTR (To be restarted)";
    case Errno::kRestartNoHand:
      return "ERESTARTNOHAND (To be restarted if no handler)";
    default:
      return "ERESTART_RESTARTBLOCK (Interrupted by signal)";
  }
}

}  // namespace

TraceParameter ParameterAt(std::string_view parameters, size_t index) {
  // A comma inside <> belongs to a type.
  size_t start = 0, at = 0, found = 0;
  int depth = 0;
  for (;; at++) {
    const bool end = at == parameters.size();
    if (!end && parameters[at] == '<') depth++;
    if (!end && parameters[at] == '>') depth--;
    if (!end && (parameters[at] != ',' || depth != 0)) continue;
    if (found++ == index) break;
    if (end) return {};
    start = at + 1;
  }
  const std::string_view text = Trim(parameters.substr(start, at - start));
  const size_t space = text.rfind(' ');
  if (space == std::string_view::npos) return {text, {}};
  return {Trim(text.substr(0, space)), text.substr(space + 1)};
}

void ShowText(TextSink& out, std::string_view text, size_t max) {
  out.Append("\"");
  for (size_t i = 0; i < std::min(text.size(), max); i++) {
    const uint8_t c = uint8_t(text[i]);
    switch (c) {
      case '\n':
        out.Append("\\n");
        break;
      case '\t':
        out.Append("\\t");
        break;
      case '\r':
        out.Append("\\r");
        break;
      case '\v':
        out.Append("\\v");
        break;
      case '\f':
        out.Append("\\f");
        break;
      case '"':
      case '\\':
        Write(out, '\\', char(c));
        break;
      default:
        if (c >= 0x20 && c < 0x7f) {
          Write(out, char(c));
        } else {
          // As short as it can be: a digit that follows must not be taken for part of it.
          const bool digit = i + 1 < text.size() && text[i + 1] >= '0' && text[i + 1] <= '7';
          Write(out, '\\', Octal{c, digit ? 3 : 1});
        }
    }
  }
  out.Append(text.size() > max ? "\"..." : "\"");
}

void ShowArgument(TextSink& out, TraceContext& context, const TraceParameter& parameter,
                  size_t index) {
  const uint64_t value = context.args[index];
  if (context.call == "fcntl" && index == 2) return ShowFcntlArgument(out, context, value);
  if (parameter.type == "UserCString") return ShowString(out, context.memory, value);
  if (const Pointer pointer = PointerOf(parameter.type); !pointer.target.empty()) {
    if (value == 0) return out.Append("NULL");
    if (!ShowPointed(out, context, parameter, index, pointer)) ShowAddress(out, value);
    return;
  }
  if (ShowNamed(out, MeaningOf(context.call, parameter.name), value)) return;
  if (ShowScalar(out, parameter.type, value) || ShowNamed(out, parameter.type, value)) return;
  ShowAddress(out, value);
}

void ShowResult(TextSink& out, std::string_view call, const SyscallResult& result) {
  if (result.ok()) {
    if (ReturnsAddress(call)) return ShowAddress(out, result.value());
    return Write(out, int64_t(result.value()));
  }
  if (result.error() >= Errno::kRestartSys) return Write(out, "? ", RestartText(result.error()));
  Write(out, "-1 ", ErrnoName(result.error()), " (", ErrorText(result.error()), ")");
}

}  // namespace zrun::compat
