// Interrupts, and traps out of kernel code.
#include "base/assert.h"
#include "base/text.h"
#include "hal/disks.h"
#include "hal/riscv64/device_tree.h"
#include "hal/riscv64/sbi.h"
#include "hal/riscv64/space.h"

namespace zrun::hal {
namespace {

constexpr uint64_t kInterrupt = uint64_t{1} << 63;
enum : uint64_t { kSoftware = 1, kTimer = 5, kExternal = 9 };
enum : uint64_t {
  kFetchAccessFault = 1,
  kLoadAccessFault = 5,
  kStoreAccessFault = 7,
  kFetchPageFault = 12,
  kLoadPageFault = 13,
  kStorePageFault = 15,
};

// The platform-level interrupt controller. Source: RISC-V PLIC specification 1.0.
constexpr uint32_t kMostSources = 128;
struct Source {
  InterruptHandler handler;
  void* argument;
};
constinit Source g_sources[kMostSources] = {};
constinit uint64_t g_plic = 0;  // in the window
constinit uint32_t g_contexts[kMaxHarts] = {};

volatile uint32_t& PlicRegister(uint64_t offset) {
  return *reinterpret_cast<volatile uint32_t*>(g_plic + offset);
}
volatile uint32_t& Priority(uint32_t source) { return PlicRegister(source * 4); }
volatile uint32_t& EnableBits(uint32_t context, uint32_t source) {
  return PlicRegister(0x2000 + context * 0x80 + source / 32 * 4);
}
volatile uint32_t& Threshold(uint32_t context) { return PlicRegister(0x200000 + context * 0x1000); }
volatile uint32_t& Claim(uint32_t context) { return PlicRegister(0x200004 + context * 0x1000); }

void HandleExternal(Hart& hart) {
  const uint32_t context = g_contexts[hart.index];
  while (const uint32_t source = Claim(context)) {
    if (source < kMostSources && g_sources[source].handler)
      g_sources[source].handler(g_sources[source].argument);
    Claim(context) = source;
  }
}

// The tree names each context's processor by its interrupt controller's handle.
uint32_t FindContext(DeviceTree::Node plic, uint64_t hart_id) {
  constexpr uint32_t kSupervisorExternal = 9;
  const DeviceTree& tree = MachineTree();
  uint64_t handle = 0;
  for (auto cpu = tree.Find("/cpus").FirstChild(); cpu; cpu = cpu.Next()) {
    if (!cpu.Is("cpu") || cpu.Number("reg") != hart_id) continue;
    for (auto child = cpu.FirstChild(); child; child = child.Next()) {
      if (child.Is("interrupt-controller")) handle = child.Number("phandle");
    }
  }
  const auto list = plic.Property("interrupts-extended");
  for (uint32_t i = 0; list && i < list->size() / 8; i++) {
    if (plic.Number("interrupts-extended", i * 2) == handle &&
        plic.Number("interrupts-extended", i * 2 + 1) == kSupervisorExternal)
      return i;
  }
  PANIC("a hart has no external interrupts");
}

}  // namespace

void InitInterruptController() {
  const DeviceTree& tree = MachineTree();
  auto plic = tree.FindCompatible(tree.Find("/soc"), "sifive,plic-1.0.0");
  if (!plic) plic = tree.FindCompatible(tree.Find("/soc"), "riscv,plic0");
  CHECK(plic);
  g_plic = ToWindow(plic.Number("reg", 0, 2));
  for (unsigned i = 0; i < HartCount(); i++) g_contexts[i] = FindContext(plic, HartAt(i).id);
}

void EnableHartInterrupts(Hart& hart) {
  Threshold(g_contexts[hart.index]) = 0;
  asm volatile("csrw sie, %0" : : "r"(uint64_t{1} << kSoftware | 1 << kTimer | 1 << kExternal));
}

void SetInterruptHandler(uint32_t number, InterruptHandler handler, void* argument) {
  CHECK(number > 0 && number < kMostSources);
  g_sources[number] = {handler, argument};
  Priority(number) = 1;
  // The boot hart handles devices: their handlers only wake threads, which go where there is room.
  volatile uint32_t& bits = EnableBits(g_contexts[0], number);
  bits = bits | 1u << number % 32;
}

void SendInterrupt(Hart& hart) { SbiCall(SbiExtension::kIpi, 0, 1, hart.id); }

void HandleInterrupt(uint64_t cause, bool from_user) {
  Hart& hart = ThisHart();
  switch (cause & ~kInterrupt) {
    case kSoftware:
      asm volatile("csrci sip, 2");
      Space::AnswerShootDown(hart);
      break;
    case kTimer:
      OnTimer(hart, from_user);
      break;
    case kExternal:
      HandleExternal(hart);
      break;
  }
}

namespace {

struct FixupEntry {
  uint64_t fault, landing;
};
extern "C" const FixupEntry fixup_table_begin[], fixup_table_end[];
extern "C" uint64_t overflow_sp;
extern "C" void PanicTrap();

// A fault of a user copy goes on where its caller said. The table is in order of address.
bool FixUp(KernelFrame& frame) {
  const FixupEntry* low = fixup_table_begin;
  const FixupEntry* high = fixup_table_end;
  while (low < high) {
    const FixupEntry* middle = low + (high - low) / 2;
    if (middle->fault < frame.x[0]) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == fixup_table_end || low->fault != frame.x[0]) return false;
  frame.x[0] = low->landing;
  return true;
}

// Whether it is a page of a disk's window that can be read.
bool IsDiskPage(vaddr_t address) {
  return address >= ZRUN_DISKS_BASE &&
         address < ZRUN_DISKS_BASE + DiskCount() * ZRUN_DISK_WINDOW_SIZE &&
         IsKernelPageMapped(RoundDown(address));
}

std::string_view CauseName(uint64_t cause) {
  static constexpr std::string_view kNames[] = {"misaligned fetch",
                                                "fetch access fault",
                                                "illegal instruction",
                                                "breakpoint",
                                                "misaligned load",
                                                "load access fault",
                                                "misaligned store",
                                                "store access fault",
                                                "call from user",
                                                "call from kernel",
                                                "",
                                                "",
                                                "fetch page fault",
                                                "load page fault",
                                                "",
                                                "store page fault"};
  return cause < std::size(kNames) ? kNames[cause] : "unknown trap";
}

}  // namespace

// From trap.S, interrupts off, on the interrupted code's stack.
extern "C" void KernelTrap(KernelFrame* frame) {
  if (frame->cause & kInterrupt) {
    HandleInterrupt(frame->cause, false);
    // Interrupts were on, so no lock of the machine's is held: the thread may be preempted here.
    // The idle thread looks for itself.
    Hart& hart = ThisHart();
    if (hart.need_switch.load(std::memory_order_relaxed) && hart.idle != &CurrentThread())
      Schedule(SwitchReason::kPreempted);
    return;
  }
  // A hart may remember that there was nothing at a page that was mapped since.
  if (frame->cause == kLoadPageFault && IsDiskPage(frame->value)) {
    asm volatile("sfence.vma" : : : "memory");
    return;
  }
  switch (frame->cause) {
    case kLoadPageFault:
    case kStorePageFault:
    case kLoadAccessFault:
    case kStoreAccessFault:
    case 4:  // misaligned: an atomic on a guest's word, which callers have checked
    case 6:
      if (FixUp(*frame)) return;
      break;
  }
  if (overflow_sp) {
    frame->x[2] = overflow_sp;
    Die("kernel stack overflow", *frame);
  }
  if (frame->x[0] == reinterpret_cast<uint64_t>(&PanicTrap))
    Die(*reinterpret_cast<const std::string_view*>(frame->x[10]), *frame);
  Die(TextBuffer<120>("kernel fault: ", CauseName(frame->cause), ", address ", Hex{frame->value}),
      *frame);
}

}  // namespace zrun::hal
