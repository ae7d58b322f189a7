#include "runtime-cli/broker.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <system_error>

namespace zrun {
namespace {

struct HostErrno {
  int value;
};
template <typename T>
T Check(T result) {
  if (result < 0) throw HostErrno{errno};
  return result;
}

std::string ProcPath(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

// A single component, and not one that leads elsewhere.
const char* CheckName(const std::string& name) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
    throw HostErrno{EINVAL};
  return name.c_str();
}

UniqueFd OpenBeneath(int directory, const char* name) {
  open_how how = {};
  how.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
  long fd = syscall(SYS_openat2, directory, name, &how, sizeof how);
  // A symbolic link itself may be named; RESOLVE_NO_SYMLINKS with O_PATH|O_NOFOLLOW allows that.
  return UniqueFd(int(Check(fd)));
}

// The set-id bits of a file that a guest makes would give whoever runs it on the host the rights of
// who started zrun. A directory's only say whose the files in it are.
mode_t HarmlessMode(mode_t mode, bool is_directory) {
  return mode & (is_directory ? 07777 : 01777);
}

}  // namespace

Broker::Broker() {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
    throw std::system_error(errno, std::generic_category(), "socketpair");
  supervisor_end_ = UniqueFd(pair[0]);
  container_end_ = UniqueFd(pair[1]);
}

uint32_t Broker::Add(UniqueFd fd, bool read_only) {
  while (nodes_.count(next_node_) || next_node_ == 0) next_node_++;
  nodes_.emplace(next_node_, Node{std::move(fd), read_only});
  return next_node_++;
}

uint32_t Broker::AddRoot(UniqueFd root, bool read_only) { return Add(std::move(root), read_only); }

Broker::Node& Broker::Find(uint32_t node) {
  const auto found = nodes_.find(node);
  if (found == nodes_.end()) throw HostErrno{ESTALE};
  return found->second;
}

Broker::Node& Broker::FindWritable(uint32_t number) {
  Node& node = Find(number);
  if (node.read_only) throw HostErrno{EROFS};
  return node;
}

int Broker::GiveOut(UniqueFd fd, bool read_only, hal::BrokerReply& reply) {
  const int number = fd.get();
  reply.node = Add(std::move(fd), read_only);
  return number;
}

void Broker::SetAttributes(Node& node, const hal::BrokerRequest& request) {
  enum : uint32_t { kMode = 1, kUid = 2, kGid = 4, kAtime = 8, kMtime = 16 };
  const int fd = node.fd.get();
  if (request.valid & (kUid | kGid)) {
    Check(fchownat(fd, "", request.valid & kUid ? request.uid : uid_t(-1),
                   request.valid & kGid ? request.gid : gid_t(-1), AT_EMPTY_PATH));
  }
  if (request.valid & kMode) {
    struct stat status;
    Check(fstat(fd, &status));
    const mode_t mode = HarmlessMode(request.value, S_ISDIR(status.st_mode));
    Check(chmod(ProcPath(fd).c_str(), mode));
  }
  if (request.valid & (kAtime | kMtime)) {
    timespec times[2] = {};
    for (int i = 0; i < 2; i++) {
      const bool set = request.valid & (i == 0 ? kAtime : kMtime);
      int64_t seconds = request.times[i] / 1000000000, nanoseconds = request.times[i] % 1000000000;
      if (nanoseconds < 0) seconds--, nanoseconds += 1000000000;
      times[i].tv_sec = seconds;
      times[i].tv_nsec = set ? nanoseconds : UTIME_OMIT;
    }
    Check(utimensat(AT_FDCWD, ProcPath(fd).c_str(), times, 0));
  }
}

int Broker::Perform(const hal::BrokerRequest& request, const std::string& text,
                    hal::BrokerReply& reply) {
  using Operation = hal::BrokerOperation;
  const std::string name(request.name, strnlen(request.name, sizeof request.name - 1));
  switch (request.operation) {
    case Operation::kLookup: {
      Node& node = Find(request.node);
      return GiveOut(OpenBeneath(node.fd.get(), CheckName(name)), node.read_only, reply);
    }
    case Operation::kOpen: {
      Node& node = request.value ? FindWritable(request.node) : Find(request.node);
      struct stat status;
      Check(fstat(node.fd.get(), &status));
      // Opening anything else has effects on the host: devices, FIFOs, sockets stay names.
      if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) throw HostErrno{EACCES};
      const int flags = S_ISDIR(status.st_mode) ? O_RDONLY | O_DIRECTORY
                        : request.value         ? O_RDWR
                                                : O_RDONLY;
      return Check(
          open(ProcPath(node.fd.get()).c_str(), flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    }
    case Operation::kCreate: {
      Node& node = FindWritable(request.node);
      const int directory = node.fd.get();
      const mode_t mode = HarmlessMode(request.value, S_ISDIR(request.value));
      if (name.empty()) {
        if (!S_ISREG(request.value)) throw HostErrno{EINVAL};
        const UniqueFd made(
            Check(open(ProcPath(directory).c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, mode)));
        return GiveOut(UniqueFd(Check(open(ProcPath(made.get()).c_str(), O_PATH | O_CLOEXEC))),
                       false, reply);
      }
      const char* component = CheckName(name);
      switch (request.value & S_IFMT) {
        case S_IFREG:
          UniqueFd(Check(openat(directory, component,
                                O_CREAT | O_EXCL | O_RDONLY | O_NOFOLLOW | O_CLOEXEC, mode)));
          break;
        case S_IFDIR:
          Check(mkdirat(directory, component, mode));
          break;
        case S_IFIFO:
        case S_IFSOCK:
          Check(mknodat(directory, component, (request.value & S_IFMT) | mode, 0));
          break;
        default:
          throw HostErrno{EPERM};
      }
      return GiveOut(OpenBeneath(directory, component), false, reply);
    }
    case Operation::kSymlink:
      Check(symlinkat(text.c_str(), FindWritable(request.node).fd.get(), CheckName(name)));
      return -1;
    case Operation::kLink:
      Check(linkat(AT_FDCWD, ProcPath(FindWritable(request.other).fd.get()).c_str(),
                   FindWritable(request.node).fd.get(), CheckName(name), AT_SYMLINK_FOLLOW));
      return -1;
    case Operation::kUnlink:
      Check(unlinkat(FindWritable(request.node).fd.get(), CheckName(name),
                     request.value ? AT_REMOVEDIR : 0));
      return -1;
    case Operation::kRename:
      Check(renameat2(FindWritable(request.node).fd.get(), CheckName(name),
                      FindWritable(request.other).fd.get(), CheckName(text), request.value));
      return -1;
    case Operation::kReadLink:
      reply.text_size = uint32_t(
          Check(readlinkat(Find(request.node).fd.get(), "", reply.text, sizeof reply.text)));
      return -1;
    case Operation::kSetAttributes:
      SetAttributes(FindWritable(request.node), request);
      return -1;
    case Operation::kOpenChanges:
      if (!changes_.is_valid()) changes_ = UniqueFd(Check(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)));
      return changes_.get();
    case Operation::kWatch:
      reply.node = uint32_t(
          Check(inotify_add_watch(changes_.get(), ProcPath(Find(request.node).fd.get()).c_str(),
                                  request.value & IN_ALL_EVENTS)));
      return -1;
    case Operation::kUnwatch:
      Check(inotify_rm_watch(changes_.get(), int(request.node)));
      return -1;
    case Operation::kClose:
      nodes_.erase(request.node);
      return -1;
  }
  throw HostErrno{ENOSYS};
}

void Broker::Serve() {
  for (;;) {
    hal::BrokerRequest request = {};
    const ssize_t size = recv(supervisor_end_.get(), &request, sizeof request, MSG_DONTWAIT);
    if (size < ssize_t(offsetof(hal::BrokerRequest, text))) return;
    const std::string text(
        request.text, strnlen(request.text, size_t(size) - offsetof(hal::BrokerRequest, text)));
    hal::BrokerReply reply = {};
    int fd = -1;
    try {
      fd = Perform(request, text, reply);
    } catch (const HostErrno& error) {
      reply.error = error.value;
    } catch (const std::bad_alloc&) {
      reply.error = ENOMEM;
    }
    if (request.operation == hal::BrokerOperation::kClose) continue;
    iovec vector = {&reply, offsetof(hal::BrokerReply, text) + reply.text_size};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message = {};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    if (fd >= 0) {
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      *header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
      std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    sendmsg(supervisor_end_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    // What was opened is the container's now; nodes stay here.
    if (request.operation == hal::BrokerOperation::kOpen && fd >= 0) close(fd);
  }
}

}  // namespace zrun
