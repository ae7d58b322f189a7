"""The riscv64 machine: what issues of it ask for, in few boots. README.md says what else runs there."""
import hashlib
import io
import pathlib
import re
import shutil
import signal
import subprocess
import tarfile
import time

import test_terminal as terminal
from harness import Failure, Skip, test
from test_main_job import HELLO, THREADS

PLATFORM = ["--platform", "riscv64"]


def on(z, *options, cpus=2):
    """Options and image of a run on the machine."""
    if not shutil.which("qemu-system-riscv64"):
        raise Skip("needs qemu-system-riscv64")
    return {"options": [*PLATFORM, "--cpus", str(cpus), *options], "image": z.riscv64_image, "patience": 250}


def archive(files):
    """A tar to send through standard input: {name: text or path of a program}."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            data = content.read_bytes() if isinstance(content, pathlib.Path) else content.encode()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


# ---- Commands, their streams and statuses.
@test
def riscv64_first_command(z):
    result = z.shell("cat /etc/alpine-release 2>/dev/null || cat /etc/debian_version; uname -m; ls -l / | wc -l; "
                     "cat /proc/cpuinfo", **on(z, cpus=3))
    z.ok(result)
    release, machine, lines, *info = result.text.splitlines()
    z.check(re.fullmatch(r"\d+(\.\d+)+", release), release)
    z.equal(machine, "riscv64")
    z.check(int(lines) > 15, f"{lines} lines of ls")
    z.equal([line for line in info if line.startswith("processor")], [f"processor\t: {i}" for i in range(3)])
    z.equal(sum(re.fullmatch(r"isa\t\t: rv64imafdc\w*", line) is not None for line in info), 3, "lines with isa")
    z.equal(sum(line == "mmu\t\t: sv48" for line in info), 3, "lines with mmu")


@test
def riscv64_streams_and_status(z):
    lines = "".join(f"line {i}\n" for i in range(50000))
    result = z.shell("echo begin >&2; cat; echo end >&2; exit 3", input=lines, **on(z))
    z.equal((result.status, result.errors), (3, "begin\nend\n"))
    z.equal(result.text, lines, "what came through")
    # The end of the input, when nothing ever came.
    z.ok(z.run("wc", "-c", input="", **on(z)), "0\n")
    result = z.shell("sh -c 'kill -9 $$'; echo $?; sh -c 'kill -9 $$'", **on(z))
    z.equal((result.status, result.text), (137, "137\n"))
    result = z.run("/no/such", **on(z))
    z.equal((result.status, result.text), (127, ""))


@test
def riscv64_signals_reach_the_command(z):
    how = on(z)
    process = z.start(*how["options"], how["image"], "--", "sh", "-c",
                      "trap 'echo caught; exit 9' TERM; echo ready; while :; do sleep 0.1; done")
    z.equal(process.stdout.readline(), b"ready\n")
    process.terminate()
    result = z.finish(process, patience=100)
    z.equal((result.status, result.text), (9, "caught\n"))


# ---- The terminal.
@test
def riscv64_terminal(z):
    how = on(z)
    t = z.terminal(options=how["options"], image=how["image"], bare=True, rows=33, columns=111)
    t.expect(terminal.PROMPT)
    t.line("tty; stty size")
    t.expect(r"/dev/\w+\r\n33 111\r\n")
    t.expect(terminal.PROMPT)
    terminal.edit_lines(t)
    terminal.interrupt(t)
    terminal.interrupt_a_busy_loop(t)
    terminal.foreground(t)
    t.send("text\r")
    t.expect(r"text\r\ntext\r\n")
    t.send("\x03")
    t.expect(terminal.PROMPT)
    terminal.stop_and_continue(t)
    t.line("vi note.txt")
    terminal.edit_with_vi(t)
    t.expect(terminal.PROMPT)
    t.line("cat note.txt")
    t.expect(r"hello from vi\r\nhello from vi\r\n")
    t.expect(terminal.PROMPT)
    t.line("top")
    terminal.look_at_top(t)
    t.expect(terminal.PROMPT)
    t.resize(44, 122)
    t.process.send_signal(signal.SIGWINCH)
    t.line('until [ "$(stty size)" = "44 122" ]; do sleep 0.1; done; stty size; exit 5')
    t.expect(r"44 122\r\n")
    z.equal(t.wait(), 5, "exit status")
    z.equal(t.settings(), t.before, "the host terminal's settings")


# ---- Shell work.
@test
def riscv64_shell_work(z):
    script = r"""
