#include "runtime-cli/trap_machine.h"

#include <cpuid.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <system_error>

#include "hal/devices.h"
#include "hal/trap_x86_64/layout.h"
#include "runtime-cli/seccomp_filters.h"

extern "C" const std::byte zrun_trap_kernel_begin[], zrun_trap_kernel_end[];

namespace zrun {
namespace {

constexpr uint64_t kPage = 4096;
uint64_t RoundUp(uint64_t value) { return (value + kPage - 1) & ~(kPage - 1); }

template <typename T>
T Check(T result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

struct VdsoRange {
  uint64_t base = 0, size = 0, header = 0;
};
VdsoRange FindVdso() {
  VdsoRange range;
  range.header = getauxval(AT_SYSINFO_EHDR);
  uint64_t end = 0;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find("[vdso]") == std::string::npos && line.find("[vvar") == std::string::npos)
      continue;
    unsigned long from = 0, to = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx", &from, &to) != 2) continue;
    if (range.base == 0) range.base = from;
    end = to;
  }
  range.size = end - range.base;
  if (range.base == 0) range.header = 0;
  return range;
}

// A number of a processor's place among the others; |otherwise| where the host does not tell.
long ReadTopology(unsigned processor, const std::string& name, long otherwise) {
  std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(processor) + "/topology/" +
                     name);
  long value = -1;
  return file >> value && value >= 0 ? value : otherwise;
}

// Without what a guest cannot have: arch_prctl(ARCH_SET_CPUID) is not offered.
std::string GuestFlags(std::string line) {
  constexpr std::string_view kCpuidFault = " cpuid_fault";
  const size_t at = line.find(kCpuidFault);
  if (at != std::string::npos) line.erase(at, kCpuidFault.size());
  return line;
}

// /proc/cpuinfo, from the first processor's paragraph (reading all of it takes long on large hosts)
// and what tells each processor from the first.
std::string ReadCpuInfo(unsigned processors) {
  std::ifstream file("/proc/cpuinfo");
  std::string first;
  for (std::string line; std::getline(file, line) && !line.empty();) {
    const bool is_own = line.starts_with("processor") || line.starts_with("physical id") ||
                        line.starts_with("core id") || line.starts_with("apicid") ||
                        line.starts_with("initial apicid");
    if (!is_own) first += (line.starts_with("flags") ? GuestFlags(line) : line) + '\n';
  }
  std::string text;
  for (unsigned i = 0; i < std::min(processors, 256u); i++) {
    text += "processor\t: " + std::to_string(i) + '\n' + first;
    text += "physical id\t: " + std::to_string(ReadTopology(i, "physical_package_id", 0)) + '\n';
    text += "core id\t\t: " + std::to_string(ReadTopology(i, "core_id", long(i))) + "\n\n";
  }
  return text;
}

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

int32_t NumberOf(const UniqueFd& fd) { return fd.is_valid() ? fd.get() : -1; }

}  // namespace

std::span<const std::byte> EmbeddedTrapKernel() {
  return {zrun_trap_kernel_begin, zrun_trap_kernel_end};
}

HostFacts ReadHostFacts() {
  HostFacts facts;
  unsigned a = 0, b = 0, c = 0, d = 0;
  __cpuid(1, a, b, c, d);
  if (!(c & bit_OSXSAVE)) throw std::runtime_error("this processor lacks XSAVE, which zrun needs");
  unsigned low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  constexpr uint64_t kPkru = 1 << 9, kTiles = 3 << 17;
  // The key register is the machine's own; tile data needs a permission that guests are not given.
  facts.xsave_mask = (uint64_t{high} << 32 | low) & ~(kPkru | kTiles);
  facts.xsave_size = 576;
  for (int component = 2; component < 63; component++) {
    __cpuid_count(0xd, component, a, b, c, d);
    if (component == 9) facts.pkru_offset = b;
    if (facts.xsave_mask >> component & 1) facts.xsave_size = std::max(facts.xsave_size, b + a);
  }
  __cpuid_count(7, 0, a, b, c, d);
  facts.protection_keys = (c & bit_OSPKE) != 0;
  facts.fsgsbase = (getauxval(AT_HWCAP2) & 2) != 0;
  return facts;
}

