#pragma once
// Where things lie in the kernel's half of every address space, and in a thread's block. Shared by
// C++, assembly and the linker script's comments, so only macros. All of it lies in the upper half
// of Sv39, which is a part of the upper half of Sv48.

// Kernel stacks: a block for each thread, of which the upper half is mapped. A stack pointer that
// has run into the lower half, the guard, is told by one bit.
#define ZRUN_BLOCKS_BASE 0xffffffc000000000
#define ZRUN_BLOCKS_SIZE 0x40000000
#define ZRUN_BLOCK_SHIFT 16
#define ZRUN_BLOCK_SIZE 0x10000
#define ZRUN_STACK_SIZE 0x8000
#define ZRUN_STACK_BIT 15
// The window onto physical memory: RAM, and the devices below it.
#define ZRUN_WINDOW 0xffffffd000000000
#define ZRUN_WINDOW_SIZE 0x1000000000
// Windows onto disks (hal/disks.h), one after the other.
#define ZRUN_DISKS_BASE 0xffffffe000000000
#define ZRUN_DISK_WINDOW_SIZE 0x400000000
// The kernel's ELF image: virtual address minus physical.
#define ZRUN_KERNEL_OFFSET 0xffffffff00000000
#define ZRUN_KERNEL_VIRTUAL 0xffffffff80200000

// The firmware's numbers of harts are below this.
#define ZRUN_HART_IDS 64

// Physical: where the launcher leaves its records, between firmware and kernel.
#define ZRUN_RECORDS 0x80080000
#define ZRUN_RECORDS_MAX 0x180000

// hal::Thread, offsets used by assembly (checked by thread.cc). The general registers are at 0, the
// program counter in the place of x0.
#define THREAD_KERNEL_SP 264
#define THREAD_STATUS 272
#define THREAD_CAUSE 280
#define THREAD_VALUE 288
#define THREAD_SWITCH_SP 296
#define THREAD_FLOATS 304

// What a trap out of kernel code leaves on its stack: x0..x31 (x0: the program counter), then
// these.
#define FRAME_STATUS 256
#define FRAME_CAUSE 264
#define FRAME_VALUE 272
#define FRAME_SIZE 288
