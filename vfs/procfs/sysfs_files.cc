#include "hal/thread.h"
#include "vfs/procfs/proc_entry.h"

// /sys: which processors there are, and the memory settings that allocators look at.
namespace zrun::vfs {
namespace {

// "0-3", or "0" where there is one.
Result<void> ShowProcessors(const ProcRequest&, TextSink& out) {
  Write(out, "0");
  if (hal::CpuCount() > 1) Write(out, "-", hal::CpuCount() - 1);
  Write(out, "\n");
  return {};
}

Result<void> ShowNothing(const ProcRequest&, TextSink& out) {
  out.Append("\n");
  return {};
}

constexpr ProcEntry kEntries[] = {
    {.path = "devices/system/cpu/kernel_max", .constant = "63"},
    {.path = "devices/system/cpu/offline", .show = ShowNothing},
    {.path = "devices/system/cpu/online", .show = ShowProcessors},
    {.path = "devices/system/cpu/possible", .show = ShowProcessors},
    {.path = "devices/system/cpu/present", .show = ShowProcessors},
    {.path = "devices/system/node/has_cpu", .constant = "0"},
    {.path = "devices/system/node/has_memory", .constant = "0"},
    {.path = "devices/system/node/online", .constant = "0"},
    {.path = "devices/system/node/possible", .constant = "0"},
    {.path = "kernel/mm/transparent_hugepage/enabled", .constant = "always madvise [never]"},
    {.path = "kernel/mm/transparent_hugepage/hpage_pmd_size", .constant = "2097152"},
};

}  // namespace

constinit const ProcTable kSysFsEntries = kEntries;

}  // namespace zrun::vfs
