#pragma once
#include <array>
#include <cstdint>

namespace zrun::compat {

// How many threads run, want to, or wait uninterruptibly, averaged over 1, 5 and 15 minutes as
// Linux does it (getloadavg(3), /proc/loadavg): looked at every 5 seconds. in the unit of
// vfs::SystemFacts::load.
void StartLoadAverages();
// One step of them: |active| of what was |average|, both in the same unit. |span|: 0 to 2.
uint64_t NextLoadAverage(uint64_t average, uint64_t active, unsigned span);
std::array<uint64_t, 3> GetLoadAverages();

}  // namespace zrun::compat
