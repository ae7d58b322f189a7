#pragma once
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "hal/trap_x86_64/boot_record.h"
#include "images/file.h"
#include "runtime-cli/broker.h"
#include "runtime-cli/kernel_image.h"

namespace zrun {

struct TrapMachineConfig {
  std::optional<UniqueFd> image;
  std::string command_line;  // NUL-terminated records
  struct Volume {
    UniqueFd root;  // O_PATH
    std::string target;
    bool read_only;
  };
  std::vector<Volume> volumes;
  UniqueFd streams[3];  // non-blocking
  uint64_t window = 0;
  uint64_t memory = 0;  // what guests are told; 0: the host's
};

// A kernel in a memory file, and the first host process that runs it
// (docs/adr/0001-trap-machine.md).
class TrapMachine {
 public:
  explicit TrapMachine(TrapMachineConfig config);
  ~TrapMachine();
  TrapMachine(const TrapMachine&) = delete;
  TrapMachine& operator=(const TrapMachine&) = delete;

  // Starts the service carrier.
  void Start();
  hal::BootRecord& boot() { return *boot_; }
  Broker& broker() { return broker_; }
  // Tells the kernel to look at the boot record.
  void RaiseEvent();
  // The process group of all carriers.
  pid_t group() const { return group_; }
  int memory_fd() const { return memory_.get(); }
  // A report for a person if the kernel died; empty otherwise.
  std::string DeathReport() const;

 private:
  void LoadKernel();
  void FillBootRecord();
  [[noreturn]] void EnterKernel();
  uint32_t AddText(const std::string& text);

  TrapMachineConfig config_;
  std::string cpuinfo_;
  KernelImage kernel_;
  Broker broker_;
  UniqueFd memory_, event_;
  uint64_t boot_address_ = 0, boot_size_ = 0;
  hal::BootRecord* boot_ = nullptr;
  pid_t group_ = -1;
};

// What the processor and the host offer.
struct HostFacts {
  bool protection_keys = false;
  bool fsgsbase = false;
  uint64_t xsave_mask = 0;
  uint32_t xsave_size = 0, pkru_offset = 0;
};
HostFacts ReadHostFacts();

}  // namespace zrun
