// PR_SET_NAME and PR_GET_NAME: 15 bytes, one for each thread, seen in /proc.
#include <sys/prctl.h>

#include "proc.h"

static void* Named(void* arg) {
  char name[16];
  CHECK_OK(prctl(PR_GET_NAME, name));
  CHECK_STR(name, "from maker");  // inherited
  CHECK_OK(prctl(PR_SET_NAME, "other"));
  char path[64], text[64];
  snprintf(path, sizeof path, "/proc/self/task/%d/comm", (int)Gettid());
  ReadText(path, text, sizeof text);
  CHECK_STR(text, "other\n");
  return arg;
}

int main(void) {
  char name[17];
  memset(name, 'x', sizeof name);
  CHECK_OK(prctl(PR_GET_NAME, name));
  CHECK_EQ(name[15], 0);
  CHECK_EQ(name[16], 'x');  // sixteen bytes, no more
  CHECK_STR(name, "prctl_name");

  CHECK_OK(prctl(PR_SET_NAME, "a name much too long for it"));
  CHECK_OK(prctl(PR_GET_NAME, name));
  CHECK_STR(name, "a name much too");
  char text[4096];
  ReadText("/proc/self/comm", text, sizeof text);
  CHECK_STR(text, "a name much too\n");
  ReadText("/proc/self/stat", text, sizeof text);
  CHECK(strstr(text, " (a name much too) ") != NULL);
  ReadText("/proc/self/status", text, sizeof text);
  CHECK(strncmp(text, "Name:\ta name much too\n", 22) == 0);

  CHECK_OK(prctl(PR_SET_NAME, "from maker"));
  JoinThread(StartThread(Named, NULL));
  CHECK_OK(prctl(PR_GET_NAME, name));
  CHECK_STR(name, "from maker");
  IN_CHILD({
    CHECK_OK(prctl(PR_GET_NAME, name));
    CHECK_STR(name, "from maker");
  });

  // Writing the file renames too.
  int fd = (int)CHECK_OK(open("/proc/self/comm", O_WRONLY));
  CHECK_EQ(write(fd, "written", 7), 7);
  CHECK_OK(prctl(PR_GET_NAME, name));
  CHECK_STR(name, "written");

  // The string is read up to its end, not sixteen bytes.
  char* edge = EdgeBuffer(4);
  memcpy(edge, "abc", 4);
  CHECK_OK(prctl(PR_SET_NAME, edge));
  CHECK_ERR(prctl(PR_SET_NAME, BAD_POINTER), EFAULT);
  CHECK_ERR(prctl(PR_GET_NAME, edge), EFAULT);
  CHECK_ERR(prctl(0x7fff1234, 0, 0, 0, 0), EINVAL);
  return 0;
}
