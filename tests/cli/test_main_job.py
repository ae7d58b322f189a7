"""The main job, line by line as the README has it. Lines 3, 5 and 6 need gcc, so the debian-gcc image."""
import hashlib
import os
import re
import shutil
import subprocess

from harness import Skip, test

HELLO = '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n'


@test
def main_1_shell_tools(z):
    result = z.shell("cat /etc/alpine-release 2>/dev/null || cat /etc/debian_version; uname -a; ls -l / | wc -l; id")
    z.ok(result)
    release, system, entries, identity = result.text.splitlines()
    z.check(re.match(r"3\.20\.3$|12\.\d+$", release), release)
    z.check(re.match(r"Linux \S+ \d+\.\d+.* x86_64 (GNU/)?Linux", system), system)
    z.check(int(entries) >= 18, f"{entries} lines of ls")
    z.check(identity.startswith("uid=0(root) gid=0(root)"), identity)


@test
def main_2_shell_on_a_terminal(z):
    t = z.terminal(bare=True)
    t.expect(rb"[#$] (\x1b\[6n)?$")
    t.line("echo $((6*7)); exit 5")
    t.expect(r"\r\n42\r\n")
    z.equal(t.wait(), 5)


@test
def main_3_gcc_in_the_current_directory(z):
    z.write("hello.c", HELLO)
    z.ok(z.run("gcc", "hello.c", image=z.gcc_image, patience=120))
    z.check(os.access(z.folder / "a.out", os.X_OK), "there is no a.out")
    z.ok(z.run("./a.out", image=z.gcc_image), "hello\n")


@test
def main_4_thousand_processes(z):
    z.ok(z.shell("i=0; while [ $i -lt 1000 ]; do /bin/true; i=$((i+1)); done; echo $i", patience=120), "1000\n")


@test
def main_4_find_sort_sum(z):
    result = z.shell("find / -xdev | grep -vE '^/(proc|dev|sys)' | sort | sha256sum; find / -xdev | wc -l")
    z.ok(result)
    again = z.shell("find / -xdev | grep -vE '^/(proc|dev|sys)' | sort | sha256sum; find / -xdev | wc -l")
    z.equal(again.text, result.text, "a second run")
    # The image's own files, as a chroot would list them, need root to unpack with their owners; names do not.
    tree = z.scratch / "tree"
    names = unpacked_names(z, tree)
    inside = z.shell("find /usr /etc /bin -xdev | LC_ALL=C sort").text.splitlines()
    z.equal(inside, sorted((n for n in NAME_FILES.union(names) if re.match(r"/(usr|etc|bin)(/|$)", n)), key=os.fsencode), "the names")


# What lies over the image's files in every container.
NAME_FILES = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"}


def unpacked_names(z, tree):
    """Every name in the image, by a tool that is not ours."""
    if not shutil.which("fsck.erofs"):
        raise Skip("needs erofs-utils")
    help_text = subprocess.run(["fsck.erofs", "--help"], capture_output=True, text=True, check=False)
    if "--extract" not in help_text.stdout + help_text.stderr:
        raise Skip("fsck.erofs cannot extract")
    done = subprocess.run(["fsck.erofs", f"--extract={tree}", z.image], capture_output=True, check=False)
    if done.returncode != 0:
        raise Skip("fsck.erofs cannot extract this image here")
    found = subprocess.run(["find", tree], capture_output=True, text=True, check=True).stdout.splitlines()
    return [name[len(str(tree)):] or "/" for name in found]


@test
def main_4_tar_through_pipes(z):
    result = z.shell("cd /; tar c usr | gzip | gunzip | tar t | wc -l; find usr | wc -l")
    z.equal(result.status, 0)
    through, there = map(int, result.text.split())
    z.equal(through, there)


