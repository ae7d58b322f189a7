#include "objects/ipc/port.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
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

// The cookies of what is ready now.
std::vector<uint64_t> Poll(Port& port, size_t room = 16) {
  std::vector<PortPacket> packets(room);
  auto got = port.Wait(packets, Deadline{0});
  std::vector<uint64_t> cookies;
  for (size_t i = 0; got.ok() && i < got.value(); i++) cookies.push_back(packets[i].cookie);
  return cookies;
}
using Cookies = std::vector<uint64_t>;

class PortTest : public testing::Test {
 protected:
  void Add(const RefPtr<Event>& event, uint64_t cookie, PortMode mode = PortMode::kLevel) {
    ASSERT_TRUE(port->Add(event, cookie, Signals::kSignaled, mode, cookie).ok());
  }
  RefPtr<Port> port = Port::Create().value();
  RefPtr<Event> one = Event::Create().value(), two = Event::Create().value();
};

TEST_F(PortTest, LevelTellsAsLongAsItHolds) {
  Add(one, 1);
  EXPECT_EQ(Poll(*port), Cookies{});
  one->Signal();
  EXPECT_EQ(Poll(*port), Cookies{1});
  EXPECT_EQ(Poll(*port), Cookies{1});
  one->Clear();
  EXPECT_EQ(Poll(*port), Cookies{});
  one->Signal();
  one->Clear();
  EXPECT_EQ(Poll(*port), Cookies{});
  one->Signal();
  Add(two, 2);
  two->Signal();
  EXPECT_EQ(Poll(*port), (Cookies{1, 2}));
  // With little room each has its turn.
  EXPECT_EQ(Poll(*port, 1), Cookies{1});
  EXPECT_EQ(Poll(*port, 1), Cookies{2});
  EXPECT_EQ(Poll(*port, 1), Cookies{1});
}

TEST_F(PortTest, WhatHoldsWhenItIsAddedIsTold) {
  one->Signal();
  Add(one, 1);
  EXPECT_EQ(Poll(*port), Cookies{1});
}

TEST_F(PortTest, EdgeTellsOncePerEvent) {
  Add(one, 1, PortMode::kEdge);
  one->Signal();
  one->Signal();
  EXPECT_EQ(Poll(*port), Cookies{1});
  EXPECT_EQ(Poll(*port), Cookies{});
  one->Signal();  // though it was never cleared
  EXPECT_EQ(Poll(*port), Cookies{1});
  ASSERT_TRUE(port->Modify(*one, 1, Signals::kSignaled, PortMode::kEdge, 7).ok());
  EXPECT_EQ(Poll(*port), Cookies{7});  // changing it looks again
  EXPECT_EQ(Poll(*port), Cookies{});
}

TEST_F(PortTest, OneShotIsSilentUntilItIsArmedAgain) {
  Add(one, 1, PortMode::kOneShot);
  one->Signal();
  EXPECT_EQ(Poll(*port), Cookies{1});
  one->Signal();
  EXPECT_EQ(Poll(*port), Cookies{});
  ASSERT_TRUE(port->Modify(*one, 1, Signals::kSignaled, PortMode::kOneShot, 2).ok());
  EXPECT_EQ(Poll(*port), Cookies{2});
  EXPECT_EQ(Poll(*port), Cookies{});
}

TEST_F(PortTest, Names) {
  Add(one, 1);
  EXPECT_EQ(port->Add(one, 1, Signals::kSignaled, PortMode::kLevel, 0).error(), Errno::kEEXIST);
  Add(one, 2);
  EXPECT_EQ(port->Modify(*two, 1, Signals::kSignaled, PortMode::kLevel, 0).error(), Errno::kENOENT);
  EXPECT_EQ(port->Remove(*two, 1).error(), Errno::kENOENT);
  EXPECT_EQ(port->ModeOf(*one, 2).value(), PortMode::kLevel);
  one->Signal();
  EXPECT_TRUE(port->Remove(*one, 1).ok());
  EXPECT_EQ(Poll(*port), Cookies{2});
  EXPECT_EQ(port->Wait({}, Deadline{0}).error(), Errno::kEINVAL);
  PortPacket packet;
  EXPECT_EQ(port->Wait({&packet, 1}, Deadline{0}).value(), 1u);
  EXPECT_EQ(packet.active, Signals::kSignaled);
}

TEST_F(PortTest, ErrorsAreAlwaysWanted) {
  Add(one, 1);
  one->Signal(Signals::kPeerClosed | Signals::kWritable);
  PortPacket packet;
  EXPECT_EQ(port->Wait({&packet, 1}, Deadline{0}).value(), 1u);
  EXPECT_EQ(packet.active, Signals::kPeerClosed);
}

