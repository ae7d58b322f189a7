#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>

#include "hal/fake/fake.h"
#include "objects/boot_for_test.h"
#include "objects/task/thread.h"
#include "objects/wait.h"

namespace zrun {
namespace {

using hal::Deadline;

class TestThread final : public Thread {
 public:
  TestThread(RefPtr<Process> process, std::function<void(TestThread&)> body,
             std::function<void(TestThread&)> next = nullptr)
      : Thread(std::move(process)), body_(std::move(body)), next_(std::move(next)) {}

 private:
  void Main() override { body_(*this); }
  void Continue() override { next_(*this); }
  std::function<void(TestThread&)> body_, next_;
};

class TaskTest : public testing::Test {
 protected:
  void TearDown() override { process->Terminate(3); }
  RefPtr<Job> job = Job::CreateRoot({}).value();
  RefPtr<hal::AddressSpace> space = hal::CreateAddressSpace().value();
  RefPtr<Process> process = Process::Create(job, VmAddressRegion::Create(space).value()).value();
};

void Join(Thread& thread) {
  EXPECT_TRUE(WaitOne(thread, Signals::kTerminated, Deadline::Never()).ok());
}

TEST_F(TaskTest, ThreadsRunAndEnd) {
  Thread* seen = nullptr;
  auto thread =
      MakeRef<TestThread>(process, [&](TestThread&) { seen = Thread::Current(); }).value();
  ASSERT_TRUE(thread->Start(*space).ok());
  Join(*thread);
  EXPECT_EQ(seen, thread.get());
  EXPECT_TRUE(thread->has_ended());
  EXPECT_EQ(Thread::Current(), nullptr);
  hal::fake::AwaitThreads(1);
  EXPECT_EQ(thread->ref_count(), 1u);
  EXPECT_GE(thread->cpu_times().user, 0);
}

TEST_F(TaskTest, ThreadsKeepThemselves) {
  std::atomic<bool> go{false}, ran{false};
  auto thread = MakeRef<TestThread>(process, [&](TestThread&) {
                  while (!go) std::this_thread::yield();
                  ran = true;
                }).value();
  ASSERT_TRUE(thread->Start(*space).ok());
  thread = nullptr;
  go = true;
  while (!ran) std::this_thread::yield();
  hal::fake::AwaitThreads(1);
}

TEST_F(TaskTest, KicksAreNotLost) {
  for (int i = 0; i < 50; i++) {
    auto thread = MakeRef<TestThread>(process, [&](TestThread&) {
                    EXPECT_EQ(hal::Park(Deadline::Never(), hal::Interruptible::kYes),
                              hal::ParkOutcome::kKicked);
                    hal::ClearKick();
                  }).value();
    if (i % 2) thread->Kick();  // before there is anything to kick
    ASSERT_TRUE(thread->Start(*space).ok());
    if (!(i % 2)) thread->Kick();
    Join(*thread);
    thread->Kick();
  }
}

TEST_F(TaskTest, MovingContinuesInAnotherSpace) {
  RefPtr<hal::AddressSpace> target = hal::CreateAddressSpace().value();
  std::atomic<int> steps{0};
  auto thread = MakeRef<TestThread>(
                    process,
                    [&](TestThread& self) {
                      steps = 1;
                      hal::ClearKick();
                      ASSERT_TRUE(self.MoveTo(*target).ok());
                      std::this_thread::sleep_for(std::chrono::milliseconds(5));
                      EXPECT_EQ(steps, 1);  // the new one waits for us
                      steps = 2;
                    },
                    [&](TestThread& self) {
                      EXPECT_EQ(steps, 2);
                      EXPECT_EQ(Thread::Current(), &self);
                      EXPECT_FALSE(self.has_ended());
                      steps = 3;
                    })
                    .value();
  ASSERT_TRUE(thread->Start(*space).ok());
  Join(*thread);
  EXPECT_EQ(steps, 3);
}

TEST_F(TaskTest, ProcessesHaveRegions) {
  auto other = VmAddressRegion::Create(hal::CreateAddressSpace().value()).value();
  auto old = process->ReplaceRegion(other);
  EXPECT_TRUE(old);
  EXPECT_EQ(process->region(), other);
  EXPECT_EQ(job->process_count(), 1u);
  process->Terminate(7);
  process->Terminate(8);
  EXPECT_EQ(process->exit_code(), 7);
  EXPECT_FALSE(process->region());
  EXPECT_TRUE(HasAny(process->signals(), Signals::kTerminated));
  EXPECT_EQ(job->process_count(), 0u);
}

TEST(Job, LimitsHoldForTheTree) {
  auto root = Job::CreateRoot({.processes = 3}).value();
  auto child = root->CreateChild({.processes = 2}).value();
  const auto create = [](RefPtr<Job> job) { return Process::Create(job, nullptr); };
  auto one = create(child).value(), two = create(child).value();
  EXPECT_EQ(create(child).error(), Errno::kEAGAIN);
  auto three = create(root).value();
  EXPECT_EQ(create(root).error(), Errno::kEAGAIN);
  EXPECT_EQ(root->process_count(), 3u);
  one->Terminate(0);
  EXPECT_EQ(root->process_count(), 2u);
  auto four = create(root).value();
  EXPECT_EQ(create(child).error(), Errno::kEAGAIN);  // the parent's limit
  EXPECT_EQ(child->process_count(), 1u);
  for (const auto& process : {two, three, four}) process->Terminate(0);
}

TEST(Job, KillingEndsTheTree) {
  auto root = Job::CreateRoot({}).value();
  auto child = root->CreateChild({}).value(), empty = root->CreateChild({}).value();
  auto process = Process::Create(child, nullptr).value();
  root->Kill();
  root->Kill();
  EXPECT_TRUE(child->is_killed());
  EXPECT_TRUE(HasAny(empty->signals(), Signals::kTerminated));
  EXPECT_FALSE(HasAny(root->signals(), Signals::kTerminated));
  EXPECT_EQ(Process::Create(child, nullptr).error(), Errno::kESRCH);
  EXPECT_EQ(root->CreateChild({}).error(), Errno::kESRCH);
  process->Terminate(0);
  EXPECT_TRUE(HasAny(child->signals(), Signals::kTerminated));
  EXPECT_TRUE(HasAny(root->signals(), Signals::kTerminated));
}

}  // namespace
}  // namespace zrun
