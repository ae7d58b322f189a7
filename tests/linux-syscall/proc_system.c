// What /proc/sys and /sys say of the system is so: numbers that count something, processors,
// devices by number; and what a write to a file answers that nobody may change.
#include <sys/inotify.h>
#include <sys/sysmacros.h>

#include "proc.h"

static char text[65536];

static const char* Text(const char* path) {
  ReadText(path, text, sizeof text);
  return text;
}

static long long Number(const char* path) { return atoll(Text(path)); }

static int WriteError(const char* path, const char* what) {
  const int fd = open(path, O_WRONLY);
  if (fd == -1) return errno;
  const int error = write(fd, what, strlen(what)) == -1 ? errno : 0;
  close(fd);
  return error;
}

// Others come and go meanwhile: a thousand of ours are seen among them.
static void CheckCounts(void) {
  enum { kMany = 1000 };
  const long long inodes = Number("/proc/sys/fs/inode-nr");
  CHECK(inodes > 0);
  CHECK(Number("/proc/sys/fs/inode-state") > 0);
  const long long names = Number("/proc/sys/fs/dentry-state");
  CHECK(names > 0);
  const long long files = Number("/proc/sys/fs/file-nr");
  CHECK(files > 0);
  char name[16];
  for (int i = 0; i < kMany; i++) {
    snprintf(name, sizeof name, "%d", i);
    WriteFile(name, "");
  }
  CHECK(Number("/proc/sys/fs/inode-nr") > inodes + kMany / 2);
  CHECK(Number("/proc/sys/fs/dentry-state") > names + kMany / 2);
  struct rlimit limit;
  CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
  limit.rlim_cur = limit.rlim_max;
  CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
  int many = limit.rlim_cur > kMany + 100 ? kMany : 100;
  for (int i = 0; i < many; i++) CHECK_OK(open("0", O_RDONLY));
  if (many == kMany && files < 100000) CHECK(Number("/proc/sys/fs/file-nr") > files + kMany / 2);
}

static void CheckCpus(void) {
  const long count = sysconf(_SC_NPROCESSORS_CONF);
  CHECK(count > 0);
  const char* const files[] = {"core_id", "physical_package_id", "thread_siblings_list",
                               "core_siblings_list", "thread_siblings"};
  char path[128];
  for (long cpu = 0; cpu < count && cpu < 64; cpu++) {
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
      snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%ld/topology/%s", cpu, files[i]);
      if (cpu > 0 && access(path, F_OK) == -1) continue;  // one that is switched off
      CHECK(strlen(Text(path)) > 1);
    }
  }
  DIR* directory = opendir("/sys/devices/system/cpu");
  CHECK(directory);
  long seen = 0;
  for (struct dirent* entry; (entry = readdir(directory));)
    if (strncmp(entry->d_name, "cpu", 3) == 0 && entry->d_name[3] >= '0' && entry->d_name[3] <= '9')
      seen++;
  CHECK(seen > 0 && seen <= count);
  closedir(directory);
  snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%ld", count + 1000);
  CHECK_ERR(access(path, F_OK), ENOENT);
}

static void CheckDevices(void) {
  CHECK_STR(Text("/sys/dev/char/1:3/dev"), "1:3\n");
  CHECK(strstr(Text("/sys/dev/char/1:3/uevent"), "DEVNAME=null\n"));
  char link[PATH_MAX];
  const ssize_t size = CHECK_OK(readlink("/sys/dev/char/1:5", link, sizeof link - 1));
  link[size] = 0;
  CHECK_STR(strrchr(link, '/'), "/zero");
  CHECK_OK(access("/sys/class/mem/null/dev", R_OK));
  DIR* directory = opendir("/sys/dev/block");
  CHECK(directory);
  for (struct dirent* entry; (entry = readdir(directory));) {
    if (entry->d_name[0] == '.') continue;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "/sys/dev/block/%s/dev", entry->d_name);
    snprintf(link, sizeof link, "%s\n", entry->d_name);
    CHECK_STR(Text(path), link);
  }
  closedir(directory);
}

