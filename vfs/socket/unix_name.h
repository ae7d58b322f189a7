#pragma once
#include "vfs/socket/socket.h"

namespace zrun::vfs {

class UnixSocket;

// What a unix socket is bound to (unix(7)): a path, or an abstract name. Sockets that accept() made
// share their listener's.
class UnixName : public RefCounted<UnixName> {
 public:
  // EINVAL for an address that is no sockaddr_un, or has no name in it.
  static Result<RefPtr<UnixName>> Create(const SocketAddress& address);
  // "\0" and five hexadecimal digits.
  static Result<RefPtr<UnixName>> CreateAutomatic(uint32_t number);
  bool is_abstract() const { return address_.bytes[2] == std::byte{0}; }
  std::string_view path() const;      // not abstract
  std::string_view abstract() const;  // with its leading NUL
  const SocketAddress& address() const { return address_; }

 private:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> zrun::MakeRef(Args&&...);
  UnixName() = default;
  SocketAddress address_;
};

inline constexpr uint16_t kFamilyUnix = 1;
// An AF_UNIX address without a name: what unbound sockets have, and what asks for autobind.
SocketAddress UnnamedUnixAddress();
bool IsUnnamed(const SocketAddress& address);

// ---- Abstract names: a name space of their own, gone with their socket.
class AbstractNameNode : public ListNode<> {
 public:
  AbstractNameNode(UnixSocket& socket) : socket_(socket) {}

 private:
  friend class AbstractNames;
  UnixSocket& socket_;
  const UnixName* name_ = nullptr;
};
class AbstractNames {
 public:
  // False: the name is taken.
  static bool Add(const UnixName& name, AbstractNameNode& node);
  static void Remove(AbstractNameNode& node);
  // The socket of |type|: each has names of its own.
  static RefPtr<UnixSocket> Find(const UnixName& name, SocketType type);
};

}  // namespace zrun::vfs
