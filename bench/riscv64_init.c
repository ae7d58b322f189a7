// The first process of the Linux that bench/riscv64.py measures beside zrun: mounts what zrun gives
// its containers, runs /bench/measure as zrun does, and powers off.
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
  mount("proc", "/proc", "proc", 0, 0);
  mount("sysfs", "/sys", "sysfs", 0, 0);
  mount("devtmpfs", "/dev", "devtmpfs", 0, 0);
  static char* const argv[] = {"/bin/sh", "/bench/measure", 0};
  static char* const environment[] = {
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 0};
  const pid_t child = fork();
  if (child == 0) {
    execve(argv[0], argv, environment);
    _exit(127);
  }
  int status;
  while (waitpid(-1, &status, 0) != child) {
  }
  reboot(RB_POWER_OFF);
  return 0;
}
