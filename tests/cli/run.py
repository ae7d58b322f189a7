#!/usr/bin/env python3
"""Runs the command-line tests: zrun as its users know it, by pipes and by a pseudo-terminal.

  run.py --zrun BUILD/runtime-cli/zrun --image alpine.tar.gz [--gcc-image debian-gcc.img] [NAME...]

Exit status: 0 passed, 1 something failed, 77 when nothing passed and nothing failed.
"""
import argparse
import concurrent.futures
import importlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import harness  # noqa: E402

SKIPPED = 77
IMAGES = ("image", "gcc_image", "riscv64_image", "riscv64_gcc_image")
for module in sorted(HERE.glob("test_*.py")):
    importlib.import_module(module.stem)


def run_in_process(options, name):
    """The child's side: one test, its verdict as JSON on standard output."""
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="zrun-cli-", dir=options.scratch))
    try:
        verdict, text = harness.run_here(name, lambda: harness.Context(options, scratch))
    except Exception:  # a test with a bug of its own
        verdict, text = "FAIL", traceback.format_exc()
    finally:
        subprocess.run(["chmod", "-R", "u+rwX", str(scratch)], check=False)
        shutil.rmtree(scratch, ignore_errors=True)
    print(json.dumps([verdict, text]))


def run_one(options, name):
    """A process for each test: whatever a zrun leaves behind falls to it, and to no other test."""
    started = time.monotonic()
    command = [sys.executable, str(HERE / "run.py"), "--one", "--zrun", options.zrun, "--image", options.image,
               "--scratch", str(options.scratch), name]
    for option in (*IMAGES[1:], "programs"):
        if getattr(options, option):
            command += [f"--{option.replace('_', '-')}", str(getattr(options, option))]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               start_new_session=True)
    try:
        out, _ = process.communicate(timeout=options.timeout)
        verdict, text = json.loads(out.decode(errors="replace").splitlines()[-1])
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        verdict, text = "FAIL", "timed out"
    except (ValueError, IndexError):
        verdict, text = "FAIL", "the test process ended early: " + out.decode(errors="replace")[-2000:]
    return name, verdict, text, time.monotonic() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zrun", default="zrun")
    parser.add_argument("--image", help="image with a shell and the usual tools: Alpine, or debian-gcc")
    parser.add_argument("--gcc-image", default="", help="image with gcc, python3 and perl")
    parser.add_argument("--riscv64-image", default="", help="alpine-riscv64, for the riscv64 machine")
    parser.add_argument("--riscv64-gcc-image", default="", help="debian-gcc-riscv64")
    parser.add_argument("--programs", type=pathlib.Path, help="folder of the programs built for these tests")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--timeout", type=float, default=280, help="seconds for each test")
    parser.add_argument("--list", action="store_true", help="names of the tests")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--scratch", default=tempfile.gettempdir(), help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    if options.list:
        print("\n".join(harness.TESTS))
        return 0
    if not options.image:
        parser.error("--image is needed")
    for name in options.names:
        if name not in harness.TESTS:
            parser.error(f"no test {name}")
    if options.one:
        run_in_process(options, options.names[0])
        return 0

    options.zrun = str(pathlib.Path(options.zrun).resolve()) if "/" in options.zrun else options.zrun
    count = {"pass": 0, "FAIL": 0, "skip": 0}
    with tempfile.TemporaryDirectory(prefix="zrun-cli-") as scratch:
        options.scratch = scratch
        for which in IMAGES:  # layers are packed once
            path = getattr(options, which)
            if path and not path.endswith(".img"):
                packed = f"{scratch}/{which}.img"
                subprocess.run([options.zrun, "pack", "--quiet", path, "-o", packed], check=True)
                setattr(options, which, packed)
            elif path:
                setattr(options, which, str(pathlib.Path(path).resolve()))
        names = options.names or list(harness.TESTS)
        with concurrent.futures.ThreadPoolExecutor(max(1, options.jobs)) as pool:
            for name, verdict, text, seconds in pool.map(lambda n: run_one(options, n), names):
                count[verdict] += 1
                print(f"{verdict:5} {name} ({seconds:.2f} s)", flush=True)
                if text:
                    print("".join(f"      {line}\n" for line in text.splitlines()), end="", flush=True)
    print(f"{count['pass']} passed, {count['FAIL']} failed, {count['skip']} skipped")
    if count["FAIL"]:
        return 1
    return 0 if count["pass"] else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
