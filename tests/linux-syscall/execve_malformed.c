// execve(2) of ELF files that are not as they should be: what is found while the old program still
// stands is an error, what cannot be mapped afterwards ends the process.
#include <elf.h>

#include "proc.h"

static struct Program {
  Elf64_Ehdr header;
  Elf64_Phdr segments[2];
  char path[8];
  unsigned char code[16];
} program;

enum { kBase = 0x400000 };

// One segment that ends with status 42.
static void Reset(void) {
#if defined(__x86_64__)
  static const unsigned char code[] = {0xbf, 42, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05};
  const int machine = EM_X86_64;
#elif defined(__riscv)
  static const unsigned char code[] = {0x13, 0x05, 0xa0, 0x02, 0x93, 0x08,
                                       0xd0, 0x05, 0x73, 0,    0,    0};
  const int machine = EM_RISCV;
#endif
  memset(&program, 0, sizeof program);
  memcpy(program.code, code, sizeof code);
  program.header = (Elf64_Ehdr){
      .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
      .e_type = ET_EXEC,
      .e_machine = (Elf64_Half)machine,
      .e_version = EV_CURRENT,
      .e_entry = kBase + offsetof(struct Program, code),
      .e_phoff = offsetof(struct Program, segments),
      .e_ehsize = sizeof(Elf64_Ehdr),
      .e_phentsize = sizeof(Elf64_Phdr),
      .e_phnum = 1,
  };
  program.segments[0] = (Elf64_Phdr){
      .p_type = PT_LOAD,
      .p_flags = PF_R | PF_X,
      .p_vaddr = kBase,
      .p_filesz = sizeof program,
      .p_memsz = sizeof program,
      .p_align = 0x1000,
  };
}

static void AddInterpreter(const char* path, size_t size) {
  memcpy(program.path, path, size < sizeof program.path ? size : sizeof program.path);
  program.header.e_phnum = 2;
  program.segments[1] = program.segments[0];
  program.segments[0] = (Elf64_Phdr){
      .p_type = PT_INTERP, .p_offset = offsetof(struct Program, path), .p_filesz = size};
}

// How the program ends, as wait(2) gives it, or -errno if it does not begin.
static int Run(void) {
  const int fd = (int)CHECK_OK(open("program", O_WRONLY | O_CREAT | O_TRUNC, 0755));
  CHECK_EQ(write(fd, &program, sizeof program), sizeof program);
  close(fd);
  int ends[2];
  CHECK_OK(pipe2(ends, O_CLOEXEC));
  const pid_t pid = (pid_t)CHECK_OK(fork());
  if (pid == 0) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    char* const arguments[] = {"program", NULL};
    execve("program", arguments, NULL);
    const int error = errno;
    CHECK_EQ(write(ends[1], &error, sizeof error), sizeof error);
    _exit(1);
  }
  close(ends[1]);
  int error = 0, status;
  CHECK_OK(read(ends[0], &error, sizeof error));
  close(ends[0]);
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  CHECK_OK(unlink("program"));
  return error ? -error : status & ~0x80;
}

#define AFTER(change, result) (Reset(), (void)(change), CHECK_EQ(Run(), (result)))

int main(void) {
  TempDir();
  Elf64_Phdr* const segment = &program.segments[0];
  AFTER(0, W_EXITCODE(42, 0));

  // Nobody looks at these.
  AFTER(program.header.e_ident[EI_DATA] = ELFDATA2MSB, W_EXITCODE(42, 0));
  AFTER(program.header.e_ident[EI_VERSION] = 7, W_EXITCODE(42, 0));
  AFTER(program.header.e_version = 7, W_EXITCODE(42, 0));
#if defined(__x86_64__)
  AFTER(program.header.e_ident[EI_CLASS] = ELFCLASS32, W_EXITCODE(42, 0));
#endif

  AFTER(program.header.e_ident[EI_MAG0] = 0, -ENOEXEC);
  AFTER(program.header.e_type = ET_REL, -ENOEXEC);
  AFTER(program.header.e_machine = EM_SPARC, -ENOEXEC);
  AFTER(program.header.e_phentsize = 32, -ENOEXEC);
  AFTER(program.header.e_phnum = 0, -ENOEXEC);

  AFTER(AddInterpreter("\0", 2), -EACCES);  // the directory that one is in
  AFTER(AddInterpreter("", 1), -ENOEXEC);
  AFTER(AddInterpreter("ab", 2), -ENOEXEC);  // without an end
  AFTER(AddInterpreter("none", 5), -ENOENT);
  AFTER(AddInterpreter("none", 5000), -ENOEXEC);

  // Noticed when nothing is left to return to.
  AFTER(segment->p_offset = 1, SIGSEGV);
  AFTER(segment->p_filesz = sizeof program + 1, SIGSEGV);
  AFTER(segment->p_vaddr = ~0xfffull, SIGSEGV);
  AFTER(segment->p_memsz = UINT64_MAX, SIGSEGV);
  AFTER(segment->p_type = PT_NOTE, SIGSEGV);
  AFTER((segment->p_type = PT_NOTE, program.header.e_type = ET_DYN), SIGSEGV);
  return 0;
}
