"""Shared host directories: what one side does, the other sees."""
import fcntl
import os
import select
import sqlite3
import stat
import struct
import subprocess
import sys

from harness import PATIENCE, Failure, test

# Locks a file as it is told, line by line, on the host as in a container. A "later" line is done by a child, whose
# answer comes when it has it.
LOCKER = """
import errno, fcntl, os, signal, struct, sys
fd = os.open(sys.argv[1], os.O_RDWR)
FLOCK = "hhqqi4x"
def interrupt(*_): raise InterruptedError(errno.EINTR, "")
signal.signal(signal.SIGALRM, interrupt)
def perform(verb, *words):
    numbers = [int(word) for word in words]
    try:
        if verb == "flock":
            fcntl.flock(fd, numbers[0])
        elif verb == "close":
            os.close(os.open(sys.argv[1], os.O_RDONLY))
        elif verb == "list":
            os.listdir(".")
        elif verb == "interrupted":
            signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
            try: fcntl.flock(fd, fcntl.LOCK_EX)
            finally: signal.setitimer(signal.ITIMER_REAL, 0)
        else:
            command, kind, first, size = numbers
            answer = fcntl.fcntl(fd, command, struct.pack(FLOCK, kind, 0, first, size, 0))
            if command in (fcntl.F_GETLK, fcntl.F_OFD_GETLK): return str(struct.unpack(FLOCK, answer))
        return "ok"
    except OSError as error:
        return errno.errorcode[error.errno]
print("ready", flush=True)
for line in sys.stdin:
    verb, *words = line.split()
    if verb != "later":
        print(perform(verb, *words), flush=True)
    elif os.fork() == 0:
        print("began", flush=True)
        print("later", perform(*words), flush=True)
        os._exit(0)
"""


class Locker:
    """One user of the file: a container, or with |image| None a process of the host."""

    def __init__(self, z, image):
        if image:
            self.process = z.start(image, "--", "python3", "locker.py", "file", stdin=subprocess.PIPE)
        else:
            self.process = subprocess.Popen([sys.executable, "locker.py", "file"], cwd=z.folder, stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE)
            z.processes.append(self.process)

    def read(self):
        line = self.process.stdout.readline().decode().strip()
        if not line:
            raise Failure(f"a locker ended: {self.process.stderr.read() if self.process.stderr else ''}")
        return line

    def send(self, *words):
        self.process.stdin.write((" ".join(map(str, words)) + "\n").encode())
        self.process.stdin.flush()

    def ask(self, *words):
        self.send(*words)
        return self.read()

    def record(self, command, kind, first, size):
        return self.ask("fcntl", int(command), int(kind), first, size)

    def end(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE)


def lockers(z, count):
    z.write("locker.py", LOCKER)
    z.write("file", "0123456789")
    made = [Locker(z, z.gcc_image) for _ in range(count)] + [Locker(z, None)]
    for locker in made:
        z.equal(locker.read(), "ready")
    return made


@test
def record_locks_reach_the_host_and_other_containers(z):
    one, two, host = lockers(z, 2)
    for setting, asking, unlocked in ((fcntl.F_SETLK, fcntl.F_GETLK, 0), (fcntl.F_OFD_SETLK, fcntl.F_OFD_GETLK, 0)):
        z.equal(one.record(setting, fcntl.F_WRLCK, 0, 10), "ok")
        for other in (two, host):
            z.equal(other.record(setting, fcntl.F_WRLCK, 5, 1), "EAGAIN")
            z.equal(other.record(setting, fcntl.F_RDLCK, 0, 0), "EAGAIN")
            z.equal(other.record(asking, fcntl.F_RDLCK, 3, 9), str((fcntl.F_WRLCK, 0, 0, 10, -1)))
        # Half of it becomes a read lock, which others may have too.
        z.equal(one.record(setting, fcntl.F_RDLCK, 0, 5), "ok")
        z.equal(two.record(setting, fcntl.F_RDLCK, 0, 5), "ok")
        z.equal(host.record(setting, fcntl.F_RDLCK, 4, 1), "ok")
        z.equal(host.record(setting, fcntl.F_RDLCK, 4, 2), "EAGAIN")
        z.equal(one.record(setting, fcntl.F_UNLCK, 3, 0), "ok")
        z.equal(host.record(setting, fcntl.F_WRLCK, 5, 5), "ok")
        z.equal(one.record(setting, fcntl.F_WRLCK, 9, 1), "EAGAIN")
        # The host's own: a process of it has no number in the container.
        z.equal(one.record(asking, fcntl.F_WRLCK, 5, 1),
                str((fcntl.F_WRLCK, 0, 5, 5, 0 if setting == fcntl.F_SETLK else -1)))
        if setting == fcntl.F_SETLK:  # which any close of the file gives up
            for locker in (one, two, host):
                z.equal(locker.ask("close"), "ok")
            z.equal(two.record(setting, fcntl.F_WRLCK, 0, 0), "ok")
            z.equal(two.ask("close"), "ok")
    one.process.kill()  # the supervisor: what the container held goes with it
    one.process.wait()
    two.end()
    host.record(fcntl.F_OFD_SETLK, fcntl.F_UNLCK, 0, 0)
    z.until(lambda: host.record(fcntl.F_OFD_SETLK, fcntl.F_WRLCK, 0, 0) == "ok", "the locks of a killed container")
    host.end()


