#pragma once
// Where things lie in every carrier, and in a thread's block. Shared by C++, assembly and the
// launcher, so only macros. See docs/adr/0002-trap-memory-layout.md.

// The hole in the guest's address range that is the kernel's. No sanitizer of gcc or clang has
// anything there but reservations.
#define ZRUN_HOLE_BASE 0x660000000000
#define ZRUN_HOLE_SIZE 0x040000000000
// Carrier-private page of exit slots (memory of the guest's own process; see entry.S).
#define ZRUN_EXIT_SLOTS 0x668000000000
#define ZRUN_EXIT_SLOTS_SIZE 0x100000
#define ZRUN_EXIT_SLOT_SIZE 64
// The kernel's ELF image: text first.
#define ZRUN_KERNEL_BASE 0x670000000000
// Thread blocks: nothing else lies in these 4 GiB, so an address tells a block.
#define ZRUN_BLOCKS_BASE 0x671000000000
#define ZRUN_BLOCKS_SIZE 0x100000000
#define ZRUN_BLOCKS_TOP32 0x6710
// The window onto RAM and onto the image.
#define ZRUN_RAM_WINDOW 0x680000000000
#define ZRUN_RAM_SIZE 0x010000000000
#define ZRUN_ROM_WINDOW 0x690000000000
#define ZRUN_ROM_WINDOW_SIZE 0x010000000000

// Offsets in the memory file: kernel image, thread blocks, RAM.
#define ZRUN_FILE_KERNEL 0
#define ZRUN_FILE_KERNEL_MAX 0x10000000
#define ZRUN_FILE_BLOCKS 0x10000000
#define ZRUN_FILE_RAM 0x200000000

// A thread's block: kernel stack, the Thread, alternate signal stack. Aligned to its size.
#define ZRUN_BLOCK_SIZE 0x10000
#define ZRUN_BLOCK_THREAD 0xa800
#define ZRUN_BLOCK_ALTSTACK 0xb000
#define ZRUN_BLOCK_ALTSTACK_SIZE 0x5000

// Protection key 1 is the kernel's. The value Linux gives every program denies all keys but 0.
#define ZRUN_KERNEL_KEY 1
// The kernel opens its own and 0, so that it no more than the guest reads what may only be run.
#define ZRUN_GUEST_PKRU 0x55555554
#define ZRUN_KERNEL_PKRU 0x55555550

// hal::Thread, offsets used by entry.S (checked by thread.cc).
#define THREAD_RAX 0
#define THREAD_RCX 8
#define THREAD_RDX 16
#define THREAD_RBX 24
#define THREAD_RSP 32
#define THREAD_RBP 40
#define THREAD_RSI 48
#define THREAD_RDI 56
#define THREAD_R8 64
#define THREAD_R9 72
#define THREAD_R10 80
#define THREAD_R11 88
#define THREAD_R12 96
#define THREAD_R13 104
#define THREAD_R14 112
#define THREAD_R15 120
#define THREAD_RIP 128
#define THREAD_RFLAGS 136
#define THREAD_KERNEL_SP 144
#define THREAD_MODE 152
#define THREAD_KICK 156
#define THREAD_EXIT_SLOT 160
#define THREAD_SIGNAL 168
#define THREAD_CODE 172
#define THREAD_ADDRESS 176
#define THREAD_TRAPNO 184
#define THREAD_ERROR 188
#define THREAD_ARCH 192
#define THREAD_STATE 196

// Bits of a thread's mode. GUEST: it is in guest code, on the last steps into it or the first out
// of it. KICK_SENT: a kick's host signal is on its way to it. KICK_CAME: one has come, so that it
// is on the way out. Others only ever turn GUEST alone into GUEST and KICK_SENT.
#define MODE_GUEST 1
#define MODE_KICK_SENT 2
#define MODE_KICK_CAME 4

// An exit slot; from EXIT_RIP on it is what IRETQ takes.
#define EXIT_RAX 0
#define EXIT_RDX 8
#define EXIT_RCX 16
#define EXIT_RIP 24
#define EXIT_CS 32
#define EXIT_RFLAGS 40
#define EXIT_RSP 48
#define EXIT_SS 56
#define USER_CS 0x33
#define USER_SS 0x2b
#define FLAG_TRAP 0x100
#define FLAG_NESTED 0x4000
#define FLAG_ALIGNMENT 0x40000
#define FLAGS_INITIAL 0x202

// Offsets from the stack pointer at a signal handler's entry (struct rt_sigframe of the host).
#define FRAME_UC 8
#define FRAME_R8 48
#define FRAME_R9 56
#define FRAME_R10 64
#define FRAME_R11 72
#define FRAME_R12 80
#define FRAME_R13 88
#define FRAME_R14 96
#define FRAME_R15 104
#define FRAME_RDI 112
#define FRAME_RSI 120
#define FRAME_RBP 128
#define FRAME_RBX 136
#define FRAME_RDX 144
#define FRAME_RAX 152
#define FRAME_RCX 160
#define FRAME_RSP 168
#define FRAME_RIP 176
#define FRAME_RFLAGS 184
#define FRAME_ERROR 200
#define FRAME_TRAPNO 208
#define FRAME_CR2 224
#define FRAME_FPSTATE 232
#define FRAME_SIGNO 312
#define FRAME_CODE 320
#define FRAME_ADDR 328
#define FRAME_SYSCALL_ARCH 340

// The host signal that is the kernel's own (Linux's SIGURG: ignored by default, sent by nobody to
// us).
#define ZRUN_KICK_SIGNAL 23
