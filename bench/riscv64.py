#!/usr/bin/env python3
"""Measures the riscv64 machine beside Debian's own riscv64 Linux kernel in the same QEMU, round after round.

  riscv64.py --zrun BUILD/runtime-cli/zrun --zbench BUILD/bench/zbench-riscv64 --init BUILD/bench/riscv64-init

Both kernels get the same tree (zrun as its image, Linux as an initramfs), the same memory and processors, and run the
same script: zbench, find, a shell loop. Three settings: one hart and four harts by the clock, and one hart counting
instructions (QEMU's -icount, where the guest's clock is the number of instructions), which no noise reaches. The median
of all rounds counts. Linux comes with `zrun images build linux-riscv64`.
"""
import argparse
import json
import os
import pathlib
import platform
import selectors
import shutil
import signal
import stat
import statistics
import subprocess
import sys
import tempfile
import time

# Name, unit shown, goal: zrun's part of Linux's figure at most. Without a goal: to see where time goes.
ROWS = {
    "first_line": ("power-on to the first line", "ms", 0.25),
    "null": ("getpid", "us", 1.0),
    "pipe_pingpong": ("pipe ping-pong", "us", 1.0),
    "fork_exec": ("fork+exec+wait", "us", 1.0),
    "find": ("find / -xdev", "ms", 1.0),
    "loop": ("shell loop of 200 commands", "ms", 1.0),
    "memory": ("memory in use after boot", "MiB", 0.25),
    "read4k": ("read 4K", "us", None),
    "stat": ("stat", "us", None),
    "open_close": ("open+close", "us", None),
    "signal": ("signal to self", "us", None),
    "mmap_touch": ("mmap+touch 4 pages", "us", None),
    "futex_pingpong": ("futex ping-pong", "us", None),
    "fork": ("fork+wait", "us", None),
    "vfork_exec": ("vfork+exec+wait", "us", None),
    "thread": ("thread create+join", "us", None),
}
SCALE = {"ms": 1e6, "us": 1e3, "MiB": 1 << 20}
OUTSIDE = {"first_line", "find", "loop", "memory"}  # not zbench's own
SETTINGS = {"1 hart": (1, []), "4 harts": (4, []), "instructions": (1, ["-icount", "shift=0"])}
LOOP = "i=0; while [ $i -lt 200 ]; do /bin/true; i=$((i+1)); done"
FIND = "find / -xdev >/dev/null"
MEMORY = 512  # MiB, the image's own aside


def measure_script(wanted, milliseconds):
    lines = ["#!/bin/sh", "echo first line", "/bench/zbench --boot", "cat /proc/meminfo"]
    if names := [name for name in ROWS if name in wanted and name not in OUTSIDE]:
        lines.append(f"/bench/zbench --ms {milliseconds} {' '.join(names)}")
    for name, command in (("find", FIND), ("loop", LOOP)):
        if name in wanted:
            lines.append(f"echo {name}; /bench/zbench --time 3 /bin/sh -c '{command}'")
    return "\n".join(lines) + "\necho end\n"