i=0; while [ $i -lt 1000 ]; do /bin/true || exit 1; i=$((i+1)); done; echo $i
find / -xdev | grep -vE '^/(proc|dev|sys|tmp)' | sort | sha256sum
find / -xdev | grep -vE '^/(proc|dev|sys|tmp)' | sort | sha256sum
cd /; tar c usr etc | gzip | gunzip | tar t | wc -l; find usr etc | wc -l
tar c usr | sha256sum; tar c usr | gzip | gunzip | sha256sum
sha256sum /bin/busybox /etc/profile /etc/passwd
head -c 3000000 /dev/zero | cat | cat | cat | cat | cat | cat | wc -c
yes | head -n 100000 | sha256sum
"""
    result = z.shell(script, **on(z, cpus=4))
    z.ok(result)
    lines = result.text.splitlines()
    z.equal(lines[0], "1000")
    z.equal(lines[1], lines[2], "the same sum twice")
    z.equal(lines[3], lines[4], "names through pipes")
    z.equal(lines[5], lines[6], "bytes through gzip and back")
    wanted = image_sums(z, "bin/busybox", "etc/profile", "etc/passwd")
    if wanted:
        z.equal(lines[7:10], wanted, "sums of files")
    z.equal(lines[10], "3000000")
    z.equal(lines[11], hashlib.sha256(b"y\n" * 100000).hexdigest() + "  -")


def image_sums(z, *names):
    """As sha256sum shows them, of files of the image that a tool which is not ours unpacks."""
    tree = z.scratch / "tree"
    if not shutil.which("fsck.erofs"):
        return None
    done = subprocess.run(["fsck.erofs", f"--extract={tree}", z.riscv64_image], capture_output=True, check=False)
    if done.returncode != 0:
        return None
    return [f"{hashlib.sha256((tree / name).read_bytes()).hexdigest()}  /{name}" for name in names]


# ---- gcc.
@test
def riscv64_gcc(z):
    image = z.riscv64_gcc_image
    files = {"hello.c": HELLO, "threads.c": THREADS, "all.h": "", "Makefile":
             "CFLAGS = -O1 -Wall\nobjects = main.o " + " ".join(f"f{i}.o" for i in range(8)) +
             "\nprogram: $(objects)\n\t@$(CC) -o $@ $^\n%.o: %.c all.h\n\t@$(CC) $(CFLAGS) -c $< -o $@\n"}
    for i in range(8):
        files["all.h"] += f"int f{i}(int);\n"
        files[f"f{i}.c"] = f'#include "all.h"\nint f{i}(int x) {{ return x * {i}; }}\n'
    files["main.c"] = ('#include <stdio.h>\n#include "all.h"\nint main(void) { printf("%d\\n", ' +
                       " + ".join(f"f{i}(10)" for i in range(8)) + "); }\n")
    script = """
