#include "runtime-cli/qemu_machine.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "hal/devices.h"
#include "hal/riscv64/launcher.h"
#include "hal/riscv64/layout.h"

extern "C" const std::byte zrun_riscv64_kernel_begin[], zrun_riscv64_kernel_end[];

namespace zrun {
namespace {

constexpr int kForwarded[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT, SIGALRM};
constexpr uint64_t kDefaultMemory = uint64_t{512} << 20;
constexpr unsigned kDefaultProcessors = 4, kMostProcessors = 8;

[[noreturn]] void Throw(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

std::span<const std::byte> EmbeddedKernel() {
  if (&zrun_riscv64_kernel_begin[0] == &zrun_riscv64_kernel_end[0])
    throw std::runtime_error("this zrun was built without the riscv64 machine");
  return {zrun_riscv64_kernel_begin, zrun_riscv64_kernel_end};
}

UniqueFd MemoryFile(const char* name, const void* data, size_t size) {
  UniqueFd file(memfd_create(name, MFD_CLOEXEC));
  if (!file.is_valid()) Throw("memfd_create");
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = write(file.get(), at, size);
    if (written < 0) Throw("cannot write a memory file");
    at += written;
    size -= size_t(written);
  }
  return file;
}

std::string PathOf(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

hal::StreamKind KindOf(int fd) {
  struct stat status;
  if (fd < 0 || fstat(fd, &status) != 0) return hal::StreamKind::kNone;
  if (S_ISCHR(status.st_mode)) {
    if (isatty(fd)) return hal::StreamKind::kTerminal;
    if (status.st_rdev == makedev(1, 3)) return hal::StreamKind::kNull;
  }
  if (S_ISFIFO(status.st_mode)) return hal::StreamKind::kPipe;
  if (S_ISSOCK(status.st_mode)) return hal::StreamKind::kSocket;
  return hal::StreamKind::kFile;
}

}  // namespace

void QemuMachine::Pump::Read() {
  char buffer[16 << 10];
  const ssize_t got = read(from.get(), buffer, sizeof buffer);
  if (got > 0) {
    pending.append(buffer, size_t(got));
    taken += uint64_t(got);
  } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
    from = UniqueFd();
  }
}

void QemuMachine::Pump::Write() {
  while (!pending.empty() && to.is_valid()) {
    const ssize_t written = write(to.get(), pending.data(), pending.size());
    if (written > 0) {
      pending.erase(0, size_t(written));
    } else if (errno == EAGAIN || errno == EINTR) {
      return;
    } else {
      to = UniqueFd();  // nobody reads any more
    }
  }
  if (!to.is_valid()) pending.clear();
}

QemuMachine::QemuMachine(QemuMachineConfig config)
    : config_(std::move(config)), kernel_(EmbeddedKernel()) {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : kForwarded) sigaddset(&set, signal);
  sigaddset(&set, SIGCHLD);
  sigaddset(&set, SIGWINCH);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  signals_ = UniqueFd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_.is_valid()) Throw("signalfd");
}

QemuMachine::~QemuMachine() {
  if (pid_ <= 0 || ended_) return;
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

// Bound here and handed over: only this host's programs reach it, and any free port can be had.
void QemuMachine::ListenForDebugger() {
  const UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(config_.gdb_port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (!listener.is_valid() || bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size) ||
      listen(listener.get(), 1) ||
      getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size))
    Throw("cannot listen for a debugger");
  const int fd = Inherit(listener.get());
  devices_.insert(devices_.end(),
                  {"-chardev", "socket,id=zrun.gdb,server=on,wait=off,fd=" + std::to_string(fd),
                   "-gdb", "chardev:zrun.gdb", "-S"});
  std::fprintf(stderr,
               "zrun: waiting for gdb-multiarch -ex 'target remote localhost:%u' "
               "BUILD/runtime-cli/zkernel-riscv64\n",
               unsigned(ntohs(address.sin_port)));
}

int QemuMachine::Inherit(int fd) {
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) Throw("cannot pass on a descriptor");
  inherited_.emplace_back(copy);
  return copy;
}

UniqueFd QemuMachine::AddPort(const std::string& name, const std::string& device) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) Throw("socketpair");
  inherited_.emplace_back(ends[1]);
  devices_.push_back("-chardev");
  devices_.push_back("socket,id=" + name + ",fd=" + std::to_string(ends[1]));
  devices_.push_back(device == "serial" ? "-serial" : "-device");
  devices_.push_back(device == "serial"
                         ? "chardev:" + name
                         : "virtserialport,chardev=" + name + ",name=" + name + ",nr=" + device);
  fcntl(ends[0], F_SETFL, fcntl(ends[0], F_GETFL) | O_NONBLOCK);
  return UniqueFd(ends[0]);
}

