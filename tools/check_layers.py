#!/usr/bin/env python3
"""Checks what the compiler cannot: that includes go down only, and what kernel code may use.

  check_layers.py [--root DIR]

Prints one line per violation, "FILE:LINE: RULE: text", and "N files, N violations". Exit status 0 if there is none.
The tables below are the rules; docs/architecture.md says why.
"""
import argparse
import pathlib
import re
import sys

# Layer -> layers it may include. "trap" and "fake" are bodies of the HAL: only they themselves may include them.
ALLOWED = {
    "base": {"base"},
    "hal": {"base", "hal"},
    "trap": {"base", "hal", "trap"},
    "riscv64": {"base", "hal", "riscv64"},
    "fake": {"base", "hal", "fake"},
    "objects": {"base", "hal", "objects"},
    "vfs": {"base", "hal", "objects", "vfs"},
    "loader": {"base", "hal", "objects", "vfs", "loader"},
    "compat": {"base", "hal", "objects", "vfs", "loader", "compat"},
    "images": {"base", "images"},
    "runtime-cli": {"base", "hal", "images", "runtime-cli"},
}
KERNEL = {"base", "hal", "trap", "riscv64", "objects", "vfs", "loader", "compat"}
ABOVE_HAL = {"objects", "vfs", "loader", "compat"}
BODIES = {"trap", "riscv64", "fake"}

# The launcher is the other half of the trap machine: it shares these with the kernel it starts.
CROSSINGS = {
    "runtime-cli": {
        "hal/trap_x86_64/layout.h", "hal/trap_x86_64/boot_record.h", "hal/trap_x86_64/broker_protocol.h",
        "hal/riscv64/layout.h", "hal/riscv64/launcher.h", "compat/syscalls.def",
    },
}
# Tests and fuzzers run over the fake machine, and may drive it.
TEST_LAYERS = {"fake"}

# Headers that never throw, allocate or know of an operating system.
KERNEL_STD = {
    "algorithm", "array", "atomic", "bit", "compare", "concepts", "cstddef", "cstdint", "initializer_list", "iterator",
    "limits", "memory", "new", "numeric", "optional", "span", "string_view", "tuple", "type_traits", "utility",
    "variant",
}

# A file system may not include another's folder. Folders that file systems are made from are open to all, and a few
# pairs belong together.
SHARED_VFS = {"tty", "socket"}
VFS_PAIRS = {
    ("tty", "devfs"),       # terminals are devices, /dev/pts is a file system of terminals
    ("devfs", "ramfs"),     # /dev is a ramfs with nodes in it
    ("overlayfs", "ramfs"),
}

# Where raw memory is the subject. Elsewhere bytes may be seen as text and addresses as numbers (to hash or order them);
# any other cast needs a line here.
CAST_PLACES = ("base/", "hal/", "objects/vm/", "objects/heap")
HARMLESS_CAST = re.compile(r"reinterpret_cast<((const )?(char|std::byte|uint8_t)\*|(std::)?uintptr_t)>|"
                           r"std::launder\(reinterpret_cast<\w+\*>\(g_\w+\)\)")  # static storage
CAST_FILES = {
    "vfs/file_locks.cc": "storage of an object that must not have a constructor",
}
ASM_PLACES = ("hal/",)
# Single objects are made by MakeRef and MakeOwned; arrays may be made by new (std::nothrow) T[n].
NOTHROW_PLACES = ("base/", "hal/", "objects/heap")
NOTHROW_FILES = {
    "compat/signal_send.cc": "a signal that finds no room is queued without its details",
    "vfs/dentry.cc": "names, behind which nothing else lies",
    "vfs/pipe_buffer.cc": "a page",
}
# Where both architectures' names must stand beside each other.
X86_FILES = {
    "compat/syscalls.def": "both numbers of each call",
    "compat/syscall_table.h": "expands it",
    "compat/syscall_table.cc": "expands it",
    "compat/syscalls/process.cc": "the order of clone's parameters; arch_prctl",
}
X86_PLACES = ("compat/abi/arch/",)
# #include "compat/abi/arch/<cpu>/..." is how a file chooses; such lines name both.
X86_NAME = re.compile(
    r"\b(x86|x86_64|__x86_64__|amd64|i386|cpuid|wrpkru|xsave\w*|xrstor\w*|mxcsr|"
    r"[re](?:ax|bx|cx|dx|si|di|bp|sp|ip|flags)|fs_?base|gs_?base)\b", re.IGNORECASE)

LONGEST = 600
LONG_FILES = {"objects/vm/vm_address_region_test.cc": "one fixture, every operation"}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")
STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"|(?<![0-9a-zA-Z_])\'(?:[^\'\\\n]|\\.)+\'')


def layer_of(path):
    """The layer of a file, by its path from the root; None if it has none."""
    parts = path.split("/")
    if parts[0] == "hal":
        if len(parts) > 2 and parts[1] in ("trap_x86_64", "riscv64", "fake"):
            return "trap" if parts[1] == "trap_x86_64" else parts[1]
        return "hal"
    return parts[0] if parts[0] in ALLOWED else None


def is_test(path):
    stem = pathlib.PurePosixPath(path).stem
    return stem.endswith(("_test", "_fuzz")) or path.endswith(".h") and stem.startswith("test_")


def strip_comments(text):
    """The text without comments and without what string literals say; line numbers stay."""
    out = []
    at = 0
    token = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|' + STRING.pattern, re.DOTALL)
    for match in token.finditer(text):
        out.append(text[at:match.start()])
        found = match.group()
        if found.startswith(("//", "/*")):
            out.append(" " + "\n" * found.count("\n"))
        else:
            out.append('""' + "\n" * found.count("\n"))
        at = match.end()
    out.append(text[at:])
    return "".join(out)


