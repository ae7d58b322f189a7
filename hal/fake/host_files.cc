#include "hal/host_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <string>
#include <vector>

#include "hal/fake/fake.h"
#include "hal/fake/internal.h"

namespace zrun::hal {
namespace {

constexpr paddr_t kBankBase = paddr_t{1} << 45;
constexpr uint64_t kBankStride = paddr_t{1} << 36;

struct Volume {
  int root;
  std::string target;
  bool read_only;
};
struct Bank {
  std::byte* memory;
  uint64_t size;
};
std::mutex g_mutex;
std::vector<Volume> g_volumes;
std::map<HostNode, paddr_t> g_bank_of;
std::map<paddr_t, Bank> g_banks;

Errno LastError() { return Errno(errno); }
Result<void> Check(int result) {
  if (result < 0) return LastError();
  return {};
}
Result<size_t> CheckSize(ssize_t result) {
  if (result < 0) return LastError();
  return size_t(result);
}
Result<HostNode> CheckNode(int descriptor) {
  if (descriptor < 0) return LastError();
  return HostNode{descriptor};
}
// By this name a node opened with O_PATH can be used where a descriptor of a file is needed.
std::string PathOf(HostNode node) { return "/proc/self/fd/" + std::to_string(node); }
std::string Text(std::string_view text) { return std::string(text); }
Nanoseconds ToNanoseconds(const statx_timestamp& time) {
  return time.tv_sec * kSecond + time.tv_nsec;
}
bool IsSingle(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos;
}

}  // namespace

bool GetHostVolume(unsigned index, HostVolume& out) {
  std::lock_guard lock(g_mutex);
  if (index >= g_volumes.size()) return false;
  out = {g_volumes[index].root, g_volumes[index].target, g_volumes[index].read_only};
  return true;
}

Result<HostNode> HostLookup(HostNode directory, std::string_view name) {
  if (!IsSingle(name)) return Errno::kEINVAL;
  return CheckNode(openat(directory, Text(name).c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
}

Result<HostAttributes> HostGetAttributes(HostNode node) {
  struct statx status;
  TRY(Check(statx(node, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &status)));
  return HostAttributes{
      .inode = status.stx_ino,
      .size = status.stx_size,
      .blocks = status.stx_blocks,
      .mode = status.stx_mode,
      .uid = status.stx_uid,
      .gid = status.stx_gid,
      .links = status.stx_nlink,
      .device = makedev(status.stx_dev_major, status.stx_dev_minor),
      .rdev = makedev(status.stx_rdev_major, status.stx_rdev_minor),
      .atime = ToNanoseconds(status.stx_atime),
      .mtime = ToNanoseconds(status.stx_mtime),
      .ctime = ToNanoseconds(status.stx_ctime),
      .btime = ToNanoseconds(status.stx_btime),
  };
}

Result<void> HostSetAttributes(HostNode node, const HostAttributeChange& change) {
  if (change.valid & HostAttributeChange::kMode)
    TRY(Check(chmod(PathOf(node).c_str(), change.mode)));
  if (change.valid & (HostAttributeChange::kUid | HostAttributeChange::kGid)) {
    const uid_t uid = change.valid & HostAttributeChange::kUid ? change.uid : uid_t(-1);
    const gid_t gid = change.valid & HostAttributeChange::kGid ? change.gid : gid_t(-1);
    TRY(Check(fchownat(node, "", uid, gid, AT_EMPTY_PATH)));
  }
  if (change.valid & (HostAttributeChange::kAtime | HostAttributeChange::kMtime)) {
    timespec times[2] = {{change.atime / kSecond, change.atime % kSecond},
                         {change.mtime / kSecond, change.mtime % kSecond}};
    if (!(change.valid & HostAttributeChange::kAtime)) times[0].tv_nsec = UTIME_OMIT;
    if (!(change.valid & HostAttributeChange::kMtime)) times[1].tv_nsec = UTIME_OMIT;
    TRY(Check(utimensat(AT_FDCWD, PathOf(node).c_str(), times, 0)));
  }
  return {};
}

Result<HostNode> HostCreate(HostNode directory, std::string_view name, uint32_t mode) {
  if (name.empty() && S_ISREG(mode))
    return CheckNode(open(PathOf(directory).c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, mode & 07777));
  if (!IsSingle(name)) return Errno::kEINVAL;
  if (S_ISDIR(mode)) {
    TRY(Check(mkdirat(directory, Text(name).c_str(), mode & 07777)));
  } else {
    TRY(Check(mknodat(directory, Text(name).c_str(), mode, 0)));
  }
  return HostLookup(directory, name);
}

Result<void> HostSymlink(HostNode directory, std::string_view name, std::string_view target) {
  return Check(symlinkat(Text(target).c_str(), directory, Text(name).c_str()));
}

Result<void> HostLink(HostNode directory, std::string_view name, HostNode target) {
  return Check(
      linkat(AT_FDCWD, PathOf(target).c_str(), directory, Text(name).c_str(), AT_SYMLINK_FOLLOW));
}

Result<void> HostUnlink(HostNode directory, std::string_view name, bool is_directory) {
  return Check(unlinkat(directory, Text(name).c_str(), is_directory ? AT_REMOVEDIR : 0));
}

Result<void> HostRename(HostNode from, std::string_view name, HostNode to,
                        std::string_view new_name, uint32_t flags) {
  return Check(
      int(syscall(SYS_renameat2, from, Text(name).c_str(), to, Text(new_name).c_str(), flags)));
}

Result<size_t> HostReadLink(HostNode node, std::span<char> target) {
  return CheckSize(readlinkat(node, "", target.data(), target.size()));
}

Result<HostStatFs> HostGetStatFs(HostNode node) {
  struct statfs status;
  TRY(Check(fstatfs(node, &status)));
  return HostStatFs{uint64_t(status.f_type), uint64_t(status.f_bsize),  status.f_blocks,
                    status.f_bfree,          status.f_bavail,           status.f_files,
                    status.f_ffree,          uint64_t(status.f_namelen)};
}

void HostClose(HostNode node) {
  std::lock_guard lock(g_mutex);
  if (auto it = g_bank_of.find(node); it != g_bank_of.end()) {
    const Bank bank = g_banks[it->second];
    munmap(bank.memory, bank.size);
    g_banks.erase(it->second);
    g_bank_of.erase(it);
  }
  close(node);
}

Result<HostNode> HostOpen(HostNode node, bool writable) {
  return CheckNode(
      open(PathOf(node).c_str(), (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK));
}

Result<size_t> HostRead(HostNode open_node, uint64_t offset, std::span<std::byte> buffer) {
  return CheckSize(pread(open_node, buffer.data(), buffer.size(), off_t(offset)));
}

Result<size_t> HostWrite(HostNode open_node, uint64_t offset, std::span<const std::byte> buffer) {
  return CheckSize(pwrite(open_node, buffer.data(), buffer.size(), off_t(offset)));
}

Result<size_t> HostReadToUser(HostNode open_node, uint64_t offset, vaddr_t to, size_t size) {
  std::vector<std::byte> bytes(std::min(size, kMostMovedDirectly));
  const size_t got = TRY(HostRead(open_node, offset, bytes));
  const size_t copied = CopyToUser(to, bytes.data(), got);
  if (copied == 0 && got > 0) return Errno::kEFAULT;
  return copied;
}

Result<size_t> HostWriteFromUser(HostNode open_node, uint64_t offset, vaddr_t from, size_t size) {
  std::vector<std::byte> bytes(std::min(size, kMostMovedDirectly));
  bytes.resize(CopyFromUser(bytes.data(), from, bytes.size()));
  if (bytes.empty() && size > 0) return Errno::kEFAULT;
  return HostWrite(open_node, offset, bytes);
}

Result<void> HostTruncate(HostNode open_node, uint64_t size) {
  return Check(ftruncate(open_node, off_t(size)));
}

Result<void> HostSync(HostNode open_node, bool data_only) {
  return Check(data_only ? fdatasync(open_node) : fsync(open_node));
}

Result<void> HostAllocate(HostNode open_node, uint32_t mode, uint64_t offset, uint64_t size) {
  return Check(fallocate(open_node, int(mode), off_t(offset), off_t(size)));
}

Result<uint64_t> HostSeek(HostNode open_node, uint64_t offset, int whence) {
  const off_t found = lseek(open_node, off_t(offset), whence);
  if (found < 0) return LastError();
  return uint64_t(found);
}

namespace {

struct flock ToFlock(const HostLockRange& range) {
  struct flock lock = {};
  lock.l_type = range.kind == HostLockKind::kNone     ? F_UNLCK
                : range.kind == HostLockKind::kShared ? F_RDLCK
                                                      : F_WRLCK;
  lock.l_start = off_t(range.first);
  lock.l_len = off_t(range.length());
  return lock;
}

}  // namespace

Result<void> HostLockBytes(HostNode open_node, const HostLockRange& range) {
  const struct flock lock = ToFlock(range);
  return Check(fcntl(open_node, F_OFD_SETLK, &lock));
}

Result<HostLockConflict> HostFindLock(HostNode open_node, const HostLockRange& range) {
  struct flock lock = ToFlock(range);
  TRY(Check(fcntl(open_node, F_OFD_GETLK, &lock)));
  HostLockConflict found = {};
  if (lock.l_type == F_UNLCK) return found;
  found.kind = lock.l_type == F_RDLCK ? HostLockKind::kShared : HostLockKind::kExclusive;
  found.SetStart(lock.l_start, lock.l_len);
  found.of_process = lock.l_pid != -1;
  return found;
}

Result<void> HostLockFile(HostNode open_node, HostLockKind kind) {
  const int operation = kind == HostLockKind::kNone     ? LOCK_UN
                        : kind == HostLockKind::kShared ? LOCK_SH
                                                        : LOCK_EX;
  return Check(flock(open_node, operation | LOCK_NB));
}

Result<size_t> HostReadDirectory(HostNode open_node, uint64_t& cursor,
                                 std::span<std::byte> buffer) {
  if (lseek(open_node, off_t(cursor), SEEK_SET) < 0) return LastError();
  const long read = syscall(SYS_getdents64, open_node, buffer.data(), buffer.size());
  if (read < 0) return LastError();
  for (long done = 0; done < read;) {
    const auto* entry = reinterpret_cast<const dirent64*>(buffer.data() + done);
    cursor = uint64_t(entry->d_off);
    done += entry->d_reclen;
  }
  return size_t(read);
}

namespace {
int ChangesFd() {
  static const int descriptor = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  return descriptor;
}
}  // namespace

Result<int32_t> HostWatch(HostNode node, uint32_t events) {
  return CheckNode(inotify_add_watch(ChangesFd(), PathOf(node).c_str(), events));
}
void HostUnwatch(int32_t watch) { inotify_rm_watch(ChangesFd(), watch); }
void HostSettle() {}
Result<size_t> HostReadChanges(std::span<std::byte> buffer) {
  const ssize_t size = read(ChangesFd(), buffer.data(), buffer.size());
  return size < 0 ? size_t{0} : size_t(size);
}

Result<PhysRange> HostFileBank(HostNode open_node) {
  constexpr uint64_t kWindow = uint64_t{1} << 30;
  std::lock_guard lock(g_mutex);
  if (auto it = g_bank_of.find(open_node); it != g_bank_of.end())
    return PhysRange{it->second, g_banks[it->second].size};
  const int access =
      (fcntl(open_node, F_GETFL) & O_ACCMODE) == O_RDWR ? PROT_READ | PROT_WRITE : PROT_READ;
  void* memory = mmap(nullptr, kWindow, access, MAP_SHARED, open_node, 0);
  if (memory == MAP_FAILED) return LastError();
  const paddr_t base = kBankBase + uint64_t(open_node) * kBankStride;
  g_bank_of[open_node] = base;
  g_banks[base] = {static_cast<std::byte*>(memory), kWindow};
  return PhysRange{base, kWindow};
}

namespace fake {

std::byte* HostFilePointer(paddr_t address) {
  std::lock_guard lock(g_mutex);
  auto it = g_banks.upper_bound(address);
  if (it == g_banks.begin()) return nullptr;
  --it;
  return address - it->first < it->second.size ? it->second.memory + (address - it->first)
                                               : nullptr;
}

void AddVolume(const std::string& directory, const std::string& target, bool read_only) {
  std::lock_guard lock(g_mutex);
  g_volumes.push_back(
      {open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC), target, read_only});
}

void RemoveVolumes() {
  std::lock_guard lock(g_mutex);
  for (const Volume& volume : g_volumes) close(volume.root);
  g_volumes.clear();
}

}  // namespace fake
}  // namespace zrun::hal
