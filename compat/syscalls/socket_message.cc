// Messages over sockets: send*(2), recv*(2), with descriptors and credentials.
#include "compat/socket_call.h"
#include "compat/syscall_table.h"
#include "compat/time_argument.h"
#include "compat/user_buffer.h"

namespace zrun::compat {
namespace {

constexpr int32_t kSolSocket = 1, kScmRights = 1, kScmCredentials = 2;
constexpr size_t kMaxFiles = 253;         // SCM_MAX_FD
constexpr uint64_t kMaxControl = 131072;  // net.core.optmem_max
constexpr uint64_t kMaxVectors = 1024;
constexpr uint32_t kMaxMessages = 1024;

// ---- Control messages that go out.

Result<void> CheckCredentials(Task& task, const abi::Ucred& ucred) {
  const auto own = task.credentials();
  if (ucred.pid != task.group().pid() && !own->Has(vfs::Capability::kSysAdmin))
    return Errno::kEPERM;
  const bool uid_ok = ucred.uid == own->uid || ucred.uid == own->euid || ucred.uid == own->suid;
  if (!uid_ok && !own->Has(vfs::Capability::kSetUid)) return Errno::kEPERM;
  const bool gid_ok = ucred.gid == own->gid || ucred.gid == own->egid || ucred.gid == own->sgid;
  if (!gid_ok && !own->Has(vfs::Capability::kSetGid)) return Errno::kEPERM;
  // Also of a thread, a group or a session.
  MutexLock lock(task.kernel().lock());
  const PidTable& pids = task.kernel().pids();
  const bool exists = pids.FindTask(ucred.pid) || pids.FindGroup(ucred.pid) ||
                      pids.FindProcessGroup(ucred.pid) || pids.FindSession(ucred.pid);
  if (!exists) return Errno::kESRCH;
  return {};
}

Result<void> AddRights(Task& task, UserPtr<const int32_t> numbers, size_t count,
                       vfs::SendMessage& message) {
  if (message.files.size() + count > kMaxFiles) return Errno::kEINVAL;
  for (size_t i = 0; i < count; i++) {
    const int32_t fd = TRY(task.memory().Read(numbers.at(i)));
    TRY(message.files.PushBack(TRY(task.fds().GetHandle(Fd{fd}))));
  }
  return {};
}

Result<void> ReadControl(Task& task, uint64_t address, uint64_t size, vfs::SendMessage& message) {
  if (size > kMaxControl) return Errno::kENOBUFS;
  constexpr uint64_t kHeader = sizeof(abi::Cmsghdr);
  for (uint64_t at = 0; size - at >= kHeader;) {
    const auto header = TRY(task.memory().Read(UserPtr<const abi::Cmsghdr>(address + at)));
    if (header.length < kHeader || header.length > size - at) return Errno::kEINVAL;
    const uint64_t data = address + at + kHeader;
    const uint64_t length = header.length - kHeader;
    if (header.level == kSolSocket && header.type == kScmRights) {
      TRY(AddRights(task, UserPtr<const int32_t>(data), length / sizeof(int32_t), message));
    } else if (header.level == kSolSocket && header.type == kScmCredentials) {
      if (length != sizeof(abi::Ucred)) return Errno::kEINVAL;
      const auto ucred = TRY(task.memory().Read(UserPtr<const abi::Ucred>(data)));
      TRY(CheckCredentials(task, ucred));
      message.credentials = vfs::PeerCredentials{ucred.pid, ucred.uid, ucred.gid};
    } else if (header.level == kSolSocket) {
      return Errno::kEINVAL;
    }
    const uint64_t next = abi::CmsgAlign(header.length);
    if (next > size - at) break;
    at += next;
  }
  return {};
}

SyscallResult SendOne(Task& task, vfs::Socket& socket, const abi::Msghdr& header,
                      MessageFlags flags) {
  if (int32_t(header.name_length) < 0) return Errno::kEINVAL;
  if (header.vector_count > kMaxVectors) return Errno::kEMSGSIZE;
  vfs::SocketAddress address{};
  const bool has_address = header.name != 0 && header.name_length != 0;
  if (has_address) {
    const auto size = std::min<size_t>(header.name_length, vfs::SocketAddress::kMaxSize);
    address = TRY(ReadAddress(task, UserPtr<const std::byte>(header.name), int64_t(size)));
  }
  const auto vectors = TRY(
      ReadIovecs(task.memory(), UserPtr<const abi::Iovec>(header.vectors), header.vector_count));
  UserSource source(task.memory(), vectors);
  vfs::SendMessage message{.data = source, .address = has_address ? &address : nullptr};
  if (header.control != 0) TRY(ReadControl(task, header.control, header.control_length, message));
  return TRY(SendAll(task, socket, message, flags));
}

// ---- Control messages that come in.

class ControlWriter {
 public:
  ControlWriter(Task& task, uint64_t address, uint64_t size)
      : task_(task), address_(address), size_(size) {}
  uint64_t used() const { return used_; }
  bool truncated() const { return truncated_; }
  // How many bytes of data another message may have.
  uint64_t room() const {
    const uint64_t left = size_ - used_;
    return left < sizeof(abi::Cmsghdr) ? 0 : left - sizeof(abi::Cmsghdr);
  }
  void Truncate() { truncated_ = true; }
  Result<void> Add(int32_t type, std::span<const std::byte> data) {
    if (size_ - used_ < sizeof(abi::Cmsghdr)) {
      truncated_ = true;
      return {};
    }
    const uint64_t length = std::min<uint64_t>(data.size(), room());
    if (length < data.size()) truncated_ = true;
    const abi::Cmsghdr header{sizeof(abi::Cmsghdr) + length, kSolSocket, type};
    TRY(task_.memory().Write(UserPtr<abi::Cmsghdr>(address_ + used_), header));
    TRY(task_.memory().WriteAll(UserPtr<std::byte>(address_ + used_ + sizeof header),
                                data.first(length)));
    used_ += std::min(abi::CmsgAlign(header.length), size_ - used_);
    return {};
  }

