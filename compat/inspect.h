#pragma once
#include "compat/task.h"

namespace zrun::compat {

// Looking into other processes, as debuggers do.

// The task of number |tid|, be it one that has ended and nobody has waited for: ESRCH.
Result<RefPtr<Task>> FindTask(int32_t tid);
// ptrace(2), "Ptrace access mode checking", with the caller's real ids.
bool MayInspect(Task& task, Task& target);

// Copies between |bytes| and memory of another task's address space: how many bytes, fewer where
// that has a hole (EFAULT if none). A thread of the other process does it, woken if need be. ESRCH
// when it is gone.
Result<size_t> ReadMemoryOf(Task& task, Task& target, uint64_t address, std::span<std::byte> bytes);
Result<size_t> WriteMemoryOf(Task& task, Task& target, uint64_t address,
                             std::span<const std::byte> bytes);

// The same for mincore(2).
Result<void> ResidencyOf(Task& task, Task& target, hal::VirtRange range, std::span<uint8_t> out);

}  // namespace zrun::compat
