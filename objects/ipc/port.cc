#include "objects/ipc/port.h"

#include "objects/wait.h"

namespace zrun {

class Port::Entry final : public RefCounted<Entry>,
                          public TreeNode<>,
                          public ListNode<ReadyTag>,
                          public SignalObserver {
 public:
  Entry(Port& owner, RefPtr<KernelObject> observed, uint64_t number)
      : port(owner), object(std::move(observed)), key(number) {}
  void OnSignals(Signals) override { port.Queue(*this); }
  // A port on which nobody waits cannot answer for the others: whoever reads it may be about to
  // end.
  bool OnExclusiveSignals(Signals) override { return port.Queue(*this); }
  void OnClosed() override;
  // In the list of those that are ready, or closed.
  bool is_ready() const { return static_cast<const ListNode<ReadyTag>&>(*this).is_linked(); }
  void SetExclusive(bool exclusive) { set_exclusive(exclusive); }

  Port& port;
  const RefPtr<KernelObject> object;
  const uint64_t key;
  // Guarded by the port's ready lock.
  Signals wanted = Signals::kNone;
  PortMode mode = PortMode::kLevel;
  uint64_t cookie = 0;
  uint32_t tag = 0;
  bool armed = true;     // not a one-shot that has fired
  bool gone = false;     // removed, or its object closed
  uint64_t harvest = 0;  // the last that has looked at it
};

Port::Name Port::Traits::KeyOf(const Entry& entry) { return {entry.object.get(), entry.key}; }

// With the object's signal lock held.
void Port::Entry::OnClosed() {
  MutexLock lock(port.ready_lock_);
  if (gone) return;
  gone = true;
  if (is_ready()) port.ready_.Remove(*this);
  port.closed_.PushBack(*this);
}

Port::Port() : KernelObject(kType) {}
Port::~Port() { RemoveAll(); }
Result<RefPtr<Port>> Port::Create() { return MakeRef<Port>(); }

// ---- Who is observed

Result<void> Port::Add(RefPtr<KernelObject> object, uint64_t key, Signals wanted, PortMode mode,
                       uint64_t cookie, uint32_t tag) {
  DropClosed();
  KernelObject* const observed = object.get();
  RefPtr<Entry> entry = TRY(MakeRef<Entry>(*this, std::move(object), key));
  wanted |= Signals::kError | Signals::kPeerClosed;
  entry->wanted = wanted;
  entry->mode = mode;
  entry->cookie = cookie;
  entry->tag = tag;
  {
    MutexLock lock(lock_);
    if (entries_.Find(Name{observed, key})) return Errno::kEEXIST;
    entries_.Insert(*entry);
    entry->AddRef();
    // Under the lock: whoever removes the entry finds it observing.
    entry->SetExclusive(HasAny(mode, PortMode::kExclusive));
    observed->AddObserverUnchecked(*entry, wanted);
  }
  Observe(*entry, wanted);
  return {};
}

// An entry that is new or changed: it may have something to tell already. Objects may need locks to
// say so.
void Port::Observe(Entry& entry, Signals wanted) {
  if (HasAny(entry.object->signals(), wanted)) Queue(entry);
}

Result<RefPtr<Port::Entry>> Port::Find(const KernelObject& object, uint64_t key) {
  MutexLock lock(lock_);
  Entry* entry = entries_.Find(Name{&object, key});
  if (!entry) return Errno::kENOENT;
  return RefPtr<Entry>(entry);
}

Result<void> Port::Modify(const KernelObject& object, uint64_t key, Signals wanted, PortMode mode,
                          uint64_t cookie, uint32_t tag) {
  DropClosed();
  wanted |= Signals::kError | Signals::kPeerClosed;
  RefPtr<Entry> entry;
  {
    MutexLock lock(lock_);
    entry = RefPtr<Entry>(entries_.Find(Name{&object, key}));
    if (!entry) return Errno::kENOENT;
    entry->object->RemoveObserver(*entry);
    {
      MutexLock ready_lock(ready_lock_);
      entry->wanted = wanted;
      entry->mode = mode;
      entry->cookie = cookie;
      entry->tag = tag;
      entry->armed = true;
      if (entry->is_ready()) ready_.Remove(*entry);
    }
    entry->SetExclusive(HasAny(mode, PortMode::kExclusive));
    entry->object->AddObserverUnchecked(*entry, wanted);
  }
  Observe(*entry, wanted);
  return {};
}

RefPtr<Port::Entry> Port::TakeEntry(Entry& entry) {
  entries_.Remove(entry);
  entry.object->RemoveObserver(entry);
  MutexLock lock(ready_lock_);
  entry.gone = true;
  if (entry.is_ready()) ready_.Remove(entry);
  return RefPtr<Entry>::Adopt(&entry);
}

Result<void> Port::Remove(const KernelObject& object, uint64_t key) {
  RefPtr<Entry> taken;  // dropped after the lock: its object may take any
  {
    MutexLock lock(lock_);
    Entry* entry = entries_.Find(Name{&object, key});
    if (!entry) return Errno::kENOENT;
    taken = TakeEntry(*entry);
  }
  return {};
}

Result<PortMode> Port::ModeOf(const KernelObject& object, uint64_t key) {
  RefPtr<Entry> entry = TRY(Find(object, key));
  MutexLock lock(ready_lock_);
  return PortMode(entry->mode);
}

void Port::RemoveAll() {
  for (;;) {
    RefPtr<Entry> taken;
    MutexLock lock(lock_);
    if (Entry* entry = entries_.First()) {
      taken = TakeEntry(*entry);
    } else {
      return;
    }
  }
}

void Port::DropClosed() {
  for (;;) {
    RefPtr<Entry> taken;
    MutexLock lock(lock_);
    Entry* closed;
    {
      MutexLock ready_lock(ready_lock_);
      closed = closed_.front();
    }
    if (!closed) return;
    taken = TakeEntry(*closed);  // still there: only who holds |lock_| takes entries out
  }
}

void Port::ForEachEntry(EntryVisitor& visitor) {
  DropClosed();
  MutexLock lock(lock_);
  for (Entry* entry = entries_.First(); entry; entry = entries_.Next(*entry))
    visitor.Visit(*entry->object, entry->key, entry->wanted, entry->mode, entry->cookie,
                  entry->tag);
}

// ---- What there is to tell

bool Port::WakeOne() {
  Waiter* const waiter = waiters_.PopFront();
  if (waiter) hal::Unpark(*waiter->thread);
  return waiter != nullptr;
}

bool Port::Queue(Entry& entry) {
  bool woken;
  {
    MutexLock lock(ready_lock_);
    if (entry.gone || !entry.armed) return false;
    if (!entry.is_ready()) ready_.PushBack(entry);
    woken = WakeOne();
  }
  const bool sleeps = sleepers_.load() != 0;
  NotifyObservers(Signals::kReadable, true);
  return woken || sleeps;
}

// Looks at each entry that was queued once. No lock is held while an object is asked for its
// signals.
size_t Port::Harvest(std::span<PortPacket> packets, uint64_t& harvest) {
  size_t count = 0;
  while (count < packets.size()) {
    RefPtr<Entry> entry;
    Signals wanted;
    {
      MutexLock lock(ready_lock_);
      if (harvest == 0) harvest = ++harvests_;
      Entry* first = ready_.front();
      if (!first || first->harvest == harvest) break;
      first->harvest = harvest;
      ready_.Remove(*first);
      entry = RefPtr<Entry>(first);
      wanted = first->wanted;
    }
    const Signals active = entry->object->TakeSignals() & wanted;
    if (active == Signals::kNone) continue;  // its cause has gone; the next one queues it again
    MutexLock lock(ready_lock_);
    if (entry->gone || !entry->armed) continue;
    packets[count++] = {active, entry->cookie, entry->tag};
    if (HasAny(entry->mode, PortMode::kOneShot)) {
      entry->armed = false;
      if (entry->is_ready()) ready_.Remove(*entry);
    } else if (!HasAny(entry->mode, PortMode::kEdge) && !entry->is_ready()) {
      ready_.PushBack(*entry);  // told again until its cause has gone
    }
  }
  MutexLock lock(ready_lock_);
  if (!ready_.empty()) WakeOne();  // for another thread
  return count;
}

Result<size_t> Port::Wait(std::span<PortPacket> packets, hal::Deadline deadline,
                          hal::Interruptible interruptible) {
  if (packets.empty()) return Errno::kEINVAL;
  Waiter waiter;
  waiter.thread = &hal::CurrentThread();
  auto outcome = hal::ParkOutcome::kUnparked;
  for (;;) {
    DropClosed();
    uint64_t harvest = 0;
    if (const size_t count = Harvest(packets, harvest); count > 0) return count;
    if (outcome == hal::ParkOutcome::kTimedOut) return Errno::kETIMEDOUT;
    if (outcome == hal::ParkOutcome::kKicked) return Errno::kEINTR;
    {
      MutexLock lock(ready_lock_);
      if (!ready_.empty()) continue;
      waiters_.PushBack(waiter);
    }
    outcome = hal::Park(deadline, interruptible);
    MutexLock lock(ready_lock_);
    if (waiter.is_linked()) waiters_.Remove(waiter);
  }
}

size_t Port::Collect(std::span<PortPacket> packets, uint64_t& round) {
  if (round == 0) DropClosed();
  return Harvest(packets, round);
}

Signals Port::signals() const {
  return const_cast<Port*>(this)->HasActive() ? Signals::kReadable : Signals::kNone;
}

// As Harvest(), but takes only entries off the list that have nothing to tell.
bool Port::HasActive() {
  uint64_t harvest = 0;
  for (;;) {
    RefPtr<Entry> entry;
    Signals wanted;
    {
      MutexLock lock(ready_lock_);
      if (harvest == 0) harvest = ++harvests_;
      Entry* first = ready_.front();
      if (!first || first->harvest == harvest) return false;
      first->harvest = harvest;
      ready_.Remove(*first);
      entry = RefPtr<Entry>(first);
      wanted = first->wanted;
    }
    if (!HasAny(entry->object->signals(), wanted)) continue;
    MutexLock lock(ready_lock_);
    if (entry->gone || !entry->armed) continue;
    if (!entry->is_ready()) ready_.PushFront(*entry);
    WakeOne();  // a thread that looked meanwhile has missed it
    return true;
  }
}

}  // namespace zrun
