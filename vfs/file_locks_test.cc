#include "vfs/file_locks.h"

#include "vfs/test_tree.h"

namespace zrun::vfs {
namespace {

using test::ErrorOf;
using test::Get;
using test::Tree;
using Kind = FileLockOwner::Kind;

class Locks : public ::testing::Test {
 protected:
  Locks() {
    tree.MakeFile("/f");
    vnode = Get(tree.Walk("/f")).vnode();
    locks = Get(vnode->locks());
  }
  FileLock Lock(int owner, bool exclusive, uint64_t first, uint64_t last = FileLock::kToEnd) {
    return {{Kind::kProcess, &owners[owner]}, exclusive, first, last, owner};
  }
  std::string Set(int owner, char kind, uint64_t first, uint64_t last = FileLock::kToEnd) {
    const FileLock lock = Lock(owner, kind == 'w', first, last);
    return ErrorOf(kind == 'u' ? locks->Clear(lock) : locks->Set(lock));
  }
  // What |owner| is kept from writing, byte by byte.
  std::string Map(int owner, uint64_t size) {
    std::string map;
    for (uint64_t at = 0; at < size; at++) {
      const auto conflict = Get(locks->FindConflict(Lock(owner, true, at, at)));
      map += !conflict ? '.' : conflict->exclusive ? 'W' : 'R';
    }
    return map;
  }
  Tree tree;
  RefPtr<Vnode> vnode;
  FileLocks* locks;
  char owners[8];
};

TEST_F(Locks, SplitAndMerge) {
  EXPECT_EQ(Set(1, 'w', 0, 9), "OK");
  EXPECT_EQ(Map(2, 12), "WWWWWWWWWW..");
  EXPECT_EQ(Set(1, 'u', 3, 5), "OK");
  EXPECT_EQ(Map(2, 12), "WWW...WWWW..");
  EXPECT_EQ(Set(1, 'r', 2, 7), "OK");
  EXPECT_EQ(Map(2, 12), "WWRRRRRRWW..");
  EXPECT_EQ(Set(2, 'r', 2, 3), "OK");
  EXPECT_EQ(Set(2, 'w', 2, 3), "EAGAIN");
  EXPECT_EQ(Set(2, 'r', 0, 3), "EAGAIN");
  EXPECT_EQ(Set(1, 'w', 4, 20), "OK");
  EXPECT_EQ(Map(3, 22), "WWRRWWWWWWWWWWWWWWWWW.");
  EXPECT_EQ(Set(1, 'u', 0), "OK");
  EXPECT_EQ(Map(3, 6), "..RR..");
  locks->ClearAll({Kind::kProcess, &owners[2]});
  EXPECT_EQ(Map(3, 6), "......");
  EXPECT_EQ(Set(1, 'w', 5), "OK");
  EXPECT_EQ(Get(locks->FindConflict(Lock(2, false, 0)))->first, 5u);
  EXPECT_EQ(Get(locks->FindConflict(Lock(2, false, 0)))->last, FileLock::kToEnd);
}

TEST_F(Locks, ThreeKindsOfOwner) {
  FileLock file_lock = Lock(1, true, 0, 9);
  file_lock.owner = {Kind::kDescription, &owners[0]};
  EXPECT_EQ(ErrorOf(locks->Set(file_lock)), "OK");
  EXPECT_EQ(Set(1, 'r', 0, 0), "EAGAIN");
  // flock(2) sees only its own kind.
  FileLock whole;
  whole.owner = {Kind::kFlock, &owners[0]};
  whole.exclusive = true;
  EXPECT_EQ(ErrorOf(locks->Set(whole)), "OK");
  FileLock other = whole;
  other.owner.identity = &owners[1];
  other.exclusive = false;
  EXPECT_EQ(ErrorOf(locks->Set(other)), "EAGAIN");
  whole.exclusive = false;
  EXPECT_EQ(ErrorOf(locks->Set(whole)), "OK");
  EXPECT_EQ(ErrorOf(locks->Set(other)), "OK");
  // A conversion that fails has given up the old lock.
  whole.exclusive = true;
  EXPECT_EQ(ErrorOf(locks->Set(whole)), "EAGAIN");
  other.exclusive = true;
  EXPECT_EQ(ErrorOf(locks->Set(other)), "OK");
}

TEST_F(Locks, WaitersAreTold) {
  EXPECT_EQ(Set(1, 'w', 0, 9), "OK");
  auto wait = Get(locks->SetOrWait(*vnode, Lock(2, true, 5, 5)));
  ASSERT_TRUE(wait);
  EXPECT_FALSE(HasAny(wait->signals(), Signals::kSignaled));
  EXPECT_EQ(Set(1, 'u', 5, 5), "OK");
  EXPECT_TRUE(HasAny(wait->signals(), Signals::kSignaled));
  wait = Get(locks->SetOrWait(*vnode, Lock(2, true, 5, 5)));
  EXPECT_FALSE(wait);
  EXPECT_EQ(Map(1, 10), ".....W....");
}

TEST_F(Locks, FindsDeadlocks) {
  for (int i = 0; i < 4; i++) EXPECT_EQ(Set(i, 'w', i, i), "OK");
  auto a = Get(locks->SetOrWait(*vnode, Lock(0, true, 1, 1)));
  auto b = Get(locks->SetOrWait(*vnode, Lock(1, true, 2, 2)));
  auto c = Get(locks->SetOrWait(*vnode, Lock(2, true, 3, 3)));
  EXPECT_EQ(ErrorOf(locks->SetOrWait(*vnode, Lock(3, true, 0, 0))), "EDEADLK");
  EXPECT_EQ(ErrorOf(locks->SetOrWait(*vnode, Lock(3, true, 2, 2))), "EDEADLK");
  c = nullptr;
  EXPECT_EQ(ErrorOf(locks->SetOrWait(*vnode, Lock(3, true, 0, 0))), "OK");
}

TEST_F(Locks, GoWithTheirFile) {
  auto file = Get(tree.Open("/f", OpenFlags::kReadWrite));
  FileLock lock = Lock(1, true, 0);
  lock.owner = {Kind::kDescription, file.get()};
  EXPECT_EQ(ErrorOf(locks->Set(lock)), "OK");
  EXPECT_EQ(Set(1, 'w', 0), "EAGAIN");
  file = nullptr;
  EXPECT_EQ(Set(1, 'w', 0), "OK");
  file = Get(tree.Open("/f", OpenFlags::kReadWrite));
  file->OnClose(&owners[1]);
  EXPECT_EQ(Set(2, 'w', 0), "OK");
}

}  // namespace
}  // namespace zrun::vfs
