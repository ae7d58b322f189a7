// The auxiliary vector of a new program.
#include <elf.h>
#include <link.h>
#include <sys/auxv.h>

#include "proc.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

extern char** environ;

static const ElfW(auxv_t) * Find(unsigned long type) {
  char** end = environ;
  while (*end) end++;
  for (const ElfW(auxv_t)* entry = (const void*)(end + 1); entry->a_type != AT_NULL; entry++)
    if (entry->a_type == type) return entry;
  return NULL;
}

static void CheckRandom(void) {
  const unsigned char* bytes = (void*)getauxval(AT_RANDOM);
  CHECK(bytes != NULL);
  // Another run has other bytes.
  int ends[2];
  unsigned char other[16];
  CHECK_OK(pipe(ends));
  pid_t pid = Fork();
  if (pid == 0) {
    dup2(ends[1], STDOUT_FILENO);
    execve("/proc/self/exe", (char*[]){"x", "random", NULL}, NULL);
    _exit(99);
  }
  CHECK_EQ(read(ends[0], other, sizeof other), sizeof other);
  WAIT_EXIT(pid, 0);
  CHECK(memcmp(bytes, other, 16) != 0);
}

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "random") == 0)
    return write(STDOUT_FILENO, (void*)getauxval(AT_RANDOM), 16) != 16;
  if (argc > 1 && strcmp(argv[1], "script") == 0) {
    CHECK_STR((const char*)getauxval(AT_EXECFN), "./script");
    return 0;
  }
  CHECK_EQ(getauxval(AT_PAGESZ), PageSize());
  CHECK_EQ(getauxval(AT_UID), getuid());
  CHECK_EQ(getauxval(AT_EUID), geteuid());
  CHECK_EQ(getauxval(AT_GID), getgid());
  CHECK_EQ(getauxval(AT_EGID), getegid());
  CHECK_EQ(getauxval(AT_CLKTCK), sysconf(_SC_CLK_TCK));
  CHECK(Find(AT_SECURE) != NULL);
  CHECK_EQ(Find(AT_SECURE)->a_un.a_val, 0);
  CHECK(Find(AT_FLAGS) != NULL);
  CHECK_EQ(Find(AT_FLAGS)->a_un.a_val, 0);
  CHECK(Find(AT_HWCAP) != NULL);
  CHECK(Find(AT_BASE) != NULL);
  CheckRandom();

  // Program headers: where they are in memory, and their count.
  const ElfW(Phdr)* headers = (void*)getauxval(AT_PHDR);
  CHECK_EQ(getauxval(AT_PHENT), sizeof *headers);
  unsigned long count = getauxval(AT_PHNUM);
  CHECK(headers != NULL && count >= 2 && count < 64);
  int loads = 0;
  bool entry_inside = false;
  unsigned long entry = getauxval(AT_ENTRY), bias = 0;
  for (unsigned long i = 0; i < count; i++)
    if (headers[i].p_type == PT_PHDR) bias = (unsigned long)headers - headers[i].p_vaddr;
  for (unsigned long i = 0; i < count; i++) {
    if (headers[i].p_type != PT_LOAD) continue;
    loads++;
    unsigned long start = headers[i].p_vaddr + bias;
    if (entry >= start && entry < start + headers[i].p_memsz && (headers[i].p_flags & PF_X))
      entry_inside = true;
  }
  CHECK(loads >= 1);
  CHECK(entry_inside);

#ifdef __x86_64__
  CHECK_STR((const char*)getauxval(AT_PLATFORM), "x86_64");
  CHECK(getauxval(AT_HWCAP) != 0);  // CPUID.1:EDX
  const ElfW(auxv_t)* room = Find(AT_MINSIGSTKSZ);
  if (room) CHECK(room->a_un.a_val >= 512 && room->a_un.a_val < 65536);
#endif
  // The stack as the ABI wants it: strings above the vectors, AT_EXECFN's last of all.
  CHECK((char*)getauxval(AT_RANDOM) > (char*)environ);
  CHECK((char*)getauxval(AT_EXECFN) > argv[argc - 1]);

  const unsigned char* vdso = (void*)getauxval(AT_SYSINFO_EHDR);
  if (vdso) CHECK_MEM(vdso, ELFMAG, SELFMAG);

  // The file seen in /proc is the vector itself.
  char file[4096];
  int fd = (int)CHECK_OK(open("/proc/self/auxv", O_RDONLY));
  ssize_t size = (ssize_t)CHECK_OK(read(fd, file, sizeof file));
  CHECK(size >= (ssize_t)(12 * sizeof(ElfW(auxv_t))));
  CHECK_EQ(size % (ssize_t)sizeof(ElfW(auxv_t)), 0);
  const ElfW(auxv_t)* last = (void*)(file + size - sizeof(ElfW(auxv_t)));
  CHECK_EQ(last->a_type, AT_NULL);

  // For a script AT_EXECFN is the script's path.
  char self[PATH_MAX] = "";
  CHECK_OK(readlink("/proc/self/exe", self, sizeof self - 1));
  TempDir();
  CHECK_OK(symlink(self, "interp"));
  WriteFile("script", "#!interp script\n");
  CHECK_OK(chmod("script", 0755));
  pid_t pid = Fork();
  if (pid == 0) {
    execve("./script", (char*[]){"x", NULL}, NULL);
    _exit(99);
  }
  WAIT_EXIT(pid, 0);
  return 0;
}