def newc_entry(name, status, number, data):
    """One member of a cpio archive as the kernel reads it (Documentation/driver-api/early-userspace/buffer-format.rst)."""
    device = status.st_rdev
    fields = [number, status.st_mode, 0, 0, 1, 0, len(data), 0, 0, os.major(device), os.minor(device),
              len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name + b"\0"
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


def write_initramfs(root, path):
    with open(path, "wb") as out:
        for number, file in enumerate(sorted(root.rglob("*")), 1):
            status = file.lstat()
            data = b""
            if stat.S_ISREG(status.st_mode):
                data = file.read_bytes()
            elif stat.S_ISLNK(status.st_mode):
                data = os.fsencode(os.readlink(file))
            out.write(newc_entry(os.fsencode(file.relative_to(root)), status, number, data))
        console = os.stat_result((stat.S_IFCHR | 0o600,) + (0,) * 9, {"st_rdev": os.makedev(5, 1)})
        if not (root / "dev/console").exists():
            out.write(newc_entry(b"dev/console", console, 0, b""))
        out.write(newc_entry(b"TRAILER!!!", os.stat_result((0,) * 10, {"st_rdev": 0}), 0, b""))


def prepare(options, base, script):
    """The image with the tools in it, and the same tree as initramfs."""
    tools = base / "tools/bench"
    tools.mkdir(parents=True)
    shutil.copy2(options.zbench, tools / "zbench")
    (tools / "measure").write_text(script)
    image, root = base / "image.img", base / "root"
    subprocess.run([options.zrun, "pack", "-q", options.image, tools.parent, "-o", image], check=True)
    subprocess.run(["fsck.erofs", f"--extract={root}", image], check=True, stdout=subprocess.DEVNULL)
    shutil.copy2(options.init, root / "init")
    for name in ("proc", "sys", "dev"):
        (root / name).mkdir(exist_ok=True)
    write_initramfs(root, base / "initramfs")
    if not options.linux:
        made = subprocess.run([options.zrun, "images", "build", "linux-riscv64"], check=True, text=True,
                              stdout=subprocess.PIPE)
        subprocess.run(["fsck.erofs", f"--extract={base / 'linux'}", made.stdout.strip()], check=True,
                       stdout=subprocess.DEVNULL)
        options.linux = next((base / "linux/boot").glob("vmlinu*"))
    return image, base / "initramfs"


def zrun_command(options, image, harts):
    return [str(options.zrun), "run", "--platform", "riscv64", "--cpus", str(harts), "-m", f"{MEMORY}m", str(image),
            "/bin/sh", "/bench/measure"]


def linux_command(options, image, initramfs, harts):
    """Devices and memory as zrun gives its kernel (runtime-cli/qemu_machine.cc)."""
    size = MEMORY + (image.stat().st_size + (1 << 20) - 1 >> 20)
    return [str(options.qemu), "-machine", "virt", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
            "-global", "virtio-mmio.force-legacy=false", "-m", f"{size}M", "-smp", str(harts), "-device",
            "virtio-rng-device", "-device", "virtio-serial-device,max_ports=5", "-serial", "stdio", "-kernel",
            str(options.linux), "-initrd", str(initramfs), "-append", "console=ttyS0 quiet"]


def run(command, environment, limit):
    """Its lines, and when the first one came."""
    start = time.monotonic_ns()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             env=environment)
    text, first = b"", None
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while (left := limit - (time.monotonic_ns() - start) / 1e9) > 0 and selector.select(left):
            part = os.read(child.stdout.fileno(), 65536)
            if not part:
                break
            text += part
            if first is None and b"first line" in text:
                first = time.monotonic_ns() - start
    if left <= 0:
        child.send_signal(signal.SIGKILL)
    child.wait()
    lines = text.decode(errors="replace").replace("\r", "").splitlines()
    if "end" not in lines:
        sys.exit(f"riscv64.py: {command[0]} did not get to its end:\n" + "\n".join(lines[-20:]))
    return lines, first


def read_results(lines, first, image, counts):
    """Figures in nanoseconds, or instructions, and bytes."""
    found, memory, label = {}, {}, "first_line"
    for line in lines:
        words = line.split()
        if len(words) == 1 and words[0] in OUTSIDE:
            label = words[0]
        elif len(words) == 2 and words[0] == "time":
            found[label] = float(words[1])
        elif len(words) == 2 and words[0] == "boot":
            found["first_line"] = float(words[1]) if counts else float(first)
        elif len(words) == 2 and words[0] in ROWS:
            found[words[0]] = float(words[1])
        elif len(words) == 3 and words[2] == "kB":
            memory[words[0]] = int(words[1]) << 10
    # All that the machine has but programs could not get, without the tree itself: Linux holds a copy of it, zrun its
    # image.
    size = image.stat().st_size
    total = MEMORY + (size + (1 << 20) - 1 >> 20) << 20
    found["memory"] = total - memory["MemAvailable:"] - size
    return found


