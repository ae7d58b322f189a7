"""Work on many files and with servers, for run.py: natively, in a container whose image holds the files, and in one that
shares the host's directory with them.

Programs that a place does not have are left out there: git, redis and PostgreSQL come with the image or not at all.
"""
import pathlib
import shutil
import subprocess

FILES, FOLDERS, SMALL = 30_000, 300, 5_000
POSTGRES = "PATH=$PATH:$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1)"

# Row: the program that it needs, and a command. {data}: where the files are, {work}: an empty directory beside them.
COMMANDS = {
    "find": ("find", "test $(find {data}/tree -type f | wc -l) = %d" % FILES),
    "du": ("du", "du -s {data}/tree"),
    "copy_remove": ("cp", "cp -a {data}/small {work}/copy && rm -r {work}/copy"),
    "git_status": ("git", "git -c safe.directory='*' -C {data}/tree status --porcelain"),
}

# Rows: a script that prints "ROW OPERATIONS-PER-SECOND" lines.
REDIS = """
redis-server --port 0 --unixsocket {work}/redis.sock --save '' --appendonly no --logfile /dev/null --dir {work} &
until [ -S {work}/redis.sock ]; do sleep 0.1; done
redis-benchmark -s {work}/redis.sock -c 50 -n 50000 -t set,get --csv |
  sed -n 's/^"SET","\\([0-9.]*\\)".*/redis_set \\1/p; s/^"GET","\\([0-9.]*\\)".*/redis_get \\1/p'
kill $!; wait
"""
PGBENCH = POSTGRES + """
db=$(mktemp -d) && chown 65534:65534 $db && cd $db || exit 1
as() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
as initdb -D $db/db -A trust -U bench --locale=C --no-sync >/dev/null || exit 1
as postgres -D $db/db -c listen_addresses= -c unix_socket_directories=$db -c fsync=off >/dev/null 2>&1 &
until as pg_isready -q -h $db -U bench; do sleep 0.1; done
as pgbench -h $db -U bench -i -s 5 -q postgres >/dev/null 2>&1
as pgbench -h $db -U bench -S -n -c 4 -j 2 -T 3 postgres 2>/dev/null | sed -n 's/^tps = \\([0-9.]*\\).*/pgbench \\1/p'
kill -INT $!; wait; rm -r $db
"""
SERVERS = {"redis": ("redis-server", REDIS, ("redis_set", "redis_get")),
           "pgbench": (POSTGRES + " && command -v initdb", PGBENCH, ("pgbench",))}

ROWS = {
    "find": ("find, 30,000 files", "ns", ""),
    "du": ("du, 30,000 files", "ns", ""),
    "copy_remove": ("cp -a and rm -r, 5,000 files", "ns", ""),
    "git_status": ("git status, 30,000 files", "ns", ""),
    "redis_set": ("redis SET, unix socket, 50 clients", "ns", ""),
    "redis_get": ("redis GET, unix socket, 50 clients", "ns", ""),
    "pgbench": ("pgbench, read only, 4 clients", "ns", ""),
}


class Place:
    """A way to run a command, and where the files are there; `column` is its name in the table."""

    def __init__(self, column, command, data, tools):
        self.column, self.command, self.data, self.tools = column, command, data, tools

    def line(self, script):
        return self.command(["/bin/sh", "-c", script.replace("{data}", str(self.data))
                             .replace("{work}", f"{self.data}/work")])

    def has(self, run, program):
        check = program if " " in program else f"command -v {program}"
        return run(self.line(f"if {check} >/dev/null 2>&1; then echo yes; fi")) == "yes\n"


def make_files(data):
    """The tree is a git repository where the host has git."""
    for folder, files, per_folder in ((data / "tree", FILES, FILES // FOLDERS), (data / "small", SMALL, 100)):
        for number in range(files):
            file = folder / f"d{number // per_folder:03}" / f"f{number % per_folder:03}"
            if number % per_folder == 0:
                file.parent.mkdir(parents=True)
            file.write_text(f"{number}\n" * (1 + number % 50))
    (data / "work").mkdir()
    if shutil.which("git"):
        git = ["git", "-C", data / "tree", "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
        for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "files"]):
            subprocess.run(git + words, check=True)


def places(options, base, tools, root):
    data = base / "data"
    make_files(data)
    found = [Place("native", lambda words: words, data, tools)]
    if root:
        shutil.copytree(data, root / "data", symlinks=True)
        found.append(Place("chroot", lambda words: ["chroot", str(root)] + words, "/data", "/bench"))
    if options.zrun and options.image:
        layer, image = base / "layer", base / "data.img"
        layer.mkdir()
        data.rename(layer / "data")
        subprocess.run([options.zrun, "pack", options.image, str(layer), "-o", str(image)], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        (layer / "data").rename(data)
        start = [options.zrun, "run", "-i", "-v", f"{tools}:/bench:ro"] + options.zrun_arg
        found.append(Place("zrun", lambda words: start + [str(image), "--"] + words, "/data", "/bench"))
        found.append(Place("zrun -v", lambda words: start + ["-v", f"{data}:/data", options.image, "--"] + words,
                           "/data", "/bench"))
    return found


def measure(place, run, keep, wanted):
    for row in COMMANDS.keys() & wanted:
        program, script = COMMANDS[row]
        if place.has(run, program):
            quoted = script.replace("'", "'\\''")
            output = run(place.line(f"{place.tools}/zbench --time 3 /bin/sh -c '{quoted}' | tail -n 1"))
            if output:
                keep(place.column, row, float(output.split()[1]))
    for program, script, rows in SERVERS.values():
        if wanted.isdisjoint(rows) or not place.has(run, program):
            continue
        for line in (run(place.line(script)) or "").splitlines():
            row, per_second = line.split()
            keep(place.column, row, 1e9 / float(per_second))
