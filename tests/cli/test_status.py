"""Exit statuses and messages, streams, signals."""
import os
import pathlib
import signal
import subprocess
import time

from harness import test


@test
def status_of_the_command(z):
    z.ok(z.run("true"))
    z.equal(z.run("false").status, 1)
    for status in (0, 1, 7, 125, 126, 127, 255):
        z.equal(z.shell(f"exit {status}").status, status)


@test
def status_not_found(z):
    z.fails(z.run("no-such-command"), 127, "no-such-command", "not found|no such file")
    z.fails(z.run("/no/such/file"), 127, "/no/such/file", "not found|no such file")


@test
def status_not_executable(z):
    z.write("plain", "text\n")
    z.fails(z.run("./plain"), 126, "plain", "Permission denied")
    z.fails(z.run("/etc"), 126, "/etc")


@test
def status_killed_by_signal(z):
    # Process 1 of a container ignores signals it has no handler for; its children do not.
    z.equal(z.shell("sh -c 'kill -9 $$'; exit $?").status, 137)
    z.equal(z.shell("sh -c 'kill -SEGV $$'; exit $?").status, 139)
    z.equal(z.shell("sh -c 'kill -TERM $$'; exit $?").status, 143)


@test
def status_own_errors(z):
    z.fails(z.raw("/no/such/image.img", "--", "true"), 125, "zrun:", "/no/such/image.img")
    z.fails(z.raw("no-such-name"), 125, "no-such-name")
    z.fails(z.raw("--no-such-option", z.image, "--", "true"), 125, "no-such-option")
    z.fails(z.raw("run"), 125, "IMAGE")
    z.fails(z.run("true", options=["-v", "nonsense"]), 125, "nonsense")
    z.fails(z.run("true", options=["-v", "/no/such/folder:/x"]), 125, "/no/such/folder")
    z.fails(z.run("true", options=["--memory", "much"]), 125, "much")
    z.fails(z.run("true", options=["-t"]), 125, "terminal")
    z.fails(z.run("true", options=["--env-file", "/no/such/file"]), 125, "/no/such/file")
    z.fails(z.run("true", options=["-u", "no-such-user"]), 125, "no-such-user")


@test
def input_from_a_pipe(z):
    data = os.urandom(3 << 20)
    result = z.run("cat", input=data)
    z.ok(result)
    z.check(result.out == data, f"{len(result.out)} bytes came back, or not the same")


@test
def input_from_a_file(z):
    path = z.write("in", "one\ntwo\nthree\n")
    with open(path, "rb") as file:
        z.ok(z.run("cat", stdin=file), "one\ntwo\nthree\n")
    with open(path, "rb") as file:
        file.seek(4)
        z.ok(z.run("cat", stdin=file), "two\nthree\n")


@test
def input_ends(z):
    z.ok(z.shell("cat; echo end"), "end\n")
    z.ok(z.shell("read line; echo $?; read line; echo $?", input="a\n"), "0\n1\n")


