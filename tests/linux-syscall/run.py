#!/usr/bin/env python3
"""Runs the system-call tests: on the host's own kernel, each in a container of its own, or many in one boot of the
riscv64 machine.

  run.py --mode native --dir BUILD/tests/linux-syscall/bin
  run.py --mode trap --zrun BUILD/zrun --image alpine.img --dir BUILD/tests/linux-syscall/bin open_flags poll
  run.py --mode riscv64 --zrun BUILD/zrun --image alpine-riscv64 --dir BUILD/tests/linux-syscall/bin-riscv64

A program passes with status 0 and is skipped with 77. expectations/MODE.txt lists tests known to fail ("name
reason" on each line): their failures are counted apart, and one that passes fails the run until it is taken out.

Exit status: 0 passed, 1 something failed, 77 when nothing passed: all were skipped or failed as expected.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SKIPPED = 77


def read_expectations(mode):
    path = HERE / "expectations" / f"{mode}.txt"
    expected = {}
    if path.exists():
        for line in path.read_text().splitlines():
            name, _, reason = line.split("#")[0].strip().partition(" ")
            if name:
                expected[name] = reason.strip() or "no reason given"
    return expected


def command_for(options, name):
    program = options.dir / name
    if options.mode == "native":
        prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if options.nobody else []
        return prefix + [str(program)]
    command = [options.zrun, "run", "-v", f"{options.dir}:/t:ro"]
    if options.nobody:
        command += ["-u", "65534:65534"]
    return command + options.zrun_arg + [options.image, "--", f"/t/{name}"]


def run_one(options, name):
    """Returns (name, exit status or "timeout", output, seconds)."""
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        # A session of its own: no controlling terminal to inherit, and one group to kill.
        process = subprocess.Popen(command_for(options, name), stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, cwd="/", start_new_session=True)
        try:
            status = process.wait(options.timeout)
        except subprocess.TimeoutExpired:
            status = "timeout"
        for number in (signal.SIGTERM, signal.SIGKILL):  # zrun cleans up when it is asked to end
            try:
                os.killpg(process.pid, number)
                if number == signal.SIGTERM and status == "timeout":
                    process.wait(2)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass
        process.wait()
        output.seek(0)
        text = output.read(64 * 1024).decode(errors="replace")
    return name, status, text, time.monotonic() - started


def run_in_machine(options, names):
    """As run_one(), for all of them; zrun conformance boots the machine and knows how to share a boot."""
    command = [options.zrun, "conformance", str(options.dir), *names, "--image", options.image, "--platform", "riscv64",
               "--timeout", str(options.timeout), "--json"]
    process = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    if process.returncode not in (0, 1):
        sys.exit(f"zrun conformance ended with {explain(process.returncode)}")
    for result in json.loads(process.stdout)["programs"]:
        status = "timeout" if result["timed_out"] else result["status"]
        yield result["name"], status, result.get("output", ""), result["seconds"]


def verdict(status, reason):
    if status == SKIPPED:
        return "skip"
    if reason is not None:
        return "fixed" if status == 0 else "known"
    return "pass" if status == 0 else "FAIL"


def explain(status):
    if status == "timeout":
        return "timed out"
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit status {status}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", choices=["native", "trap", "riscv64"], default="native")
    parser.add_argument("--dir", type=pathlib.Path, required=True, help="directory of the built programs")
    parser.add_argument("--zrun", default="zrun", help="the zrun program (trap, riscv64)")
    parser.add_argument("--image", help="image to run in (trap, riscv64)")
    parser.add_argument("--zrun-arg", action="append", default=[], help="one more option for zrun run; may be repeated")
    parser.add_argument("--nobody", action="store_true", help="run as user 65534 instead of the caller (root)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--timeout", type=float, help="seconds for each program (60)")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for each program, with its time")
    parser.add_argument("names", nargs="*", help="programs to run; all when none is named")
    options = parser.parse_args()
    options.dir = options.dir.resolve()
    options.timeout = options.timeout or 60
    if options.mode == "riscv64" and (options.nobody or options.zrun_arg):
        parser.error("--mode riscv64 takes neither --nobody nor --zrun-arg")
    if options.mode != "native":
        if not options.image:
            parser.error(f"--mode {options.mode} needs --image")
        options.zrun = str(pathlib.Path(options.zrun).resolve()) if "/" in options.zrun else options.zrun
        if pathlib.Path(options.image).exists():
            options.image = str(pathlib.Path(options.image).resolve())
        if not shutil.which(options.zrun):
            parser.error(f"no program {options.zrun}")

    built = sorted(p.name for p in options.dir.iterdir() if p.is_file() and os.access(p, os.X_OK))
    names = options.names or built
    for name in names:
        if name not in built:
            parser.error(f"no program {name} in {options.dir}")
    expected = read_expectations(options.mode)
    stale = [] if options.names else sorted(set(expected) - set(built))
    count = {"pass": 0, "FAIL": 0, "skip": 0, "known": 0, "fixed": 0}

    with concurrent.futures.ThreadPoolExecutor(max(1, options.jobs)) as pool:
        if options.mode == "riscv64":
            results = run_in_machine(options, names)
        else:
            results = pool.map(lambda n: run_one(options, n), names)
        for name, status, text, seconds in results:
            word = verdict(status, expected.get(name))
            count[word] += 1
            if options.verbose or word != "pass":
                print(f"{word:5} {name} ({seconds:.2f} s)" + ("" if status == 0 else f": {explain(status)}"))
            if word == "fixed":
                print(f"      it passes now: take it out of expectations/{options.mode}.txt")
            elif word == "known":
                print(f"      expected: {expected[name]}")
            if text.strip() and (options.verbose or word in ("FAIL", "skip")):
                print("".join(f"      {line}\n" for line in text.rstrip().splitlines()), end="")
            sys.stdout.flush()

    for name in stale:
        print(f"FAIL  expectations/{options.mode}.txt names {name}, which does not exist")
    failed = count["FAIL"] + count["fixed"] + len(stale)
    if count["known"]:
        print(f"{count['known']} failed as expected")
    print(f"{count['pass']} passed, {failed} failed, {count['skip']} skipped")
    if failed:
        return 1
    return 0 if count["pass"] or not names else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
