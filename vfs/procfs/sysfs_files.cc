#include "hal/disks.h"
#include "hal/processor.h"
#include "hal/thread.h"
#include "vfs/block_device.h"
#include "vfs/procfs/proc_entry.h"

// /sys: processors and how they lie, devices by their numbers, and the memory settings that
// allocators look at.
namespace zrun::vfs {
namespace {

constexpr uint32_t kLink = kModeSymlink | 0777;

// ---- Processors. All that there are run.

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

// Where a processor lies, as /proc/cpuinfo tells; each is a core of its own where that is silent.
struct CpuPlace {
  uint64_t package = 0, core = 0;
};

uint64_t FindField(std::string_view paragraph, std::string_view name, uint64_t otherwise) {
  while (!paragraph.empty()) {
    const std::string_view line = paragraph.substr(0, paragraph.find('\n'));
    paragraph.remove_prefix(std::min(line.size() + 1, paragraph.size()));
    const size_t colon = line.find(": ");
    if (!line.starts_with(name) || colon == line.npos) continue;
    const ParsedNumber number = ParseUnsigned(line.substr(colon + 2));
    if (number.length > 0) return number.value;
  }
  return otherwise;
}

CpuPlace PlaceOf(unsigned cpu) {
  std::string_view text = hal::GetProcessorFacts().cpuinfo;
  for (unsigned i = 0; i < cpu; i++) {
    const size_t end = text.find("\n\n");
    text = end == text.npos ? std::string_view() : text.substr(end + 2);
  }
  text = text.substr(0, text.find("\n\n"));
  return {FindField(text, "physical id", 0), FindField(text, "core id", cpu)};
}

unsigned CpuOf(const ProcRequest& request) { return unsigned(request.id.tid - 1); }

enum class Near : uint8_t { kSameCore, kSamePackage };

// A bit for each processor that is so near.
template <Near kHow>
uint64_t Neighbours(const ProcRequest& request) {
  const CpuPlace own = PlaceOf(CpuOf(request));
  uint64_t set = 0;
  for (unsigned cpu = 0; cpu < std::min(hal::CpuCount(), 64u); cpu++) {
    const CpuPlace other = PlaceOf(cpu);
    if (other.package == own.package && (kHow == Near::kSamePackage || other.core == own.core))
      set |= uint64_t{1} << cpu;
  }
  return set;
}

// As a bitmap: words of 32 bits with commas between, the first one no longer than it must be.
template <Near kHow>
Result<void> ShowMap(const ProcRequest& request, TextSink& out) {
  const uint64_t set = Neighbours<kHow>(request);
  const unsigned count = std::min(hal::CpuCount(), 64u);
  if (count > 32) {
    Write(out, Hex{set >> 32, int(count - 32 + 3) / 4}, ',', Hex{uint32_t(set), 8}, '\n');
  } else {
    Write(out, Hex{set, int(count + 3) / 4}, '\n');
  }
  return {};
}

template <Near kHow>
Result<void> ShowList(const ProcRequest& request, TextSink& out) {
  WriteRanges(out, Neighbours<kHow>(request));
  out.Append("\n");
  return {};
}

Result<void> ShowPackage(const ProcRequest& request, TextSink& out) {
  Write(out, PlaceOf(CpuOf(request)).package, '\n');
  return {};
}
Result<void> ShowCore(const ProcRequest& request, TextSink& out) {
  Write(out, PlaceOf(CpuOf(request)).core, '\n');
  return {};
}

// ---- Disks.

unsigned DiskIndex(const ProcRequest& request) { return unsigned(request.id.tid - 1); }

Result<void> ShowDiskLink(const ProcRequest& request, TextSink& out) {
  Write(out, "../../devices/virtual/block/vd", char('a' + DiskIndex(request)));
  return {};
}
Result<void> ShowDiskBlockLink(const ProcRequest& request, TextSink& out) {
  Write(out, "../devices/virtual/block/vd", char('a' + DiskIndex(request)));
  return {};
}
Result<void> ShowDiskNumber(const ProcRequest& request, TextSink& out) {
  const uint64_t number = DiskNumber(DiskIndex(request));
  Write(out, DeviceMajor(number), ':', DeviceMinor(number), '\n');
  return {};
}
Result<void> ShowDiskSize(const ProcRequest& request, TextSink& out) {
  constexpr uint64_t kSector = 512;
  Write(out, hal::GetDisk(DiskIndex(request)).size / kSector, '\n');
  return {};
}
Result<void> ShowDiskReadOnly(const ProcRequest& request, TextSink& out) {
  Write(out, int(hal::GetDisk(DiskIndex(request)).read_only), '\n');
  return {};
}
Result<void> ShowDiskEvent(const ProcRequest& request, TextSink& out) {
  const uint64_t number = DiskNumber(DiskIndex(request));
  Write(out, "MAJOR=", DeviceMajor(number), "\nMINOR=", DeviceMinor(number), "\nDEVNAME=vd",
        char('a' + DiskIndex(request)), "\nDEVTYPE=disk\n");
  return {};
}

// The devices of vfs/devfs/devfs.cc by their numbers. What is not looked up there is constant: a
// device's number is its identity.
constexpr ProcEntry kEntries[] = {
    {.path = "block/vd@", .mode = kLink, .show = ShowDiskBlockLink},
    {.path = "class/block/vd@", .mode = kLink, .show = ShowDiskLink},
    {.path = "class/mem/full", .mode = kLink, .constant = "../../devices/virtual/mem/full"},
    {.path = "class/mem/kmsg", .mode = kLink, .constant = "../../devices/virtual/mem/kmsg"},
    {.path = "class/mem/null", .mode = kLink, .constant = "../../devices/virtual/mem/null"},
    {.path = "class/mem/random", .mode = kLink, .constant = "../../devices/virtual/mem/random"},
    {.path = "class/mem/urandom", .mode = kLink, .constant = "../../devices/virtual/mem/urandom"},
    {.path = "class/mem/zero", .mode = kLink, .constant = "../../devices/virtual/mem/zero"},
    {.path = "class/tty/console", .mode = kLink, .constant = "../../devices/virtual/tty/console"},
    {.path = "class/tty/ptmx", .mode = kLink, .constant = "../../devices/virtual/tty/ptmx"},
    {.path = "class/tty/tty", .mode = kLink, .constant = "../../devices/virtual/tty/tty"},
    {.path = "dev/block/%", .mode = kLink, .show = ShowDiskLink},
    {.path = "dev/char/1:3", .mode = kLink, .constant = "../../devices/virtual/mem/null"},
    {.path = "dev/char/1:5", .mode = kLink, .constant = "../../devices/virtual/mem/zero"},
    {.path = "dev/char/1:7", .mode = kLink, .constant = "../../devices/virtual/mem/full"},
    {.path = "dev/char/1:8", .mode = kLink, .constant = "../../devices/virtual/mem/random"},
    {.path = "dev/char/1:9", .mode = kLink, .constant = "../../devices/virtual/mem/urandom"},
    {.path = "dev/char/1:11", .mode = kLink, .constant = "../../devices/virtual/mem/kmsg"},
    {.path = "dev/char/5:0", .mode = kLink, .constant = "../../devices/virtual/tty/tty"},
    {.path = "dev/char/5:1", .mode = kLink, .constant = "../../devices/virtual/tty/console"},
    {.path = "dev/char/5:2", .mode = kLink, .constant = "../../devices/virtual/tty/ptmx"},
    {.path = "devices/system/cpu/cpu#/topology/core_cpus", .show = ShowMap<Near::kSameCore>},
    {.path = "devices/system/cpu/cpu#/topology/core_cpus_list", .show = ShowList<Near::kSameCore>},
    {.path = "devices/system/cpu/cpu#/topology/core_id", .show = ShowCore},
    {.path = "devices/system/cpu/cpu#/topology/core_siblings", .show = ShowMap<Near::kSamePackage>},
    {.path = "devices/system/cpu/cpu#/topology/core_siblings_list",
     .show = ShowList<Near::kSamePackage>},
    {.path = "devices/system/cpu/cpu#/topology/package_cpus", .show = ShowMap<Near::kSamePackage>},
    {.path = "devices/system/cpu/cpu#/topology/package_cpus_list",
     .show = ShowList<Near::kSamePackage>},
    {.path = "devices/system/cpu/cpu#/topology/physical_package_id", .show = ShowPackage},
    {.path = "devices/system/cpu/cpu#/topology/thread_siblings", .show = ShowMap<Near::kSameCore>},
    {.path = "devices/system/cpu/cpu#/topology/thread_siblings_list",
     .show = ShowList<Near::kSameCore>},
    {.path = "devices/system/cpu/kernel_max", .constant = "63"},  // affinity has 64 bits
    {.path = "devices/system/cpu/offline", .show = ShowNothing},
    {.path = "devices/system/cpu/online", .show = ShowProcessors},
    {.path = "devices/system/cpu/possible", .show = ShowProcessors},
    {.path = "devices/system/cpu/present", .show = ShowProcessors},
    // All memory is one node's.
    {.path = "devices/system/node/has_cpu", .constant = "0"},
    {.path = "devices/system/node/has_memory", .constant = "0"},
    {.path = "devices/system/node/online", .constant = "0"},
    {.path = "devices/system/node/possible", .constant = "0"},
    {.path = "devices/virtual/block/vd@/dev", .show = ShowDiskNumber},
    {.path = "devices/virtual/block/vd@/ro", .show = ShowDiskReadOnly},
    {.path = "devices/virtual/block/vd@/size", .show = ShowDiskSize},
    {.path = "devices/virtual/block/vd@/uevent", .show = ShowDiskEvent},
    {.path = "devices/virtual/mem/full/dev", .constant = "1:7"},
    {.path = "devices/virtual/mem/full/uevent",
     .constant = "MAJOR=1\nMINOR=7\nDEVNAME=full\nDEVMODE=0666"},
    {.path = "devices/virtual/mem/kmsg/dev", .constant = "1:11"},
    {.path = "devices/virtual/mem/kmsg/uevent",
     .constant = "MAJOR=1\nMINOR=11\nDEVNAME=kmsg\nDEVMODE=0644"},
    {.path = "devices/virtual/mem/null/dev", .constant = "1:3"},
    {.path = "devices/virtual/mem/null/uevent",
     .constant = "MAJOR=1\nMINOR=3\nDEVNAME=null\nDEVMODE=0666"},
    {.path = "devices/virtual/mem/random/dev", .constant = "1:8"},
    {.path = "devices/virtual/mem/random/uevent",
     .constant = "MAJOR=1\nMINOR=8\nDEVNAME=random\nDEVMODE=0666"},
    {.path = "devices/virtual/mem/urandom/dev", .constant = "1:9"},
    {.path = "devices/virtual/mem/urandom/uevent",
     .constant = "MAJOR=1\nMINOR=9\nDEVNAME=urandom\nDEVMODE=0666"},
    {.path = "devices/virtual/mem/zero/dev", .constant = "1:5"},
    {.path = "devices/virtual/mem/zero/uevent",
     .constant = "MAJOR=1\nMINOR=5\nDEVNAME=zero\nDEVMODE=0666"},
    {.path = "devices/virtual/tty/console/dev", .constant = "5:1"},
    {.path = "devices/virtual/tty/console/uevent", .constant = "MAJOR=5\nMINOR=1\nDEVNAME=console"},
    {.path = "devices/virtual/tty/ptmx/dev", .constant = "5:2"},
    {.path = "devices/virtual/tty/ptmx/uevent",
     .constant = "MAJOR=5\nMINOR=2\nDEVNAME=ptmx\nDEVMODE=0666"},
    {.path = "devices/virtual/tty/tty/dev", .constant = "5:0"},
    {.path = "devices/virtual/tty/tty/uevent",
     .constant = "MAJOR=5\nMINOR=0\nDEVNAME=tty\nDEVMODE=0666"},
    // No machine has large pages for programs.
    {.path = "kernel/mm/transparent_hugepage/enabled", .constant = "always madvise [never]"},
    {.path = "kernel/mm/transparent_hugepage/hpage_pmd_size", .constant = "2097152"},
};

}  // namespace

constinit const ProcTable kSysFsEntries = kEntries;

}  // namespace zrun::vfs