TrapMachine::TrapMachine(TrapMachineConfig config)
    : config_(std::move(config)), kernel_(EmbeddedTrapKernel()) {
  memory_ = UniqueFd(Check(memfd_create("zrun", MFD_CLOEXEC), "memfd_create"));
  Check(ftruncate(memory_.get(), off_t(ZRUN_FILE_RAM + uint64_t{ZRUN_RAM_SIZE})),
        "cannot size the container's memory");
  event_ = UniqueFd(Check(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd"));
  LoadKernel();
  FillBootRecord();
}

TrapMachine::~TrapMachine() {
  if (boot_) munmap(boot_, boot_size_);
}

void TrapMachine::LoadKernel() {
  const HostFacts facts = ReadHostFacts();
  if (!facts.fsgsbase)
    throw std::runtime_error("this host lacks FSGSBASE (Linux 5.9 or newer is needed)");
  for (const auto& segment : kernel_.segments()) {
    const auto contents = kernel_.contents(segment);
    const off_t offset = off_t(segment.address - ZRUN_KERNEL_BASE);
    if (pwrite(memory_.get(), contents.data(), contents.size(), offset) != ssize_t(contents.size()))
      throw std::system_error(errno, std::generic_category(), "cannot load the kernel");
  }
  if (!facts.protection_keys) {
    // WRPKRU becomes a NOP of its length.
    const uint64_t begin = kernel_.Symbol("pku_sites_begin"), end = kernel_.Symbol("pku_sites_end");
    for (uint64_t at = begin; at < end; at += 8) {
      uint64_t site = 0;
      const unsigned char nop[3] = {0x0f, 0x1f, 0x00};
      if (pread(memory_.get(), &site, 8, off_t(at - ZRUN_KERNEL_BASE)) != 8 ||
          pwrite(memory_.get(), nop, 3, off_t(site - ZRUN_KERNEL_BASE)) != 3)
        throw std::runtime_error(
            "cannot prepare the kernel for a processor without protection keys");
    }
  }
  uint64_t end = 0;
  for (const auto& segment : kernel_.segments())
    end = std::max(end, segment.address + segment.memory_size);
  boot_address_ = RoundUp(end);
  cpuinfo_ = ReadCpuInfo(uint32_t(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN))));
  size_t text = config_.command_line.size() + cpuinfo_.size() + kPage;
  for (const auto& volume : config_.volumes) text += volume.target.size() + 1;
  boot_size_ = RoundUp(sizeof(hal::BootRecord) + text);
  void* mapped = mmap(nullptr, boot_size_, PROT_READ | PROT_WRITE, MAP_SHARED, memory_.get(),
                      off_t(boot_address_ - ZRUN_KERNEL_BASE));
  if (mapped == MAP_FAILED)
    throw std::system_error(errno, std::generic_category(), "cannot map the boot record");
  boot_ = static_cast<hal::BootRecord*>(mapped);
}

uint32_t TrapMachine::AddText(const std::string& text) {
  const uint32_t at = boot_->text_size;
  if (sizeof(hal::BootRecord) + at + text.size() + 1 > boot_size_)
    throw std::runtime_error("the boot record is full");
  std::memcpy(boot_->text + at, text.data(), text.size());
  boot_->text[at + text.size()] = '\0';
  boot_->text_size += uint32_t(text.size() + 1);
  return at;
}

