#include <algorithm>

#include "compat/abi/arch.h"
#include "compat/exec.h"
#include "hal/devices.h"
#include "hal/processor.h"

// The new program's memory: segments, stack, registers.
namespace zrun::compat {

using namespace abi;
using hal::RoundDown;
using hal::RoundUp;
using loader::Image;

namespace {

constexpr uint64_t kMegabyte = 1 << 20;
constexpr uint32_t kAddrNoRandomize = 0x0040000;
// As Linux on x86-64 spreads things in 47 bits, 34 bits for the stack and 40 for the rest, and in
// proportion where the guest's range is smaller; 32 MiB for brk.
uint64_t StackSpread() { return kUserTop / 8192; }
uint64_t MmapSpread() { return kUserTop / 128; }
constexpr uint64_t kBrkSpread = 32 * kMegabyte;
constexpr uint64_t kGuardGap = kMegabyte;
// A stack without limit still has to end somewhere.
constexpr uint64_t kMaxStack = 256 * kMegabyte;
constexpr uint64_t kMinStack = 128 << 10;

// <linux/auxvec.h>
enum : uint64_t {
  kAtNull = 0,
  kAtPhdr = 3,
  kAtPhent = 4,
  kAtPhnum = 5,
  kAtPagesz = 6,
  kAtBase = 7,
  kAtFlags = 8,
  kAtEntry = 9,
  kAtUid = 11,
  kAtEuid = 12,
  kAtGid = 13,
  kAtEgid = 14,
  kAtPlatform = 15,
  kAtHwcap = 16,
  kAtClktck = 17,
  kAtSecure = 23,
  kAtRandom = 25,
  kAtHwcap2 = 26,
  kAtExecfn = 31,
  kAtSysinfoEhdr = 33,
  kAtMinsigstksz = 51,
};

}  // namespace

void ExecPlan::Finish(Task& task) {
  auto built = Build(task);
  if (built.ok()) return;
  // There is no program to report it to.
  ThreadGroup& group = task.group();
  MutexLock lock(group.signal_lock);
  BeginGroupExit(group, built.error() == Errno::kENOMEM ? kSigKill : kSigSegv);
}

Result<void> ExecPlan::Build(Task& task) {
  if (task.personality.load() & kAddrNoRandomize) {
    hal::FillEntropy(std::as_writable_bytes(std::span(random_.at_random)));
    random_.stack = random_.mmap = random_.program = random_.brk = 0;
  } else {
    hal::FillEntropy(std::as_writable_bytes(std::span(&random_, 1)));
  }
  VmAddressRegion& region = task.region();
  const Limits& limits = task.group().limits();
  region.SetLimits(limits.soft(Limit::kAddressSpace), limits.soft(Limit::kData));
  TRY(MapStack(task));

  const loader::ImageLayout& layout = program_.layout;
  if (!layout.is_mappable || (interpreter_ && !interpreter_->layout.is_mappable))
    return Errno::kEINVAL;
  const uint64_t lowest = hal::GetUserLayout().lowest;
  if (program_.header.type == loader::kTypeDynamic) {
    uint64_t below = mmap_base_;
    if (interpreter_) {
      // Position-independent programs lie two thirds up, out of the way of what they map.
      const uint64_t size = layout.highest - layout.lowest;
      below = kUserTop / 3 * 2 + RoundDown(random_.program % MmapSpread()) + size;
      below = std::min(below, mmap_base_);
    }
    program_bias_ = TRY(loader::FindPlace(region, layout, below, lowest)) - layout.lowest;
  } else if (layout.lowest < lowest) {
    return Errno::kEPERM;
  }
  UserMemory memory = task.memory();
  TRY(loader::MapImage(memory, program_, program_bias_));
  entry_ = program_.header.entry + program_bias_;
  if (interpreter_) {
    const loader::ImageLayout& other = interpreter_->layout;
    uint64_t bias = 0;
    if (interpreter_->header.type == loader::kTypeDynamic)
      bias = TRY(loader::FindPlace(region, other, mmap_base_, lowest)) - other.lowest;
    TRY(loader::MapImage(memory, *interpreter_, bias));
    interpreter_base_ = other.lowest + bias;
    entry_ = interpreter_->header.entry + bias;
  }

  VmAddressRegion::Landmarks marks;
  marks.start_code = layout.start_code + program_bias_;
  marks.end_code = layout.end_code + program_bias_;
  marks.start_data = layout.start_data + program_bias_;
  marks.end_data = layout.end_data + program_bias_;
  uint64_t brk = RoundUp(layout.end_of_bss + program_bias_);
  // A program without interpreter lies among the mappings, where the heap would have no room.
  if (program_.header.type == loader::kTypeDynamic && !interpreter_) brk = kUserTop / 3 * 2;
  marks.start_brk = marks.brk = RoundDown(brk + random_.brk % kBrkSpread);
  marks.start_stack = stack_top_;
  region.SetLandmarks(marks);

  const uint64_t sp = TRY(FillStack(task));
  hal::Registers& registers = task.registers();
  registers = {};
  registers.set_pc(entry_);
  registers.set_sp(sp);
  hal::ResetForExec();
  task.clear_child_tid = 0;
  task.robust_list = 0;
  return {};
}

Result<void> ExecPlan::MapStack(Task& task) {
  const uint64_t highest = std::min<uint64_t>(hal::GetUserLayout().highest, kUserTop);
  stack_top_ = RoundDown(highest - random_.stack % StackSpread());
  const uint64_t limit = task.group().limits().soft(Limit::kStack);
  const uint64_t size = RoundUp(std::clamp(limit, kMinStack, kMaxStack));
  stack_bottom_ = stack_top_ - size;
  Mapping stack;
  stack.range = {stack_bottom_, size};
  stack.access = hal::Access::kRead | hal::Access::kWrite;
  if (program_.layout.executable_stack.value_or(false)) stack.access |= hal::Access::kExecute;
  stack.flags = MapFlags::kPrivate | MapFlags::kFixed | MapFlags::kGrowsDown;
  TRY(task.region().Map(std::move(stack)));
  // The gap stays free: an overflow must not run into a neighbour.
  mmap_base_ = RoundDown(stack_bottom_ - kGuardGap - random_.mmap % MmapSpread());
  task.region().SetMmapBase(mmap_base_);
  return {};
}

// From the top: program name, environment, arguments, platform, random bytes; then, 16-byte
// aligned, argc, argv, envp and the auxiliary vector.
// For those who ask about the process without sharing its memory.
Result<void> ExecPlan::KeepText(MemoryContext& context) {
  auto text = TRY(MakeRef<MemoryContext::ProgramText>());
  const auto append = [](String& to, std::span<const char> bytes) {
    return to.Append({bytes.data(), bytes.size()});
  };
  for (const String& front : front_) {
    TRY(text->arguments.Append(front));
    TRY(text->arguments.Append({"\0", 1}));
  }
  TRY(append(text->arguments, arguments_.arguments.bytes()));
  TRY(append(text->environment, arguments_.environment.bytes()));
  context.SetProgramText(std::move(text));
  return {};
}

Result<uint64_t> ExecPlan::FillStack(Task& task) {
  UserMemory memory = task.memory();
  uint64_t at = stack_top_ - sizeof(uint64_t);
  auto push = [&](std::span<const char> bytes) -> Result<uint64_t> {
    if (bytes.size() > at - stack_bottom_) return Errno::kE2BIG;
    at -= bytes.size();
    TRY(memory.WriteAll(UserPtr<std::byte>(at), std::as_bytes(bytes)));
    return at;
  };
  auto push_text = [&](std::string_view text) -> Result<uint64_t> {
    TRY(push(std::span("", 1)));
    return push(std::span(text.data(), text.size()));
  };
  VmAddressRegion::Landmarks marks = task.region().landmarks();
  const uint64_t execfn = TRY(push_text(name_));
  marks.env_end = at;
  const uint64_t environment = TRY(push(arguments_.environment.bytes()));
  marks.env_start = marks.arg_end = at;
  const uint64_t arguments = TRY(push(arguments_.arguments.bytes()));
  for (size_t i = front_.size(); i-- > 0;) TRY(push_text(front_[i]));
  const uint64_t front = marks.arg_start = at;
  task.region().SetLandmarks(marks);
  TRY(KeepText(task.memory_context()));

  const hal::ProcessorFacts& facts = hal::GetProcessorFacts();
  uint64_t platform = 0;
  if (!facts.platform.empty()) platform = TRY(push_text(facts.platform));
  const uint64_t random = TRY(push(std::span(
      reinterpret_cast<const char*>(random_.at_random.data()), random_.at_random.size())));

  Vector<uint64_t> words;
  const size_t argc = front_.size() + arguments_.arguments.count();
  TRY(words.Reserve(argc + arguments_.environment.count() + 3 + MemoryContext::kMaxAuxv));
  TRY(words.PushBack(argc));
  uint64_t address = front;
  for (const String& text : front_) {
    TRY(words.PushBack(address));
    address += text.size() + 1;
  }
  auto add_strings = [&](const StringList& list, uint64_t start) -> Result<void> {
    const std::span<const char> bytes = list.bytes();
    bool begins = true;
    for (size_t i = 0; i < bytes.size(); i++) {
      if (begins) TRY(words.PushBack(start + i));
      begins = bytes[i] == '\0';
    }
    return words.PushBack(0);
  };
  TRY(add_strings(arguments_.arguments, arguments));
  TRY(add_strings(arguments_.environment, environment));

  MemoryContext& context = task.memory_context();
  size_t used = 0;
  auto entry = [&](uint64_t type, uint64_t value) {
    context.auxv[used++] = type;
    context.auxv[used++] = value;
  };
  const auto credentials = task.credentials();
  const vfs::Credentials& who = *credentials;
  if (const uint64_t vdso = hal::GetUserLayout().vdso_header) entry(kAtSysinfoEhdr, vdso);
  if (facts.minimum_signal_stack) entry(kAtMinsigstksz, facts.minimum_signal_stack);
  entry(kAtHwcap, facts.hwcap);
  entry(kAtPagesz, hal::kPageSize);
  entry(kAtClktck, 100);
  entry(kAtPhdr, program_.layout.headers_at ? *program_.layout.headers_at + program_bias_ : 0);
  entry(kAtPhent, sizeof(loader::ProgramHeader));
  entry(kAtPhnum, program_.header.phnum);
  entry(kAtBase, interpreter_base_);
  entry(kAtFlags, 0);
  entry(kAtEntry, program_.header.entry + program_bias_);
  entry(kAtUid, who.uid);
  entry(kAtEuid, who.euid);
  entry(kAtGid, who.gid);
  entry(kAtEgid, who.egid);
  entry(kAtSecure, secure_ ? 1 : 0);
  entry(kAtRandom, random);
  entry(kAtHwcap2, facts.hwcap2);
  entry(kAtExecfn, execfn);
  if (platform) entry(kAtPlatform, platform);
  entry(kAtNull, 0);
  context.auxv_size = used;
  TRY(words.Append(std::span<const uint64_t>(context.auxv).first(used)));

  const uint64_t size = words.size() * sizeof(uint64_t);
  if (size + 32 > at - stack_bottom_) return Errno::kE2BIG;
  const uint64_t sp = (at - size) & ~uint64_t{15};
  TRY(memory.WriteArray(UserPtr<uint64_t>(sp), std::span<const uint64_t>(words)));
  return sp;
}

}  // namespace zrun::compat
