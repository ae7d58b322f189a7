#include "objects/kernel_object.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "hal/fake/fake.h"
#include "objects/boot_for_test.h"
#include "objects/handle.h"
#include "objects/ipc/event.h"
#include "objects/wait.h"

namespace zrun {
namespace {

using hal::Deadline;
using hal::Interruptible;

class Recorder final : public SignalObserver {
 public:
  void OnSignals(Signals active) override {
    count++;
    last = active;
  }
  void OnClosed() override { closed = true; }
  void MakeExclusive() { set_exclusive(true); }
  int count = 0;
  bool closed = false;
  Signals last = Signals::kNone;
};

Deadline In(hal::Nanoseconds time) { return {hal::MonotonicNow() + time}; }

TEST(KernelObject, IdentitiesDiffer) {
  EXPECT_NE(Event::Create().value()->koid(), Event::Create().value()->koid());
  RefPtr<KernelObject> object = Event::Create().value();
  EXPECT_TRUE(Downcast<Event>(object));
  EXPECT_FALSE(Downcast<Timer>(object));
}

TEST(KernelObject, ObserversAreToldOfEdges) {
  auto event = Event::Create().value();
  Recorder recorder;
  event->AddObserver(recorder, Signals::kSignaled | Signals::kUser);
  EXPECT_EQ(recorder.count, 0);
  event->Signal();
  event->Signal();  // again, though it is set already
  EXPECT_EQ(recorder.count, 2);
  event->Signal(Signals::kReadable);  // not wanted
  event->Clear();
  EXPECT_EQ(recorder.count, 2);
  event->Signal(Signals::kUser | Signals::kWritable);
  EXPECT_EQ(recorder.last, Signals::kUser);
  event->RemoveObserver(recorder);
  event->RemoveObserver(recorder);
  event->Signal();
  EXPECT_EQ(recorder.count, 3);
  event->AddObserver(recorder, Signals::kSignaled);  // holds already
  EXPECT_EQ(recorder.count, 4);
  event->RemoveObserver(recorder);
}

TEST(KernelObject, ExclusiveObserversTakeTurns) {
  auto event = Event::Create().value();
  Recorder shared, one, two;
  one.MakeExclusive();
  two.MakeExclusive();
  for (Recorder* recorder : {&one, &shared, &two})
    event->AddObserver(*recorder, Signals::kSignaled);
  for (int i = 0; i < 4; i++) event->Signal();
  EXPECT_EQ(shared.count, 4);
  EXPECT_EQ(one.count, 2);
  EXPECT_EQ(two.count, 2);
  for (Recorder* recorder : {&one, &shared, &two}) event->RemoveObserver(*recorder);
}

TEST(Handle, RightsOnlyShrink) {
  Handle handle(Event::Create().value(), Rights::kRead | Rights::kDuplicate);
  EXPECT_TRUE(handle.Get<Event>(Rights::kRead).ok());
  EXPECT_EQ(handle.Get<Event>(Rights::kWrite).error(), Errno::kEACCES);
  EXPECT_EQ(handle.Get<Timer>(Rights::kRead).error(), Errno::kEBADF);
  EXPECT_EQ(handle.Duplicate(Rights::kWrite).error(), Errno::kEACCES);
  Handle copy = handle.Duplicate(Rights::kRead).value();
  EXPECT_EQ(copy.Duplicate().error(), Errno::kEACCES);
  EXPECT_EQ(handle.Duplicate().value().rights(), handle.rights());
  EXPECT_EQ(Handle().Duplicate().error(), Errno::kEBADF);
}

TEST(Handle, TheLastHandleClosesTheObject) {
  class Closing final : public KernelObject {
   public:
    Closing() : KernelObject(ObjectType::kEvent) {}
    bool closed = false;

   private:
    void OnZeroHandles() override { closed = true; }
  };
  auto object = MakeRef<Closing>().value();
  Recorder recorder;
  object->AddObserver(recorder, Signals::kSignaled);
  {
    Handle one(object, Rights::kDuplicate);
    Handle two = one.Duplicate().value();
    one = Handle();
    EXPECT_FALSE(object->closed);
    Handle three(std::move(two));
    EXPECT_FALSE(recorder.closed);
  }
  EXPECT_TRUE(object->closed);
  EXPECT_TRUE(recorder.closed);
  object->RemoveObserver(recorder);
}

TEST(HandleTable, LowestNumberFirst) {
  HandleTable table;
  const auto add = [&] {
    return table.Add(Handle(Event::Create().value(), Rights::kRead)).value();
  };
  EXPECT_EQ(add(), 0u);
  EXPECT_EQ(add(), 1u);
  EXPECT_EQ(add(), 2u);
  EXPECT_TRUE(table.Remove(1).ok());
  EXPECT_TRUE(table.Remove(0).ok());
  EXPECT_EQ(table.Remove(0).error(), Errno::kEBADF);
  EXPECT_EQ(add(), 0u);
  EXPECT_EQ(add(), 1u);
  EXPECT_EQ(add(), 3u);
  EXPECT_EQ(table.count(), 4u);
  EXPECT_EQ(table.Get<Event>(9, Rights::kRead).error(), Errno::kEBADF);
  EXPECT_TRUE(table.Get<Event>(3, Rights::kRead).ok());
}

TEST(Wait, ReturnsWhatIsSet) {
  auto event = Event::Create(true).value();
  EXPECT_EQ(WaitOne(*event, Signals::kSignaled | Signals::kUser, Deadline{0}).value(),
            Signals::kSignaled);
  event->Clear();
  EXPECT_EQ(WaitOne(*event, Signals::kSignaled, Deadline{0}).error(), Errno::kETIMEDOUT);
  EXPECT_EQ(WaitOne(*event, Signals::kSignaled, In(1'000'000)).error(), Errno::kETIMEDOUT);
  std::thread signaler([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    event->Signal();
  });
  EXPECT_TRUE(WaitOne(*event, Signals::kSignaled, Deadline::Never()).ok());
  signaler.join();
}

TEST(Wait, KicksInterrupt) {
  auto event = Event::Create().value();
  hal::Thread& self = hal::CurrentThread();
  hal::Kick(self);
  EXPECT_EQ(WaitOne(*event, Signals::kSignaled, Deadline::Never()).error(), Errno::kEINTR);
  EXPECT_EQ(WaitOne(*event, Signals::kSignaled, In(1'000'000), Interruptible::kNo).error(),
            Errno::kETIMEDOUT);
  event->Signal();
  EXPECT_TRUE(WaitOne(*event, Signals::kSignaled, Deadline::Never()).ok());  // a signal comes first
  hal::ClearKick();
  event->Clear();
  std::thread kicker([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    hal::Kick(self);
  });
  EXPECT_EQ(WaitOne(*event, Signals::kSignaled, Deadline::Never()).error(), Errno::kEINTR);
  kicker.join();
  hal::ClearKick();
}

TEST(Wait, ManyObjects) {
  std::vector<RefPtr<Event>> events;
  std::vector<WaitItem> items;
  for (int i = 0; i < 20; i++) {
    events.push_back(Event::Create().value());
    items.push_back({events.back().get(), Signals::kSignaled});
  }
  items.push_back({});
  EXPECT_EQ(WaitMany(items, Deadline{0}).error(), Errno::kETIMEDOUT);
  std::thread signaler([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    events[17]->Signal();
  });
  EXPECT_EQ(WaitMany(items, Deadline::Never()).value(), 1u);
  signaler.join();
  EXPECT_EQ(items[17].seen, Signals::kSignaled);
  EXPECT_EQ(items[16].seen, Signals::kNone);
  events[2]->Signal();
  EXPECT_EQ(WaitMany(items, Deadline{0}).value(), 2u);
  EXPECT_EQ(WaitMany({}, In(1'000'000)).error(), Errno::kETIMEDOUT);
}

TEST(Wait, PingPongLosesNoWakeUp) {
  auto ping = Event::Create().value(), pong = Event::Create().value();
  constexpr int kRounds = 3000;
  std::thread other([&] {
    for (int i = 0; i < kRounds; i++) {
      EXPECT_TRUE(WaitOne(*ping, Signals::kSignaled, Deadline::Never()).ok());
      ping->Clear();
      pong->Signal();
    }
  });
  for (int i = 0; i < kRounds; i++) {
    ping->Signal();
    EXPECT_TRUE(WaitOne(*pong, Signals::kSignaled, Deadline::Never()).ok());
    pong->Clear();
  }
  other.join();
}

TEST(Mutex, Excludes) {
  Mutex mutex(LockRank::kLeaf);
  int count = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5000; i++) {
        MutexLock lock(mutex);
        count++;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, 20000);
  const auto try_lock = [&] {
    if (!mutex.TryLock()) return false;
    mutex.Unlock();
    return true;
  };
  EXPECT_TRUE(try_lock());
  MutexLock lock(mutex);
  std::thread([&] { EXPECT_FALSE(try_lock()); }).join();
}

TEST(Mutex, TwoOfOneRank) {
  Mutex mutex(LockRank::kLeaf);
  Mutex other(LockRank::kLeaf);
  { LockBoth both(mutex, other); }
  { LockBoth same(mutex, mutex); }
}

#ifndef NDEBUG
TEST(MutexDeathTest, RanksAreChecked) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Mutex first(LockRank::kFile), second(LockRank::kVnode), third(LockRank::kVnode);
  {
    MutexLock outer(first);
    MutexLock inner(second);
  }
  EXPECT_DEATH(
      {
        MutexLock outer(second);
        MutexLock inner(first);
      },
      "out of rank");
  EXPECT_DEATH(
      {
        MutexLock outer(second);
        MutexLock inner(third);
      },
      "out of rank");
}
#endif

}  // namespace
}  // namespace zrun
