#include "vfs/tty/tty.h"

namespace zrun::vfs {
namespace {

constexpr int kSigHup = 1, kSigCont = 18, kSigTtin = 21, kSigTtou = 22, kSigWinch = 28;

constinit std::atomic<JobControl*> job_control_instance{nullptr};
// All terminals, to find a session's.
constinit Mutex registry_lock{LockRank::kFileSystem};
constinit Tty* first_tty GUARDED_BY(registry_lock) = nullptr;

void SignalGroup(int32_t group, int signal) {
  if (group > 0 && GetJobControl()) GetJobControl()->SignalGroup(group, signal);
}

}  // namespace

void SetJobControl(JobControl* job_control) { job_control_instance.store(job_control); }
JobControl* GetJobControl() { return job_control_instance.load(std::memory_order_relaxed); }

SessionTerminal FindSessionTerminal(int32_t session) {
  RefPtr<Tty> tty = Tty::FindBySession(session);
  if (!tty) return {};
  return {tty->device(), tty->foreground_group()};
}

void LeaveSessionTerminal(int32_t session) {
  if (RefPtr<Tty> tty = Tty::FindBySession(session)) tty->Disassociate(false);
}

void HangUpSessionTerminal(int32_t session) {
  if (RefPtr<Tty> tty = Tty::FindBySession(session)) tty->HangUp();
}

// ---- Tty

Tty::Tty(uint64_t device, const Termios& initial, size_t output_limit)
    : output_(output_limit), discipline_(output_, initial), device_(device) {
  MutexLock lock(registry_lock);
  next_ = first_tty;
  first_tty = this;
}

Tty::~Tty() {
  MutexLock lock(registry_lock);
  Tty** link = &first_tty;
  while (*link != this) link = &(*link)->next_;
  *link = next_;
}

RefPtr<Tty> Tty::FindBySession(int32_t session) {
  if (session <= 0) return nullptr;
  MutexLock lock(registry_lock);
  for (Tty* tty = first_tty; tty; tty = tty->next_)
    if (tty->session() == session && tty->TryAddRef()) return RefPtr<Tty>::Adopt(tty);
  return nullptr;
}

Result<void> Tty::Attach(TtyFile& file, bool privileged) {
  MutexLock lock(lock_);
  if (exclusive_ && !privileged) return Errno::kEBUSY;
  file.is_attached_ = true;
  files_.PushBack(file);
  Refresh(discipline_.has_input());
  return {};
}

void Tty::Detach(TtyFile& file) {
  MutexLock lock(lock_);
  if (!file.is_attached_) return;
  file.is_attached_ = false;
  files_.Remove(file);
  if (files_.empty()) exclusive_ = false;
}

void Tty::Refresh(bool input) {
  Signals now = Signals::kNone;
  if (discipline_.has_input()) now |= Signals::kReadable;
  if (discipline_.can_write()) now |= Signals::kWritable;
  for (TtyFile& file : files_) {
    if (file.hung_up_) continue;  // HangUp() has set all there is
    const Signals before = file.signals() & (Signals::kReadable | Signals::kWritable);
    Signals set = now & ~before;
    if (input) set |= Signals::kUser | (now & Signals::kReadable);
    const Signals clear = before & ~now;
    if ((set | clear) != Signals::kNone) file.UpdateSignals(clear, set);
  }
}

bool Tty::ReceiveLocked(std::span<const std::byte> bytes, TtyEvents& events) {
  size_t done = 0;
  if (backlog_.empty()) done = discipline_.Receive(bytes, events);
  const bool kept = done == bytes.size() || backlog_.Append(bytes.subspan(done)).ok();
  last_input_ = hal::MonotonicNow();
  AfterEvents(events);
  Refresh(true);
  return kept;
}

// After a read made room.
void Tty::PumpBacklog(TtyEvents& events) {
  bool any = false;
  while (!backlog_.empty()) {
    const size_t taken = discipline_.Receive(backlog_.front(), events);
    if (taken == 0) break;
    backlog_.Consume(taken);
    any = true;
  }
  if (any) {
    AfterEvents(events);
    Refresh(true);
  }
  if (backlog_.empty()) OnInputRoom();
}

void Tty::AfterEvents(const TtyEvents& events) {
  if (events.flushed_input) backlog_.Clear();
  OnEvents(events);
  OnOutput();
}

void Tty::FlushOutputLocked(TtyEvents& events) {
  output_.Clear();
  events.flushed_output = true;
  AfterEvents(events);
}

void Tty::Deliver(const TtyEvents& events) {
  if (events.signals == 0) return;
  const int32_t group = foreground_group();
  for (int signal = 1; signal < 32; signal++)
    if (events.signals >> signal & 1) SignalGroup(group, signal);
}

Result<size_t> Tty::Read(TtyFile& file, DataSink& sink, LineDiscipline::ReadMode mode) {
  TtyEvents events;
  const auto read = [&]() -> Result<size_t> {
    MutexLock lock(lock_);
    if (file.hung_up_) return 0;
    auto done = discipline_.Read(sink, mode);
    if (!done.ok() && done.error() == Errno::kEAGAIN) {
      file.UpdateSignals(Signals::kUser, Signals::kNone);
      return done;
    }
    PumpBacklog(events);
    Refresh(false);
    return done;
  };
  TRY(CheckForeground(kSigTtin));
  auto done = read();
  Deliver(events);
  return done;
}

Result<size_t> Tty::Write(TtyFile& file, DataSource& source) {
  bool stops_background = false;
  {
    MutexLock lock(lock_);
    if (file.hung_up_) return Errno::kEIO;
    stops_background = discipline_.termios().lflag & termios::kToStop;
  }
  if (stops_background) TRY(CheckForeground(kSigTtou));
  MutexLock lock(lock_);
  if (file.hung_up_) return Errno::kEIO;
  auto done = discipline_.Write(source);
  if (done.ok()) OnOutput();
  Refresh(false);
  return done;
}

hal::Deadline Tty::ReadDeadline(hal::Nanoseconds started) {
  MutexLock lock(lock_);
  const Termios& settings = discipline_.termios();
  const unsigned tenths = settings.cc[termios::kTime];
  if (discipline_.is_canonical() || tenths == 0) return hal::Deadline::Never();
  if (settings.cc[termios::kMin] > 0) {
    if (!discipline_.has_bytes()) return hal::Deadline::Never();
    started = std::max(started, last_input_);
  }
  return {started + tenths * (hal::kSecond / 10)};
}

// ---- Sessions

bool Tty::IsCallersTerminal(const JobControl::Caller& caller) const {
  return caller.session > 0 && !caller.detached && session() == caller.session;
}

void Tty::SetSession(int32_t session, int32_t group) {
  MutexLock lock(lock_);
  session_.store(session, std::memory_order_release);
  foreground_.store(group, std::memory_order_release);
}

void Tty::AcquireOnOpen() {
  if (!GetJobControl()) return;
  const auto caller = GetJobControl()->GetCaller();
  if (!caller.leads_session || FindBySession(caller.session)) return;
  MutexLock lock(lock_);
  if (session() != 0) return;
  session_.store(caller.session, std::memory_order_release);
  foreground_.store(caller.group, std::memory_order_release);
}

// TIOCSCTTY.
Result<void> Tty::AcquireSession(bool steal, bool may_read) {
  if (!GetJobControl()) return Errno::kEPERM;
  const auto caller = GetJobControl()->GetCaller();
  if (caller.leads_session && session() == caller.session && !caller.detached) return {};
  if (!caller.leads_session || FindBySession(caller.session)) return Errno::kEPERM;
  if (!may_read && !caller.privileged) return Errno::kEPERM;
  MutexLock lock(lock_);
  if (session() != 0 && !(steal && caller.privileged)) return Errno::kEPERM;
  session_.store(caller.session, std::memory_order_release);
  foreground_.store(caller.group, std::memory_order_release);
  return {};
}

void Tty::Disassociate(bool resume) {
  int32_t group = 0;
  {
    MutexLock lock(lock_);
    group = foreground_group();
    session_.store(0, std::memory_order_release);
    foreground_.store(0, std::memory_order_release);
  }
  SignalGroup(group, kSigHup);
  if (resume) SignalGroup(group, kSigCont);
}

void Tty::HangUp() {
  int32_t leader = 0, group = 0;
  {
    MutexLock lock(lock_);
    leader = session();
    group = foreground_group();
    session_.store(0, std::memory_order_release);
    foreground_.store(0, std::memory_order_release);
    backlog_.Clear();
    discipline_.FlushInput();
    for (TtyFile& file : files_) {
      file.hung_up_ = true;
      file.UpdateSignals(Signals::kNone, Signals::kReadable | Signals::kWritable | Signals::kUser |
                                             Signals::kPeerClosed | Signals::kError);
    }
  }
  JobControl* const jobs = GetJobControl();
  if (!jobs || leader == 0) return;
  jobs->SignalProcess(leader, kSigHup);
  jobs->SignalProcess(leader, kSigCont);
  if (group != leader) {
    SignalGroup(group, kSigHup);
    SignalGroup(group, kSigCont);
  }
}

Result<void> Tty::CheckForeground(int signal) {
  JobControl* const jobs = GetJobControl();
  const int32_t foreground = foreground_group();
  if (!jobs || foreground == 0) return {};
  const auto caller = jobs->GetCaller();
  if (!IsCallersTerminal(caller) || caller.group == foreground) return {};
  if (jobs->CallerIgnores(signal)) {
    if (signal == kSigTtin) return Errno::kEIO;
    return {};
  }
  if (jobs->IsOrphaned(caller.group)) return Errno::kEIO;
  jobs->SignalGroup(caller.group, signal);
  return Errno::kRestartSys;
}

void Tty::SetWindowSize(TtyWindowSize size) {
  {
    MutexLock lock(lock_);
    if (window_size_ == size) return;
    window_size_ = size;
  }
  SignalGroup(foreground_group(), kSigWinch);
}

TtyWindowSize Tty::window_size() {
  MutexLock lock(lock_);
  return window_size_;
}

// ---- Files

Result<size_t> TtyFile::Read(DataSink& sink) {
  return tty_->Read(
      *this, sink,
      is_nonblocking() ? LineDiscipline::ReadMode::kNoWait : LineDiscipline::ReadMode::kWait);
}

Result<size_t> TtyFile::ReadExpired(DataSink& sink) {
  return tty_->Read(*this, sink, LineDiscipline::ReadMode::kExpired);
}

Result<RefPtr<FileDescription>> OpenTty(const Path& path, RefPtr<Tty> tty, OpenFlags flags) {
  JobControl* const jobs = GetJobControl();
  auto file = TRY(MakeRef<TtyFile>(path, flags, tty));
  TRY(tty->Attach(*file, !jobs || jobs->GetCaller().privileged));
  if (!HasAny(flags, OpenFlags::kNoControllingTty) && file->readable()) tty->AcquireOnOpen();
  return file;
}

Result<RefPtr<FileDescription>> OpenCallersTty(const Path& path, OpenFlags flags) {
  JobControl* const jobs = GetJobControl();
  if (!jobs) return Errno::kENXIO;
  const auto caller = jobs->GetCaller();
  RefPtr<Tty> tty = caller.detached ? nullptr : Tty::FindBySession(caller.session);
  if (!tty) return Errno::kENXIO;
  return OpenTty(path, std::move(tty), flags | OpenFlags::kNoControllingTty);
}

}  // namespace zrun::vfs
