#pragma once
#include <atomic>

#include "vfs/procfs/proc_source.h"

// The files of /proc are lines of tables; everything about one stands in its line.
namespace zrun::vfs {

struct ProcRequest {
  ProcSource& source;
  ProcId id;  // zero for files of no process
};

// A setting that keeps what root writes, within bounds (EINVAL).
struct ProcSetting {
  std::atomic<int64_t> value;
  int64_t least, most;
};

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
  ProcSetting* setting = nullptr;
  // Only for those who may trace the process.
  bool restricted = false;
  // poll(2) may wait for a change. Files of no process always may.
  bool waits = false;
};
using ProcTable = std::span<const ProcEntry>;

extern const ProcTable kSystemEntries;   // of /proc, system_files.cc
extern const ProcTable kSysctlEntries;   // of /proc/sys, sysctl_files.cc
extern const ProcTable kSysFsEntries;    // of /sys, sysfs_files.cc
extern const ProcTable kProcessEntries;  // of /proc/PID and /proc/PID/task/TID, process_files.cc

// process_maps.cc, mount_files.cc
Result<void> ShowMaps(const ProcRequest& request, TextSink& out);
Result<void> ShowSmaps(const ProcRequest& request, TextSink& out);
Result<void> ShowSmapsRollup(const ProcRequest& request, TextSink& out);
Result<void> ShowUnixSockets(const ProcRequest& request, TextSink& out);
Result<void> ShowMounts(const ProcRequest& request, TextSink& out);
Result<void> ShowMountInfo(const ProcRequest& request, TextSink& out);
Result<void> ShowMountStats(const ProcRequest& request, TextSink& out);

}  // namespace zrun::vfs
