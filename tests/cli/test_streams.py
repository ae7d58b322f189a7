"""Standard streams: opened again by their names, closed, /dev/null; a terminal that nobody types on."""
import subprocess

from harness import test

WRITE_BY_NAME = "echo a >/dev/stdout; echo b >/proc/self/fd/1; echo c >>/dev/stderr; echo d >/dev/fd/2"


def opens_streams_again(z, run):
    """What is written by name arrives in order, through pipes and in files."""
    result = run(WRITE_BY_NAME)
    z.equal((result.status, result.text, result.errors), (0, "a\nb\n", "c\nd\n"))
    both = z.folder / "both"
    with open(both, "wb") as file:
        z.equal(run(f"echo first; {WRITE_BY_NAME}; echo last", stdout=file, stderr=file).status, 0)
    z.equal(both.read_text(), "first\na\nb\nc\nd\nlast\n", "the file")
    z.ok(run("read -r line; echo \"$line\"; cat /dev/stdin", input="one\ntwo\nthree\n"), "one\ntwo\nthree\n")


@test
def streams_opened_again(z):
    opens_streams_again(z, z.shell)
    z.ok(z.shell("echo x >/dev/stderr | cat; echo y 2>/dev/null >/dev/stdout | cat", stderr=subprocess.STDOUT), "x\ny\n")
    # The direction that zrun was not given is not there.
    z.ok(z.shell("{ cat </dev/stdout; } 2>/dev/null || echo refused"), "refused\n")
    # They go on when another that was opened by the same name is closed.
    z.ok(z.shell("exec 3>/dev/stdout; echo one >&3; exec 3>&-; echo two >/dev/stdout; echo three"), "one\ntwo\nthree\n")


@test
def streams_are_the_users(z):
    """Who runs in the container may open them; a terminal, too."""
    script = f"{WRITE_BY_NAME}; cat /dev/stdin; stat -L -c %u /dev/stdin /dev/stdout"
    result = z.shell(script, options=["-u", "1000"], input="in\n")
    z.equal((result.status, result.text, result.errors), (0, "a\nb\nin\n1000\n1000\n", "c\nd\n"))
    t = z.terminal("sh", "-c", "echo said >/dev/stdout; echo twice >/dev/tty; stat -c %u /dev/console",
                   options=["-u", "1000"])
    t.expect(r"said\r\ntwice\r\n1000\r\n")
    z.equal(t.wait(), 0)


@test
def null_streams(z):
    """Without -i, standard input is /dev/null, as fstat tells."""
    z.ok(z.raw("run", z.image, "--", "sh", "-c", "stat -L -c '%F %t,%T' /dev/stdin; readlink /proc/self/fd/0; cat; cat /dev/stdin"),
         "character special file 1,3\n/dev/null\n")


def start_closed(z, numbers, *words):
    """zrun with some of its streams closed; what it writes to the others."""
    script = " ".join(f"{number}{'<' if number == 0 else '>'}&-" for number in numbers)
    command = ["/bin/sh", "-c", f'exec "$@" {script}', "sh", z.zrun, *map(str, words)]
    done = subprocess.run(command, cwd=z.folder, env=z.environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


@test
def closed_streams(z):
    """Streams that zrun was started without are empty and take everything: they are no files of zrun's."""
    z.equal(start_closed(z, [0], z.image, "--", "sh", "-c", "wc -c; echo out"), (0, b"0\nout\n", b""))
    z.equal(start_closed(z, [1], z.image, "--", "sh", "-c", "echo lost; echo err >&2"), (0, b"", b"err\n"))
    z.equal(start_closed(z, [2], z.image, "--", "sh", "-c", "echo lost >&2; echo out"), (0, b"out\n", b""))
    z.equal(start_closed(z, [0, 1, 2], z.image, "--", "sh", "-c", "cat; echo x; echo y >&2; exit 7")[0], 7)
    z.equal(start_closed(z, [0, 1, 2], "info")[0], 0)
    z.equal(start_closed(z, [0, 2], "syscalls")[0], 0)


@test
def terminal_without_input(z):
    """-t without -i: the user's terminal stays as it is, and its Ctrl-C reaches the program."""
    t = z.terminal("sh", "-c", "trap 'echo caught; exit 5' INT; tty; echo ready; while :; do sleep 0.1; done", options=["run", "-t"])
    t.expect(r"/dev/console\r+\nready\r+\n")
    z.equal(t.settings(), t.before, "the terminal's settings")
    t.send("\x03")
    t.expect(r"caught")
    z.equal(t.wait(), 5)
    # A program that does not care ends by it; one that reads waits for what nobody types.
    t = z.terminal("sh", "-c", "echo ready; cat", options=["run", "-t"])
    t.expect(r"ready")
    t.send("typed\r")
    t.send("\x03")
    z.equal(t.wait(), 130)
    # It needs no terminal of the user's.
    z.ok(z.raw("run", "-t", z.image, "--", "sh", "-c", "test -t 0 && test -t 1 && echo yes"), "yes\r\n")


@test
def riscv64_streams(z):
    """The same on the riscv64 machine."""
    def run(script, **more):
        return z.raw("--platform", "riscv64", z.riscv64_image, "--", "sh", "-c", script, **more)
    opens_streams_again(z, run)
    z.equal(start_closed(z, [0], "--platform", "riscv64", z.riscv64_image, "--", "sh", "-c", "wc -c; echo out"), (0, b"0\nout\n", b""))
