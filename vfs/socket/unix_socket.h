#pragma once
#include "vfs/socket/unix_name.h"

namespace zrun::vfs {

// One send(2), or a piece of a long one on a stream, on its way to its receiver.
struct UnixMessage : public ListNode<> {
  std::unique_ptr<std::byte[]> bytes;
  size_t size = 0;
  size_t consumed = 0;  // streams: what was read of it
  size_t charge = 0;    // against the sender's buffer
  RefPtr<UnixSocket> sender;
  RefPtr<UnixName> from;
  PeerCredentials credentials;
  Vector<Handle> files;
  size_t left() const { return size - consumed; }
};
using UnixMessageList = IntrusiveList<UnixMessage>;

// AF_UNIX, unix(7). A message lies in its receiver's queue and is charged to its sender. The two
// ends of a connection refer to each other; closing one lets its own reference go. Locks: a
// socket's own (kFile); two of them at once only through LockBoth. Messages are freed, and with
// them descriptors closed, with no lock held (DiscardMessages).
class UnixSocket final : public Socket,
                         public ListNode<>,
                         public ListNode<struct UnixSocketListTag> {
 public:
  static Result<RefPtr<UnixSocket>> Create(SocketType type, OpenFlags flags, FileOwner owner);
  static Result<SocketPair> CreatePair(SocketType type, OpenFlags flags, FileOwner owner,
                                       const PeerCredentials& credentials);
  ~UnixSocket() override;
  // What /proc/net/unix tells of a socket.
  struct Facts {
    uint64_t inode = 0;
    SocketType type = SocketType::kStream;
    bool listens = false, connected = false;
    bool accepted = true;  // not in a listener's queue
    uint32_t references = 0;
    RefPtr<UnixName> name;  // null: none
  };
  Facts GetFacts() EXCLUDES(lock_);
  // All there are, in order of creation.
  static Result<Vector<RefPtr<UnixSocket>>> ListAll();

  uint16_t family() const override { return kFamilyUnix; }
  SocketType socket_type() const override { return type_; }
  Result<void> Bind(const SocketAddress& address, const SocketCaller& caller) override;
  Result<void> Connect(const SocketAddress& address, const SocketCaller& caller) override;
  Result<void> Listen(int backlog, const SocketCaller& caller) override;
  Result<RefPtr<FileDescription>> Accept(OpenFlags flags, SocketAddress& peer,
                                         const SocketCaller& caller) override;
  Result<size_t> Send(SendMessage& message, const SocketCaller& caller) override;
  Result<size_t> Receive(ReceiveMessage& message) override;
  Result<void> Shutdown(int how) override;
  Result<SocketAddress> LocalAddress() override;
  Result<SocketAddress> PeerAddress() override;
  Result<size_t> GetOption(int level, int name, std::span<std::byte> value) override;
  Result<void> SetOption(int level, int name, std::span<const std::byte> value,
                         const SocketCaller& caller) override;
  hal::Nanoseconds receive_timeout() const override { return receive_timeout_.load(); }
  hal::Nanoseconds send_timeout() const override { return send_timeout_.load(); }

  Result<size_t> Read(DataSink& sink) override;
  Result<size_t> Write(DataSource& source) override;
  Result<uint64_t> Ioctl(uint32_t request, uint64_t argument, UserMemory& memory) override;

 private:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> zrun::MakeRef(Args&&...);
  friend class InFlight;
  friend void DiscardMessages(UnixMessageList&);
  enum class State : uint8_t { kUnconnected, kListening, kConnected };
  static constexpr uint8_t kNoReceive = 1, kNoSend = 2, kNoBoth = 3;

  UnixSocket(Path path, OpenFlags flags, SocketType type);
  bool is_datagram() const { return type_ == SocketType::kDatagram; }
  void OnZeroHandles() override { Close(); }
  void Close() EXCLUDES(lock_);
  // Its peer is gone; |reset|: with bytes unread.
  void OnPeerClosed(bool reset) EXCLUDES(lock_);

  Result<RefPtr<UnixSocket>> FindTarget(const SocketAddress& address, const SocketCaller& caller);
  Result<void> Autobind() EXCLUDES(lock_);
  void SetName(RefPtr<UnixName> name, RefPtr<Vnode> vnode) EXCLUDES(lock_);
  Result<void> ConnectDatagram(const SocketAddress& address, const SocketCaller& caller);
  Result<void> ConnectTo(UnixSocket& listener, RefPtr<UnixSocket> server,
                         const PeerCredentials& credentials);

  Signals ComputeSignals() const REQUIRES(lock_);
  // |news|: signals to tell also if they were set before.
  void Refresh(Signals news = Signals::kNone) REQUIRES(lock_);

  // |caller| is null for write(2).
  Result<size_t> SendAs(SendMessage& message, const SocketCaller* caller);
  Result<size_t> SendStream(SendMessage& message, const SocketCaller* caller);
  Result<size_t> SendRecord(SendMessage& message, const SocketCaller* caller);
  // Who a message is from: what it says itself, or the sender if either end wants to know now.
  PeerCredentials SenderOf(const SendMessage& message, const UnixSocket& receiver,
                           const SocketCaller* caller) const;
  // Whether a record may go to |receiver| now.
  Result<void> CheckReceiver(UnixSocket& receiver);
  // Room for more in the send buffer, charged: kEAGAIN.
  Result<void> Charge(size_t size) EXCLUDES(lock_);
  void Uncharge(size_t size) EXCLUDES(lock_);
  // A message with room for |size| bytes, charged.
  Result<OwnPtr<UnixMessage>> NewMessage(size_t size, const PeerCredentials& credentials);
  // Puts |message| into this socket's queue; then it belongs to it.
  Result<void> Enqueue(OwnPtr<UnixMessage>& message) EXCLUDES(lock_);
  Result<void> EnqueueLocked(OwnPtr<UnixMessage>& message) REQUIRES(lock_);
  // What was read to its end goes to |done|. Without |may_take_files| a message with files in it
  // stops them: |needs_files| says so.
  struct Receiving {
    explicit Receiving(ReceiveMessage& message) : out(message) {}
    ReceiveMessage& out;
    UnixMessageList done;
    bool may_take_files = false;
    bool needs_files = false;
  };
  Result<size_t> ReceiveStream(Receiving& receiving) REQUIRES(lock_);
  Result<size_t> ReceiveRecord(Receiving& receiving) REQUIRES(lock_);
  // The error of a receive that found nothing, or 0 at the end.
  Result<size_t> NothingToReceive() REQUIRES(lock_);
  Result<void> TakeAncillary(ReceiveMessage& out, UnixMessage& message, bool peek);
  // |message|'s files are on their way no more; the caller may take files.
  static void LandFiles(UnixMessage& message);
  void FinishMessage(Receiving& receiving, UnixMessage& message) REQUIRES(lock_);
  bool IsQueueFull() const REQUIRES(lock_) { return queue_length_ > backlog_; }
  // Remembers |sender|, which waits for room in this socket's queue (accept queue).
  Result<void> AddWaiter(UnixSocket& waiter) REQUIRES(lock_);
  // Those who waited, for WakeWaiters() once the lock is gone.
  Vector<RefPtr<UnixSocket>> TakeWaiters() REQUIRES(lock_);
  static void WakeWaiters(Vector<RefPtr<UnixSocket>> waiters);

  const SocketType type_;
  mutable Mutex lock_{LockRank::kFile};
  State state_ GUARDED_BY(lock_) = State::kUnconnected;
  bool closed_ GUARDED_BY(lock_) = false;
  uint8_t shutdown_ GUARDED_BY(lock_) = 0;
  Errno error_ GUARDED_BY(lock_) = {};  // SO_ERROR
  RefPtr<UnixSocket> peer_ GUARDED_BY(lock_);
  RefPtr<UnixName> name_ GUARDED_BY(lock_);
  bool naming_ GUARDED_BY(lock_) = false;   // a bind is under way
  bool accepted_ GUARDED_BY(lock_) = true;  // false while it waits in a listener's queue
  RefPtr<Vnode> vnode_ GUARDED_BY(lock_);   // the file it is bound to
  AbstractNameNode abstract_node_{*this};
  // What came in: messages, or (listening) sockets to accept.
  UnixMessageList queue_ GUARDED_BY(lock_);
  IntrusiveList<UnixSocket> pending_ GUARDED_BY(lock_);  // each holds a reference
  uint32_t queue_length_ GUARDED_BY(lock_) = 0;
  std::atomic<uint32_t> queued_with_files_{0};
  uint32_t backlog_ GUARDED_BY(lock_) = 10;  // net.unix.max_dgram_qlen, or listen()'s
  Vector<RefPtr<UnixSocket>> waiters_ GUARDED_BY(lock_);
  bool waits_for_peer_ GUARDED_BY(lock_) = false;  // its last send found the receiver's queue full
  size_t charged_ GUARDED_BY(lock_) = 0;
  PeerCredentials peer_credentials_ GUARDED_BY(lock_);  // SO_PEERCRED
  PeerCredentials own_credentials_ GUARDED_BY(lock_);   // when it began to listen
  // ---- Options
  uint32_t send_buffer_ GUARDED_BY(lock_) = 212992;
  uint32_t receive_buffer_ GUARDED_BY(lock_) = 212992;
  std::atomic<bool> pass_credentials_{false};
  std::atomic<hal::Nanoseconds> receive_timeout_{0}, send_timeout_{0};
  // Options without effect here, by number.
  static constexpr size_t kOptions = 46;
  std::array<int32_t, kOptions> remembered_ GUARDED_BY(lock_) = {};
  int32_t linger_on_ GUARDED_BY(lock_) = 0, linger_seconds_ GUARDED_BY(lock_) = 0;
  int32_t* FindRemembered(int name) REQUIRES(lock_);

  // ---- Owned by InFlight, guarded by its lock.
  uint32_t in_flight_ = 0;  // handles to this socket that lie in queues
  uint32_t gc_internal_ = 0;
  bool gc_reachable_ = false;
  UnixSocket* gc_next_ = nullptr;
  bool gc_listed_ = false;
};

// Frees messages and closes the descriptors in them; those may be sockets whose closing frees more
// messages, and so on: done one after the other, never one inside the other. No lock held.
void DiscardMessages(UnixMessageList& messages);

// Descriptors on their way (SCM_RIGHTS). A socket whose every handle lies in the queue of a socket
// of which the same holds can never be received again: such cycles are looked for, and emptied,
// when sockets are closed while some are in flight. Bounded: kMaxInFlight handles in the whole
// system (ETOOMANYREFS), kMaxFiles in a message (EINVAL).
class InFlight {
 public:
  static constexpr size_t kMaxFiles = 253;  // SCM_MAX_FD
  static constexpr uint32_t kMaxInFlight = 16384;
  // The queues' contents change only while this is held if there are files in a message.
  inline static constinit Mutex mutex{LockRank::kFdTable};  // before kFile: queues are looked at
  static Result<void> Add(const Vector<Handle>& files) REQUIRES(mutex);
  static void Remove(const Vector<Handle>& files) REQUIRES(mutex);
  static void Collect() EXCLUDES(mutex);

 private:
  template <typename Visitor>
  static void ForEachHolder(UnixSocket& socket, Visitor visit);
  template <typename Visitor>
  static void ForEachQueued(UnixSocket& socket, Visitor visit);
  static UnixSocket* MarkCandidates() REQUIRES(mutex);
  static void MarkReachable(UnixSocket* candidates) REQUIRES(mutex);
};

}  // namespace zrun::vfs
