// The ways into and out of the kernel. Every label here may be jumped to by hostile guest code with arbitrary
// registers; see docs/adr/0001-trap-machine.md for why each step holds.
#include "hal/trap_x86_64/layout.h"

// Sites of WRPKRU, which the launcher turns into NOPs on machines without protection keys.
.macro WRPKRU_SITE
77: wrpkru
  .pushsection .pku_sites, "a"
  .quad 77b
  .popsection
.endm
.macro FIXUP from, to
  .pushsection .fixup_table, "a"
  .quad \from, \to
  .popsection
.endm
.macro SAVE frame, thread
  mov \frame(%rsp), %rax
  mov %rax, \thread(%rdi)
.endm

// The thread has received the host signal that a kick was (rdi = Thread).
.macro KICK_CAME
  testl $MODE_GUEST, THREAD_MODE(%rdi)
  jz 79f
  lock orl $MODE_KICK_CAME, THREAD_MODE(%rdi)
79:
  lock andl $~MODE_KICK_SENT, THREAD_MODE(%rdi)
.endm

.section .text.entry, "ax"

// ---- Guest -> kernel, and every signal of the host: SIGSYS, faults, kicks.
// Nothing is taken from a register: the block is found by the stack pointer, the frame lies at a known place in it.
.globl SignalEntry
SignalEntry:
  mov $ZRUN_KERNEL_PKRU, %eax
  xor %ecx, %ecx
  xor %edx, %edx
  WRPKRU_SITE
  mov %rsp, %r8
  mov %rsp, %rax
  shr $32, %rax
  cmp $ZRUN_BLOCKS_TOP32, %eax
  jne .Lviolation_no_block
  and $-ZRUN_BLOCK_SIZE, %r8
  lea ZRUN_BLOCK_THREAD(%r8), %rdi
  movzwl %sp, %eax
  movabs $entry_frame_offset, %rcx
  cmp (%rcx), %eax
  jne .Lnested
  // Each frame is used once: a stale one says so.
  xor %eax, %eax
  xchg %eax, FRAME_SIGNO(%rsp)
  test %eax, %eax
  jz .Lviolation
  cmp $ZRUN_KICK_SIGNAL, %eax
  jne 1f
  KICK_CAME
1:testl $MODE_GUEST, THREAD_MODE(%rdi)
  jz .Lin_kernel
  mov %eax, THREAD_SIGNAL(%rdi)

  // Delivery reset the vector state; the guest's is in the frame.
  mov FRAME_FPSTATE(%rsp), %r9
  movabs $xsave_mask, %rcx
  mov (%rcx), %eax
  mov 4(%rcx), %edx
  xrstor64 (%r9)

  mov FRAME_RIP(%rsp), %rax
  mov %rax, %rcx
  shr $32, %rcx
  cmp $(ZRUN_KERNEL_BASE >> 32), %ecx
  je .Lguest_pc_in_kernel
  mov %rax, THREAD_RIP(%rdi)
  SAVE FRAME_RAX, THREAD_RAX
  SAVE FRAME_RCX, THREAD_RCX
  SAVE FRAME_RDX, THREAD_RDX
  SAVE FRAME_RBX, THREAD_RBX
  SAVE FRAME_RSP, THREAD_RSP
  SAVE FRAME_RBP, THREAD_RBP
  SAVE FRAME_RSI, THREAD_RSI
  SAVE FRAME_RDI, THREAD_RDI
  SAVE FRAME_R8, THREAD_R8
  SAVE FRAME_R9, THREAD_R9
  SAVE FRAME_R10, THREAD_R10
  SAVE FRAME_R11, THREAD_R11
  SAVE FRAME_R12, THREAD_R12
  SAVE FRAME_R13, THREAD_R13
  SAVE FRAME_R14, THREAD_R14
  SAVE FRAME_R15, THREAD_R15
  SAVE FRAME_RFLAGS, THREAD_RFLAGS
  mov FRAME_CODE(%rsp), %eax
  mov %eax, THREAD_CODE(%rdi)
  SAVE FRAME_ADDR, THREAD_ADDRESS
  mov FRAME_TRAPNO(%rsp), %eax
  mov %eax, THREAD_TRAPNO(%rdi)
  mov FRAME_ERROR(%rsp), %eax
  mov %eax, THREAD_ERROR(%rdi)
  mov FRAME_SYSCALL_ARCH(%rsp), %eax
  mov %eax, THREAD_ARCH(%rdi)
