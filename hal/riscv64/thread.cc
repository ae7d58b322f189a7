#include "hal/thread.h"

#include <cstddef>
#include <new>

#include "base/assert.h"
#include "hal/riscv64/space.h"
#include "hal/riscv64/vector_state.h"

extern "C" void ThreadBegin();

namespace zrun::hal {

#define CHECK_OFFSET(field, offset) static_assert(offsetof(TrapState, field) == (offset))
CHECK_OFFSET(registers, 0);
CHECK_OFFSET(kernel_sp, THREAD_KERNEL_SP);
CHECK_OFFSET(status, THREAD_STATUS);
CHECK_OFFSET(cause, THREAD_CAUSE);
CHECK_OFFSET(trap_value, THREAD_VALUE);
CHECK_OFFSET(switch_sp, THREAD_SWITCH_SP);
CHECK_OFFSET(floats, THREAD_FLOATS);
#undef CHECK_OFFSET
static_assert(sizeof(KernelFrame) == FRAME_SIZE);

namespace {

constexpr uint64_t kThreadSpace = (sizeof(Thread) + 63) & ~uint64_t{63};
constexpr uint64_t kUserStatus = 1 << 5 | 1 << 18;  // SPIE, SUM; SPP 0: user mode
constexpr unsigned kMostBlocks = ZRUN_BLOCKS_SIZE / ZRUN_BLOCK_SIZE;
constexpr unsigned kStackPages = ZRUN_STACK_SIZE / kPageSize;
constexpr unsigned kKeptBlocks = 64;  // free blocks that keep their frames

// Free blocks: some with frames, others only a place.
struct Blocks {
  SpinLock lock;
  IntrusiveList<Thread, BlockTag> ready;  // GUARDED_BY(lock), mapped
  unsigned ready_count = 0;
  uint32_t next = 0;
  uint64_t unmapped[kMostBlocks / 64] = {};  // below |next|
};
alignas(Blocks) constinit std::byte g_blocks_storage[sizeof(Blocks)] = {};
Blocks& AllBlocks() { return *std::launder(reinterpret_cast<Blocks*>(g_blocks_storage)); }

Thread* ThreadIn(uint64_t block) {
  return reinterpret_cast<Thread*>(block + ZRUN_BLOCK_SIZE - kThreadSpace);
}

vaddr_t StackPage(uint64_t block, unsigned index) {
  return block + ZRUN_BLOCK_SIZE - ZRUN_STACK_SIZE + index * kPageSize;
}

void UnmapStack(uint64_t block) {
  paddr_t frames[kStackPages];
  for (unsigned i = 0; i < kStackPages; i++) frames[i] = UnmapKernelPage(StackPage(block, i));
  FlushKernelEverywhere();
  for (paddr_t frame : frames) {
    if (frame) FreeTable(frame);
  }
}

void ReturnPlace(uint64_t block) {
  const uint64_t index = (block - ZRUN_BLOCKS_BASE) / ZRUN_BLOCK_SIZE;
  SpinLocked lock(AllBlocks().lock);
  AllBlocks().unmapped[index / 64] |= uint64_t{1} << index % 64;
}

// A place for a block; 0 if none is left.
uint64_t TakePlace() {
  Blocks& blocks = AllBlocks();
  SpinLocked lock(blocks.lock);
  for (unsigned word = 0; word * 64 < blocks.next; word++) {
    if (!blocks.unmapped[word]) continue;
    const unsigned bit = unsigned(__builtin_ctzll(blocks.unmapped[word]));
    blocks.unmapped[word] &= blocks.unmapped[word] - 1;
    return ZRUN_BLOCKS_BASE + uint64_t{word * 64 + bit} * ZRUN_BLOCK_SIZE;
  }
  if (blocks.next == kMostBlocks) return 0;
  return ZRUN_BLOCKS_BASE + uint64_t{blocks.next++} * ZRUN_BLOCK_SIZE;
}

// Frames of blocks beyond those kept go back.
void TrimBlocks() {
  Blocks& blocks = AllBlocks();
  for (;;) {
    Thread* victim = nullptr;
    {
      SpinLocked lock(blocks.lock);
      if (blocks.ready_count <= kKeptBlocks) return;
      victim = blocks.ready.PopFront();
      blocks.ready_count--;
    }
    const uint64_t block = victim->block();
    UnmapStack(block);
    ReturnPlace(block);
  }
}

Result<uint64_t> NewBlock() {
  const uint64_t block = TakePlace();
  if (!block) return Errno::kEAGAIN;
  for (unsigned i = 0; i < kStackPages; i++) {
    const paddr_t frame = AllocateTable();
    auto mapped = frame ? MapKernelPage(StackPage(block, i), frame) : Result<void>(Errno::kENOMEM);
    if (mapped.ok()) continue;
    if (frame) FreeTable(frame);
    UnmapStack(block);
    ReturnPlace(block);
    return Errno::kENOMEM;
  }
  // Other harts may remember that there was nothing.
  FlushKernelEverywhere();
  return block;
}

Result<Thread*> AllocateThread() {
  Blocks& blocks = AllBlocks();
  uint64_t block = 0;
  {
    SpinLocked lock(blocks.lock);
    if (Thread* thread = blocks.ready.PopFront()) {
      blocks.ready_count--;
      block = thread->block();
    }
  }
  if (!block) block = TRY(NewBlock());
  Thread* thread = new (ThreadIn(block)) Thread;
  thread->status = kUserStatus;
  // What SwitchContext takes off the stack first: where to go on, and saved registers.
  constexpr size_t kSwitchFrame = 112;
  auto* frame = reinterpret_cast<uint64_t*>(reinterpret_cast<uint64_t>(thread) - kSwitchFrame);
  __builtin_memset(frame, 0, kSwitchFrame);
  frame[0] = reinterpret_cast<uint64_t>(&ThreadBegin);
  thread->switch_sp = reinterpret_cast<uint64_t>(frame);
  return thread;
}

}  // namespace

void InitThreads() { new (g_blocks_storage) Blocks; }

Thread& CurrentThread() {
  Thread* self;
  asm("mv %0, tp" : "=r"(self));
  return *self;
}

// A hart's own thread, which starts on its stack rather than being switched to.
Thread* MakeIdleThread() {
  auto thread = AllocateThread();
  CHECK(thread.ok());
  thread.value()->state.store(ThreadState::kRunning);
  return thread.value();
}

Result<Thread*> StartThread(AddressSpace* space, ThreadStart start) {
  TrimBlocks();
  Thread& self = CurrentThread();
  Thread* thread = TRY(AllocateThread());
  thread->start = start;
  if (!space) {
    thread->scheduling = {.policy = SchedulingPolicy::kFifo, .priority = sched::kServicePriority};
  } else if (self.space) {
    thread->scheduling = self.scheduling;
  }
  if (space) {
    space->AddRef();
    thread->space = static_cast<Space*>(space);
  }
  if (self.space) {  // fork, clone and execve go on with the creator's floats
    SaveFloats();
    thread->floats = self.floats;
  }
  EnqueueNew(*thread);
  return thread;
}

void ExitThread() {
  Thread& self = CurrentThread();
  DropVectors();
  if (Space* space = self.space) {
    self.space = nullptr;
    space->Release();
  }
  DisableInterrupts();
  self.state.store(ThreadState::kDead, std::memory_order_relaxed);
  Schedule(SwitchReason::kBlocked);
  PANIC("a dead thread ran");
}

void RecycleDead(Thread& thread) {
  Blocks& blocks = AllBlocks();
  thread.~Thread();
  Thread* free = new (&thread) Thread;
  SpinLocked lock(blocks.lock);
  blocks.ready.PushFront(*free);
  blocks.ready_count++;
}

void* ThreadSlot(const Thread& thread) { return thread.owner; }
void SetThreadSlot(Thread& thread, void* value) { thread.owner = value; }

}  // namespace zrun::hal
