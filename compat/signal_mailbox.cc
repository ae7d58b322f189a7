#include "compat/signal_mailbox.h"

#include "hal/parking.h"
#include "hal/thread.h"
#include "objects/sync/made_once.h"

namespace zrun::compat {

namespace internal {
constinit std::atomic<uint32_t> posted_items{0};
}  // namespace internal

namespace {

// Everything there is one of. No lock is taken while its own is held.
struct Mailbox {
  Mutex lock{LockRank::kLeaf};
  IntrusiveList<MailboxItem> queue GUARDED_BY(lock);  // each holds a reference
  bool started GUARDED_BY(lock) = false;
  std::atomic<uint32_t> postings{0};
};

constinit MadeOnce<Mailbox> g_mailbox;

RefPtr<MailboxItem> TakePosted(Mailbox& box) {
  MutexLock lock(box.lock);
  MailboxItem* const item = box.queue.PopFront();
  if (item) internal::posted_items.fetch_sub(1, std::memory_order_relaxed);
  return RefPtr<MailboxItem>::Adopt(item);
}

void SenderMain(void*) {
  Mailbox& box = g_mailbox.Get();
  for (;;) {
    const uint32_t seen = box.postings.load(std::memory_order_acquire);
    if (const auto item = TakePosted(box)) {
      item->Deliver();
    } else {
      hal::WaitOnWord(box.postings, seen, hal::Deadline::Never());
    }
  }
}

}  // namespace

Result<void> StartMailbox() {
  Mailbox& box = g_mailbox.Get();
  {
    MutexLock lock(box.lock);
    if (std::exchange(box.started, true)) return {};
  }
  if (auto started = hal::StartThread(nullptr, {SenderMain, nullptr}); !started.ok()) {
    MutexLock lock(box.lock);
    box.started = false;
    return started.error();
  }
  return {};
}

void Post(MailboxItem& item) {
  Mailbox& box = g_mailbox.Get();
  MutexLock lock(box.lock);
  if (item.is_linked()) return;
  item.AddRef();
  box.queue.PushBack(item);
  internal::posted_items.fetch_add(1, std::memory_order_relaxed);
  box.postings.fetch_add(1, std::memory_order_release);
  hal::WakeWord(box.postings, 1);
}

namespace internal {
void DeliverPostedSlow() {
  Mailbox& box = g_mailbox.Get();
  while (const auto item = TakePosted(box)) item->Deliver();
}
}  // namespace internal

}  // namespace zrun::compat
