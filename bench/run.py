#!/usr/bin/env python3
"""Measures zrun beside the native kernel, a chroot and other runtimes, all in one run, round after round.

  run.py --zbench BUILD/bench/zbench --zrun BUILD/runtime-cli/zrun --image alpine.tar.gz [--root DIR]

Every environment runs the same static program (zbench) and, out of the same image, a shell loop, gcc and `true`.
The least of all rounds counts. Ratios are to native for zbench's own work and for container start, to the chroot
for the image's programs (the host's differ). Whatever is not installed or not possible here is left out and named.
"""
import argparse
import contextlib
import ctypes
import json
import os
import pathlib
import platform
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time

import workloads

TOUCH = ["null", "read4k", "write4k", "pread4k", "fstat", "stat", "open_close", "create_unlink", "signal", "segv",
         "mmap_munmap", "mmap_touch", "page_touch", "epoll", "open_10000"]
PAIRS = ["pipe_pingpong", "socket_pingpong", "futex_pingpong", "pipe64k"]
ON_ONE = "_on_one"  # the same on one processor, where partners take turns
PROCESSES = ["fork", "fork_exec", "vfork_exec", "thread"]
LOOP = "i=0; while [ $i -lt 1000 ]; do /bin/true; i=$((i+1)); done"
HELLO = '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n'
GCC = "gcc -o /tmp/zbench-hello /bench/hello.c && rm /tmp/zbench-hello"

# Name shown, unit of the raw figure, goal ("x": ratio to native; "us", "ms", "MiB": absolute).
ROWS = {
    "null": ("null call (getpid)", "ns", "1.2 us"),
    "read4k": ("read 4K", "ns", ""),
    "write4k": ("write 4K", "ns", ""),
    "pread4k": ("pread 4K", "ns", ""),
    "fstat": ("fstat", "ns", ""),
    "stat": ("stat", "ns", ""),
    "open_close": ("open+close", "ns", ""),
    "create_unlink": ("create+write+unlink", "ns", ""),
    "signal": ("signal to self", "ns", ""),
    "segv": ("SIGSEGV handler", "ns", ""),
    "mmap_munmap": ("mmap+munmap", "ns", ""),
    "mmap_touch": ("mmap+touch 4 pages", "ns", ""),
    "page_touch": ("page touch, 256 MiB", "ns", "1.15 x"),
    "epoll": ("epoll_wait, one ready", "ns", ""),
    "open_10000": ("open+close beside 10,000", "ns", ""),
    "pipe_pingpong": ("pipe ping-pong", "ns", ""),
    "socket_pingpong": ("socketpair ping-pong", "ns", ""),
    "futex_pingpong": ("futex ping-pong", "ns", "1.15 x"),
    "pipe64k": ("pipe, 64 KiB", "ns", ""),
    "pipe_pingpong_on_one": ("pipe ping-pong, one processor", "ns", ""),
    "socket_pingpong_on_one": ("socketpair ping-pong, one processor", "ns", ""),
    "futex_pingpong_on_one": ("futex ping-pong, one processor", "ns", ""),
    "pipe64k_on_one": ("pipe, 64 KiB, one processor", "ns", ""),
    "fork": ("fork+wait", "ns", ""),
    "fork_exec": ("fork+exec+wait", "ns", "1.5 x"),
    "vfork_exec": ("vfork+exec+wait", "ns", ""),
    "thread": ("thread create+join", "ns", ""),
    "loop": ("shell loop of 1000 commands", "ns", "1.6 x"),
    "gcc": ("gcc hello.c", "ns", ""),
    **workloads.ROWS,
    "start": ("start and exit of true", "ns", "15 ms"),
    "idle_pss": ("idle, PSS", "KiB", ""),
    "idle_private": ("idle, unshared", "KiB", "8 MiB"),
}
FROM_IMAGE = {"loop", "gcc", *workloads.ROWS}


class Environment:
    """A way to run a command; `inside` says whether /bench holds zbench there."""

    def __init__(self, name, command, inside=True):
        self.name, self.command, self.inside = name, command, inside

    def line(self, words):
        return self.command(words)