TEST_F(PortTest, EntriesGoWithTheLastHandle) {
  {
    Handle handle(one, Rights::kDuplicate);
    Add(one, 1);
    Add(two, 2);
    one->Signal();
    two->Signal();
    EXPECT_EQ(Poll(*port), (Cookies{1, 2}));
  }
  one->Signal();
  EXPECT_EQ(Poll(*port), Cookies{2});
  EXPECT_EQ(one->ref_count(), 1u);
  EXPECT_EQ(port->Remove(*one, 1).error(), Errno::kENOENT);
  port = nullptr;
  EXPECT_EQ(two->ref_count(), 1u);
}

TEST_F(PortTest, PortsObservePorts) {
  auto outer = Port::Create().value();
  ASSERT_TRUE(outer->Add(port, 5, Signals::kReadable, PortMode::kLevel, 5).ok());
  Add(one, 1);
  EXPECT_EQ(Poll(*outer), Cookies{});
  one->Signal();
  EXPECT_EQ(port->signals(), Signals::kReadable);
  EXPECT_EQ(Poll(*outer), Cookies{5});
  one->Clear();
  EXPECT_EQ(port->signals(), Signals::kNone);
  EXPECT_EQ(Poll(*outer), Cookies{});
  one->Signal();
  EXPECT_TRUE(WaitOne(*outer, Signals::kReadable, Deadline{0}).ok());
  { Handle handle(port, Rights::kRead); }
  EXPECT_EQ(Poll(*outer), Cookies{});
}

TEST_F(PortTest, WaitsSleepAndAreInterrupted) {
  Add(one, 1);
  PortPacket packet;
  EXPECT_EQ(port->Wait({&packet, 1}, {hal::MonotonicNow() + 2'000'000}).error(), Errno::kETIMEDOUT);
  hal::Thread& self = hal::CurrentThread();
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    one->Signal();
    one->Clear();  // wakes, but there is nothing
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    hal::Kick(self);
  });
  Errno error{};
  while (error == Errno{}) {
    const auto waited = port->Wait({&packet, 1}, Deadline::Never());
    if (!waited.ok()) error = waited.error();  // else it looked between the two
  }
  EXPECT_EQ(error, Errno::kEINTR);
  hal::ClearKick();
  other.join();
}

TEST_F(PortTest, OneWaiterPerEvent) {
  Add(one, 1, PortMode::kEdge);
  std::atomic<int> woken{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; t++) {
    threads.emplace_back([&] {
      PortPacket packet;
      EXPECT_TRUE(port->Wait({&packet, 1}, Deadline::Never()).ok());
      woken++;
    });
  }
  for (int i = 1; i <= 3; i++) {
    one->Signal();
    while (woken < i) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    EXPECT_EQ(woken, i);
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(PortTest, NothingIsLostAmongThreads) {
  constexpr int kEvents = 8, kRounds = 400;
  std::vector<RefPtr<Event>> events;
  for (int i = 0; i < kEvents; i++) {
    events.push_back(Event::Create().value());
    Add(events.back(), uint64_t(i), PortMode::kOneShot);
  }
  std::atomic<int> handled{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; t++) {
    threads.emplace_back([&] {
      while (!stop) {
        PortPacket packets[3];
        auto got = port->Wait(packets, {hal::MonotonicNow() + 5'000'000});
        for (size_t i = 0; got.ok() && i < got.value(); i++) {
          const uint64_t which = packets[i].cookie;
          events[which]->Clear();
          handled++;
          ASSERT_TRUE(
              port->Modify(*events[which], which, Signals::kSignaled, PortMode::kOneShot, which)
                  .ok());
        }
      }
    });
  }
  threads.emplace_back([&] {  // entries come and go meanwhile
    for (uint64_t i = 0; !stop; i++) {
      auto event = Event::Create(i % 2).value();
      Handle handle(event, Rights::kRead);
      ASSERT_TRUE(port->Add(event, 99, Signals::kUser, PortMode::kLevel, 99).ok());
      if (i % 3) {
        ASSERT_TRUE(port->Remove(*event, 99).ok());
      }
    }
  });
  for (int round = 0; round < kRounds; round++) {
    Event& event = *events[size_t(round % kEvents)];
    event.Signal();
    while (HasAny(event.signals(), Signals::kSignaled)) std::this_thread::yield();
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(handled, kRounds);
}

}  // namespace
}  // namespace zrun
