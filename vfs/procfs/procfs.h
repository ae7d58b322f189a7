#pragma once
#include "vfs/procfs/proc_source.h"

namespace zrun::vfs {

// Once, while booting, before anything in /proc is looked at.
void SetProcSource(ProcSource* source);
// For vfs/registry.cc, as "proc". ENODEV before there is a source.
Result<RefPtr<FileSystem>> MountProcFs(std::string_view source, std::string_view options);
// The number of the process, or thread, whose directory below /proc |file| has open; 0: none.
int32_t ProcessOfDirectory(const FileDescription& file);
// "sysfs": the few files of /sys that C libraries and language runtimes read.
Result<RefPtr<FileSystem>> MountSysFs(std::string_view source, std::string_view options);

}  // namespace zrun::vfs
