// sysinfo(2) and what /proc says of the same.
#include <sys/sysinfo.h>

#include "proc.h"

int main(void) {
  struct sysinfo info;
  memset(&info, 0xee, sizeof info);
  CHECK_OK(sysinfo(&info));
  CHECK(info.mem_unit >= 1);
  uint64_t total = (uint64_t)info.totalram * info.mem_unit;
  uint64_t free_now = (uint64_t)info.freeram * info.mem_unit;
  CHECK(total >= 16u << 20);
  CHECK(free_now <= total);
  CHECK(info.procs >= 1);
  CHECK(info.uptime >= 0);
  CHECK_ERR(syscall(SYS_sysinfo, BAD_POINTER), EFAULT);

  char text[8192];
  ReadText("/proc/meminfo", text, sizeof text);
  unsigned long long total_kb = 0, free_kb = 0, available_kb = 0;
  CHECK_EQ(sscanf(text, "MemTotal: %llu kB\nMemFree: %llu kB\nMemAvailable: %llu kB\n", &total_kb,
                  &free_kb, &available_kb),
           3);
  CHECK_EQ(total_kb, total / 1024);
  CHECK(free_kb <= total_kb && available_kb <= total_kb);
  CHECK(strstr(text, "\nCached:") && strstr(text, "\nSwapTotal:") && strstr(text, "\nBuffers:"));

  double up = -1, idle = -1;
  ReadText("/proc/uptime", text, sizeof text);
  CHECK_EQ(sscanf(text, "%lf %lf\n", &up, &idle), 2);
  CHECK(up >= (double)info.uptime - 2 && up < (double)info.uptime + 60);
  CHECK(idle >= 0);
  struct timespec boot;
  CHECK_OK(clock_gettime(CLOCK_BOOTTIME, &boot));
  CHECK((double)boot.tv_sec >= up - 2 && (double)boot.tv_sec < up + 60);

  double load[3];
  int running = -1, tasks = -1, last = -1;
  ReadText("/proc/loadavg", text, sizeof text);
  CHECK_EQ(
      sscanf(text, "%lf %lf %lf %d/%d %d\n", &load[0], &load[1], &load[2], &running, &tasks, &last),
      6);
  CHECK(running >= 1 && tasks >= running && last >= 1);

  // CPU lines of /proc/stat and /proc/cpuinfo agree with the number of processors.
  static char big[1 << 18];
  ReadText("/proc/stat", big, sizeof big);
  CHECK(strncmp(big, "cpu  ", 5) == 0);
  int cpus = 0;
  for (char* line = strchr(big, '\n'); line && strncmp(line + 1, "cpu", 3) == 0;
       line = strchr(line + 1, '\n'))
    cpus++;
  CHECK_EQ(cpus, get_nprocs());
  CHECK(strstr(big, "\nbtime ") && strstr(big, "\nprocesses ") && strstr(big, "\nctxt "));
  ReadText("/proc/cpuinfo", big, sizeof big);
  cpus = 0;
  for (char* at = big; (at = strstr(at, "processor\t: ")); at++) cpus++;
  CHECK_EQ(cpus, get_nprocs());
  return 0;
}
