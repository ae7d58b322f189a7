#include "hal/trap_x86_64/host_call.h"
#include "hal/trap_x86_64/machine.h"

extern "C" [[noreturn]] void KernelMain();

namespace zrun::hal {
namespace {

constinit BootRecord* g_boot = nullptr;

// What is left of the launcher's own memory, around what the kernel uses and the vDSO.
void UnmapLauncher() {
  HostCall(HostNumber::kMunmap, 0,
           Boot().vdso_base < ZRUN_HOLE_BASE ? Boot().vdso_base : ZRUN_HOLE_BASE);
  const uint64_t after = ZRUN_HOLE_BASE + ZRUN_HOLE_SIZE, top = 0x7ffffffff000;
  if (Boot().vdso_size == 0) {
    HostCall(HostNumber::kMunmap, after, top - after);
    return;
  }
  HostCall(HostNumber::kMunmap, after, Boot().vdso_base - after);
  const uint64_t vdso_end = Boot().vdso_base + Boot().vdso_size;
  HostCall(HostNumber::kMunmap, vdso_end, top - vdso_end);
}

}  // namespace

BootRecord& Boot() { return *g_boot; }

void InstallFilters() {
  constexpr int kNoNewPrivs = 38;
  constexpr int kSetModeFilter = 1, kFlagSpecAllow = 4;
  CHECK(HostCall(HostNumber::kPrctl, kNoNewPrivs, 1, 0, 0, 0) == 0);
  for (int i = 0; i < 2; i++) {
    const struct {
      uint16_t count;
      const FilterInstruction* instructions;
    } program = {uint16_t(Boot().filter_count[i]), Boot().filters[i]};
    const int64_t installed =
        HostCall(HostNumber::kSeccomp, kSetModeFilter, kFlagSpecAllow, &program);
    CHECK(installed == 0);
  }
}

extern "C" [[noreturn]] void TrapMachineStart(BootRecord* boot) {
  g_boot = boot;
  host_cookie = boot->cookie;
  xsave_mask = boot->xsave_mask;
  UnmapLauncher();
  AdoptBootThread();
  InstallSignals();
  InstallFilters();
  StartSpawner();
  StartReactor();
  KernelMain();
}

}  // namespace zrun::hal