 private:
  Task& task_;
  const uint64_t address_;
  const uint64_t size_;
  uint64_t used_ = 0;
  bool truncated_ = false;
};

// Gives the received files numbers; those for which there is no room are closed.
Result<void> WriteRights(Task& task, ControlWriter& control, Vector<Handle>& files,
                         bool close_on_exec) {
  if (files.empty()) return {};
  Vector<int32_t> numbers;
  TRY(numbers.Reserve(files.size()));
  const uint64_t most = control.room() / sizeof(int32_t);
  for (Handle& file : files) {
    if (numbers.size() == most) {
      control.Truncate();
      break;
    }
    const auto fd =
        task.fds().Add(std::move(file), close_on_exec, task.group().limits().soft(Limit::kFiles));
    if (!fd.ok()) {
      control.Truncate();
      break;
    }
    TRY(numbers.PushBack(fd.value().value));
  }
  if (numbers.empty()) return {};
  return control.Add(kScmRights, std::as_bytes(std::span<const int32_t>(numbers)));
}

// What recvmsg writes back into its msghdr.
struct Received {
  size_t size = 0;
  uint32_t name_length = 0;
  uint64_t control_length = 0;
  MessageFlags flags{};
};

Result<Received> ReceiveOne(Task& task, vfs::Socket& socket, const abi::Msghdr& header,
                            MessageFlags flags) {
  if (int32_t(header.name_length) < 0) return Errno::kEINVAL;
  if (header.vector_count > kMaxVectors) return Errno::kEMSGSIZE;
  const auto vectors = TRY(
      ReadIovecs(task.memory(), UserPtr<const abi::Iovec>(header.vectors), header.vector_count));
  UserSink sink(task.memory(), vectors);
  vfs::ReceiveMessage message{.data = sink};
  Received received;
  received.size = TRY(ReceiveSome(task, socket, message, flags));
  if (HasAny(flags, MessageFlags::kTruncated) && socket.keeps_boundaries())
    received.size = message.full_size;
  if (header.name != 0) {
    const size_t length = std::min<size_t>(message.address.size, header.name_length);
    TRY(task.memory().WriteAll(UserPtr<std::byte>(header.name),
                               message.address.view().first(length)));
  }
  received.name_length = uint32_t(message.address.size);
  ControlWriter control(task, header.control, header.control ? header.control_length : 0);
  if (message.credentials) {
    const abi::Ucred ucred{message.credentials->pid, message.credentials->uid,
                           message.credentials->gid};
    TRY(control.Add(kScmCredentials, std::as_bytes(std::span(&ucred, 1))));
  }
  TRY(WriteRights(task, control, message.files, HasAny(flags, MessageFlags::kCmsgCloseOnExec)));
  received.control_length = control.used();
  received.flags = MessageFlags(message.out_flags) | (flags & MessageFlags::kCmsgCloseOnExec);
  if (control.truncated()) received.flags |= MessageFlags::kControlTruncated;
  return received;
}

Result<size_t> ReceiveInto(Task& task, vfs::Socket& socket, UserPtr<abi::Msghdr> pointer,
                           MessageFlags flags) {
  const auto header = TRY(task.memory().Read(pointer));
  const auto received = TRY(ReceiveOne(task, socket, header, flags));
  UserMemory memory = task.memory();
  if (header.name != 0)
    TRY(memory.Write(pointer.as<uint32_t>(offsetof(abi::Msghdr, name_length)),
                     received.name_length));
  TRY(memory.Write(pointer.as<uint32_t>(offsetof(abi::Msghdr, flags)), uint32_t(received.flags)));
  TRY(memory.Write(pointer.as<uint64_t>(offsetof(abi::Msghdr, control_length)),
                   received.control_length));
  return received.size;
}

}  // namespace

SyscallResult sys_sendto(Task& task, Fd fd, UserPtr<const std::byte> buffer, uint64_t size,
                         MessageFlags flags, UserPtr<const std::byte> address,
                         int32_t address_size) {
  const auto socket = TRY(FindSocket(task, fd));
  vfs::SocketAddress to{};
  if (address) to = TRY(ReadAddress(task, address, address_size));
  UserSource source(task.memory(), buffer, size);
  vfs::SendMessage message{.data = source, .address = address ? &to : nullptr};
  return TRY(SendAll(task, *socket, message, flags));
}

SyscallResult sys_recvfrom(Task& task, Fd fd, UserPtr<std::byte> buffer, uint64_t size,
                           MessageFlags flags, UserPtr<std::byte> address,
                           UserPtr<int32_t> address_size) {
  const auto socket = TRY(FindSocket(task, fd));
  UserSink sink(task.memory(), buffer, size);
  vfs::ReceiveMessage message{.data = sink};
  size_t received = TRY(ReceiveSome(task, *socket, message, flags));
  if (HasAny(flags, MessageFlags::kTruncated) && socket->keeps_boundaries())
    received = message.full_size;
  if (address) TRY(WriteAddress(task, message.address, address, address_size));
  return received;
}

SyscallResult sys_sendmsg(Task& task, Fd fd, UserPtr<const abi::Msghdr> header,
                          MessageFlags flags) {
  const auto socket = TRY(FindSocket(task, fd));
  return SendOne(task, *socket, TRY(task.memory().Read(header)), flags);
}

SyscallResult sys_recvmsg(Task& task, Fd fd, UserPtr<abi::Msghdr> header, MessageFlags flags) {
  const auto socket = TRY(FindSocket(task, fd));
  return TRY(ReceiveInto(task, *socket, header, flags));
}

SyscallResult sys_sendmmsg(Task& task, Fd fd, UserPtr<abi::Mmsghdr> messages, uint32_t count,
                           MessageFlags flags) {
  const auto socket = TRY(FindSocket(task, fd));
  uint32_t done = 0;
  for (; done < std::min(count, kMaxMessages); done++) {
    const auto item = messages.at(done);
    const auto header = task.memory().Read(item.as<const abi::Msghdr>());
    SyscallResult sent =
        header.ok() ? SendOne(task, *socket, header.value(), flags) : SyscallResult(header.error());
    if (sent.ok()) {
      const auto written = task.memory().Write(item.as<uint32_t>(offsetof(abi::Mmsghdr, length)),
                                               uint32_t(sent.value()));
      if (written.ok()) continue;
      if (done == 0) return written.error();
      break;
    }
    if (done == 0) return sent.error();
    break;
  }
  return done;
}

// recvmmsg(2), BUGS: the timeout is looked at after each message only.
SyscallResult sys_recvmmsg(Task& task, Fd fd, UserPtr<abi::Mmsghdr> messages, uint32_t count,
                           MessageFlags flags, UserPtr<abi::Timespec> timeout) {
  const auto deadline = TRY(ReadTimeout(task, timeout));
  const auto socket = TRY(FindSocket(task, fd));
  uint32_t done = 0;
  while (done < std::min(count, kMaxMessages)) {
    const auto item = messages.at(done);
    const auto received =
        ReceiveInto(task, *socket, item.as<abi::Msghdr>(), flags & ~MessageFlags::kWaitForOne);
    if (!received.ok()) {
      if (done == 0) return received.error();
      break;
    }
    TRY(task.memory().Write(item.as<uint32_t>(offsetof(abi::Mmsghdr, length)),
                            uint32_t(received.value())));
    done++;
    if (HasAny(flags, MessageFlags::kWaitForOne)) flags |= MessageFlags::kDontWait;
    if (timeout && deadline.at <= hal::MonotonicNow()) break;
  }
  if (timeout) TRY(task.memory().Write(timeout, ToTimespec(TimeLeft(deadline))));
  return done;
}

}  // namespace zrun::compat
