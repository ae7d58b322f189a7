#pragma once
#include <cstdint>

// What the kernel asks the supervisor to do with host files, one message each way on a
// SOCK_SEQPACKET socket. Nodes are the broker's own numbers: it resolves single names beneath a
// node it gave out, and nothing else.
namespace zrun::hal {

enum class BrokerOperation : uint32_t {
  kLookup,         // node, name -> node + O_PATH descriptor
  kOpen,           // node, value = writable -> descriptor
  kCreate,         // node, name (none: an unnamed file), value = mode -> node + O_PATH descriptor
  kSymlink,        // node, name, name2 = target
  kLink,           // node, name, other = what
  kUnlink,         // node, name, value = is a directory
  kRename,         // node, name, other = new directory, name2, value = flags
  kReadLink,       // node -> text
  kSetAttributes,  // node, times[], value = mode, uid, gid, valid
  kOpenChanges,    // -> descriptor, to read of what is watched
  kWatch,          // node, value = events -> watch in place of a node
  kUnwatch,        // node = watch
  kClose,          // node; no answer
};

inline constexpr uint32_t kBrokerNameMax = 256, kBrokerTextMax = 4096;

struct BrokerRequest {
  BrokerOperation operation;
  uint32_t node, other;
  uint32_t value;
  uint32_t valid, uid, gid;
  int64_t times[2];
  char name[kBrokerNameMax];
  char text[kBrokerTextMax];  // the second name, or a target; sent as long as it is
};
struct BrokerReply {
  int32_t error;  // 0, or a Linux errno
  uint32_t node;
  uint32_t text_size;
  char text[kBrokerTextMax];
};

}  // namespace zrun::hal