def own_cgroup_view():
    """crun refuses hosts that mount both cgroup versions; show it the second alone, in a mount namespace of our own."""
    folder = pathlib.Path("/sys/fs/cgroup")
    if os.geteuid() != 0 or not (folder / "unified").exists():
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x00020000) == 0:  # CLONE_NEWNS
        libc.mount(None, b"/", None, 0x4000 | 0x40000, None)  # MS_REC | MS_PRIVATE
        libc.mount(b"none", bytes(folder), b"cgroup2", 0, None)


def oci_bundle(base, root, tool_folder, name):
    """Writes a bundle for OCI runtimes; the command goes into config.json just before each run."""
    bundle = base / name
    bundle.mkdir()
    (bundle / "rootfs").symlink_to(root)
    config = {
        "ociVersion": "1.0.0",
        "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "args": [], "cwd": "/",
                    "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]},
        "root": {"path": str(root), "readonly": False},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=1777"]},
            {"destination": "/bench", "type": "bind", "source": str(tool_folder), "options": ["bind", "ro"]},
        ],
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")]},
    }

    def write(words):
        config["process"]["args"] = words
        (bundle / "config.json").write_text(json.dumps(config))
        return bundle

    return write


def environments(options, base, tools, root):
    found, missing = [Environment("native", lambda words: words, inside=False)], []
    if root and os.geteuid() == 0:
        mount_points = (root / "bench", root / "tmp")
        for point in mount_points:
            point.mkdir(exist_ok=True)
        for file in tools.iterdir():
            shutil.copy2(file, root / "bench")
        found.append(Environment("chroot", lambda words: ["chroot", str(root)] + words))
    else:
        missing.append("chroot (needs root and --root or a tar image)")
    if options.zrun and options.image:
        found.append(Environment("zrun", lambda words: [options.zrun, "run", "-i", "-v", f"{tools}:/bench:ro"]
                                 + options.zrun_arg + [options.image, "--"] + words))
    else:
        missing.append("zrun (needs --zrun and --image)")
    for name in ("crun", "runsc", "proot"):
        path = shutil.which(name)
        if not path or not root or name in options.without:
            missing.append(f"{name} ({'left out' if name in options.without else 'not installed or no root directory'})")
        elif name == "proot":
            found.append(Environment(name, lambda words, path=path: [path, "-r", str(root), "-b", f"{tools}:/bench",
                                                                     "-b", "/proc", "-b", "/dev", "-w", "/"] + words))
        elif os.geteuid() != 0:
            missing.append(f"{name} (needs root)")
        else:
            write = oci_bundle(base, root, tools, name)
            extra = ["--platform=systrap", "--network=none", "--ignore-cgroups"] if name == "runsc" else \
                ["--cgroup-manager=disabled"]
            state = ["--root", str(base / f"{name}-state")]
            found.append(Environment(
                name, lambda words, path=path, write=write, extra=extra, state=state:
                [path] + extra + state + ["run", "--bundle", str(write(words)), f"zbench-{os.getpid()}-{time.monotonic_ns()}"]))
    return found, missing


def run(line, pinned=False, timeout=300):
    """Runs a command; returns its output, or None (and says why) when it fails."""
    before = os.sched_getaffinity(0)
    if pinned:
        os.sched_setaffinity(0, {max(before)})  # inherited
    try:
        done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        print(f"{shlex.join(line[:3])} ...: timed out", file=sys.stderr)
        return None
    finally:
        os.sched_setaffinity(0, before)
    if done.returncode != 0:
        told = done.stderr.strip().splitlines() or ["no message"]
        print(f"{shlex.join(line[:3])} ...: status {done.returncode}: {told[-1]}", file=sys.stderr)
        return None
    return done.stdout


def keep(results, environment, row, value):
    old = results.setdefault(row, {}).get(environment)
    results[row][environment] = value if old is None else min(old, value)


def measure_zbench(options, environment, tools, names, results, pinned):
    program = "/bench/zbench" if environment.inside else str(tools / "zbench")
    output = run(environment.line([program, "--ms", str(options.ms)] + names), pinned)
    for line in (output or "").splitlines():
        name, value = line.split()
        keep(results, environment.name, name + (ON_ONE if pinned else ""), float(value))


