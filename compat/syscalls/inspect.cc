// Other processes' memory and what they share: process_vm_readv(2), process_madvise(2), kcmp(2).
#include "compat/inspect.h"

#include "compat/pidfd.h"
#include "compat/syscall_table.h"
#include "compat/user_buffer.h"
#include "objects/vm/linux_memory.h"

namespace zrun::compat {
namespace {

constexpr size_t kPiece = 64 << 10;

// Moves what |local| has room for or holds, piece by piece, until a hole on either side.
template <typename Local, typename Move>
SyscallResult ForEachPiece(Local& local, std::span<const abi::Iovec> remote, Move move) {
  Vector<std::byte> buffer;
  TRY(buffer.Resize(std::min(local.remaining(), kPiece)));
  size_t total = 0;
  for (const abi::Iovec& part : remote) {
    for (uint64_t done = 0; done < part.length && local.remaining() != 0;) {
      const size_t wanted =
          std::min({size_t(part.length - done), local.remaining(), buffer.size()});
      const Result<size_t> moved =
          move(part.base + done, std::span<std::byte>(buffer).first(wanted));
      if (!moved.ok() && total == 0) return moved.error();
      if (!moved.ok()) return total;
      total += moved.value();
      done += moved.value();
      if (moved.value() < wanted) return total;
    }
  }
  return total;
}

struct Transfer {
  RefPtr<Task> target;
  Vector<abi::Iovec> local, remote;
};

Result<Transfer> PrepareTransfer(Task& task, int32_t pid, UserPtr<const abi::Iovec> local,
                                 uint64_t local_count, UserPtr<const abi::Iovec> remote,
                                 uint64_t remote_count, uint64_t flags) {
  if (flags != 0) return Errno::kEINVAL;
  Transfer transfer;
  transfer.local = TRY(ReadIovecs(task.memory(), local, local_count));
  transfer.remote = TRY(ReadForeignIovecs(task.memory(), remote, remote_count));
  if (local_count == 0 || remote_count == 0) return transfer;
  transfer.target = TRY(FindTask(pid));
  if (!MayInspect(task, *transfer.target)) return Errno::kEPERM;
  return transfer;
}

}  // namespace

SyscallResult sys_process_vm_readv(Task& task, int32_t pid, UserPtr<const abi::Iovec> local,
                                   uint64_t local_count, UserPtr<const abi::Iovec> remote,
                                   uint64_t remote_count, uint64_t flags) {
  const Transfer transfer =
      TRY(PrepareTransfer(task, pid, local, local_count, remote, remote_count, flags));
  if (!transfer.target) return 0;
  UserSink sink(task.memory(), transfer.local);
  return ForEachPiece(
      sink, transfer.remote, [&](uint64_t address, std::span<std::byte> buffer) -> Result<size_t> {
        const size_t got = TRY(ReadMemoryOf(task, *transfer.target, address, buffer));
        return sink.Put(buffer.first(got));
      });
}

SyscallResult sys_process_vm_writev(Task& task, int32_t pid, UserPtr<const abi::Iovec> local,
                                    uint64_t local_count, UserPtr<const abi::Iovec> remote,
                                    uint64_t remote_count, uint64_t flags) {
  const Transfer transfer =
      TRY(PrepareTransfer(task, pid, local, local_count, remote, remote_count, flags));
  if (!transfer.target) return 0;
  UserSource source(task.memory(), transfer.local);
  return ForEachPiece(source, transfer.remote,
                      [&](uint64_t address, std::span<std::byte> buffer) -> Result<size_t> {
                        const size_t got = TRY(source.Take(buffer));
                        return WriteMemoryOf(task, *transfer.target, address, buffer.first(got));
                      });
}

// The advice there is for others' memory is all about when pages are kept, which is the machine's
// business: what is left is to check.
SyscallResult sys_process_madvise(Task& task, Fd fd, UserPtr<const abi::Iovec> vectors,
                                  uint64_t count, int32_t advice, uint32_t flags) {
  if (flags != 0) return Errno::kEINVAL;
  const auto ranges = TRY(ReadIovecs(task.memory(), vectors, count));
  const auto file = TRY(task.fds().Get(fd));
  const auto pid_fd = AsPidFd(*file);
  if (!pid_fd) return Errno::kEBADF;
  const auto target = pid_fd->Get();
  if (!target || pid_fd->thread() || !target->ShareMemoryContext()) return Errno::kESRCH;
  if (advice != kAdviseCold && advice != kAdvisePageOut && advice != kAdviseWillNeed &&
      advice != kAdviseCollapse)
    return Errno::kEINVAL;
  if (!MayInspect(task, *target) || !task.Has(vfs::Capability::kSysNice)) return Errno::kEPERM;
  uint64_t total = 0;
  for (const abi::Iovec& range : ranges) {
    if (range.base & hal::kPageMask) return Errno::kEINVAL;
    total += range.length;
  }
  return total;
}

SyscallResult sys_kcmp(Task& task, int32_t pid1, int32_t pid2, int32_t type, uint64_t index1,
                       uint64_t index2) {
  enum { kFile, kMemory, kFiles, kFs, kHandlers, kIo, kSemaphores, kEpollTarget };
  const auto first = TRY(FindTask(pid1)), second = TRY(FindTask(pid2));
  if (!MayInspect(task, *first) || !MayInspect(task, *second)) return Errno::kEPERM;
  // The order of two different things need only stay the same.
  const auto compare = [](const void* a, const void* b) -> SyscallResult {
    return a == b ? 0 : a < b ? 1 : 2;
  };
  switch (type) {
    case kFile: {
      const auto fds1 = first->ShareFds(), fds2 = second->ShareFds();
      if (!fds1 || !fds2) return Errno::kEBADF;
      const auto file1 = TRY(fds1->Get(Fd{int32_t(index1)}, Rights::kNone, true));
      const auto file2 = TRY(fds2->Get(Fd{int32_t(index2)}, Rights::kNone, true));
      return compare(file1.get(), file2.get());
    }
    case kMemory:
      return compare(first->ShareMemoryContext().get(), second->ShareMemoryContext().get());
    case kFiles:
      return compare(first->ShareFds().get(), second->ShareFds().get());
    case kFs:
      return compare(first->ShareFs().get(), second->ShareFs().get());
    case kHandlers:
      return compare(first->group().actions.get(), second->group().actions.get());
    case kIo:  // there once it has been given a priority of its own
      return compare(first->io_priority ? first.get() : nullptr,
                     second->io_priority ? second.get() : nullptr);
    case kSemaphores:  // there once something is to be undone
      return compare(first->group().undoes_semaphores ? &first->group() : nullptr,
                     second->group().undoes_semaphores ? &second->group() : nullptr);
    case kEpollTarget:
      return Errno::kEOPNOTSUPP;
    default:
      return Errno::kEINVAL;
  }
}

}  // namespace zrun::compat
