#!/usr/bin/env python3
"""Checks the numbers in compat/syscalls.def against the system's headers.

x86-64's come from <asm/unistd_64.h>, riscv64's from <asm-generic/unistd.h>. Calls that the headers
are too old to know are passed over, as are the few that riscv64 adds to the generic table.
"""

import argparse
import pathlib
import re
import subprocess
import sys

LINE = re.compile(r"^(SYSCALL|PARTIAL|MISSING)\((\w+), (\w+), (?:\"[^\"]*\", )?(\w+)[,)]")
# riscv64's own numbers start at 244 + 14; the generic header only reserves the range.
ARCHITECTURE_SPECIFIC = {"riscv_hwprobe", "riscv_flush_icache"}


def read_table(path):
    """{architecture: {name: number}} of syscalls.def."""
    table = {"x86_64": {}, "riscv64": {}}
    errors = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.startswith(("SYSCALL(", "PARTIAL(", "MISSING(")):
            continue
        match = LINE.match(line)
        if not match:
            errors.append(f"{path}:{number}: not understood: {line}")
            continue
        _, x86_64, riscv64, name = match.groups()
        for architecture, value in (("x86_64", x86_64), ("riscv64", riscv64)):
            if value == "kNone":
                continue
            if name in table[architecture]:
                errors.append(f"{path}:{number}: {name} is there twice")
            if int(value) in table[architecture].values():
                errors.append(f"{path}:{number}: number {value} is there twice ({architecture})")
            table[architecture][name] = int(value)
    return table, errors


def header_numbers(compiler, header, defines):
    """{name: number} that a header gives a 64-bit program."""
    source = "".join(f"#define {name}\n" for name in defines) + f"#include <{header}>\n"
    output = subprocess.run(
        [compiler, "-E", "-dM", "-x", "c", "-"],
        input=source,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    values = {}
    aliases = {}
    for name, value in re.findall(r"^#define __NR_(\w+) (\w+)$", output, re.MULTILINE):
        if value.isdigit():
            values[name] = int(value)
        else:
            aliases[name] = value
    # The generic header says: __NR_fcntl is __NR3264_fcntl is 25.
    generic = dict(re.findall(r"^#define __NR3264_(\w+) (\d+)$", output, re.MULTILINE))
    for name, value in aliases.items():
        target = value.removeprefix("__NR3264_")
        if target in generic:
            values[name] = int(generic[target])
    # Ranges, not calls.
    for name in ("syscalls", "arch_specific_syscall"):
        values.pop(name, None)
    return values


def compare(architecture, ours, theirs):
    errors = []
    for name, number in sorted(theirs.items(), key=lambda item: item[1]):
        if name not in ours:
            errors.append(f"{architecture}: {name} ({number}) is not in the table")
        elif ours[name] != number:
            errors.append(f"{architecture}: {name} is {number}, the table says {ours[name]}")
    known = set(theirs.values())
    newest = max(known)
    for name, number in ours.items():
        if name in theirs or name in ARCHITECTURE_SPECIFIC or number > newest:
            continue
        errors.append(f"{architecture}: the headers know no {name} ({number})")
    return errors


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = pathlib.Path(__file__).resolve().parent.parent
    parser.add_argument("--table", type=pathlib.Path, default=root / "compat" / "syscalls.def")
    parser.add_argument("--compiler", default="cc")
    arguments = parser.parse_args()
    table, errors = read_table(arguments.table)
    errors += compare(
        "x86_64", table["x86_64"], header_numbers(arguments.compiler, "asm/unistd_64.h", [])
    )
    generic_defines = [
        "__ARCH_WANT_NEW_STAT",
        "__ARCH_WANT_SET_GET_RLIMIT",
        "__ARCH_WANT_SYS_CLONE3",
        "__ARCH_WANT_MEMFD_SECRET",
    ]
    errors += compare(
        "riscv64",
        table["riscv64"],
        header_numbers(arguments.compiler, "asm-generic/unistd.h", generic_defines),
    )
    for error in errors:
        print(error)
    counts = ", ".join(f"{len(numbers)} {name}" for name, numbers in table.items())
    if not errors:
        print(f"checked: {counts}")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
