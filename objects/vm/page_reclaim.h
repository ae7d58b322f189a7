#pragma once
#include <cstdint>

#include "base/result.h"

// What happens when frames run short. Page caches shrink: pages that are as their source has them
// can be read again. If that is not enough, the personality is asked to end somebody.
namespace zrun {

class VmObject;

// InitPageAllocator() does.
void InitPageReclaim();
// Every object with a source is known here from its making to its end.
void AddPageCache(VmObject& object);
void RemovePageCache(VmObject& object);

// Frees about |bytes|, from the objects in turn: first what nobody has mapped, and of the rest all
// but |kept|. How many bytes were freed; 0 if there is nothing left to take. The caller holds no
// lock.
uint64_t ReclaimPages(uint64_t bytes, uint64_t kept = 0);
// An object's pages that somebody had mapped were taken; a page that was needed was read, and
// |bytes| around it. What comes back at once makes no progress.
void NoteTaken(const VmObject& object, uint64_t begin, uint64_t end);
void NoteRead(const VmObject& object, uint64_t offset, uint64_t bytes);
// What it could free at most.
uint64_t CachedBytes();

// Asks for somebody to be ended. May not block; at most once a second.
void SetMemoryKiller(void (*killer)());
// Called if RamFrames().level() says that there is little, before more is used, and if a request
// has failed. Comes back when there is more, or after a while: false if there is not. The caller
// holds no lock of a VM object or after it.
bool AwaitMemory();

// What |attempt| gives, a Result; tries again if it was short of memory and some has come free.
template <typename Attempt>
auto WithMemory(Attempt attempt) -> decltype(attempt()) {
  auto result = attempt();
  if (!result.ok() && result.error() == Errno::kENOMEM && AwaitMemory()) return attempt();
  return result;
}

}  // namespace zrun
