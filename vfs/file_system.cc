#include "vfs/file_system.h"

namespace zrun::vfs {
namespace {

constinit std::atomic<uint32_t> next_device{1};

}  // namespace

// Anonymous devices have major number 0, as on Linux.
FileSystem::FileSystem()
    : device_(MakeDevice(0, next_device.fetch_add(1, std::memory_order_relaxed))) {}

}  // namespace zrun::vfs
