#pragma once
#include "objects/sync/mutex.h"
#include "objects/task/call_time.h"
#include "vfs/anonymous.h"
#include "vfs/file_system.h"

namespace zrun::vfs {

class Pty;
inline constexpr uint64_t kPtmxDevice = MakeDevice(5, 2);

// Mount options of devpts: uid=, gid=, mode=, ptmxmode=.
struct DevPtsOptions {
  bool has_uid = false, has_gid = false;
  uint32_t uid = 0, gid = 0;
  uint32_t mode = 0600, ptmx_mode = 0;
};

// One devpts, with numbers of its own: each mount(2) makes another
// (Documentation/filesystems/devpts.rst). All together have kMaxPtys pseudo-terminals.
class DevPts final : public FileSystem {
 public:
  static constexpr uint32_t kMaxPtys = 4096;  // /proc/sys/kernel/pty/max
  static uint32_t count();                    // in all instances
  // The one that |path| lies in; null if it is in another file system.
  static DevPts* Of(const Path& path);
  // Where the devpts that serves a ptmx at |ptmx| is mounted: there, or at "pts" beside it; ENODEV.
  static Result<Path> MountFor(const Path& ptmx);

  explicit DevPts(const DevPtsOptions& options)
      : options_(options), ptmx_mode_(options.ptmx_mode), mounted_at_(CallTime::Now()) {}
  std::string_view type_name() const override { return "devpts"; }
  RefPtr<Vnode> Root() override;
  Result<StatFs> GetStatFs() override;
  void ShowOptions(TextSink& out) override;
  hal::Nanoseconds mounted_at() const { return mounted_at_; }
  uint32_t ptmx_mode() const { return ptmx_mode_.load(); }
  void set_ptmx_mode(uint32_t mode) { ptmx_mode_.store(mode); }

  // A new one, the caller's unless the mount's options name others. ENOSPC.
  Result<RefPtr<Pty>> NewPty(FileOwner caller) EXCLUDES(lock_);
  // While its master is open; null else.
  RefPtr<Pty> Find(uint32_t number) EXCLUDES(lock_);
  // The first number >= |number| that is in use; kMaxPtys if there is none.
  uint32_t NextNumber(uint32_t number) EXCLUDES(lock_);
  // |number|'s terminal is gone.
  void FreeNumber(uint32_t number) EXCLUDES(lock_);

 private:
  Result<uint32_t> TakeNumber() EXCLUDES(lock_);

  const DevPtsOptions options_;
  std::atomic<uint32_t> ptmx_mode_;
  const hal::Nanoseconds mounted_at_;
  Mutex lock_{LockRank::kFileSystem};
  // By number: taken before there is a terminal, which is in the table until its destruction.
  bool taken_[kMaxPtys] GUARDED_BY(lock_) = {};
  Pty* table_[kMaxPtys] GUARDED_BY(lock_) = {};
};

}  // namespace zrun::vfs
