#pragma once
#include "compat/abi/socket.h"
#include "compat/file_params.h"
#include "compat/task.h"
#include "vfs/socket/socket.h"

// What socket calls share; compat/syscalls/socket*.cc.
namespace zrun::compat {

// EBADF, ENOTSOCK.
Result<RefPtr<vfs::Socket>> FindSocket(Task& task, Fd fd);
// A sockaddr of |size| bytes: EINVAL if it cannot be one.
Result<vfs::SocketAddress> ReadAddress(Task& task, UserPtr<const std::byte> from, int64_t size);
// A value-result sockaddr: writes what fits in |*size| bytes, and the full size. EINVAL, EFAULT.
Result<void> WriteAddress(Task& task, const vfs::SocketAddress& address, UserPtr<std::byte> to,
                          UserPtr<int32_t> size);

// The caller as vfs wants to know it.
class SocketCallerOf {
 public:
  static Result<SocketCallerOf> Create(Task& task);
  operator vfs::SocketCaller() const { return {base_.context, credentials_, sender_, umask_}; }

 private:
  SocketCallerOf(Task::WalkBase base, int32_t pid, uint32_t umask)
      : base_(std::move(base)),
        credentials_{pid, base_.credentials->euid, base_.credentials->egid},
        sender_{pid, base_.credentials->uid, base_.credentials->gid},
        umask_(umask) {}
  Task::WalkBase base_;
  vfs::PeerCredentials credentials_, sender_;
  uint32_t umask_;
};

// A message that goes out, as a blocking socket sends it: all of a stream's data, SIGPIPE.
Result<size_t> SendAll(Task& task, vfs::Socket& socket, vfs::SendMessage& message,
                       MessageFlags flags);
// One that comes in: waits for the first bytes, for all of a stream's with MSG_WAITALL.
Result<size_t> ReceiveSome(Task& task, vfs::Socket& socket, vfs::ReceiveMessage& message,
                           MessageFlags flags);

// SO_RCVTIMEO and SO_SNDTIMEO: 0 is for ever, what is negative is over.
hal::Deadline SocketDeadline(hal::Nanoseconds timeout);

}  // namespace zrun::compat
