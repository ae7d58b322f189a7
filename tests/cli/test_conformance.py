"""zrun conformance: a tree of programs, in containers of their own and in few boots of the riscv64 machine."""
import json
import pathlib
import shutil
import signal
import time
import xml.etree.ElementTree

from harness import Skip, test

PROGRAMS = {
    "a/fail.exe": "echo what went wrong; echo and more >&2; exit 3",
    "a/hang.exe": "echo begun; sleep 1000",
    "a/leave.exe": "sleep 1234 & exit 0",
    "a/pass.exe": 'test "$PWD" = "${0%/*}" && test -f fail.exe && ! read line',
    "a/signal.exe": "kill -SEGV $$",
    "a/skip.exe": "echo not here; exit 77",
    "b/alone.exe": "! ps -o args | grep -q '^sleep 1234'",
}
VERDICTS = {"a/fail.exe": "FAIL", "a/hang.exe": "FAIL", "a/leave.exe": "pass", "a/pass.exe": "pass",
            "a/signal.exe": "FAIL", "a/skip.exe": "skip", "b/alone.exe": "pass"}
KNOWN = "a/fail.exe  for a reason\na/hang.exe\na/signal.exe\n"


def plant(z, programs):
    tree = z.folder / "tree"
    for name, script in programs.items():
        z.write(f"tree/{name}", f"#!/bin/sh\n{script}\n", 0o755)
    return tree


def conform(z, tree, *options, image=None, patience=None):
    return z.raw("conformance", tree, "--image", image or z.image, *options, patience=patience)


def on_machine(z):
    if not shutil.which("qemu-system-riscv64"):
        raise Skip("needs qemu-system-riscv64")
    return {"image": z.riscv64_image, "patience": 250}


def verdicts(result):
    return {program["name"]: program["verdict"] for program in json.loads(result.text)["programs"]}


def outputs(result):
    return {program["name"]: program.get("output") for program in json.loads(result.text)["programs"]}


def judge(z, *options, **how):
    """What is the same on every machine."""
    tree = plant(z, PROGRAMS)
    result = conform(z, tree, *options, "--json", "--junit", z.folder / "junit.xml", "--report", z.folder / "report",
                     "--timeout", "10", **how)
    z.fails(result, 1, "FAIL  a/fail.exe: exit status 3\n", "FAIL  a/signal.exe: signal 11\n",
            "FAIL  a/hang.exe: timed out after 1\\d s\n")
    z.equal(verdicts(result), VERDICTS)
    z.equal(outputs(result)["a/fail.exe"].strip(), "what went wrong\nand more")
    z.equal(outputs(result)["a/skip.exe"].strip(), "not here")
    z.check(outputs(result)["a/hang.exe"].startswith("begun\n"), outputs(result)["a/hang.exe"])
    report = (z.folder / "report").read_text()
    for line in ("a            2       3       1       0       0", "      what went wrong",
                 "3 passed, 3 failed, 1 skipped"):
        z.check(line in report.split("\n"), f"{line!r} in {report}")
    suites = xml.etree.ElementTree.parse(z.folder / "junit.xml").getroot()
    z.equal([(s.get("name"), s.get("tests"), s.get("failures"), s.get("skipped")) for s in suites],
            [("a", "6", "3", "1"), ("b", "1", "0", "0")])


@test
def conformance(z):
    judge(z)


@test
def conformance_expectations(z):
    tree = plant(z, PROGRAMS)
    z.write("known", KNOWN)
    quick = [name for name in PROGRAMS if "hang" not in name]
    result = conform(z, tree, "--expect", z.folder / "known", "--json", *quick)
    z.ok(result)
    z.equal(verdicts(result)["a/fail.exe"], "known")
    # Whatever the list has too much fails the run.
    z.write("known", KNOWN + "a/pass.exe\n")
    result = conform(z, tree, "--expect", z.folder / "known", "--json", "a/pass.exe")
    z.equal((result.status, verdicts(result)), (1, {"a/pass.exe": "FIXED"}))
    result = conform(z, tree, "--match", "a/no")
    z.fails(result, 125, "a/no")
    result = conform(z, tree, "a/none.exe")
    z.fails(result, 125, "no program a/none.exe")


LIST = """#DESCRIPTION:lines of another suite

plain\t tool.sh
arguments tool.sh  -i 2 'a  b'
shell   export X=1; test "$X$SHARED" = 1yes
path    extra.sh
fresh   test -z "$(ls -A)" && mkdir x && touch x/file
fresh   test -z "$(ls -A)" && mkdir x
skipped exit 32
plainly_wrong  exit 77
"""
TOOL = """#!/bin/sh
test "$#" = 0 || { test "$#" = 3 && test "$3" = 'a  b'; }
"""


