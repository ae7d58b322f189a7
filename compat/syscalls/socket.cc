// Making and connecting sockets, and their options.
#include "compat/blocking.h"
#include "compat/owner.h"
#include "compat/socket_call.h"
#include "compat/syscall_table.h"

namespace zrun::compat {
namespace {

constexpr auto kTypeMask = SocketType(0xf);
constexpr size_t kMaxOption = 4096;
constexpr uint32_t kSoMaxConn = 4096;  // net.core.somaxconn
constexpr uint16_t kFamilyUnix = 1;

struct NewSocket {
  int type;
  OpenFlags flags;  // kNonBlock
  bool close_on_exec;
};
Result<NewSocket> ParseType(SocketType type) {
  const SocketType flags = type & ~kTypeMask;
  if (!HasOnly(flags, SocketType::kNonBlock | SocketType::kCloseOnExec)) return Errno::kEINVAL;
  return NewSocket{int(type & kTypeMask), OpenFlags(uint32_t(flags & SocketType::kNonBlock)),
                   HasAny(flags, SocketType::kCloseOnExec)};
}

}  // namespace

SyscallResult sys_socket(Task& task, SocketDomain domain, SocketType type, int32_t protocol) {
  const auto wanted = TRY(ParseType(type));
  auto socket = TRY(vfs::CreateSocket(int(domain), wanted.type, protocol, wanted.flags,
                                      OwnerOf(*task.credentials())));
  return task.InstallFile(std::move(socket), wanted.close_on_exec);
}

SyscallResult sys_socketpair(Task& task, SocketDomain domain, SocketType type, int32_t protocol,
                             UserPtr<int32_t> fds) {
  const auto wanted = TRY(ParseType(type));
  auto first = TRY(ReservedFd::Create(task));
  auto second = TRY(ReservedFd::Create(task));
  const int32_t numbers[2] = {first.fd().value, second.fd().value};
  TRY(task.memory().WriteArray(fds, std::span<const int32_t>(numbers)));
  const auto credentials = task.credentials();
  const auto pair = TRY(
      vfs::CreateSocketPair(int(domain), wanted.type, protocol, wanted.flags, OwnerOf(*credentials),
                            {task.group().pid(), credentials->euid, credentials->egid}));
  first.Publish(pair.first, wanted.close_on_exec);
  second.Publish(pair.second, wanted.close_on_exec);
  return 0;
}

SyscallResult sys_bind(Task& task, Fd fd, UserPtr<const std::byte> address, int32_t size) {
  const auto socket = TRY(FindSocket(task, fd));
  const auto name = TRY(ReadAddress(task, address, size));
  TRY(socket->Bind(name, TRY(SocketCallerOf::Create(task))));
  return 0;
}

SyscallResult sys_connect(Task& task, Fd fd, UserPtr<const std::byte> address, int32_t size) {
  const auto socket = TRY(FindSocket(task, fd));
  const auto name = TRY(ReadAddress(task, address, size));
  const auto caller = TRY(SocketCallerOf::Create(task));
  const bool nonblocking = socket->is_nonblocking();
  const auto connected = RetryUntilReady(
      task, *socket, socket->connect_signals(), nonblocking,
      [&] { return socket->Connect(name, caller); }, SocketDeadline(socket->send_timeout()));
  if (connected.ok()) return 0;
  const bool timed_out = connected.error() == Errno::kEAGAIN && !nonblocking;
  return timed_out && socket->family() != kFamilyUnix ? Errno::kEINPROGRESS : connected.error();
}

SyscallResult sys_listen(Task& task, Fd fd, int32_t backlog) {
  const auto socket = TRY(FindSocket(task, fd));
  TRY(socket->Listen(int(std::min(uint32_t(backlog), kSoMaxConn)),
                     TRY(SocketCallerOf::Create(task))));
  return 0;
}

SyscallResult sys_accept4(Task& task, Fd fd, UserPtr<std::byte> address, UserPtr<int32_t> size,
                          SocketType flags) {
  if (!HasOnly(flags, SocketType::kNonBlock | SocketType::kCloseOnExec)) return Errno::kEINVAL;
  const auto socket = TRY(FindSocket(task, fd));
  auto reserved = TRY(ReservedFd::Create(task));
  const auto caller = TRY(SocketCallerOf::Create(task));
  vfs::SocketAddress peer{};
  const auto open_flags = OpenFlags(uint32_t(flags & SocketType::kNonBlock));
  const auto accepted = TRY(RetryUntilReady(
      task, *socket, socket->read_signals(), socket->is_nonblocking(),
      [&] { return socket->Accept(open_flags, peer, caller); },
      SocketDeadline(socket->receive_timeout())));
  if (address) TRY(WriteAddress(task, peer, address, size));
  return reserved.Publish(accepted, HasAny(flags, SocketType::kCloseOnExec));
}

SyscallResult sys_accept(Task& task, Fd fd, UserPtr<std::byte> address, UserPtr<int32_t> size) {
  return sys_accept4(task, fd, address, size, SocketType{});
}

SyscallResult sys_shutdown(Task& task, Fd fd, ShutdownHow how) {
  const auto socket = TRY(FindSocket(task, fd));
  if (uint32_t(how) > uint32_t(ShutdownHow::kBoth)) return Errno::kEINVAL;
  TRY(socket->Shutdown(int(how)));
  return 0;
}

SyscallResult sys_getsockname(Task& task, Fd fd, UserPtr<std::byte> address,
                              UserPtr<int32_t> size) {
  const auto name = TRY(TRY(FindSocket(task, fd))->LocalAddress());
  TRY(WriteAddress(task, name, address, size));
  return 0;
}

SyscallResult sys_getpeername(Task& task, Fd fd, UserPtr<std::byte> address,
                              UserPtr<int32_t> size) {
  const auto name = TRY(TRY(FindSocket(task, fd))->PeerAddress());
  TRY(WriteAddress(task, name, address, size));
  return 0;
}

SyscallResult sys_getsockopt(Task& task, Fd fd, int32_t level, int32_t option,
                             UserPtr<std::byte> value, UserPtr<int32_t> size) {
  const auto socket = TRY(FindSocket(task, fd));
  const int32_t room = TRY(task.memory().Read(size));
  if (room < 0) return Errno::kEINVAL;
  Vector<std::byte> bytes;
  TRY(bytes.Resize(std::min(size_t(room), kMaxOption)));
  const size_t length = TRY(socket->GetOption(level, option, bytes));
  const size_t shown = std::min(length, bytes.size());
  TRY(task.memory().WriteAll(value, std::span<const std::byte>(bytes.data(), shown)));
  TRY(task.memory().Write(size, int32_t(shown)));
  return 0;
}

SyscallResult sys_setsockopt(Task& task, Fd fd, int32_t level, int32_t option,
                             UserPtr<const std::byte> value, int32_t size) {
  if (size < 0) return Errno::kEINVAL;
  const auto socket = TRY(FindSocket(task, fd));
  Vector<std::byte> bytes;
  TRY(bytes.Resize(std::min(size_t(size), kMaxOption)));
  TRY(task.memory().ReadAll(bytes, value));
  TRY(socket->SetOption(level, option, bytes, TRY(SocketCallerOf::Create(task))));
  return 0;
}

}  // namespace zrun::compat