def table(medians, options):
    lines = []
    passed = True
    for setting in medians:
        lines.append(f"{setting:<32}{'zrun':>12}{'Linux':>12}{'reached':>10}{'goal':>8}")
        for row, (title, unit, goal) in ROWS.items():
            ours, theirs = (medians[setting][name].get(row) for name in ("zrun", "linux"))
            if ours is None or theirs is None:
                continue
            ratio = ours / theirs
            verdict = "" if goal is None else "  pass" if ratio <= goal else "  FAIL"
            passed = passed and "FAIL" not in verdict
            shown = unit.replace("us", "k").replace("ms", "M") if setting == "instructions" else unit
            lines.append(f"  {title:<30}{ours / SCALE[unit]:>8.2f} {shown:<3}{theirs / SCALE[unit]:>8.2f} {shown:<3}"
                         f"{ratio:>10.2f}{'' if goal is None else goal:>8}{verdict}")
        lines.append("")
    lines.append(f"Medians of {options.rounds} rounds. {options.linux.name}, {qemu_version(options)}, host: "
                 f"{os.cpu_count()} processors, Linux {platform.release()}.")
    return "\n".join(lines), passed


def qemu_version(options):
    said = subprocess.run([options.qemu, "--version"], stdout=subprocess.PIPE, text=True).stdout
    return said.splitlines()[0]


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--zrun", type=pathlib.Path, required=True)
    parser.add_argument("--zbench", type=pathlib.Path, required=True, help="built for riscv64")
    parser.add_argument("--init", type=pathlib.Path, required=True, help="riscv64_init.c, built for riscv64")
    parser.add_argument("--image", default="alpine-riscv64")
    parser.add_argument("--linux", type=pathlib.Path, help="a kernel of your own")
    parser.add_argument("--qemu", default=os.environ.get("ZRUN_QEMU", "qemu-system-riscv64"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ms", type=int, default=100, help="time for each of zbench's measurements")
    parser.add_argument("--settings", default=",".join(SETTINGS), help="of: " + ", ".join(SETTINGS))
    parser.add_argument("--only", help="rows, separated by commas: " + ",".join(ROWS))
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--check", action="store_true", help="fail if a goal is not reached")
    options = parser.parse_args()
    wanted = set(options.only.split(",")) if options.only else set(ROWS)
    if odd := wanted - set(ROWS):
        parser.error(f"no row {', '.join(sorted(odd))}")
    if odd := set(options.settings.split(",")) - set(SETTINGS):
        parser.error(f"no setting {', '.join(sorted(odd))}")
    return options, wanted


def main():
    options, wanted = parse()
    results = {setting: {"zrun": [], "linux": []} for setting in options.settings.split(",")}
    with tempfile.TemporaryDirectory(prefix="zrun-bench-") as folder:
        base = pathlib.Path(folder)
        image, initramfs = prepare(options, base, measure_script(wanted, options.ms))
        for number in range(options.rounds):
            for setting, found in results.items():
                harts, extra = SETTINGS[setting]
                counts = bool(extra)
                if counts and number > 0:
                    continue  # the same each time
                qemu = base / "qemu"
                qemu.write_text(f'#!/bin/sh\nexec {options.qemu} "$@" {" ".join(extra)}\n')
                qemu.chmod(0o755)
                environment = dict(os.environ, ZRUN_QEMU=str(qemu))
                for name, command in (("zrun", zrun_command(options, image, harts)),
                                      ("linux", linux_command(options, image, initramfs, harts) + extra)):
                    print(f"round {number + 1} of {options.rounds}, {setting}: {name}", file=sys.stderr)
                    lines, first = run(command, environment, 600)
                    found[name].append(read_results(lines, first, image, counts))
        medians = {setting: {name: {row: statistics.median(each[row] for each in rounds) for row in rounds[0]}
                             for name, rounds in found.items()} for setting, found in results.items()}
        text, passed = table(medians, options)
    print(text)
    if options.json:
        goals = {row: goal for row, (_, _, goal) in ROWS.items() if goal is not None}
        options.json.write_text(json.dumps({"results": results, "medians": medians, "goals": goals}, indent=1) + "\n")
    return 0 if passed or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())
