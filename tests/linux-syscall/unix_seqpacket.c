// AF_UNIX SOCK_SEQPACKET: connections with message boundaries, truncation told, end of file.
#include <sys/socket.h>
#include <sys/un.h>

#include "check.h"

int main(void) {
  TempDir();
  struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "s"};
  int server = (int)CHECK_OK(socket(AF_UNIX, SOCK_SEQPACKET, 0));
  int client = (int)CHECK_OK(socket(AF_UNIX, SOCK_SEQPACKET, 0));
  CHECK_OK(bind(server, (struct sockaddr*)&at, sizeof at));
  CHECK_OK(listen(server, 1));
  CHECK_ERR(send(client, "x", 1, MSG_NOSIGNAL), ENOTCONN);
  CHECK_ERR(recv(client, &at, 1, MSG_DONTWAIT), ENOTCONN);
  CHECK_OK(connect(client, (struct sockaddr*)&at, sizeof at));
  int conn = (int)CHECK_OK(accept(server, NULL, NULL));
  CHECK_EQ(send(client, "first", 5, 0), 5);
  CHECK_EQ(send(client, "second message", 14, 0), 14);
  char text[32];
  struct iovec part = {text, 6};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  CHECK_EQ(recvmsg(conn, &message, 0), 5);
  CHECK_EQ(message.msg_flags & MSG_TRUNC, 0);
  CHECK_EQ(recvmsg(conn, &message, 0), 6);
  CHECK(message.msg_flags & MSG_TRUNC);
  CHECK_MEM(text, "second", 6);
  CHECK_ERR(recv(conn, text, 32, MSG_DONTWAIT), EAGAIN);
  int type;
  socklen_t length = sizeof type;
  CHECK_OK(getsockopt(conn, SOL_SOCKET, SO_TYPE, &type, &length));
  CHECK_EQ(type, SOCK_SEQPACKET);
  close(client);
  CHECK_EQ(recv(conn, text, 32, 0), 0);
  CHECK_ERR(send(conn, "x", 1, MSG_NOSIGNAL), EPIPE);
  return 0;
}
