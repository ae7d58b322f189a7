#include "hal/thread.h"

#include <algorithm>
#include <cstddef>

#include "hal/trap_x86_64/host_call.h"
#include "hal/trap_x86_64/machine.h"

namespace zrun::hal {

static_assert(sizeof(Thread) <= ZRUN_BLOCK_ALTSTACK - ZRUN_BLOCK_THREAD);
#define CHECK_OFFSET(field, offset) static_assert(offsetof(TrapState, field) == (offset))
CHECK_OFFSET(registers.rax, THREAD_RAX);
CHECK_OFFSET(registers.rcx, THREAD_RCX);
CHECK_OFFSET(registers.rsp, THREAD_RSP);
CHECK_OFFSET(registers.rdi, THREAD_RDI);
CHECK_OFFSET(registers.r8, THREAD_R8);
CHECK_OFFSET(registers.rip, THREAD_RIP);
CHECK_OFFSET(registers.rflags, THREAD_RFLAGS);
CHECK_OFFSET(kernel_sp, THREAD_KERNEL_SP);
CHECK_OFFSET(mode, THREAD_MODE);
CHECK_OFFSET(kick, THREAD_KICK);
CHECK_OFFSET(exit_slot, THREAD_EXIT_SLOT);
CHECK_OFFSET(signal, THREAD_SIGNAL);
CHECK_OFFSET(code, THREAD_CODE);
CHECK_OFFSET(address, THREAD_ADDRESS);
CHECK_OFFSET(trap_number, THREAD_TRAPNO);
CHECK_OFFSET(error_code, THREAD_ERROR);
CHECK_OFFSET(syscall_arch, THREAD_ARCH);
#undef CHECK_OFFSET

namespace {

extern "C" int64_t HostClone(uint64_t flags, void* stack, int32_t* parent_tid, int32_t* child_tid);
extern "C" [[noreturn]] void LeaveBlock(std::atomic<uint32_t>* state, uint32_t dead);

constinit int64_t g_supervisor_pid = 0;

enum : uint64_t {
  kCloneVm = 0x100,
  kCloneFs = 0x200,
  kCloneFiles = 0x400,
  kCloneSighand = 0x800,
  kCloneParent = 0x8000,
  kCloneThread = 0x10000,
  kCloneSysvsem = 0x40000,
  kCloneParentSettid = 0x100000,
};

// Free blocks, last used first: their pages are warm. A dead block is free once its state says so.
struct BlockAllocator {
  HostMutex lock;
  IntrusiveList<Thread, Thread> free GUARDED_BY(lock);
  uint64_t next GUARDED_BY(lock) = 1;  // block 0 is the boot thread's
};
constinit BlockAllocator* g_blocks = nullptr;
alignas(BlockAllocator) constinit std::byte g_blocks_storage[sizeof(BlockAllocator)] = {};

BlockAllocator& Blocks() {
  if (!g_blocks) g_blocks = new (g_blocks_storage) BlockAllocator;
  return *g_blocks;
}

}  // namespace

Thread& CurrentThread() {
  uint64_t sp;
  asm("mov %%rsp, %0" : "=r"(sp));
  return *reinterpret_cast<Thread*>((sp & ~uint64_t{ZRUN_BLOCK_SIZE - 1}) + ZRUN_BLOCK_THREAD);
}

Result<Thread*> AllocateThread() {
  BlockAllocator& blocks = Blocks();
  HostLock lock(blocks.lock);
  Thread* found = nullptr;
  for (Thread& candidate : blocks.free) {
    if (candidate.state.load(std::memory_order_acquire) != uint32_t(BlockState::kDead)) continue;
    found = &candidate;
    break;
  }
  if (found) {
    blocks.free.Remove(*found);
  } else {
    if ((blocks.next + 1) * ZRUN_BLOCK_SIZE > ZRUN_BLOCKS_SIZE) return Errno::kEAGAIN;
    found = reinterpret_cast<Thread*>(ZRUN_BLOCKS_BASE + blocks.next++ * ZRUN_BLOCK_SIZE +
                                      ZRUN_BLOCK_THREAD);
  }
  Thread* thread = new (found) Thread;
  thread->registers = {};
  thread->start = {};
  thread->mode.store(0);
  thread->touching.store(0);
  thread->nice.store(0);
  thread->host_nice = 0;
  thread->kick.store(0);
  thread->start_gate.store(0);
  thread->space = nullptr;
  thread->owner = nullptr;
  thread->new_process = false;
  thread->slot_index = 0;
  thread->exit_slot = ZRUN_EXIT_SLOTS;
  thread->state.store(uint32_t(BlockState::kLive));
  return thread;
}

void FreeThread(Thread& thread) {
  BlockAllocator& blocks = Blocks();
  HostLock lock(blocks.lock);
  thread.state.store(uint32_t(BlockState::kDead), std::memory_order_release);
  blocks.free.PushFront(thread);
}

void PrepareHostThread(Thread& self) {
  struct {
    void* sp;
    int32_t flags;
    uint64_t size;
  } stack = {self.block() + ZRUN_BLOCK_ALTSTACK, 0, ZRUN_BLOCK_ALTSTACK_SIZE};
  HostCall(HostNumber::kSigaltstack, &stack, 0);
}

Result<void> LaunchThread(Thread& thread, bool process) {
  constexpr uint64_t kSigchld = 17;
  thread.new_process = process;
  const uint64_t flags = process
                             ? kCloneFiles | kCloneFs | kCloneParent | kCloneParentSettid | kSigchld
                             : kCloneVm | kCloneFs | kCloneFiles | kCloneSighand | kCloneThread |
                                   kCloneSysvsem | kCloneParentSettid;
  thread.host_pid = CurrentThread().host_pid;
  thread.nice.store(CurrentThread().nice.load());
  thread.host_nice = CurrentThread().host_nice;
  const int64_t tid = HostClone(flags, &thread, &thread.host_tid, nullptr);
  if (tid < 0) return HostError(tid);
  // It says so itself when it runs; until then others may ask for its processor time already.
  if (process) thread.host_pid = thread.host_tid;
  return {};
}

// The boot thread runs in block 0, which the launcher prepared.
void AdoptBootThread() {
  Thread& self = *new (&CurrentThread()) Thread;
  self.host_pid = self.host_tid = int32_t(HostCall(HostNumber::kGetpid));
  self.exit_slot = ZRUN_EXIT_SLOTS;
  self.state.store(uint32_t(BlockState::kLive));
  g_supervisor_pid = HostCall(HostNumber::kGetppid);
  PrepareHostThread(self);
}

// The first thing a host thread does, on its own kernel stack.
extern "C" [[noreturn]] void HostThreadMain() {
  Thread& self = CurrentThread();
  if (self.new_process) {
    self.host_pid = self.host_tid;
    constexpr int kSetPdeathsig = 1, kSigkill = 9;
    HostCall(HostNumber::kPrctl, kSetPdeathsig, kSigkill, 0, 0);
    // The supervisor may have died before: then nobody would end this carrier.
    if (HostCall(HostNumber::kGetppid) != g_supervisor_pid) HostCall(HostNumber::kExitGroup, 0);
  }
  PrepareHostThread(self);
  if (!self.start.entry) {
    while (self.start_gate.load(std::memory_order_acquire) == 0)
      WaitOnWord(self.start_gate, 0, Deadline::Never());
  }
  self.start.entry(self.start.argument);
  PANIC("a kernel thread's entry returned");
}

static Result<Thread*> StartHere(ThreadStart start) {
  Thread* thread = TRY(AllocateThread());
  thread->start = start;
  auto launched = LaunchThread(*thread, false);
  if (!launched.ok()) {
    FreeThread(*thread);
    return launched.error();
  }
  return thread;
}

Result<Thread*> StartThread(AddressSpace* space, ThreadStart start) {
  if (!space) {
    // Service threads live in the service carrier, from which others cannot clone.
    if (!CurrentThread().space) return StartHere(start);
    struct Call {
      ThreadStart start;
      Thread* thread;
      Errno error;
    } call = {start, nullptr, Errno{}};
    RunOnSpawner(
        [](void* argument) {
          auto& c = *static_cast<Call*>(argument);
          auto made = StartHere(c.start);
          if (made.ok()) {
            c.thread = made.value();
          } else {
            c.error = made.error();
          }
        },
        &call);
    if (!call.thread) return call.error;
    return call.thread;
  }
  Carrier& carrier = AsCarrier(*space);
  if (carrier.first_thread) {  // a blank carrier
    Thread* thread = carrier.first_thread;
    carrier.first_thread = nullptr;
    space->AddRef();
    thread->space = space;
    carrier.AdoptFirstThread(*thread);
    thread->start = start;
    thread->nice.store(CurrentThread().nice.load());
    thread->start_gate.store(1, std::memory_order_release);
    WakeWord(thread->start_gate, 1);
    return thread;
  }
  CHECK(carrier.is_current());
  Thread* thread = TRY(AllocateThread());
  thread->start = start;
  auto slot = carrier.AddThread(*thread);
  if (!slot.ok()) {
    FreeThread(*thread);
    return slot.error();
  }
  thread->slot_index = slot.value();
  thread->exit_slot = ZRUN_EXIT_SLOTS + uint64_t{slot.value()} * ZRUN_EXIT_SLOT_SIZE;
  space->AddRef();
  thread->space = space;
  auto launched = LaunchThread(*thread, false);
  if (!launched.ok()) {
    carrier.RemoveThread(*thread);
    space->Release();
    FreeThread(*thread);
    return launched.error();
  }
  return thread;
}

void ExitThread() {
  Thread& self = CurrentThread();
  if (AddressSpace* space = self.space) {
    AsCarrier(*space).RemoveThread(self);
    self.space = nullptr;
    space->Release();
  }
  BlockAllocator& blocks = Blocks();
  {
    HostLock lock(blocks.lock);
    blocks.free.PushFront(self);  // not taken until the state below is stored
  }
  LeaveBlock(&self.state, uint32_t(BlockState::kDead));
}

void* ThreadSlot(const Thread& thread) { return thread.owner; }
void SetThreadSlot(Thread& thread, void* value) { thread.owner = value; }

unsigned CurrentCpu() {
  uint32_t cpu = 0;
  HostCall(HostNumber::kGetcpu, &cpu, 0, 0);
  return cpu;
}
unsigned CpuCount() { return Boot().cpu_count; }
uint64_t AllowedCpus() { return Boot().allowed_cpus; }
Result<void> SetAffinity(uint64_t cpus) {
  return HostResult(HostCall(HostNumber::kSchedSetaffinity, 0, sizeof cpus, &cpus));
}

Result<void> MemoryBarrier(BarrierScope scope) {
  constexpr int kGlobal = 1, kPrivate = 8, kRegisterPrivate = 16;
  if (scope == BarrierScope::kEverywhere)
    return HostResult(HostCall(HostNumber::kMembarrier, kGlobal, 0, 0));
  const int64_t done = HostCall(HostNumber::kMembarrier, kPrivate, 0, 0);
  if (done != -int64_t(Errno::kEPERM)) return HostResult(done);
  TRY(HostResult(HostCall(HostNumber::kMembarrier, kRegisterPrivate, 0, 0)));
  return HostResult(HostCall(HostNumber::kMembarrier, kPrivate, 0, 0));
}

// The host schedules. It is told what takes nothing from its other programs: nice values above
// zrun's own; a thread tells its own.
void SetScheduling(Thread& thread, const Scheduling& scheduling) {
  thread.nice.store(std::max<int32_t>(scheduling.nice, 0));
  if (&thread == &CurrentThread()) {
    FollowNice(thread);
  } else {
    DriveOut(thread);
  }
}

void FollowNice(Thread& self) {
  const int32_t wanted = self.nice.load(std::memory_order_relaxed);
  if (wanted == self.host_nice) [[likely]]
    return;
  // Once, also if the host refuses: a user without privilege may not go back.
  self.host_nice = wanted;
  constexpr int kPrioProcess = 0, kMostNice = 19;
  HostCall(HostNumber::kSetpriority, kPrioProcess, 0, std::min(Boot().nice + wanted, kMostNice));
}

uint64_t SwitchCount() { return 0; }

CpuTimes ThreadCpuTimes(const Thread& thread) {
  if (&thread == &CurrentThread()) {
    struct {
      int64_t user_s, user_us, system_s, system_us;
      int64_t rest[14];
    } usage = {};
    constexpr int kRusageThread = 1;
    HostCall(HostNumber::kGetrusage, kRusageThread, &usage);
    enum {
      kPeakResident = 0,
      kMinorFaults = 4,
      kMajorFaults = 5,
      kVoluntary = 12,
      kInvoluntary = 13
    };
    return {usage.user_s * kSecond + usage.user_us * 1000,
            usage.system_s * kSecond + usage.system_us * 1000,
            uint64_t(usage.rest[kMinorFaults]),
            uint64_t(usage.rest[kMajorFaults]),
            uint64_t(usage.rest[kVoluntary]),
            uint64_t(usage.rest[kInvoluntary]),
            uint64_t(usage.rest[kPeakResident]) << 10};
  }
  struct {
    int64_t seconds, nanoseconds;
  } time = {};
  const auto read = [&](int32_t id, int kind) {
    return HostCall(HostNumber::kClockGettime, int(~uint32_t(id) << 3 | uint32_t(kind)), &time) >=
           0;
  };
  constexpr int kProcess = 2, kThread = 6;  // CPUCLOCK_SCHED, and CPUCLOCK_PERTHREAD
  if (read(thread.host_tid, kThread)) return {time.seconds * kSecond + time.nanoseconds, 0};
  // The host shows threads of other processes only together.
  if (!thread.space || !read(thread.host_pid, kProcess)) return {};
  const int64_t threads = std::max<int64_t>(AsCarrier(*thread.space).thread_count(), 1);
  return {(time.seconds * kSecond + time.nanoseconds) / threads, 0};
}

WaitOutcome WaitOnWord(const std::atomic<uint32_t>& word, uint32_t expected, Deadline deadline) {
  constexpr int kWaitBitset = 9;
  struct {
    int64_t seconds, nanoseconds;
  } timeout;
  const void* pointer = nullptr;
  if (!deadline.is_never()) {
    const Nanoseconds at = deadline.at < 0 ? 0 : deadline.at;
    timeout = {at / kSecond, at % kSecond};
    pointer = &timeout;
  }
  const int64_t result = HostFutex(&word, kWaitBitset, expected, pointer, ~uint32_t{0});
  return result == -int64_t(Errno::kETIMEDOUT) ? WaitOutcome::kTimedOut : WaitOutcome::kWoken;
}

void WakeWord(const std::atomic<uint32_t>& word, uint32_t max_threads) {
  constexpr int kWake = 1;
  HostFutex(&word, kWake, max_threads > INT32_MAX ? INT32_MAX : max_threads, nullptr, 0);
}

void Yield() { HostCall(HostNumber::kSchedYield); }

namespace {

// A host futex takes 5 us and more to wake a thread on another processor, and the answer of a
// partner in another thread often comes sooner. So watch for it a little; where that is in vain
// (one processor, long waits), more and more rarely.
void Spin(Thread& self) {
  constexpr uint64_t kCycles = 12'000;
  constexpr uint32_t kMostMisses = 8;
  if (Boot().cpu_count == 1) return;
  if (self.spin_pause > 0) {
    self.spin_pause--;
    return;
  }
  for (const uint64_t start = __builtin_ia32_rdtsc(); __builtin_ia32_rdtsc() - start < kCycles;) {
    if (self.parking.has_news()) {
      self.spin_misses = 0;
      return;
    }
    __builtin_ia32_pause();
  }
  if (self.spin_misses < kMostMisses) self.spin_misses++;
  self.spin_pause = uint32_t{1} << self.spin_misses;
}

}  // namespace

ParkOutcome Park(Deadline deadline, Interruptible interruptible) {
  Thread& self = CurrentThread();
  if (!self.parking.has_news()) Spin(self);
  return self.parking.Park(deadline, interruptible);
}

void Unpark(Thread& thread) { thread.parking.Unpark(); }
bool IsParked(const Thread& thread) { return thread.parking.is_asleep(); }

void DriveOut(Thread& thread) {
  thread.kick.store(1, std::memory_order_seq_cst);
  // In guest code only the host can reach it. On its way there it sees |kick| (EnterGuest sets the
  // mode first). Where a signal is on its way already, or has come, it leaves the guest anyway:
  // more of them would pile up on its alternate stack.
  uint32_t mode = MODE_GUEST;
  if (thread.mode.compare_exchange_strong(mode, MODE_GUEST | MODE_KICK_SENT,
                                          std::memory_order_seq_cst))
    HostCall(HostNumber::kTgkill, thread.host_pid, thread.host_tid, ZRUN_KICK_SIGNAL);
}

void Kick(Thread& thread) {
  thread.parking.Kick();
  DriveOut(thread);
}

bool KickPending() { return CurrentThread().kick.load(std::memory_order_acquire) != 0; }

void ClearKick() {
  Thread& self = CurrentThread();
  if (self.kick.load(std::memory_order_relaxed) == 0 && !self.parking.is_kicked()) return;
  self.parking.ClearKick();
  self.kick.store(0, std::memory_order_seq_cst);
}

}  // namespace zrun::hal
