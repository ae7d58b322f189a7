// Options and ioctls.

#include "vfs/socket/unix_socket.h"

namespace zrun::vfs {
namespace {

constexpr int kSolSocket = 1;
// SO_*, <asm-generic/socket.h>
enum : int {
  kSoDebug = 1,
  kSoReuseAddr = 2,
  kSoType = 3,
  kSoError = 4,
  kSoDontRoute = 5,
  kSoBroadcast = 6,
  kSoSndBuf = 7,
  kSoRcvBuf = 8,
  kSoKeepAlive = 9,
  kSoOobInline = 10,
  kSoNoCheck = 11,
  kSoPriority = 12,
  kSoLinger = 13,
  kSoBsdCompat = 14,
  kSoReusePort = 15,
  kSoPassCred = 16,
  kSoPeerCred = 17,
  kSoRcvLowAt = 18,
  kSoSndLowAt = 19,
  kSoRcvTimeo = 20,
  kSoSndTimeo = 21,
  kSoPeerName = 28,
  kSoTimestamp = 29,
  kSoAcceptConn = 30,
  kSoSndBufForce = 32,
  kSoRcvBufForce = 33,
  kSoProtocol = 38,
  kSoDomain = 39,
  kSoRxqOvfl = 40,
  kSoWifiStatus = 41,
  kSoNoFcs = 43,
  kSoSelectErrQueue = 45,
  kSoRcvTimeoNew = 66,
  kSoSndTimeoNew = 67,
};
constexpr int kRemembered[] = {kSoDebug,      kSoReuseAddr, kSoDontRoute,     kSoBroadcast,
                               kSoKeepAlive,  kSoOobInline, kSoNoCheck,       kSoPriority,
                               kSoReusePort,  kSoRcvLowAt,  kSoTimestamp,     kSoRxqOvfl,
                               kSoWifiStatus, kSoNoFcs,     kSoSelectErrQueue};
constexpr hal::Nanoseconds kDoNotWait = -1;
constexpr uint32_t kMinSendBuffer = 4608, kMinReceiveBuffer = 2304, kMaxBuffer = 212992;
constexpr uint32_t kFionRead = 0x541b, kTiocOutQ = 0x5411;

struct TimeVal {
  int64_t seconds, microseconds;
};

template <typename T>
Result<size_t> Give(std::span<std::byte> out, const T& value) {
  const size_t size = std::min(out.size(), sizeof(T));
  __builtin_memcpy(out.data(), &value, size);
  return size;
}
template <typename T>
Result<T> Take(std::span<const std::byte> in) {
  if (in.size() < sizeof(T)) return Errno::kEINVAL;
  T value;
  __builtin_memcpy(&value, in.data(), sizeof(T));
  return value;
}

TimeVal ToTimeVal(hal::Nanoseconds time) {
  if (time < 0) return {0, 0};
  return {time / hal::kSecond, time % hal::kSecond / 1000};
}
Result<hal::Nanoseconds> FromTimeVal(std::span<const std::byte> in) {
  const TimeVal value = TRY(Take<TimeVal>(in));
  if (value.microseconds < 0 || value.microseconds >= 1'000'000) return Errno::kEDOM;
  if (value.seconds < 0) return kDoNotWait;
  if (value.seconds > INT64_MAX / hal::kSecond / 4) return 0;  // for ever
  return value.seconds * hal::kSecond + value.microseconds * 1000;
}

// What SO_SNDBUF and SO_RCVBUF make of a size: twice as much, for the kernel's own needs.
uint32_t BufferSize(int32_t wanted, uint32_t smallest, bool force) {
  uint32_t size = uint32_t(wanted);
  if (!force) size = std::min(size, kMaxBuffer);
  size = std::min(size, uint32_t(INT32_MAX / 2));
  return std::max(size * 2, smallest);
}

}  // namespace

int32_t* UnixSocket::FindRemembered(int name) {
  for (const int option : kRemembered)
    if (name == option) return &remembered_[size_t(option)];
  return nullptr;
}

Result<size_t> UnixSocket::GetOption(int level, int name, std::span<std::byte> value) {
  if (level != kSolSocket) return Errno::kEOPNOTSUPP;
  if (name == kSoPeerName) {
    const SocketAddress address = TRY(PeerAddress());
    if (value.size() < address.size) return Errno::kEINVAL;
    __builtin_memcpy(value.data(), address.bytes.data(), address.size);
    return address.size;
  }
  MutexLock lock(lock_);
  if (const int32_t* remembered = FindRemembered(name))
    return Give(value, name == kSoRcvLowAt ? std::max(*remembered, 1) : *remembered);
  switch (name) {
    case kSoType:
      return Give(value, int32_t(type_));
    case kSoError: {
      const int32_t error = int32_t(std::exchange(error_, Errno{}));
      Refresh();
      return Give(value, error);
    }
    case kSoSndBuf:
      return Give(value, int32_t(send_buffer_));
    case kSoRcvBuf:
      return Give(value, int32_t(receive_buffer_));
    case kSoLinger: {
      const int32_t linger[2] = {linger_on_, linger_seconds_};
      return Give(value, linger);
    }
    case kSoPassCred:
      return Give(value, int32_t(pass_credentials_.load()));
    case kSoPeerCred:
      return Give(value, peer_credentials_);
    case kSoSndLowAt:
      return Give(value, int32_t{1});
    case kSoRcvTimeo:
    case kSoRcvTimeoNew:
      return Give(value, ToTimeVal(receive_timeout_.load()));
    case kSoSndTimeo:
    case kSoSndTimeoNew:
      return Give(value, ToTimeVal(send_timeout_.load()));
    case kSoAcceptConn:
      return Give(value, int32_t(state_ == State::kListening));
    case kSoProtocol:
    case kSoBsdCompat:
      return Give(value, int32_t{0});
    case kSoDomain:
      return Give(value, int32_t{kFamilyUnix});
    default:
      return Errno::kENOPROTOOPT;
  }
}

Result<void> UnixSocket::SetOption(int level, int name, std::span<const std::byte> value,
                                   const SocketCaller& caller) {
  if (level != kSolSocket) return Errno::kEOPNOTSUPP;
  switch (name) {
    case kSoRcvTimeo:
    case kSoRcvTimeoNew:
      receive_timeout_.store(TRY(FromTimeVal(value)));
      return {};
    case kSoSndTimeo:
    case kSoSndTimeoNew:
      send_timeout_.store(TRY(FromTimeVal(value)));
      return {};
    case kSoType:
    case kSoError:
    case kSoPeerCred:
    case kSoAcceptConn:
    case kSoProtocol:
    case kSoDomain:
    case kSoSndLowAt:
      return Errno::kENOPROTOOPT;
    default:
      break;
  }
  const int32_t number = TRY(Take<int32_t>(value));
  const bool admin = caller.walk.credentials.Has(Capability::kNetAdmin);
  if ((name == kSoSndBufForce || name == kSoRcvBufForce || (name == kSoDebug && number)) && !admin)
    return name == kSoDebug ? Errno::kEACCES : Errno::kEPERM;
  MutexLock lock(lock_);
  if (int32_t* remembered = FindRemembered(name)) {
    *remembered = name == kSoPriority || name == kSoRcvLowAt ? std::max(number, 0) : number != 0;
    return {};
  }
  switch (name) {
    case kSoSndBuf:
    case kSoSndBufForce:
      send_buffer_ = BufferSize(number, kMinSendBuffer, name == kSoSndBufForce);
      Refresh();
      return {};
    case kSoRcvBuf:
    case kSoRcvBufForce:
      receive_buffer_ = BufferSize(number, kMinReceiveBuffer, name == kSoRcvBufForce);
      return {};
    case kSoLinger: {
      if (value.size() < 2 * sizeof(int32_t)) return Errno::kEINVAL;
      linger_on_ = number != 0;
      linger_seconds_ = TRY(Take<int32_t>(value.subspan(sizeof(int32_t))));
      return {};
    }
    case kSoBsdCompat:
      return {};  // gone, and taken as ever
    case kSoPassCred:
      pass_credentials_.store(number != 0);
      return {};
    default:
      return Errno::kENOPROTOOPT;
  }
}

Result<uint64_t> UnixSocket::Ioctl(uint32_t request, uint64_t argument, UserMemory& memory) {
  size_t count = 0;
  {
    MutexLock lock(lock_);
    if (request == kTiocOutQ) {
      count = charged_;
    } else if (request == kFionRead) {
      if (state_ == State::kListening) return Errno::kEINVAL;
      for (UnixMessage& message : queue_) {
        count += message.left();
        if (keeps_boundaries()) break;
      }
    } else {
      return Errno::kENOTTY;
    }
  }
  TRY(memory.Write(UserPtr<int32_t>(argument), int32_t(count)));
  return 0;
}

}  // namespace zrun::vfs
