#include "compat/socket_call.h"

#include "compat/blocking.h"
#include "compat/time_argument.h"

namespace zrun::compat {
namespace {

constexpr MessageFlags kOurs = MessageFlags::kDontWait | MessageFlags::kNoSignal |
                               MessageFlags::kWaitForOne | MessageFlags::kCmsgCloseOnExec;

vfs::MessageFlags ForSocket(MessageFlags flags) { return vfs::MessageFlags(flags & ~kOurs); }

}  // namespace

Result<RefPtr<vfs::Socket>> FindSocket(Task& task, Fd fd) {
  return vfs::AsSocket(TRY(task.fds().Get(fd)));
}

Result<vfs::SocketAddress> ReadAddress(Task& task, UserPtr<const std::byte> from, int64_t size) {
  if (size < 0 || size > int64_t(vfs::SocketAddress::kMaxSize)) return Errno::kEINVAL;
  vfs::SocketAddress address{};
  address.size = size_t(size);
  TRY(task.memory().ReadAll(std::span(address.bytes).first(address.size), from));
  return address;
}

Result<void> WriteAddress(Task& task, const vfs::SocketAddress& address, UserPtr<std::byte> to,
                          UserPtr<int32_t> size) {
  const int32_t room = TRY(task.memory().Read(size));
  if (room < 0) return Errno::kEINVAL;
  const size_t length = std::min(size_t(room), address.size);
  TRY(task.memory().WriteAll(to, address.view().first(length)));
  return task.memory().Write(size, int32_t(address.size));
}

Result<SocketCallerOf> SocketCallerOf::Create(Task& task) {
  auto base = TRY(task.WalkFrom(Fd{kAtFdCwd}));
  return SocketCallerOf(std::move(base), task.group().pid(), task.fs().umask());
}

hal::Deadline SocketDeadline(hal::Nanoseconds timeout) {
  if (timeout < 0) return {0};
  return timeout == 0 ? hal::Deadline::Never() : DeadlineAfter(timeout);
}

Result<size_t> SendAll(Task& task, vfs::Socket& socket, vfs::SendMessage& message,
                       MessageFlags flags) {
  const auto caller = TRY(SocketCallerOf::Create(task));
  const bool nonblocking = socket.is_nonblocking() || HasAny(flags, MessageFlags::kDontWait);
  const auto deadline = SocketDeadline(socket.send_timeout());
  message.flags = ForSocket(flags);
  size_t total = 0;
  for (;;) {
    const auto sent = RetryUntilReady(
        task, socket, socket.write_signals(), nonblocking,
        [&] { return socket.Send(message, caller); }, deadline);
    if (!sent.ok()) {
      if (sent.error() == Errno::kEPIPE && !socket.keeps_boundaries() &&
          !HasAny(flags, MessageFlags::kNoSignal))
        task.SendSelf(abi::kSigPipe);
      if (total != 0) return total;
      return sent.error();
    }
    total += sent.value();
    if (socket.keeps_boundaries() || message.data.remaining() == 0 || sent.value() == 0)
      return total;
  }
}

Result<size_t> ReceiveSome(Task& task, vfs::Socket& socket, vfs::ReceiveMessage& message,
                           MessageFlags flags) {
  const bool nonblocking = socket.is_nonblocking() || HasAny(flags, MessageFlags::kDontWait);
  const auto deadline = SocketDeadline(socket.receive_timeout());
  const bool all = HasAny(flags, MessageFlags::kWaitAll) && !socket.keeps_boundaries() &&
                   !HasAny(flags, MessageFlags::kPeek);
  message.flags = ForSocket(flags);
  size_t total = 0;
  for (;;) {
    const auto received = RetryUntilReady(
        task, socket, socket.read_signals(), nonblocking, [&] { return socket.Receive(message); },
        deadline);
    if (!received.ok()) {
      if (total != 0) return total;
      return received.error();
    }
    total += received.value();
    // Descriptors end what one call receives.
    if (!all || received.value() == 0 || message.data.remaining() == 0 || !message.files.empty())
      return total;
  }
}

}  // namespace zrun::compat
