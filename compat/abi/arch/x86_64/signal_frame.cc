#if defined(__x86_64__)
#include "compat/signal_frame.h"

#include "compat/abi/arch.h"

namespace zrun::compat {
namespace {

using namespace abi;

// <asm/sigcontext.h>, struct sigcontext_64
struct SigContext {
  uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
  uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp;
  uint64_t rip, rflags;
  uint16_t cs, gs, fs, ss;
  uint64_t error, trap_number, old_mask, cr2;
  uint64_t fpstate;
  uint64_t reserved[8];
};
static_assert(sizeof(SigContext) == 256);

// <asm/ucontext.h>
struct UContext {
  uint64_t flags;
  uint64_t link;
  StackT stack;
  SigContext context;
  uint64_t mask;
};
constexpr uint64_t kUcFpXstate = 1, kUcSigcontextSs = 2, kUcStrictRestoreSs = 4;
constexpr uint16_t kUserCs = 0x33, kUserSs = 0x2b;

struct RtSigFrame {
  uint64_t return_address;
  UContext ucontext;
  SigInfo info;
};
static_assert(sizeof(RtSigFrame) == 8 + 304 + 128);

// The flags a program may set: CF PF AF ZF SF TF DF OF RF AC.
constexpr uint64_t kUserFlags = 0x50dd5;
constexpr uint64_t kFixedFlags = 0x202;  // the reserved one, and IF
constexpr uint64_t kDirection = 0x400, kResume = 0x10000, kTrapFlag = 0x100;
constexpr uint64_t kVectorAlignment = 64;

SigContext Save(Task& task, SignalSet mask, uint64_t fpstate) {
  const hal::Registers& r = task.registers();
  const FaultFacts& fault = task.last_fault;
  return {
      .r8 = r.r8,
      .r9 = r.r9,
      .r10 = r.r10,
      .r11 = r.r11,
      .r12 = r.r12,
      .r13 = r.r13,
      .r14 = r.r14,
      .r15 = r.r15,
      .rdi = r.rdi,
      .rsi = r.rsi,
      .rbp = r.rbp,
      .rbx = r.rbx,
      .rdx = r.rdx,
      .rax = r.rax,
      .rcx = r.rcx,
      .rsp = r.rsp,
      .rip = r.rip,
      .rflags = r.rflags,
      .cs = kUserCs,
      .gs = 0,
      .fs = 0,
      .ss = kUserSs,
      .error = fault.error_code,
      .trap_number = fault.trap_number,
      .old_mask = mask.bits(),
      .cr2 = fault.address,
      .fpstate = fpstate,
      .reserved = {},
  };
}

void Restore(hal::Registers& r, const SigContext& c) {
  r.r8 = c.r8, r.r9 = c.r9, r.r10 = c.r10, r.r11 = c.r11;
  r.r12 = c.r12, r.r13 = c.r13, r.r14 = c.r14, r.r15 = c.r15;
  r.rdi = c.rdi, r.rsi = c.rsi, r.rbp = c.rbp, r.rbx = c.rbx;
  r.rdx = c.rdx, r.rax = c.rax, r.rcx = c.rcx, r.rsp = c.rsp;
  r.rip = c.rip;
  r.rflags = (c.rflags & kUserFlags) | kFixedFlags;
}

}  // namespace

Result<void> PushSignalFrame(Task& task, int signo, const SigInfo& info, const SignalAction& action,
                             SignalSet mask) {
  // The frame's return address is the restorer's: without one there is no way back (the kernel has
  // none of its own on x86-64).
  if (!(action.flags & kSaRestorer)) return Errno::kEFAULT;
  hal::Registers& r = task.registers();
  const size_t vector_size = hal::VectorStateSize();
  uint64_t sp = FrameTop(task, action, r.rsp);
  const uint64_t fpstate = (sp - vector_size) & ~(kVectorAlignment - 1);
  const uint64_t frame = ((fpstate - sizeof(RtSigFrame)) & ~uint64_t{15}) - 8;
  if (fpstate > sp || frame > fpstate) return Errno::kEFAULT;
  if (!FitsAlternateStack(task, action, r.rsp, frame)) return Errno::kEFAULT;

  auto image = TRY(task.VectorScratch(vector_size));
  hal::SaveVectorState(image, fpstate);
  UserMemory memory = task.memory();
  TRY(memory.WriteAll(UserPtr<std::byte>(fpstate), image));
  RtSigFrame out;
  out.return_address = action.restorer;
  out.ucontext.flags = kUcFpXstate | kUcSigcontextSs | kUcStrictRestoreSs;
  out.ucontext.link = 0;
  out.ucontext.stack = ReportAlternateStack(task, r.rsp);
  out.ucontext.context = Save(task, mask, fpstate);
  out.ucontext.mask = mask.bits();
  out.info = info;
  TRY(memory.Write(UserPtr<RtSigFrame>(frame), out));

  // Handlers start with a fresh vector state, whatever was going on.
  hal::ResetVectorState();
  r.rdi = uint64_t(signo);
  r.rax = 0;
  r.rsi = frame + offsetof(RtSigFrame, info);
  r.rdx = frame + offsetof(RtSigFrame, ucontext);
  r.rip = action.handler;
  r.rsp = frame;
  r.rflags &= ~(kDirection | kResume | kTrapFlag);
  return {};
}

Result<ReturnedFrame> PopSignalFrame(Task& task) {
  hal::Registers& r = task.registers();
  // The handler's return took the return address off.
  const uint64_t frame = r.rsp - 8;
  UserMemory memory = task.memory();
  const RtSigFrame in = TRY(memory.Read(UserPtr<const RtSigFrame>(frame)));
  const SigContext& context = in.ucontext.context;
  if (context.fpstate == 0) {
    hal::ResetVectorState();
  } else {
    const size_t size = hal::VectorStateSize();
    auto image = TRY(task.VectorScratch(size));
    // The image may be shorter than ours (a frame made by the program): what is missing stays zero.
    auto copied = memory.CopyIn(image, UserPtr<const std::byte>(context.fpstate));
    if (!copied.ok()) return Errno::kEFAULT;
    std::fill(image.begin() + ptrdiff_t(copied.value()), image.end(), std::byte{0});
    if (!hal::LoadVectorState(image)) return Errno::kEFAULT;
  }
  Restore(r, context);
  return ReturnedFrame{SignalSet(in.ucontext.mask), in.ucontext.stack};
}

}  // namespace zrun::compat
#endif
