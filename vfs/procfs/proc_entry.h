#pragma once
#include "vfs/procfs/proc_source.h"
#include "vfs/setting.h"

// The files of /proc are lines of tables; everything about one stands in its line.
namespace zrun::vfs {

struct ProcRequest {
  ProcSource& source;
  ProcId id;  // zero for files of no process
};

// A path's component with one of these marks at its end stands for many: there is one for each
// processor or disk, and ProcRequest's |id.tid| is one more than its index.
inline constexpr char kEachCpu = '#';         // "cpu#": cpu0, cpu1 ...
inline constexpr char kEachDisk = '@';        // "vd@": vda, vdb ...
inline constexpr char kEachDiskNumber = '%';  // "%": 254:0, 254:16 ...

struct ProcEntry {
  // Relative to the table's directory; "a/b" makes the directory a.
  std::string_view path;
  uint32_t mode = kModeRegular | 0444;
  // Writes the contents. If null, they are |constant| and a newline.
  Result<void> (*show)(const ProcRequest& request, TextSink& out) = nullptr;
  std::string_view constant = {};
  // write(2): the text without its newline.
  Result<void> (*store)(const ProcRequest& request, std::string_view text) = nullptr;
  // Links: the place itself (then the text is its name), or only a text.
  Result<Path> (*follow)(const ProcRequest& request) = nullptr;
  // In place of |show| and |store|: a number.
  Setting* setting = nullptr;
  // Only for those who may trace the process.
  bool restricted = false;
  // What poll(2) tells of (POLLPRI, POLLERR) each time that it changes. Only files that have this,
  // or belong to no process, can be waited for at all.
  RefPtr<ChangeNotice> (*changes)(const ProcRequest& request) = nullptr;
  Result<uint64_t> (*ioctl)(const ProcRequest& request, uint32_t command, uint64_t argument,
                            UserMemory& memory) = nullptr;
};
using ProcTable = std::span<const ProcEntry>;

extern const ProcTable kSystemEntries;   // of /proc, system_files.cc
extern const ProcTable kSysctlEntries;   // of /proc/sys, sysctl_files.cc
extern const ProcTable kSysFsEntries;    // of /sys, sysfs_files.cc
extern const ProcTable kProcessEntries;  // of /proc/PID and /proc/PID/task/TID, process_files.cc

// proc_entry.cc: "0-3,7" for a set of processors.
void WriteRanges(TextSink& out, uint64_t set);
// process_maps.cc, socket_files.cc, mount_files.cc
Result<void> ShowMaps(const ProcRequest& request, TextSink& out);
Result<void> ShowSmaps(const ProcRequest& request, TextSink& out);
Result<void> ShowSmapsRollup(const ProcRequest& request, TextSink& out);
Result<void> ShowUnixSockets(const ProcRequest& request, TextSink& out);
Result<void> ShowMounts(const ProcRequest& request, TextSink& out);
Result<void> ShowMountInfo(const ProcRequest& request, TextSink& out);
Result<void> ShowMountStats(const ProcRequest& request, TextSink& out);
RefPtr<ChangeNotice> MountChanges(const ProcRequest& request);
Result<uint64_t> QueryMaps(const ProcRequest& request, uint32_t command, uint64_t argument,
                           UserMemory& memory);
// lock_files.cc
Result<void> ShowLocks(const ProcRequest& request, TextSink& out);
// Those that were taken through |file|.
Result<void> ShowLocksOf(FileDescription& file, TextSink& out);

}  // namespace zrun::vfs
