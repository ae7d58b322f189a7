#include "compat/signals.h"

#include <gtest/gtest.h>

#include "compat/posix_timers.h"

namespace zrun::compat {
namespace {

using namespace abi;

OwnPtr<QueuedSignal> Queued(int signo, int value) {
  OwnPtr<QueuedSignal> queued(new QueuedSignal);
  queued->info = SigInfo::Make(signo, kSiQueue);
  queued->info.SetValue(uint64_t(value));
  return queued;
}

int TakeValue(SignalQueue& queue, int signo) {
  SigInfo info;
  RefPtr<PosixTimer> timer;
  return queue.Take(signo, info, timer) ? int(info.value()) : -1;
}

TEST(SignalSet, FindsTheLowest) {
  EXPECT_EQ(SignalSet().First(), 0);
  EXPECT_EQ(SignalSet::Of(kSigTerm, kSigHup, 64).First(), kSigHup);
  EXPECT_EQ(SignalSet::Of(64).First(), 64);
  EXPECT_FALSE((~kUnblockable).Has(kSigKill));
}

TEST(SignalQueue, KeepsOneOfEachStandardSignal) {
  SignalQueue queue;
  EXPECT_TRUE(queue.CanAdd(kSigUsr1));
  queue.Add(Queued(kSigUsr1, 1));
  EXPECT_FALSE(queue.CanAdd(kSigUsr1));
  EXPECT_TRUE(queue.CanAdd(kSigRtMin));
  EXPECT_EQ(TakeValue(queue, kSigUsr1), 1);
  EXPECT_FALSE(queue.pending().Has(kSigUsr1));
  EXPECT_EQ(TakeValue(queue, kSigUsr1), -1);
}

TEST(SignalQueue, QueuesRealTimeSignalsInOrder) {
  SignalQueue queue;
  for (int i = 0; i < 3; i++) queue.Add(Queued(kSigRtMin + 1, i));
  queue.Add(Queued(kSigRtMin, 9));
  for (int i = 0; i < 3; i++) {
    EXPECT_TRUE(queue.pending().Has(kSigRtMin + 1));
    EXPECT_EQ(TakeValue(queue, kSigRtMin + 1), i);
  }
  EXPECT_FALSE(queue.pending().Has(kSigRtMin + 1));
  EXPECT_EQ(queue.pending().First(), kSigRtMin);
}

TEST(SignalQueue, GivesBareSignalsWithoutASender) {
  SignalQueue queue;
  queue.AddBare(kSigTerm);
  SigInfo info;
  RefPtr<PosixTimer> timer;
  ASSERT_TRUE(queue.Take(kSigTerm, info, timer));
  EXPECT_EQ(info.code, kSiUser);
  EXPECT_EQ(info.pid(), 0);
}

TEST(SignalQueue, DiscardsAndReturnsTheCharge) {
  auto account = UserAccount::Of(4711);
  ASSERT_TRUE(account.ok());
  SignalQueue queue;
  auto queued = Queued(kSigTstp, 0);
  queued->account = account.value();
  account.value()->pending_signals.fetch_add(1);
  queue.Add(std::move(queued));
  queue.Add(Queued(kSigCont, 0));
  queue.Discard(kStopSignals);
  EXPECT_EQ(queue.pending(), SignalSet::Of(kSigCont));
  EXPECT_EQ(account.value()->pending_signals.load(), 0u);
}

TEST(UserAccount, IsOnePerUser) {
  auto one = UserAccount::Of(4712), same = UserAccount::Of(4712), other = UserAccount::Of(4713);
  EXPECT_EQ(one.value().get(), same.value().get());
  EXPECT_NE(one.value().get(), other.value().get());
}

TEST(SignalActions, ResetKeepsWhatIsIgnored) {
  auto actions = SignalActions::Create();
  ASSERT_TRUE(actions.ok());
  SignalActions& set = *actions.value();
  SignalAction handler;
  handler.handler = 0x1000;
  handler.flags = kSaRestart;
  set.Set(kSigUsr1, handler);
  SignalAction ignore;
  ignore.handler = kSigIgn;
  set.Set(kSigHup, ignore);
  EXPECT_EQ(set.caught(), SignalSet::Of(kSigUsr1));
  auto copy = set.Clone();
  set.Reset();
  EXPECT_EQ(set.Get(kSigUsr1).handler, kSigDfl);
  EXPECT_EQ(set.Get(kSigUsr1).flags, 0u);
  EXPECT_EQ(set.ignored(), SignalSet::Of(kSigHup));
  EXPECT_EQ(copy.value()->Get(kSigUsr1).handler, 0x1000u);
}

TEST(DefaultActions, AreLinuxs) {
  EXPECT_EQ(DefaultActionOf(kSigTerm), DefaultAction::kTerminate);
  EXPECT_EQ(DefaultActionOf(kSigSegv), DefaultAction::kCore);
  EXPECT_EQ(DefaultActionOf(kSigChld), DefaultAction::kIgnore);
  EXPECT_EQ(DefaultActionOf(kSigTtou), DefaultAction::kStop);
  EXPECT_EQ(DefaultActionOf(kSigCont), DefaultAction::kContinue);
  EXPECT_EQ(DefaultActionOf(kSigRtMin), DefaultAction::kTerminate);
  SignalAction action;
  EXPECT_TRUE(action.Ignores(kSigWinch));
  EXPECT_FALSE(action.Ignores(kSigTerm));
}

}  // namespace
}  // namespace zrun::compat
