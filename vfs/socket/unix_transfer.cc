// Sending and receiving.
#include "vfs/socket/unix_socket.h"
#include "vfs/tty/tty.h"

namespace zrun::vfs {
namespace {

// With the heap's header 8 pages, which is a run that the page allocator keeps for the next piece.
constexpr size_t kStreamPiece = (32 << 10) - 128;
// What a message costs beside its bytes, so that many small ones stay bounded too.
constexpr size_t kMessageOverhead = 256;

constexpr uint32_t kOverflowId = 65534;  // fs.overflowuid

bool SameCredentials(const PeerCredentials& a, const PeerCredentials& b) {
  return a.pid == b.pid && a.uid == b.uid && a.gid == b.gid;
}

}  // namespace

// ---- Sending

Result<void> UnixSocket::Charge(size_t size) {
  MutexLock lock(lock_);
  if (charged_ >= send_buffer_) {
    Refresh();
    return Errno::kEAGAIN;
  }
  charged_ += size;
  Refresh();
  return {};
}

void UnixSocket::Uncharge(size_t size) {
  MutexLock lock(lock_);
  charged_ -= size;
  Refresh();
}

Result<OwnPtr<UnixMessage>> UnixSocket::NewMessage(size_t size,
                                                   const PeerCredentials& credentials) {
  auto message = TRY(MakeOwned<UnixMessage>());
  message->bytes.reset(new (std::nothrow) std::byte[std::max<size_t>(size, 1)]);
  if (!message->bytes) return Errno::kENOMEM;
  message->credentials = credentials;
  TRY(Charge(size + kMessageOverhead));
  message->charge = size + kMessageOverhead;
  message->size = size;
  message->sender = RefPtr<UnixSocket>(this);
  MutexLock lock(lock_);
  message->from = name_;
  return message;
}

Result<void> UnixSocket::EnqueueLocked(OwnPtr<UnixMessage>& message) {
  if (closed_) return is_datagram() ? Errno::kECONNREFUSED : Errno::kEPIPE;
  if (shutdown_ & kNoReceive) return Errno::kEPIPE;
  if (!message->files.empty()) queued_with_files_++;
  queue_.PushBack(*message.release());
  queue_length_++;
  Refresh(Signals::kReadable);
  return {};
}

Result<void> UnixSocket::Enqueue(OwnPtr<UnixMessage>& message) {
  if (message->files.empty()) {
    MutexLock lock(lock_);
    return EnqueueLocked(message);
  }
  MutexLock in_flight(InFlight::mutex);
  TRY(InFlight::Add(message->files));
  UnixMessage& sent = *message;
  MutexLock lock(lock_);
  auto done = EnqueueLocked(message);
  if (!done.ok()) InFlight::Remove(sent.files);
  return done;
}

PeerCredentials UnixSocket::SenderOf(const SendMessage& message, const UnixSocket& receiver,
                                     const SocketCaller* caller) const {
  if (message.credentials) return *message.credentials;
  if (!pass_credentials_.load() && !receiver.pass_credentials_.load()) return {};
  if (caller) return caller->sender;
  JobControl* const jobs = GetJobControl();
  if (!jobs) return {};
  const auto writer = jobs->GetCaller();
  return {writer.process, writer.real_uid, writer.real_gid};
}

Result<size_t> UnixSocket::SendStream(SendMessage& message, const SocketCaller* caller) {
  RefPtr<UnixSocket> peer;
  {
    MutexLock lock(lock_);
    if (message.address) return state_ == State::kConnected ? Errno::kEISCONN : Errno::kEOPNOTSUPP;
    if (shutdown_ & kNoSend) return Errno::kEPIPE;
    if (state_ != State::kConnected || !peer_) return Errno::kENOTCONN;
    peer = peer_;
  }
  size_t done = 0;
  while (message.data.remaining() != 0) {
    const size_t size = std::min(message.data.remaining(), kStreamPiece);
    auto made = NewMessage(size, SenderOf(message, *peer, caller));
    if (!made.ok()) {
      if (done > 0) break;
      return made.error();
    }
    OwnPtr<UnixMessage> piece = std::move(made).value();
    auto taken = message.data.Take({piece->bytes.get(), size});
    // A piece that a fault cut short does not count at all, as on Linux.
    if (!taken.ok() || taken.value() < size) {
      Uncharge(piece->charge);
      if (done > 0) break;
      return Errno::kEFAULT;
    }
    if (done == 0) piece->files = std::move(message.files);
    if (auto queued = peer->Enqueue(piece); !queued.ok()) {
      Uncharge(piece->charge);
      if (done > 0) break;
      message.files = std::move(piece->files);
      return queued.error();
    }
    done += size;
  }
  return done;
}

// Two sockets are locked at a time, which the analysis cannot follow.
Result<void> UnixSocket::CheckReceiver(UnixSocket& receiver) NO_THREAD_SAFETY_ANALYSIS {
  LockBoth lock(lock_, receiver.lock_);
  if (shutdown_ & kNoSend) return Errno::kEPIPE;
  if (receiver.closed_) {
    if (!is_datagram()) return Errno::kEPIPE;
    if (peer_.get() == &receiver) peer_ = nullptr;  // the caller's reference is another
    return Errno::kECONNREFUSED;
  }
  if (receiver.shutdown_ & kNoReceive) return Errno::kEPIPE;
  if (!is_datagram()) return {};
  const bool connected_back = receiver.peer_.get() == this;
  if (receiver.peer_ && !connected_back) return Errno::kEPERM;
  if (!connected_back && &receiver != this && receiver.IsQueueFull()) {
    TRY(receiver.AddWaiter(*this));
    waits_for_peer_ = true;
    Refresh();
    return Errno::kEAGAIN;
  }
  return {};
}

Result<size_t> UnixSocket::SendRecord(SendMessage& message, const SocketCaller* caller) {
  RefPtr<UnixSocket> receiver;
  if (message.address && is_datagram() && caller) {
    receiver = TRY(FindTarget(*message.address, *caller));
  } else {
    MutexLock lock(lock_);
    if (!is_datagram() && (shutdown_ & kNoSend)) return Errno::kEPIPE;
    receiver = peer_;
  }
  if (!receiver) return Errno::kENOTCONN;
  const size_t size = message.data.remaining();
  {
    MutexLock lock(lock_);
    if (size + 32 > send_buffer_) return Errno::kEMSGSIZE;
  }
  if (pass_credentials_.load()) TRY(Autobind());
  TRY(CheckReceiver(*receiver));
  OwnPtr<UnixMessage> record = TRY(NewMessage(size, SenderOf(message, *receiver, caller)));
  size_t done = 0;
  if (size > 0) {
    auto taken = message.data.Take({record->bytes.get(), size});
    if (!taken.ok() || taken.value() < size) {
      Uncharge(record->charge);
      return Errno::kEFAULT;
    }
    done = taken.value();
  }
  record->files = std::move(message.files);
  if (auto queued = receiver->Enqueue(record); !queued.ok()) {
    Uncharge(record->charge);
    message.files = std::move(record->files);
    return queued.error();
  }
  return done;
}

Result<size_t> UnixSocket::SendAs(SendMessage& message, const SocketCaller* caller) {
  if (HasAny(message.flags, MessageFlags::kOutOfBand)) return Errno::kEOPNOTSUPP;
  if (message.files.size() > InFlight::kMaxFiles) return Errno::kEINVAL;
  return type_ == SocketType::kStream ? SendStream(message, caller) : SendRecord(message, caller);
}

Result<size_t> UnixSocket::Send(SendMessage& message, const SocketCaller& caller) {
  return SendAs(message, &caller);
}

Result<size_t> UnixSocket::Write(DataSource& source) {
  SendMessage message{source};
  return SendAs(message, nullptr);
}

// ---- Receiving

Result<size_t> UnixSocket::NothingToReceive() {
  if (error_ != Errno{}) {
    const Errno error = std::exchange(error_, Errno{});
    Refresh();
    return error;
  }
  if (shutdown_ & kNoReceive) return 0;
  if (!is_datagram() && state_ != State::kConnected)
    return type_ == SocketType::kStream ? Errno::kEINVAL : Errno::kENOTCONN;
  return Errno::kEAGAIN;
}

Result<void> UnixSocket::TakeAncillary(ReceiveMessage& out, UnixMessage& message, bool peek) {
  if (pass_credentials_.load()) {
    out.credentials = message.credentials;
    // Nobody had asked when it was sent.
    if (out.credentials->uid == UINT32_MAX) out.credentials->uid = kOverflowId;
    if (out.credentials->gid == UINT32_MAX) out.credentials->gid = kOverflowId;
  }
  if (message.from) out.address = message.from->address();
  if (message.files.empty()) return {};
  if (!peek) queued_with_files_--;
  if (peek) {
    for (const Handle& file : message.files) TRY(out.files.PushBack(TRY(file.Duplicate())));
  } else {
    out.files = std::move(message.files);
  }
  return {};
}

// Receive() holds the lock of descriptors in flight where it is needed, which the analysis cannot
// see.
void UnixSocket::LandFiles(UnixMessage& message) NO_THREAD_SAFETY_ANALYSIS {
  InFlight::Remove(message.files);
}

void UnixSocket::FinishMessage(Receiving& receiving, UnixMessage& message) {
  queue_.Remove(message);
  queue_length_--;
  receiving.done.PushBack(message);
}

Result<size_t> UnixSocket::ReceiveStream(Receiving& receiving) {
  ReceiveMessage& out = receiving.out;
  const bool peek = HasAny(out.flags, MessageFlags::kPeek);
  size_t copied = 0;
  bool found = false;  // without room for data, there are files to be taken or nothing to wait for
  PeerCredentials first;
  UnixMessage* next = nullptr;
  for (UnixMessage* message = queue_.front(); message && (!found || out.data.remaining() != 0);
       message = next) {
    next = queue_.NextOf(*message);
    const bool has_files = !message->files.empty();
    if (has_files && !receiving.may_take_files) {
      receiving.needs_files = copied == 0;
      break;
    }
    // Bytes of different senders do not mix where the reader wants to know who they are from.
    if (!found) first = message->credentials;
    if (pass_credentials_.load() && !SameCredentials(first, message->credentials)) break;
    const size_t wanted = std::min(message->left(), out.data.remaining());
    auto given = out.data.Put({message->bytes.get() + message->consumed, wanted});
    if (!given.ok()) {
      if (copied > 0) break;
      return given.error();
    }
    copied += given.value();
    found = true;
    if (has_files && !peek) LandFiles(*message);
    TRY(TakeAncillary(out, *message, peek));
    if (!peek) {
      message->consumed += given.value();
      if (message->left() == 0) FinishMessage(receiving, *message);
    }
    if (has_files || given.value() < wanted) break;
  }
  if (receiving.needs_files) return 0;
  if (!found) return NothingToReceive();
  out.full_size = copied;
  return copied;
}

Result<size_t> UnixSocket::ReceiveRecord(Receiving& receiving) {
  ReceiveMessage& out = receiving.out;
  const bool peek = HasAny(out.flags, MessageFlags::kPeek);
  UnixMessage* const message = queue_.front();
  if (!message) return NothingToReceive();
  if (!message->files.empty() && !receiving.may_take_files) {
    receiving.needs_files = true;
    return 0;
  }
  out.full_size = message->size;
  const size_t wanted = std::min(message->size, out.data.remaining());
  if (wanted < message->size) out.out_flags |= MessageFlags::kTruncated;
  size_t copied = 0;
  bool faulted = false;
  if (wanted > 0) {
    auto given = out.data.Put({message->bytes.get(), wanted});
    faulted = !given.ok() || given.value() < wanted;
    if (given.ok()) copied = given.value();
  }
  if (!faulted) {
    if (!peek && receiving.may_take_files) LandFiles(*message);
    TRY(TakeAncillary(out, *message, peek));
  } else if (!peek && !message->files.empty()) {
    queued_with_files_--;
  }
  if (!peek) FinishMessage(receiving, *message);
  if (faulted) return Errno::kEFAULT;
  return copied;
}

// The lock of descriptors in flight is taken only where there are some.
Result<size_t> UnixSocket::Receive(ReceiveMessage& message) {
  if (HasAny(message.flags, MessageFlags::kOutOfBand)) return Errno::kEOPNOTSUPP;
  if (HasAny(message.flags, MessageFlags::kErrorQueue)) return Errno::kEAGAIN;
  Receiving receiving(message);
  Vector<RefPtr<UnixSocket>> waiters;
  const auto receive = [&] {
    MutexLock lock(lock_);
    auto result =
        type_ == SocketType::kStream ? ReceiveStream(receiving) : ReceiveRecord(receiving);
    if (!receiving.done.empty() || shutdown_ != 0) Refresh();
    if (is_datagram() && !waiters_.empty() && !IsQueueFull()) waiters = TakeWaiters();
    return result;
  };
  const auto receive_with_files = [&] {
    receiving.needs_files = false;
    receiving.may_take_files = true;
    MutexLock in_flight(InFlight::mutex);
    return receive();
  };
  const auto finish = [&](Result<size_t> result) {
    WakeWaiters(std::move(waiters));
    DiscardMessages(receiving.done);
    return result;
  };
  // Most often there are none; one that comes in between is found out, too.
  if (queued_with_files_.load() > 0) return finish(receive_with_files());
  auto result = receive();
  return finish(receiving.needs_files ? receive_with_files() : std::move(result));
}

Result<size_t> UnixSocket::Read(DataSink& sink) {
  if (sink.remaining() == 0) return 0;
  ReceiveMessage message{sink};
  return Receive(message);
}

}  // namespace zrun::vfs