@test
def whole_file_locks_reach_the_host_and_other_containers(z):
    one, two, host = lockers(z, 2)
    shared, exclusive = fcntl.LOCK_SH | fcntl.LOCK_NB, fcntl.LOCK_EX | fcntl.LOCK_NB
    for locker in (one, two, host):
        z.equal(locker.ask("flock", shared), "ok")
    z.equal(one.ask("flock", fcntl.LOCK_UN), "ok")
    z.equal(two.ask("flock", exclusive), "EAGAIN")  # and has given up its own
    z.equal(host.ask("flock", exclusive), "ok")
    z.equal(one.ask("flock", shared), "EAGAIN")
    z.equal(two.ask("interrupted"), "EINTR")
    # One that waits keeps nobody else of its container waiting.
    z.equal(one.ask("later", "flock", fcntl.LOCK_EX), "began")
    z.equal(one.ask("list"), "ok")
    z.equal(host.ask("flock", fcntl.LOCK_UN), "ok")
    z.equal(one.read(), "later ok")
    for locker in (one, two, host):
        locker.end()


@test
def record_locks_wait_for_the_host(z):
    one, two, host = lockers(z, 2)
    z.equal(host.record(fcntl.F_SETLK, fcntl.F_WRLCK, 0, 4), "ok")
    z.equal(one.ask("later", "fcntl", int(fcntl.F_SETLKW), int(fcntl.F_WRLCK), 2, 4), "began")
    z.equal(two.ask("later", "fcntl", int(fcntl.F_OFD_SETLKW), int(fcntl.F_RDLCK), 0, 1), "began")
    z.equal(host.record(fcntl.F_SETLK, fcntl.F_UNLCK, 0, 0), "ok")
    z.equal(one.read(), "later ok")
    z.equal(two.read(), "later ok")
    for locker in (one, two, host):
        locker.end()


STORM = """
import sqlite3, sys
base = sqlite3.connect("storm.db", timeout=60, isolation_level=None)
for number in range(int(sys.argv[2])):
    base.execute("insert into rows values (?, ?)", (sys.argv[1], number))
    print(number, flush=True)
"""


@test
def a_database_keeps_what_several_containers_insert(z):
    z.write("storm.py", STORM)
    for mode in ("wal", "delete"):
        base = sqlite3.connect(z.folder / "storm.db")
        z.equal(base.execute(f"pragma journal_mode={mode}").fetchone()[0], mode)
        base.execute("create table rows (who, number)")
        base.commit()
        base.close()
        rows = 60
        writers = [z.start(z.gcc_image, "--", "python3", "storm.py", who, rows) for who in range(3)]
        for writer in writers:
            result = z.finish(writer)
            z.ok(result, "".join(f"{number}\n" for number in range(rows)))
        base = sqlite3.connect(z.folder / "storm.db")
        z.equal(base.execute("select count(*) from rows").fetchone()[0], 3 * rows, f"rows with journal_mode={mode}")
        z.equal(base.execute("pragma integrity_check").fetchone()[0], "ok")
        base.close()
        os.unlink(z.folder / "storm.db")


@test
def modes_of_new_files_are_the_guests(z):
    """The umask of who started zrun is his; set-user-id programs are not made for others of the host."""
    before = os.umask(0o077)
    try:
        z.ok(z.shell("umask 002; touch file; mkdir dir; mkfifo pipe; ln -s file link; umask 0; touch open; mkdir -m 2777 group;"
                     "cp /bin/busybox tool; chmod 6755 tool; stat -c %a tool"), "755\n")
    finally:
        os.umask(before)
    found = {name: stat.S_IMODE(os.lstat(z.folder / name).st_mode)
             for name in ("file", "dir", "pipe", "open", "group", "tool")}
    z.equal(found, {"file": 0o664, "dir": 0o775, "pipe": 0o664, "open": 0o666, "group": 0o2777, "tool": 0o755})


