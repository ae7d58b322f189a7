// Abstract and automatic names of AF_UNIX: bytes with zeroes, gone with the socket, getsockname(2),
// getpeername(2).
#include <sys/socket.h>
#include <sys/un.h>

#include "check.h"

int main(void) {
  struct sockaddr_un name = {.sun_family = AF_UNIX}, got;
  int tail = snprintf(name.sun_path + 1, 60, "zrun-test-%d", (int)getpid());
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)tail);
  socklen_t length = sizeof got;
  int server = (int)CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
  CHECK_OK(getsockname(server, (struct sockaddr*)&got, &length));
  CHECK_EQ(length, sizeof(sa_family_t));
  CHECK_OK(bind(server, (struct sockaddr*)&name, size));
  length = sizeof got;
  CHECK_OK(getsockname(server, (struct sockaddr*)&got, &length));
  CHECK_EQ(length, size);
  CHECK_MEM(got.sun_path, name.sun_path, (size_t)tail + 1);
  int second = (int)CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
  CHECK_ERR(bind(second, (struct sockaddr*)&name, size), EADDRINUSE);
  CHECK_OK(bind(second, (struct sockaddr*)&name, size + 1));  // one zero more: another name
  CHECK_OK(listen(server, 4));
  int client = (int)CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
  CHECK_ERR(getpeername(client, (struct sockaddr*)&got, &length), ENOTCONN);
  CHECK_OK(connect(client, (struct sockaddr*)&name, size));
  length = sizeof got;
  CHECK_OK(getpeername(client, (struct sockaddr*)&got, &length));
  CHECK_EQ(length, size);
  // A short buffer is filled, and the whole length told.
  char little[4] = "####";
  length = 3;
  CHECK_OK(getpeername(client, (struct sockaddr*)little, &length));
  CHECK_EQ(length, size);
  CHECK_EQ(little[3], '#');
  int negative = -1;
  CHECK_ERR(getsockname(client, (struct sockaddr*)&got, (socklen_t*)&negative), EINVAL);
  CHECK_ERR(getsockname(client, (struct sockaddr*)&got, NULL), EFAULT);
  CHECK_ERR(getsockname(0, (struct sockaddr*)&got, &length), ENOTSOCK);
  close(server);
  close(client);
  client = (int)CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
  CHECK_ERR(connect(client, (struct sockaddr*)&name, size), ECONNREFUSED);
  server = (int)CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
  CHECK_OK(bind(server, (struct sockaddr*)&name, size));  // free again

  // Each type has names of its own.
  int other = (int)CHECK_OK(socket(AF_UNIX, SOCK_DGRAM, 0));
  CHECK_ERR(connect(other, (struct sockaddr*)&name, size), ECONNREFUSED);
  CHECK_OK(bind(other, (struct sockaddr*)&name, size));
  CHECK_OK(connect(other, (struct sockaddr*)&name, size));
  int packets = (int)CHECK_OK(socket(AF_UNIX, SOCK_SEQPACKET, 0));
  CHECK_ERR(connect(packets, (struct sockaddr*)&name, size), ECONNREFUSED);

  // Only the family: the kernel chooses a name of five hexadecimal digits.
  int automatic = (int)CHECK_OK(socket(AF_UNIX, SOCK_DGRAM, 0));
  CHECK_OK(bind(automatic, (struct sockaddr*)&name, sizeof(sa_family_t)));
  length = sizeof got;
  CHECK_OK(getsockname(automatic, (struct sockaddr*)&got, &length));
  CHECK_EQ(length, sizeof(sa_family_t) + 6);
  CHECK_EQ(got.sun_path[0], 0);

  // A path name: with its zero.
  TempDir();
  struct sockaddr_un path = {.sun_family = AF_UNIX, .sun_path = "path"};
  int pathed = (int)CHECK_OK(socket(AF_UNIX, SOCK_DGRAM, 0));
  CHECK_OK(bind(pathed, (struct sockaddr*)&path, sizeof(sa_family_t) + 4));
  length = sizeof got;
  CHECK_OK(getsockname(pathed, (struct sockaddr*)&got, &length));
  CHECK_EQ(length, sizeof(sa_family_t) + 5);
  CHECK_STR(got.sun_path, "path");
  CHECK_OK(access("path", F_OK));
  CHECK_ERR(connect(client, (struct sockaddr*)&path, sizeof path), EPROTOTYPE);

  // The file has the socket's own mode, less the umask.
  umask(022);
  struct sockaddr_un narrow = {.sun_family = AF_UNIX, .sun_path = "narrow"};
  int secret = (int)CHECK_OK(socket(AF_UNIX, SOCK_DGRAM, 0));
  CHECK_OK(fchmod(secret, 0620));
  CHECK_OK(bind(secret, (struct sockaddr*)&narrow, sizeof narrow));
  struct stat status;
  CHECK_OK(stat("narrow", &status));
  CHECK_EQ(status.st_mode, S_IFSOCK | 0600);
  return 0;
}
