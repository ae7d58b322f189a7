"""Memory, disks and vector registers of the riscv64 machine."""
import hashlib
import os
import re

from harness import test
from test_main_job import HELLO
from test_riscv64 import archive, on


# ---- Memory that runs short.
@test
def riscv64_reclaim(z):
    # The compiler's files and what it writes need twice as much.
    script = ("cd /tmp; cat >hello.c; for i in 1 2; do gcc -O2 hello.c -o hello && ./hello || exit 1; done; "
              "dd if=/dev/vda of=/dev/null bs=1M count=100 2>&1 | tail -n 1 >&2; cat /proc/meminfo")
    how = on(z, "-m", "40m")
    how["image"] = z.riscv64_gcc_image
    result = z.shell(script, input=HELLO, **how)
    z.equal(result.status, 0, result.errors)
    z.check("104857600 bytes" in result.errors, result.errors)
    size = {name: int(kb) for name, kb in re.findall(r"^(\w+): +(\d+) kB$", result.text, re.MULTILINE)}
    z.equal(size["MemTotal"], 40 << 10)
    z.check(size["MemFree"] > 400, f"MemFree {size['MemFree']} kB")
    z.check(size["Cached"] > 10 << 10, f"Cached {size['Cached']} kB")
    z.check(size["MemAvailable"] > 28 << 10, f"MemAvailable {size['MemAvailable']} kB")


@test
def riscv64_out_of_memory(z):
    # The largest process dies, others go on; files find no space instead.
    script = ("sleep 1000 & sh -c 'tar x -C /tmp; exec /tmp/hoard'; echo $?; kill -0 $! && echo alive; "
              "dd if=/dev/zero of=/tmp/big bs=1M count=100 2>/dev/null; echo $?; rm /tmp/big; "
              "i=0; while [ $i -lt 50 ]; do /bin/true && i=$((i+1)); done; echo $i")
    result = z.shell(script, input=archive({"hoard": z.built("hoard-riscv64")}), **on(z, "-m", "64m"))
    z.equal((result.status, result.text), (0, "137\nalive\n1\n50\n"), result.errors)
    z.check(re.search(r"^zrun: out of memory: killed process \d+ \(hoard\)$", result.errors, re.MULTILINE),
            result.errors)
    # There is nobody else.
    result = z.shell("tar x -C /tmp; exec /tmp/hoard", input=archive({"hoard": z.built("hoard-riscv64")}),
                     **on(z, "-m", "64m"))
    z.equal(result.status, 137, result.errors)


@test
def riscv64_out_of_memory_ends(z):
    # Several that take all there is, none of them process 1: they are ended one after the other, and nobody else is.
    files = {"hoard": z.built("hoard-riscv64")}
    script = ("tar x -C /tmp; for i in 1 2 3 4; do (/tmp/hoard; echo $?) & done; "
              "i=0; while [ $i -lt 20 ]; do /bin/true || echo failed; i=$((i+1)); done; wait; echo done")
    result = z.shell(script, input=archive(files), **on(z, "-m", "64m"))
    z.equal((result.status, result.text), (0, "137\n" * 4 + "done\n"), result.errors)
    z.equal(len(re.findall(r"out of memory: killed process \d+ \(hoard\)", result.errors)), 4, result.errors)
    z.equal(result.errors.count("out of memory"), 4, result.errors)


@test
def riscv64_memory_stays_whole(z):
    # Processes that check what they wrote, copied and mapped, with twice as much as there is; some are killed.
    files = {"pressure": z.built("pressure-riscv64")}
    result = z.shell("tar x -C /tmp; exec /tmp/pressure 15 100 /bin/busybox /tmp/pressure",
                     input=archive(files), **on(z, "-m", "64m", cpus=4))
    z.check(result.status == 0 and re.fullmatch(r"fine, \d+ killed\n", result.text),
            f"{result.status} {result.text} {result.errors}")


