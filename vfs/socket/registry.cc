#include "vfs/socket/socket.h"
#include "vfs/socket/unix_socket.h"

namespace zrun::vfs {
namespace {

// One line per address family; a network stack adds its own here.
struct SocketFamily {
  int family;
  Result<SocketType> (*check)(int type, int protocol);
  Result<RefPtr<Socket>> (*create)(SocketType type, int protocol, OpenFlags flags, FileOwner owner);
  Result<SocketPair> (*create_pair)(SocketType type, OpenFlags flags, FileOwner owner,
                                    const PeerCredentials& credentials);  // null: EOPNOTSUPP
};

Result<SocketType> CheckUnix(int type, int protocol) {
  if (protocol != 0 && protocol != kFamilyUnix) return Errno::kEPROTONOSUPPORT;
  switch (SocketType(type)) {
    case SocketType::kStream:
    case SocketType::kDatagram:
    case SocketType::kSeqPacket:
      return SocketType(type);
    case SocketType::kRaw:
      return SocketType::kDatagram;  // as Linux has it
  }
  return Errno::kESOCKTNOSUPPORT;
}
Result<RefPtr<Socket>> CreateUnix(SocketType type, int, OpenFlags flags, FileOwner owner) {
  return TRY(UnixSocket::Create(type, flags, owner));
}

constexpr SocketFamily kFamilies[] = {
    {kFamilyUnix, CheckUnix, CreateUnix, UnixSocket::CreatePair},
};

Result<const SocketFamily*> FindFamily(int number) {
  for (const SocketFamily& family : kFamilies)
    if (family.family == number) return &family;
  return Errno::kEAFNOSUPPORT;
}

}  // namespace

Result<RefPtr<Socket>> CreateSocket(int family, int type, int protocol, OpenFlags flags,
                                    FileOwner owner) {
  const SocketFamily* const entry = TRY(FindFamily(family));
  return entry->create(TRY(entry->check(type, protocol)), protocol, flags, owner);
}

Result<SocketPair> CreateSocketPair(int family, int type, int protocol, OpenFlags flags,
                                    FileOwner owner, const PeerCredentials& credentials) {
  const SocketFamily* const entry = TRY(FindFamily(family));
  if (!entry->create_pair) return Errno::kEOPNOTSUPP;
  return entry->create_pair(TRY(entry->check(type, protocol)), flags, owner, credentials);
}

Result<RefPtr<Socket>> AsSocket(const RefPtr<FileDescription>& file) {
  if (!file || file->kind() != FileDescription::Kind::kSocket) return Errno::kENOTSOCK;
  return RefPtr<Socket>(static_cast<Socket*>(file.get()));
}

}  // namespace zrun::vfs
