#pragma once
#include <cstdint>

namespace zrun::hal {

// The guest's general registers on riscv64; x[0] holds the program counter.
struct Registers {
  uint64_t x[32];
  uint64_t original_a0;  // the first argument, which the return value overwrites

  uint64_t syscall_number() const { return x[17]; }
  uint64_t argument(int index) const { return index == 0 ? original_a0 : x[10 + index]; }
  uint64_t return_value() const { return x[10]; }
  void set_return_value(uint64_t value) { x[10] = value; }
  uint64_t pc() const { return x[0]; }
  void set_pc(uint64_t value) { x[0] = value; }
  uint64_t sp() const { return x[2]; }
  void set_sp(uint64_t value) { x[2] = value; }
  void RestartSyscall(uint64_t number) {
    x[0] -= 4;
    x[10] = original_a0;
    x[17] = number;
  }
};

}  // namespace zrun::hal
