#include "vfs/socket/unix_socket.h"

namespace zrun::vfs {
namespace {

constexpr uint32_t kMaxBacklog = 4096;  // net.core.somaxconn
constexpr uint32_t kMayWrite = 2;

constinit std::atomic<uint32_t> next_automatic_name{0};

// All sockets, for /proc/net/unix. IntrusiveList has no constant initialisation.
using SocketList = IntrusiveList<UnixSocket, UnixSocketListTag>;
constinit Mutex all_lock{LockRank::kFileSystem};
alignas(SocketList) constinit std::byte all_storage[sizeof(SocketList)] = {};
constinit bool all_made GUARDED_BY(all_lock) = false;
SocketList& AllSockets() REQUIRES(all_lock) {
  if (!std::exchange(all_made, true)) new (all_storage) SocketList;
  return *std::launder(static_cast<SocketList*>(static_cast<void*>(all_storage)));
}

}  // namespace

UnixSocket::UnixSocket(Path path, OpenFlags flags, SocketType type)
    : Socket(std::move(path), flags, Signals::kNone), type_(type) {
  {
    MutexLock lock(lock_);
    Refresh();
  }
  MutexLock lock(all_lock);
  AllSockets().PushBack(*this);
}

UnixSocket::~UnixSocket() {
  {
    MutexLock lock(all_lock);
    AllSockets().Remove(*this);
  }
  Close();
}

Result<Vector<RefPtr<UnixSocket>>> UnixSocket::ListAll() {
  Vector<RefPtr<UnixSocket>> found;
  MutexLock lock(all_lock);
  for (UnixSocket& socket : AllSockets()) {
    if (!socket.TryAddRef()) continue;
    TRY(found.PushBack(RefPtr<UnixSocket>::Adopt(&socket)));
  }
  return found;
}

UnixSocket::Facts UnixSocket::GetFacts() {
  Facts facts;
  facts.inode = path().vnode()->inode();
  facts.type = type_;
  MutexLock lock(lock_);
  facts.listens = state_ == State::kListening;
  facts.connected = state_ == State::kConnected || peer_;
  facts.accepted = accepted_;
  // The descriptors' and the peer's.
  facts.references = 1 + handle_count() + (peer_ ? 1 : 0);
  facts.name = name_;
  return facts;
}

Result<RefPtr<UnixSocket>> UnixSocket::Create(SocketType type, OpenFlags flags, FileOwner owner) {
  Path path = TRY(MakeAnonymousPath("socket", kModeSocket | 0777, owner));
  return MakeRef<UnixSocket>(std::move(path),
                             (flags & OpenFlags::kNonBlock) | OpenFlags::kReadWrite, type);
}

// The analysis does not know that nobody else can see the two yet.
Result<SocketPair> UnixSocket::CreatePair(SocketType type, OpenFlags flags, FileOwner owner,
                                          const PeerCredentials& credentials)
    NO_THREAD_SAFETY_ANALYSIS {
  auto first = TRY(Create(type, flags, owner));
  auto second = TRY(Create(type, flags, owner));
  LockBoth lock(first->lock_, second->lock_);
  first->peer_ = second;
  second->peer_ = first;
  for (UnixSocket* socket : {first.get(), second.get()}) {
    if (type != SocketType::kDatagram) socket->state_ = State::kConnected;
    socket->peer_credentials_ = credentials;
    socket->Refresh();
  }
  return SocketPair{first, second};
}

// ---- Signals

Signals UnixSocket::ComputeSignals() const {
  Signals signals = Signals::kNone;
  if (error_ != Errno{}) signals |= Signals::kError;
  if (shutdown_ == kNoBoth) signals |= Signals::kPeerClosed;
  if (shutdown_ & kNoReceive) signals |= Signals::kReadClosed | Signals::kReadable;
  if (queue_length_ > 0) signals |= Signals::kReadable;
  if (!is_datagram() && state_ == State::kUnconnected) signals |= Signals::kPeerClosed;
  // Writable again once three quarters of the buffer are free, so that writers wake in batches.
  if (state_ != State::kListening && charged_ * 4 <= send_buffer_ && !waits_for_peer_)
    signals |= Signals::kWritable;
  return signals;
}

void UnixSocket::Refresh(Signals news) {
  const Signals mask = ~Signals::kUser;
  const Signals now = ComputeSignals(), before = signals() & mask;
  const Signals set = now & (~before | news), clear = before & ~now;
  if ((set | clear) != Signals::kNone) UpdateSignals(clear, set);
}

Result<void> UnixSocket::AddWaiter(UnixSocket& waiter) {
  for (const auto& known : waiters_)
    if (known.get() == &waiter) return {};
  return waiters_.PushBack(RefPtr<UnixSocket>(&waiter));
}

Vector<RefPtr<UnixSocket>> UnixSocket::TakeWaiters() { return std::move(waiters_); }

void UnixSocket::WakeWaiters(Vector<RefPtr<UnixSocket>> waiters) {
  for (const auto& waiter : waiters) {
    MutexLock lock(waiter->lock_);
    waiter->waits_for_peer_ = false;
    waiter->Refresh();
    waiter->UpdateSignals(Signals::kNone, Signals::kUser);
  }
}

// ---- Names

void UnixSocket::SetName(RefPtr<UnixName> name, RefPtr<Vnode> vnode) {
  MutexLock lock(lock_);
  naming_ = false;
  if (!name) return;
  name_ = std::move(name);
  vnode_ = std::move(vnode);
}

Result<void> UnixSocket::Autobind() {
  {
    MutexLock lock(lock_);
    if (name_ || naming_) return {};
    naming_ = true;
  }
  for (uint32_t tries = 0; tries < 1u << 20; tries++) {
    auto name = UnixName::CreateAutomatic(next_automatic_name.fetch_add(1));
    if (!name.ok()) {
      SetName(nullptr, nullptr);
      return name.error();
    }
    if (AbstractNames::Add(*name.value(), abstract_node_)) {
      SetName(std::move(name).value(), nullptr);
      return {};
    }
  }
  SetName(nullptr, nullptr);
  return Errno::kENOSPC;
}

Result<void> UnixSocket::Bind(const SocketAddress& address, const SocketCaller& caller) {
  if (IsUnnamed(address)) return Autobind();
  auto name = TRY(UnixName::Create(address));
  {
    MutexLock lock(lock_);
    if (name_ || naming_) return Errno::kEINVAL;
    naming_ = true;
  }
  const auto bind = [&]() -> Result<RefPtr<Vnode>> {
    if (name->is_abstract()) {
      if (!AbstractNames::Add(*name, abstract_node_)) return Errno::kEADDRINUSE;
      return RefPtr<Vnode>();
    }
    const Attributes own = TRY(path().vnode()->GetAttributes());
    const uint32_t mode = kModeSocket | (own.mode & 0777 & ~caller.umask);
    auto made = MakeNode(caller.walk, name->path(), mode, 0);
    if (!made.ok()) return made.error() == Errno::kEEXIST ? Errno::kEADDRINUSE : made.error();
    const Path path = TRY(Walk(caller.walk, name->path(), WalkFlags::kNoFollow));
    RefPtr<Vnode> vnode = path.vnode();
    if (!vnode || vnode->type() != VnodeType::kSocket) return Errno::kENOENT;
    if (vnode->AttachObject(RefPtr<KernelObject>(this)).get() != this) return Errno::kEADDRINUSE;
    return vnode;
  };
  auto bound = bind();
  if (!bound.ok()) {
    SetName(nullptr, nullptr);
    return bound.error();
  }
  SetName(std::move(name), std::move(bound).value());
  return {};
}

// The socket that |address| names.
Result<RefPtr<UnixSocket>> UnixSocket::FindTarget(const SocketAddress& address,
                                                  const SocketCaller& caller) {
  auto name = TRY(UnixName::Create(address));
  RefPtr<UnixSocket> found;
  if (name->is_abstract()) {
    found = AbstractNames::Find(*name, type_);
  } else {
    const Path path = TRY(Walk(caller.walk, name->path(), WalkFlags::kNone));
    RefPtr<Vnode> vnode = path.vnode();
    if (!vnode) return Errno::kENOENT;
    TRY(CheckAccess(caller.walk.credentials, path, kMayWrite));
    if (vnode->type() != VnodeType::kSocket) return Errno::kECONNREFUSED;
    // Only sockets are ever attached to such a vnode.
    auto attached = vnode->attached_object();
    found = RefPtr<UnixSocket>(static_cast<UnixSocket*>(attached.get()));
  }
  if (!found) return Errno::kECONNREFUSED;
  if (found->type_ != type_) return Errno::kEPROTOTYPE;
  return found;
}

Result<SocketAddress> UnixSocket::LocalAddress() {
  MutexLock lock(lock_);
  return name_ ? name_->address() : UnnamedUnixAddress();
}

Result<SocketAddress> UnixSocket::PeerAddress() {
  RefPtr<UnixSocket> peer;
  {
    MutexLock lock(lock_);
    peer = peer_;
  }
  if (!peer) return Errno::kENOTCONN;
  return peer->LocalAddress();
}

// ---- Connections

Result<void> UnixSocket::Listen(int backlog, const SocketCaller& caller) {
  if (is_datagram()) return Errno::kEOPNOTSUPP;
  Vector<RefPtr<UnixSocket>> waiters;
  {
    MutexLock lock(lock_);
    if (!name_ || state_ == State::kConnected) return Errno::kEINVAL;
    const uint32_t wanted = uint32_t(backlog) > kMaxBacklog ? kMaxBacklog : uint32_t(backlog);
    if (wanted > backlog_) waiters = TakeWaiters();
    backlog_ = wanted;
    state_ = State::kListening;
    own_credentials_ = caller.credentials;
    peer_credentials_ = caller.credentials;
    Refresh();
  }
  WakeWaiters(std::move(waiters));
  return {};
}

Result<void> UnixSocket::Connect(const SocketAddress& address, const SocketCaller& caller) {
  if (is_datagram()) return ConnectDatagram(address, caller);
  RefPtr<UnixSocket> listener = TRY(FindTarget(address, caller));
  if (pass_credentials_.load()) TRY(Autobind());
  {
    MutexLock lock(lock_);
    if (state_ == State::kConnected) return Errno::kEISCONN;
    if (state_ == State::kListening) return Errno::kEINVAL;
  }
  // The other end is made beforehand, since nothing can be allocated half-way.
  auto server =
      TRY(Create(type_, OpenFlags::kReadOnly, {caller.credentials.uid, caller.credentials.gid}));
  return ConnectTo(*listener, std::move(server), caller.credentials);
}

// Two sockets are locked at a time, which the analysis cannot follow.
Result<void> UnixSocket::ConnectTo(UnixSocket& listener, RefPtr<UnixSocket> server,
                                   const PeerCredentials& credentials) NO_THREAD_SAFETY_ANALYSIS {
  if (this == &listener) return Errno::kEINVAL;
  LockBoth lock(lock_, listener.lock_);
  if (state_ == State::kConnected) return Errno::kEISCONN;
  if (state_ == State::kListening || closed_) return Errno::kEINVAL;
  if (listener.state_ != State::kListening || listener.closed_ ||
      (listener.shutdown_ & kNoReceive)) {
    return Errno::kECONNREFUSED;
  }
  if (listener.IsQueueFull()) {
    TRY(listener.AddWaiter(*this));
    UpdateSignals(Signals::kUser, Signals::kNone);
    return Errno::kEAGAIN;
  }
  // Nobody else knows |server| yet: its lock is not needed.
  server->state_ = State::kConnected;
  server->accepted_ = false;
  server->peer_ = RefPtr<UnixSocket>(this);
  server->name_ = listener.name_;
  server->peer_credentials_ = credentials;
  server->pass_credentials_.store(listener.pass_credentials_.load());
  server->Refresh();
  peer_ = server;
  peer_credentials_ = listener.own_credentials_;
  state_ = State::kConnected;
  Refresh();
  listener.pending_.PushBack(*server.Leak());
  listener.queue_length_++;
  listener.Refresh(Signals::kReadable);
  return {};
}

// Sets, changes or (AF_UNSPEC) forgets where messages go.
Result<void> UnixSocket::ConnectDatagram(const SocketAddress& address,
                                         const SocketCaller& caller) NO_THREAD_SAFETY_ANALYSIS {
  RefPtr<UnixSocket> target;
  if (address.size >= 2 && address.family() != 0) {
    if (pass_credentials_.load()) TRY(Autobind());
    target = TRY(FindTarget(address, caller));
  }
  RefPtr<UnixSocket> old;
  UnixMessageList dropped;
  {
    LockBoth lock(lock_, target ? target->lock_ : lock_);
    if (target && target->peer_ && target->peer_.get() != this) return Errno::kEPERM;
    old = std::move(peer_);
    peer_ = target;
    waits_for_peer_ = false;
    if (target) peer_credentials_ = target->own_credentials_;
    if (old && old != target) {
      // What the old peer had sent is gone with it.
      dropped.TakeAll(queue_);
      queue_length_ = 0;
      queued_with_files_.store(0);
    }
    Refresh();
  }
  if (old && old != target) {
    MutexLock lock(old->lock_);
    if (old->peer_.get() == this) {
      old->error_ = Errno::kECONNRESET;
      old->Refresh();
    }
  }
  DiscardMessages(dropped);
  return {};
}

Result<RefPtr<FileDescription>> UnixSocket::Accept(OpenFlags flags, SocketAddress& peer,
                                                   const SocketCaller&) {
  if (is_datagram()) return Errno::kEOPNOTSUPP;
  RefPtr<UnixSocket> accepted;
  Vector<RefPtr<UnixSocket>> waiters;
  {
    MutexLock lock(lock_);
    if (state_ != State::kListening) return Errno::kEINVAL;
    if (pending_.empty()) {
      if (shutdown_ & kNoReceive) return Errno::kEINVAL;
      return Errno::kEAGAIN;
    }
    accepted = RefPtr<UnixSocket>::Adopt(pending_.PopFront());
    queue_length_--;
    waiters = TakeWaiters();
    Refresh();
  }
  WakeWaiters(std::move(waiters));
  {
    MutexLock lock(accepted->lock_);
    accepted->accepted_ = true;
  }
  accepted->SetStatusFlags(flags & OpenFlags::kNonBlock);
  auto address = accepted->PeerAddress();
  peer = address.ok() ? address.value() : UnnamedUnixAddress();
  return accepted;
}

Result<void> UnixSocket::Shutdown(int how) {
  if (how < 0 || how > 2) return Errno::kEINVAL;
  const uint8_t mine = uint8_t(how + 1);
  const uint8_t theirs = uint8_t((mine & 1) << 1 | mine >> 1);
  RefPtr<UnixSocket> peer;
  Vector<RefPtr<UnixSocket>> waiters;
  {
    MutexLock lock(lock_);
    shutdown_ |= mine;
    if (!is_datagram()) peer = peer_;
    if (mine & kNoReceive) waiters = TakeWaiters();
    Refresh(Signals::kReadable | Signals::kWritable);
  }
  WakeWaiters(std::move(waiters));
  if (!peer) return {};
  MutexLock lock(peer->lock_);
  peer->shutdown_ |= theirs;
  peer->Refresh(Signals::kReadable | Signals::kWritable);
  return {};
}

void UnixSocket::OnPeerClosed(bool reset) {
  MutexLock lock(lock_);
  shutdown_ = kNoBoth;
  if (reset) error_ = Errno::kECONNRESET;
  Refresh(Signals::kReadable | Signals::kWritable);
}

void UnixSocket::Close() {
  RefPtr<UnixSocket> peer;
  RefPtr<UnixName> name;
  RefPtr<Vnode> vnode;
  UnixMessageList dropped;
  IntrusiveList<UnixSocket> unaccepted;
  Vector<RefPtr<UnixSocket>> waiters;
  {
    MutexLock lock(lock_);
    if (closed_) return;
    closed_ = true;
    shutdown_ = kNoBoth;
    peer = std::move(peer_);
    vnode = std::move(vnode_);
    name = name_;
    dropped.TakeAll(queue_);
    unaccepted.TakeAll(pending_);
    queue_length_ = 0;
    waiters = TakeWaiters();
  }
  if (vnode) vnode->DetachObject(*this);
  if (name && name->is_abstract()) AbstractNames::Remove(abstract_node_);
  if (peer && !is_datagram()) peer->OnPeerClosed(!dropped.empty());
  WakeWaiters(std::move(waiters));
  while (UnixSocket* server = unaccepted.PopFront()) {
    const auto reference = RefPtr<UnixSocket>::Adopt(server);
    RefPtr<UnixSocket> client;
    {
      MutexLock lock(server->lock_);
      client = server->peer_;
    }
    if (client) client->OnPeerClosed(true);
    server->Close();
  }
  DiscardMessages(dropped);
  InFlight::Collect();
}

}  // namespace zrun::vfs
