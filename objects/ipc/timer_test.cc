#include "objects/ipc/timer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "hal/fake/fake.h"
#include "objects/boot_for_test.h"
#include "objects/wait.h"

namespace zrun {
namespace {

using hal::Deadline;
using hal::Nanoseconds;
constexpr Nanoseconds kMs = 1'000'000;

class Callback final : public DeadlineCallback {
 public:
  explicit Callback(std::function<void()> body) : body_(std::move(body)) {}
  ~Callback() { Cancel(); }

 private:
  void OnDeadline() override { body_(); }
  std::function<void()> body_;
};

class TimerTest : public testing::Test {
 protected:
  void SetUp() override { hal::fake::FreezeClock(); }
  void TearDown() override { hal::fake::ThawClock(); }
  static Deadline In(Nanoseconds time) { return {hal::MonotonicNow() + time}; }
  static void Await(const std::atomic<int>& value, int wanted) {
    while (value.load() < wanted) std::this_thread::yield();
  }
};

TEST_F(TimerTest, CallbacksRunInOrderWhenTimeHasCome) {
  std::mutex mutex;
  std::vector<int> order;
  std::atomic<int> ran{0};
  const auto note = [&](int which) {
    std::lock_guard lock(mutex);
    order.push_back(which);
    ran++;
  };
  Callback late([&] { note(3); }), soon([&] { note(1); }), middle([&] { note(2); });
  late.Arm(In(300 * kMs));
  soon.Arm(In(100 * kMs));
  middle.Arm(In(200 * kMs));
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(ran, 0);
  hal::fake::AdvanceClock(150 * kMs);
  Await(ran, 1);
  middle.Arm(In(400 * kMs));  // put off
  hal::fake::AdvanceClock(1000 * kMs);
  Await(ran, 3);
  EXPECT_EQ(order, (std::vector<int>{1, 3, 2}));
  EXPECT_TRUE(middle.deadline().is_never());
}

TEST_F(TimerTest, CancelWaitsForARunningCallback) {
  std::atomic<int> begun{0}, ended{0};
  Callback callback([&] {
    begun++;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ended++;
  });
  callback.Arm(In(kMs));
  EXPECT_TRUE(callback.Cancel());
  EXPECT_FALSE(callback.Cancel());
  callback.Arm(In(0));
  Await(begun, 1);
  EXPECT_FALSE(callback.Cancel());
  EXPECT_EQ(ended, 1);
}

TEST_F(TimerTest, CallbacksMayArmAndCancelThemselves) {
  std::atomic<int> ran{0};
  Callback* self = nullptr;
  Callback callback([&] {
    self->Cancel();
    if (++ran < 3) self->Arm(In(0));
  });
  self = &callback;
  callback.Arm(In(0));
  Await(ran, 3);
}

TEST_F(TimerTest, OneShot) {
  auto timer = Timer::Create().value();
  EXPECT_EQ(timer->TakeExpirations(), 0u);
  timer->Set({In(10 * kMs), 0});
  EXPECT_EQ(WaitOne(*timer, Signals::kReadable, Deadline{0}).error(), Errno::kETIMEDOUT);
  hal::fake::AdvanceClock(10 * kMs);
  EXPECT_TRUE(WaitOne(*timer, Signals::kReadable, Deadline::Never()).ok());
  EXPECT_EQ(timer->TakeExpirations(), 1u);
  EXPECT_EQ(timer->signals(), Signals::kNone);
  EXPECT_TRUE(timer->setting().next.is_never());
}

TEST_F(TimerTest, PeriodsCountThemselves) {
  auto timer = Timer::Create().value();
  const Deadline start = In(10 * kMs);
  timer->Set({start, 5 * kMs});
  hal::fake::AdvanceClock(22 * kMs);
  EXPECT_TRUE(WaitOne(*timer, Signals::kReadable, Deadline::Never()).ok());
  EXPECT_EQ(timer->TakeExpirations(), 3u);
  EXPECT_EQ(timer->setting().next.at, start.at + 15 * kMs);
  const Timer::Setting old = timer->Set({Deadline::Never(), 0});
  EXPECT_EQ(old.period, 5 * kMs);
  hal::fake::AdvanceClock(100 * kMs);
  EXPECT_EQ(WaitOne(*timer, Signals::kReadable, Deadline{0}).error(), Errno::kETIMEDOUT);
}

TEST_F(TimerTest, ThreadsArmAndDestroy) {
  hal::fake::ThawClock();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([] {
      for (int i = 0; i < 200; i++) {
        auto timer = Timer::Create().value();
        timer->Set({In(Nanoseconds(i % 7) * 10'000), i % 3 ? 0 : 20'000});
        if (i % 2) {
          EXPECT_TRUE(WaitOne(*timer, Signals::kReadable, Deadline::Never()).ok());
        }
        if (i % 5 == 0) timer->Set({In(10'000), 0});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace zrun