def measure_command(environment, tools, row, shell_line, times, results):
    program = "/bench/zbench" if environment.inside else str(tools / "zbench")
    if not environment.inside:
        shell_line = shell_line.replace("/bench/", f"{tools}/")
    output = run(environment.line([program, "--time", str(times), "/bin/sh", "-c", shell_line]))
    if output:
        keep(results, environment.name, row, float(output.split()[1]))


def measure_start(environment, times, results):
    for _ in range(times):
        line = environment.line(["/bin/true"])
        start = time.monotonic_ns()
        if run(line) is None:
            return
        keep(results, environment.name, "start", float(time.monotonic_ns() - start))


def measure_workloads(options, base, tools, root, wanted, results):
    found = workloads.places(options, base, tools, root)
    for number in range(options.rounds):
        for place in found:
            print(f"round {number + 1} of {options.rounds}: files and servers, {place.column}", file=sys.stderr)
            workloads.measure(place, run, lambda column, row, value: keep(results, column, row, value), wanted)


def descendants(top):
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                fields = pathlib.Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
                parents.setdefault(int(fields[1]), []).append(int(entry))
    found, queue = [], [top]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue += parents.get(pid, [])
    return found


def memory_of(pids):
    pss = private = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                words = line.split()
                if words[0] == "Pss:":
                    pss += int(words[1])
                elif words[0] in ("Private_Clean:", "Private_Dirty:"):
                    private += int(words[1])
    return pss, private


