#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace zrun {

// zkernel-trap, which zrun carries inside itself.
std::span<const std::byte> EmbeddedTrapKernel();

// A kernel ELF, read with libelf. Throws std::runtime_error, naming what is wrong.
class KernelImage {
 public:
  explicit KernelImage(std::span<const std::byte> elf);

  struct Segment {
    uint64_t address, file_offset, file_size, memory_size;
    bool writable, executable;
  };
  const std::vector<Segment>& segments() const { return segments_; }
  std::span<const std::byte> contents(const Segment& segment) const {
    return elf_.subspan(segment.file_offset, segment.file_size);
  }
  uint64_t entry() const { return entry_; }
  // Looked up when asked: starting a container needs few, a report many.
  uint64_t Symbol(const char* name) const;
  // "function+0x12", or an empty string.
  std::string Describe(uint64_t address) const;

 private:
  std::span<const std::byte> elf_;
  std::vector<Segment> segments_;
  uint64_t entry_ = 0;
};

}  // namespace zrun
