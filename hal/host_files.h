#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"
#include "hal/clock.h"
#include "hal/memory.h"

// Directory trees of the machine's host that the launcher shares (zrun -v): trap asks the
// supervisor's broker, which resolves names beneath the tree and nowhere else. A node is an open
// reference to a file of a tree; every node returned must be closed.
namespace zrun::hal {

using HostNode = int32_t;
inline constexpr HostNode kNoHostNode = -1;

struct HostAttributes {
  uint64_t inode, size, blocks;  // blocks of 512 bytes
  uint32_t mode, uid, gid, links;
  uint64_t device, rdev;
  Nanoseconds atime, mtime, ctime, btime;
};
struct HostStatFs {
  uint64_t type, block_size, blocks, blocks_free, blocks_available, files, files_free, name_max;
};
struct HostAttributeChange {
  enum : uint32_t { kMode = 1, kUid = 2, kGid = 4, kAtime = 8, kMtime = 16 };
  uint32_t valid = 0;
  uint32_t mode = 0, uid = 0, gid = 0;
  Nanoseconds atime = 0, mtime = 0;
};

// What the launcher shares: volume |index|'s root node, its place in the container and whether it
// is read-only. Returns false past the last.
struct HostVolume {
  HostNode root;
  std::string_view target;
  bool read_only;
};
bool GetHostVolume(unsigned index, HostVolume& out);

// Names are single components; symbolic links are never followed.
Result<HostNode> HostLookup(HostNode directory, std::string_view name);
Result<HostAttributes> HostGetAttributes(HostNode node);
Result<void> HostSetAttributes(HostNode node, const HostAttributeChange& change);
// |mode| holds the type too (S_IFREG, S_IFDIR, S_IFIFO, S_IFSOCK); EEXIST if the name is taken.
// No name: an unnamed regular file (O_TMPFILE), which HostLink may name.
Result<HostNode> HostCreate(HostNode directory, std::string_view name, uint32_t mode);
Result<void> HostSymlink(HostNode directory, std::string_view name, std::string_view target);
Result<void> HostLink(HostNode directory, std::string_view name, HostNode target);
Result<void> HostUnlink(HostNode directory, std::string_view name, bool is_directory);
// |flags| are renameat2's.
Result<void> HostRename(HostNode from, std::string_view name, HostNode to,
                        std::string_view new_name, uint32_t flags);
Result<size_t> HostReadLink(HostNode node, std::span<char> target);
Result<HostStatFs> HostGetStatFs(HostNode node);
void HostClose(HostNode node);

// Regular files and directories must be opened before their contents can be reached. The result is
// a node of its own. |writable| asks for write access too.
Result<HostNode> HostOpen(HostNode node, bool writable);
Result<size_t> HostRead(HostNode open_node, uint64_t offset, std::span<std::byte> buffer);
Result<size_t> HostWrite(HostNode open_node, uint64_t offset, std::span<const std::byte> buffer);
// The same between the file and the current thread's guest memory, without a copy between: as far
// as the machine's host can reach the pages as they are. EFAULT where it cannot: hal::CopyToUser()
// and what resolves its faults may. At most kMostMovedDirectly bytes at once.
inline constexpr size_t kMostMovedDirectly = 256 * 1024;
Result<size_t> HostReadToUser(HostNode open_node, uint64_t offset, vaddr_t to, size_t size);
Result<size_t> HostWriteFromUser(HostNode open_node, uint64_t offset, vaddr_t from, size_t size);
Result<void> HostTruncate(HostNode open_node, uint64_t size);
Result<void> HostSync(HostNode open_node, bool data_only);
// |mode| is fallocate's.
Result<void> HostAllocate(HostNode open_node, uint32_t mode, uint64_t offset, uint64_t size);
// SEEK_DATA or SEEK_HOLE.
Result<uint64_t> HostSeek(HostNode open_node, uint64_t offset, int whence);
// Fills |buffer| with linux_dirent64 records from position |cursor| (0 first), which it moves.
Result<size_t> HostReadDirectory(HostNode open_node, uint64_t& cursor, std::span<std::byte> buffer);
// Advisory locks of the open node as the host's other programs see them: of bytes |first| to |last|
// (INT64_MAX: to the end of all files), which fcntl(F_OFD_SETLK) knows, and flock(2)'s of the whole
// file. They belong to the open node and go when it is closed. Never block: EAGAIN.
enum class HostLockKind : uint8_t { kNone, kShared, kExclusive };
struct HostLockRange {
  HostLockKind kind;
  uint64_t first, last;
  // As struct flock has it: 0 reaches to the end of all files.
  int64_t length() const { return last == INT64_MAX ? 0 : int64_t(last - first + 1); }
  void SetStart(int64_t start, int64_t length) {
    first = uint64_t(start);
    last = length == 0 ? uint64_t(INT64_MAX) : uint64_t(start + length - 1);
  }
};
Result<void> HostLockBytes(HostNode open_node, const HostLockRange& range);
Result<void> HostLockFile(HostNode open_node, HostLockKind kind);
// Another's lock of bytes that is in the way of |range| (fcntl(F_OFD_GETLK)); kNone: none is.
// |of_process|: fcntl(F_SETLK)'s rather than an open file's.
struct HostLockConflict : HostLockRange {
  bool of_process;
};
Result<HostLockConflict> HostFindLock(HostNode open_node, const HostLockRange& range);

// Watches the node's file or directory for |events| (inotify(7)'s bits), whoever makes them: ENOSPC
// if the host has no more watches. A file has one watch, whichever node it is asked for through.
Result<int32_t> HostWatch(HostNode node, uint32_t events);
void HostUnwatch(int32_t watch);
// Waits until the host has done what it does after it has answered: its changes of what was asked
// for before are there to be read.
void HostSettle();
// What has come since the last time, as struct inotify_event records; 0 bytes: nothing. A
// MachineEvent (kHostChanges) says when to ask.
Result<size_t> HostReadChanges(std::span<std::byte> buffer);

// The file as a bank of physical memory: pages of it can be mapped with AddressSpace, not reached
// through PhysToVirt. Valid until the node is closed; mapping beyond the file's end faults as
// SIGBUS.
Result<PhysRange> HostFileBank(HostNode open_node);

}  // namespace zrun::hal
