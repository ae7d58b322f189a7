#pragma once

namespace zrun::compat {

// Tells terminals about processes (vfs/tty/job_control.h). Once, while booting.
void InstallJobControl();

}  // namespace zrun::compat
