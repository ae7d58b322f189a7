#include "vfs/socket/unix_socket.h"

namespace zrun::vfs {
namespace {

constinit std::atomic<uint32_t> handles_in_flight{0}, sockets_in_flight{0};
constexpr uint32_t kSocketsPerLook = 16;
constinit std::atomic<uint32_t> closings_unlooked{0};
constinit UnixSocket* first_socket = nullptr;  // those with in_flight_ > 0; the lock guards it

// Messages with files, waiting to be freed; one thread frees them for all.
struct Graveyard {
  UnixMessageList messages;
  bool busy = false;
};
constinit Mutex graveyard_lock{LockRank::kLeaf};
constinit Graveyard* graveyard GUARDED_BY(graveyard_lock) = nullptr;

bool MakeGraveyard() {
  {
    MutexLock lock(graveyard_lock);
    if (graveyard) return true;
  }
  auto made = MakeOwned<Graveyard>();
  if (!made.ok()) return false;
  MutexLock lock(graveyard_lock);
  if (!graveyard) graveyard = std::move(made).value().release();
  return true;
}

UnixSocket* SocketOf(const Handle& handle) {
  const auto file = Downcast<FileDescription>(handle.object());
  if (!file || file->kind() != FileDescription::Kind::kSocket) return nullptr;
  auto* const socket = static_cast<Socket*>(file.get());
  return socket->family() == kFamilyUnix ? static_cast<UnixSocket*>(socket) : nullptr;
}

}  // namespace

Result<void> InFlight::Add(const Vector<Handle>& files) {
  if (!MakeGraveyard()) return Errno::kENOMEM;
  if (handles_in_flight.load() + files.size() > kMaxInFlight) return Errno::kETOOMANYREFS;
  handles_in_flight.fetch_add(uint32_t(files.size()));
  for (const Handle& file : files) {
    UnixSocket* const socket = SocketOf(file);
    if (!socket) continue;
    sockets_in_flight.fetch_add(1);
    if (socket->in_flight_++ > 0) continue;
    socket->gc_next_ = first_socket;
    first_socket = socket;
  }
  return {};
}

void InFlight::Remove(const Vector<Handle>& files) {
  handles_in_flight.fetch_sub(uint32_t(files.size()));
  for (const Handle& file : files) {
    UnixSocket* const socket = SocketOf(file);
    if (!socket) continue;
    sockets_in_flight.fetch_sub(1);
    if (--socket->in_flight_ > 0) continue;
    UnixSocket** link = &first_socket;
    while (*link != socket) link = &(*link)->gc_next_;
    *link = socket->gc_next_;
  }
}

// Calls |visit| with |socket| and the connections that it has not accepted, no lock held.
// Connections accepted meanwhile may be left out: who accepts has the socket, so it is none of
// ours.
template <typename Visitor>
void InFlight::ForEachHolder(UnixSocket& socket, Visitor visit) {
  visit(socket);
  constexpr size_t kAtOnce = 32;
  RefPtr<UnixSocket> pending[kAtOnce];
  for (size_t skip = 0;; skip += kAtOnce) {
    size_t count = 0;
    {
      MutexLock lock(socket.lock_);
      size_t index = 0;
      for (UnixSocket& server : socket.pending_) {
        if (count == kAtOnce) break;
        if (index++ >= skip) pending[count++] = RefPtr<UnixSocket>(&server);
      }
    }
    for (size_t i = 0; i < count; i++) visit(*pending[i]);
    if (count < kAtOnce) return;
  }
}

// The in-flight sockets in |socket|'s queue, and in those of connections that it has not accepted.
template <typename Visitor>
void InFlight::ForEachQueued(UnixSocket& socket, Visitor visit) {
  ForEachHolder(socket, [&](UnixSocket& holder) {
    MutexLock lock(holder.lock_);
    for (UnixMessage& message : holder.queue_)
      for (const Handle& file : message.files)
        if (UnixSocket* const found = SocketOf(file)) visit(*found);
  });
}

// Counts, for every socket all of whose handles are in flight, how many lie in the queues of such
// sockets.
UnixSocket* InFlight::MarkCandidates() {
  for (UnixSocket* s = first_socket; s; s = s->gc_next_) {
    s->gc_internal_ = 0;
    s->gc_listed_ = s->handle_count() == s->in_flight_;
    s->gc_reachable_ = false;
  }
  for (UnixSocket* s = first_socket; s; s = s->gc_next_)
    if (s->gc_listed_) ForEachQueued(*s, [](UnixSocket& found) { found.gc_internal_++; });
  return first_socket;
}

// Those with a handle in some other queue can be received, and with them what is in their queues.
void InFlight::MarkReachable(UnixSocket* sockets) {
  bool changed = true;
  while (changed) {
    changed = false;
    for (UnixSocket* s = sockets; s; s = s->gc_next_) {
      if (!s->gc_listed_) continue;
      if (!s->gc_reachable_ && s->in_flight_ == s->gc_internal_) continue;
      s->gc_listed_ = false;
      changed = true;
      ForEachQueued(*s, [](UnixSocket& found) { found.gc_reachable_ = true; });
    }
  }
}

void InFlight::Collect() {
  const uint32_t sockets_now = sockets_in_flight.load();
  if (sockets_now == 0) return;
  // The more there are, the more closings go by between two looks at all of them.
  if (closings_unlooked.fetch_add(kSocketsPerLook) + kSocketsPerLook < sockets_now) return;
  closings_unlooked.store(0);
  UnixMessageList garbage;
  {
    MutexLock in_flight(InFlight::mutex);
    UnixSocket* const sockets = MarkCandidates();
    MarkReachable(sockets);
    for (UnixSocket* s = sockets; s; s = s->gc_next_) {
      if (!s->gc_listed_) continue;
      ForEachHolder(*s, [&garbage](UnixSocket& holder) {
        MutexLock lock(holder.lock_);
        garbage.TakeAll(holder.queue_);
        holder.queued_with_files_.store(0);
        if (holder.state_ != UnixSocket::State::kListening) holder.queue_length_ = 0;
      });
    }
  }
  DiscardMessages(garbage);
}

namespace {

// Adds to the messages to be freed; true if the caller has to free them.
bool Bury(UnixMessageList& messages) {
  MutexLock lock(graveyard_lock);
  graveyard->messages.TakeAll(messages);
  return !std::exchange(graveyard->busy, true);
}

UnixMessage* Exhume() {
  MutexLock lock(graveyard_lock);
  UnixMessage* const message = graveyard->messages.PopFront();
  if (!message) graveyard->busy = false;
  return message;
}

}  // namespace

void DiscardMessages(UnixMessageList& messages) {
  if (messages.empty()) return;
  UnixMessageList with_files;
  RefPtr<UnixSocket> sender;
  size_t charge = 0;
  const auto settle = [&] {
    if (sender) sender->Uncharge(charge);
    charge = 0;
  };
  while (UnixMessage* const message = messages.PopFront()) {
    if (message->sender != sender) {
      settle();
      sender = message->sender;
    }
    charge += message->charge;
    if (message->files.empty()) {
      OwnPtr<UnixMessage> freed(message);
    } else {
      with_files.PushBack(*message);
    }
  }
  settle();
  if (with_files.empty()) return;
  {
    MutexLock in_flight(InFlight::mutex);
    for (UnixMessage& message : with_files) InFlight::Remove(message.files);
  }
  if (!Bury(with_files)) return;
  while (UnixMessage* const message = Exhume()) OwnPtr<UnixMessage> freed(message);
}

}  // namespace zrun::vfs