def vfs_folder(path):
    parts = path.split("/")
    return parts[1] if parts[0] == "vfs" and len(parts) > 2 else None


def check_include(path, layer, test, quoted, name):
    """What is wrong with an include, or None."""
    if not quoted:
        if layer in KERNEL and not test and name not in KERNEL_STD:
            return f"kernel code may not include <{name}>"
        return None
    if "/" not in name:
        return f'"{name}": includes start at the root of the repository'
    other = layer_of(name)
    if other is None:
        return f'"{name}" lies in no layer'
    if name in CROSSINGS.get(layer, ()):
        return None
    allowed = ALLOWED[layer] | (TEST_LAYERS if test else set())
    if other not in allowed:
        if other in BODIES:
            return f'"{name}": nobody includes a body of the HAL'
        return f'"{name}": {layer} may not include {other}'
    mine, theirs = vfs_folder(path), vfs_folder(name)
    if mine and theirs and mine != theirs and not test and theirs not in SHARED_VFS and (mine, theirs) not in VFS_PAIRS:
        return f'"{name}": vfs/{mine} may not include vfs/{theirs}'
    return None


def starts(path, places):
    return path.startswith(tuple(places))


def check_code(path, layer, line):
    """Yields what is wrong with a line of kernel code that has no comments or strings."""
    if "reinterpret_cast" in HARMLESS_CAST.sub("", line) and not starts(path, CAST_PLACES) and path not in CAST_FILES:
        yield "reinterpret_cast outside base/, hal/, objects/vm/ and the files listed"
    if re.search(r"\b(asm|__asm__)\b\s*(volatile|goto|inline)?\s*\(", line) and not starts(path, ASM_PLACES):
        yield "inline assembly outside hal/"
    for match in re.finditer(r"(?<!operator )\bnew\b\s*(\()?", re.sub(r"^\s*#.*", "", line)):
        if not match.group(1):
            yield "new that may throw: use MakeRef, MakeOwned or a container"
        elif "nothrow" in line and not re.search(r"\bnew \(std::nothrow\) [\w:<>]+\[", line) and not starts(path, NOTHROW_PLACES) and path not in NOTHROW_FILES:
            yield "new (std::nothrow): use MakeRef, MakeOwned or a container"
    if re.search(r"::operator new\b", line):
        if "nothrow" not in line:
            yield "operator new that may throw"
        elif not starts(path, NOTHROW_PLACES) and path not in NOTHROW_FILES:
            yield "operator new: use MakeRef, MakeOwned or a container"
    if re.search(r"\b(dynamic_cast|typeid|throw|try|catch)\b", line):
        yield "exceptions and RTTI are off in the kernel"
    if re.search(r"\b(float|double)\b", line):
        yield "no floating point in the kernel"
    if layer in ABOVE_HAL and path not in X86_FILES and not starts(path, X86_PLACES):
        if "compat/abi/arch/" not in line and (match := X86_NAME.search(line)):
            yield f"{match.group()}: x86 above the HAL, outside compat/abi/arch/"


def check_text(path, text):
    """Yields (line number, message) for one file."""
    layer = layer_of(path)
    test = is_test(path)
    lines = text.splitlines()
    if len(lines) > LONGEST and path not in LONG_FILES:
        yield len(lines), f"{len(lines)} lines; the most is {LONGEST}"
    for number, line in enumerate(lines, 1):
        if match := UNFINISHED.search(line):
            yield number, f"{match.group()}: finish it, or say why it is so"
    if layer is None:
        return
    if path.endswith(".h") and "#pragma once" not in text:
        yield 1, "no #pragma once"
    # Includes are read before strings go.
    for number, line in enumerate(lines, 1):
        if match := INCLUDE.match(line):
            if problem := check_include(path, layer, test, match.group(1) == '"', match.group(2)):
                yield number, problem
    if layer not in KERNEL or test or path.endswith((".S", ".ld")):
        return
    code = strip_comments(text).splitlines()
    for number, line in enumerate(code, 1):
        if INCLUDE.match(line) or re.match(r"\s*#\s*(el)?if", line) and "__x86_64__" in line and "arch/" in "".join(
                lines[number:number + 1]):
            continue
        for problem in check_code(path, layer, line):
            yield number, problem


def source_files(root):
    for folder in sorted(ALLOWED):
        top = root / folder
        if top.is_dir() and folder not in BODIES:
            for path in sorted(top.rglob("*")):
                if path.suffix in (".h", ".cc", ".S", ".def", ".c") and path.is_file():
                    yield path
    for folder in ("tests", "bench"):  # length and unfinished work only
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".h", ".cc", ".c", ".py") and path.is_file():
                yield path


def check_tree(root):
    """Returns (number of files, list of "FILE:LINE: message")."""
    count, problems = 0, []
    for path in source_files(root):
        count += 1
        name = path.relative_to(root).as_posix()
        problems += [f"{name}:{number}: {problem}" for number, problem in check_text(name, path.read_text())]
    for listed in sorted({*CAST_FILES, *NOTHROW_FILES, *X86_FILES, *LONG_FILES}):
        if not (root / listed).exists():
            problems.append(f"tools/check_layers.py:1: it lists {listed}, which does not exist")
    return count, problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    count, problems = check_tree(parser.parse_args().root)
    print("\n".join(problems + [f"{count} files, {len(problems)} violations"]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
