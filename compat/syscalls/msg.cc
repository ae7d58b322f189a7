// System V message queues: msgget(2), msgop(2), msgctl(2).
#include "compat/syscall_table.h"
#include "compat/sysv_ipc.h"
#include "compat/wait_queue.h"

namespace zrun::compat {
namespace {

enum : int32_t { kStat = 11, kInfo = 12, kStatAny = 13 };
enum : int32_t { kNoError = 010000, kExcept = 020000, kCopy = 040000 };
using vfs::ipc_settings;

struct Message : ListNode<Message> {
  int64_t type = 0;
  Vector<std::byte> bytes;
};

struct Queue final : RefCounted<Queue>, IpcObject {
  ~Queue() {
    while (Message* const message = messages.PopFront()) delete message;
  }
  IntrusiveList<Message, Message> messages;
  uint64_t bytes = 0, count = 0, max_bytes = uint64_t(ipc_settings.msgmnb.get());
  int64_t send_time = 0, receive_time = 0;
  int32_t last_sender = 0, last_receiver = 0;
  bool removed = false;
  WaitQueue senders, receivers;

  bool HasRoom(size_t size) const { return bytes + size <= max_bytes && count < max_bytes; }
};

constinit Queue* g_queue_slots[IpcTable<Queue>::kIndices];
constinit IpcTable<Queue> g_queues(g_queue_slots, ipc_settings.msgmni, ipc_settings.msg_next_id);

// Which message a receiver wants (msgrcv(2)).
struct Choice {
  int64_t type;
  int32_t flags;
};

Message* Choose(Queue& queue, const Choice& choice) {
  Message* best = nullptr;
  int64_t index = 0;
  for (Message& message : queue.messages) {
    if (choice.flags & kCopy) {
      if (index++ == choice.type) return &message;
    } else if (choice.type == 0) {
      return &message;
    } else if (choice.type > 0) {
      if ((message.type == choice.type) != bool(choice.flags & kExcept)) return &message;
    } else if ((choice.type == INT64_MIN || message.type <= -choice.type) &&
               (!best || message.type < best->type)) {
      best = &message;
    }
  }
  return best;
}

// Looks with the table's lock held, again and again; EAGAIN means to sleep on |waiters|. The queue
// may be removed meanwhile. A signal ends it, never to be restarted once it has a handler.
template <typename Look>
SyscallResult WaitOnQueue(Task& task, RefPtr<Queue>& queue, WaitQueue Queue::*waiters, bool nowait,
                          Errno when_not, Look look) {
  WaitQueue::Waiter waiter;
  for (;;) {
    {
      MutexLock lock(g_queues.lock);
      (queue.get()->*waiters).Remove(waiter);
      if (queue->removed) return Errno::kEIDRM;
      SyscallResult result = look(*queue);
      if (result.ok() || result.error() != Errno::kEAGAIN) return result;
      if (nowait) return when_not;
      (queue.get()->*waiters).Add(waiter);
    }
    if (task.ParkFor(hal::Deadline::Never()) != Task::Pause::kInterrupted) continue;
    MutexLock lock(g_queues.lock);
    (queue.get()->*waiters).Remove(waiter);
    return Errno::kRestartNoHand;
  }
}

Result<RefPtr<Queue>> FindQueue(Task& task, int32_t id, uint32_t wanted) {
  const auto credentials = task.credentials();
  MutexLock lock(g_queues.lock);
  RefPtr<Queue> queue(TRY(g_queues.Find(id)));
  TRY(queue->CheckAccess(*credentials, wanted));
  return queue;
}

abi::MsqidDs Describe(const Queue& queue) {
  abi::MsqidDs out = {};
  out.perm = queue.ToPerm();
  out.stime = queue.send_time;
  out.rtime = queue.receive_time;
  out.ctime = queue.change_time;
  out.bytes = queue.bytes;
  out.count = queue.count;
  out.max_bytes = queue.max_bytes;
  out.last_sender = queue.last_sender;
  out.last_receiver = queue.last_receiver;
  return out;
}

SyscallResult TellLimits(Task& task, int32_t command, UserAddr argument) {
  const auto bytes = int32_t(ipc_settings.msgmnb.get());
  const auto queues = int32_t(ipc_settings.msgmni.get());
  abi::MsgInfo out = {.pool = int32_t(int64_t{queues} * bytes / 1024),
                      .map = bytes,
                      .max_size = int32_t(ipc_settings.msgmax.get()),
                      .max_bytes = bytes,
                      .queues = queues,
                      .segment_size = 16,
                      .headers = bytes,
                      .segments = 0xffff,
                      .padding = 0};
  int32_t highest;
  {
    MutexLock lock(g_queues.lock);
    highest = g_queues.highest();
    if (command == kInfo) {
      out.pool = g_queues.count();
      out.map = out.headers = 0;
      g_queues.ForEach([&](Queue& queue) {
        out.map += int32_t(queue.count);
        out.headers += int32_t(queue.bytes);
      });
    }
  }
  TRY(task.memory().Write(UserPtr<abi::MsgInfo>(argument.address), out));
  return uint64_t(highest);
}

SyscallResult ChangeQueue(Task& task, int32_t id, UserAddr argument) {
  const auto wanted = TRY(task.memory().Read(UserPtr<const abi::MsqidDs>(argument.address)));
  const auto credentials = task.credentials();
  MutexLock lock(g_queues.lock);
  Queue& queue = *TRY(g_queues.Find(id));
  TRY(queue.CheckOwner(*credentials));
  if (wanted.max_bytes > uint64_t(ipc_settings.msgmnb.get()) &&
      !credentials->Has(vfs::Capability::kSysResource))
    return Errno::kEPERM;
  TRY(queue.Change(wanted.perm));
  queue.max_bytes = wanted.max_bytes;
  // Both sides may find another answer.
  queue.senders.WakeAll();
  queue.receivers.WakeAll();
  return 0;
}

SyscallResult RemoveQueue(Task& task, int32_t id) {
  const auto credentials = task.credentials();
  MutexLock lock(g_queues.lock);
  RefPtr<Queue> queue(TRY(g_queues.Find(id)));
  TRY(queue->CheckOwner(*credentials));
  queue->removed = true;
  queue->senders.WakeAll();
  queue->receivers.WakeAll();
  g_queues.Remove(*queue);
  return 0;
}

}  // namespace

SyscallResult sys_msgget(Task& task, int32_t key, int32_t flags) {
  return GetIpc(
      task, g_queues, key, flags, [](Queue&) -> Result<void> { return {}; },
      []() { return MakeRef<Queue>(); });
}

SyscallResult sys_msgsnd(Task& task, int32_t id, UserAddr message, uint64_t size, int32_t flags) {
  const int64_t type = TRY(task.memory().Read(UserPtr<const int64_t>(message.address)));
  if (size > uint64_t(ipc_settings.msgmax.get()) || id < 0 || type < 1) return Errno::kEINVAL;
  auto made = TRY(MakeOwned<Message>());
  made->type = type;
  TRY(made->bytes.Resize(size));
  TRY(task.memory().ReadAll(made->bytes, UserPtr<const std::byte>(message.address + sizeof type)));
  auto queue = TRY(FindQueue(task, id, kIpcWrite));
  return WaitOnQueue(task, queue, &Queue::senders, flags & kIpcNoWait, Errno::kEAGAIN,
                     [&](Queue& to) -> SyscallResult {
                       if (!to.HasRoom(size)) return Errno::kEAGAIN;
                       to.messages.PushBack(*made.release());
                       to.bytes += size;
                       to.count++;
                       to.send_time = IpcNow();
                       to.last_sender = task.group().pid();
                       to.receivers.WakeAll();
                       return 0;
                     });
}

SyscallResult sys_msgrcv(Task& task, int32_t id, UserAddr message, uint64_t size, int64_t type,
                         int32_t flags) {
  if (id < 0 || int64_t(size) < 0) return Errno::kEINVAL;
  if ((flags & kCopy) && ((flags & kExcept) || !(flags & kIpcNoWait))) return Errno::kEINVAL;
  auto queue = TRY(FindQueue(task, id, kIpcRead));
  OwnPtr<Message> taken;
  TRY(WaitOnQueue(task, queue, &Queue::receivers, flags & kIpcNoWait, Errno::kENOMSG,
                  [&](Queue& from) -> SyscallResult {
                    Message* const found = Choose(from, {type, flags});
                    if (!found) return Errno::kEAGAIN;
                    if (found->bytes.size() > size) {
                      if (!(flags & kNoError)) return Errno::kE2BIG;
                      if (flags & kCopy) return Errno::kEINVAL;
                    }
                    if (flags & kCopy) {
                      taken = TRY(MakeOwned<Message>());
                      taken->type = found->type;
                      TRY(taken->bytes.Append(found->bytes));
                      return 0;
                    }
                    from.messages.Remove(*found);
                    taken.reset(found);
                    from.bytes -= found->bytes.size();
                    from.count--;
                    from.receive_time = IpcNow();
                    from.last_receiver = task.group().pid();
                    from.senders.WakeAll();
                    return 0;
                  }));
  const size_t given = std::min<size_t>(taken->bytes.size(), size);
  TRY(task.memory().Write(UserPtr<int64_t>(message.address), taken->type));
  TRY(task.memory().WriteAll(UserPtr<std::byte>(message.address + sizeof taken->type),
                             std::span<const std::byte>(taken->bytes).first(given)));
  return given;
}

SyscallResult sys_msgctl(Task& task, int32_t id, int32_t command, UserAddr argument) {
  if (id < 0) return Errno::kEINVAL;
  switch (command) {
    case kIpcInfo:
    case kInfo:
      return TellLimits(task, command, argument);
    case kIpcStat:
    case kStat:
    case kStatAny:
      return StatIpc(task, g_queues, id, command != kIpcStat, command == kStatAny, Describe,
                     argument);
    case kIpcSet:
      return ChangeQueue(task, id, argument);
    case kIpcRemove:
      return RemoveQueue(task, id);
    default:
      return Errno::kEINVAL;
  }
}

void ShowMessageQueues(TextSink& out) {
  out.Append(
      "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid"
      "      stime      rtime      ctime\n");
  MutexLock lock(g_queues.lock);
  g_queues.ForEach([&](Queue& queue) {
    const TextBuffer<12> mode(Octal{queue.mode});
    Write(out, Pad{int64_t(queue.key), 10}, ' ', Pad{int64_t(queue.id), 10}, "  ",
          PadText{mode.view(), 4}, "  ", Pad{int64_t(queue.bytes), 10}, ' ',
          Pad{int64_t(queue.count), 10}, ' ', Pad{int64_t(queue.last_sender), 5}, ' ',
          Pad{int64_t(queue.last_receiver), 5}, ' ', Pad{int64_t(queue.uid), 5}, ' ',
          Pad{int64_t(queue.gid), 5}, ' ', Pad{int64_t(queue.cuid), 5}, ' ',
          Pad{int64_t(queue.cgid), 5}, ' ', Pad{int64_t(queue.send_time), 10}, ' ',
          Pad{int64_t(queue.receive_time), 10}, ' ', Pad{int64_t(queue.change_time), 10}, '\n');
  });
}

}  // namespace zrun::compat
