// The policies with a clock of the test's own: who runs how much, and who waits how long.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "hal/sched/run_queue.h"

namespace zrun::hal::sched {
namespace {

constexpr Nanoseconds kStep = 250'000;  // what passes between two looks

struct Task : Entity {
  Nanoseconds ran = 0;
  Nanoseconds wakes_at = -1;     // sleeping until then
  Nanoseconds left = INT64_MAX;  // of its burst
  Nanoseconds longest_wait = 0, ready_at = 0;
};

// One processor that runs tasks for a while.
class Processor {
 public:
  explicit Processor(SharePolicy& policy) : queue(policy) {}
  ~Processor() {
    if (queue.running()) queue.Retire();
    while (queue.Take()) queue.Retire();
  }
  // Tasks outlive the test's body.
  Task& Make() { return *tasks_.emplace_back(std::make_unique<Task>()); }
  std::vector<Task*> Make(int count) {
    std::vector<Task*> made;
    while (count-- > 0) made.push_back(&Make());
    return made;
  }
  void Add(Task& task, Arrival arrival = Arrival::kNew) {
    task.ready_at = now;
    queue.Join(task, arrival);
  }
  void RunFor(Nanoseconds time, const std::function<void(Task&)>& after_step = {}) {
    for (const Nanoseconds end = now + time; now < end; now += kStep) {
      if (!queue.running()) Start();
      if (!queue.running()) continue;
      auto& task = static_cast<Task&>(*queue.running());
      task.ran += kStep;
      queue.Charge(kStep);
      if (after_step) after_step(task);
      if (queue.running() && queue.ShouldSwitch()) {
        static_cast<Task&>(*queue.running()).ready_at = now + kStep;
        queue.PutBack(false);
        switches++;
      }
    }
  }
  void Start() {
    auto* task = static_cast<Task*>(queue.Take());
    if (task) task->longest_wait = std::max(task->longest_wait, now - task->ready_at);
  }
  RunQueue queue;
  Nanoseconds now = 0;
  int switches = 0;

