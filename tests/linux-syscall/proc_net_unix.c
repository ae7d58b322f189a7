// /proc/net/unix: a line for each socket, with its inode, type, state and name.
#include <sys/socket.h>
#include <sys/un.h>

#include "check.h"

// What is told of |fd| behind its address and count, up to the name.
static const char* LineOf(int fd) {
  static char text[1 << 20], found[256];
  struct stat status;
  CHECK_OK(fstat(fd, &status));
  int file = (int)CHECK_OK(open("/proc/net/unix", O_RDONLY | O_CLOEXEC));
  size_t size = 0;
  for (ssize_t n; (n = read(file, text + size, sizeof text - 1 - size)) > 0;) size += (size_t)n;
  text[size] = 0;
  close(file);
  CHECK(strncmp(text, "Num       RefCount Protocol Flags    Type St Inode Path\n", 56) == 0);
  for (char* line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
    unsigned protocol, flags, type, state;
    unsigned long inode;
    int name = 0;
    if (sscanf(line, "%*[0-9a-f]: %*x %x %x %x %x %lu%n", &protocol, &flags, &type, &state, &inode,
               &name) != 5)
      continue;
    if (inode != status.st_ino) continue;
    CHECK_EQ(protocol, 0);
    snprintf(found, sizeof found, "%x %x %x%s", flags, type, state, line + name);
    return found;
  }
  return NULL;
}

int main(void) {
  TempDir();
  struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "sock"};
  struct sockaddr_un abstract = {.sun_family = AF_UNIX};
  snprintf(abstract.sun_path + 1, 60, "zrun-%d", (int)getpid());
  const socklen_t size =
      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(abstract.sun_path + 1));
  int server = (int)CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
  CHECK_STR(LineOf(server), "0 1 1");
  CHECK_OK(bind(server, (struct sockaddr*)&at, sizeof at));
  CHECK_STR(LineOf(server), "0 1 1 sock");
  CHECK_OK(listen(server, 4));
  CHECK_STR(LineOf(server), "10000 1 1 sock");
  int client = (int)CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
  CHECK_OK(connect(client, (struct sockaddr*)&at, sizeof at));
  CHECK_STR(LineOf(client), "0 1 3");
  int accepted = (int)CHECK_OK(accept(server, NULL, NULL));
  CHECK_STR(LineOf(accepted), "0 1 3 sock");
  int datagrams = (int)CHECK_OK(socket(AF_UNIX, SOCK_DGRAM, 0));
  CHECK_OK(bind(datagrams, (struct sockaddr*)&abstract, size));
  char wanted[128];
  snprintf(wanted, sizeof wanted, "0 2 1 @zrun-%d", (int)getpid());
  CHECK_STR(LineOf(datagrams), wanted);
  int pair[2];
  CHECK_OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
  CHECK_STR(LineOf(pair[1]), "0 5 3");
  return 0;
}
