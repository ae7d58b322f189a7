#pragma once
#include <cstdint>

namespace zrun::hal {

// The guest's general registers on x86-64, in the order of the trap entry's code (entry.S).
struct Registers {
  uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi;
  uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
  uint64_t rip, rflags;

  // Linux's system call convention.
  uint64_t syscall_number() const { return rax; }
  uint64_t argument(int index) const {
    const uint64_t arguments[] = {rdi, rsi, rdx, r10, r8, r9};
    return arguments[index];
  }
  uint64_t return_value() const { return rax; }
  void set_return_value(uint64_t value) { rax = value; }
  uint64_t pc() const { return rip; }
  void set_pc(uint64_t value) { rip = value; }
  uint64_t sp() const { return rsp; }
  void set_sp(uint64_t value) { rsp = value; }
  // Backs up over the system call instruction, so that it runs again with |number|.
  void RestartSyscall(uint64_t number) {
    rip -= 2;
    rax = number;
  }
};

}  // namespace zrun::hal
