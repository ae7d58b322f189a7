// The page that guests see (vdso.cc).
.section .rodata.vdso, "a"
.balign 4096
.globl vdso_begin, vdso_sigreturn
vdso_begin:
vdso_sigreturn:
  li a7, 139  // rt_sigreturn
  ecall
.balign 4096
