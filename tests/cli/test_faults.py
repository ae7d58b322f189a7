"""What goes wrong must end in a clear message and the right status."""
import os
import shutil
import struct

from harness import Skip, test


def elf(segments=b"", kind=2, machine=62, entry=0x401000, count=None, size=56, offset=64, magic=b"\x7fELF\x02\x01\x01"):
    """An ELF64 header, and program headers behind it."""
    header = magic.ljust(16, b"\0") + struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, entry, offset, 0, 0, 64, size,
                                                  len(segments) // 56 if count is None else count, 64, 0, 0)
    return header + segments


def segment(kind=1, flags=5, offset=0, address=0x400000, file_size=0x1000, memory_size=0x1000, align=0x1000):
    return struct.pack("<IIQQQQQQ", kind, flags, offset, address, address, file_size, memory_size, align)


EXIT_7 = bytes.fromhex("bf07000000b83c0000000f05")  # mov $7, %edi; mov $60, %eax; syscall


@test
def elf_that_is_whole(z):
    code = elf(segment(), entry=0x400000 + 120) + EXIT_7
    z.write("exit7", code.ljust(0x1000, b"\0"), 0o755)
    z.equal(z.run("./exit7").status, 7)


@test
def elf_that_is_broken(z):
    cases = {
        "no headers": elf(count=0),
        "a wrong machine": elf(segment(), machine=243),
        "a wrong type": elf(segment(), kind=1),
        "a wrong header size": elf(segment(), size=40),
        "headers beyond the end": elf(segment(), offset=1 << 40),
        "too many headers": elf(segment(), count=65535),
        "only magic": b"\x7fELF",
        "an empty file": b"",
        "text": b"no program\n",
    }
    for what, data in cases.items():
        z.write("broken", data, 0o755)
        result = z.run("./broken")
        z.check(result.status == 126 and result.err, f"{what}: status {result.status}, {result.errors!r}")


@test
def elf_with_segments_out_of_place(z):
    cases = {
        "in the kernel's half": segment(address=0xffff800000000000),
        "in zrun's own hole": segment(address=0x670000000000),
        "around the end of memory": segment(address=0xfffffffffffff000, memory_size=0x2000),
        "larger in the file than in memory": segment(file_size=0x2000),
        "of immense size": segment(memory_size=1 << 62),
        "at the bottom": segment(address=0),
    }
    for what, headers in cases.items():
        z.write("broken", (elf(headers, entry=0x400078) + EXIT_7).ljust(0x1000, b"\0"), 0o755)
        result = z.run("./broken")
        z.check(result.status not in (0, 7), f"{what}: it ran")
        z.check(result.status in (126, 137, 139) or 128 < result.status < 160,
                f"{what}: status {result.status}, {result.errors!r}")


@test
def interpreter_is_missing(z):
    z.write("script", "#!/no/such/interpreter\n", 0o755)
    z.fails(z.run("./script"), 127, "script")
    z.equal(z.shell("./script 2>/dev/null").status, 127)
    name = b"/no/such/ld.so\0"
    headers = segment(kind=3, offset=176, file_size=len(name), memory_size=len(name)) + segment()
    z.write("dynamic", (elf(headers) + name).ljust(0x1000, b"\0"), 0o755)
    z.fails(z.run("./dynamic"), 127, "dynamic")


@test
def interpreter_chain(z):
    z.write("a", "#!/bin/echo one\n", 0o755)
    z.ok(z.run("./a", "two"), "one ./a two\n")
    z.write("b", f"#!{z.folder}/a arg\n", 0o755)
    z.ok(z.run("./b"), f"one {z.folder}/a arg ./b\n")
    z.write("loop", f"#!{z.folder}/loop\n", 0o755)
    result = z.run("./loop")
    z.check(result.status in (126, 127) and result.err, f"status {result.status}, {result.errors!r}")
    z.write("plain", "echo plain script $1\n", 0o755)
    z.ok(z.shell("./plain x"), "plain script x\n")  # the shell runs it itself after ENOEXEC


@test
def share_vanishes(z):
    gone = z.scratch / "gone"
    gone.mkdir()
    (gone / "file").write_text("data\n")
    process = z.start("-v", f"{gone}:/v", z.image, "--", "sh", "-c",
                      "exec 3</v/file; echo ready; until [ -e flag ]; do sleep 0.05; done; "
                      "cat <&3; cat /v/file 2>/dev/null || echo missing; echo x 2>/dev/null >/v/new || echo refused; exit 4")
    z.equal(process.stdout.readline(), b"ready\n")
    shutil.rmtree(gone)
    z.write("flag", "")
    result = z.finish(process)
    z.equal((result.status, result.text), (4, "data\nmissing\nrefused\n"))


@test
def file_of_a_share_shrinks(z):
    # Pages of a mapping beyond the new end are SIGBUS in the container, nothing elsewhere.
    z.write("flags.py", "import mmap, os, sys, time\nf = open('big', 'r+b')\nm = mmap.mmap(f.fileno(), 0)\n"
            "print(m[9000], flush=True)\nwhile not os.path.exists('flag'): time.sleep(0.05)\nm[9000]\n")
    z.write("big", b"A" * 12288)
    process = z.start(z.gcc_image, "--", "sh", "-c", "python3 flags.py; echo status $?; echo alive")
    z.equal(process.stdout.readline(), b"65\n")
    os.truncate(z.folder / "big", 100)
    z.write("flag", "")
    result = z.finish(process)
    z.equal((result.status, result.text.splitlines()[-2:]), (0, ["status 135", "alive"]))


@test
def processes_without_end(z):
    # A fork bomb inside a limit ends in errors, not in a broken host.
    result = z.shell("ulimit -u 20 2>/dev/null || ulimit -p 20 || exit 77; i=0; while [ $i -lt 40 ]; do sleep 30 & i=$((i+1)); "
                     "done 2>/dev/null; echo unreached", options=["-u", "4242:4242"], patience=120)
    if result.status == 77:
        raise Skip("this shell cannot limit processes")
    z.check(result.status != 0 or "unreached" in result.text, f"status {result.status}")


@test
def descriptors_without_end(z):
    result = z.shell("(ulimit -n 6; cat </dev/null 3</dev/null 4</dev/null 5</dev/null 6</dev/null); echo alive")
    z.equal((result.status, result.text), (0, "alive\n"))


@test
def stack_without_end(z):
    result = z.shell("f() { f; }; f; echo survived")
    z.check(result.status in (2, 139) or "survived" not in result.text, f"status {result.status}")


@test
def help_is_not_needed_to_see_what_is_wrong(z):
    result = z.raw("pack", "/no/such/layer.tar", "-o", "x.img")
    z.fails(result, 125, "/no/such/layer.tar")
    z.check(not (z.folder / "x.img").exists(), "an image was left")
    z.fails(z.raw("images", "build", "no-such-recipe"), 125, "no-such-recipe")