void QemuMachine::AddDisk(const MachineDisk& disk, unsigned index) {
  const std::string name = "disk" + std::to_string(index);
  devices_.push_back("-drive");
  devices_.push_back("if=none,format=raw,id=" + name + ",file=" + PathOf(Inherit(disk.file.get())) +
                     (disk.read_only ? ",readonly=on" : "") + ",file.locking=off");
  devices_.push_back("-device");
  devices_.push_back("virtio-blk-device,drive=" + name);
}

std::vector<std::string> QemuMachine::Arguments() const {
  const uint64_t memory = config_.memory ? config_.memory : kDefaultMemory;
  const unsigned host = std::max(1u, std::thread::hardware_concurrency());
  const unsigned processors =
      config_.processors ? config_.processors : std::min(host, kDefaultProcessors);
  const char* program = std::getenv("ZRUN_QEMU");
  std::vector<std::string> words = {program ? program : "qemu-system-riscv64",
                                    "-machine",
                                    "virt",
                                    "-nodefaults",
                                    "-no-user-config",
                                    "-no-reboot",
                                    "-display",
                                    "none",
                                    "-global",
                                    "virtio-mmio.force-legacy=false",
                                    "-m",
                                    std::to_string((memory + (1 << 20) - 1) >> 20) + "M",
                                    "-smp",
                                    std::to_string(std::min(processors, kMostProcessors)),
                                    "-device",
                                    "virtio-rng-device",
                                    "-netdev",
                                    "user,id=net,restrict=on",
                                    "-device",
                                    "virtio-net-device,netdev=net",
                                    "-device",
                                    "virtio-serial-device,max_ports=5"};
  return words;
}

void QemuMachine::Start() {
  std::string records = config_.records;
  const char* const kKinds[] = {"hal.stdin=", "hal.stdout=", "hal.stderr="};
  for (int i = 0; i < 3; i++)
    records += kKinds[i] + std::to_string(int(KindOf(config_.streams[i].get()))) + '\0';
  if (config_.terminal >= 0)
    records += "hal.window=" + std::to_string(PackedWindowSize(config_.terminal)) + '\0';
  if (records.size() > ZRUN_RECORDS_MAX)
    throw std::runtime_error("the command and its environment are too long");

  for (unsigned i = 0; i < hal::kPortCount; i++) {
    UniqueFd end = AddPort(hal::kPortNames[i], std::to_string(i + 1));
    if (i == 0) {
      pumps_[i].from = std::move(config_.streams[i]);
      pumps_[i].to = std::move(end);
    } else if (i < 3) {
      pumps_[i].from = std::move(end);
      pumps_[i].to = std::move(config_.streams[i]);
    } else {
      control_ = std::move(end);
    }
  }
  serial_ = AddPort("zrun.serial", "serial");
  for (unsigned i = 0; i < config_.disks.size(); i++) AddDisk(config_.disks[i], i);
  const auto bytes = EmbeddedKernel();
  const UniqueFd kernel = MemoryFile("zkernel-riscv64", bytes.data(), bytes.size());
  const UniqueFd boot = MemoryFile("records", records.data(), records.size());
  if (config_.gdb) ListenForDebugger();
  std::vector<std::string> words = Arguments();
  words.insert(words.end(), devices_.begin(), devices_.end());
  char address[32];
  std::snprintf(address, sizeof address, "0x%x", ZRUN_RECORDS);
  words.insert(words.end(),
               {"-kernel", PathOf(Inherit(kernel.get())), "-device",
                "loader,file=" + PathOf(Inherit(boot.get())) + ",addr=" + address + ",force-raw=on",
                "-append", "hal.records=" + std::to_string(records.size())});
  words.insert(words.end(), config_.more_options.begin(), config_.more_options.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  pid_ = fork();
  if (pid_ < 0) Throw("fork");
  if (pid_ > 0) {
    inherited_.clear();
    return;
  }
  setsid();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const UniqueFd& fd : inherited_) fcntl(fd.get(), F_SETFD, 0);
  const int null = open("/dev/null", O_RDWR);
  dup2(null, 0);
  dup2(null, 1);
  execvp(argv[0], argv.data());
  dprintf(2, "zrun: %s: %s (Debian: apt install qemu-system-misc)\n", argv[0], strerror(errno));
  _exit(125);
}

