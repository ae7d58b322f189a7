#include "runtime-cli/supervisor.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <system_error>

#include "runtime-cli/terminal.h"

namespace zrun {
namespace {

// Those that end or inform a program go on to the container's first process.
constexpr int kForwarded[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT, SIGALRM};
constexpr int kMemoryCheckMilliseconds = 20;

sigset_t HandledSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : kForwarded) sigaddset(&set, signal);
  sigaddset(&set, SIGCHLD);
  sigaddset(&set, SIGWINCH);
  return set;
}

}  // namespace

Supervisor::Supervisor(TrapMachine& machine, int terminal, uint64_t memory_limit)
    : machine_(machine), terminal_(terminal), memory_limit_(memory_limit) {
  const sigset_t set = HandledSignals();
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signals_ = UniqueFd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_.is_valid()) throw std::system_error(errno, std::generic_category(), "signalfd");
}

Supervisor::~Supervisor() { KillAll(); }

int Supervisor::Run() {
  machine_.Start();
  umask(0);  // the broker makes files with the modes that guests ask for
  while (!ended_) {
    pollfd fds[] = {{signals_.get(), POLLIN, 0}, {machine_.broker().supervisor_end(), POLLIN, 0}};
    const int ready = poll(fds, 2, memory_limit_ ? kMemoryCheckMilliseconds : -1);
    if (ready < 0 && errno != EINTR)
      throw std::system_error(errno, std::generic_category(), "poll");
    if (fds[1].revents & POLLIN) machine_.broker().Serve();
    if (fds[0].revents & POLLIN) HandleSignals();
    if (memory_limit_) CheckMemory();
    if (fds[1].revents & (POLLHUP | POLLERR)) ReapCarriers();
  }
  KillAll();
  if (const std::string report = machine_.DeathReport(); !report.empty())
    std::fprintf(stderr, "zrun: the container's kernel stopped: %s", report.c_str());
  return status_;
}

void Supervisor::HandleSignals() {
  signalfd_siginfo info;
  while (read(signals_.get(), &info, sizeof info) == ssize_t(sizeof info)) {
    if (info.ssi_signo == SIGCHLD) {
      ReapCarriers();
    } else if (info.ssi_signo == SIGWINCH) {
      if (terminal_ < 0) continue;
      machine_.boot().window = PackedWindowSize(terminal_);
      machine_.boot().window_changed = 1;
      machine_.RaiseEvent();
    } else {
      machine_.boot().pending_signals.fetch_or(uint64_t{1} << info.ssi_signo);
      machine_.RaiseEvent();
    }
  }
}

void Supervisor::ReapCarriers() {
  for (;;) {
    int status = 0;
    const pid_t pid = waitpid(-1, &status, WNOHANG | __WALL);
    if (pid == 0) return;
    if (pid < 0) {
      if (errno == EINTR) continue;
      if (!ended_) std::fprintf(stderr, "zrun: the container's processes are gone\n");
      ended_ = true;
      return;
    }
    if (machine_.boot().halted.load() == 1) {
      ended_ = true;
      status_ = machine_.boot().exit_status;
      return;
    }
    const bool orderly = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (orderly) continue;
    // A carrier shares the kernel's memory and may have held its locks: nothing can go on.
    ended_ = true;
    status_ = 125;
    if (WIFSIGNALED(status)) {
      std::fprintf(stderr,
                   "zrun: the host killed a process of the container (%s)%s; the container ends\n",
                   strsignal(WTERMSIG(status)),
                   WTERMSIG(status) == SIGKILL ? ", perhaps for want of memory" : "");
      status_ = 128 + WTERMSIG(status);
    }
    return;
  }
}

void Supervisor::KillAll() {
  if (machine_.group() <= 0) return;
  for (;;) {
    if (kill(-machine_.group(), SIGKILL) != 0)
      kill(machine_.group(), SIGKILL);  // before its setsid
    int status;
    const pid_t pid = waitpid(-1, &status, __WALL);
    if (pid < 0 && errno == ECHILD) return;
  }
}

// The memory file's pages, and each carrier's private ones.
uint64_t Supervisor::MeasureMemory() const {
  struct stat status;
  uint64_t total = fstat(machine_.memory_fd(), &status) == 0 ? uint64_t(status.st_blocks) * 512 : 0;
  std::ifstream children("/proc/self/task/" + std::to_string(getpid()) + "/children");
  for (pid_t pid; children >> pid;) {
    std::ifstream statm("/proc/" + std::to_string(pid) + "/statm");
    uint64_t size = 0, resident = 0, shared = 0;
    if (statm >> size >> resident >> shared) total += (resident - shared) * 4096;
  }
  return total;
}

void Supervisor::CheckMemory() {
  const uint64_t used = MeasureMemory();
  machine_.boot().committed = used;
  if (used <= memory_limit_) {
    checks_over_limit_ = 0;
    return;
  }
  // The kernel chooses what to kill; if that does not help, or memory runs away, the container
  // goes.
  if (checks_over_limit_++ % 10 == 0) {
    machine_.boot().out_of_memory = 1;
    machine_.RaiseEvent();
  }
  if (checks_over_limit_ > 100 || used > memory_limit_ * 2 + (uint64_t{256} << 20)) {
    std::fprintf(stderr, "zrun: the container is out of memory (limit %lu MiB, used %lu MiB)\n",
                 memory_limit_ >> 20, used >> 20);
    ended_ = true;
    status_ = 128 + SIGKILL;
  }
}

}  // namespace zrun
