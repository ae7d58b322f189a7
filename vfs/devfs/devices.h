#pragma once
#include "vfs/file_description.h"

namespace zrun::vfs {

// open(2) of a character special file, wherever its node is: by number
// (Documentation/admin-guide/devices.txt). ENXIO if there is no such device.
Result<RefPtr<FileDescription>> OpenCharDevice(const Path& path, uint64_t rdev, OpenFlags flags);

// /dev: a tmpfs with the usual nodes, links and the directories pts, shm and mqueue in it. For
// vfs/registry.cc, as "devtmpfs".
Result<RefPtr<FileSystem>> MountDevFs(std::string_view source, std::string_view options);
// /dev/pts, as "devpts": a new, empty instance each time.
Result<RefPtr<FileSystem>> MountDevPts(std::string_view source, std::string_view options);

}  // namespace zrun::vfs