@test
def riscv64_least_memory(z):
    result = z.shell("true", **on(z, "-m", "16m"))
    z.equal(result.status, 125)
    z.check("--memory 16m: the least is 32m" in result.errors, result.errors)


# ---- Disks.
@test
def riscv64_disks(z):
    disk, constant = z.folder / "disk", z.folder / "constant"
    disk.write_bytes(bytes(3 << 20))
    contents = os.urandom((1 << 20) + 512)  # ends within a page
    constant.write_bytes(contents)
    script = ("stat -c '%F %t:%T' /dev/vda /dev/vdb /dev/vdc; tail -n +3 /proc/partitions; "
              "blockdev --getsize64 /dev/vdc; blockdev --getro /dev/vdb; blockdev --getro /dev/vdc; "
              "md5sum </dev/vdc; echo x | dd of=/dev/vdc conv=notrunc >/dev/null; "
              "echo first | dd of=/dev/vdb bs=512 seek=7 2>/dev/null; "
              "dd if=/dev/vdc of=/dev/vdb bs=64k seek=16 2>/dev/null; echo $?; "
              "dd if=/dev/zero of=/dev/vdb bs=1k seek=3072 count=1 2>/dev/null; echo $?; "
              "mount -t erofs -o ro /dev/vda /mnt && cmp /mnt/bin/busybox /bin/busybox && umount /mnt; echo $?; "
              "mount -t erofs /dev/vdb /mnt 2>/dev/null; echo $?; mount -t erofs /etc /mnt 2>/dev/null; echo $?")
    result = z.shell(script, **on(z, "--disk", str(disk), "--disk", f"{constant}:ro"))
    z.equal(result.status, 0)
    lines = result.text.splitlines()
    z.equal(lines[:3], [f"block special file fe:{minor}" for minor in ("0", "10", "20")])
    z.equal(lines[3].split()[:2] + lines[4].split() + lines[5].split(),
            ["254", "0", "254", "16", "3072", "vdb", "254", "32", "1024", "vdc"])
    digest = hashlib.md5(contents).hexdigest()
    z.equal(lines[6:10], [str(len(contents)), "0", "1", f"{digest}  -"])
    z.equal(lines[10:], ["0", "1", "0", "255", "255"], result.errors)
    # As on Linux: a disk that is only to be read can be opened for writing.
    z.check("Operation not permitted" in result.errors, result.errors)
    # What was written is there after the end, without a sync.
    written = disk.read_bytes()
    z.equal(written[7 * 512:7 * 512 + 6], b"first\n")
    z.check(written[1 << 20:(1 << 20) + len(contents)] == contents, "what was copied from disk to disk")
    z.equal(written.count(0), len(written) - len(contents) - 6 + contents.count(0), "bytes that were left alone")
    z.equal(constant.read_bytes(), contents)


@test
def riscv64_disk_errors(z):
    odd = z.folder / "odd"
    odd.write_bytes(b"x" * 700)
    for option, reason in ((z.folder / "missing", "No such file or directory"),
                           (odd, "its size is not a whole number of 512-byte sectors")):
        result = z.shell("true", **on(z, "--disk", str(option)))
        z.equal((result.status, result.text), (125, ""))
        z.check(f"--disk {option}: {reason}" in result.errors, result.errors)
    result = z.shell("true", options=["--disk", str(odd)])
    z.equal(result.status, 125)
    z.check("the trap machine has no disks" in result.errors, result.errors)


# ---- Processors with more.
@test
def riscv64_vectors(z):
    for length in (128, 1024):
        how = on(z, "--qemu-option=-cpu", f"--qemu-option=rv64,v=true,vlen={length}", cpus=3)
        program = archive({"vector": z.built("../../linux-syscall/bin-riscv64/riscv_vector")})
        result = z.shell("tar x -C /tmp && /tmp/vector && grep -c '^isa.*rv64imafdcv' /proc/cpuinfo", input=program, **how)
        z.equal((result.status, result.text), (0, "3\n"), result.errors)