.Lcheck_flags:
  // Alignment checks would hit the kernel, a nested task its IRETQ.
  testl $(FLAG_NESTED | FLAG_ALIGNMENT), FRAME_RFLAGS(%rsp)
  jnz .Lclean_flags
.Lleave_guest:
  lock andl $~(MODE_GUEST | MODE_KICK_CAME), THREAD_MODE(%rdi)
.Lreturn_from_guest:
  mov THREAD_KERNEL_SP(%rdi), %rsp
  cld
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbp
  pop %rbx
  ret

.Lclean_flags:
  pushq $FLAGS_INITIAL
  popfq
  jmp .Lleave_guest

// The thread was in guest mode but its program counter is in kernel text. On the way out (EnterGuest's tail, where
// the registers saved are still whole) a kick just turns round; anything else is an attack.
.Lguest_pc_in_kernel:
  lea exit_begin(%rip), %rcx
  cmp %rcx, %rax
  jb .Lviolation
  lea exit_end(%rip), %rcx
  cmp %rcx, %rax
  jae .Lviolation
  cmpl $ZRUN_KICK_SIGNAL, THREAD_SIGNAL(%rdi)
  jne .Lviolation
  jmp .Lcheck_flags

// A kick that arrived while an earlier signal's frame was being read: its flag is set, it will be seen. There is no
// third frame, since the next kick is not sent before this entry has left and the guest is entered again.
// Guest code that points the stack pointer somewhere else into a block must not have that read as a frame; and on the
// way out to such a guest nothing would look at the flag any more.
.Lnested:
  cmp $ZRUN_BLOCK_ALTSTACK, %eax
  jb .Lviolation
  xor %eax, %eax
  xchg %eax, FRAME_SIGNO(%rsp)
  cmp $ZRUN_KICK_SIGNAL, %eax
  jne .Lviolation
  mov FRAME_RIP(%rsp), %rax
  shr $32, %rax
  cmp $(ZRUN_KERNEL_BASE >> 32), %eax
  jne .Lviolation
  mov FRAME_RIP(%rsp), %rax
  lea exit_begin(%rip), %rcx
  cmp %rcx, %rax
  jb 1f
  lea exit_end(%rip), %rcx
  cmp %rcx, %rax
  jb .Lviolation
1:KICK_CAME
  jmp .Lsigreturn

// A signal while the kernel ran: a fault in a user copy, a stale kick, or a bug. C++ decides on this stack.
.Lin_kernel:
  mov %eax, %esi
  mov %rsp, %rdi
  mov %rsp, %rbx
  and $-16, %rsp
  cld
  call KernelModeSignal
  mov %rbx, %rsp
.Lsigreturn:
  add $8, %rsp
  movabs $host_cookie, %rax
  mov (%rax), %r9d
  mov $15, %eax
  syscall
  ud2

.Lviolation_no_block:
  movabs $emergency_stack_top, %rsp
  xor %edi, %edi
.Lviolation:
  mov %rsp, %rsi
  and $-16, %rsp
  cld
  call GuestViolation
  ud2

// ---- Kernel -> guest. EnterGuest(Thread*): returns when a signal brought the guest back, or at once if a kick is pending.
// The guest's registers, but rax, rcx, rdx, rsp and rip: those go through the exit slot, at which rsp points then.
.macro LOAD_REGISTERS
  mov THREAD_RBX(%rdi), %rbx
  mov THREAD_RBP(%rdi), %rbp
  mov THREAD_RSI(%rdi), %rsi
  mov THREAD_R8(%rdi), %r8
  mov THREAD_R9(%rdi), %r9
  mov THREAD_R10(%rdi), %r10
  mov THREAD_R11(%rdi), %r11
  mov THREAD_R12(%rdi), %r12
  mov THREAD_R13(%rdi), %r13
  mov THREAD_R14(%rdi), %r14
  mov THREAD_R15(%rdi), %r15
  mov THREAD_EXIT_SLOT(%rdi), %rsp
  mov THREAD_RDI(%rdi), %rdi
