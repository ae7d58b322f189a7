#include "vfs/tty/pty.h"

#include "base/text.h"
#include "objects/task/call_time.h"
#include "vfs/tty/pty_pair.h"

namespace zrun::vfs {
namespace {

constexpr size_t kOutputLimit = 64 << 10;

// <asm-generic/ioctls.h>
enum : uint32_t {
  kTiocPkt = 0x5420,
  kTiocGPtN = 0x80045430,
  kTiocSPtLck = 0x40045431,
  kTiocSig = 0x40045436,
  kTiocGPkt = 0x80045438,
  kTiocGPtLck = 0x80045439,
};
// What a packet's first byte says (ioctl_tty(2), TIOCPKT).
enum : uint8_t {
  kPacketData = 0,
  kPacketFlushRead = 1,
  kPacketFlushWrite = 2,
  kPacketStop = 4,
  kPacketStart = 8,
  kPacketNoStop = 16,
  kPacketDoStop = 32,
};

Termios SlaveDefaults() {
  Termios settings = termios::kDefaults;
  settings.cflag = termios::kB38400 | termios::kCs8 | termios::kCRead;
  return settings;
}

}  // namespace

Pty::Pty(RefPtr<DevPts> instance, uint32_t number, FileOwner owner, uint32_t mode)
    : Tty(MakeDevice(kMajor, number), SlaveDefaults(), kOutputLimit),
      instance_(std::move(instance)),
      number_(number) {
  MutexLock lock(attributes_lock_);
  attributes_.inode = number + 3;
  attributes_.mode = kModeChar | mode;
  attributes_.uid = owner.uid;
  attributes_.gid = owner.gid;
  attributes_.rdev = device();
  attributes_.block_size = 1024;
  attributes_.atime = attributes_.mtime = attributes_.ctime = attributes_.btime = CallTime::Now();
}

Pty::~Pty() { instance_->FreeNumber(number_); }

Attributes Pty::attributes() {
  MutexLock lock(attributes_lock_);
  return attributes_;
}

void Pty::SetAttributes(const AttributeChange& change) {
  MutexLock lock(attributes_lock_);
  if (change.valid & AttributeChange::kMode)
    attributes_.mode = kModeChar | (change.mode & ~kModeTypeMask);
  if (change.valid & AttributeChange::kUid) attributes_.uid = change.uid;
  if (change.valid & AttributeChange::kGid) attributes_.gid = change.gid;
  if (change.valid & AttributeChange::kAtime) attributes_.atime = change.atime;
  if (change.valid & AttributeChange::kMtime) attributes_.mtime = change.mtime;
  if (change.valid & AttributeChange::kCtime) attributes_.ctime = change.ctime;
}

void Pty::SetLocked(bool locked) {
  MutexLock lock(lock_);
  locked_ = locked;
}

// ---- The slave's side

Result<void> Pty::Attach(TtyFile& file, bool privileged) {
  {
    MutexLock lock(lock_);
    if (locked_ || !master_) return Errno::kEIO;
  }
  TRY(Tty::Attach(file, privileged));
  MutexLock lock(lock_);
  was_opened_ = true;
  RefreshMaster(false);
  return {};
}

void Pty::Detach(TtyFile& file) {
  Tty::Detach(file);
  MutexLock lock(lock_);
  RefreshMaster(false);
}

void Pty::OnEvents(const TtyEvents& events) {
  if (!packet_mode_) return;
  const uint8_t before = packet_status_;
  if (events.flushed_input) packet_status_ |= kPacketFlushRead;
  if (events.flushed_output) packet_status_ |= kPacketFlushWrite;
  if (events.stopped) packet_status_ = uint8_t((packet_status_ & ~kPacketStart) | kPacketStop);
  if (events.started) packet_status_ = uint8_t((packet_status_ & ~kPacketStop) | kPacketStart);
  if (packet_status_ != before) RefreshMaster(true);
}

// Packet mode tells whether ^S and ^Q are this terminal's flow control.
void Pty::OnTermiosChange(const Termios& old, const Termios& now) {
  const auto uses_flow_control = [](const Termios& settings) {
    return (settings.iflag & termios::kIxOn) && settings.cc[termios::kStop] == 023 &&
           settings.cc[termios::kStart] == 021;
  };
  if (!packet_mode_ || uses_flow_control(old) == uses_flow_control(now)) return;
  packet_status_ &= uint8_t(~(kPacketDoStop | kPacketNoStop));
  packet_status_ |= uses_flow_control(now) ? kPacketDoStop : kPacketNoStop;
  RefreshMaster(true);
}

// ---- The master's side

void Pty::RefreshMaster(bool output) {
  if (!master_) return;
  Signals now = Signals::kNone;
  if (!output_.empty()) now |= Signals::kReadable;
  if (packet_mode_ && packet_status_ != 0) now |= Signals::kReadable | Signals::kPriority;
  if (backlog_room() > 0) now |= Signals::kWritable;
  if (was_opened_ && !has_files()) now |= Signals::kPeerClosed;
  const Signals before = master_->signals();
  Signals set = now & ~before;
  if (output) set |= now & Signals::kReadable;  // more of it is news, too
  const Signals clear = before & ~now;
  if ((set | clear) != Signals::kNone) master_->UpdateSignals(clear, set);
}

void Pty::AttachMaster(PtyMaster& master) {
  MutexLock lock(lock_);
  master_ = &master;
  RefreshMaster(false);
}

void Pty::CloseMaster() {
  {
    MutexLock lock(lock_);
    if (!master_) return;
    master_ = nullptr;
    master_open_.store(false);
    output_.Clear();
  }
  HangUp();
}

Result<size_t> Pty::MasterRead(DataSink& sink) {
  if (sink.remaining() == 0) return 0;
  MutexLock lock(lock_);
  size_t done = 0;
  if (packet_mode_ && packet_status_ != 0) {
    const std::byte status{packet_status_};
    done = TRY(sink.Put({&status, 1}));
    packet_status_ = 0;
  } else if (output_.empty()) {
    if (was_opened_ && !has_files()) return Errno::kEIO;
    return Errno::kEAGAIN;
  } else {
    if (packet_mode_) {
      const std::byte status{kPacketData};
      done = TRY(sink.Put({&status, 1}));
    }
    auto drained = output_.Drain(sink);
    if (!drained.ok() && done == 0) return drained;
    if (drained.ok()) done += drained.value();
  }
  RefreshMaster(false);
  Refresh(false);
  return done;
}

Result<size_t> Pty::MasterWrite(DataSource& source) {
  if (source.remaining() == 0) return 0;
  TtyEvents events;
  size_t done = 0;
  std::array<std::byte, 512> chunk;
  const auto write = [&]() -> Result<size_t> {
    MutexLock lock(lock_);
    if (backlog_room() == 0) return Errno::kEAGAIN;
    while (source.remaining() != 0 && backlog_room() > 0) {
      const size_t wanted = std::min(chunk.size(), source.remaining());
      auto taken = source.Take(std::span(chunk).first(wanted));
      if (!taken.ok()) {
        if (done > 0) break;
        return taken.error();
      }
      if (!ReceiveLocked(std::span(chunk).first(taken.value()), events)) return Errno::kENOMEM;
      done += taken.value();
      if (taken.value() < wanted) break;
    }
    RefreshMaster(false);
    return done;
  };
  auto result = write();
  Deliver(events);
  return result;
}

Result<uint64_t> Pty::MasterIoctl(uint32_t request, uint64_t argument, UserMemory& memory) {
  const auto put = [&](int32_t value) -> Result<uint64_t> {
    TRY(memory.Write(UserPtr<int32_t>(argument), value));
    return 0;
  };
  switch (request) {
    case kTiocGPtN:
      return put(int32_t(number_));
    case kTiocSPtLck: {
      SetLocked(TRY(memory.Read(UserPtr<const int32_t>(argument))) != 0);
      return 0;
    }
    case kTiocGPtLck: {
      MutexLock lock(lock_);
      return put(locked_);
    }
    case kTiocPkt: {
      const int32_t value = TRY(memory.Read(UserPtr<const int32_t>(argument)));
      MutexLock lock(lock_);
      if (value != 0 && !packet_mode_) packet_status_ = 0;
      packet_mode_ = value != 0;
      RefreshMaster(false);
      return 0;
    }
    case kTiocGPkt: {
      MutexLock lock(lock_);
      return put(packet_mode_);
    }
    case kTiocSig: {
      if (argument < 1 || argument > 64) return Errno::kEINVAL;
      if (GetJobControl() && foreground_group() > 0)
        GetJobControl()->SignalGroup(foreground_group(), int(argument));
      return 0;
    }
    default:
      return Ioctl(nullptr, request, argument, memory);
  }
}

// ---- Opening

Result<RefPtr<FileDescription>> OpenPtyMaster(const Path& path, OpenFlags flags) {
  JobControl* const jobs = GetJobControl();
  const auto caller = jobs ? jobs->GetCaller() : JobControl::Caller{};
  const Path mount = TRY(DevPts::MountFor(path));
  auto pty = TRY(DevPts::Of(mount)->NewPty({caller.uid, caller.gid}));
  auto master = TRY(MakeRef<PtyMaster>(path, flags, pty));
  pty->AttachMaster(*master);
  return master;
}

Result<RefPtr<FileDescription>> OpenPtySlave(const Path& path, uint32_t number, OpenFlags flags) {
  DevPts* const instance = DevPts::Of(path);
  if (!instance) return Errno::kEIO;
  RefPtr<Pty> pty = instance->Find(number);
  if (!pty) return Errno::kENXIO;
  return OpenTty(path, std::move(pty), flags);
}

Result<RefPtr<FileDescription>> OpenPtyPeer(FileDescription& master, OpenFlags flags) {
  if (master.kind() != FileDescription::Kind::kTty) return Errno::kENOTTY;
  // Both kinds of terminal file have that kind; the master's is the one whose node is ptmx.
  RefPtr<Vnode> node = master.path().vnode();
  if (!node) return Errno::kENOTTY;
  const Attributes attributes = TRY(node->GetAttributes());
  if (attributes.rdev != kPtmxDevice) return Errno::kENOTTY;
  Pty& pty = static_cast<PtyMaster&>(master).pty();
  // What is mounted beside ptmx may be another devpts by now.
  const Path mount = TRY(DevPts::MountFor(master.path()));
  if (DevPts::Of(mount) != &pty.instance()) return Errno::kENODEV;
  auto dentry = TRY(mount.dentry->Lookup(TextBuffer<16>(pty.number()).view()));
  return OpenTty({mount.mount, std::move(dentry)}, RefPtr<Tty>(&pty), flags);
}

}  // namespace zrun::vfs
