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
  explicit Processor(SharePolicy& policy) : queue(policy, shares, 0) {}
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
  Shares shares{1};
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
  processor.RunFor(kSecond / 2);
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
  EXPECT_EQ(b.weight, kWholeProcessor / 2 * 15 / 1024);
}

TEST(RunQueueTest, RealTimeLeavesATwentieth) {
  FairPolicy policy;
  Processor processor(policy);
  Task& normal = processor.Make();
  Task& hog = processor.Make();
  hog.scheduling = {.policy = SchedulingPolicy::kFifo, .priority = 99};
  processor.Add(normal);
  processor.Add(hog);
  processor.RunFor(20 * kSecond);
  EXPECT_NEAR(double(normal.ran), double(kSecond), double(kSecond / 10));
  // What shares is nobody's to throttle for while it sleeps, and services never are.
  if (processor.queue.running() == &normal) {
    processor.queue.Retire();
  } else {
    processor.queue.Remove(normal);
  }
  const Nanoseconds before = hog.ran;
  processor.RunFor(5 * kSecond);
  EXPECT_EQ(hog.ran - before, 5 * kSecond);
  Task& service = processor.Make();
  service.scheduling = {.policy = SchedulingPolicy::kFifo, .priority = kServicePriority};
  processor.Add(service);
  EXPECT_TRUE(processor.queue.ShouldSwitch());
}

// Several processors, as a machine drives them: a look every few milliseconds, and at the end of a
// round others' late threads.
class Machine {
 public:
  explicit Machine(unsigned processors) : shares_(processors) {
    for (unsigned i = 0; i < processors; i++) cpus_.push_back(std::make_unique<Cpu>(shares_, i));
  }
  ~Machine() {
    for (auto& cpu : cpus_) {
      if (cpu->queue.running()) cpu->queue.Retire();
      while (cpu->queue.Take()) cpu->queue.Retire();
    }
  }
  // All begin on the first processor, as children do on their parent's.
  Task& Add(const Scheduling& scheduling) {
    Task& task = *tasks_.emplace_back(std::make_unique<Task>());
    task.scheduling = scheduling;
    cpus_[0]->queue.Join(task, Arrival::kNew);
    return task;
  }
  void RunFor(Nanoseconds time) {
    for (const Nanoseconds end = now_ + time; now_ < end; now_ += kStep) {
      for (unsigned i = 0; i < cpus_.size(); i++) Step(i);
    }
  }
  // What each is to get of |time|: in proportion to its weight, but no more than one processor.
  std::vector<double> Ideal(Nanoseconds time) const {
    std::vector<double> ideal(tasks_.size(), -1);
    auto processors = double(cpus_.size());
    for (bool again = true; again;) {
      again = false;
      double weights = 0;
      for (size_t i = 0; i < tasks_.size(); i++)
        if (ideal[i] < 0) weights += WeightOf(tasks_[i]->scheduling);
      for (size_t i = 0; i < tasks_.size(); i++) {
        if (ideal[i] >= 0 || WeightOf(tasks_[i]->scheduling) * processors < weights) continue;
        ideal[i] = double(time);
        processors--;
        again = true;
        break;
      }
      if (again) continue;
      for (size_t i = 0; i < tasks_.size(); i++)
        if (ideal[i] < 0)
          ideal[i] = double(time) * processors * WeightOf(tasks_[i]->scheduling) / weights;
    }
    return ideal;
  }
  const std::vector<std::unique_ptr<Task>>& tasks() const { return tasks_; }

 private:
  struct Cpu {
    Cpu(Shares& shares, unsigned index) : queue(policy, shares, index) {}
    FairPolicy policy;
    RunQueue queue;
    Nanoseconds tick_at = 0;
  };

  void Step(unsigned index) {
    Cpu& cpu = *cpus_[index];
    if (!cpu.queue.running()) {
      if (cpu.queue.waiting() == 0) TakeOver(index);
      if (!cpu.queue.Take()) return;
      cpu.tick_at = now_ + Tick(cpu);
    }
    static_cast<Task*>(cpu.queue.running())->ran += kStep;
    cpu.queue.Charge(kStep);
    if (now_ + kStep < cpu.tick_at) return;
    shares_.Divide();
    TakeOver(index);
    cpu.tick_at = now_ + kStep + Tick(cpu);
    if (cpu.queue.ShouldSwitch()) cpu.queue.PutBack(false);
  }
  static Nanoseconds Tick(const Cpu& cpu) { return cpu.queue.NeedsTick() ? 3'000'000 : 10'000'000; }

  // From a queue that is behind; anything for one that has nothing to do.
  void TakeOver(unsigned index) {
    RunQueue& queue = cpus_[index]->queue;
    for (unsigned i = 1; i < cpus_.size(); i++) {
      RunQueue& other = cpus_[(index + i) % cpus_.size()]->queue;
      Entity* entity = queue.running() ? other.FindFor(queue) : other.Spare(index);
      if (!entity) continue;
      other.Remove(*entity);
      queue.Join(*entity, Arrival::kMoved);
      return;
    }
    queue.ForgiveLead();
  }

  Shares shares_;
  std::vector<std::unique_ptr<Cpu>> cpus_;
  std::vector<std::unique_ptr<Task>> tasks_;
  Nanoseconds now_ = 0;
};

// Within a twentieth of what is due, or ten slices where that is next to nothing.
void ExpectFair(unsigned processors, const std::vector<int>& nice_values) {
  constexpr Nanoseconds kTime = 3 * kSecond;
  Machine machine(processors);
  for (int nice : nice_values) machine.Add({.nice = int8_t(nice)});
  machine.RunFor(kTime);
  const std::vector<double> ideal = machine.Ideal(kTime);
  for (size_t i = 0; i < ideal.size(); i++) {
    EXPECT_NEAR(double(machine.tasks()[i]->ran), ideal[i], std::max(ideal[i] / 20, 30e6))
        << "on " << processors << " processors, number " << i << " of " << ideal.size() << ", nice "
        << nice_values[i];
  }
}

TEST(MachineTest, EqualsShareAllProcessors) {
  for (unsigned processors = 1; processors <= 8; processors++) {
    for (size_t count = 1; count <= 20; count++) ExpectFair(processors, std::vector<int>(count, 0));
  }
}

TEST(MachineTest, NiceDividesAllProcessors) {
  for (unsigned processors = 1; processors <= 8; processors++) {
    ExpectFair(processors, {0, 19});
    ExpectFair(processors, {0, 0, 5, 5, 10});
    ExpectFair(processors, {-20, 0, 0, 0});
    ExpectFair(processors, {-5, -5, -5, 0, 0, 0, 5, 5, 5});
    ExpectFair(processors, {-20, -20, 19, 19, 0, 0, 0, 0, 0, 0, 10, 10});
  }
}

TEST(MachineTest, AnyMixIsFair) {
  uint32_t random = 1;
  const auto next = [&random](uint32_t below) {
    random = random * 1664525 + 1013904223;
    return int((random >> 16) % below);
  };
  for (int round = 0; round < 100; round++) {
    std::vector<int> nice_values(size_t(1 + next(24)));
    for (int& nice : nice_values) nice = next(40) - 20;
    ExpectFair(unsigned(1 + next(8)), nice_values);
  }
}

}  // namespace
}  // namespace zrun::hal::sched