.endm
// Whoever jumped to the WRPKRU with another value stops here; the flags are the guest's, so no comparison.
.macro CLOSE_KERNEL
  mov $ZRUN_GUEST_PKRU, %eax
  mov $0, %ecx
  mov $0, %edx
  WRPKRU_SITE
  lea -ZRUN_GUEST_PKRU(%eax), %ecx
  jecxz 78f
  ud2
78:
.endm

.globl EnterGuest
.globl exit_begin
.globl exit_end
EnterGuest:
  push %rbx
  push %rbp
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, THREAD_KERNEL_SP(%rdi)
  lock orl $MODE_GUEST, THREAD_MODE(%rdi)
exit_begin:
  cmpl $0, THREAD_KICK(%rdi)
  jne .Lkicked
  mov THREAD_EXIT_SLOT(%rdi), %r11
  mov THREAD_RAX(%rdi), %rax
  mov %rax, EXIT_RAX(%r11)
  mov THREAD_RDX(%rdi), %rax
  mov %rax, EXIT_RDX(%r11)
  mov THREAD_RSP(%rdi), %rax
  mov %rax, EXIT_RSP(%r11)
  mov THREAD_RCX(%rdi), %rcx
  mov %rcx, EXIT_RCX(%r11)
  mov THREAD_RFLAGS(%rdi), %rdx
  // SYSCALL left the program counter in rcx: jumping there restores every register. IRETQ does so in every other
  // case, also when the trap flag is set, which must not take effect before the jump, but takes 100 ns more.
  mov THREAD_RIP(%rdi), %rax
  cmp %rcx, %rax
  jne .Liret
  test $FLAG_TRAP, %edx
  jnz .Liret

  push %rdx
  popfq
  LOAD_REGISTERS
  CLOSE_KERNEL
  mov EXIT_RAX(%rsp), %rax
  mov EXIT_RDX(%rsp), %rdx
  mov EXIT_RCX(%rsp), %rcx
  mov EXIT_RSP(%rsp), %rsp
  jmp *%rcx

.Liret:
  mov %rax, EXIT_RIP(%r11)
  mov %rdx, EXIT_RFLAGS(%r11)
  movq $USER_CS, EXIT_CS(%r11)
  movq $USER_SS, EXIT_SS(%r11)
  LOAD_REGISTERS
  CLOSE_KERNEL
  mov EXIT_RAX(%rsp), %rax
  mov EXIT_RDX(%rsp), %rdx
  mov EXIT_RCX(%rsp), %rcx
  lea EXIT_RIP(%rsp), %rsp
  iretq
.Lkicked:
  movl $ZRUN_KICK_SIGNAL, THREAD_SIGNAL(%rdi)
  lock andl $~(MODE_GUEST | MODE_KICK_CAME), THREAD_MODE(%rdi)
exit_end:
  jmp .Lreturn_from_guest

// ---- Host threads.
// HostClone(flags, stack, ptid, ctid): the new thread starts in HostThreadMain on |stack|.
.globl HostClone
HostClone:
  mov %rcx, %r10
  xor %r8d, %r8d
  movabs $host_cookie, %rax
  mov (%rax), %r9d
  mov $56, %eax
  syscall
  test %rax, %rax
  jz 1f
  ret
1:
  xor %ebp, %ebp
  call HostThreadMain
  ud2

// LeaveBlock(uint32_t* state, int dead): the block is somebody else's from the store on, so no stack from there.
.globl LeaveBlock
LeaveBlock:
  movabs $host_cookie, %rax
  mov (%rax), %r9d
  mov $60, %eax
  mov %esi, %edx
  mov %edx, (%rdi)
  xor %edi, %edi
  syscall
  ud2

.globl TrapMachineEntry
// The launcher jumps here on the first thread's kernel stack: rdi = BootRecord.
TrapMachineEntry:
  xor %ebp, %ebp
  cld
  call TrapMachineStart
  ud2

// Where a real frame lies: two temporary handlers that note the stack pointer and return.
.globl CalibrateEntry
CalibrateEntry:
  mov $ZRUN_KERNEL_PKRU, %eax
  xor %ecx, %ecx
  xor %edx, %edx
  WRPKRU_SITE
  movabs $entry_frame_offset, %rcx
  cmpl $0, (%rcx)
  jne .Lviolation_no_block  // it has run: this is guest code
  movzwl %sp, %eax
  mov %eax, (%rcx)
  jmp .Lsigreturn