def measure_idle(environment, tools, results):
    """Memory of everything that an idle program's container keeps alive, the runtime's own processes included."""
    program = "/bench/zbench" if environment.inside else str(tools / "zbench")
    before = set(descendants(os.getpid()))
    process = subprocess.Popen(environment.line([program, "--idle"]), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    try:
        if process.stdout.readline().strip() != b"ready":
            return
        time.sleep(1)
        pss, private = memory_of(set(descendants(os.getpid())) - before)
        if pss == 0:  # it has ended
            return
        keep(results, environment.name, "idle_pss", pss)
        keep(results, environment.name, "idle_private", private)
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def show(value, unit):
    if unit == "KiB":
        return f"{value / 1024:.1f} MiB"
    for limit, scale, name in ((1e3, 1, "ns"), (1e6, 1e3, "µs"), (1e9, 1e6, "ms")):
        if value < limit:
            return f"{value / scale:.3g} {name}"
    return f"{value / 1e9:.3g} s"


def base_of(row, figures):
    return "chroot" if row in FROM_IMAGE and "chroot" in figures else "native"


def met(goal, figures, row):
    """None without a goal or figure, else whether zrun reaches it."""
    if not goal or "zrun" not in figures:
        return None
    number, unit = goal.split()
    if unit == "x":
        base = figures.get(base_of(row, figures))
        return figures["zrun"] / base <= float(number) if base else None
    return figures["zrun"] <= float(number) * {"us": 1e3, "ms": 1e6, "MiB": 1024}[unit]


def table(results, names):
    lines = ["| work | " + " | ".join(names) + " | goal |", "|" + " --- |" * (len(names) + 2)]
    for row, (title, unit, goal) in ROWS.items():
        figures = results.get(row)
        if not figures:
            continue
        base = base_of(row, figures)
        cells = []
        for name in names:
            if name not in figures:
                cells.append("-")
            elif name == base or not figures.get(base):
                cells.append(show(figures[name], unit))
            else:
                cells.append(f"{show(figures[name], unit)} ({figures[name] / figures[base]:.2f})")
        reached = met(goal, figures, row)
        mark = "" if reached is None else " ✓" if reached else " ✗"
        lines.append(f"| {title} | " + " | ".join(cells) + f" | {goal.replace('us', 'µs')}{mark} |")
    return "\n".join(lines)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zbench", type=pathlib.Path, required=True)
    parser.add_argument("--zrun")
    parser.add_argument("--image", help="image for zrun; a tar is unpacked for chroot and the others too")
    parser.add_argument("--root", type=pathlib.Path, help="the same image, unpacked, for chroot, crun, runsc, proot")
    parser.add_argument("--zrun-arg", action="append", default=[], help="one more option for zrun run; may be repeated")
    parser.add_argument("--without", action="append", default=[], help="leave a runtime out; may be repeated")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ms", type=int, default=100, help="milliseconds for each of zbench's measurements")
    parser.add_argument("--only", help="comma-separated rows: " + ",".join(ROWS))
    parser.add_argument("--json", type=pathlib.Path, help="write the figures here too")
    parser.add_argument("--markdown", type=pathlib.Path, help="write the table here too")
    options = parser.parse_args()
    if options.zrun:
        found = shutil.which(options.zrun)
        if not found:
            parser.error(f"no program {options.zrun}")
        options.zrun = str(pathlib.Path(found).resolve())
    if options.image and pathlib.Path(options.image).exists():
        options.image = str(pathlib.Path(options.image).resolve())
    if options.only and (odd := set(options.only.split(",")) - set(ROWS)):
        parser.error(f"no row {', '.join(sorted(odd))}")
    return options


def unpack(options, base):
    if options.root:
        return options.root.resolve()
    name = pathlib.Path(options.image or "").name
    root = base / "root"
    if name.endswith(".img") and shutil.which("fsck.erofs"):
        subprocess.run(["fsck.erofs", f"--extract={root}", options.image], check=True, stdout=subprocess.DEVNULL)
        return root
    if ".tar" not in name:
        return None
    root.mkdir()
    with tarfile.open(options.image) as archive:
        archive.extractall(root, filter="fully_trusted") if hasattr(tarfile, "data_filter") else archive.extractall(root)
    return root


def main():
    options = parse()
    wanted = set(options.only.split(",")) if options.only else set(ROWS)
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: whatever a runtime leaves behind stays below us
    with tempfile.TemporaryDirectory(prefix="zrun-bench-", ignore_cleanup_errors=True) as folder:
        base = pathlib.Path(folder)
        base.chmod(0o755)
        tools = base / "tools"
        tools.mkdir()
        shutil.copy2(options.zbench, tools / "zbench")
        (tools / "hello.c").write_text(HELLO)
        root = unpack(options, base)
        own_cgroup_view()
        found, missing = environments(options, base, tools, root)
        results = {}
        for number in range(options.rounds):
            for environment in found:
                print(f"round {number + 1} of {options.rounds}: {environment.name}", file=sys.stderr)
                for names, pinned in ((TOUCH, False), (PAIRS, False), (PAIRS, True), (PROCESSES, False)):
                    names = [name for name in names if name + (ON_ONE if pinned else "") in wanted]
                    if names:
                        measure_zbench(options, environment, tools, names, results, pinned)
                if "loop" in wanted:
                    measure_command(environment, tools, "loop", LOOP, 2, results)
                if "gcc" in wanted and (not environment.inside or not root or (root / "usr/bin/gcc").exists()):
                    measure_command(environment, tools, "gcc", GCC, 3, results)
                if "start" in wanted:
                    measure_start(environment, 10, results)
                if wanted & {"idle_pss", "idle_private"} and number == 0:
                    measure_idle(environment, tools, results)
        if wanted & workloads.ROWS.keys():
            measure_workloads(options, base, tools, root if os.geteuid() == 0 else None, wanted, results)
    names = [environment.name for environment in found]
    names += [name for name in ("zrun -v",) if any(name in figures for figures in results.values())]
    text = table({row: results[row] for row in ROWS if row in results and row in wanted}, names)
    text += "\n\nLeast of {} rounds; in brackets the ratio to native (shell loop and gcc: to the chroot). {}, {} processors.".format(
        options.rounds, f"{platform.system()} {platform.release()}", os.cpu_count())
    if missing:
        text += "\nNot measured: " + "; ".join(missing) + "."
    print(text)
    if options.markdown:
        options.markdown.write_text(text + "\n")
    if options.json:
        goals = {row: goal for row, (_, _, goal) in ROWS.items() if goal}
        units = {row: unit for row, (_, unit, _) in ROWS.items()}
        options.json.write_text(json.dumps({"results": results, "units": units, "goals": goals,
                                            "kernel": platform.release(), "processors": os.cpu_count()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
