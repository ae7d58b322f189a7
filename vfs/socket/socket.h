#pragma once
#include "vfs/anonymous.h"
#include "vfs/file_description.h"
#include "vfs/namei.h"

namespace zrun::vfs {

// AF_*, SOCK_*, MSG_* and SO_* have Linux's values (<linux/socket.h>, <asm-generic/socket.h>).
enum class SocketType : uint16_t { kStream = 1, kDatagram = 2, kRaw = 3, kSeqPacket = 5 };
enum class MessageFlags : uint32_t {
  kNone = 0,
  kOutOfBand = 0x1,
  kPeek = 0x2,
  kDontRoute = 0x4,
  kControlTruncated = 0x8,
  kTruncated = 0x20,
  kDontWait = 0x40,
  kEndOfRecord = 0x80,
  kWaitAll = 0x100,
  kErrorQueue = 0x2000,
  kNoSignal = 0x4000,
  kMore = 0x8000,
};

// A sockaddr as the guest gives it: the family in its first two bytes, at most 128 bytes.
struct SocketAddress {
  static constexpr size_t kMaxSize = 128;
  std::array<std::byte, kMaxSize> bytes;
  size_t size = 0;
  std::span<const std::byte> view() const { return {bytes.data(), size}; }
  uint16_t family() const {
    return size < 2 ? 0 : uint16_t(unsigned(bytes[0]) | unsigned(bytes[1]) << 8);
  }
};

// struct ucred.
struct PeerCredentials {
  int32_t pid = 0;
  uint32_t uid = 0xffffffff, gid = 0xffffffff;
};

// Who makes a call, for names in the file system and for credentials.
struct SocketCaller {
  const WalkContext& walk;
  PeerCredentials credentials;  // pid, euid, egid: SO_PEERCRED
  PeerCredentials sender;       // pid, uid, gid: of messages
  uint32_t umask = 0;
};

struct SendMessage {
  DataSource& data;
  MessageFlags flags = MessageFlags::kNone;
  const SocketAddress* address = nullptr;  // null: the peer
  Vector<Handle> files = {};               // SCM_RIGHTS: moved from when it was sent
  // SCM_CREDENTIALS, checked by the caller.
  std::optional<PeerCredentials> credentials = {};
};
struct ReceiveMessage {
  DataSink& data;
  MessageFlags flags = MessageFlags::kNone;
  // ---- Out
  SocketAddress address = {};
  Vector<Handle> files = {};
  std::optional<PeerCredentials> credentials = {};  // set if SO_PASSCRED asks for them
  MessageFlags out_flags = MessageFlags::kNone;     // kTruncated, kEndOfRecord
  size_t full_size = 0;  // of the message, for MSG_TRUNC; what was received for streams
};

// A socket of any family. Nothing blocks: kEAGAIN, and the signals named say when to try again.
// MSG_DONTWAIT and MSG_NOSIGNAL are the caller's business; so is SIGPIPE on kEPIPE. A send on a
// stream may take less than it was given: a blocking caller goes on with the rest; so does a
// receive with MSG_WAITALL.
class Socket : public FileDescription {
 public:
  Kind kind() const final { return Kind::kSocket; }
  virtual uint16_t family() const = 0;
  virtual SocketType socket_type() const = 0;
  virtual int protocol() const { return 0; }
  // Whether messages are separate (datagram, seqpacket): one receive takes one.
  bool keeps_boundaries() const { return socket_type() != SocketType::kStream; }

  virtual Result<void> Bind(const SocketAddress& address, const SocketCaller& caller) = 0;
  // kEAGAIN: sleep for connect_signals() and call it again (non-blocking sockets return it to the
  // guest as the family prescribes).
  virtual Result<void> Connect(const SocketAddress& address, const SocketCaller& caller) = 0;
  virtual Signals connect_signals() const { return Signals::kUser | Signals::kError; }
  virtual Result<void> Listen(int backlog, const SocketCaller& caller) = 0;
  // kEAGAIN: sleep for read_signals(). The new file has |flags| (kNonBlock). |peer| receives its
  // address.
  virtual Result<RefPtr<FileDescription>> Accept(OpenFlags flags, SocketAddress& peer,
                                                 const SocketCaller& caller) = 0;
  virtual Result<size_t> Send(SendMessage& message, const SocketCaller& caller) = 0;
  virtual Result<size_t> Receive(ReceiveMessage& message) = 0;
  virtual Result<void> Shutdown(int how) = 0;  // SHUT_RD 0, SHUT_WR 1, SHUT_RDWR 2
  virtual Result<SocketAddress> LocalAddress() = 0;
  virtual Result<SocketAddress> PeerAddress() = 0;
  // |value| is the option's bytes. GetOption fills at most its size and returns the option's.
  virtual Result<size_t> GetOption(int level, int name, std::span<std::byte> value) = 0;
  virtual Result<void> SetOption(int level, int name, std::span<const std::byte> value,
                                 const SocketCaller& caller) = 0;
  // SO_RCVTIMEO and SO_SNDTIMEO: 0 means for ever, a negative one that nothing waits. After it, the
  // call gives kEAGAIN (connect: kEINPROGRESS).
  virtual hal::Nanoseconds receive_timeout() const = 0;
  virtual hal::Nanoseconds send_timeout() const = 0;
  hal::Deadline read_deadline(hal::Nanoseconds started) final {
    return DeadlineAfter(started, receive_timeout());
  }
  hal::Deadline write_deadline(hal::Nanoseconds started) final {
    return DeadlineAfter(started, send_timeout());
  }
  Result<size_t> ReadExpired(DataSink&) final { return Errno::kEAGAIN; }

 protected:
  using FileDescription::FileDescription;

 private:
  static hal::Deadline DeadlineAfter(hal::Nanoseconds started, hal::Nanoseconds timeout) {
    if (timeout == 0) return hal::Deadline::Never();
    if (timeout < 0) return {0};
    return {timeout < INT64_MAX - started ? started + timeout : INT64_MAX};
  }
};

struct SocketPair {
  RefPtr<Socket> first, second;
};
// socket(2) and socketpair(2), by family: vfs/socket/registry.cc has one line for each.
// EAFNOSUPPORT, ESOCKTNOSUPPORT, EPROTONOSUPPORT; EOPNOTSUPP for a pair of a family that has none.
// |type| without SOCK_NONBLOCK and SOCK_CLOEXEC; |flags|: kNonBlock.
Result<RefPtr<Socket>> CreateSocket(int family, int type, int protocol, OpenFlags flags,
                                    FileOwner owner);
Result<SocketPair> CreateSocketPair(int family, int type, int protocol, OpenFlags flags,
                                    FileOwner owner, const PeerCredentials& credentials);
// |file| as a socket, or ENOTSOCK.
Result<RefPtr<Socket>> AsSocket(const RefPtr<FileDescription>& file);

}  // namespace zrun::vfs
template <>
inline constexpr bool zrun::kIsFlags<zrun::vfs::MessageFlags> = true;
