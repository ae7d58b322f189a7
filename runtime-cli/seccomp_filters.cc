#include "runtime-cli/seccomp_filters.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "hal/trap_x86_64/layout.h"

namespace zrun {
namespace {

static_assert(sizeof(hal::FilterInstruction) == sizeof(sock_filter));

class Filter {
 public:
  Filter() : context_(seccomp_init(SCMP_ACT_TRAP)) {
    if (!context_) throw std::runtime_error("seccomp_init failed");
    Check(seccomp_attr_set(context_, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_TRAP),
          "bad-architecture action");
    seccomp_attr_set(context_, SCMP_FLTATR_CTL_OPTIMIZE,
                     2);  // a binary tree, where the library knows it
  }
  ~Filter() { seccomp_release(context_); }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  template <typename... Tests>
  void Allow(int call, Tests... tests) {
    const scmp_arg_cmp array[] = {tests...};
    Check(seccomp_rule_add_array(context_, SCMP_ACT_ALLOW, call, sizeof...(tests), array), "rule");
  }

  std::vector<hal::FilterInstruction> Export() {
    const int fd = memfd_create("filter", MFD_CLOEXEC);
    if (fd < 0) throw std::system_error(errno, std::generic_category(), "memfd_create");
    const int exported = seccomp_export_bpf(context_, fd);
    const off_t size = lseek(fd, 0, SEEK_END);
    std::vector<hal::FilterInstruction> program(size_t(size) / sizeof(hal::FilterInstruction));
    const ssize_t read = pread(fd, program.data(), size_t(size), 0);
    close(fd);
    Check(exported, "export");
    if (read != size) throw std::runtime_error("cannot read the seccomp filter back");
    return program;
  }

 private:
  static void Check(int result, const char* what) {
    if (result < 0)
      throw std::system_error(-result, std::generic_category(), std::string("libseccomp: ") + what);
  }
  scmp_filter_ctx context_;
};

}  // namespace

std::vector<hal::FilterInstruction> MakeOriginFilter(uint64_t text_begin, uint64_t text_end) {
  const uint32_t pc_low = offsetof(seccomp_data, instruction_pointer), pc_high = pc_low + 4;
  const sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, pc_high),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, uint32_t(text_begin >> 32), 0, 4),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, pc_low),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, uint32_t(text_begin), 0, 2),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, uint32_t(text_end), 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
  };
  std::vector<hal::FilterInstruction> out(std::size(program));
  std::memcpy(out.data(), program, sizeof program);
  return out;
}

std::vector<hal::FilterInstruction> MakeHostCallFilter(uint32_t cookie, int nice) {
  Filter filter;
  const scmp_arg_cmp sixth = SCMP_A5(SCMP_CMP_EQ, cookie);
  constexpr uint64_t kHigh = 0xffffffff00000000;
  const uint64_t high_cookie = uint64_t{cookie} << 32;
  for (int call : {SCMP_SYS(read),          SCMP_SYS(write),        SCMP_SYS(close),
                   SCMP_SYS(fstat),         SCMP_SYS(lseek),        SCMP_SYS(mprotect),
                   SCMP_SYS(munmap),        SCMP_SYS(pread64),      SCMP_SYS(pwrite64),
                   SCMP_SYS(sched_yield),   SCMP_SYS(mremap),       SCMP_SYS(mincore),
                   SCMP_SYS(madvise),       SCMP_SYS(recvmsg),      SCMP_SYS(exit),
                   SCMP_SYS(fsync),         SCMP_SYS(fdatasync),    SCMP_SYS(ftruncate),
                   SCMP_SYS(getrusage),     SCMP_SYS(fstatfs),      SCMP_SYS(getdents64),
                   SCMP_SYS(clock_gettime), SCMP_SYS(exit_group),   SCMP_SYS(ppoll),
                   SCMP_SYS(fallocate),     SCMP_SYS(getcpu),       SCMP_SYS(getrandom),
                   SCMP_SYS(sigaltstack),   SCMP_SYS(rt_sigreturn), SCMP_SYS(getppid)}) {
    filter.Allow(call, sixth);
  }
  // Advisory locks that do not wait.
  for (int command : {F_OFD_GETLK, F_OFD_SETLK})
    filter.Allow(SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, uint64_t(command)), sixth);
  for (int operation : {LOCK_SH | LOCK_NB, LOCK_EX | LOCK_NB, LOCK_UN})
    filter.Allow(SCMP_SYS(flock), SCMP_A1(SCMP_CMP_EQ, uint64_t(operation)), sixth);
  // No namespaces, no tracing; every carrier is the supervisor's child.
  constexpr uint64_t kForbiddenClone = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                       CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_PTRACE |
                                       CLONE_UNTRACED | CLONE_IO;
  filter.Allow(SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, kForbiddenClone, 0), sixth);
  filter.Allow(SCMP_SYS(tgkill), SCMP_A2(SCMP_CMP_EQ, ZRUN_KICK_SIGNAL), sixth);
  filter.Allow(SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_PDEATHSIG), sixth);
  // A thread's own place only; barriers that interrupt nobody but the caller's own threads or wait.
  filter.Allow(SCMP_SYS(sched_setaffinity), SCMP_A0(SCMP_CMP_EQ, 0), sixth);
  // Its own nice value, never a lower one than zrun was started with.
  for (int value = nice; value < 20; value++)
    filter.Allow(SCMP_SYS(setpriority), SCMP_A0(SCMP_CMP_EQ, PRIO_PROCESS), SCMP_A1(SCMP_CMP_EQ, 0),
                 SCMP_A2(SCMP_CMP_EQ, uint64_t(value)), sixth);
  filter.Allow(SCMP_SYS(membarrier), SCMP_A1(SCMP_CMP_EQ, 0), sixth);
  filter.Allow(SCMP_SYS(mmap), SCMP_A4(SCMP_CMP_MASKED_EQ, kHigh, high_cookie));
  filter.Allow(SCMP_SYS(futex), SCMP_A5(SCMP_CMP_MASKED_EQ, kHigh, high_cookie));
  filter.Allow(SCMP_SYS(sendto), SCMP_A4(SCMP_CMP_EQ, 0),
               SCMP_A5(SCMP_CMP_MASKED_EQ, kHigh, high_cookie));
  return filter.Export();
}

}  // namespace zrun
