#pragma once
#include <atomic>
#include <cstdint>

// What the launcher hands to the kernel, at the end of the kernel's image, and what the kernel
// tells it back. Both sides are built from this header.
namespace zrun::hal {

inline constexpr uint32_t kBootMagic = 0x7a72756e;
inline constexpr unsigned kMaxVolumes = 64;
inline constexpr unsigned kMaxFilterInstructions = 1024;
inline constexpr uint32_t kMaxCommandLine = 4 << 20;

struct FilterInstruction {  // struct sock_filter
  uint16_t code;
  uint8_t jump_true, jump_false;
  uint32_t value;
};

struct BootVolume {
  int32_t root;   // an O_PATH descriptor of the directory or file
  uint32_t node;  // the broker's name for it
  uint32_t read_only;
  uint32_t target;  // offset of its place in |text|
};

struct BootRecord {
  uint32_t magic;
  uint32_t cookie;    // what every host call of the kernel's carries
  int32_t memory_fd;  // the memory file
  int32_t image_fd;   // the root image; -1: none
  int32_t broker_fd;  // a SOCK_SEQPACKET to the supervisor
  int32_t event_fd;   // supervisor -> kernel: an eventfd, raised when |events| changed
  int32_t
      stream_fds[3];  // non-blocking descriptions of the launcher's stdin, stdout, stderr; -1: none
  uint32_t stream_kinds[3];  // hal::StreamKind
  uint64_t image_size;
  uint64_t ram_size;   // of the window; sparse
  uint64_t total_ram;  // what guests are told
  uint64_t vdso_base, vdso_size, vdso_header;
  uint64_t
      xsave_mask;  // components of the vector state that the host enables and signal frames hold
  uint64_t hwcap, hwcap2, minsigstksz;
  int64_t coarse_clock_tick;  // nanoseconds
  uint32_t has_protection_keys;
  uint32_t has_fsgsbase;
  uint32_t cpu_count;
  int32_t nice;           // zrun's own
  uint64_t allowed_cpus;  // of the first 64
  uint32_t pkru_offset;   // of the PKRU component in the standard XSAVE layout
  uint32_t xsave_size;    // of the standard layout up to the last component of |xsave_mask|
  uint32_t volume_count;
  BootVolume volumes[kMaxVolumes];
  uint32_t filter_count[2];
  FilterInstruction filters[2][kMaxFilterInstructions];
  uint32_t cpuinfo;       // offset in |text| of the text for /proc/cpuinfo
  uint32_t command_line;  // offset in |text|
  uint32_t command_line_size;
  uint32_t text_size;

  // Supervisor -> kernel. Written first, then event_fd is raised.
  std::atomic<uint64_t> pending_signals;  // bit n: Linux signal n for the container's first process
  std::atomic<uint32_t> window_changed;
  std::atomic<uint32_t> out_of_memory;
  std::atomic<uint64_t> window;  // rows | columns << 16 | x << 32 | y << 48
  std::atomic<uint64_t>
      committed;  // bytes of memory in use, measured by the supervisor now and then

  // Kernel -> supervisor, read when a carrier ends.
  std::atomic<uint32_t> halted;  // 1: |exit_status| counts
  std::atomic<int32_t> exit_status;
  // A report for the supervisor to print, with names for the addresses.
  std::atomic<uint32_t> died;  // 1: the following counts
  char death_reason[256];
  uint32_t death_frame_count;
  uint64_t death_frames[32];
  uint64_t death_registers[18];  // in the order of hal::Registers; all zero if unknown

  char text[];  // strings, and the command line
};

}  // namespace zrun::hal
