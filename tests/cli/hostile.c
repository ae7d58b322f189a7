// A guest that means harm: what it tries must end itself or its container, and reach nothing else.
//   hostile read|write|execute ADDRESS    touches that address
//   hostile jump ADDRESS                  jumps there with registers that suit the attacker
//   hostile call ADDRESS NUMBER           jumps to a SYSCALL instruction with a host call's number
//   in rax hostile forge                         makes host calls of its own, by all the
//   instructions there are hostile scan FROM TO                  prints the addresses of SYSCALL
//   instructions in that range hostile unmap ADDRESS                 tries to change the mapping
//   there by ordinary system calls
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static char area[65536] __attribute__((aligned(4096)));

// Where a function that was jumped to returns: plain code of the kernel's does the guest no
// service.
static void Landed(void) { _exit(3); }

static void Jump(uint64_t target, uint64_t rax) {
  register uint64_t where asm("r11") = target;
  asm volatile(
      "mov %%rdi, %%rsi\n"
      "mov %%rdi, %%r8\n"
      "mov %%rdi, %%r9\n"
      "mov %%rdi, %%r12\n"
      "mov %%rdi, %%r13\n"
      "mov %%rdi, %%r14\n"
      "mov %%rdi, %%r15\n"
      "mov %%rdi, %%rbx\n"
      "mov %%rdi, %%rcx\n"
      "mov $64, %%edx\n"
      "xor %%r10d, %%r10d\n"
      "and $-16, %%rsp\n"
      "push %[landed]\n"
      "jmp *%%r11\n"
      :
      : "r"(where), [landed] "i"(Landed), "a"(rax), "D"((uint64_t)area + sizeof area / 2)
      : "memory");
  __builtin_unreachable();
}

static long Int80(long number, long argument) {
  long result;
  asm volatile("int $0x80"
               : "=a"(result)
               : "a"(number), "b"(argument), "c"(0), "d"(0)
               : "memory", "r8", "r9", "r10", "r11");
  return result;
}

static int Forge(void) {
  // 32-bit and x32 numbers belong to no program of this machine: ENOSYS or a signal, but never the
  // host's own call.
  const long getpid32 = 20, x32 = 0x40000000;
  long result = Int80(getpid32, 0);
  if (result > 0) return 1;
  if (syscall(x32 + SYS_getpid) != -1 || errno != ENOSYS) return 2;
  if (syscall(SYS_io_uring_setup, 0, 0) >= 0 || syscall(SYS_bpf, 0, 0, 0) >= 0) return 3;
  puts("forged nothing");
  return 0;
}

static void Unmap(uint64_t address) {
  void* at = (void*)address;
  const size_t size = 4096;
  int bad = 0;
  bad += mmap(at, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at;
  bad += mmap(at, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == at;
  bad += mprotect(at, size, PROT_READ | PROT_WRITE | PROT_EXEC) == 0;
  bad += madvise(at, size, MADV_DONTNEED) == 0;
  bad += mremap(at, size, size, MREMAP_MAYMOVE) != MAP_FAILED;
  bad += mremap(area, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, at) != MAP_FAILED;
  // Unmapping what is not the guest's may succeed as on unmapped memory, but must do nothing.
  munmap(at, size);
  int ends[2];
  if (pipe(ends) != 0) exit(9);
  bad += write(ends[1], at, 16) != -1 || errno != EFAULT;
  if (write(ends[1], area, 16) != 16) exit(9);
  bad += read(ends[0], at, 16) != -1 || errno != EFAULT;
  printf("%d changes\n", bad);
  exit(bad != 0);
}

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const uint64_t address = argc > 2 ? strtoull(argv[2], 0, 16) : 0;
  volatile uint64_t* word = (volatile uint64_t*)address;
  if (!strcmp(argv[1], "read")) {
    printf("%lx\n", *word);
  } else if (!strcmp(argv[1], "write")) {
    *word = 0;
  } else if (!strcmp(argv[1], "jump")) {
    Jump(address, 0x55555554);
  } else if (!strcmp(argv[1], "call") && argc > 3) {
    Jump(address, strtoull(argv[3], 0, 10));
  } else if (!strcmp(argv[1], "scan") && argc > 3) {
    const unsigned char* end = (const unsigned char*)strtoull(argv[3], 0, 16);
    for (const unsigned char* p = (const unsigned char*)address; p + 1 < end; p++)
      if (p[0] == 0x0f && p[1] == 0x05) printf("%lx\n", (uint64_t)p);
  } else if (!strcmp(argv[1], "forge")) {
    return Forge();
  } else if (!strcmp(argv[1], "unmap")) {
    Unmap(address);
  } else {
    return 2;
  }
  puts("survived");
  return 0;
}
