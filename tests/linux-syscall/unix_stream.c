// AF_UNIX streams: bind, listen, connect, accept4; what each refuses in each state.
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "check.h"

static struct sockaddr_un Address(const char* path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strcpy(address.sun_path, path);
  return address;
}

static int Socket(void) { return (int)CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0)); }

// Without room for data there is still something to wait for, the end to be seen, and descriptors
// to take.
static void ReceiveNothing(void) {
  int s[2];
  char c;
  CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s));
  CHECK_ERR(recv(s[1], &c, 0, 0), EAGAIN);
  CHECK_EQ(read(s[1], &c, 0), 0);
  char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = {0};
  struct iovec part = {"x", 1};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  *header = (struct cmsghdr){
      .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(header), &s[0], sizeof(int));
  CHECK_EQ(sendmsg(s[0], &message, 0), 1);
  CHECK_EQ(recv(s[1], &c, 0, MSG_PEEK), 0);
  message.msg_iovlen = 0;
  memset(control, 0, sizeof control);
  CHECK_EQ(recvmsg(s[1], &message, 0), 0);
  CHECK_EQ(header->cmsg_type, SCM_RIGHTS);
  int copy;
  memcpy(&copy, CMSG_DATA(header), sizeof copy);
  CHECK_OK(close(copy));
  message.msg_controllen = sizeof control;
  CHECK_EQ(recvmsg(s[1], &message, 0), 0);
  CHECK_EQ(message.msg_controllen, 0);
  CHECK_EQ(recv(s[1], &c, 1, 0), 1);
  CHECK_EQ(c, 'x');
  close(s[0]);
  CHECK_EQ(recv(s[1], &c, 0, 0), 0);
}

int main(void) {
  umask(022);
  TempDir();
  struct sockaddr_un at = Address("sock"), other = Address("other");
  const struct sockaddr* a = (struct sockaddr*)&at;
  socklen_t size = sizeof at;
  int server = Socket(), client = Socket();
  char text[16];
  CHECK_ERR(connect(client, a, size), ENOENT);
  CHECK_ERR(listen(server, 1), EINVAL);  // not bound
  CHECK_ERR(accept(server, NULL, NULL), EINVAL);
  CHECK_OK(bind(server, a, size));
  struct stat st;
  CHECK_OK(stat("sock", &st));
  CHECK_EQ(st.st_mode, S_IFSOCK | 0755);
  CHECK_ERR(bind(server, (struct sockaddr*)&other, size), EINVAL);
  CHECK_ERR(bind(client, a, size), EADDRINUSE);
  CHECK_ERR(connect(client, a, size), ECONNREFUSED);  // nobody listens yet
  CHECK_ERR(read(client, text, 1), EINVAL);
  CHECK_ERR(send(client, "x", 1, MSG_NOSIGNAL), ENOTCONN);
  CHECK_OK(listen(server, 2));
  CHECK_OK(connect(client, a, size));
  CHECK_ERR(connect(client, a, size), EISCONN);
  CHECK_ERR(connect(server, a, size), EINVAL);
  CHECK_EQ(write(client, "early", 5), 5);  // before it is accepted
  struct pollfd one = {server, POLLIN, 0};
  CHECK_EQ(poll(&one, 1, 0), 1);
  struct sockaddr_un peer;
  socklen_t length = sizeof peer;
  int conn = (int)CHECK_OK(
      accept4(server, (struct sockaddr*)&peer, &length, SOCK_CLOEXEC | SOCK_NONBLOCK));
  CHECK_EQ(length, sizeof(sa_family_t));  // clients have no name
  CHECK_EQ(peer.sun_family, AF_UNIX);
  CHECK_EQ(fcntl(conn, F_GETFD), FD_CLOEXEC);
  CHECK(fcntl(conn, F_GETFL) & O_NONBLOCK);
  CHECK_EQ(read(conn, text, 16), 5);
  CHECK_ERR(read(conn, text, 16), EAGAIN);
  CHECK_EQ(write(conn, "reply", 5), 5);
  CHECK_EQ(read(client, text, 16), 5);
  CHECK_ERR(accept4(server, NULL, NULL, 0x40), EINVAL);
  CHECK_ERR(accept(client, NULL, NULL), EINVAL);

  ReceiveNothing();

  // A full queue: non-blocking connects are put off.
  CHECK_OK(fcntl(server, F_SETFL, O_NONBLOCK));
  CHECK_ERR(accept(server, NULL, NULL), EAGAIN);
  int waiting = 0;
  for (;;) {
    int next = (int)CHECK_OK(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    if (connect(next, a, size) == -1) {
      CHECK_EQ(errno, EAGAIN);
      break;
    }
    CHECK(++waiting < 20);
  }
  CHECK_EQ(waiting, 3);  // the backlog and one
  // A blocking one waits until somebody accepts.
  pid_t pid = Fork();
  if (pid == 0) {
    int next = Socket();
    CHECK_OK(connect(next, a, size));
    _exit(0);
  }
  LetBlock(pid);
  CHECK_OK(accept(server, NULL, NULL));
  WAIT_EXIT(pid, 0);

  // The listener goes: those in its queue are reset, later ones refused; the name stays.
  int queued = Socket();
  CHECK_OK(accept(server, NULL, NULL));
  CHECK_OK(connect(queued, a, size));
  close(server);
  CHECK(read(queued, text, 1) <= 0);
  CHECK_ERR(connect(Socket(), a, size), ECONNREFUSED);
  CHECK_ERR(bind(Socket(), a, size), EADDRINUSE);
  CHECK_OK(unlink("sock"));
  server = Socket();
  CHECK_OK(bind(server, a, size));

  WriteFile("file", "x");
  struct sockaddr_un file = Address("file"), below = Address("file/x"), missing = Address("no/x");
  CHECK_ERR(connect(Socket(), (struct sockaddr*)&file, size), ECONNREFUSED);
  CHECK_ERR(connect(Socket(), (struct sockaddr*)&below, size), ENOTDIR);
  CHECK_ERR(bind(Socket(), (struct sockaddr*)&missing, size), ENOENT);
  CHECK_ERR(connect(Socket(), a, 1), EINVAL);
  CHECK_ERR(bind(Socket(), a, sizeof at + 1), EINVAL);
  struct sockaddr_un wrong = {.sun_family = AF_INET};
  CHECK_ERR(bind(Socket(), (struct sockaddr*)&wrong, size), EINVAL);
  CHECK_ERR(connect(Socket(), (struct sockaddr*)&wrong, size), EINVAL);
  CHECK_ERR(bind(0, a, size), ENOTSOCK);
  CHECK_ERR(listen(0, 1), ENOTSOCK);
  CHECK_ERR(connect(999, a, size), EBADF);
  int dgram = (int)CHECK_OK(socket(AF_UNIX, SOCK_DGRAM, 0));
  CHECK_OK(listen(server, 1));
  CHECK_ERR(connect(dgram, a, size), EPROTOTYPE);
  CHECK_ERR(listen(dgram, 1), EOPNOTSUPP);
  CHECK_ERR(accept(dgram, NULL, NULL), EOPNOTSUPP);
  if (!IsRoot()) {
    CHECK_OK(chmod("sock", 0));
    CHECK_ERR(connect(Socket(), a, size), EACCES);
  }
  return 0;
}
