#include "hal/host_files.h"

#include "hal/trap_x86_64/broker_protocol.h"
#include "hal/trap_x86_64/host_call.h"
#include "hal/trap_x86_64/machine.h"

// Names go to the supervisor's broker, contents through the descriptors that it hands in. A
// HostNode is a descriptor in the container's table; those with a name on the host also have the
// broker's number.
namespace zrun::hal {
namespace {

struct BrokerClient {
  HostMutex lock;
  BrokerRequest request GUARDED_BY(lock);
  BrokerReply reply GUARDED_BY(lock);
  // The broker's number of a descriptor; 0: none (an opened file).
  Vector<uint32_t> nodes GUARDED_BY(lock);
};
constinit BrokerClient* g_client = nullptr;
alignas(BrokerClient) constinit std::byte g_client_storage[sizeof(BrokerClient)] = {};
HostMutex g_client_creation;

BrokerClient& Client() {
  HostLock lock(g_client_creation);
  if (!g_client) g_client = new (g_client_storage) BrokerClient;
  return *g_client;
}

struct Message {  // struct msghdr
  void* name;
  uint32_t name_length;
  struct Vec {
    void* base;
    size_t length;
  } * vectors;
  size_t vector_count;
  void* control;
  size_t control_length;
  int32_t flags;
};

void CopyName(char (&to)[kBrokerNameMax], std::string_view name) {
  __builtin_memcpy(to, name.data(), name.size());
  to[name.size()] = '\0';
}

Result<void> Remember(BrokerClient& client, int fd, uint32_t node) REQUIRES(client.lock) {
  if (size_t(fd) >= client.nodes.size()) TRY(client.nodes.Resize(size_t(fd) + 16));
  client.nodes[size_t(fd)] = node;
  return {};
}
uint32_t NodeOf(BrokerClient& client, HostNode fd) REQUIRES(client.lock) {
  return size_t(fd) < client.nodes.size() ? client.nodes[size_t(fd)] : 0;
}

// Sends client.request with |text_size| bytes of text and waits for the answer; the descriptor that
// came with it, or -1.
Result<int> Exchange(BrokerClient& client, size_t text_size) REQUIRES(client.lock) {
  const size_t size = sizeof(BrokerRequest) - kBrokerTextMax + text_size;
  for (;;) {
    const int64_t sent =
        HostCallRaw(HostNumber::kSendto, uint64_t(Boot().broker_fd), uint64_t(&client.request),
                    size, 0x4000 /* MSG_NOSIGNAL */, 0, host_cookie << 32);
    if (sent == -int64_t(Errno::kEINTR)) continue;
    if (sent < 0) return Errno::kEIO;
    break;
  }
  if (client.request.operation == BrokerOperation::kClose) return -1;
  struct {
    size_t length;
    int32_t level, type;
    int32_t fd, padding;
  } control = {};
  Message::Vec vector = {&client.reply, sizeof client.reply};
  Message message = {nullptr, 0, &vector, 1, &control, sizeof control, 0};
  constexpr int kCmsgCloexec = 0x40000000;
  for (;;) {
    message.control_length = sizeof control;
    const int64_t received =
        HostCall(HostNumber::kRecvmsg, Boot().broker_fd, &message, kCmsgCloexec);
    if (received == -int64_t(Errno::kEINTR)) continue;
    if (received < int64_t(sizeof(BrokerReply) - kBrokerTextMax)) return Errno::kEIO;
    break;
  }
  const int fd = message.control_length >= 20 && control.type == 1 ? control.fd : -1;
  if (client.reply.error != 0) return Errno(uint16_t(client.reply.error));
  return fd;
}

// For operations on |node| by |name|.
Result<int> Ask(BrokerClient& client, BrokerOperation operation, HostNode node,
                std::string_view name, uint32_t value, HostNode other = kNoHostNode,
                std::string_view text = {}) REQUIRES(client.lock) {
  if (name.size() >= kBrokerNameMax || text.size() >= kBrokerTextMax) return Errno::kENAMETOOLONG;
  BrokerRequest& request = client.request;
  request.operation = operation;
  request.node = NodeOf(client, node);
  request.other = other == kNoHostNode ? 0 : NodeOf(client, other);
  request.value = value;
  CopyName(request.name, name);
  __builtin_memcpy(request.text, text.data(), text.size());
  request.text[text.size()] = '\0';
  return Exchange(client, text.size() + 1);
}

// The answer's descriptor found no place in the container's table: the broker need not keep its
// own.
Errno NoPlace(BrokerClient& client) REQUIRES(client.lock) {
  if (client.reply.node != 0) {
    client.request.operation = BrokerOperation::kClose;
    client.request.node = client.reply.node;
    static_cast<void>(Exchange(client, 1));
  }
  return Errno::kEMFILE;
}

Result<HostNode> AskForNode(BrokerOperation operation, HostNode node, std::string_view name,
                            uint32_t value) {
  BrokerClient& client = Client();
  HostLock lock(client.lock);
  const int fd = TRY(Ask(client, operation, node, name, value));
  if (fd < 0) return NoPlace(client);
  TRY(Remember(client, fd, client.reply.node));
  return fd;
}

Result<void> AskPlainly(BrokerOperation operation, HostNode node, std::string_view name,
                        uint32_t value = 0, HostNode other = kNoHostNode,
                        std::string_view text = {}) {
  BrokerClient& client = Client();
  HostLock lock(client.lock);
  TRY(Ask(client, operation, node, name, value, other, text));
  return {};
}

struct HostStat {
  uint64_t device, inode, links;
  uint32_t mode, uid, gid, padding;
  uint64_t rdev;
  int64_t size, block_size, blocks;
  int64_t atime, atime_ns, mtime, mtime_ns, ctime, ctime_ns;
  int64_t unused[3];
};

}  // namespace

bool GetHostVolume(unsigned index, HostVolume& out) {
  const BootRecord& boot = Boot();
  if (index >= boot.volume_count) return false;
  const BootVolume& volume = boot.volumes[index];
  BrokerClient& client = Client();
  HostLock lock(client.lock);
  if (!Remember(client, volume.root, volume.node).ok()) return false;
  out = {volume.root, std::string_view(boot.text + volume.target), volume.read_only != 0};
  return true;
}

Result<HostNode> HostLookup(HostNode directory, std::string_view name) {
  return AskForNode(BrokerOperation::kLookup, directory, name, 0);
}

Result<HostAttributes> HostGetAttributes(HostNode node) {
  HostStat stat = {};
  TRY(HostResult(HostCall(HostNumber::kFstat, node, &stat)));
  HostAttributes out = {};
  out.inode = stat.inode, out.size = uint64_t(stat.size), out.blocks = uint64_t(stat.blocks);
  out.mode = stat.mode, out.uid = stat.uid, out.gid = stat.gid, out.links = uint32_t(stat.links);
  out.device = stat.device, out.rdev = stat.rdev;
  out.atime = stat.atime * kSecond + stat.atime_ns;
  out.mtime = stat.mtime * kSecond + stat.mtime_ns;
  out.ctime = stat.ctime * kSecond + stat.ctime_ns;
  out.btime = out.ctime;
  return out;
}

Result<void> HostSetAttributes(HostNode node, const HostAttributeChange& change) {
  BrokerClient& client = Client();
  HostLock lock(client.lock);
  client.request.valid = change.valid;
  client.request.uid = change.uid;
  client.request.gid = change.gid;
  client.request.times[0] = change.atime;
  client.request.times[1] = change.mtime;
  TRY(Ask(client, BrokerOperation::kSetAttributes, node, {}, change.mode));
  return {};
}

Result<HostNode> HostCreate(HostNode directory, std::string_view name, uint32_t mode) {
  return AskForNode(BrokerOperation::kCreate, directory, name, mode);
}
Result<void> HostSymlink(HostNode directory, std::string_view name, std::string_view target) {
  return AskPlainly(BrokerOperation::kSymlink, directory, name, 0, kNoHostNode, target);
}
Result<void> HostLink(HostNode directory, std::string_view name, HostNode target) {
  return AskPlainly(BrokerOperation::kLink, directory, name, 0, target);
}
Result<void> HostUnlink(HostNode directory, std::string_view name, bool is_directory) {
  return AskPlainly(BrokerOperation::kUnlink, directory, name, is_directory ? 1 : 0);
}
Result<void> HostRename(HostNode from, std::string_view name, HostNode to,
                        std::string_view new_name, uint32_t flags) {
  return AskPlainly(BrokerOperation::kRename, from, name, flags, to, new_name);
}

Result<size_t> HostReadLink(HostNode node, std::span<char> target) {
  BrokerClient& client = Client();
  HostLock lock(client.lock);
  TRY(Ask(client, BrokerOperation::kReadLink, node, {}, 0));
  size_t size = client.reply.text_size;
  if (size > kBrokerTextMax) return Errno::kEIO;
  if (size > target.size()) size = target.size();
  __builtin_memcpy(target.data(), client.reply.text, size);
  return size;
}

Result<HostStatFs> HostGetStatFs(HostNode node) {
  struct {
    int64_t type, block_size;
    uint64_t blocks, free, available, files, files_free;
    int32_t id[2];
    int64_t name_length, fragment_size, flags, spare[4];
  } stat = {};
  TRY(HostResult(HostCall(HostNumber::kFstatfs, node, &stat)));
  return HostStatFs{uint64_t(stat.type), uint64_t(stat.block_size),
                    stat.blocks,         stat.free,
                    stat.available,      stat.files,
                    stat.files_free,     uint64_t(stat.name_length)};
}

void HostClose(HostNode node) {
  if (node < 0) return;
  {
    BrokerClient& client = Client();
    HostLock lock(client.lock);
    if (NodeOf(client, node) != 0) {
      static_cast<void>(Ask(client, BrokerOperation::kClose, node, {}, 0));
      client.nodes[size_t(node)] = 0;
    }
  }
  HostCall(HostNumber::kClose, node);
}

Result<HostNode> HostOpen(HostNode node, bool writable) {
  BrokerClient& client = Client();
  HostLock lock(client.lock);
  const int fd = TRY(Ask(client, BrokerOperation::kOpen, node, {}, writable ? 1 : 0));
  if (fd < 0) return NoPlace(client);
  TRY(Remember(client, fd, 0));
  return fd;
}

Result<size_t> HostRead(HostNode open_node, uint64_t offset, std::span<std::byte> buffer) {
  return HostSize(HostCall(HostNumber::kPread, open_node, buffer.data(), buffer.size(), offset));
}
Result<size_t> HostWrite(HostNode open_node, uint64_t offset, std::span<const std::byte> buffer) {
  return HostSize(HostCall(HostNumber::kPwrite, open_node, buffer.data(), buffer.size(), offset));
}
Result<void> HostTruncate(HostNode open_node, uint64_t size) {
  return HostResult(HostCall(HostNumber::kFtruncate, open_node, size));
}
Result<void> HostSync(HostNode open_node, bool data_only) {
  return HostResult(HostCall(data_only ? HostNumber::kFdatasync : HostNumber::kFsync, open_node));
}
Result<void> HostAllocate(HostNode open_node, uint32_t mode, uint64_t offset, uint64_t size) {
  return HostResult(HostCall(HostNumber::kFallocate, open_node, mode, offset, size));
}
Result<uint64_t> HostSeek(HostNode open_node, uint64_t offset, int whence) {
  return HostSize(HostCall(HostNumber::kLseek, open_node, offset, whence));
}

namespace {

struct HostFlock {  // struct flock
  int16_t type, whence;
  int64_t start, length;
  int32_t process_id;
};
enum : int16_t { kHostReadLock = 0, kHostWriteLock = 1, kHostUnlock = 2 };

HostFlock ToHostFlock(const HostLockRange& range) {
  HostFlock lock = {};
  lock.type = range.kind == HostLockKind::kNone     ? kHostUnlock
              : range.kind == HostLockKind::kShared ? kHostReadLock
                                                    : kHostWriteLock;
  lock.start = int64_t(range.first);
  lock.length = range.length();
  return lock;
}

}  // namespace

Result<void> HostLockBytes(HostNode open_node, const HostLockRange& range) {
  constexpr int kOfdSetLock = 37;
  const HostFlock lock = ToHostFlock(range);
  return HostResult(HostCall(HostNumber::kFcntl, open_node, kOfdSetLock, &lock));
}

Result<HostLockConflict> HostFindLock(HostNode open_node, const HostLockRange& range) {
  constexpr int kOfdGetLock = 36;
  HostFlock lock = ToHostFlock(range);
  TRY(HostResult(HostCall(HostNumber::kFcntl, open_node, kOfdGetLock, &lock)));
  HostLockConflict found = {};
  if (lock.type == kHostUnlock) return found;
  found.kind = lock.type == kHostReadLock ? HostLockKind::kShared : HostLockKind::kExclusive;
  found.SetStart(lock.start, lock.length);
  found.of_process = lock.process_id != -1;
  return found;
}

Result<void> HostLockFile(HostNode open_node, HostLockKind kind) {
  constexpr int kShared = 1, kExclusive = 2, kNonBlocking = 4, kUnlock = 8;
  const int operation = kind == HostLockKind::kNone     ? kUnlock
                        : kind == HostLockKind::kShared ? kShared | kNonBlocking
                                                        : kExclusive | kNonBlocking;
  return HostResult(HostCall(HostNumber::kFlock, open_node, operation));
}

Result<size_t> HostReadDirectory(HostNode open_node, uint64_t& cursor,
                                 std::span<std::byte> buffer) {
  // The position is the open file's: a node is opened for one reader at a time.
  TRY(HostSize(HostCall(HostNumber::kLseek, open_node, cursor, 0)));
  const size_t size =
      TRY(HostSize(HostCall(HostNumber::kGetdents64, open_node, buffer.data(), buffer.size())));
  cursor = TRY(HostSize(HostCall(HostNumber::kLseek, open_node, 0, 1)));
  return size;
}

namespace {
// The host's inotify file, once somebody watches.
constinit std::atomic<int32_t> g_changes_fd{-1};
}  // namespace

int HostChangesFd() { return g_changes_fd.load(std::memory_order_acquire); }

Result<int32_t> HostWatch(HostNode node, uint32_t events) {
  BrokerClient& client = Client();
  HostLock lock(client.lock);
  if (HostChangesFd() < 0) {
    const int fd = TRY(Ask(client, BrokerOperation::kOpenChanges, kNoHostNode, {}, 0));
    if (fd < 0) return NoPlace(client);
    g_changes_fd.store(fd, std::memory_order_release);
    WakeReactor();
  }
  TRY(Ask(client, BrokerOperation::kWatch, node, {}, events));
  return int32_t(client.reply.node);
}

void HostUnwatch(int32_t watch) {
  BrokerClient& client = Client();
  HostLock lock(client.lock);
  client.request = {};
  client.request.operation = BrokerOperation::kUnwatch;
  client.request.node = uint32_t(watch);
  static_cast<void>(Exchange(client, 1));
}

// The broker answers in order; this answer is that there is no such watch.
void HostSettle() { HostUnwatch(-1); }

Result<size_t> HostReadChanges(std::span<std::byte> buffer) {
  if (HostChangesFd() < 0) return size_t{0};
  const int64_t size = HostCall(HostNumber::kRead, HostChangesFd(), buffer.data(), buffer.size());
  if (size == -int64_t(Errno::kEAGAIN)) return size_t{0};
  return HostSize(size);
}

Result<PhysRange> HostFileBank(HostNode open_node) {
  return PhysRange{kFileBank | paddr_t(uint32_t(open_node)) << kFileBankShift,
                   uint64_t{1} << kFileBankShift};
}

}  // namespace zrun::hal
