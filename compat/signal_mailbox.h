#pragma once
#include "base/intrusive_list.h"
#include "base/ref_ptr.h"
#include "objects/sync/mutex.h"

// Signals that come up where none can be sent, with locks held that come after those of sending.
// Who ends a system call next sends them, or a kernel thread does, whoever is first.
namespace zrun::compat {

class MailboxItem : public RefCounted<MailboxItem>, public ListNode<> {
 public:
  virtual ~MailboxItem() = default;
  // Called with no lock held; once for all that was posted since the last time.
  virtual void Deliver() = 0;
};

// Before anything is posted: the thread. ENOMEM, EAGAIN.
Result<void> StartMailbox();
// May be called with any lock but leaves held. Keeps |item| until it is delivered.
void Post(MailboxItem& item);
namespace internal {
extern std::atomic<uint32_t> posted_items;
void DeliverPostedSlow();
}  // namespace internal
// No lock held.
inline void DeliverPosted() {
  if (internal::posted_items.load(std::memory_order_relaxed) != 0) [[unlikely]]
    internal::DeliverPostedSlow();
}

}  // namespace zrun::compat