@test
def main_4_contents(z):
    # Every byte of the image's files, as a tool outside reads them.
    tree = z.scratch / "tree"
    names = unpacked_names(z, tree)
    files = [n for n in names if n not in NAME_FILES and re.match(r"/(bin|sbin|lib|usr/bin|etc)/[^/]*$", n)
             and (tree / n[1:]).is_file() and not (tree / n[1:]).is_symlink()][:80]
    wanted = "".join(f"{hashlib.sha256((tree / n[1:]).read_bytes()).hexdigest()}  {n}\n" for n in files)
    z.ok(z.run("sha256sum", *files), wanted)


@test
def main_4_here_documents(z):
    z.ok(z.shell("x=5; cat <<A; cat <<'B'; cat <<-C\nvalue $x $((x+1))\nA\nvalue $x\nB\n\ttab\n\tC\n"),
         "value 5 6\nvalue $x\ntab\n")
    big = "".join(f"line {i}\n" for i in range(20000))
    z.ok(z.shell("cat <<'END' | wc -c\n" + big + "END\n") if len(big) < 120000 else
         z.run("sh", input="wc -c <<'END'\n" + big + "END\n"), f"{len(big)}\n")


@test
def main_4_background_wait_trap_kill(z):
    z.ok(z.shell("sleep 0.3 & a=$!; (exit 4) & b=$!; wait $b; echo $?; wait $a; echo $?; wait; echo $?"), "4\n0\n0\n")
    result = z.shell("trap 'echo usr1' USR1; trap 'echo bye' EXIT; kill -USR1 $$; sleep 1000 & kill $!; wait $!; echo $?")
    z.equal((result.status, result.text), (0, "usr1\n143\nbye\n"))  # some shells say "Terminated" too
    z.ok(z.shell("sh -c 'kill -STOP $$; echo resumed' & until grep -q 'State:.T' /proc/$!/status; do sleep 0.1; done; "
                 "kill -CONT $!; wait $!; echo $?"), "resumed\n0\n")
    z.ok(z.shell("for s in 1 2 6 9 11 13 15; do sh -c \"kill -$s \\$\\$\"; echo $?; done 2>/dev/null"),
         "129\n130\n134\n137\n139\n141\n143\n")


@test
def main_4_pipe_of_ten(z):
    z.ok(z.shell("head -c 1000000 /dev/zero | cat | cat | cat | cat | cat | cat | cat | cat | wc -c"), "1000000\n")
    z.ok(z.shell("yes | cat | cat | cat | cat | cat | cat | cat | head -n 3 | tr y x"), "x\nx\nx\n")


@test
def main_5_kinds_of_executables(z):
    z.write("hello.c", HELLO)
    script = ""
    for name, command in (("pie", "gcc -pie -fPIE"), ("nopie", "gcc -no-pie"), ("static", "gcc -static"),
                          ("static_pie", "gcc -static-pie"), ("musl", "musl-gcc"), ("musl_static", "musl-gcc -static")):
        script += f"{command} -o {name} hello.c && ./{name} && echo {name}\n"
    result = z.shell(script, image=z.gcc_image, patience=200)
    z.ok(result, "".join(f"hello\n{n}\n" for n in ("pie", "nopie", "static", "static_pie", "musl", "musl_static")))
    # What came out is a program for the host as well.
    out = subprocess.run([z.folder / "static"], capture_output=True, text=True, check=False)
    z.equal((out.returncode, out.stdout), (0, "hello\n"))


@test
def main_5_make(z):
    z.write("Makefile", "CFLAGS = -O1 -Wall\nobjects = main.o a.o b.o c.o\nprogram: $(objects)\n\t$(CC) -o $@ $^\n"
            "$(objects): all.h\n")
    z.write("all.h", "int a(int);\nint b(int);\nint c(int);\n")
    for name in "abc":
        z.write(f"{name}.c", f'#include "all.h"\nint {name}(int x) {{ return x * {ord(name)}; }}\n')
    z.write("main.c", '#include <stdio.h>\n#include "all.h"\nint main(void) { printf("%d\\n", a(1) + b(2) + c(3)); }\n')
    result = z.run("make", "-j2", image=z.gcc_image, patience=200)
    z.equal((result.status, result.errors), (0, ""))
    z.ok(z.run("./program", image=z.gcc_image), f"{97 + 196 + 297}\n")
    z.check("up to date" in z.run("make", "-j2", image=z.gcc_image).text, "make does not see that all is made")


