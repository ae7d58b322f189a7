#pragma once
#include <span>

#include "base/ref_ptr.h"
#include "hal/memory.h"

namespace zrun::hal {

// Where guests may map: everything else belongs to the kernel.
struct UserLayout {
  vaddr_t lowest;       // mmap_min_addr
  vaddr_t highest;      // end of the guest's range (exclusive)
  VirtRange reserved;   // a hole in it that is the kernel's (trap), or empty
  VirtRange vdso;       // the machine's own vDSO incl. its data pages (trap: the host's), or empty
  vaddr_t vdso_header;  // AT_SYSINFO_EHDR; 0 if none
  // Code that calls rt_sigreturn, where signal handlers return to; 0 where programs bring their own
  // (SA_RESTORER).
  vaddr_t sigreturn = 0;
};
const UserLayout& GetUserLayout();

// Translations of one guest address space: a dumb cache of the VmAddressRegion above it. It never
// allocates frames, decides policy or takes a kernel lock. Ranges are page aligned and inside the
// user layout. Any thread may call it: a machine on which only the space's own threads can change
// it (trap) queues the work, kicks threads that run guest code, and does it before they touch user
// memory again.
class AddressSpace : public RefCounted<AddressSpace> {
 public:
  virtual ~AddressSpace() = default;
  // Maps |frames|, in order, from |base|; replaces what was there. Writes reach the frames.
  virtual Result<void> MapShared(vaddr_t base, std::span<const PhysRange> frames,
                                 Access access) = 0;
  // Ahead of use: the same, but only where nothing is mapped and where it is cheap. |access| is
  // without kWrite.
  virtual Result<void> MapMissing(vaddr_t, std::span<const PhysRange>, Access) { return {}; }
  // Ahead of use: what |other| maps in |range| is mapped here too, where this space, which no
  // thread has run yet, maps nothing.
  virtual Result<void> CopyFrom(AddressSpace&, VirtRange) { return {}; }
  virtual Result<void> Protect(VirtRange range, Access access) = 0;
  virtual Result<void> Unmap(VirtRange range) = 0;
  // Everything of the guest's (execve).
  virtual Result<void> UnmapAll() = 0;
};

// An empty address space. On the trap machine it comes with a host process in which the first
// thread started in it will run.
Result<RefPtr<AddressSpace>> CreateAddressSpace();

}  // namespace zrun::hal
