#pragma once
#include "vfs/path.h"

namespace zrun::vfs {

class Pty;
inline constexpr uint64_t kPtmxDevice = MakeDevice(5, 2);

// The mount options of devpts, which all its mounts share: uid=, gid=, mode=, ptmxmode=.
struct DevPtsOptions {
  bool has_uid = false, has_gid = false;
  uint32_t uid = 0, gid = 0;
  uint32_t mode = 0600, ptmx_mode = 0;
};
DevPtsOptions GetDevPtsOptions();
// Where the slave of |pty| is said to be: beside the ptmx that |master| was opened at, or in the
// directory pts beside that.
Result<Path> DevPtsPath(const Path& master, Pty& pty);

}  // namespace zrun::vfs