void QemuMachine::SendMessage(uint64_t kind, uint64_t value) {
  const hal::LauncherMessage message = {kind, value};
  // A machine that does not read so much has other worries.
  static_cast<void>(!write(control_.get(), &message, sizeof message));
}

void QemuMachine::AnnounceEnds() {
  if (!announced_[0] && !pumps_[0].from.is_valid()) {
    announced_[0] = true;
    SendMessage(hal::LauncherMessage::kEndOfInput, pumps_[0].taken);
  }
  for (int i = 1; i < 3; i++) {
    if (announced_[i] || pumps_[i].to.is_valid()) continue;
    announced_[i] = true;
    SendMessage(hal::LauncherMessage::kOutputClosed, uint64_t(i));
  }
}

void QemuMachine::HandleSignals() {
  signalfd_siginfo info;
  while (read(signals_.get(), &info, sizeof info) == ssize_t(sizeof info)) {
    if (info.ssi_signo == SIGCHLD) {
      int status = 0;
      if (waitpid(pid_, &status, WNOHANG) != pid_) continue;
      ended_ = true;
      if (WIFSIGNALED(status)) {
        std::fprintf(stderr, "zrun: QEMU was killed (%s)\n", strsignal(WTERMSIG(status)));
      } else if (has_booted_) {
        status_ = WEXITSTATUS(status);
      }
    } else if (info.ssi_signo == SIGWINCH) {
      if (config_.terminal >= 0)
        SendMessage(hal::LauncherMessage::kWindow, PackedWindowSize(config_.terminal));
    } else {
      SendMessage(hal::LauncherMessage::kSignal, info.ssi_signo);
    }
  }
}

// The kernel's own messages. Addresses of a back trace get names.
void QemuMachine::ShowLine(std::string line) {
  unsigned number = 0;
  unsigned long address = 0;
  if (std::sscanf(line.c_str(), "  #%u %lx", &number, &address) == 2)
    // The others are return addresses, perhaps behind the end of a function that does not return.
    line += ' ' + kernel_.Describe(number == 0 ? address : address - 1);
  std::fprintf(stderr, "%s\n", line.c_str());
}

void QemuMachine::ReadSerial() {
  char buffer[4096];
  const ssize_t got = read(serial_.get(), buffer, sizeof buffer);
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) serial_ = UniqueFd();
  if (got <= 0) return;
  serial_text_.append(buffer, size_t(got));
  if (!has_booted_) {
    const size_t mark = serial_text_.find(hal::kSerialMark);
    if (mark == std::string::npos) return;
    has_booted_ = true;
    serial_text_.erase(0, mark + 1);
  }
  std::erase(serial_text_, '\r');
  for (size_t end; (end = serial_text_.find('\n')) != std::string::npos;) {
    ShowLine(serial_text_.substr(0, end));
    serial_text_.erase(0, end + 1);
  }
}

int QemuMachine::Run() {
  Start();
  for (;;) {
    // Once it has ended, what it has written is still passed on.
    if (ended_ && !serial_.is_valid() && pumps_[1].is_done() && pumps_[2].is_done()) break;
    pollfd fds[8] = {{signals_.get(), POLLIN, 0}, {serial_.get(), POLLIN, 0}};
    for (int i = 0; i < 3; i++) {
      Pump& pump = pumps_[i];
      fds[2 + 2 * i] = {pump.WantsToRead() ? pump.from.get() : -1, POLLIN, 0};
      // Without anything to write, poll still tells that nobody listens.
      fds[3 + 2 * i] = {pump.to.get(), short(pump.pending.empty() ? 0 : POLLOUT), 0};
    }
    if (poll(fds, 8, -1) < 0 && errno != EINTR) Throw("poll");
    if (fds[1].revents) ReadSerial();
    for (int i = 0; i < 3; i++) {
      if (fds[2 + 2 * i].revents) pumps_[i].Read();
      // A reader that is gone; QEMU's own end goes with it.
      if (fds[3 + 2 * i].revents & (POLLERR | POLLNVAL)) pumps_[i].to = UniqueFd();
      pumps_[i].Write();
    }
    AnnounceEnds();
    if (fds[0].revents) HandleSignals();
  }
  if (!has_booted_ && status_ == 125) std::fprintf(stderr, "zrun: the machine did not start\n");
  return status_;
}

}  // namespace zrun