@test
def input_is_closed_from_the_start(z):
    with subprocess.Popen(["sh", "-c", f"exec '{z.zrun}' '{z.image}' -- sh -c 'echo out' <&-"], cwd=z.folder,
                          env=z.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        out, err = process.communicate(timeout=60)
    z.equal((process.returncode, out, err), (0, b"out\n", b""))


@test
def input_only_when_asked(z):
    z.ok(z.raw("run", z.image, "--", "cat", input="hidden\n"), "")
    z.ok(z.raw("run", "-i", z.image, "--", "cat", input="seen\n"), "seen\n")


@test
def input_left_to_the_next(z):
    # A container that reads nothing eats nothing.
    out = subprocess.run(["sh", "-c", f"'{z.zrun}' '{z.image}' -- true; cat"], cwd=z.folder, env=z.environment,
                         input=b"kept\n", capture_output=True, timeout=60, check=False)
    z.equal((out.returncode, out.stdout, out.stderr), (0, b"kept\n", b""))


@test
def output_and_errors_are_apart(z):
    result = z.shell("echo out; echo err >&2; exit 3")
    z.equal((result.status, result.out, result.err), (3, b"out\n", b"err\n"))


@test
def output_to_a_file(z):
    path = z.scratch / "out"
    with open(path, "wb") as file:
        file.write(b"head\n")
        file.flush()
        z.equal(z.shell("echo one; sh -c 'echo two'; echo three", stdout=file).status, 0)
    z.equal(path.read_text(), "head\none\ntwo\nthree\n")


@test
def output_in_bulk(z):
    result = z.shell("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done")
    z.ok(result, "".join(f"line {i}\n" for i in range(20000)))


@test
def output_to_a_slow_reader(z):
    process = z.start(z.image, "--", "sh", "-c", "head -c 1000000 /dev/zero; echo end >&2")
    time.sleep(0.5)
    result = z.finish(process)
    z.equal((result.status, len(result.out), result.err), (0, 1000000, b"end\n"))


@test
def output_to_nobody(z):
    # The reader goes away: EPIPE, and SIGPIPE ends the writer.
    process = z.start(z.image, "--", "sh", "-c", "yes; exit $?")
    process.stdout.read(10)
    process.stdout.close()
    process.stdout = None
    z.equal(process.wait(60), 141)


@test
def output_device_is_full(z):
    with open("/dev/full", "wb") as full:
        result = z.shell("echo lost || exit 9", stdout=full)
    z.equal(result.status, 9)


@test
def signal_reaches_the_command(z):
    process = z.start(z.image, "--", "sh", "-c", "trap 'echo caught; exit 5' TERM; echo ready; while :; do sleep 0.1; done")
    z.equal(process.stdout.readline(), b"ready\n")
    process.send_signal(signal.SIGTERM)
    result = z.finish(process)
    z.equal((result.status, result.out), (5, b"caught\n"))


@test
def signal_of_each_kind(z):
    for name in ("INT", "HUP", "USR1", "USR2", "QUIT"):
        process = z.start(z.image, "--", "sh", "-c",
                          f"trap 'echo {name}; exit 6' {name}; echo ready; while :; do sleep 0.1; done")
        z.equal(process.stdout.readline(), b"ready\n")
        process.send_signal(getattr(signal, "SIG" + name))
        result = z.finish(process)
        z.equal((result.status, result.out), (6, name.encode() + b"\n"), name)


@test
def signal_through_init(z):
    # With --init the command is not process 1, so an unhandled SIGTERM ends it.
    process = z.start("--init", z.image, "--", "sh", "-c", "echo $$; exec sleep 100")
    z.check(process.stdout.readline().strip() != b"1", "the command is process 1 in spite of --init")
    process.send_signal(signal.SIGTERM)
    z.equal(z.finish(process).status, 143)


@test
def init_reaps_orphans(z):
    # A zombie that nobody waits for would keep its entry.
    z.ok(z.shell("pid=$(sleep 0.2 >/dev/null & echo $!); while [ -e /proc/$pid ]; do sleep 0.1; done; "
                 "echo gone", options=["--init"]), "gone\n")


@test
def init_is_found_by_its_number(z):
    z.ok(z.shell('renice -n 3 -p 1 && cut -d" " -f2,3,19 /proc/1/stat && ls /proc/1/task', options=["--init"]),
         "(init) S 3\n1\n")


@test
def arguments_arrive_as_they_are(z):
    words = ["", " ", "a b", "'", '"', "$HOME", "*", "\\", "-x", "--", "\n", "ä€", "x" * 5000]
    z.ok(z.run("sh", "-c", 'for word; do printf "<%s>" "$word"; done', "sh", *words),
         "".join(f"<{word}>" for word in words))


@test
def options_behind_the_image_belong_to_the_command(z):
    z.ok(z.raw(z.image, "echo", "-e", "x"), "x\n")
    z.ok(z.raw(z.image, "echo", "--", "-w"), "-- -w\n")


@test
def killed_supervisor(z):
    process = z.start(z.image, "--", "sh", "-c", "echo ready; sleep 1000 & sleep 1000")
    z.equal(process.stdout.readline(), b"ready\n")
    process.kill()
    process.wait()
    z.until(lambda: not z.children(), "the container outlives its zrun")


@test
def killed_carrier(z):
    process = z.start(z.image, "--", "sh", "-c", "echo ready; sleep 1000 & sleep 1000")
    z.equal(process.stdout.readline(), b"ready\n")
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
    carriers = z.until(lambda: children.read_text().split(), "zrun has no children")
    os.kill(int(carriers[-1]), signal.SIGKILL)
    z.fails(z.finish(process), 137, "killed")


@test
def two_at_once(z):
    first = z.start(z.image, "--hostname", "x", "--", "true")
    z.finish(first)
    processes = [z.start("--hostname", f"host{i}", z.image, "--", "sh", "-c",
                         f"echo {i} >/tmp/mine; sleep 0.5; cat /tmp/mine; hostname; ps | grep -c 'sleep 77[7]'; exit {i}")
                 for i in range(4)]
    for i, process in enumerate(processes):
        result = z.finish(process)
        z.equal((result.status, result.text), (i, f"{i}\nhost{i}\n0\n"), f"container {i}")


@test
def many_starts(z):
    for _ in range(20):
        z.ok(z.run("true"))