@test
def unnamed_files_in_a_share(z):
    z.write("unnamed.py", """
import os
here = os.open(".", os.O_RDONLY)  # with it, os.link() follows the link in /proc
fd = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o640)
os.write(fd, b"contents")
print(os.listdir("."), os.fstat(fd).st_nlink)
os.link(f"/proc/self/fd/{fd}", "named", dst_dir_fd=here)
print(os.fstat(fd).st_nlink, os.pread(fd, 99, 0))
never = os.open(".", os.O_TMPFILE | os.O_RDWR | os.O_EXCL, 0o600)
try:
    os.link(f"/proc/self/fd/{never}", "never", dst_dir_fd=here)
except FileNotFoundError:
    print("not linked")
""")
    z.ok(z.run("python3", "unnamed.py", image=z.gcc_image), "['unnamed.py'] 0\n1 b'contents'\nnot linked\n")
    z.equal((z.folder / "named").read_text(), "contents")
    z.equal(stat.S_IMODE((z.folder / "named").stat().st_mode), 0o640)
    z.check(not (z.folder / "never").exists(), "a file that O_EXCL keeps from names got one")


@test
def stores_by_msync_change_times(z):
    """Each store after an msync, that is: the host sees those to pages that it has written back."""
    z.write("stores.py", """
import mmap, os
fd = os.open("file", os.O_RDWR | os.O_CREAT, 0o644)
os.ftruncate(fd, 4096)
memory = mmap.mmap(fd, 4096)
for letter in range(3):
    os.utime(fd, (1000, 1000))
    memory[letter] = 65 + letter
    memory.flush()
    print(os.fstat(fd).st_mtime > 1000)
""")
    z.ok(z.run("python3", "stores.py", image=z.gcc_image), "True\n" * 3)


@test
def volumes_in_volumes_in_any_order(z):
    for name in ("inner", "outer"):
        (z.scratch / name).mkdir()
        (z.scratch / name / f"of-{name}").touch()
    volumes = [f"{z.scratch}/inner:/m/inner", f"{z.scratch}/outer:/m"]
    for first, second in (volumes, reversed(volumes)):
        z.ok(z.raw("run", "-v", first, "-v", second, z.image, "sh", "-c", "cd /m; echo * */*"),
             "inner of-outer inner/of-inner\n")


@test
def volumes_on_links_that_name_nothing(z):
    layer = z.scratch / "layer"
    (layer / "srv").mkdir(parents=True)
    for name, target in (("absolute", "/not/there"), ("relative", "../also/not"), ("file", "no-file"), ("loop", "loop")):
        (layer / "srv" / name).symlink_to(target)
    z.write("given", "text")
    image = f"{z.image},{layer}"
    script = "cat /srv/absolute/given /not/there/given /also/not/below/given /srv/no-file"
    z.ok(z.raw("run", "-v", f"{z.folder}:/srv/absolute", "-v", f"{z.folder}:/srv/relative/below",
               "-v", f"{z.folder}/given:/srv/file", image, "sh", "-c", script), "text" * 4)
    z.fails(z.raw("run", "-v", f"{z.folder}:/srv/loop", image, "true"), 125, "/srv/loop")


@test
def a_share_deeper_than_there_are_descriptors(z):
    """Each directory above an open one takes a descriptor: then an error, nothing lost, and all comes back."""
    z.write("deep.sh", """
        for try in 1 2; do (
          depth=0; mkdir top$try; cd top$try
          while mkdir d 2>/dev/null && cd d; do depth=$((depth+1)); done
          [ $depth -gt 50 ] && [ $depth -lt 200 ] && echo deep
        ); done
        for name in $(seq 400); do echo $name >file$name; done
        cat file* | wc -l
        ls file* | wc -l""")
    command = 'ulimit -n 200; exec "$0" "$@"'
    result = z.finish(subprocess.Popen(["sh", "-c", command, z.zrun, z.image, "--", "sh", "deep.sh"], cwd=z.folder,
                                       env=z.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE))
    z.ok(result, "deep\ndeep\n400\n400\n")


def put(z, name, text):
    with open(os.path.join(z.folder, name), "w") as file:
        file.write(text)


# Like busybox's inotifyd, which Debian's has not: tells what happens in the directories named, "LETTER DIRECTORY NAME" a line.
INOTIFYD = """
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
LETTERS = {2: "c", 4: "e", 8: "w", 0x40: "m", 0x80: "y", 0x100: "n", 0x200: "d"}
fd, places = libc.inotify_init1(0), {}
for argument in sys.argv[1:]:
    place, _, letters = argument.partition(":")
    mask = sum(bit for bit, letter in LETTERS.items() if letter in letters)
    watch = libc.inotify_add_watch(fd, place.encode(), mask)
    if watch < 0: sys.exit(os.strerror(ctypes.get_errno()))
    places[watch] = place
while True:
    data = os.read(fd, 65536)
    while data:
        watch, mask, _, size = struct.unpack("iIII", data[:16])
        name, data = data[16:16 + size].rstrip(b"\\0").decode(), data[16 + size:]
        letters = "".join(letter for bit, letter in LETTERS.items() if mask & bit)
        if letters: print(letters, places[watch], name, sep="\\t", flush=True)
"""


