#include "compat/load_average.h"

#include "compat/kernel.h"
#include "compat/task.h"
#include "objects/ipc/timer.h"
#include "vfs/procfs/proc_source.h"

namespace zrun::compat {
namespace {

constexpr uint64_t kOne = uint64_t{1} << vfs::SystemFacts::kLoadFractionBits;

uint64_t CountActive() {
  Kernel& kernel = Kernel::Get();
  uint64_t active = 0;
  MutexLock lock(kernel.lock());
  for (int32_t pid = kernel.pids().NextGroup(0); pid >= 0; pid = kernel.pids().NextGroup(pid + 1)) {
    ThreadGroup& group = *kernel.pids().FindGroup(pid);
    MutexLock signal_lock(group.signal_lock);
    for (Task& task : group.tasks) active += task.state() != 'S';
  }
  return active;
}

class LoadAverages final : public DeadlineCallback {
 public:
  void OnDeadline() override {
    Arm({hal::MonotonicNow() + kInterval});
    const uint64_t active = CountActive() * kOne;
    for (unsigned i = 0; i < averages_.size(); i++) {
      const uint64_t old = averages_[i].load(std::memory_order_relaxed);
      averages_[i].store(NextLoadAverage(old, active, i), std::memory_order_relaxed);
    }
  }
  std::array<uint64_t, 3> values() const {
    return {averages_[0].load(), averages_[1].load(), averages_[2].load()};
  }

 private:
  static constexpr hal::Nanoseconds kInterval = 5 * hal::kSecond;
  std::array<std::atomic<uint64_t>, 3> averages_{};
};
constinit LoadAverages load_averages;

}  // namespace

uint64_t NextLoadAverage(uint64_t average, uint64_t active, unsigned span) {
  // What remains of one thread after 5 seconds: exp(-5 / 60), exp(-5 / 300), exp(-5 / 900).
  constexpr uint64_t kDecay[3] = {1884, 2014, 2037};
  // Rounded towards where it goes, so that it gets there.
  const uint64_t up = active >= average ? kOne - 1 : 0;
  return (average * kDecay[span] + active * (kOne - kDecay[span]) + up) / kOne;
}

void StartLoadAverages() { load_averages.OnDeadline(); }
std::array<uint64_t, 3> GetLoadAverages() { return load_averages.values(); }

}  // namespace zrun::compat
