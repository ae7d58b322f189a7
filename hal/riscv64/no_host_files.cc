// A machine without a host's directories.
#include "hal/host_files.h"

namespace zrun::hal {

bool GetHostVolume(unsigned, HostVolume&) { return false; }
Result<HostNode> HostLookup(HostNode, std::string_view) { return Errno::kENOSYS; }
Result<HostAttributes> HostGetAttributes(HostNode) { return Errno::kENOSYS; }
Result<void> HostSetAttributes(HostNode, const HostAttributeChange&) { return Errno::kENOSYS; }
Result<HostNode> HostCreate(HostNode, std::string_view, uint32_t) { return Errno::kENOSYS; }
Result<void> HostSymlink(HostNode, std::string_view, std::string_view) { return Errno::kENOSYS; }
Result<void> HostLink(HostNode, std::string_view, HostNode) { return Errno::kENOSYS; }
Result<void> HostUnlink(HostNode, std::string_view, bool) { return Errno::kENOSYS; }
Result<void> HostRename(HostNode, std::string_view, HostNode, std::string_view, uint32_t) {
  return Errno::kENOSYS;
}
Result<size_t> HostReadLink(HostNode, std::span<char>) { return Errno::kENOSYS; }
Result<HostStatFs> HostGetStatFs(HostNode) { return Errno::kENOSYS; }
void HostClose(HostNode) {}
Result<HostNode> HostOpen(HostNode, bool) { return Errno::kENOSYS; }
Result<size_t> HostRead(HostNode, uint64_t, std::span<std::byte>) { return Errno::kENOSYS; }
Result<size_t> HostWrite(HostNode, uint64_t, std::span<const std::byte>) { return Errno::kENOSYS; }
Result<size_t> HostReadToUser(HostNode, uint64_t, vaddr_t, size_t) { return Errno::kENOSYS; }
Result<size_t> HostWriteFromUser(HostNode, uint64_t, vaddr_t, size_t) { return Errno::kENOSYS; }
Result<void> HostTruncate(HostNode, uint64_t) { return Errno::kENOSYS; }
Result<void> HostSync(HostNode, bool) { return Errno::kENOSYS; }
Result<void> HostAllocate(HostNode, uint32_t, uint64_t, uint64_t) { return Errno::kENOSYS; }
Result<uint64_t> HostSeek(HostNode, uint64_t, int) { return Errno::kENOSYS; }
Result<void> HostLockBytes(HostNode, const HostLockRange&) { return Errno::kENOSYS; }
Result<void> HostLockFile(HostNode, HostLockKind) { return Errno::kENOSYS; }
Result<HostLockConflict> HostFindLock(HostNode, const HostLockRange&) { return Errno::kENOSYS; }
Result<size_t> HostReadDirectory(HostNode, uint64_t&, std::span<std::byte>) {
  return Errno::kENOSYS;
}
Result<int32_t> HostWatch(HostNode, uint32_t) { return Errno::kENOSYS; }
void HostUnwatch(int32_t) {}
void HostSettle() {}
Result<size_t> HostReadChanges(std::span<std::byte>) { return size_t{0}; }
Result<PhysRange> HostFileBank(HostNode) { return Errno::kENOSYS; }

}  // namespace zrun::hal