void TrapMachine::FillBootRecord() {
  hal::BootRecord& boot = *boot_;
  const HostFacts facts = ReadHostFacts();
  boot.magic = hal::kBootMagic;
  Check(getrandom(&boot.cookie, sizeof boot.cookie, 0), "getrandom");
  boot.memory_fd = memory_.get();
  boot.event_fd = event_.get();
  boot.broker_fd = broker_.container_end();
  boot.image_fd = -1;
  if (config_.image) {
    boot.image_fd = config_.image->get();
    struct stat status;
    Check(fstat(boot.image_fd, &status), "cannot read the image's size");
    boot.image_size = uint64_t(status.st_size);
  }
  for (int i = 0; i < 3; i++) {
    boot.stream_fds[i] = NumberOf(config_.streams[i]);
    boot.stream_kinds[i] = uint32_t(KindOf(boot.stream_fds[i]));
  }
  boot.window = config_.window;
  boot.ram_size = ZRUN_RAM_SIZE;
  struct sysinfo info;
  Check(sysinfo(&info), "sysinfo");
  boot.total_ram = config_.memory ? config_.memory : uint64_t{info.totalram} * info.mem_unit;
  const VdsoRange vdso = FindVdso();
  boot.vdso_base = vdso.base;
  boot.vdso_size = vdso.size;
  boot.vdso_header = vdso.header;
  boot.xsave_mask = facts.xsave_mask;
  boot.xsave_size = facts.xsave_size;
  boot.pkru_offset = facts.pkru_offset;
  boot.has_protection_keys = facts.protection_keys;
  boot.has_fsgsbase = facts.fsgsbase;
  boot.hwcap = getauxval(AT_HWCAP);
  boot.hwcap2 = getauxval(AT_HWCAP2);
  boot.minsigstksz = getauxval(AT_MINSIGSTKSZ);
  timespec tick;
  Check(clock_getres(CLOCK_MONOTONIC_COARSE, &tick), "clock_getres");
  boot.coarse_clock_tick = tick.tv_nsec;
  boot.cpu_count = uint32_t(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  cpu_set_t allowed;
  Check(sched_getaffinity(0, sizeof allowed, &allowed), "sched_getaffinity");
  for (int cpu = 0; cpu < 64; cpu++)
    if (CPU_ISSET(cpu, &allowed)) boot.allowed_cpus |= uint64_t{1} << cpu;
  boot.nice = getpriority(PRIO_PROCESS, 0);
  if (config_.volumes.size() > hal::kMaxVolumes) throw std::runtime_error("too many volumes");
  for (auto& volume : config_.volumes) {
    const int root = volume.root.get();
    const uint32_t node =
        broker_.AddRoot(UniqueFd(Check(fcntl(root, F_DUPFD_CLOEXEC, 3), "cannot share a volume")),
                        volume.read_only);
    boot.volumes[boot.volume_count++] = {root, node, volume.read_only, AddText(volume.target)};
  }
  boot.cpuinfo = AddText(cpuinfo_);
  boot.command_line = AddText(config_.command_line);
  boot.command_line_size = uint32_t(config_.command_line.size());

  const uint64_t text_end =
      kernel_.segments().front().address + RoundUp(kernel_.segments().front().memory_size);
  const std::vector<hal::FilterInstruction> filters[] = {
      MakeOriginFilter(ZRUN_KERNEL_BASE, text_end), MakeHostCallFilter(boot.cookie, boot.nice)};
  for (int i = 0; i < 2; i++) {
    if (filters[i].size() > hal::kMaxFilterInstructions)
      throw std::runtime_error("a seccomp filter is too long");
    std::copy(filters[i].begin(), filters[i].end(), boot.filters[i]);
    boot.filter_count[i] = uint32_t(filters[i].size());
  }
}

void TrapMachine::Start() {
  // Each known file of a shared directory takes a descriptor, here and in the container.
  rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  const pid_t child = Check(fork(), "fork");
  if (child == 0) EnterKernel();
  group_ = child;
  broker_.CloseContainerEnd();
}

// In the new process: only what a fork of this program may do, and nothing that allocates.
void TrapMachine::EnterKernel() {
  const auto fail = [](const char* what) {
    dprintf(2, "zrun: cannot start the container: %s: %s\n", what, strerror(errno));
    _exit(125);
  };
  setsid();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_DUMPABLE, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int signal = 1; signal < 32; signal++) ::signal(signal, SIG_DFL);

  int kept[hal::kMaxVolumes + 8];
  int count = 0;
  for (int fd : {boot_->memory_fd, boot_->image_fd, boot_->broker_fd, boot_->event_fd,
                 boot_->stream_fds[0], boot_->stream_fds[1], boot_->stream_fds[2]})
    if (fd >= 0) kept[count++] = fd;
  for (uint32_t i = 0; i < boot_->volume_count; i++) kept[count++] = boot_->volumes[i].root;
  std::sort(kept, kept + count);
  unsigned from = 0;
  for (int i = 0; i < count; i++) {
    if (unsigned(kept[i]) > from) close_range(from, unsigned(kept[i]) - 1, 0);
    from = unsigned(kept[i]) + 1;
  }
  close_range(from, ~0u, 0);

  // What the C library told the host about memory that goes away.
  char* const rseq = static_cast<char*>(__builtin_thread_pointer()) + __rseq_offset;
  if (__rseq_size > 0 && syscall(SYS_rseq, rseq, 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIG) != 0 &&
      syscall(SYS_rseq, rseq, __rseq_size, RSEQ_FLAG_UNREGISTER, RSEQ_SIG) != 0)
    fail("rseq");
  syscall(SYS_set_tid_address, nullptr);
  syscall(SYS_set_robust_list, nullptr, 24);

  const int memory = boot_->memory_fd;
  const bool keys = boot_->has_protection_keys;
  if (keys && syscall(SYS_pkey_alloc, 0, 0) != ZRUN_KERNEL_KEY) fail("the kernel's protection key");
  const auto map = [&](uint64_t address, uint64_t size, int protection, int fd, uint64_t offset,
                       bool keyed) {
    void* wanted = reinterpret_cast<void*>(address);
    if (mmap(wanted, size, protection, MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_NORESERVE, fd,
             off_t(offset)) != wanted)
      fail("mmap");
    if (keys && keyed && syscall(SYS_pkey_mprotect, wanted, size, protection, ZRUN_KERNEL_KEY) != 0)
      fail("pkey_mprotect");
  };
  for (const auto& segment : kernel_.segments()) {
    const int protection = segment.executable ? PROT_READ | PROT_EXEC
                           : segment.writable ? PROT_READ | PROT_WRITE
                                              : PROT_READ;
    const uint64_t end =
        segment.writable ? boot_address_ + boot_size_ : segment.address + segment.memory_size;
    map(segment.address, RoundUp(end - segment.address), protection, memory,
        segment.address - ZRUN_KERNEL_BASE, !segment.executable);
  }
  map(ZRUN_BLOCKS_BASE, ZRUN_BLOCKS_SIZE, PROT_READ | PROT_WRITE, memory, ZRUN_FILE_BLOCKS, true);
  map(ZRUN_RAM_WINDOW, ZRUN_RAM_SIZE, PROT_READ | PROT_WRITE, memory, ZRUN_FILE_RAM, true);
  if (boot_->image_fd >= 0)
    map(ZRUN_ROM_WINDOW, RoundUp(boot_->image_size), PROT_READ, boot_->image_fd, 0, true);
  if (mmap(reinterpret_cast<void*>(ZRUN_EXIT_SLOTS), ZRUN_EXIT_SLOTS_SIZE, PROT_READ | PROT_WRITE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0) == MAP_FAILED)
    fail("mmap");
  if (keys) asm volatile("wrpkru" : : "a"(ZRUN_KERNEL_PKRU), "c"(0), "d"(0));
  asm volatile(
      "mov %0, %%rsp\n"
      "jmp *%1"
      :
      : "r"(uint64_t{ZRUN_BLOCKS_BASE} + ZRUN_BLOCK_THREAD), "r"(kernel_.entry()),
        "D"(boot_address_)
      : "memory");
  __builtin_unreachable();
}

void TrapMachine::RaiseEvent() {
  const uint64_t one = 1;
  static_cast<void>(!write(event_.get(), &one, sizeof one));
}

std::string TrapMachine::DeathReport() const {
  if (boot_->died.load() != 1) return {};
  std::string report = boot_->death_reason;
  report += '\n';
  static const char* const kNames[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
                                       "rsi", "rdi", "r8",  "r9",  "r10", "r11",
                                       "r12", "r13", "r14", "r15", "rip", "rflags"};
  char text[64];
  if (boot_->death_registers[16] != 0) {
    for (int i = 0; i < 18; i++) {
      std::snprintf(text, sizeof text, "%6s %016lx%s", kNames[i], boot_->death_registers[i],
                    i % 3 == 2 ? "\n" : " ");
      report += text;
    }
  }
  for (uint32_t i = 0; i < std::min<uint32_t>(boot_->death_frame_count, 32); i++) {
    std::snprintf(text, sizeof text, "  #%u %016lx ", i, boot_->death_frames[i]);
    report += text + kernel_.Describe(boot_->death_frames[i]) + '\n';
  }
  return report;
}

}  // namespace zrun
