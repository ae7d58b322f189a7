#pragma once
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <ostream>
#include <thread>
#include <vector>

#include "compat/abi/arch.h"
#include "compat/clone.h"
#include "compat/exec.h"
#include "compat/exit.h"
#include "hal/fake/fake.h"
#include "objects/vm/page_allocator.h"
#include "vfs/test_tree.h"

// For tests: a kernel with tasks whose user mode is the test itself. The test makes system calls in
// the name of a task, and sees what comes back: the result, and the signals that were handled.
namespace zrun::compat {

// A kernel without a boot, on a fresh tmpfs.
class TestKernel {
 public:
  static void Start(RefPtr<vfs::MountNamespace> mounts) {
    Kernel& kernel = Kernel::Get();
    kernel.job_ = vfs::test::Get(Job::CreateRoot({}));
    kernel.mounts_ = std::move(mounts);
  }
  // The first process ends like any other.
  static void ForgetMain() {
    MutexLock lock(Kernel::Get().lock());
    Kernel::Get().main_ = nullptr;
  }
  static void Stop() {
    MutexLock lock(Kernel::Get().lock());
    Kernel::Get().init_ = nullptr;
    Kernel::Get().mounts_ = nullptr;
  }
};

namespace test {

// Where the programs that do not exist would lie.
inline constexpr uint64_t kCode = 0x40'0000, kHandler = 0x50'0000, kRestorer = 0x50'1000;
// Memory that the first process has, and its children's copies.
inline constexpr uint64_t kData = 0x10'0000'0000, kDataSize = 64 * hal::kPageSize;
inline constexpr uint64_t kStackTop = kData + kDataSize - 256;

// A program of one page, which the loader maps at kProgram. Only with |offset| 0 it can.
inline constexpr uint64_t kProgram = 0x40'0000;
inline std::string OnePageProgram(uint64_t offset = 0) {
  struct {
    unsigned char ident[16] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
    uint16_t type = 2, machine = abi::kElfMachine;
    uint32_t version = 1;
    uint64_t entry = kProgram + 0x100, headers = 64, sections = 0;
    uint32_t flags = 0;
    uint16_t size = 64, header_size = 56, header_count = 1, section_size = 0, section_count = 0,
             names = 0;
    uint32_t load = 1, access = 5;
    uint64_t offset = 0, address = kProgram, physical = kProgram, file_size = 4096,
             memory_size = 4096, alignment = 4096;
  } head;
  head.offset = offset;
  std::string text(4096, '\0');
  memcpy(text.data(), &head, sizeof head);
  return text;
}

// One task's user mode.
struct Guest {
  enum class State : uint8_t { kIdle, kAsked, kInCall };
  State state = State::kIdle;
  std::vector<uint64_t> call;     // number and arguments
  std::optional<size_t> failing;  // which operation of the call fails
  bool failed = false;            // it has
  int64_t result = 0;
  std::vector<int> handled;    // signals
  hal::Registers registers{};  // as the last call left them
};

class TaskBed {
 public:
  TaskBed() {
    hal::fake::SetGuestOfAll([this](hal::Registers& r) { return Run(r); });
    TestKernel::Start(tree.mounts);
    region = vfs::test::Get(VmAddressRegion::Create(vfs::test::Get(hal::CreateAddressSpace())));
    Mapping data;
    data.range = {kData, kDataSize};
    data.access = hal::Access::kRead | hal::Access::kWrite;
    data.flags = MapFlags::kPrivate | MapFlags::kFixed;
    hal::fake::EnterSpace(&region->space());
    vfs::test::Get(region->Map(std::move(data)));
    hal::fake::EnterSpace(nullptr);
    TaskBuilder::First parts;
    parts.pid = 1;
    parts.parent = nullptr;
    parts.credentials = vfs::test::RootCredentials();
    parts.fds = vfs::test::Get(FdTable::Create());
    parts.fs = vfs::test::Get(FsContext::Create(tree.mounts, tree.root));
    parts.region = region;
    auto session = vfs::test::Get(MakeRef<Session>(1));
    vfs::test::Get(TaskBuilder::StartFirst(std::move(parts), std::move(session), nullptr));
    TestKernel::ForgetMain();
  }
  ~TaskBed() {
    {
      MutexLock lock(Kernel::Get().lock());
      KillAll(nullptr);
    }
    hal::fake::AwaitThreads(threads_before_);
    hal::fake::SetGuestOfAll(nullptr);
    TestKernel::Stop();
    EXPECT_EQ(Kernel::Get().job()->process_count(), 0u);
    EXPECT_EQ(Kernel::Get().threads.load(), 0u);
    MutexLock lock(Kernel::Get().lock());
    EXPECT_EQ(Kernel::Get().pids().NextGroup(1), -1);
  }
  TaskBed(const TaskBed&) = delete;
  TaskBed& operator=(const TaskBed&) = delete;

