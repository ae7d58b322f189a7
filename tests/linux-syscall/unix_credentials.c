// SO_PASSCRED, SCM_CREDENTIALS, SO_PEERCRED: who sent it; forging needs privilege.
#include <sys/socket.h>
#include <sys/un.h>

#include "check.h"

static char control[256] __attribute__((aligned(8)));

static bool Receive(int sock, struct ucred* from) {
  char c;
  struct iovec part = {&c, 1};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  CHECK_EQ(recvmsg(sock, &message, 0), 1);
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (!header) return false;
  CHECK_EQ(header->cmsg_level, SOL_SOCKET);
  CHECK_EQ(header->cmsg_type, SCM_CREDENTIALS);
  CHECK_EQ(header->cmsg_len, CMSG_LEN(sizeof *from));
  memcpy(from, CMSG_DATA(header), sizeof *from);
  return true;
}

static ssize_t SendAs(int sock, struct ucred as) {
  struct iovec part = {"x", 1};
  struct msghdr message = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = CMSG_SPACE(sizeof as)};
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_CREDENTIALS;
  header->cmsg_len = CMSG_LEN(sizeof as);
  memcpy(CMSG_DATA(header), &as, sizeof as);
  return sendmsg(sock, &message, 0);
}

// What was sent before either end asked for credentials has none, and is not read together with
// what has.
static void AskLate(void) {
  int s[2], on = 1;
  CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  CHECK_EQ(write(s[0], "ab", 2), 2);
  CHECK_OK(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
  CHECK_EQ(send(s[0], "cd", 2, 0), 2);
  struct ucred self = {getpid(), getuid(), getgid()}, got;
  CHECK_EQ(SendAs(s[0], self), 1);
  char data[8];
  struct iovec part = {data, sizeof data};
  for (int i = 0; i < 2; i++) {
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    CHECK_EQ(recvmsg(s[1], &message, 0), i == 0 ? 2 : 3);
    struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    CHECK(header && header->cmsg_type == SCM_CREDENTIALS);
    memcpy(&got, CMSG_DATA(header), sizeof got);
    CHECK_EQ(got.pid, i == 0 ? 0 : getpid());
    CHECK_EQ(got.uid, i == 0 ? 65534 : getuid());
    CHECK_EQ(got.gid, i == 0 ? 65534 : getgid());
  }
}

int main(void) {
  int s[2], on = 1;
  struct ucred got;
  CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
  CHECK_EQ(write(s[0], "x", 1), 1);
  CHECK(!Receive(s[1], &got));
  CHECK_OK(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
  CHECK_EQ(write(s[0], "x", 1), 1);
  CHECK(Receive(s[1], &got));
  CHECK_EQ(got.pid, getpid());
  CHECK_EQ(got.uid, getuid());
  CHECK_EQ(got.gid, getgid());
  pid_t pid = Fork();
  if (pid == 0) {
    BecomeNobody();
    struct ucred self = {getpid(), getuid(), getgid()};
    CHECK_EQ(write(s[0], "x", 1), 1);
    CHECK_EQ(SendAs(s[0], self), 1);
    struct ucred forged = self;
    forged.uid = 12345;
    CHECK_ERR(SendAs(s[0], forged), EPERM);
    forged = self;
    forged.pid = getppid();
    CHECK_ERR(SendAs(s[0], forged), EPERM);
    _exit(0);
  }
  for (int i = 0; i < 2; i++) {
    CHECK(Receive(s[1], &got));
    CHECK_EQ(got.pid, pid);
    CHECK_EQ(got.uid, IsRoot() ? 65534 : getuid());
  }
  WAIT_EXIT(pid, 0);
  if (IsRoot()) {
    struct ucred other = {getpid(), 1, 2};
    CHECK_EQ(SendAs(s[0], other), 1);
    CHECK(Receive(s[1], &got));
    CHECK_EQ(got.uid, 1);
    CHECK_EQ(got.gid, 2);
  }

  if (IsRoot()) {
    // Nobody has that number any more, or any.
    struct ucred gone = {pid, 0, 0}, none = {INT_MAX, 0, 0}, zero = {0, 0, 0};
    CHECK_ERR(SendAs(s[0], gone), ESRCH);
    CHECK_ERR(SendAs(s[0], none), ESRCH);
    CHECK_ERR(SendAs(s[0], zero), ESRCH);
  }
  AskLate();

  // The peer at the time of connecting.
  TempDir();
  struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "s"};
  int server = (int)CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
  CHECK_OK(bind(server, (struct sockaddr*)&at, sizeof at));
  CHECK_OK(listen(server, 1));
  pid = Fork();
  if (pid == 0) {
    int client = (int)CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
    CHECK_OK(connect(client, (struct sockaddr*)&at, sizeof at));
    socklen_t length = sizeof got;
    CHECK_OK(getsockopt(client, SOL_SOCKET, SO_PEERCRED, &got, &length));
    CHECK_EQ(got.pid, getppid());
    char c;
    CHECK_EQ(read(client, &c, 1), 1);
    _exit(0);
  }
  int conn = (int)CHECK_OK(accept(server, NULL, NULL));
  socklen_t length = sizeof got;
  CHECK_OK(getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &got, &length));
  CHECK_EQ(length, sizeof got);
  CHECK_EQ(got.pid, pid);
  CHECK_EQ(got.uid, geteuid());
  CHECK_EQ(write(conn, "x", 1), 1);
  WAIT_EXIT(pid, 0);
  CHECK_OK(getsockopt(server, SOL_SOCKET, SO_PEERCRED, &got, &length));
  return 0;
}
