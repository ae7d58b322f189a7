// The pages that guests see (vdso.cc).
.section .rodata.vdso, "a"
.balign 4096
.globl vdso_image
vdso_image:
.incbin "vdso.so"
.balign 4096
.globl vdso_image_end
vdso_image_end:
