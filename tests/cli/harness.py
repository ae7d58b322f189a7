"""What the command-line tests are written with: see README.md."""
import ctypes
import dataclasses
import fcntl
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time

TESTS = {}
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
# zrun's time limits in these tests; machines in CI are slow and shared.
PATIENCE = float(os.environ.get("ZRUN_TEST_PATIENCE", "60"))


class Failure(Exception):
    pass


class Skip(Exception):
    pass


def test(function):
    name = function.__name__
    if name in TESTS:
        raise ValueError(f"two tests are called {name}")
    TESTS[name] = function
    return function


@dataclasses.dataclass
class Result:
    status: int  # negative: zrun itself was killed
    out: bytes
    err: bytes

    @property
    def text(self):
        return self.out.decode(errors="replace")

    @property
    def errors(self):
        return self.err.decode(errors="replace")


def shorten(data, most=2000):
    text = data.decode(errors="replace") if isinstance(data, bytes) else str(data)
    return text if len(text) <= most else text[:most // 2] + " ... " + text[-most // 2:]


def end_with_parent():
    """In the child: if this test is killed, its zrun goes too."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Terminal:
    """zrun on a pseudo-terminal of its own, as its controlling terminal."""

    def __init__(self, command, cwd, environment, rows=24, columns=80):
        self.master, slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(slave)
        self.slave_name = os.ttyname(slave)

        def attach():
            end_with_parent()
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(command, cwd=cwd, env=environment, stdin=slave, stdout=slave, stderr=slave,
                                        preexec_fn=attach)
        self.slave = slave
        self.seen = b""  # what came since the last match
        self.all = b""

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def send(self, text):
        data = text.encode() if isinstance(text, str) else text
        while data:
            data = data[os.write(self.master, data):]

    def line(self, text):
        self.send(text + "\r")

    def _read(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        if not select.select([self.master], [], [], left)[0]:
            return None
        try:
            return os.read(self.master, 65536)
        except OSError:  # the last user of the other end is gone
            return b""

    def expect(self, pattern, patience=None):
        """Waits for output that matches; returns the match. What came before it is forgotten."""
        compiled = re.compile(pattern.encode() if isinstance(pattern, str) else pattern, re.DOTALL)
        deadline = time.monotonic() + (PATIENCE if patience is None else patience)
        while True:
            match = compiled.search(self.seen)
            if match:
                self.seen = self.seen[match.end():]
                return match
            data = self._read(deadline)
            if not data:
                why = "no more output" if data == b"" else "nothing more came in time"
                raise Failure(f"{pattern!r} was expected on the terminal, {why}: {shorten(self.all)!r}")
            self.seen += data
            self.all += data

    def quiet(self, seconds=0.3):
        """Reads whatever still comes, until nothing came for a while; returns it."""
        out = b""
        while data := self._read(time.monotonic() + seconds):
            out += data
        self.all += out
        self.seen += out
        return out

    def wait(self):
        """The exit status, reading on so that nobody blocks."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                raise Failure(f"zrun did not end; the terminal shows {shorten(self.all)!r}")
            data = self._read(time.monotonic() + 0.05)
            if data:
                self.seen += data
                self.all += data
        self.quiet(0.05)
        return self.process.returncode

    def settings(self):
        return termios.tcgetattr(self.slave)

    def hang_up(self):
        """The terminal vanishes, as when its window is closed."""
        os.close(self.slave)
        os.close(self.master)
        self.master = self.slave = -1

    def close(self):
        for fd in (self.master, self.slave):
            if fd >= 0:
                os.close(fd)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Context:
    """One test's world: a scratch folder, and zrun."""

    def __init__(self, options, scratch):
        self.zrun, self.image, self._options = options.zrun, options.image, options
        self.scratch = scratch
        self.folder = scratch / "work"  # the current directory of zrun
        self.folder.mkdir()
        self.temporary = scratch / "tmp"
        self.temporary.mkdir()
        self.environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(scratch), "TERM": "xterm",
                            "LANG": "C.UTF-8", "TMPDIR": str(self.temporary), "XDG_CACHE_HOME": str(scratch / "cache"),
                            "XDG_RUNTIME_DIR": str(self.temporary)}
        self.processes, self.terminals = [], []

    # ---- Starting zrun.
    def start(self, *arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=None,
              environment=None, **more):
        """A zrun in the background, in a session of its own."""
        process = subprocess.Popen([self.zrun, *map(str, arguments)], stdin=stdin, stdout=stdout, stderr=stderr,
                                   cwd=cwd or self.folder, env={**self.environment, **(environment or {})},
                                   start_new_session=True, preexec_fn=end_with_parent, **more)
        self.processes.append(process)
        return process

    def finish(self, process, data=None, patience=None):
        try:
            out, err = process.communicate(data, timeout=patience or PATIENCE)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM)
            try:
                out, err = process.communicate(timeout=2)
            except subprocess.TimeoutExpired:
                process.kill()
                out, err = process.communicate()
            raise Failure(f"zrun did not end: out {shorten(out or b'')!r}, err {shorten(err or b'')!r}") from None
        return Result(process.returncode, out or b"", err or b"")

    def raw(self, *arguments, input=None, patience=None, **more):
        """zrun with these arguments."""
        if input is not None:
            more["stdin"] = subprocess.PIPE
        data = input.encode() if isinstance(input, str) else input
        return self.finish(self.start(*arguments, **more), data, patience)

    def run(self, *command, options=(), image=None, **more):
        """zrun OPTIONS IMAGE -- COMMAND, the short form."""
        return self.raw(*options, image or self.image, "--", *command, **more)

    def shell(self, script, options=(), **more):
        return self.run("/bin/sh", "-c", script, options=options, **more)

    def terminal(self, *command, options=(), image=None, rows=24, columns=80, bare=False):
        """The short form on a terminal; |bare|: with no command at all."""
        words = [self.zrun, *options, str(image or self.image)]
        if not bare:
            words += ["--", *command]
        made = Terminal(words, self.folder, self.environment, rows, columns)
        self.terminals.append(made)
        return made

    # ---- What tests need to know.
    @property
    def gcc_image(self):
        return self._need("gcc_image", "the debian-gcc image")

    @property
    def riscv64_image(self):
        return self._need("riscv64_image", "the alpine-riscv64 image")

    @property
    def riscv64_gcc_image(self):
        return self._need("riscv64_gcc_image", "the debian-gcc-riscv64 image")

    def _need(self, option, what):
        if not getattr(self._options, option):
            raise Skip(f"needs {what} (--{option.replace('_', '-')})")
        return getattr(self._options, option)

    def built(self, name):
        """The path of a program built for these tests."""
        path = self._options.programs / name if self._options.programs else None
        if not path or not path.exists():
            raise Skip(f"the program {name} is not built (--programs)")
        return path

    def system_call_test(self, name):
        """A program of tests/linux-syscall, which is built beside these."""
        return self.program(f"../../linux-syscall/bin/{name}")

    def program(self, name):
        path = self.built(name)
        shutil.copy(path, self.folder / path.name)
        return f"./{path.name}"

    def write(self, name, text, mode=0o644):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        path.chmod(mode)
        return path

    # ---- Checks.
    def check(self, condition, what):
        if not condition:
            raise Failure(what)

    def equal(self, found, wanted, what="result"):
        if found != wanted:
            raise Failure(f"{what}: {shorten(repr(found))}, expected {shorten(repr(wanted))}")

    def ok(self, result, out=None):
        """Status 0, nothing on standard error, and this output."""
        if result.status != 0 or result.err:
            raise Failure(f"status {result.status}, out {shorten(result.out)!r}, err {shorten(result.err)!r}")
        if out is not None:
            self.equal(result.text, out, "output")

    def fails(self, result, status, *parts):
        """This status, and a message on standard error in which each of |parts| stands."""
        if result.status != status:
            raise Failure(f"status {result.status}, expected {status}; out {shorten(result.out)!r}, "
                          f"err {shorten(result.err)!r}")
        for part in parts:
            if not re.search(part, result.errors, re.IGNORECASE):
                raise Failure(f"{part!r} does not stand in the message {shorten(result.errors)!r}")

    def until(self, condition, what, patience=None):
        deadline = time.monotonic() + (patience or PATIENCE)
        while not (value := condition()):
            if time.monotonic() > deadline:
                raise Failure(f"waited in vain: {what}")
            time.sleep(0.02)
        return value

    # ---- Nothing may be left behind.
    def children(self):
        """Pids of live processes that came to us: their zrun is gone, or they are ours."""
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                fields = pathlib.Path("/proc", entry, "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == os.getpid() and fields[0] not in "ZX":
                found.append(int(entry))
        return found

    def close(self):
        """Ends what runs, and looks for what stayed. Raises Failure."""
        for terminal in self.terminals:
            terminal.close()
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    stream.close()
        problems = []
        deadline = time.monotonic() + PATIENCE / 2
        while (left := self.children()) and time.monotonic() < deadline:
            time.sleep(0.02)
        for pid in left:
            try:
                problems.append(f"process {pid} was left: {pathlib.Path('/proc', str(pid), 'comm').read_text().strip()}")
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        files = [p for p in self.temporary.rglob("*")]
        if files:
            problems.append(f"temporary files were left: {[str(p) for p in files][:10]}")
        if mounts() != self.mounts_before:
            problems.append("mounts were left")
        if problems:
            raise Failure("; ".join(problems))


def mounts():
    return sorted(line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines())


def run_here(name, make_context):
    """Runs a test in this process, which must have nothing else to do. Returns (verdict, text)."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = mounts()
    context = make_context()
    context.mounts_before = before
    verdict, text = "pass", ""
    try:
        TESTS[name](context)
    except Skip as skip:
        verdict, text = "skip", str(skip)
    except Failure as failure:
        verdict, text = "FAIL", str(failure)
    try:
        context.close()
    except Failure as failure:
        verdict, text = "FAIL", f"{text}\n{failure}".strip()
    return verdict, text
