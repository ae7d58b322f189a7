#include "vfs/epoll.h"

#include "base/text.h"
#include "objects/ipc/port.h"
#include "vfs/anonymous.h"
#include "vfs/file_system.h"

namespace zrun::vfs {
namespace {

// <linux/eventpoll.h>, <asm-generic/poll.h>
enum : uint32_t {
  kPollIn = 0x1,
  kPollPri = 0x2,
  kPollOut = 0x4,
  kPollErr = 0x8,
  kPollHup = 0x10,
  kPollRdNorm = 0x40,
  kPollRdBand = 0x80,
  kPollWrNorm = 0x100,
  kPollWrBand = 0x200,
  kPollRdHup = 0x2000,
  kEpollExclusive = 1u << 28,
  kEpollWakeUp = 1u << 29,
  kEpollOneShot = 1u << 30,
  kEpollEdge = 1u << 31,
};
constexpr uint32_t kExclusiveAllowed =
    kPollIn | kPollOut | kPollErr | kPollHup | kEpollWakeUp | kEpollEdge | kEpollExclusive;
// How deep epoll files may watch each other.
constexpr int kMaxNesting = 5;
constexpr size_t kAtOnce = 32;

PortMode ModeOf(uint32_t events) {
  PortMode mode = PortMode::kLevel;
  if (events & kEpollEdge) mode |= PortMode::kEdge;
  if (events & kEpollOneShot) mode |= PortMode::kOneShot;
  if (events & kEpollExclusive) mode |= PortMode::kExclusive;
  return mode;
}

// epoll(7): a port that is a file. It tells those who wait for the file what it is told of the
// port.
class Epoll final : public FileDescription, private SignalObserver {
 public:
  Epoll(Path path, RefPtr<Port> port)
      : FileDescription(std::move(path), OpenFlags::kReadWrite, Signals::kNone),
        port_(std::move(port)) {
    port_->AddObserverUnchecked(*this, Signals::kReadable);
  }
  ~Epoll() override { port_->RemoveObserver(*this); }
  Kind kind() const override { return Kind::kEpoll; }
  Signals signals() const override { return port_->signals(); }
  Port& port() { return *port_; }
  void ShowInfo(TextSink& out) override;

  // ---- Nesting, guarded by the topology lock.
  int levels_above = 0;  // the longest chain of epoll files that (ever) led here
  uint32_t visit = 0;
  int levels_below = 0;  // valid if |visit| is the current one

