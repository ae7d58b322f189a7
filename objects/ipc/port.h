#pragma once
#include <span>

#include "base/flags.h"
#include "base/tree.h"
#include "hal/thread.h"
#include "objects/kernel_object.h"

namespace zrun {

enum class PortMode : uint32_t {
  kLevel = 0,           // told as long as a signal is set
  kEdge = 1 << 0,       // told once each time a signal is raised (EPOLLET)
  kOneShot = 1 << 1,    // told once, then silent until Modify() (EPOLLONESHOT)
  kExclusive = 1 << 2,  // of several ports that observe an object so, one is told (EPOLLEXCLUSIVE)
};

}  // namespace zrun
template <>
inline constexpr bool zrun::kIsFlags<zrun::PortMode> = true;

namespace zrun {

struct PortPacket {
  Signals active;  // those of the wanted ones that are set
  uint64_t cookie;
  uint32_t tag = 0;  // the entry's, as the cookie
};

// Collects the signals of many objects: what epoll is made of. An entry is named by its object and
// a number of the caller's. It keeps the object's memory, not its meaning: when the object's last
// handle goes, the entry goes.
//
// kError and kPeerClosed are always wanted. A port is readable while it has something to tell, so
// ports can observe ports; whoever adds them makes sure that there are no cycles.
class Port final : public KernelObject {
 public:
  static constexpr ObjectType kType = ObjectType::kPort;
  static Result<RefPtr<Port>> Create();
  ~Port() override;

  // EEXIST.
  Result<void> Add(RefPtr<KernelObject> object, uint64_t key, Signals wanted, PortMode mode,
                   uint64_t cookie, uint32_t tag = 0) EXCLUDES(lock_);
  // ENOENT. Arms a one-shot entry again.
  Result<void> Modify(const KernelObject& object, uint64_t key, Signals wanted, PortMode mode,
                      uint64_t cookie, uint32_t tag = 0) EXCLUDES(lock_);
  Result<void> Remove(const KernelObject& object, uint64_t key) EXCLUDES(lock_);
  // The mode of an entry, or ENOENT.
  Result<PortMode> ModeOf(const KernelObject& object, uint64_t key) EXCLUDES(lock_);
  void RemoveAll() EXCLUDES(lock_);

  // At least one packet, or ETIMEDOUT, or EINTR if the thread was kicked. One packet per entry.
  // EINVAL for no room.
  Result<size_t> Wait(std::span<PortPacket> packets, hal::Deadline deadline,
                      hal::Interruptible interruptible = hal::Interruptible::kYes) EXCLUDES(lock_);

  // The same without sleeping: 0 if there is nothing to tell. |round| joins several calls to one
  // look at each entry: zero for the first, untouched for those that go on.
  size_t Collect(std::span<PortPacket> packets, uint64_t& round) EXCLUDES(lock_);

  // Around a sleep of someone who observes the port instead of calling Wait(): then it answers for
  // the other ports that observe an object kExclusive.
  class Sleeper {
   public:
    explicit Sleeper(Port& port) : port_(port) { port_.sleepers_.fetch_add(1); }
    ~Sleeper() { port_.sleepers_.fetch_sub(1); }
    Sleeper(const Sleeper&) = delete;
    Sleeper& operator=(const Sleeper&) = delete;

   private:
    Port& port_;
  };

  // Reads signals of the entries that may be ready: call it with no lock held that those need.
  Signals signals() const override;
  // Calls |visit(object, key, wanted, mode, cookie, tag)| for each entry (/proc/PID/fdinfo, loop
  // checks).
  class EntryVisitor {
   public:
    virtual void Visit(KernelObject& object, uint64_t key, Signals wanted, PortMode mode,
                       uint64_t cookie, uint32_t tag) = 0;

   protected:
    ~EntryVisitor() = default;
  };
  void ForEachEntry(EntryVisitor& visitor) EXCLUDES(lock_);

 private:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> MakeRef(Args&&...);
  struct ReadyTag;
  struct Name {
    const KernelObject* object;
    uint64_t key;
    bool operator<(const Name& other) const {
      return object != other.object ? object < other.object : key < other.key;
    }
  };
  class Entry;
  struct Traits {
    static Name KeyOf(const Entry& entry);
  };
  struct Waiter : ListNode<Waiter> {
    hal::Thread* thread;
  };

  Port();
  void OnZeroHandles() override { RemoveAll(); }
  // Whether someone sleeps for it.
  bool Queue(Entry& entry) EXCLUDES(ready_lock_);
  void Observe(Entry& entry, Signals wanted);
  bool WakeOne() REQUIRES(ready_lock_);
  RefPtr<Entry> TakeEntry(Entry& entry) REQUIRES(lock_);
  Result<RefPtr<Entry>> Find(const KernelObject& object, uint64_t key) EXCLUDES(lock_);
  void DropClosed() EXCLUDES(lock_);
  size_t Harvest(std::span<PortPacket> packets, uint64_t& harvest) EXCLUDES(ready_lock_);
  bool HasActive();

  mutable Mutex lock_{LockRank::kPort};  // which entries there are
  Tree<Entry, Traits> entries_ GUARDED_BY(lock_);
  // Entries' states and the lists. Taken inside OnSignals(), so it comes after all signal locks.
  mutable Mutex ready_lock_{LockRank::kLeaf};
  IntrusiveList<Entry, ReadyTag> ready_ GUARDED_BY(ready_lock_);
  IntrusiveList<Entry, ReadyTag> closed_ GUARDED_BY(ready_lock_);  // to be dropped
  IntrusiveList<Waiter, Waiter> waiters_ GUARDED_BY(ready_lock_);
  std::atomic<uint32_t> sleepers_{0};
  uint64_t harvests_ GUARDED_BY(ready_lock_) = 0;
};

}  // namespace zrun