  // What the call returns: -errno for an error; kGone if the task ended in it.
  static constexpr int64_t kGone = INT64_MIN;
  template <typename... Args>
  int64_t Call(int32_t tid, long number, Args... args) {
    Begin(tid, std::nullopt, number, args...);
    return Finish(tid);
  }
  // The same in two steps. The |failing|-th operation of the call fails.
  template <typename... Args>
  void Begin(int32_t tid, std::optional<size_t> failing, long number, Args... args) {
    std::unique_lock lock(mutex_);
    Guest& guest = guests_[tid];
    guest.call = {uint64_t(number), uint64_t(args)...};
    guest.call.resize(7);
    guest.failing = failing;
    guest.failed = false;
    guest.state = Guest::State::kAsked;
    changed_.notify_all();
  }
  int64_t Finish(int32_t tid) {
    std::unique_lock lock(mutex_);
    Guest& guest = guests_[tid];
    while (guest.state != Guest::State::kIdle) {
      changed_.wait_for(lock, std::chrono::milliseconds(5));
      if (guest.state == Guest::State::kIdle) break;
      MutexLock kernel_lock(Kernel::Get().lock());
      const Task* const task = Kernel::Get().pids().FindTask(tid);
      if (task && task->group().remains.get() != task) continue;
      guests_.erase(tid);
      return kGone;
    }
    return guest.result;
  }
  bool IsInCall(int32_t tid) {
    std::unique_lock lock(mutex_);
    return guests_[tid].state != Guest::State::kIdle;
  }
  // What the last call of |tid| had.
  Guest& guest(int32_t tid) {
    std::unique_lock lock(mutex_);
    return guests_[tid];
  }

  // The first process's memory.
  template <typename T>
  void Poke(uint64_t address, const T& value) {
    hal::fake::EnterSpace(&region->space());
    vfs::test::Check(UserMemory(*region).WriteAll(UserPtr<std::byte>(address),
                                                  std::as_bytes(std::span(&value, 1))));
    hal::fake::EnterSpace(nullptr);
  }
  template <typename T>
  T Peek(uint64_t address) {
    hal::fake::EnterSpace(&region->space());
    T value = vfs::test::Get(UserMemory(*region).Read(UserPtr<const T>(address)));
    hal::fake::EnterSpace(nullptr);
    return value;
  }
  void PokeText(uint64_t address, std::string_view text) {
    for (const char c : text) Poke(address++, c);
    Poke(address, '\0');
  }

  vfs::test::Tree tree;
  RefPtr<VmAddressRegion> region;

 private:
  // The user mode of the calling task, until it needs the kernel.
  hal::Trap Run(hal::Registers& r) {
    std::unique_lock lock(mutex_);
    Guest& guest = guests_[Task::Current().tid()];
    if (r.rip == kHandler) {
      // The handler does nothing but return: into the restorer, which calls rt_sigreturn.
      guest.handled.push_back(int(r.rdi));
      r.rsp += 8;
      r.rax = SYS_rt_sigreturn;
      r.rip = kRestorer + 2;
      return {.kind = hal::TrapKind::kSyscall};
    }
    if (guest.state == Guest::State::kInCall) {
      if (r.rip == kCode) {  // the call is restarted
        r.rip = kCode + 2;
        return {.kind = hal::TrapKind::kSyscall};
      }
      guest.failed = hal::fake::StopFailing();
      guest.result = int64_t(r.return_value());
      guest.registers = r;
      guest.state = Guest::State::kIdle;
      changed_.notify_all();
    }
    while (guest.state != Guest::State::kAsked) {
      if (hal::KickPending()) return {};
      changed_.wait_for(lock, std::chrono::milliseconds(1));
    }
    guest.state = Guest::State::kInCall;
    r.rax = guest.call[0];
    r.rdi = guest.call[1], r.rsi = guest.call[2], r.rdx = guest.call[3];
    r.r10 = guest.call[4], r.r8 = guest.call[5], r.r9 = guest.call[6];
    r.rip = kCode + 2;
    if (r.rsp == 0) r.rsp = kStackTop;
    if (guest.failing) hal::fake::FailOperation(*guest.failing);
    return {.kind = hal::TrapKind::kSyscall};
  }

  const size_t threads_before_ = hal::fake::LiveThreads();
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<int32_t, Guest> guests_;
};

// What must be as before when a call has failed.
struct Accounts {
  uint32_t processes = 0, threads = 0;
  uint64_t user_tasks = 0, user_signals = 0;
  size_t machine_threads = 0;
  std::vector<int> descriptors;
  int next_descriptor = 0;
  bool last_pid_free = false;
  uint64_t free_bytes = 0;
  bool operator==(const Accounts&) const = default;

  static Accounts Of(int32_t tid) {
    Accounts now;
    Kernel& kernel = Kernel::Get();
    now.processes = kernel.job()->process_count();
    now.threads = kernel.threads.load();
    now.machine_threads = hal::fake::LiveThreads();
    now.free_bytes = RamFrames().statistics().free_bytes;
    RefPtr<Task> task;
    {
      MutexLock lock(Kernel::Get().lock());
      task = RefPtr<Task>(Kernel::Get().pids().FindTask(tid));
      const int32_t last = Kernel::Get().pids().last();
      now.last_pid_free = Kernel::Get().pids().AllocateExactly(last).ok();
      if (now.last_pid_free) Kernel::Get().pids().Cancel(last);
    }
    now.user_tasks = task->account->tasks.load();
    now.user_signals = task->account->pending_signals.load();
    FdTable& fds = task->fds();
    for (int fd = fds.NextOpen(0); fd >= 0; fd = fds.NextOpen(fd + 1))
      now.descriptors.push_back(fd);
    const Fd next = vfs::test::Get(fds.Reserve(1000));
    now.next_descriptor = next.value;
    fds.Unreserve(next);
    return now;
  }
};
inline void PrintTo(const Accounts& a, std::ostream* out) {
  *out << a.processes << " processes, " << a.threads << " threads, " << a.user_tasks
       << " of the user, " << a.user_signals << " signals, " << a.machine_threads
       << " machine threads, " << a.descriptors.size() << " descriptors, next " << a.next_descriptor
       << ", last pid " << (a.last_pid_free ? "free" : "taken") << ", " << a.free_bytes
       << " bytes free";
}

}  // namespace test
}  // namespace zrun::compat