 private:
  void OnSignals(Signals) override { NotifyObservers(Signals::kReadable, true); }
  void OnZeroHandles() override { port_->RemoveAll(); }
  const RefPtr<Port> port_;
};

// One line for each file it watches. Gathered first: asking a file for its position may take any
// lock.
void Epoll::ShowInfo(TextSink& out) {
  struct Line {
    RefPtr<KernelObject> file;
    uint64_t fd, data;
    uint32_t events;
  };
  class Gather final : public Port::EntryVisitor {
   public:
    void Visit(KernelObject& object, uint64_t key, Signals, PortMode, uint64_t cookie,
               uint32_t tag) override {
      static_cast<void>(lines.PushBack({RefPtr<KernelObject>(&object), key, cookie, tag}));
    }
    Vector<Line> lines;
  } gather;
  port_->ForEachEntry(gather);
  for (const Line& line : gather.lines) {
    const auto file = Downcast<FileDescription>(line.file);
    if (!file || file->handle_count() == 0) continue;
    constexpr int kCurrent = 1;
    const auto position = file->Seek(0, kCurrent);
    const auto vnode = file->path().vnode();
    const TextBuffer<16> events(Hex{line.events | kPollErr | kPollHup});
    const TextBuffer<24> data(Hex{line.data});
    zrun::Write(out, "tfd: ", Pad{int64_t(line.fd), 8}, " events: ", PadText{events, 8},
                " data: ", PadText{data, 16}, "  pos:", position.ok() ? position.value() : 0,
                " ino:", Hex{vnode ? vnode->inode() : 0},
                " sdev:", Hex{vnode ? CompactDevice(vnode->file_system().device()) : 0}, "\n");
  }
}

// Who watches whom changes one call at a time. Before all locks of files.
constinit Mutex topology_lock{LockRank::kFdTable};
constinit uint32_t current_visit GUARDED_BY(topology_lock) = 0;

// The epoll files that |epoll| watches.
Result<Vector<RefPtr<Epoll>>> Watched(Epoll& epoll) {
  class Gather final : public Port::EntryVisitor {
   public:
    void Visit(KernelObject& object, uint64_t, Signals, PortMode, uint64_t, uint32_t) override {
      if (object.type() != ObjectType::kFile) return;
      auto& file = static_cast<FileDescription&>(object);
      if (file.kind() != FileDescription::Kind::kEpoll) return;
      if (!found.PushBack(RefPtr<Epoll>(static_cast<Epoll*>(&file))).ok()) failed = true;
    }
    Vector<RefPtr<Epoll>> found;
    bool failed = false;
  } gather;
  epoll.port().ForEachEntry(gather);
  if (gather.failed) return Errno::kENOMEM;
  return std::move(gather.found);
}

// How many levels are below |epoll|. ELOOP if |forbidden| is among them, or there are too many.
Result<int> CountBelow(Epoll& epoll, const Epoll& forbidden, int depth) REQUIRES(topology_lock) {
  if (&epoll == &forbidden || depth > kMaxNesting) return Errno::kELOOP;
  if (epoll.visit == current_visit) return int(epoll.levels_below);
  int below = 0;
  const auto watched = TRY(Watched(epoll));
  for (const auto& nested : watched)
    below = std::max(below, 1 + TRY(CountBelow(*nested, forbidden, depth + 1)));
  epoll.visit = current_visit;
  epoll.levels_below = below;
  return below;
}

Result<void> RaiseLevels(Epoll& epoll, int above) REQUIRES(topology_lock) {
  if (epoll.levels_above >= above) return {};
  epoll.levels_above = above;
  const auto watched = TRY(Watched(epoll));
  for (const auto& nested : watched) TRY(RaiseLevels(*nested, above + 1));
  return {};
}

Result<void> CheckNesting(Epoll& outer, Epoll& inner) REQUIRES(topology_lock) {
  current_visit++;
  const int below = TRY(CountBelow(inner, outer, 1));
  if (outer.levels_above + 1 + below >= kMaxNesting) return Errno::kELOOP;
  return RaiseLevels(inner, outer.levels_above + 1);
}

Result<Epoll*> AsEpoll(FileDescription& file) {
  if (file.kind() != FileDescription::Kind::kEpoll) return Errno::kEINVAL;
  return static_cast<Epoll*>(&file);
}

Result<Epoll*> CheckTarget(FileDescription& file, FileDescription& target) {
  if (!target.can_wait()) return Errno::kEPERM;
  if (&file == &target) return Errno::kEINVAL;
  return AsEpoll(file);
}

}  // namespace

Result<RefPtr<FileDescription>> CreateEpoll() {
  auto port = TRY(Port::Create());
  Path path = TRY(MakeAnonymousPath("anon_inode:[eventpoll]", 0600));
  return TRY(MakeRef<Epoll>(std::move(path), std::move(port)));
}

Result<void> EpollAdd(FileDescription& file, int fd, const RefPtr<FileDescription>& target,
                      EpollEvent event) {
  Epoll* const epoll = TRY(CheckTarget(file, *target));
  const bool nested = target->kind() == FileDescription::Kind::kEpoll;
  if ((event.events & kEpollExclusive) && (nested || (event.events & ~kExclusiveAllowed)))
    return Errno::kEINVAL;
  const auto add = [&] {
    return epoll->port().Add(target, uint64_t(fd), SignalsOfPollEvents(event.events),
                             ModeOf(event.events), event.data, event.events);
  };
  if (!nested) return add();
  MutexLock lock(topology_lock);
  if (epoll->port().ModeOf(*target, uint64_t(fd)).ok()) return Errno::kEEXIST;
  TRY(CheckNesting(*epoll, static_cast<Epoll&>(*target)));
  return add();
}

Result<void> EpollModify(FileDescription& file, int fd, const RefPtr<FileDescription>& target,
                         EpollEvent event) {
  Epoll* const epoll = TRY(CheckTarget(file, *target));
  const PortMode mode = TRY(epoll->port().ModeOf(*target, uint64_t(fd)));
  if ((event.events & kEpollExclusive) || HasAny(mode, PortMode::kExclusive)) return Errno::kEINVAL;
  return epoll->port().Modify(*target, uint64_t(fd), SignalsOfPollEvents(event.events),
                              ModeOf(event.events), event.data, event.events);
}

Result<void> EpollRemove(FileDescription& file, int fd, const RefPtr<FileDescription>& target) {
  Epoll* const epoll = TRY(CheckTarget(file, *target));
  return epoll->port().Remove(*target, uint64_t(fd));
}

Result<size_t> EpollCollect(FileDescription& file, std::span<EpollEvent> events, uint64_t& round) {
  Epoll* const epoll = TRY(AsEpoll(file));
  size_t count = 0;
  PortPacket packets[kAtOnce];
  // One round only: what is ready for good comes up again with the next.
  while (count < events.size()) {
    const auto room = std::span(packets).first(std::min(kAtOnce, events.size() - count));
    const size_t found = epoll->port().Collect(room, round);
    for (const PortPacket& packet : room.first(found)) {
      const uint32_t happened = PollEventsOf(packet.active) & (packet.tag | kPollErr | kPollHup);
      if (happened != 0) events[count++] = {happened, packet.cookie};
    }
    if (found < room.size()) break;
  }
  return count;
}

EpollSleeper::EpollSleeper(FileDescription& epoll) : sleeper_(static_cast<Epoll&>(epoll).port()) {}

uint32_t PollEventsOf(Signals signals) {
  uint32_t events = 0;
  if (HasAny(signals, Signals::kReadable)) events |= kPollIn | kPollRdNorm;
  if (HasAny(signals, Signals::kWritable)) events |= kPollOut | kPollWrNorm;
  if (HasAny(signals, Signals::kPriority)) events |= kPollPri;
  if (HasAny(signals, Signals::kError)) events |= kPollErr;
  if (HasAny(signals, Signals::kPeerClosed)) events |= kPollHup;
  if (HasAny(signals, Signals::kReadClosed)) events |= kPollRdHup;
  if (HasAny(signals, Signals::kReadableBand)) events |= kPollRdBand;
  return events;
}

Signals SignalsOfPollEvents(uint32_t events) {
  Signals signals = Signals::kError | Signals::kPeerClosed;
  if (events & (kPollIn | kPollRdNorm)) signals |= Signals::kReadable;
  if (events & (kPollOut | kPollWrNorm | kPollWrBand)) signals |= Signals::kWritable;
  if (events & kPollPri) signals |= Signals::kPriority;
  if (events & kPollRdHup) signals |= Signals::kReadClosed;
  if (events & kPollRdBand) signals |= Signals::kReadableBand;
  return signals;
}

}  // namespace zrun::vfs
