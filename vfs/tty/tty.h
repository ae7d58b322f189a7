#pragma once
#include "vfs/anonymous.h"
#include "vfs/file_description.h"
#include "vfs/tty/job_control.h"
#include "vfs/tty/line_discipline.h"

namespace zrun::vfs {

class TtyFile;

// A terminal, seen from the programs that use it: a line discipline, a session, and the files open
// on it. What is at the far end (a pseudo-terminal's master, the launcher's terminal) derives from
// it. Signals to processes are sent when its lock has been let go: the lock ranks after theirs.
class Tty : public RefCounted<Tty> {
 public:
  virtual ~Tty();
  uint64_t device() const { return device_; }

  // ---- For open files (TtyFile).
  // EIO while locked, EBUSY in exclusive use.
  virtual Result<void> Attach(TtyFile& file, bool privileged) EXCLUDES(lock_);
  virtual void Detach(TtyFile& file) EXCLUDES(lock_);
  Result<size_t> Read(TtyFile& file, DataSink& sink, LineDiscipline::ReadMode mode) EXCLUDES(lock_);
  Result<size_t> Write(TtyFile& file, DataSource& source) EXCLUDES(lock_);
  hal::Deadline ReadDeadline(hal::Nanoseconds started) EXCLUDES(lock_);
  // |file| is null for the far end (a master), which controls the same terminal.
  Result<uint64_t> Ioctl(TtyFile* file, uint32_t request, uint64_t argument, UserMemory& memory)
      EXCLUDES(lock_);

  // ---- Sessions (tty_ioctl(4), credentials(7)).
  int32_t session() const { return session_.load(std::memory_order_acquire); }
  int32_t foreground_group() const { return foreground_.load(std::memory_order_acquire); }
  void SetSession(int32_t session, int32_t group) EXCLUDES(lock_);
  // What opening a terminal without O_NOCTTY does for a session leader that has none.
  void AcquireOnOpen();
  // Gives up its session; the foreground group gets SIGHUP (and SIGCONT, if |resume|).
  void Disassociate(bool resume) EXCLUDES(lock_);
  // Every open file sees end of file; the session's leader and the foreground group get SIGHUP.
  void HangUp() EXCLUDES(lock_);
  // For a background process that reads (writes, changes the settings): signals it and returns
  // kRestartSys, or EIO where it could not be stopped.
  Result<void> CheckForeground(int signal);
  void SetWindowSize(TtyWindowSize size) EXCLUDES(lock_);
  TtyWindowSize window_size() EXCLUDES(lock_);
  // The terminal of |session|; null if it has none.
  static RefPtr<Tty> FindBySession(int32_t session);

 protected:
  Tty(uint64_t device, const Termios& initial, size_t output_limit);

  // ---- The far end's part; called with the lock held.
  // The output queue was added to, cleared, or may flow (again).
  virtual void OnOutput() REQUIRES(lock_) = 0;
  // The line discipline took all input there was, and has room.
  virtual void OnInputRoom() REQUIRES(lock_) {}
  // What packet mode reports.
  virtual void OnEvents(const TtyEvents&) REQUIRES(lock_) {}
  virtual void OnTermiosChange(const Termios& /*old*/, const Termios& /*now*/) REQUIRES(lock_) {}

  // Bytes from the far end. What the line discipline has no room for waits in a queue; false: it
  // is lost for want of memory. Follow with Deliver() after unlocking.
  bool ReceiveLocked(std::span<const std::byte> bytes, TtyEvents& events) REQUIRES(lock_);
  size_t backlog_room() const REQUIRES(lock_) { return backlog_.room(); }
  bool backlog_empty() const REQUIRES(lock_) { return backlog_.empty(); }
  void FlushOutputLocked(TtyEvents& events) REQUIRES(lock_);
  void AfterEvents(const TtyEvents& events) REQUIRES(lock_);
  // Brings the signals of all open files up to date; |input|: bytes came, which is news even to
  // those who see kReadable already.
  void Refresh(bool input) REQUIRES(lock_);
  void Deliver(const TtyEvents& events) EXCLUDES(lock_);
  bool has_files() REQUIRES(lock_) { return !files_.empty(); }

  mutable Mutex lock_{LockRank::kFile};
  ByteRing output_ GUARDED_BY(lock_);
  LineDiscipline discipline_ GUARDED_BY(lock_);

 private:
  friend class TtyFile;
  void PumpBacklog(TtyEvents& events) REQUIRES(lock_);
  Result<uint64_t> IoctlSettings(uint32_t request, uint64_t argument, UserMemory& memory, bool far);
  Result<uint64_t> IoctlSession(uint32_t request, uint64_t argument, UserMemory& memory, bool far);
  Result<uint64_t> IoctlFlow(uint32_t request, uint64_t argument, bool far);
  Result<void> ApplySettings(const Termios& termios, bool flush_input) EXCLUDES(lock_);
  Result<void> AcquireSession(bool steal, bool may_read);
  bool IsCallersTerminal(const JobControl::Caller& caller) const;

  const uint64_t device_;
  ByteRing backlog_ GUARDED_BY(lock_){64 << 10};
  IntrusiveList<TtyFile, TtyFile> files_ GUARDED_BY(lock_);
  TtyWindowSize window_size_ GUARDED_BY(lock_);
  bool exclusive_ GUARDED_BY(lock_) = false;
  hal::Nanoseconds last_input_ GUARDED_BY(lock_) = 0;
  std::atomic<int32_t> session_{0}, foreground_{0};
  Tty* next_ = nullptr;  // in the registry, guarded by its lock
};

// One open(2) of a terminal.
class TtyFile final : public FileDescription, public ListNode<TtyFile> {
 public:
  TtyFile(Path path, OpenFlags flags, RefPtr<Tty> tty)
      : FileDescription(std::move(path), flags, Signals::kNone), tty_(std::move(tty)) {}
  ~TtyFile() override { tty_->Detach(*this); }
  Kind kind() const override { return Kind::kTty; }
  Result<size_t> Read(DataSink& sink) override;
  Result<size_t> ReadExpired(DataSink& sink) override;
  hal::Deadline read_deadline(hal::Nanoseconds started) override {
    return tty_->ReadDeadline(started);
  }
  Result<size_t> Write(DataSource& source) override { return tty_->Write(*this, source); }
  Result<uint64_t> Ioctl(uint32_t request, uint64_t argument, UserMemory& memory) override {
    return tty_->Ioctl(this, request, argument, memory);
  }
  // kUser: bytes came since a read last gave kEAGAIN. kReadable is poll's view, which VMIN and the
  // size of the read make a different question.
  Signals read_signals() const override { return Signals::kUser | Signals::kPeerClosed; }
  Tty& tty() { return *tty_; }

 private:
  friend class Tty;
  void OnZeroHandles() override { tty_->Detach(*this); }
  const RefPtr<Tty> tty_;
  // Guarded by the terminal's lock.
  bool is_attached_ = false;
  bool hung_up_ = false;
};

// open(2) of a terminal: makes the file, and the terminal the caller's if it may.
Result<RefPtr<FileDescription>> OpenTty(const Path& path, RefPtr<Tty> tty, OpenFlags flags);
// /dev/tty: the terminal of the caller's session; ENXIO.
Result<RefPtr<FileDescription>> OpenCallersTty(const Path& path, OpenFlags flags);

JobControl* GetJobControl();

}  // namespace zrun::vfs
