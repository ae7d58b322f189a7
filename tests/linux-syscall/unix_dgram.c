// AF_UNIX datagrams: senders' names, connected peers, full queues, refusals.
#include <sys/socket.h>
#include <sys/un.h>

#include "check.h"

static struct sockaddr_un Address(const char* path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strcpy(address.sun_path, path);
  return address;
}

static int Bound(const char* path) {
  struct sockaddr_un address = Address(path);
  int fd = (int)CHECK_OK(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0));
  CHECK_OK(bind(fd, (struct sockaddr*)&address, sizeof address));
  return fd;
}

int main(void) {
  TempDir();
  struct sockaddr_un at_a = Address("a"), at_b = Address("b"), from;
  socklen_t size = sizeof at_a, length = sizeof from;
  int a = Bound("a"), b = Bound("b");
  int nameless = (int)CHECK_OK(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0));
  char text[32];
  CHECK_EQ(sendto(a, "to b", 4, 0, (struct sockaddr*)&at_b, size), 4);
  CHECK_EQ(sendto(nameless, "anon", 4, 0, (struct sockaddr*)&at_b, size), 4);
  CHECK_EQ(recvfrom(b, text, 32, 0, (struct sockaddr*)&from, &length), 4);
  CHECK_STR(from.sun_path, "a");
  CHECK_EQ(length, sizeof(sa_family_t) + 2);
  length = sizeof from;
  CHECK_EQ(recvfrom(b, text, 32, 0, (struct sockaddr*)&from, &length), 4);
  CHECK(length == 0 || length == sizeof(sa_family_t));
  CHECK_ERR(send(nameless, "x", 1, 0), ENOTCONN);
  CHECK_ERR(
      sendto(a, "x", 1, 0,
             (struct sockaddr*)&(struct sockaddr_un){.sun_family = AF_UNIX, .sun_path = "c"}, size),
      ENOENT);

  // A peer chosen once; it takes only from the one it is connected to.
  CHECK_OK(connect(nameless, (struct sockaddr*)&at_a, size));
  CHECK_EQ(send(nameless, "hello", 5, 0), 5);
  CHECK_EQ(recv(a, text, 32, 0), 5);
  CHECK_OK(connect(b, (struct sockaddr*)&at_a, size));
  CHECK_ERR(sendto(nameless, "x", 1, 0, (struct sockaddr*)&at_b, size), EPERM);
  CHECK_EQ(sendto(a, "ok", 2, 0, (struct sockaddr*)&at_b, size), 2);
  CHECK_EQ(recv(b, text, 32, 0), 2);
  // AF_UNSPEC takes the peer away.
  struct sockaddr unspec = {.sa_family = AF_UNSPEC};
  CHECK_OK(connect(nameless, &unspec, sizeof unspec));
  CHECK_ERR(send(nameless, "x", 1, 0), ENOTCONN);

  // A full queue; messages larger than the buffer.
  CHECK_OK(connect(nameless, (struct sockaddr*)&at_a, size));
  int sent = 0;
  while (send(nameless, "m", 1, 0) == 1) CHECK(++sent < 100000);
  CHECK_EQ(errno, EAGAIN);
  for (int i = 0; i < sent; i++) CHECK_EQ(recv(a, text, 32, 0), 1);
  CHECK_ERR(recv(a, text, 32, 0), EAGAIN);
  static char large[1 << 20];
  int buffer = 20000;
  CHECK_OK(setsockopt(nameless, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer));
  CHECK_ERR(send(nameless, large, sizeof large, 0), EMSGSIZE);

  // The peer goes.
  close(a);
  CHECK_ERR(send(nameless, "x", 1, MSG_NOSIGNAL), ECONNREFUSED);
  CHECK_ERR(connect(nameless, (struct sockaddr*)&at_a, size), ECONNREFUSED);
  int stream = (int)CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
  CHECK_ERR(connect(stream, (struct sockaddr*)&at_b, size), EPROTOTYPE);
  return 0;
}