@test
def main_6_python(z):
    z.write("work.py", """
import concurrent.futures, subprocess, sys, threading
lock, total = threading.Lock(), 0
def add(n):
    global total
    for _ in range(n):
        with lock:
            total += 1
threads = [threading.Thread(target=add, args=(1000,)) for _ in range(20)]
[t.start() for t in threads]
[t.join() for t in threads]
print(total)
print(subprocess.run(["sh", "-c", "read x; echo got $x; exit 3"], input=b"data\\n", capture_output=True))
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    print(sum(pool.map(lambda n: len(subprocess.check_output(["echo", "x" * n])), range(30))))
""")
    result = z.run("python3", "work.py", image=z.gcc_image, patience=120)
    z.ok(result, "20000\nCompletedProcess(args=['sh', '-c', 'read x; echo got $x; exit 3'], returncode=3, "
                 "stdout=b'got data\\n', stderr=b'')\n465\n")


@test
def main_6_perl(z):
    z.ok(z.run("perl", "-e", 'my $p = fork; if (!$p) { exit 7 } waitpid($p, 0); print $? >> 8, "\\n"; '
               'my %h = map { $_ => $_ ** 2 } 1 .. 1000; print scalar(keys %h), " $h{31}\\n"; print `echo sub`; '
               'open(my $f, "<", "/etc/passwd"); print scalar(<$f>);', image=z.gcc_image),
         "7\n1000 961\nsub\nroot:*:0:0:root:/root:/bin/bash\n")


THREADS = r"""
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#define N 64
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int turn, ready;
static __thread int own = 5;
static __thread char area[4096];
static void* run(void* argument) {
  long me = (long)argument;
  own += me;
  memset(area, (int)me, sizeof area);
  pthread_mutex_lock(&lock);
  if (++ready == N) pthread_cond_broadcast(&changed);
  while (ready < N) pthread_cond_wait(&changed, &lock);
  for (int round = 0; round < 20; round++) {
    while (turn % N != me) pthread_cond_wait(&changed, &lock);
    turn++;
    pthread_cond_broadcast(&changed);
  }
  pthread_mutex_unlock(&lock);
  for (unsigned i = 0; i < sizeof area; i++) if (area[i] != (char)me) return (void*)-1;
  return (void*)(long)own;
}
int main(void) {
  pthread_t threads[N];
  long sum = 0;
  for (long i = 0; i < N; i++) if (pthread_create(&threads[i], 0, run, (void*)i)) return 1;
  for (long i = 0; i < N; i++) {
    void* result;
    pthread_join(threads[i], &result);
    sum += (long)result;
  }
  printf("%d %ld %d\n", turn, sum, own);
}
"""


@test
def main_6_threads(z):
    z.write("threads.c", THREADS)
    result = z.shell("gcc -O1 -pthread threads.c && ./a.out && musl-gcc -O1 -static -pthread threads.c -o m && ./m",
                     image=z.gcc_image, patience=200)
    z.ok(result, "1280 2336 5\n" * 2)


@test
def main_6_layers_make_one_image(z):
    # The test's image with one layer on top: programs of the lower, files of both.
    layer = z.folder / "layer"
    (layer / "opt").mkdir(parents=True)
    (layer / "opt/mark").write_text("upper\n")
    (layer / "etc").mkdir()
    (layer / "etc/.wh.group").write_text("")
    subprocess.run(["tar", "-C", layer, "-cf", z.folder / "layer.tar", "."], check=True)
    z.ok(z.shell("cat /opt/mark; test -e /etc/group || echo hidden", image=f"{z.image},layer.tar"), "upper\nhidden\n")
