#pragma once
#include "vfs/tty/devpts.h"
#include "vfs/tty/tty.h"

namespace zrun::vfs {

class PtyMaster;

// A pseudo-terminal: the slave's side is the Tty, the master's is a PtyMaster. It lives while
// either is open; its number (DevPts::NewPty() gives one) is taken until both are closed.
class Pty final : public Tty {
 public:
  static constexpr uint32_t kMajor = 136;
  ~Pty() override;
  uint32_t number() const { return number_; }
  DevPts& instance() const { return *instance_; }
  bool is_master_open() const { return master_open_.load(); }

  // Of the node in /dev/pts.
  Attributes attributes() EXCLUDES(attributes_lock_);
  void SetAttributes(const AttributeChange& change) EXCLUDES(attributes_lock_);

  Result<void> Attach(TtyFile& file, bool privileged) override;
  void Detach(TtyFile& file) override;

  // TIOCSPTLCK: nobody opens the slave before its owner has been set.
  void SetLocked(bool locked) EXCLUDES(lock_);

  // ---- For the master.
  void AttachMaster(PtyMaster& master) EXCLUDES(lock_);
  void CloseMaster() EXCLUDES(lock_);
  Result<size_t> MasterRead(DataSink& sink) EXCLUDES(lock_);
  Result<size_t> MasterWrite(DataSource& source) EXCLUDES(lock_);
  Result<uint64_t> MasterIoctl(uint32_t request, uint64_t argument, UserMemory& memory)
      EXCLUDES(lock_);

 private:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> zrun::MakeRef(Args&&...);
  Pty(RefPtr<DevPts> instance, uint32_t number, FileOwner owner, uint32_t mode);
  void OnOutput() override REQUIRES(lock_) { RefreshMaster(true); }
  void OnInputRoom() override REQUIRES(lock_) { RefreshMaster(false); }
  void OnEvents(const TtyEvents& events) override REQUIRES(lock_);
  void OnTermiosChange(const Termios& old, const Termios& now) override REQUIRES(lock_);
  void RefreshMaster(bool output) REQUIRES(lock_);

  const RefPtr<DevPts> instance_;
  const uint32_t number_;
  std::atomic<bool> master_open_{true};
  PtyMaster* master_ GUARDED_BY(lock_) = nullptr;
  bool locked_ GUARDED_BY(lock_) = true;        // TIOCSPTLCK
  bool was_opened_ GUARDED_BY(lock_) = false;   // the slave, ever
  bool packet_mode_ GUARDED_BY(lock_) = false;  // TIOCPKT
  uint8_t packet_status_ GUARDED_BY(lock_) = 0;
  mutable Mutex attributes_lock_{LockRank::kVnode};
  Attributes attributes_ GUARDED_BY(attributes_lock_);
};

class PtyMaster final : public FileDescription {
 public:
  PtyMaster(Path path, OpenFlags flags, RefPtr<Pty> pty)
      : FileDescription(std::move(path), flags, Signals::kNone), pty_(std::move(pty)) {}
  ~PtyMaster() override { pty_->CloseMaster(); }
  Kind kind() const override { return Kind::kTty; }
  Result<size_t> Read(DataSink& sink) override { return pty_->MasterRead(sink); }
  Result<size_t> Write(DataSource& source) override { return pty_->MasterWrite(source); }
  Result<uint64_t> Ioctl(uint32_t request, uint64_t argument, UserMemory& memory) override {
    return pty_->MasterIoctl(request, argument, memory);
  }
  Pty& pty() { return *pty_; }

 private:
  friend class Pty;
  void OnZeroHandles() override { pty_->CloseMaster(); }
  const RefPtr<Pty> pty_;
};

}  // namespace zrun::vfs
