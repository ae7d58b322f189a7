// Each operation of a call that may fail does so in turn: whatever the call had taken by then is
// given back.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <functional>

#include "compat/task_bed_for_test.h"

namespace zrun {

// The page allocator's, and what the linker puts in its place.
Result<hal::PhysRange> AllocateRun(PageAllocator* frames, uint64_t bytes, uint64_t alignment,
                                   Contents contents)  //
    asm("__real__ZN4zrun13PageAllocator11AllocateRunEmmNS_8ContentsE");
Result<hal::PhysRange> AllocateRunOrFail(PageAllocator* frames, uint64_t bytes, uint64_t alignment,
                                         Contents contents)  //
    asm("__wrap__ZN4zrun13PageAllocator11AllocateRunEmmNS_8ContentsE");
Result<hal::PhysRange> AllocateRunOrFail(PageAllocator* frames, uint64_t bytes, uint64_t alignment,
                                         Contents contents) {
  if (hal::fake::MustFail()) return Errno::kENOMEM;
  return AllocateRun(frames, bytes, alignment, contents);
}

}  // namespace zrun

namespace zrun::compat {
namespace {

using test::Accounts;
using test::kData;
using test::TaskBed;

constexpr uint64_t kPath = kData, kNumbers = kData + 512, kAction = kData + 1024;
constexpr uint64_t kThread =
    CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;

class FailedCallsTest : public testing::Test {
 protected:
  // |call| asks the first process for a call of which the n-th operation fails, and yields its
  // result; |undo| takes a success back.
  void FailEach(const std::function<int64_t(std::optional<size_t>)>& call,
                const std::function<void(int64_t)>& undo) {
    const size_t threads = hal::fake::LiveThreads();
    for (int i = 0; i < 2; i++) {  // what is cached the first time
      const int64_t result = call(std::nullopt);
      ASSERT_GE(result, 0);
      undo(result);
      // A task that has ended is gone before its thread is.
      hal::fake::AwaitThreads(threads);
    }
    size_t errors = 0;
    for (size_t n = 0;; n++) {
      ASSERT_LT(n, 1000u);
      const Accounts before = Accounts::Of(1);
      const int64_t result = call(n);
      const bool failed = bed.guest(1).failed;
      if (result >= 0) {
        undo(result);
      } else {
        errors++;
        EXPECT_TRUE(result == -ENOMEM || result == -EAGAIN || result == -ENFILE) << result;
      }
      hal::fake::AwaitThreads(threads);
      ASSERT_EQ(Accounts::Of(1), before) << "operation " << n << ", result " << result;
      if (!failed) break;
    }
    if (ZRUN_ALLOCATIONS_FAIL) {
      EXPECT_GT(errors, 0u);
    }
  }
  template <typename... Args>
  void FailEachOf(const std::function<void(int64_t)>& undo, long number, Args... args) {
    FailEach(
        [&](std::optional<size_t> n) {
          bed.Begin(1, n, number, args...);
          return bed.Finish(1);
        },
        undo);
  }
  void Close(int64_t fd) { EXPECT_EQ(bed.Call(1, SYS_close, fd), 0); }
  void EndChild(int64_t pid) {
    EXPECT_EQ(bed.Call(int32_t(pid), SYS_exit_group, 0), TaskBed::kGone);
    EXPECT_EQ(bed.Call(1, SYS_wait4, pid, 0, 0, 0), pid);
  }