class Watcher:
    """A container that tells what happens in its directory."""

    def __init__(self, z, script=""):
        self.z, self.seen, self.count = z, [], 0
        inotifyd = z.scratch / "inotifyd"
        inotifyd.mkdir()
        (inotifyd / "inotifyd.py").write_text(INOTIFYD)
        self.process = z.start("-v", f"{inotifyd}:/inotifyd:ro", z.gcc_image, "--", "sh", "-c",
                               f"{script} exec python3 /inotifyd/inotifyd.py .:cewmynd")
        # Until it watches: names come and go.
        name = os.path.join(z.folder, "is-it-there")
        def watches():
            with open(name, "w"):
                pass
            os.remove(name)
            return select.select([self.process.stdout], [], [], 0.05)[0]
        z.until(watches, "a watch")
        self.sync()
        self.seen.clear()

    def sync(self):
        """Reads until what was done before must have come."""
        self.count += 1
        mark = f"mark-{self.count}"
        put(self.z, mark, "")
        while True:
            kind, _, name = self.process.stdout.readline().decode().rstrip("\n").split("\t")
            if name == mark and kind == "w":
                return self.seen
            if name not in ("is-it-there", mark):
                self.seen.append(f"{kind} {name}")

    def expect(self, *events):
        self.z.equal(self.sync(), list(events))
        self.seen.clear()


@test
def watches_in_a_share_hear_of_others(z):
    watcher = Watcher(z)
    put(z, "new", "hello")
    watcher.expect("n new", "c new", "w new")
    os.chmod(os.path.join(z.folder, "new"), 0o600)
    os.rename(os.path.join(z.folder, "new"), os.path.join(z.folder, "old"))
    os.remove(os.path.join(z.folder, "old"))
    watcher.expect("e new", "m new", "y old", "d old")
    # Another container.
    z.ok(z.shell("echo hello > new; chmod 600 new; mv new old; mkdir d; rmdir d; rm old"))
    watcher.expect("n new", "c new", "w new", "e new", "m new", "y old", "n d", "d d", "d old")


@test
def watches_in_a_share_hear_of_their_own_container_once(z):
    script = """(while ! [ -e go ]; do sleep 0.05; done
        echo hello > new; echo more >> new; chmod 600 new; mv new old; mkdir d; rmdir d; ln old link; rm old link) &"""
    watcher = Watcher(z, script=script)
    put(z, "go", "")
    z.until(lambda: "d link" in watcher.sync(), "the last of the container's changes")
    own = [event for event in watcher.seen if not event.endswith(" go")]
    z.equal(own, ["n new", "c new", "w new", "c new", "w new", "e new", "m new", "y old", "n d", "d d", "n link", "d old", "d link"])


@test
def watches_on_the_host_end_with_the_guests(z):
    (z.folder / "d").mkdir()
    z.write("inotifyd.py", INOTIFYD)
    process = z.start(z.gcc_image, "--", "sh", "-c",
                      "python3 inotifyd.py .:n d:n & echo $!; read line; kill $!; read line", "-", stdin=subprocess.PIPE)
    def watches():
        # The supervisor's inotify file has them.
        count = 0
        for name in os.listdir(f"/proc/{process.pid}/fdinfo"):
            with open(f"/proc/{process.pid}/fdinfo/{name}") as file:
                count += sum(line.startswith("inotify wd:") for line in file)
        return count
    z.until(lambda: watches() == 2, "two watches")
    process.stdin.write(b"\n")
    process.stdin.flush()
    z.until(lambda: watches() == 0, "the end of the watches")
    process.stdin.write(b"\n")
    process.stdin.close()
    z.equal(process.wait(PATIENCE), 0)


@test
def file_calls_in_a_share(z):
    """What is read and written moves between the host's file and the program's memory as it is: in parts that are not
    there yet, that fork shares, that cannot be written, and beyond its end."""
    for name in ("append_atomic", "copy_file_range", "large_offsets", "pread_pwrite", "preadv2", "read_write",
                 "read_write_fault", "readv_writev"):
        z.ok(z.run(z.system_call_test(name), options=["-e", f"TMPDIR={z.folder}"]))
    z.equal([path.name for path in z.folder.iterdir() if path.name.startswith("zrun-test-")], [])
