#include "vfs/procfs/proc_entry.h"
#include "vfs/socket/unix_socket.h"

// /proc/net/unix.
namespace zrun::vfs {
namespace {

constexpr uint32_t kAcceptsConnections = 0x10000;  // __SO_ACCEPTCON
// SS_*, <linux/net.h>
enum : uint32_t { kUnconnected = 1, kConnecting = 2, kConnected = 3 };

uint32_t StateOf(const UnixSocket::Facts& facts) {
  if (!facts.accepted) return kConnecting;
  return facts.connected ? kConnected : kUnconnected;
}

void WriteName(TextSink& out, const UnixName& name) {
  out.Append(" ");
  if (!name.is_abstract()) return out.Append(name.path());
  for (char c : name.abstract()) Write(out, c == 0 ? '@' : c);
}

}  // namespace

Result<void> ShowUnixSockets(const ProcRequest&, TextSink& out) {
  const auto sockets = TRY(UnixSocket::ListAll());
  out.Append("Num       RefCount Protocol Flags    Type St Inode Path\n");
  for (const auto& socket : sockets) {
    const auto facts = socket->GetFacts();
    Write(out, Hex{socket->koid(), 16}, ": ", Hex{facts.references, 8}, " 00000000 ",
          Hex{facts.listens ? kAcceptsConnections : 0, 8}, ' ', Hex{uint64_t(facts.type), 4}, ' ',
          Hex{StateOf(facts), 2}, ' ', Pad{int64_t(facts.inode), 5});
    if (facts.name) WriteName(out, *facts.name);
    out.Append("\n");
  }
  return {};
}

}  // namespace zrun::vfs
