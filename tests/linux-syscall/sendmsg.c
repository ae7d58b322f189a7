// sendmsg(2), recvmsg(2), sendmmsg(2), recvmmsg(2): vectors, counts, partial success, errors.
#include <sys/socket.h>

#include "check.h"

int main(void) {
  int s[2];
  CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
  struct iovec out[3] = {{"ab", 2}, {NULL, 0}, {"cde", 3}};
  struct msghdr message = {.msg_iov = out, .msg_iovlen = 3};
  CHECK_EQ(sendmsg(s[0], &message, 0), 5);
  char x[3] = {0}, y[8] = {0};
  struct iovec in[2] = {{x, 2}, {y, 8}};
  struct msghdr got = {.msg_iov = in, .msg_iovlen = 2, .msg_flags = 0x7777};
  CHECK_EQ(recvmsg(s[1], &got, 0), 5);
  CHECK_STR(x, "ab");
  CHECK_STR(y, "cde");
  CHECK_EQ(got.msg_flags, 0);
  CHECK_EQ(got.msg_controllen, 0);

  struct mmsghdr batch[4] = {0};
  char texts[4][4];
  struct iovec parts[4];
  for (int i = 0; i < 4; i++) {
    texts[i][0] = (char)('0' + i);
    parts[i] = (struct iovec){texts[i], (size_t)i + 1};
    batch[i].msg_hdr.msg_iov = &parts[i];
    batch[i].msg_hdr.msg_iovlen = 1;
  }
  CHECK_EQ(sendmmsg(s[0], batch, 4, 0), 4);
  for (unsigned i = 0; i < 4; i++) CHECK_EQ(batch[i].msg_len, i + 1);
  for (int i = 0; i < 4; i++) parts[i].iov_len = 4;
  CHECK_EQ(recvmmsg(s[1], batch, 3, 0, NULL), 3);
  CHECK_EQ(batch[2].msg_len, 3);
  CHECK_EQ(texts[2][0], '2');
  CHECK_EQ(recvmmsg(s[1], batch, 4, MSG_DONTWAIT, NULL), 1);
  CHECK_ERR(recvmmsg(s[1], batch, 4, MSG_DONTWAIT, NULL), EAGAIN);
  CHECK_EQ(sendmmsg(s[0], batch, 0, 0), 0);
  // MSG_WAITFORONE: waits for the first only.
  CHECK_EQ(send(s[0], "z", 1, 0), 1);
  CHECK_EQ(recvmmsg(s[1], batch, 4, MSG_WAITFORONE, NULL), 1);
  // A fault in the second: the first counts.
  batch[1].msg_hdr.msg_iov = (struct iovec*)8;
  CHECK_EQ(sendmmsg(s[0], batch, 4, 0), 1);
  CHECK_ERR(sendmmsg(s[0], batch + 1, 1, 0), EFAULT);
  struct timespec bad = {0, -1};
  CHECK_ERR(recvmmsg(s[1], batch, 1, 0, &bad), EINVAL);

  CHECK_ERR(sendmsg(s[0], NULL, 0), EFAULT);
  message.msg_iovlen = 1025;
  CHECK_ERR(sendmsg(s[0], &message, 0), EMSGSIZE);
  message.msg_iovlen = 1;
  message.msg_iov = (struct iovec*)8;
  CHECK_ERR(sendmsg(s[0], &message, 0), EFAULT);
  message.msg_iov = out;
  char wrong[CMSG_SPACE(4)] __attribute__((aligned(8))) = {0};
  message.msg_control = wrong;
  message.msg_controllen = sizeof wrong;
  ((struct cmsghdr*)wrong)->cmsg_len = 4000;  // longer than its buffer
  ((struct cmsghdr*)wrong)->cmsg_level = SOL_SOCKET;
  ((struct cmsghdr*)wrong)->cmsg_type = SCM_RIGHTS;
  CHECK_ERR(sendmsg(s[0], &message, 0), EINVAL);
  ((struct cmsghdr*)wrong)->cmsg_len = CMSG_LEN(4);
  ((struct cmsghdr*)wrong)->cmsg_type = 77;
  CHECK_ERR(sendmsg(s[0], &message, 0), EINVAL);
  return 0;
}