.globl SignalRestorer
SignalRestorer:
  ud2

// ---- User copies. Arguments have been checked to lie in the guest's range; a fault lands at the end with what is left.
// size_t CopyUserBytes(void* to, const void* from, size_t size): how many were copied.
.globl CopyUserBytes
CopyUserBytes:
  mov %rdx, %rcx
  mov %rdx, %rax
1: rep movsb
2: sub %rcx, %rax
  ret
FIXUP 1b, 2b

.globl ZeroUserBytes
ZeroUserBytes:
  mov %rsi, %rcx
  mov %rsi, %rdx
  xor %eax, %eax
1: rep stosb
2: mov %rdx, %rax
  sub %rcx, %rax
  ret
FIXUP 1b, 2b

// size_t CopyUserString(char* to, const char* from, size_t size): bytes copied, the NUL included.
.globl CopyUserString
CopyUserString:
  xor %eax, %eax
1: cmp %rdx, %rax
  jae 3f
2: movzbl (%rsi,%rax), %ecx
  mov %cl, (%rdi,%rax)
  inc %rax
  test %cl, %cl
  jnz 1b
3: ret
FIXUP 2b, 3b

// bool LoadUser32(const uint32_t* from, uint32_t* value)
.globl LoadUser32
LoadUser32:
  xor %eax, %eax
1: mov (%rdi), %ecx
  mov %ecx, (%rsi)
  mov $1, %eax
2: ret
FIXUP 1b, 2b

// int CompareExchangeUser32(uint32_t* word, uint32_t* expected, uint32_t desired): -1 fault, 0 differs, 1 swapped
.globl CompareExchangeUser32
CompareExchangeUser32:
  mov (%rsi), %eax
1: lock cmpxchg %edx, (%rdi)
  mov %eax, (%rsi)
  sete %al
  movzbl %al, %eax
  ret
2: mov $-1, %eax
  ret
FIXUP 1b, 2b

// bool RestoreVectorImage(const void* image, uint64_t mask): false if the processor refuses it.
.globl RestoreVectorImage
RestoreVectorImage:
  mov %esi, %eax
  mov %rsi, %rdx
  shr $32, %rdx
1: xrstor64 (%rdi)
  mov $1, %eax
  ret
2: xor %eax, %eax
  ret
FIXUP 1b, 2b

// ---- What the compiler may call.
.globl memcpy, memmove, memset, memcmp, memchr, strlen
memcpy:
  mov %rdi, %rax
  mov %rdx, %rcx
  rep movsb
  ret
memset:
  mov %rdi, %r8
  mov %esi, %eax
  mov %rdx, %rcx
  rep stosb
  mov %r8, %rax
  ret
memmove:
  mov %rdi, %rax
  mov %rdx, %rcx
  mov %rdi, %r8
  sub %rsi, %r8
  cmp %rdx, %r8
  jb 1f
  rep movsb
  ret
1: lea -1(%rdi,%rdx), %rdi
  lea -1(%rsi,%rdx), %rsi
  std
  rep movsb
  cld
  ret
memcmp:
  xor %ecx, %ecx
1: cmp %rdx, %rcx
  je 2f
  movzbl (%rdi,%rcx), %eax
  movzbl (%rsi,%rcx), %r8d
  inc %rcx
  sub %r8d, %eax
  jz 1b
  ret
2: xor %eax, %eax
  ret
memchr:
  mov %rdi, %rax
  add %rdi, %rdx
1: cmp %rdx, %rax
  je 2f
  cmp %sil, (%rax)
  je 3f
  inc %rax
  jmp 1b
2: xor %eax, %eax
3: ret
strlen:
  xor %eax, %eax
1: cmpb $0, (%rdi,%rax)
  je 2f
  inc %rax
  jmp 1b
2: ret
// std::popcount where the compiler may not assume the instruction; every processor with XSAVE has it.
.globl __popcountdi2
__popcountdi2:
  popcnt %rdi, %rax
  ret
.section .note.GNU-stack, "", @progbits