 private:
  std::vector<std::unique_ptr<Task>> tasks_;
};

template <typename Policy>
class SharePolicyTest : public testing::Test {
 public:
  Policy policy;
  Processor processor{policy};
};
using Policies = testing::Types<FairPolicy, StridePolicy>;
TYPED_TEST_SUITE(SharePolicyTest, Policies);

// Also one that is behind does not run again at once: the other would wait for it to catch up.
TYPED_TEST(SharePolicyTest, WhoYieldsLetsTheOthersRun) {
  Processor& on = this->processor;
  Task &first = on.Make(), &second = on.Make();
  on.Add(first);
  on.RunFor(10'000'000);
  on.Add(second);
  int runs[2] = {}, in_a_row = 0, most_in_a_row = 0;
  sched::Entity* last = nullptr;
  if (on.queue.running()) on.queue.PutBack(true);
  for (int i = 0; i < 200; i++) {
    sched::Entity* entity = on.queue.Take();
    ASSERT_NE(entity, nullptr);
    runs[entity == &second]++;
    in_a_row = entity == last ? in_a_row + 1 : 1;
    last = entity;
    if (i > 4) most_in_a_row = std::max(most_in_a_row, in_a_row);
    on.queue.Charge(10'000);
    on.queue.PutBack(true);
  }
  EXPECT_NEAR(runs[0], runs[1], 10);
  EXPECT_LE(most_in_a_row, 2);
}

TYPED_TEST(SharePolicyTest, EqualsShareEqually) {
  const auto tasks = this->processor.Make(4);
  for (Task* task : tasks) this->processor.Add(*task);
  this->processor.RunFor(4 * kSecond);
  for (Task* task : tasks) EXPECT_NEAR(double(task->ran), double(kSecond), double(2 * kSlice));
}

TYPED_TEST(SharePolicyTest, NiceDividesByWeight) {
  Task& high = this->processor.Make();
  Task& low = this->processor.Make();
  high.scheduling.nice = -5;
  low.scheduling.nice = 5;
  this->processor.Add(high);
  this->processor.Add(low);
  this->processor.RunFor(10 * kSecond);
  const double expected = double(WeightOf(high.scheduling)) / WeightOf(low.scheduling);
  EXPECT_NEAR(double(high.ran) / double(low.ran), expected, expected / 10);
}

TYPED_TEST(SharePolicyTest, NobodyWaitsLongerThanTheOthersSlices) {
  const auto tasks = this->processor.Make(10);
  for (Task* task : tasks) this->processor.Add(*task);
  this->processor.RunFor(5 * kSecond);
  for (Task* task : tasks) EXPECT_LE(task->longest_wait, 20 * kSlice);
}

TYPED_TEST(SharePolicyTest, SleepingEarnsNoCredit) {
  Task& worker = this->processor.Make();
  Task& sleeper = this->processor.Make();
  this->processor.Add(worker);
  this->processor.Add(sleeper);
  this->processor.RunFor(kSecond);
  // One sleeps for long; afterwards both share again from then on.
  if (this->processor.queue.running() == &sleeper) {
    this->processor.queue.Retire();
  } else {
    this->processor.queue.Remove(sleeper);
  }
  this->processor.RunFor(10 * kSecond);
  this->processor.Add(sleeper, Arrival::kWoken);
  const Nanoseconds before = sleeper.ran;
  this->processor.RunFor(2 * kSecond);
  EXPECT_NEAR(double(sleeper.ran - before), double(kSecond), double(4 * kSlice));
}

TYPED_TEST(SharePolicyTest, InteractiveTasksRunSoon) {
  const auto hogs = this->processor.Make(3);
  Task& interactive = this->processor.Make();
  for (Task* task : hogs) this->processor.Add(*task);
  this->processor.Add(interactive);
  // Runs for half a millisecond, sleeps for twenty.
  Nanoseconds burst = 0;
  Nanoseconds worst = 0;
  for (int i = 0; i < 4000; i++) {
    this->processor.RunFor(kStep, [&](Task& task) {
      if (&task != &interactive) return;
      burst += kStep;
      if (burst < 2 * kStep) return;
      burst = 0;
      this->processor.queue.Retire();
      interactive.wakes_at = this->processor.now + 20'000'000;
    });
    if (interactive.wakes_at >= 0 && this->processor.now >= interactive.wakes_at) {
      interactive.wakes_at = -1;
      interactive.longest_wait = 0;
      this->processor.Add(interactive, Arrival::kWoken);
    }
    worst = std::max(worst, interactive.longest_wait);
  }
  EXPECT_LE(worst, 4 * kSlice);
}

TYPED_TEST(SharePolicyTest, SwitchesAboutOnceASlice) {
  Task& a = this->processor.Make();
  Task& b = this->processor.Make();
  this->processor.Add(a);
  this->processor.Add(b);
  this->processor.RunFor(3 * kSecond);
  EXPECT_GT(this->processor.switches, 3 * kSecond / kSlice / 4);
  EXPECT_LT(this->processor.switches, 3 * kSecond / kSlice * 2);
}

TYPED_TEST(SharePolicyTest, IdlePolicyGetsWhatIsLeft) {
  Task& normal = this->processor.Make();
  Task& idle = this->processor.Make();
  idle.scheduling.policy = SchedulingPolicy::kIdle;
  this->processor.Add(normal);
  this->processor.Add(idle);
  this->processor.RunFor(10 * kSecond);
  EXPECT_LT(idle.ran, kSecond / 10);
  EXPECT_GT(idle.ran, 0);
}

TYPED_TEST(SharePolicyTest, SpareRespectsAffinity) {
  Task& pinned = this->processor.Make();
  Task& free = this->processor.Make();
  pinned.scheduling.affinity = 1;
  this->processor.Add(pinned);
  this->processor.Add(free);
  EXPECT_EQ(this->processor.queue.Spare(1), &free);
  EXPECT_EQ(this->processor.queue.Spare(70 % 64), &free);
  this->processor.queue.Remove(free);
  EXPECT_EQ(this->processor.queue.Spare(1), nullptr);
  EXPECT_EQ(this->processor.queue.Spare(0), &pinned);
}

TEST(RunQueueTest, RealTimeGoesFirstByPriority) {
  FairPolicy policy;
  Processor processor(policy);
  Task& normal = processor.Make();
  Task& low = processor.Make();
  Task& high = processor.Make();
  low.scheduling = {.policy = SchedulingPolicy::kFifo, .priority = 10};
  high.scheduling = {.policy = SchedulingPolicy::kFifo, .priority = 90};
  processor.Add(normal);
  processor.RunFor(kStep);
  processor.Add(low);
  EXPECT_TRUE(processor.queue.ShouldSwitch());
  processor.queue.PutBack(false);
  EXPECT_EQ(processor.queue.Take(), &low);
  processor.Add(high);
  EXPECT_TRUE(processor.queue.ShouldSwitch());
  processor.queue.PutBack(false);
  EXPECT_EQ(processor.queue.Take(), &high);
  // FIFO has no slice.
  processor.RunFor(kSecond);
  EXPECT_EQ(processor.queue.running(), &high);
  EXPECT_FALSE(processor.queue.NeedsTick());
}

TEST(RunQueueTest, PreemptedFifoGoesBeforeItsEquals) {
  FairPolicy policy;
  Processor processor(policy);
  Task& first = processor.Make();
  Task& second = processor.Make();
  first.scheduling = second.scheduling = {.policy = SchedulingPolicy::kFifo, .priority = 10};
  processor.Add(first);
  processor.Add(second);
  EXPECT_EQ(processor.queue.Take(), &first);
  processor.queue.PutBack(false);
  EXPECT_EQ(processor.queue.Take(), &first);
  processor.queue.PutBack(true);  // sched_yield
  EXPECT_EQ(processor.queue.Take(), &second);
}

TEST(RunQueueTest, RoundRobinTakesTurns) {
  FairPolicy policy;
  Processor processor(policy);
  const auto tasks = processor.Make(3);
  for (Task* task : tasks) {
    task->scheduling = {.policy = SchedulingPolicy::kRoundRobin, .priority = 10};
    processor.Add(*task);
  }
  processor.RunFor(3 * kSecond);
  for (Task* task : tasks)
    EXPECT_NEAR(double(task->ran), double(kSecond), double(2 * kRoundRobinSlice));
}

TEST(RunQueueTest, ChangesTakeEffect) {
  FairPolicy policy;
  Processor processor(policy);
  Task& a = processor.Make();
  Task& b = processor.Make();
  processor.Add(a);
  processor.Add(b);
  processor.queue.Change(b, true, {.policy = SchedulingPolicy::kFifo, .priority = 1});
  EXPECT_EQ(processor.queue.Take(), &b);
  processor.queue.PutBack(false);
  processor.queue.Change(b, true, {.nice = 19});
  EXPECT_EQ(b.weight, 15u);
}

}  // namespace
}  // namespace zrun::hal::sched