static void CheckWrites(void) {
  if (!IsRoot()) return;
  // /sys and /proc/sys may be mounted read-only.
  const char* const settings[] = {"/proc/sys/kernel/ostype", "/proc/sys/fs/inode-nr",
                                  "/proc/sys/kernel/cap_last_cap",
                                  "/sys/devices/system/cpu/online"};
  for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
    const int error = WriteError(settings[i], "1\n");
    if (error != EACCES && error != EROFS) FAIL("%s: %s", settings[i], strerror(error));
  }
  CHECK_EQ(WriteError("/proc/version", "1\n"), EIO);
  CHECK_EQ(WriteError("/proc/self/stat", "1\n"), EINVAL);
  CHECK_EQ(WriteError("/proc/self/wchan", "1\n"), EINVAL);
  CHECK_EQ(WriteError("/proc/self/uid_map", "0 0 1\n"), EPERM);
  CHECK_EQ(WriteError("/proc/self/setgroups", "x\n"), EINVAL);
  CHECK_EQ(WriteError("/proc/self/clear_refs", "9\n"), EINVAL);
  CHECK_EQ(WriteError("/proc/self/clear_refs", "4\n"), 0);
  CHECK_EQ(WriteError("/proc/self/oom_adj", "16\n"), EINVAL);
  CHECK_EQ(WriteError("/proc/self/oom_adj", "5\n"), 0);
  CHECK_EQ(Number("/proc/self/oom_adj"), 4);  // rounded down on both ways
  CHECK_EQ(Number("/proc/self/oom_score_adj"), 294);
}

// What went through read and write is counted, for the process and for the thread.
static long long Counter(const char* path, const char* name) {
  const char* const at = strstr(Text(path), name);
  CHECK(at);
  return atoll(at + strlen(name));
}
static void CheckIo(const char* path) {
  const long long read_before = Counter(path, "rchar: "), calls = Counter(path, "syscr: ");
  const long long written_before = Counter(path, "wchar: ");
  const int fd = (int)CHECK_OK(open("io", O_RDWR | O_CREAT | O_TRUNC, 0600));
  static char block[100000];
  CHECK_EQ(write(fd, block, sizeof block), (ssize_t)sizeof block);
  CHECK_EQ(pread(fd, block, sizeof block, 0), (ssize_t)sizeof block);
  close(fd);
  CHECK(Counter(path, "wchar: ") >= written_before + (long long)sizeof block);
  CHECK(Counter(path, "rchar: ") >= read_before + (long long)sizeof block);
  CHECK(Counter(path, "syscr: ") > calls);
}

int main(void) {
  TempDir();
  CheckWrites();
  CheckCpus();
  CheckDevices();
  if (access("/proc/self/io", R_OK) == 0) {
    CheckIo("/proc/self/io");
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/io", (int)getpid());
    CheckIo(path);
  }

  // A directory of a process that is gone.
  const pid_t child = (pid_t)CHECK_OK(fork());
  if (child == 0) {
    for (;;) pause();
  }
  char path[64];
  snprintf(path, sizeof path, "/proc/%d", (int)child);
  const int directory = (int)CHECK_OK(open(path, O_RDONLY));
  CHECK_OK(kill(child, SIGKILL));
  CHECK_EQ(waitpid(child, NULL, 0), child);
  CHECK_ERR(readlinkat(directory, "exe", text, sizeof text), ESRCH);
  CHECK_ERR(openat(directory, "stat", O_RDONLY), ESRCH);
  CHECK_ERR(access(path, F_OK), ENOENT);

  // Each user's number of inotify files is limited.
  if (access("/proc/sys/fs/inotify/max_user_instances", R_OK) == 0) {
    const long long most = Number("/proc/sys/fs/inotify/max_user_instances");
    CHECK(most > 0);
    if (most <= 200) {
      IN_CHILD({
        long long made = 0;
        while (inotify_init1(0) != -1) made++;
        CHECK_EQ(errno, EMFILE);
        CHECK(made <= most);
      });
    }
  }
  CheckCounts();
  return 0;
}
