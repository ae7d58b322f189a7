"""Options of `zrun run` and the short form, and the other commands."""
import json
import os
import re
import subprocess

from harness import PATIENCE, test


@test
def environment_variables(z):
    z.ok(z.shell('echo "$A|$B|$C"', options=["-e", "A=1", "--env", "B=two words", "-e", "C="]), "1|two words|\n")
    result = z.shell('echo "$FROM_HOST|${UNSET-unset}|${SECRET-unset}"', options=["-e", "FROM_HOST", "-e", "UNSET"],
                     environment={"FROM_HOST": "passed on", "SECRET": "x"})
    z.ok(result, "passed on|unset|unset\n")
    z.ok(z.shell('echo "$PATH"', options=["-e", "PATH=/bin:/usr/bin"]), "/bin:/usr/bin\n")
    z.ok(z.shell('echo "$PATH"'), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n")


@test
def environment_file(z):
    path = z.write("env", "# comment\nA=1\n\nB=two words\n  C=3\nFROM_HOST\n")
    z.ok(z.shell('echo "$A|$B|$C|$FROM_HOST"', options=["--env-file", path], environment={"FROM_HOST": "h"}),
         "1|two words|3|h\n")
    z.ok(z.shell('echo "$A"', options=["--env-file", path, "-e", "A=9"]), "9\n")


@test
def environment_home(z):
    z.ok(z.shell('echo "$HOME"'), "/root\n")


@test
def working_directory(z):
    z.ok(z.run("pwd", options=["-w", "/usr/bin"]), "/usr/bin\n")
    z.ok(z.raw("run", z.image, "--", "pwd"), "/\n")


@test
def current_directory_is_shared(z):
    z.write("in", "from the host\n")
    z.ok(z.shell("cat in; echo from the container >out; mkdir sub; mv in sub/; ln -s out link; pwd"),
         f"from the host\n{z.folder}\n")
    z.equal((z.folder / "out").read_text(), "from the container\n")
    z.equal((z.folder / "sub/in").read_text(), "from the host\n")
    z.equal(os.readlink(z.folder / "link"), "out")


@test
def current_directory_is_not_shared(z):
    z.write("in", "x")
    z.ok(z.run("pwd", options=["--no-cwd"]), "/\n")
    z.equal(z.run("cat", str(z.folder / "in"), options=["--no-cwd"]).status, 1)
    z.equal(z.raw("run", z.image, "--", "cat", str(z.folder / "in")).status, 1)


@test
def current_directory_among_the_image_s_own(z):
    # From /usr, the image's own /usr must stay what it is.
    z.ok(z.shell("pwd; test -e /usr/bin/env && echo there", cwd="/usr"), "/mnt/cwd\nthere\n")


@test
def nice_values_reach_the_host(z):
    """Two that never rest, on one processor: the nice one gets what the other leaves."""
    script = """
nice -n 19 sh -c 'while :; do :; done' & nice=$!
sh -c 'while :; do :; done' & other=$!
sleep 4
used() { cut -d' ' -f14 /proc/$1/stat; }
echo $(used $other) $(used $nice)
kill $nice $other
"""
    processor = str(min(os.sched_getaffinity(0)))
    command = ["taskset", "-c", processor, z.zrun, z.gcc_image, "--", "sh", "-c", script]
    done = subprocess.run(command, cwd=z.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
    other, nice = map(int, done.stdout.split())
    z.check(other > 5 * nice, f"nice 0 ran {other} ticks, nice 19 {nice}")
    # Also where zrun itself is ahead of others (root), or behind.
    for own in ("-10", "10"):
        done = subprocess.run(["nice", "-n", own, z.zrun, z.gcc_image, "--", "nice", "-n", "15", "nice"], cwd=z.folder,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
        z.equal((done.returncode, done.stdout), (0, "15\n"))


@test
def load_average_follows_what_runs(z):
    """Two that run for a sample of it, which is taken every 5 seconds."""
    result = z.shell("for i in 1 2; do while :; do :; done & done; sleep 6; read load rest </proc/loadavg; echo $load;"
                     " grep ^ctxt /proc/stat; kill $(jobs -p)")
    load, switches = result.text.splitlines()
    z.check(0.1 <= float(load) <= 1, f"load {load}")
    z.check(int(switches.split()[1]) > 0, switches)


@test
def volumes(z):
    shared = z.scratch / "shared"
    shared.mkdir()
    (shared / "file").write_text("data\n")
    z.ok(z.shell("cat /deep/er/file; echo new >/deep/er/new", options=["-v", f"{shared}:/deep/er"]), "data\n")
    z.equal((shared / "new").read_text(), "new\n")
    z.ok(z.raw("run", "-v", f"{shared}:/a", "--volume", f"{z.folder}:/b:rw", z.image, "--", "sh", "-c",
               "cp /a/file /b/copy; ls /a"), "file\nnew\n")
    z.equal((z.folder / "copy").read_text(), "data\n")
    z.ok(z.shell("cat /one", options=["-v", f"{shared}/file:/one"]), "data\n")


@test
def volume_read_only(z):
    shared = z.scratch / "shared"
    shared.mkdir()
    (shared / "file").write_text("data\n")
    result = z.shell("cat /v/file; for c in 'echo x >/v/file' 'echo x >/v/new' 'rm /v/file' 'mkdir /v/d' 'mv /v/file /v/g' "
                     "'chmod 600 /v/file' 'ln -s a /v/l' 'touch /v/file'; do sh -c \"$c\" && echo \"$c: worked\"; done; true",
                     options=["-v", f"{shared}:/v:ro"])
    z.equal((result.status, result.out), (0, b"data\n"))
    z.equal(result.errors.lower().count("read-only"), 8, "read-only errors")
    z.equal([p.name for p in shared.iterdir()], ["file"])
    z.equal((shared / "file").read_text(), "data\n")


@test
def volume_cannot_be_left(z):
    shared = z.scratch / "shared"
    shared.mkdir()
    (z.scratch / "secret").write_text("secret\n")
    (shared / "up").symlink_to("../secret")
    (shared / "away").symlink_to(str(z.scratch / "secret"))
    (shared / "root").symlink_to("/")
    result = z.shell("cat /v/up /v/away /v/../secret /v/root" + str(z.scratch) + "/secret; ls /v/.. >/dev/null",
                     options=["--no-cwd", "-v", f"{shared}:/v"])
    z.check(b"secret\n" not in result.out, "the container read a file outside of its volume")


@test
def volume_changes_are_seen(z):
    process = z.start(z.image, "--", "sh", "-c",
                      "echo ready; until [ -e flag ]; do sleep 0.05; done; cat flag; rm flag; echo done")
    z.equal(process.stdout.readline(), b"ready\n")
    z.write("flag.tmp", "from outside\n").rename(z.folder / "flag")
    result = z.finish(process)
    z.ok(result, "from outside\ndone\n")
    z.check(not (z.folder / "flag").exists(), "the file removed inside is still there outside")


@test
def volume_keeps_modes_and_times(z):
    z.ok(z.shell("TZ=UTC touch -d '2001-02-03 04:05:06' f; chmod 1750 f; umask 027; echo >g; stat -c '%a' f g"), "1750\n640\n")
    status = (z.folder / "f").stat()
    z.equal((status.st_mtime, status.st_mode & 0o7777), (981173106.0, 0o1750))


@test
def hostname(z):
    z.ok(z.shell("hostname; uname -n", options=["--hostname", "some-name"]), "some-name\nsome-name\n")


@test
def name_files(z):
    """The container's own names resolve; the files lie over the image's, below what the user mounts."""
    named = ["--hostname", "some-name"]
    z.ok(z.shell("hostname -f; cat /etc/hostname; "
                 "grep -c '^127.0.0.1.some-name$' /etc/hosts; grep -c '^127.0.0.1.localhost$' /etc/hosts; "
                 "grep -c ^nameserver /etc/resolv.conf; echo x >>/etc/hosts && tail -n 1 /etc/hosts",
                 options=named), "some-name\nsome-name\n1\n1\n0\nx\n")
    z.ok(z.shell("grep -c some-name /etc/hosts; cat /etc/resolv.conf; wc -l </etc/hosts",
                 options=[*named, "-v", f"{z.write('mine', 'mine' + chr(10))}:/etc/resolv.conf"]), "1\nmine\n3\n")
    (z.folder / "etc").mkdir()
    z.ok(z.shell("ls /etc; touch /etc/f", options=["-v", f"{z.folder / 'etc'}:/etc"]), "")
    z.equal(os.listdir(z.folder / "etc"), ["f"])


@test
def user_by_number(z):
    z.ok(z.shell("id -u; id -g; touch /x 2>/dev/null || echo denied", options=["-u", "1234:5678"]), "1234\n5678\ndenied\n")
    z.ok(z.shell("id -u; id -g", options=["-u", "1234"]), "1234\n0\n")
    z.ok(z.shell("id -u; id -g"), "0\n0\n")


@test
def user_by_name(z):
    z.ok(z.shell("id -un; id -gn", options=["-u", "nobody"]), z.shell("id -un nobody; id -gn nobody").text)
    z.ok(z.shell("id -un; id -g", options=["-u", "daemon:7"]), "daemon\n7\n")


@test
def root_is_writable_and_forgotten(z):
    z.ok(z.shell("echo x >/etc/mark; rm /etc/passwd; mkdir -p /new/dir; cat /etc/mark"), "x\n")
    z.ok(z.shell("ls /etc/mark /new 2>/dev/null; test -e /etc/passwd && echo there"), "there\n")


@test
def root_read_only(z):
    result = z.shell("echo x >/etc/mark || echo refused; mkdir /d || echo refused; echo y >/tmp/z; echo y >out",
                     options=["--read-only", "--tmpfs", "/tmp"])
    z.equal(result.text, "refused\nrefused\n")
    z.equal((z.folder / "out").read_text(), "y\n")


@test
def tmpfs(z):
    z.ok(z.shell("echo x >/t/f && cat /t/f && grep -c ' /t tmpfs ' /proc/mounts && stat -c %a /t",
                 options=["--tmpfs", "/t:size=1m,mode=700"]), "x\n1\n700\n")


@test
def tmpfs_is_full(z):
    result = z.shell("dd if=/dev/zero of=/t/f bs=64k count=100 2>/dev/null || echo full; stat -c %s /t/f; rm /t/f; "
                     "echo again >/t/g && cat /t/g", options=["--tmpfs", "/t:size=1m"])
    z.equal((result.status, result.text), (0, "full\n1048576\nagain\n"))


@test
def memory_limit_is_reported(z):
    z.ok(z.shell("awk '/MemTotal/ {print $2}' /proc/meminfo", options=["--memory", "64m"]), "65536\n")


@test
def memory_within_the_limit(z):
    z.ok(z.shell("head -c 30000000 /dev/zero | tail -c 30000000 | wc -c", options=["-m", "256m"]), "30000000\n")


@test
def memory_runs_out(z):
    # tail keeps all that it reads, as it waits for a line to end.
    result = z.shell("exec tail -n 1 /dev/zero >/dev/null", options=["--memory", "64m"])
    z.fails(result, 137, "out of memory|memory limit")


@test
def memory_runs_out_in_a_child(z):
    result = z.shell("tail -n 1 /dev/zero >/dev/null; echo status $?; echo alive", options=["--memory", "64m"])
    z.equal(result.text, "status 137\nalive\n")
    z.equal(result.status, 0)


@test
def strace(z):
    result = z.shell("cat /etc/hosts; exit 0", options=["--strace"])
    z.equal(result.status, 0)
    z.check(result.out, "no output")
    for pattern in (r'execve\("[^"]*cat", ', r'open(at)?\(.*"/etc/hosts", O_RDONLY.*\) = \d+', r"write\(1, |sendfile\(1, ",
                    r"exit_group\(0\)", r"ENOENT|mmap\("):
        z.check(re.search(pattern, result.errors), f"{pattern} does not stand in the trace: {result.errors[-3000:]}")


@test
def strace_tells_processes_apart(z):
    result = z.shell("sh -c 'exit 3'; true", options=["--strace"])
    pids = set(re.findall(r"^\[?(?:pid +)?(\d+)", result.errors, re.MULTILINE))
    z.check(len(pids) >= 2, f"the trace names processes {pids}: {result.errors[:2000]}")


@test
def log_level(z):
    z.ok(z.run("true", options=["--log-level", "error"]))
    z.fails(z.run("true", options=["--log-level", "chatty"]), 125, "chatty|log-level")


@test
def platform(z):
    z.ok(z.run("true", options=["--platform", "trap"]))
    z.fails(z.run("true", options=["--platform", "abacus"]), 125, "abacus|platform")


@test
def processors(z):
    """--cpus is true: as many as were asked for, of those that there are."""
    there = len(os.sched_getaffinity(0))
    z.ok(z.run("nproc", options=["--cpus", "1"]), "1\n")
    z.ok(z.run("nproc", options=["--cpus", there]), f"{there}\n")
    z.fails(z.run("true", options=["--cpus", there + 1]), 125, f"--cpus {there + 1}: .* {there}")


@test
def unknown_words_are_named(z):
    for words, parts in {("--name", "x", z.image): ("no option '--name'", "zrun run --help"),
                         ("--hostnam=x", z.image): ("no option '--hostnam=x'; did you mean '--hostname'",),
                         ("run", "--memroy", "1g", z.image): ("no option '--memroy'; did you mean '--memory'",),
                         ("ps",): ("no command or image 'ps'", "zrun --help"),
                         ("imagse",): ("no command or image 'imagse'; did you mean 'images'",),
                         ("run", "alpin"): ("no image 'alpin'; did you mean 'alpine'",),
                         ("images", "prnue"): ("images has no command 'prnue'; did you mean 'prune'",),
                         ("images", "rm", "--al"): ("images rm has no option '--al'; did you mean '--all'",),
                         ("pack", "--outptu", "x", z.image): ("pack has no option '--outptu'; did you mean '--output'",),
                         }.items():
        z.fails(z.raw(*words), 125, *parts)
    # What follows the image is the command's.
    z.ok(z.run("echo", "--name"), "--name\n")


@test
def help_teaches(z):
    for arguments in (["--help"], ["-h"], []):
        result = z.raw(*arguments)
        z.ok(result)
        for word in ("run", "pack", "images", "info", "syscalls", "conformance", "125"):
            z.check(word in result.text, f"{arguments}: {word} is not in the help")
    for command in ("run", "pack", "images", "images ls", "images build", "images rm", "images prune", "info", "syscalls",
                    "conformance"):
        result = z.raw(*command.split(), "--help")
        z.ok(result)
        z.check(len(result.text) > 200, f"{command} --help says little")
        z.check(re.search(rf"^  (\w+=\$\()?zrun {command}", result.text, re.MULTILINE), f"{command} --help has no example")
    for word in ("--volume", "--env", "--memory", "--tmpfs", "--read-only", "--init", "--strace", "--no-cwd"):
        z.check(word in z.raw("run", "--help").text, f"run --help does not tell of {word}")


@test
def version(z):
    z.check(re.fullmatch(r"zrun \d+\.\d+\.\d+\n", z.raw("--version").text), "no version")


@test
def info(z):
    result = z.raw("info")
    z.ok(result)
    z.check("protection keys" in result.text, "info does not tell about protection keys")
    facts = json.loads(z.raw("info", "--json").text)
    z.check("trap" in facts["platforms"] and isinstance(facts["protection_keys"], bool), f"{facts}")


@test
def syscalls(z):
    result = z.raw("syscalls")
    z.ok(result)
    z.check(re.search(r"\bopenat\b", result.text), "openat is not listed")
    calls = json.loads(z.raw("syscalls", "--json").text)
    calls = calls["syscalls"] if isinstance(calls, dict) else calls
    z.check(len(calls) > 300, f"{len(calls)} calls")


@test
def pack_and_run(z):
    root = z.folder / "layer"
    (root / "etc").mkdir(parents=True)
    (root / "etc/layered").write_text("top\n")
    subprocess.run(["tar", "-C", root, "-czf", z.folder / "top.tar.gz", "."], check=True)
    z.ok(z.raw("pack", "--quiet", z.image, "top.tar.gz", "-o", "both.img"))
    z.ok(z.run("cat", "/etc/layered", image=z.folder / "both.img"), "top\n")
    z.ok(z.run("cat", "/etc/layered", options=["--quiet"], image=f"{z.image},top.tar.gz"), "top\n")


@test
def archive_is_packed_once(z):
    # A small image of one static program would do; the test's own image has a shell to ask.
    subprocess.run(["tar", "-czf", z.folder / "top.tar.gz", "-C", "/etc", "hostname"], check=False,
                   stderr=subprocess.DEVNULL)
    layers = f"{z.image},{z.folder}/top.tar.gz"
    z.ok(z.run("true", options=["--quiet"], image=layers))
    kept = sorted(p.name for p in (z.scratch / "cache/zrun/images").glob("*.img"))
    z.equal(len(kept), 1, "images in the cache")
    z.ok(z.run("true", image=layers))
    z.equal(sorted(p.name for p in (z.scratch / "cache/zrun/images").glob("*.img")), kept)
    listed = json.loads(z.raw("images", "--json").text)
    z.check(any(entry.get("id") and kept[0].startswith(entry["id"]) for entry in listed), f"{listed}")


@test
def image_that_is_broken(z):
    z.write("text.tar", "this is no archive\n" * 1000)
    z.fails(z.run("true", image=z.folder / "text.tar"), 125, "text.tar")
    z.write("empty.tar", "")
    z.fails(z.run("true", image=z.folder / "empty.tar"), 125, "empty.tar")
    subprocess.run(["tar", "-czf", z.folder / "whole.tar.gz", "-C", "/usr/include", "."], check=True)
    whole = (z.folder / "whole.tar.gz").read_bytes()
    z.write("cut.tar.gz", whole[:len(whole) // 2])
    z.fails(z.run("true", image=z.folder / "cut.tar.gz"), 125, "cut.tar.gz")
    # Nothing half-made stays in the cache.
    z.equal([p for p in (z.scratch / "cache").rglob("*") if p.is_file() and p.suffix == ".img"], [])


@test
def image_that_is_cut_off(z):
    image = open(z.image, "rb").read(1 << 20)
    z.write("cut.img", image)
    result = z.run("/bin/sh", "-c", "cat /bin/* /lib/* >/dev/null", image=z.folder / "cut.img")
    z.check(result.status in (125, 126, 127) and result.err, f"status {result.status}, {result.errors!r}")
    z.write("zero.img", image[:2048] + bytes(1 << 20))
    result = z.run("true", image=z.folder / "zero.img")
    z.check(result.status in (125, 126, 127) and result.err, f"status {result.status}, {result.errors!r}")


@test
def image_without_the_command(z):
    subprocess.run(["tar", "-cf", z.folder / "tiny.tar", "-C", "/etc", "hostname"], check=True)
    z.fails(z.run("true", image=z.folder / "tiny.tar"), 127, "true")
