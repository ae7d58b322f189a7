#if defined(__riscv)
#include "compat/signal_frame.h"

#include "compat/abi/arch.h"
#include "hal/address_space.h"

namespace zrun::compat {
namespace {

using namespace abi;

// <asm/ucontext.h>: the mask has room for 1024 signals, and the registers are 16-byte aligned. The
// vector state (union __riscv_fp_state) follows the general registers.
struct UContext {
  uint64_t flags;
  uint64_t link;
  StackT stack;
  uint64_t mask;
  uint8_t unused[120];
  uint64_t padding;
  uint64_t registers[32];  // pc, ra, sp, ... t6
};
static_assert(sizeof(UContext) == 176 + 256);
constexpr size_t kVectorSize = 528;

struct RtSigFrame {
  SigInfo info;
  UContext ucontext;
};

}  // namespace

Result<void> PushSignalFrame(Task& task, int signo, const SigInfo& info, const SignalAction& action,
                             SignalSet mask) {
  hal::Registers& r = task.registers();
  const size_t vector_size = hal::VectorStateSize();
  const uint64_t top = FrameTop(task, action, r.sp());
  const uint64_t frame =
      (top - sizeof(RtSigFrame) - std::max(vector_size, kVectorSize)) & ~uint64_t{15};
  if (frame > top) return Errno::kEFAULT;
  if (!FitsAlternateStack(task, action, r.sp(), frame)) return Errno::kEFAULT;

  auto image = TRY(task.VectorScratch(vector_size));
  hal::SaveVectorState(image, frame + sizeof(RtSigFrame));
  UserMemory memory = task.memory();
  TRY(memory.WriteAll(UserPtr<std::byte>(frame + sizeof(RtSigFrame)), image));
  RtSigFrame out{};
  out.info = info;
  out.ucontext.stack = ReportAlternateStack(task, r.sp());
  out.ucontext.mask = mask.bits();
  std::copy(std::begin(r.x), std::end(r.x), out.ucontext.registers);
  TRY(memory.Write(UserPtr<RtSigFrame>(frame), out));

  r.x[1] = hal::GetUserLayout().sigreturn;
  r.x[10] = uint64_t(signo);
  r.x[11] = frame + offsetof(RtSigFrame, info);
  r.x[12] = frame + offsetof(RtSigFrame, ucontext);
  r.set_sp(frame);
  r.set_pc(action.handler);
  return {};
}

Result<ReturnedFrame> PopSignalFrame(Task& task) {
  hal::Registers& r = task.registers();
  const uint64_t frame = r.sp();
  UserMemory memory = task.memory();
  const RtSigFrame in = TRY(memory.Read(UserPtr<const RtSigFrame>(frame)));
  auto image = TRY(task.VectorScratch(hal::VectorStateSize()));
  TRY(memory.ReadAll(image, UserPtr<const std::byte>(frame + sizeof(RtSigFrame))));
  if (!hal::LoadVectorState(image)) return Errno::kEFAULT;
  std::copy(std::begin(in.ucontext.registers), std::end(in.ucontext.registers), r.x);
  return ReturnedFrame{SignalSet(in.ucontext.mask), in.ucontext.stack};
}

}  // namespace zrun::compat
#endif