def judge_list(z, platform, share=True, **how):
    """A list of command lines, with an environment and shared files."""
    tree = z.folder / "tree"
    z.write("tree/tool.sh", TOOL, 0o755)
    z.write("tree/more/extra.sh", "#!/bin/sh\n" + ("cat /shared/sub/fixture /file" if share else "") + "\nexit 0\n", 0o755)
    z.write("files/sub/fixture", "fixture\n")
    options = ["--list", z.write("list", LIST), "--platform", platform, "-w", "fresh", "-e", "SHARED=yes", "--skip-status",
               "32,33", "-e", f"PATH=/usr/bin:/bin:{tree}/more", "--json", "--timeout", "30"]
    if share:
        options += ["-v", f"{z.folder}/files:/shared", "-v", f"{z.folder}/list:/file:ro"]
    result = conform(z, tree, *options, **how)
    z.fails(result, 1, "FAIL  plainly_wrong: exit status 77")
    expected = {name: "pass" for name in ("plain", "arguments", "shell", "path", "fresh", "fresh#2")}
    z.equal(verdicts(result), {**expected, "skipped": "skip", "plainly_wrong": "FAIL"})
    return result


@test
def conformance_list(z):
    judge_list(z, "trap")


@test
def conformance_working_directory(z):
    tree = plant(z, {"a/beside.run-test": "test -f beside.run-test", "b/root.run-test": "test -f a/beside.run-test",
                     "notes.sh": "exit 9"})
    for place, passes in (("program", "a/beside"), ("tree", "b/root"), (tree / "a", "a/beside")):
        result = conform(z, tree, "-w", place, "--json")
        z.equal(verdicts(result), {f"{name}.run-test": "pass" if name == passes else "FAIL" for name in
                                   ("a/beside", "b/root")}, str(place))
    z.equal(verdicts(conform(z, tree, "--programs", "*.sh", "--json")), {"notes.sh": "FAIL"})
    z.fails(conform(z, tree, "-w", "elsewhere"), 125, "elsewhere")


@test
def conformance_oracle(z):
    """What fails natively, too, is no fault of zrun's; what runs there is to run here."""
    judge_list(z, "native", share=False)
    options = ["--list", z.folder / "list", "-w", "fresh", "-e", "SHARED=yes", "--skip-status", "32", "--json"]
    z.write("list", LIST.replace("exit 32", "exit 0"))
    native = conform(z, z.folder / "tree", *options, "--platform", "native")
    z.write("native.json", native.out)
    z.write("list", LIST.replace("$SHARED", ""))
    found = verdicts(conform(z, z.folder / "tree", *options, "--oracle", z.folder / "native.json"))
    z.equal([found[name] for name in ("plainly_wrong", "skipped", "shell", "plain")], ["known", "FAIL", "FAIL", "pass"])
    z.fails(conform(z, z.folder / "tree", *options, "--oracle", z.folder / "list"), 125, "not a report")


@test
def conformance_native_time_limit(z):
    tree = plant(z, {"hang.exe": "echo begun; sleep 1000 & sleep 1000", "quick.exe": "exit 0"})
    result = conform(z, tree, "--platform", "native", "--timeout", "1", "--json")
    z.equal(verdicts(result), {"hang.exe": "FAIL", "quick.exe": "pass"})


@test
def riscv64_conformance_list(z):
    judge_list(z, "riscv64", **on_machine(z))


@test
def riscv64_conformance(z):
    judge(z, "--platform", "riscv64", "--cpus", "1", **on_machine(z))


@test
def riscv64_conformance_boots(z):
    """Programs share a boot; one that hangs or takes the machine down costs another one, and nothing more."""
    booted = "test -e /tmp/seen && echo again || echo first; touch /tmp/seen; exit 77"
    tree = plant(z, {"1.exe": booted, "2.exe": booted, "3.exe": "kill -9 -1; exit 4", "4.exe": booted,
                     "5.exe": "echo c >/proc/sysrq-trigger; exit 0", "6.exe": booted, "7.exe": "kill -STOP $$",
                     "8.exe": booted, "9.exe": "yes | head -c 3000000; exit 5"})
    result = conform(z, tree, "--platform", "riscv64", "--cpus", "1", "--jobs", "1", "--timeout", "20", "--json",
                     **on_machine(z))
    z.equal(result.status, 1)
    found = outputs(result)
    z.equal([found[f"{n}.exe"].strip() for n in (1, 2, 4, 6, 8)], ["first", "again", "again", "first", "first"])
    ends = {program["name"]: (program["status"], program["timed_out"]) for program in json.loads(result.text)["programs"]}
    z.equal([ends[f"{n}.exe"] for n in (3, 5, 7, 9)], [(4, False), (125, False), (137, True), (5, False)])


@test
def riscv64_conformance_ends_with_its_machine(z):
    how = on_machine(z)
    tree = plant(z, {"hang.exe": "trap '' TERM HUP PIPE; while :; do sleep 1; echo more; done"})
    process = z.start("conformance", tree, "--image", how["image"], "--platform", "riscv64", "--cpus", "1")
    z.until(lambda: [machine for launcher in children_of(process.pid) for machine in children_of(launcher)],
            "the machine starts")
    time.sleep(4)  # the program, too
    process.terminate()
    z.equal(z.finish(process).status, -signal.SIGTERM)  # and the harness looks for what stays


def children_of(pid):
    try:
        tasks = [task.read_text(encoding="ascii") for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    return [child for task in tasks for child in task.split()]
