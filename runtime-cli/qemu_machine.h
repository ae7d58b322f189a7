#pragma once
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "runtime-cli/kernel_image.h"
#include "runtime-cli/terminal.h"

namespace zrun {

struct MachineDisk {
  UniqueFd file;
  bool read_only;
};

struct QemuMachineConfig {
  std::vector<MachineDisk> disks;  // the first is the image
  std::string records;             // the kernel's command line, NUL-terminated
  UniqueFd streams[3];             // non-blocking; invalid: none
  int terminal = -1;               // whose window size is passed on
  uint64_t memory = 0;             // bytes for the guest; 0: a default
  unsigned processors = 0;         // 0: a default
  bool gdb = false;                // wait for a debugger, on this port (0: one that is free)
  uint16_t gdb_port = 0;
  std::vector<std::string> more_options;  // QEMU's
};

// zkernel-riscv64 on a machine that QEMU emulates: "virt", with a port of a virtio console for each
// stream. hal/riscv64/launcher.h and layout.h are what both sides agree on.
class QemuMachine {
 public:
  explicit QemuMachine(QemuMachineConfig config);
  ~QemuMachine();
  QemuMachine(const QemuMachine&) = delete;
  QemuMachine& operator=(const QemuMachine&) = delete;
  // Until it has ended; the exit status for zrun.
  int Run();

 private:
  // Bytes on their way from one descriptor to another.
  struct Pump {
    UniqueFd from, to;
    std::string pending;
    uint64_t taken = 0;
    bool WantsToRead() const { return from.is_valid() && pending.size() < kLimit; }
    bool is_done() const { return !from.is_valid() && pending.empty(); }
    void Read();
    void Write();
    static constexpr size_t kLimit = 64 << 10;
  };

  std::vector<std::string> Arguments() const;
  void Start();
  // A socket whose other end QEMU has, as the character device |name|.
  UniqueFd AddPort(const std::string& name, const std::string& device);
  void AddDisk(const MachineDisk& disk, unsigned index);
  int Inherit(int fd);
  void ListenForDebugger();
  void HandleSignals();
  void SendMessage(uint64_t kind, uint64_t value);
  // Tells the kernel of streams that have ended.
  void AnnounceEnds();
  void ReadSerial();
  void ShowLine(std::string line);

  QemuMachineConfig config_;
  KernelImage kernel_;
  std::vector<UniqueFd> inherited_;
  std::vector<std::string> devices_;
  Pump pumps_[3];
  bool announced_[3] = {};
  UniqueFd serial_, control_, signals_;
  std::string serial_text_;
  bool has_booted_ = false;
  pid_t pid_ = -1;
  bool ended_ = false;
  int status_ = 125;
};

}  // namespace zrun