mkdir /tmp/w && cd /tmp/w && tar x || exit 1
gcc hello.c && ./a.out && echo dynamic
gcc -static hello.c -o static && ./static && echo static
make -j4 && ./program
gcc -O1 -pthread threads.c -o threads && ./threads
"""
    how = on(z, "-m", "768m", cpus=4)
    how["image"] = image
    z.ok(z.shell(script, input=archive(files), **how), "hello\ndynamic\nhello\nstatic\n280\n1280 2336 5\n")


# ---- Threads and processes on four harts.
def stress(z, seconds, *options):
    """stress.c; on whatever else the host does, nobody stands still for more than a minute."""
    files = archive({"stress": z.built("stress-riscv64")})
    result = z.shell(f"tar x -C /tmp && exec /tmp/stress {seconds} 60", input=files, **on(z, *options, cpus=4))
    z.ok(result)
    z.check("no hang" in result.text, result.text)


@test
def riscv64_stress(z):
    stress(z, 25)


@test
def riscv64_stride(z):
    stress(z, 6, "--kernel-option", "scheduler=stride")


# ---- Processors with less.
@test
def riscv64_without_sv48_and_sstc(z):
    script = "cat /proc/cpuinfo; i=0; while [ $i -lt 100 ]; do /bin/true; i=$((i+1)); done; sleep 0.3; date +%s"
    before = time.time()
    how = on(z, "--kernel-option", "paging=sv39", "--qemu-option=-cpu", "--qemu-option=rv64,sstc=off", cpus=3)
    result = z.shell(script, **how)
    z.ok(result)
    z.equal(result.text.count("mmu\t\t: sv39\n"), 3)
    z.check("sstc" not in result.text, "sstc is there")
    z.check(before - 2 < int(result.text.splitlines()[-1]) < time.time() + 2, "the time of day")
    stress(z, 6, *how["options"][4:])


# ---- Memory comes back.
@test
def riscv64_frames_come_back(z):
    files = archive({"leaks": z.built("leaks-riscv64")})
    result = z.shell("tar x -C /tmp && exec /tmp/leaks 1000", input=files, **on(z))
    z.ok(result)
    gone = {name: int(size) for name, size in (line.split() for line in result.text.splitlines())}
    z.equal(list(gone), ["exec", "fork", "threads", "mappings"])
    # Kilobytes over a thousand: a frame leaked by each would be 4000. The kernel's own caches grow
    # and shrink meanwhile by some frames.
    z.check(max(gone.values()) <= 400, f"kB that did not come back: {gone}")


# ---- Debugging.
@test
def riscv64_panic(z):
    result = z.shell("echo before; echo c >/proc/sysrq-trigger; echo after", **on(z))
    z.equal((result.status, result.text), (125, "before\n"))
    z.check(re.match(r"zrun: the container's kernel stopped: \S*system_files\.cc:\d+: a crash was asked for",
                     result.errors), result.errors)
    registers = dict(re.findall(r"\b(pc|ra|sp|gp|tp|[sta]\d+) +([0-9a-f]{16})\b", result.errors))
    z.equal(len(registers), 32, "registers")
    z.check(registers["pc"].startswith("ffffffff8"), "the program counter lies in the kernel")
    trace = re.findall(r"^ +#(\d+) [0-9a-f]{16} (\S.*)\+0x[0-9a-f]+$", result.errors, re.MULTILINE)
    z.equal([int(number) for number, _ in trace], list(range(len(trace))), "frames")
    names = [name for _, name in trace]
    for name in ("StoreSysRq", "sys_write", "HandleSyscall", "ThreadMain"):
        z.check(any(name in line for line in names), f"{name} is not in the back trace: {names}")


@test
def riscv64_debugger(z):
    if not shutil.which("gdb-multiarch"):
        raise Skip("needs gdb-multiarch")
    how = on(z)
    process = z.start(*how["options"], "--gdb", "--gdb-port", "0", how["image"], "--",
                      "sh", "-c", "echo went on; exit 4")
    line = process.stderr.readline().decode()
    port = re.search(r"localhost:(\d+)", line)
    z.check(port, line)
    # gdb gives up after two seconds; the machine may stand still for longer.
    commands = ["set pagination off", "set remotetimeout 60", "set tcp connect-timeout 60",
                f"target remote localhost:{port.group(1)}", "hbreak KernelMain", "continue", "backtrace", "info threads",
                "print sizeof(zrun::hal::Thread) > 0", "delete", "detach"]
    words = [word for command in commands for word in ("-ex", command)]
    kernel = pathlib.Path(z.zrun).parent / "zkernel-riscv64"
    gdb = subprocess.run(["gdb-multiarch", "-nx", "-batch", *words, kernel], capture_output=True, text=True,
                         timeout=200, check=False)
    for part in (r"hit Breakpoint 1, KernelMain", r"#\d+ +0x\w+ in zrun::hal::ThreadMain", r"CPU#1", r"= true"):
        if not re.search(part, gdb.stdout):
            raise Failure(f"{part} is not in what gdb says: {gdb.stdout} {gdb.stderr}")
    result = z.finish(process, patience=200)
    z.equal((result.status, result.text), (4, "went on\n"))
