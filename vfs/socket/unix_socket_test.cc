#include "vfs/socket/unix_socket.h"

#include <thread>

#include "objects/wait.h"
#include "vfs/eventfd.h"
#include "vfs/ramfs/ramfs.h"
#include "vfs/test_files.h"

namespace zrun::vfs {
namespace {

using testing::HandleOf;
using testing::Has;
using testing::ReadText;
using testing::WriteText;

constexpr int kUnix = 1, kStream = 1, kDatagram = 2, kSeqPacket = 5;

SocketAddress Address(std::string_view name) {
  SocketAddress address = UnnamedUnixAddress();
  memcpy(&address.bytes[2], name.data(), name.size());
  address.size = 2 + name.size();
  return address;
}

struct UnixTest : ::testing::Test, testing::Tree {
  UnixTest() : Tree(MountRamfs("", "").value()) {
    caller.emplace(SocketCaller{*walk, {42, 0, 0}, {42, 0, 0}, 022});
  }
  RefPtr<Socket> Make(int type) {
    return CreateSocket(kUnix, type, 0, OpenFlags::kNonBlock, {}).value();
  }
  SocketPair Pair(int type) { return CreateSocketPair(kUnix, type, 0, {}, {}, {42, 0, 0}).value(); }
  long Send(Socket& socket, std::string_view text, const SocketAddress* to = nullptr,
            Vector<Handle> files = {}) {
    SpanSource source(std::as_bytes(std::span(text.data(), text.size())));
    SendMessage message{source, {}, to, std::move(files)};
    auto done = socket.Send(message, *caller);
    return done.ok() ? long(done.value()) : -long(done.error());
  }
  struct Received {
    std::string text;
    Vector<Handle> files;
    MessageFlags flags{};
    size_t full = 0;
    SocketAddress from;
    std::optional<PeerCredentials> credentials;
  };
  Received Receive(Socket& socket, size_t size = 65536, MessageFlags flags = {}) {
    std::string buffer(size, '\0');
    SpanSink sink(std::as_writable_bytes(std::span(buffer)));
    ReceiveMessage message{sink, flags};
    auto done = socket.Receive(message);
    if (!done.ok()) return {"!" + std::string(ErrnoName(done.error())), {}, {}, 0, {}, {}};
    buffer.resize(done.value());
    return {buffer,          std::move(message.files), message.out_flags, message.full_size,
            message.address, message.credentials};
  }
  std::optional<SocketCaller> caller;
};

TEST_F(UnixTest, OnlyKnownFamiliesAndTypes) {
  EXPECT_EQ(CreateSocket(2, 1, 0, {}, {}).error(), Errno::kEAFNOSUPPORT);
  EXPECT_EQ(CreateSocket(1, 4, 0, {}, {}).error(), Errno::kESOCKTNOSUPPORT);
  EXPECT_EQ(CreateSocket(1, 1, 6, {}, {}).error(), Errno::kEPROTONOSUPPORT);
}

TEST_F(UnixTest, StreamPairCarriesBytes) {
  auto pair = Pair(kStream);
  Handle a = HandleOf(pair.first), b = HandleOf(pair.second);
  EXPECT_EQ(WriteText(*pair.first, "hello"), 5);
  EXPECT_EQ(WriteText(*pair.first, " world"), 6);
  EXPECT_TRUE(Has(*pair.second, Signals::kReadable | Signals::kWritable));
  EXPECT_EQ(ReadText(*pair.second, 7), "hello w");
  EXPECT_EQ(ReadText(*pair.second), "orld");
  EXPECT_EQ(ReadText(*pair.second), "!EAGAIN");
}

TEST_F(UnixTest, ClosingEndsTheStream) {
  auto pair = Pair(kStream);
  Handle a = HandleOf(pair.first), b = HandleOf(pair.second);
  WriteText(*pair.first, "last");
  a = Handle();
  EXPECT_TRUE(Has(*pair.second, Signals::kPeerClosed | Signals::kReadClosed));
  EXPECT_EQ(ReadText(*pair.second), "last");
  EXPECT_EQ(ReadText(*pair.second), "");
  EXPECT_EQ(WriteText(*pair.second, "x"), -long(Errno::kEPIPE));
}

TEST_F(UnixTest, ClosingWithUnreadBytesResets) {
  auto pair = Pair(kStream);
  Handle a = HandleOf(pair.first), b = HandleOf(pair.second);
  WriteText(*pair.second, "unread");
  a = Handle();
  EXPECT_TRUE(Has(*pair.second, Signals::kError));
  EXPECT_EQ(ReadText(*pair.second), "!ECONNRESET");
  EXPECT_EQ(ReadText(*pair.second), "");
}

TEST_F(UnixTest, ShutdownWorksOneWay) {
  auto pair = Pair(kStream);
  Handle a = HandleOf(pair.first), b = HandleOf(pair.second);
  EXPECT_TRUE(pair.first->Shutdown(1).ok());
  EXPECT_EQ(WriteText(*pair.first, "x"), -long(Errno::kEPIPE));
  EXPECT_EQ(ReadText(*pair.second), "");
  EXPECT_TRUE(Has(*pair.second, Signals::kReadClosed));
  EXPECT_FALSE(Has(*pair.second, Signals::kPeerClosed));
  EXPECT_EQ(WriteText(*pair.second, "y"), 1);
  EXPECT_EQ(ReadText(*pair.first), "y");
}

TEST_F(UnixTest, FullStreamsBlockUntilDrained) {
  auto pair = Pair(kStream);
  Handle a = HandleOf(pair.first), b = HandleOf(pair.second);
  size_t sent = 0;
  for (;;) {
    const long done = WriteText(*pair.first, std::string(10000, 'x'));
    if (done < 0) {
      EXPECT_EQ(done, -long(Errno::kEAGAIN));
      break;
    }
    sent += size_t(done);
  }
  EXPECT_FALSE(Has(*pair.first, Signals::kWritable));
  size_t received = 0;
  while (received < sent) received += ReadText(*pair.second).size();
  EXPECT_TRUE(Has(*pair.first, Signals::kWritable));
}

TEST_F(UnixTest, ListensAndConnects) {
  for (std::string_view name : {std::string_view("/s"), std::string_view("\0abstract", 9)}) {
    auto listener = Make(kStream);
    Handle handle = HandleOf(listener);
    EXPECT_EQ(listener->Listen(1, *caller).error(), Errno::kEINVAL);
    EXPECT_TRUE(listener->Bind(Address(name), *caller).ok());
    auto other = Make(kStream);
    Handle other_handle = HandleOf(other);
    EXPECT_EQ(other->Bind(Address(name), *caller).error(), Errno::kEADDRINUSE);
    auto client = Make(kStream);
    Handle client_handle = HandleOf(client);
    EXPECT_EQ(client->Connect(Address(name), *caller).error(), Errno::kECONNREFUSED);
    EXPECT_TRUE(listener->Listen(1, *caller).ok());
    SocketAddress peer;
    EXPECT_EQ(listener->Accept({}, peer, *caller).error(), Errno::kEAGAIN);
    EXPECT_TRUE(client->Connect(Address(name), *caller).ok());
    EXPECT_EQ(client->Connect(Address(name), *caller).error(), Errno::kEISCONN);
    EXPECT_TRUE(Has(*listener, Signals::kReadable));
    EXPECT_EQ(Send(*client, "early"), 5);
    auto accepted = listener->Accept({}, peer, *caller).value();
    Handle accepted_handle = HandleOf(accepted);
    EXPECT_FALSE(Has(*listener, Signals::kReadable));
    EXPECT_EQ(ReadText(*accepted), "early");
    EXPECT_EQ(WriteText(*accepted, "answer"), 6);
    EXPECT_EQ(ReadText(*client), "answer");
    EXPECT_EQ(client->PeerAddress().value().size, name[0] ? name.size() + 3 : name.size() + 2);
    PeerCredentials credentials_of_peer;
    EXPECT_TRUE(AsSocket(accepted)
                    .value()
                    ->GetOption(1, 17, std::as_writable_bytes(std::span(&credentials_of_peer, 1)))
                    .ok());
    EXPECT_EQ(credentials_of_peer.pid, 42);
    auto wrong = Make(kDatagram);
    Handle wrong_handle = HandleOf(wrong);
    // Abstract names are each type's own.
    EXPECT_EQ(wrong->Connect(Address(name), *caller).error(),
              name[0] ? Errno::kEPROTOTYPE : Errno::kECONNREFUSED);
  }
}

TEST_F(UnixTest, TheBacklogIsLimited) {
  auto listener = Make(kStream);
  Handle handle = HandleOf(listener);
  EXPECT_TRUE(listener->Bind(Address(std::string_view("\0b", 2)), *caller).ok());
  EXPECT_TRUE(listener->Listen(0, *caller).ok());
  auto first = Make(kStream), second = Make(kStream);
  Handle a = HandleOf(first), b = HandleOf(second);
  const auto name = Address(std::string_view("\0b", 2));
  EXPECT_TRUE(first->Connect(name, *caller).ok());
  EXPECT_EQ(second->Connect(name, *caller).error(), Errno::kEAGAIN);
  EXPECT_FALSE(Has(*second, Signals::kUser));
  SocketAddress peer;
  Handle c = HandleOf(listener->Accept({}, peer, *caller).value());
  EXPECT_TRUE(Has(*second, Signals::kUser));
  EXPECT_TRUE(second->Connect(name, *caller).ok());
  handle = Handle();  // never accepted
  EXPECT_EQ(ReadText(*second), "!ECONNRESET");
}

TEST_F(UnixTest, DatagramsKeepTheirBounds) {
  auto pair = Pair(kDatagram);
  Handle a = HandleOf(pair.first), b = HandleOf(pair.second);
  EXPECT_EQ(Send(*pair.first, "one"), 3);
  EXPECT_EQ(Send(*pair.first, ""), 0);
  EXPECT_EQ(Send(*pair.first, "three"), 5);
  EXPECT_EQ(Receive(*pair.second, 10, MessageFlags::kPeek).text, "one");
  EXPECT_EQ(Receive(*pair.second).text, "one");
  EXPECT_EQ(Receive(*pair.second).text, "");
  const Received cut = Receive(*pair.second, 2);
  EXPECT_EQ(cut.text, "th");
  EXPECT_EQ(cut.full, 5u);
  EXPECT_TRUE(HasAny(cut.flags, MessageFlags::kTruncated));
  EXPECT_EQ(Send(*pair.first, std::string(300000, 'x')), -long(Errno::kEMSGSIZE));
  b = Handle();
  EXPECT_EQ(Send(*pair.first, "x"), -long(Errno::kECONNREFUSED));
}

TEST_F(UnixTest, DatagramsGoToNames) {
  auto server = Make(kDatagram), client = Make(kDatagram);
  Handle a = HandleOf(server), b = HandleOf(client);
  EXPECT_TRUE(server->Bind(Address("/srv"), *caller).ok());
  const auto name = Address("/srv");
  EXPECT_EQ(Send(*client, "anonymous", &name), 9);
  EXPECT_EQ(Receive(*server).from.size, 0u);
  EXPECT_TRUE(client->Bind(UnnamedUnixAddress(), *caller).ok());  // autobind
  EXPECT_EQ(Send(*client, "named", &name), 5);
  EXPECT_EQ(Receive(*server).from.size, 8u);
  EXPECT_EQ(Send(*client, "nowhere"), -long(Errno::kENOTCONN));
  // The queue is short, and room in it is told.
  long done = 0;
  int count = 0;
  while ((done = Send(*client, "x", &name)) == 1) count++;
  EXPECT_EQ(done, -long(Errno::kEAGAIN));
  EXPECT_EQ(count, 11);
  EXPECT_FALSE(Has(*client, Signals::kWritable));
  Receive(*server);
  EXPECT_TRUE(Has(*client, Signals::kWritable));
}

TEST_F(UnixTest, SeqPacketsAreConnectedRecords) {
  auto pair = Pair(kSeqPacket);
  Handle a = HandleOf(pair.first), b = HandleOf(pair.second);
  Send(*pair.first, "one");
  Send(*pair.first, "two");
  EXPECT_EQ(Receive(*pair.second).text, "one");
  a = Handle();
  EXPECT_EQ(Receive(*pair.second).text, "two");
  EXPECT_EQ(Receive(*pair.second).text, "");
  EXPECT_EQ(Send(*pair.second, "x"), -long(Errno::kEPIPE));
}

Vector<Handle> Files(std::initializer_list<RefPtr<FileDescription>> files) {
  Vector<Handle> handles;
  for (const auto& file : files) EXPECT_TRUE(handles.PushBack(HandleOf(file)).ok());
  return handles;
}

TEST_F(UnixTest, PassesDescriptors) {
  for (int type : {kStream, kDatagram, kSeqPacket}) {
    auto pair = Pair(type);
    Handle a = HandleOf(pair.first), b = HandleOf(pair.second);
    auto event = CreateEventFd(0, false, {}).value();
    EXPECT_EQ(Send(*pair.first, "fd", nullptr, Files({event, event})), 2);
    EXPECT_EQ(event->handle_count(), 2u);
    Received peeked = Receive(*pair.second, 10, MessageFlags::kPeek);
    EXPECT_EQ(peeked.files.size(), 2u);
    EXPECT_EQ(event->handle_count(), 4u);
    peeked.files.Clear();
    Received received = Receive(*pair.second);
    EXPECT_EQ(received.text, "fd");
    ASSERT_EQ(received.files.size(), 2u);
    EXPECT_EQ(received.files[0].object().get(), event.get());
    EXPECT_EQ(event->handle_count(), 2u);
    received.files.Clear();
    EXPECT_EQ(event->handle_count(), 0u);
  }
}

TEST_F(UnixTest, DescriptorsStopAStreamRead) {
  auto pair = Pair(kStream);
  Handle a = HandleOf(pair.first), b = HandleOf(pair.second);
  auto event = CreateEventFd(0, false, {}).value();
  Send(*pair.first, "ab");
  Send(*pair.first, "cd", nullptr, Files({event}));
  Send(*pair.first, "ef");
  Received first = Receive(*pair.second);
  if (first.text == "ab") first = Receive(*pair.second);  // either way, "ef" comes later
  EXPECT_TRUE(first.text == "abcd" || first.text == "cd");
  EXPECT_EQ(first.files.size(), 1u);
  EXPECT_EQ(Receive(*pair.second).text, "ef");
}

TEST_F(UnixTest, UnreadDescriptorsAreClosed) {
  auto event = CreateEventFd(0, false, {}).value();
  auto pair = Pair(kStream);
  Handle a = HandleOf(pair.first), b = HandleOf(pair.second);
  Send(*pair.first, "x", nullptr, Files({event}));
  b = Handle();
  EXPECT_EQ(event->handle_count(), 0u);
}

TEST_F(UnixTest, CyclesInFlightAreCollected) {
  auto event = CreateEventFd(0, false, {}).value();
  auto one = Pair(kStream), two = Pair(kStream);
  Handle a = HandleOf(one.first), b = HandleOf(one.second);
  Handle c = HandleOf(two.first), d = HandleOf(two.second);
  // Each pair's receiving end lies in the other's queue, with the event beside it.
  Send(*one.first, "x", nullptr, Files({two.second, event}));
  Send(*two.first, "x", nullptr, Files({one.second, event}));
  EXPECT_EQ(event->handle_count(), 2u);
  b = Handle();
  d = Handle();
  HandleOf(Make(kStream));  // closed at once: the occasion to look for cycles
  EXPECT_EQ(event->handle_count(), 0u);
  EXPECT_TRUE(Has(*one.first, Signals::kPeerClosed));
  EXPECT_TRUE(Has(*two.first, Signals::kPeerClosed));
}

TEST_F(UnixTest, SocketsReachableThroughAQueueAreKept) {
  auto outer = Pair(kStream), inner = Pair(kStream);
  Handle a = HandleOf(outer.first), b = HandleOf(outer.second);
  {
    Handle c = HandleOf(inner.first), d = HandleOf(inner.second);
    Send(*inner.first, "deep");
    Send(*outer.first, "x", nullptr, Files({inner.second}));
  }
  Handle extra = HandleOf(Make(kStream));
  extra = Handle();  // a close that collects
  Received received = Receive(*outer.second);
  ASSERT_EQ(received.files.size(), 1u);
  auto file = Downcast<FileDescription>(received.files[0].object());
  EXPECT_EQ(ReadText(*file), "deep");
}

TEST_F(UnixTest, LongChainsOfQueuesDoNotRecurse) {
  auto first = Pair(kStream);
  Handle keep = HandleOf(first.first);
  RefPtr<Socket> last = first.second;
  Vector<Handle> senders;
  std::optional<Handle> last_handle = HandleOf(last);
  for (int i = 0; i < 2000; i++) {
    auto next = Pair(kStream);
    ASSERT_TRUE(senders.PushBack(HandleOf(next.first)).ok());
    Vector<Handle> files;
    ASSERT_TRUE(files.PushBack(std::move(*last_handle)).ok());
    ASSERT_EQ(Send(*next.first, "x", nullptr, std::move(files)), 1);
    last_handle = HandleOf(next.second);
  }
  EXPECT_FALSE(Has(*first.first, Signals::kPeerClosed));
  last_handle.reset();
  EXPECT_TRUE(Has(*first.first, Signals::kPeerClosed));
}

TEST_F(UnixTest, CredentialsComeWhereAskedFor) {
  auto pair = Pair(kStream);
  Handle a = HandleOf(pair.first), b = HandleOf(pair.second);
  const int32_t on = 1;
  Send(*pair.first, "x");
  EXPECT_FALSE(Receive(*pair.second).credentials.has_value());
  EXPECT_TRUE(pair.second->SetOption(1, 16, std::as_bytes(std::span(&on, 1)), *caller).ok());
  Send(*pair.first, "y");
  const auto received = Receive(*pair.second);
  ASSERT_TRUE(received.credentials.has_value());
  EXPECT_EQ(received.credentials->pid, 42);
}

TEST_F(UnixTest, StreamsSurviveThreads) {
  auto pair = Pair(kStream);
  Handle a = HandleOf(pair.first), b = HandleOf(pair.second);
  constexpr size_t kTotal = 4 << 20;
  std::thread writer([&] {
    size_t sent = 0;
    const std::string block(9999, 'z');
    while (sent < kTotal) {
      const long done = WriteText(
          *pair.first, std::string_view(block).substr(0, std::min(block.size(), kTotal - sent)));
      if (done > 0) {
        sent += size_t(done);
      } else {
        ASSERT_TRUE(WaitOne(*pair.first, pair.first->write_signals(), hal::Deadline::Never()).ok());
      }
    }
    a = Handle();
  });
  size_t received = 0;
  for (;;) {
    const std::string text = ReadText(*pair.second, 12345);
    if (text == "!EAGAIN") {
      ASSERT_TRUE(WaitOne(*pair.second, pair.second->read_signals(), hal::Deadline::Never()).ok());
      continue;
    }
    if (text.empty()) break;
    received += text.size();
  }
  writer.join();
  EXPECT_EQ(received, kTotal);
}

}  // namespace
}  // namespace zrun::vfs
