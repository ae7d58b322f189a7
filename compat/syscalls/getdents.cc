// Reading directories.
#include "compat/abi/file.h"
#include "compat/syscall_table.h"
#include "compat/task.h"

namespace zrun::compat {
namespace {

// One call gives at most so much: entries are gathered in the kernel, because the file system holds
// its locks while it lists them.
constexpr size_t kMostAtOnce = 32768;

enum class DirentFormat { kOld, k64 };

// Packs entries as struct linux_dirent or linux_dirent64.
class DirentPacker final : public vfs::DirentSink {
 public:
  DirentPacker(std::span<std::byte> buffer, DirentFormat format)
      : buffer_(buffer), format_(format) {}
  bool Add(uint64_t inode, vfs::VnodeType type, std::string_view name,
           uint64_t next_cursor) override {
    const bool old = format_ == DirentFormat::kOld;
    const size_t name_offset = old ? abi::kDirentNameOffset : abi::kDirent64NameOffset;
    // The old format's type is its last byte, after the name's NUL.
    const size_t length = (name_offset + name.size() + (old ? 2 : 1) + 7) & ~size_t{7};
    if (length > buffer_.size() - used_) {
      full_ = true;
      return false;
    }
    std::byte* record = buffer_.data() + used_;
    __builtin_memset(record, 0, length);
    const uint16_t short_length = uint16_t(length);
    __builtin_memcpy(record, &inode, 8);
    __builtin_memcpy(record + 8, &next_cursor, 8);
    __builtin_memcpy(record + 16, &short_length, 2);
    record[old ? length - 1 : 18] = std::byte(type);
    __builtin_memcpy(record + name_offset, name.data(), name.size());
    used_ += length;
    return true;
  }
  size_t used() const { return used_; }
  bool is_full() const { return full_; }

 private:
  std::span<std::byte> buffer_;
  const DirentFormat format_;
  size_t used_ = 0;
  bool full_ = false;
};

// The entries that lie wholly in |packed|; |cursor| is that of the first.
struct WholePart {
  size_t size;
  uint64_t next_cursor;
};
WholePart WholeEntries(std::span<const std::byte> packed, uint64_t cursor) {
  WholePart part{0, cursor};
  constexpr size_t kLengthEnd = 18;
  while (packed.size() - part.size >= kLengthEnd) {
    uint64_t next;
    uint16_t length;
    __builtin_memcpy(&next, packed.data() + part.size + 8, 8);
    __builtin_memcpy(&length, packed.data() + part.size + 16, 2);
    if (length > packed.size() - part.size) break;
    part.size += length;
    part.next_cursor = next;
  }
  return part;
}

SyscallResult ListDirectory(Task& task, Fd fd, UserPtr<std::byte> buffer, uint32_t size,
                            DirentFormat format) {
  const auto file = TRY(task.fds().Get(fd));
  const auto vnode = file->path().vnode();
  if (!vnode || vnode->type() != vfs::VnodeType::kDirectory) return Errno::kENOTDIR;
  const auto dentry = file->path().dentry;
  if (dentry && dentry->is_unlinked()) return Errno::kENOENT;
  Vector<std::byte> entries;
  // A size that is negative as an int has room for nothing.
  const size_t room = size > INT32_MAX ? 0 : std::min<size_t>(size, kMostAtOnce);
  TRY(entries.Resize(room));
  const uint64_t start = TRY(file->Seek(0, int(Whence::kCurrent)));
  DirentPacker packer(entries, format);
  TRY(file->ReadDirectory(packer));
  if (packer.used() == 0) {
    if (packer.is_full()) return Errno::kEINVAL;  // not even one entry fits
    return 0;
  }
  const auto packed = std::span<const std::byte>(entries.data(), packer.used());
  const auto written = task.memory().CopyOut(buffer, packed);
  if (written.ok() && written.value() == packed.size()) return packed.size();
  // A bad part of the buffer: the entries before it count, the next call goes on behind them.
  const auto whole = WholeEntries(packed.first(written.ok() ? written.value() : 0), start);
  TRY(file->Seek(int64_t(whole.next_cursor), int(Whence::kSet)));
  if (whole.size == 0) return Errno::kEFAULT;
  return whole.size;
}

}  // namespace

SyscallResult sys_getdents64(Task& task, Fd fd, UserPtr<abi::Dirent64> buffer, uint32_t size) {
  return ListDirectory(task, fd, buffer.as<std::byte>(), size, DirentFormat::k64);
}

SyscallResult sys_getdents(Task& task, Fd fd, UserPtr<abi::Dirent> buffer, uint32_t size) {
  return ListDirectory(task, fd, buffer.as<std::byte>(), size, DirentFormat::kOld);
}

}  // namespace zrun::compat
