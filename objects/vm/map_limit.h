#pragma once
#include <atomic>
#include <cstdint>

namespace zrun {

// How many mappings an address space may have (vm.max_map_count): ENOMEM beyond that.
inline constexpr uint32_t kUsualMaxMappings = 65530;
extern std::atomic<uint32_t> max_mappings;

}  // namespace zrun
