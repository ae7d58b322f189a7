#include "vfs/timerfd.h"

#include "base/text.h"
#include "objects/ipc/timer.h"
#include "vfs/anonymous.h"

namespace zrun::vfs {
namespace {

// <linux/time.h>, <linux/timerfd.h>
enum : int { kRealtime = 0, kMonotonic = 1, kBoottime = 7, kRealtimeAlarm = 8, kBoottimeAlarm = 9 };
constexpr uint32_t kAbsolute = 1, kCancelOnSet = 2;

// timerfd(2). A periodic timer is armed again when it is read: expirations between are counted
// then, so that the shortest period costs no more than the reader's pace.
class TimerFd final : public FileDescription, private DeadlineCallback {
 public:
  TimerFd(Path path, OpenFlags flags, int clock)
      : FileDescription(std::move(path), flags, Signals::kNone), clock_(clock) {}
  ~TimerFd() override { Cancel(); }
  Kind kind() const override { return Kind::kTimerFd; }

  Result<size_t> Read(DataSink& sink) override {
    if (sink.remaining() < sizeof(uint64_t)) return Errno::kEINVAL;
    MutexLock lock(lock_);
    CatchUp();
    if (expirations_ == 0) return Errno::kEAGAIN;
    const uint64_t count = expirations_;
    const size_t done = TRY(sink.Put(std::as_bytes(std::span(&count, 1))));
    if (done < sizeof(count)) return Errno::kEFAULT;
    expirations_ = 0;
    UpdateSignals(Signals::kReadable, Signals::kNone);
    return done;
  }

  TimerSetting Set(uint32_t flags, TimerSetting setting) {
    Cancel();
    MutexLock lock(lock_);
    const TimerSetting old = Remaining();
    expirations_ = 0;
    UpdateSignals(Signals::kReadable, Signals::kNone);
    flags_ = flags;
    period_ = setting.interval;
    armed_ = setting.value > 0;
    if (!armed_) return old;
    const hal::Nanoseconds now = hal::MonotonicNow();
    next_ = setting.value;
    if (!(flags & kAbsolute)) {
      next_ = Add(now, setting.value);
    } else if (clock_ == kRealtime || clock_ == kRealtimeAlarm) {
      next_ = Add(now, setting.value - hal::RealtimeNow());
    } else if (clock_ == kBoottime || clock_ == kBoottimeAlarm) {
      next_ = Add(now, setting.value - hal::BoottimeNow());
    }
    Arm({next_});
    return old;
  }

  void ShowInfo(TextSink& out) override {
    TimerSetting left;
    uint64_t ticks;
    uint32_t flags;
    {
      MutexLock lock(lock_);
      CatchUp();
      left = Remaining();
      ticks = expirations_;
      flags = flags_;
    }
    const auto time = [&](std::string_view name, hal::Nanoseconds value) {
      zrun::Write(out, name, ": (", value / hal::kSecond, ", ", value % hal::kSecond, ")\n");
    };
    zrun::Write(out, "clockid: ", clock_, "\nticks: ", ticks, "\nsettime flags: 0", Octal{flags},
                "\n");
    time("it_value", left.value);
    time("it_interval", left.interval);
  }

  TimerSetting Get() {
    MutexLock lock(lock_);
    return Remaining();
  }

 private:
  static hal::Nanoseconds Add(hal::Nanoseconds a, hal::Nanoseconds b) {
    hal::Nanoseconds sum;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX - 1 : sum;
  }

  void OnDeadline() override {
    MutexLock lock(lock_);
    if (armed_ && hal::MonotonicNow() >= next_) UpdateSignals(Signals::kNone, Signals::kReadable);
  }

  // Counts what has expired by now, and arms the timer for what comes next.
  void CatchUp() REQUIRES(lock_) {
    if (!armed_) return;
    const hal::Nanoseconds now = hal::MonotonicNow();
    if (now < next_) return;
    if (period_ <= 0) {
      expirations_++;
      armed_ = false;
      return;
    }
    const uint64_t count = 1 + uint64_t(now - next_) / uint64_t(period_);
    expirations_ += count;
    next_ = Add(next_, hal::Nanoseconds(count) * period_);
    Arm({next_});
  }

  TimerSetting Remaining() REQUIRES(lock_) {
    if (!armed_) return {0, period_};
    hal::Nanoseconds left = next_ - hal::MonotonicNow();
    if (left <= 0 && period_ > 0) left = period_ - (-left) % period_;
    return {std::max<hal::Nanoseconds>(left, period_ > 0 ? 1 : 0), period_};
  }

  const int clock_;
  Mutex lock_{LockRank::kFile};
  bool armed_ GUARDED_BY(lock_) = false;
  hal::Nanoseconds next_ GUARDED_BY(lock_) = 0, period_ GUARDED_BY(lock_) = 0;
  uint64_t expirations_ GUARDED_BY(lock_) = 0;
  uint32_t flags_ GUARDED_BY(lock_) = 0;  // of the last timerfd_settime(2)
};

Result<TimerFd*> AsTimerFd(FileDescription& file) {
  if (file.kind() != FileDescription::Kind::kTimerFd) return Errno::kEINVAL;
  return static_cast<TimerFd*>(&file);
}

}  // namespace

Result<RefPtr<FileDescription>> CreateTimerFd(int clock, OpenFlags flags) {
  if (clock != kRealtime && clock != kMonotonic && clock != kBoottime && clock != kRealtimeAlarm &&
      clock != kBoottimeAlarm) {
    return Errno::kEINVAL;
  }
  Path path = TRY(MakeAnonymousPath("anon_inode:[timerfd]", 0600));
  return TRY(MakeRef<TimerFd>(std::move(path),
                              (flags & OpenFlags::kNonBlock) | OpenFlags::kReadWrite, clock));
}

Result<TimerSetting> SetTimerFd(FileDescription& file, uint32_t flags, TimerSetting setting) {
  if (flags & ~(kAbsolute | kCancelOnSet)) return Errno::kEINVAL;
  TimerFd* const timer = TRY(AsTimerFd(file));
  return timer->Set(flags, setting);
}

Result<TimerSetting> GetTimerFd(FileDescription& file) {
  TimerFd* const timer = TRY(AsTimerFd(file));
  return timer->Get();
}

}  // namespace zrun::vfs