  TaskBed bed;
};

TEST_F(FailedCallsTest, Fork) {
  FailEachOf([&](int64_t pid) { EndChild(pid); }, SYS_fork);
  FailEachOf([&](int64_t pid) { EndChild(pid); }, SYS_clone, CLONE_FILES | CLONE_FS | SIGCHLD, 0);
}

TEST_F(FailedCallsTest, ForkWithPidFd) {
  FailEachOf(
      [&](int64_t pid) {
        EndChild(pid);
        Close(bed.Peek<int32_t>(kNumbers));
      },
      SYS_clone, CLONE_PIDFD | SIGCHLD, 0, kNumbers);
  const Accounts before = Accounts::Of(1);
  EXPECT_EQ(bed.Call(1, SYS_clone, CLONE_PIDFD | SIGCHLD, 0, 16), -EFAULT);
  EXPECT_EQ(Accounts::Of(1), before);
}

TEST_F(FailedCallsTest, NewThread) {
  FailEachOf([&](int64_t tid) { EXPECT_EQ(bed.Call(int32_t(tid), SYS_exit, 0), TaskBed::kGone); },
             SYS_clone, kThread, test::kStackTop);
}

TEST_F(FailedCallsTest, Vfork) {
  const auto call = [&](std::optional<size_t> n) {
    bed.Begin(1, n, SYS_vfork);
    while (bed.IsInCall(1)) {
      int32_t child;
      {
        MutexLock lock(Kernel::Get().lock());
        child = Kernel::Get().pids().last();
        const Task* task = Kernel::Get().pids().FindTask(child);
        if (!task || child == 1) continue;
      }
      EXPECT_EQ(bed.Call(child, SYS_exit_group, 0), TaskBed::kGone);
    }
    return bed.Finish(1);
  };
  FailEach(call, [&](int64_t pid) { EXPECT_EQ(bed.Call(1, SYS_wait4, pid, 0, 0, 0), pid); });
}

TEST_F(FailedCallsTest, Files) {
  bed.tree.MakeFile("/file", "text");
  bed.PokeText(kPath, "/file");
  const auto close = [&](int64_t fd) { Close(fd); };
  FailEachOf(close, SYS_openat, AT_FDCWD, kPath, O_RDONLY);
  FailEachOf(close, SYS_memfd_create, kPath, 0);
  FailEachOf(close, SYS_eventfd2, 0, 0);
  FailEachOf(close, SYS_epoll_create1, 0);
  FailEachOf(close, SYS_timerfd_create, CLOCK_MONOTONIC, 0);
  FailEachOf(close, SYS_inotify_init1, 0);
  FailEachOf(close, SYS_socket, AF_UNIX, SOCK_STREAM, 0);
  FailEachOf(close, SYS_socket, AF_UNIX, SOCK_DGRAM, 0);
  FailEachOf(close, SYS_pidfd_open, 1, 0);
  const auto close_both = [&](int64_t) {
    Close(bed.Peek<int32_t>(kNumbers));
    Close(bed.Peek<int32_t>(kNumbers + 4));
  };
  FailEachOf(close_both, SYS_pipe2, kNumbers, 0);
  FailEachOf(close_both, SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, kNumbers);
}

TEST_F(FailedCallsTest, Memory) {
  constexpr uint64_t kSize = 16 * hal::kPageSize;
  const auto unmap = [&](int64_t at) { EXPECT_EQ(bed.Call(1, SYS_munmap, at, kSize), 0); };
  constexpr int kReadWrite = PROT_READ | PROT_WRITE;
  FailEachOf(unmap, SYS_mmap, 0, kSize, kReadWrite, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  FailEachOf(unmap, SYS_mmap, 0, kSize, kReadWrite, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  bed.tree.MakeFile("/file", "text");
  bed.PokeText(kPath, "/file");
  const int64_t fd = bed.Call(1, SYS_openat, AT_FDCWD, kPath, O_RDWR);
  ASSERT_GE(fd, 0);
  FailEachOf(unmap, SYS_mmap, 0, kSize, kReadWrite, MAP_SHARED, fd, 0);
  FailEachOf(unmap, SYS_mmap, 0, kSize, kReadWrite, MAP_PRIVATE, fd, 0);
}

TEST_F(FailedCallsTest, Signals) {
  struct Action {
    uint64_t handler, flags, restorer, mask;
  };
  constexpr uint64_t kRestorerFlag = 0x04000000;
  bed.Poke(kAction, Action{test::kHandler, kRestorerFlag | SA_SIGINFO, test::kRestorer, 0});
  for (const int signal : {SIGUSR1, 40})
    ASSERT_EQ(bed.Call(1, SYS_rt_sigaction, signal, kAction, 0, 8), 0);
  ASSERT_EQ(bed.Call(1, SYS_kill, 1, SIGUSR1), 0);  // touches the stack
  bed.guest(1).handled.clear();
  // A signal of kill(2)'s comes, with or without what tells of it.
  size_t sent = 0;
  for (bool failed = true; failed; sent++) {
    const Accounts before = Accounts::Of(1);
    bed.Begin(1, sent, SYS_kill, 1, SIGUSR1);
    EXPECT_EQ(bed.Finish(1), 0);
    failed = bed.guest(1).failed;
    EXPECT_EQ(bed.guest(1).handled.size(), sent + 1);
    EXPECT_EQ(Accounts::Of(1), before);
  }
  // A queued one comes whole or not at all.
  siginfo_t info = {};
  info.si_code = SI_QUEUE;
  bed.Poke(kNumbers, info);
  bed.guest(1).handled.clear();
  const auto call = [&](std::optional<size_t> n) {
    bed.Begin(1, n, SYS_rt_sigqueueinfo, 1, 40, kNumbers);
    return bed.Finish(1);
  };
  size_t done = 0;
  FailEach(call, [&](int64_t) { done++; });
  EXPECT_EQ(bed.guest(1).handled.size(), done);
}

// A handler on a stack that nobody has touched, or that is none: it runs, or the process ends by a
// signal; nothing is lost, and nobody waits.
TEST_F(FailedCallsTest, SignalStacks) {
  struct Action {
    uint64_t handler, flags, restorer, mask;
  };
  struct Stack {
    uint64_t base;
    uint64_t flags;
    uint64_t size;
  };
  constexpr uint64_t kRestorerFlag = 0x04000000, kStack = kData + 32 * hal::kPageSize;
  constexpr uint64_t kStatus = kNumbers + 256, kNowhere = 0x7000'0000'0000;
  bed.Poke(kAction, Action{test::kHandler, kRestorerFlag | SA_ONSTACK, test::kRestorer, 0});
  for (const int signal : {SIGUSR1, SIGSEGV})
    ASSERT_EQ(bed.Call(1, SYS_rt_sigaction, signal, kAction, 0, 8), 0);
  const auto child_on = [&](uint64_t base) {
    bed.Poke(kNumbers, Stack{base, 0, 16 * hal::kPageSize});
    const int32_t child = int32_t(bed.Call(1, SYS_fork));
    EXPECT_GT(child, 1);
    EXPECT_EQ(bed.Call(child, SYS_sigaltstack, kNumbers, 0), 0);
    return child;
  };
  const auto status_of = [&](int32_t child) {
    EXPECT_EQ(bed.Call(1, SYS_wait4, child, kStatus, 0, 0), child);
    return bed.Peek<int32_t>(kStatus);
  };
  // Not even the handler of the fault can run.
  for (int i = 0; i < 2; i++) {
    const int32_t child = child_on(kNowhere);
    EXPECT_EQ(bed.Call(child, SYS_kill, child, SIGUSR1), TaskBed::kGone);
    EXPECT_EQ(status_of(child), SIGSEGV);
  }
  size_t handled = 0;
  bool failed = true;
  for (size_t n = 0; failed; n++) {
    ASSERT_LT(n, 1000u);
    const Accounts before = Accounts::Of(1);
    const int32_t child = child_on(kStack);
    bed.Begin(child, n, SYS_kill, child, SIGUSR1);
    const int64_t result = bed.Finish(child);
    if (result == TaskBed::kGone) {
      const int32_t status = status_of(child);
      EXPECT_TRUE(status == SIGKILL || status == SIGSEGV) << status;
    } else {
      EXPECT_EQ(result, 0);
      EXPECT_EQ(bed.guest(child).handled.size(), 1u) << n;
      handled++;
      failed = bed.guest(child).failed;
      EndChild(child);
    }
    hal::fake::AwaitThreads(before.machine_threads);
    ASSERT_EQ(Accounts::Of(1), before) << "operation " << n;
  }
  EXPECT_GT(handled, 0u);
}

TEST_F(FailedCallsTest, Exec) {
  bed.tree.MakeFile("/program", test::OnePageProgram(), 0755);
  bed.PokeText(kPath, "/program");
  bed.Poke(kNumbers, std::array<uint64_t, 2>{kPath, 0});
  size_t ended = 0, refused = 0;
  bool failed = true;
  Accounts before;
  for (size_t n = 0; failed; n++) {
    ASSERT_LT(n, 1000u);
    if (n > 1) {
      ASSERT_EQ(Accounts::Of(1), before) << "operation " << n - 2;
    }
    before = Accounts::Of(1);
    const int32_t child = int32_t(bed.Call(1, SYS_fork));
    ASSERT_GT(child, 1);
    // The first two find what is cached later.
    bed.Begin(child, n < 2 ? std::nullopt : std::optional(n - 2), SYS_execve, kPath, kNumbers, 0);
    const int64_t result = bed.Finish(child);
    if (result == TaskBed::kGone) {
      ended++;
      EXPECT_EQ(bed.Call(1, SYS_wait4, child, 0, 0, 0), child);
    } else {
      failed = n < 2 || bed.guest(child).failed;
      if (result != 0) {
        refused++;
        EXPECT_TRUE(result == -ENOMEM || result == -EAGAIN) << result;
      }
      EndChild(child);
    }
    hal::fake::AwaitThreads(before.machine_threads);
  }
  // Of the machine's operations none lies beyond the point of no return.
  if (ZRUN_ALLOCATIONS_FAIL) {
    EXPECT_GT(refused, 0u);
    EXPECT_GT(ended, 0u);
  }
}

}  // namespace
}  // namespace zrun::compat
