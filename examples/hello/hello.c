#include <stdio.h>
#include <sys/utsname.h>

int main(void) {
  struct utsname system;
  if (uname(&system) != 0) return 1;
  printf("Hello from %s %s on %s\n", system.sysname, system.release, system.machine);
  return 0;
}
