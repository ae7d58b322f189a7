// SCM_RIGHTS: descriptors travel, also through streams, with peeks, in number, and are closed when
// nobody takes them.
#include <poll.h>
#include <sys/socket.h>

#include "check.h"

static char control[CMSG_SPACE(300 * sizeof(int))] __attribute__((aligned(8)));

static ssize_t Send(int sock, const char* text, size_t size, const int* fds, size_t count) {
  struct iovec part = {(void*)text, size};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (count > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), fds, count * sizeof(int));
  }
  return sendmsg(sock, &message, MSG_NOSIGNAL);
}

// Yields the number of bytes; descriptors go to `fds`, their number to *count, the message's flags
// to *flags.
static ssize_t Receive(int sock, char* text, size_t size, int* fds, size_t* count, size_t room,
                       int how, int* flags) {
  struct iovec part = {text, size};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room};
  ssize_t n = recvmsg(sock, &message, how);
  *count = 0;
  *flags = message.msg_flags;
  if (n >= 0)
    for (struct cmsghdr* h = CMSG_FIRSTHDR(&message); h; h = CMSG_NXTHDR(&message, h)) {
      CHECK_EQ(h->cmsg_type, SCM_RIGHTS);
      size_t got = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      memcpy(fds + *count, CMSG_DATA(h), got * sizeof(int));
      *count += got;
    }
  return n;
}

static int CloseSomeSocket(void) {
  return close((int)CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0))) == 0;
}

int main(void) {
  TempDir();
  int s[2], fds[300], flags;
  size_t count, all = sizeof control;
  char text[16];
  CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  WriteFile("f", "0123456789");
  int file = (int)CHECK_OK(open("f", O_RDONLY));
  CHECK_OK(lseek(file, 3, SEEK_SET));

  // To another process, which shares the offset.
  pid_t pid = Fork();
  if (pid == 0) {
    close(file);
    CHECK_EQ(Receive(s[1], text, 1, fds, &count, all, MSG_CMSG_CLOEXEC, &flags), 1);
    CHECK_EQ(count, 1);
    CHECK_EQ(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
    CHECK_EQ(read(fds[0], text, 2), 2);
    CHECK_MEM(text, "34", 2);
    _exit(0);
  }
  CHECK_EQ(Send(s[0], "x", 1, &file, 1), 1);
  WAIT_EXIT(pid, 0);
  CHECK_EQ(lseek(file, 0, SEEK_CUR), 5);

  // Closed by the sender while on its way; several at once; plain data before and after stay apart.
  int pipes[2];
  CHECK_OK(pipe(pipes));
  int two[2] = {pipes[0], file};
  CHECK_EQ(Send(s[0], "before", 6, NULL, 0), 6);
  CHECK_EQ(Send(s[0], "with", 4, two, 2), 4);
  CHECK_EQ(Send(s[0], "after", 5, NULL, 0), 5);
  close(pipes[0]);
  CHECK_EQ(write(pipes[1], "p", 1), 1);
  CHECK_EQ(Receive(s[1], text, 16, fds, &count, all, 0, &flags), 10);
  CHECK_MEM(text, "beforewith", 10);  // a read ends after what came with descriptors
  CHECK_EQ(count, 2);
  CHECK_EQ(read(fds[0], text, 1), 1);
  CHECK_EQ(text[0], 'p');
  int moved = fds[0];
  close(fds[1]);
  CHECK_EQ(Receive(s[1], text, 16, fds, &count, all, 0, &flags), 5);
  CHECK_MEM(text, "after", 5);
  CHECK_EQ(count, 0);
  CHECK_EQ(Send(s[0], "split", 5, &file, 1), 5);
  CHECK_EQ(Receive(s[1], text, 2, fds, &count, all, 0, &flags), 2);
  CHECK_EQ(count, 1);  // they come with the first byte
  close(fds[0]);
  CHECK_EQ(Receive(s[1], text, 16, fds, &count, all, 0, &flags), 3);
  CHECK_EQ(count, 0);
  close(moved);
  CHECK_ERR(Send(pipes[1], "x", 1, NULL, 0), ENOTSOCK);

  // Peeking gives copies.
  CHECK_EQ(Send(s[0], "k", 1, &file, 1), 1);
  CHECK_EQ(Receive(s[1], text, 1, fds, &count, all, MSG_PEEK, &flags), 1);
  CHECK_EQ(count, 1);
  close(fds[0]);
  CHECK_EQ(Receive(s[1], text, 1, fds, &count, all, 0, &flags), 1);
  CHECK_EQ(count, 1);
  close(fds[0]);

  // No room: MSG_CTRUNC, and what does not fit is closed. Plain reads drop them.
  int pair[2];
  CHECK_OK(pipe(pair));
  int both[2] = {pair[1], pair[1]};
  CHECK_EQ(Send(s[0], "c", 1, both, 2), 1);
  close(pair[1]);
  CHECK_EQ(Receive(s[1], text, 1, fds, &count, CMSG_LEN(sizeof(int)), 0, &flags), 1);
  CHECK_EQ(count, 1);
  CHECK(flags & MSG_CTRUNC);
  struct pollfd hang_up = {pair[0], POLLIN, 0};
  CHECK_EQ(poll(&hang_up, 1, 0), 0);
  CHECK_EQ(Send(s[0], "d", 1, fds, 1), 1);
  close(fds[0]);
  CHECK_EQ(poll(&hang_up, 1, 0), 0);  // on its way it is still open
  CHECK_EQ(read(s[1], text, 1), 1);
  CHECK_EQ(poll(&hang_up, 1, 1000), 1);
  CHECK_EQ(hang_up.revents, POLLHUP);

  // A socket with descriptors in its queue is closed: they are, too. Even a socket inside itself.
  CHECK_OK(pipe(pair));
  CHECK_EQ(Send(s[0], "q", 1, &pair[1], 1), 1);
  CHECK_EQ(Send(s[0], "s", 1, &s[1], 1), 1);
  close(pair[1]);
  hang_up.fd = pair[0];
  CHECK_EQ(poll(&hang_up, 1, 0), 0);
  close(s[0]);
  close(s[1]);
  // Nobody can reach it any more, which is looked for when some other socket is closed.
  CHECK(EVENTUALLY(CloseSomeSocket() && poll(&hang_up, 1, 0) == 1));

  // Limits and mistakes.
  CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
  int many[300];
  for (int i = 0; i < 300; i++) many[i] = file;
  CHECK_EQ(Send(s[0], "m", 1, many, 253), 1);
  CHECK_ERR(Send(s[0], "m", 1, many, 254), EINVAL);
  CHECK_EQ(Receive(s[1], text, 16, fds, &count, all, 0, &flags), 1);
  CHECK_EQ(count, 253);
  for (size_t i = 0; i < count; i++) close(fds[i]);
  int bad[2] = {file, 9999};
  CHECK_ERR(Send(s[0], "b", 1, bad, 2), EBADF);
  CHECK_ERR(Receive(s[1], text, 16, fds, &count, all, MSG_DONTWAIT, &flags), EAGAIN);
  CHECK_EQ(Send(s[0], "", 0, &file, 1), 0);  // datagrams may be empty
  CHECK_EQ(Receive(s[1], text, 16, fds, &count, all, 0, &flags), 0);
  CHECK_EQ(count, 1);
  return 0;
}
