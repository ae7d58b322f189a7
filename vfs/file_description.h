#pragma once
#include <optional>

#include "base/user_ptr.h"
#include "objects/handle.h"
#include "objects/vm/user_memory.h"
#include "vfs/path.h"

namespace zrun {
class TextSink;
}
namespace zrun::vfs {

// What open() makes and dup() shares (Linux: struct file). A KernelObject, so poll, epoll and
// SCM_RIGHTS need nothing more. The access mode is the Rights of the Handle in the fd table (kRead,
// kWrite) and, for fcntl F_GETFL, here. Nothing here blocks: what would returns kEAGAIN, and a
// signal tells when to try again; one wrapper (compat/blocking.h) waits.
class FileDescription : public KernelObject {
 public:
  static constexpr ObjectType kType = ObjectType::kFile;
  // What kind it is, for the few calls that care (a switch, not RTTI).
  enum class Kind : uint8_t {
    kVnode,
    kPipe,
    kSocket,
    kTty,
    kEpoll,
    kEventFd,
    kTimerFd,
    kSignalFd,
    kPidFd,
    kInotify,
    kSharedMemory,
    kOther
  };
  ~FileDescription() override;
  static uint64_t count();  // how many there are

  virtual Kind kind() const { return Kind::kOther; }
  // At, and moving, the file offset. 0: end of file.
  virtual Result<size_t> Read(DataSink&) { return Errno::kEINVAL; }
  virtual Result<size_t> Write(DataSource&) { return Errno::kEINVAL; }
  virtual Result<size_t> ReadAt(uint64_t, DataSink&) { return Errno::kESPIPE; }
  virtual Result<size_t> WriteAt(uint64_t, DataSource&) { return Errno::kESPIPE; }
  virtual Result<uint64_t> Seek(int64_t, int /*whence*/) { return Errno::kESPIPE; }
  virtual Result<RefPtr<VmObject>> Mmap() { return Errno::kENODEV; }
  // A private mapping is anonymous memory (/dev/zero); Mmap() is for shared ones then.
  virtual bool MapsAnonymously() const { return false; }
  // What mmap and a later mprotect may grant on it, beside what the access mode says: a sealed
  // memfd cannot be mapped shared and writable. EPERM if |wanted| goes beyond; lowers |allowed|.
  virtual Result<void> CheckMap(bool /*shared*/, hal::Access /*wanted*/, hal::Access& /*allowed*/) {
    return {};
  }
  // |argument| is a value or an address in the caller's memory.
  virtual Result<uint64_t> Ioctl(uint32_t /*request*/, uint64_t /*argument*/, UserMemory&) {
    return Errno::kENOTTY;
  }
  virtual Result<void> ReadDirectory(DirentSink&) { return Errno::kENOTDIR; }
  virtual Result<void> Sync(bool /*data_only*/) { return Errno::kEINVAL; }
  virtual Result<void> Truncate(uint64_t) { return Errno::kEINVAL; }
  virtual Result<void> Allocate(uint32_t /*mode*/, uint64_t, uint64_t) { return Errno::kESPIPE; }
  // The signals to sleep for when Read (Write) gave kEAGAIN.
  virtual Signals read_signals() const {
    return Signals::kReadable | Signals::kPeerClosed | Signals::kError | Signals::kReadClosed;
  }
  virtual Signals write_signals() const {
    return Signals::kWritable | Signals::kPeerClosed | Signals::kError;
  }
  // open(2) asks before it hands out a descriptor: kEAGAIN while it has to sleep for kUser (a FIFO
  // whose other side nobody has opened).
  virtual Result<void> FinishOpen() { return {}; }
  // How long a blocking read that began at |started| may sleep (a terminal's VTIME). When that
  // moment comes ReadExpired() is called instead of Read(); it takes what there is.
  virtual hal::Deadline read_deadline(hal::Nanoseconds /*started*/) {
    return hal::Deadline::Never();
  }
  virtual Result<size_t> ReadExpired(DataSink&) { return 0; }
  // The same for a write (SO_SNDTIMEO), which then fails with kEAGAIN.
  virtual hal::Deadline write_deadline(hal::Nanoseconds /*started*/) {
    return hal::Deadline::Never();
  }
  // False for files that are always ready: poll says so, epoll refuses them (EPERM).
  virtual bool can_wait() const { return true; }
  // Lines of its own in /proc/PID/fdinfo/N: "Name:\tvalue\n".
  virtual void ShowInfo(TextSink&) {}
  // close(2) of one descriptor of process |owner| (POSIX locks, dnotify); the last close is
  // OnZeroHandles.
  virtual void OnClose(const void* owner);

  // open(2) has told of it (inotify(7)): it will be told of when it is closed, too.
  void NoteOpened() { told_open_.store(true, std::memory_order_relaxed); }
  // open(2) has made the file that it opened (F_CREATED_QUERY).
  void NoteCreated() { created_.store(true, std::memory_order_relaxed); }
  bool was_created() const { return created_.load(std::memory_order_relaxed); }

  // Where it was opened. Anonymous files (pipes, sockets, memfd) have a detached dentry, whose
  // vnode answers fstat.
  const Path& path() const { return path_; }
  OpenFlags flags() const { return OpenFlags(flags_.load(std::memory_order_relaxed)); }
  bool is_nonblocking() const { return HasAny(flags(), OpenFlags::kNonBlock); }
  // fcntl(F_SETFL): only kAppend, kAsync, kDirect, kNoAtime, kNonBlock change.
  void SetStatusFlags(OpenFlags flags);
  // Mode 3 is neither: such a file is good for ioctl only.
  bool readable() const {
    const OpenFlags mode = flags() & OpenFlags::kAccessMode;
    return mode == OpenFlags::kReadOnly || mode == OpenFlags::kReadWrite;
  }
  bool writable() const {
    const OpenFlags mode = flags() & OpenFlags::kAccessMode;
    return mode == OpenFlags::kWriteOnly || mode == OpenFlags::kReadWrite;
  }
  // Opened by someone with CAP_FSETID: writing does not clear the file's set-id bits.
  virtual void AllowKeepingSetId() {}
  // The rights of a handle to it: from the access mode.
  Rights default_rights() const;

  // fcntl(F_SETOWN, F_SETSIG): recorded for SIGIO, with who said so; the personality reads them.
  std::atomic<int32_t> owner_id{0};
  std::atomic<uint32_t> owner_uid{0}, owner_euid{0};
  std::atomic<int32_t> owner_signal{0};
  std::atomic<int32_t> owner_type{0};

 protected:
  FileDescription(Path path, OpenFlags flags, Signals initial);
  // Drops what flock(2) and F_OFD_SETLK hold through it, and tells that it is closed; an override
  // calls this one.
  void OnZeroHandles() override;
  // The first of these alone, for files that a mapping can hold open: they are closed when they go.
  void DropLocks();

 private:
  void TellClosed();
  const Path path_;
  std::atomic<uint32_t> flags_;
  std::atomic<bool> told_open_{false}, created_{false};
};

}  // namespace zrun::vfs
