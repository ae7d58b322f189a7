#!/usr/bin/env python3
"""Tests check_layers.py: that it catches each kind of violation, and lets pass what is right."""
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import check_layers  # noqa: E402


def problems(path, text):
    if path.endswith(".h") and "#pragma once" not in text:
        text = "#pragma once\n" + text
    return [message for _, message in check_layers.check_text(path, text)]


class Layers(unittest.TestCase):
    def good(self, path, text):
        self.assertEqual(problems(path, text), [], f"{path}: {text}")

    def bad(self, path, text, part):
        found = problems(path, text)
        self.assertEqual(len(found), 1, f"{path}: {text}: {found}")
        self.assertIn(part, found[0])

    def test_layer_of(self):
        for path, layer in (("base/result.h", "base"), ("hal/thread.h", "hal"), ("hal/arch/riscv64/registers.h", "hal"),
                            ("hal/trap_x86_64/entry.S", "trap"), ("hal/fake/machine.cc", "fake"),
                            ("vfs/ramfs/ramfs.cc", "vfs"), ("compat/syscalls/file.cc", "compat"),
                            ("runtime-cli/main.cc", "runtime-cli"), ("tests/x.c", None), ("README.md", None)):
            self.assertEqual(check_layers.layer_of(path), layer, path)

    def test_includes_go_down(self):
        order = ["base", "hal", "objects", "vfs", "loader", "compat"]
        for low, below in enumerate(order):
            for high, above in enumerate(order):
                if below == above:
                    continue
                line = f'#include "{above}/x.h"\n'
                if high < low:
                    self.good(f"{below}/a.cc", line)
                else:
                    self.bad(f"{below}/a.cc", line, f"{below} may not include {above}")

    def test_nobody_includes_a_body(self):
        for layer in ("base", "hal", "objects", "vfs", "compat", "images", "runtime-cli"):
            self.bad(f"{layer}/a.cc", '#include "hal/trap_x86_64/machine.h"\n', "body of the HAL")
            self.bad(f"{layer}/a.cc", '#include "hal/fake/machine.h"\n', "body of the HAL")
        self.good("hal/trap_x86_64/a.cc", '#include "hal/trap_x86_64/machine.h"\n')
        self.bad("hal/fake/a.cc", '#include "hal/trap_x86_64/machine.h"\n', "body of the HAL")

    def test_the_launcher_shares_its_machine_s_headers(self):
        for name in ("layout.h", "boot_record.h", "broker_protocol.h"):
            self.good("runtime-cli/a.cc", f'#include "hal/trap_x86_64/{name}"\n')
            self.bad("images/a.cc", f'#include "hal/trap_x86_64/{name}"\n', "body of the HAL")
        self.good("runtime-cli/a.cc", '#include "compat/syscalls.def"\n')
        self.bad("runtime-cli/a.cc", '#include "compat/task.h"\n', "may not include compat")

    def test_tests_may_use_the_fake_machine_and_hosted_headers(self):
        self.good("vfs/pipe_test.cc", '#include <gtest/gtest.h>\n#include <vector>\n#include "hal/fake/machine.h"\n')
        self.good("loader/elf_fuzz.cc", '#include <vector>\n#include "loader/elf.h"\n')
        self.bad("vfs/pipe_test.cc", '#include "compat/task.h"\n', "vfs may not include compat")
        self.bad("objects/a_test.cc", '#include "hal/trap_x86_64/machine.h"\n', "body of the HAL")

    def test_includes_start_at_the_root(self):
        self.bad("vfs/a.cc", '#include "vnode.h"\n', "start at the root")
        self.bad("vfs/a.cc", '#include "third/vnode.h"\n', "no layer")

    def test_standard_headers(self):
        for name in check_layers.KERNEL_STD:
            self.good("vfs/a.cc", f"#include <{name}>\n")
        for name in ("vector", "string", "cstring", "mutex", "unistd.h", "linux/fs.h", "functional", "iostream"):
            for layer in ("base", "objects", "vfs", "loader", "compat", "hal/trap_x86_64"):
                self.bad(f"{layer}/a.cc", f"#include <{name}>\n", f"may not include <{name}>")
            self.good("runtime-cli/a.cc", f"#include <{name}>\n")
            self.good("images/a.cc", f"#include <{name}>\n")
            self.good("hal/fake/a.cc", f"#include <{name}>\n")

    def test_file_systems_keep_to_themselves(self):
        self.bad("vfs/erofs/a.cc", '#include "vfs/ramfs/ramfs.h"\n', "vfs/erofs may not include vfs/ramfs")
        self.bad("vfs/procfs/a.cc", '#include "vfs/devfs/devices.h"\n', "vfs/procfs may not include vfs/devfs")
        self.good("vfs/overlayfs/a.cc", '#include "vfs/ramfs/ramfs.h"\n')
        self.good("vfs/devfs/a.cc", '#include "vfs/tty/tty.h"\n')
        self.good("vfs/registry.cc", '#include "vfs/ramfs/ramfs.h"\n')
        self.good("vfs/erofs/a.cc", '#include "vfs/erofs/erofs.h"\n#include "vfs/vnode.h"\n')

    def test_casts(self):
        cast = "auto* p = reinterpret_cast<Thing*>(x);\n"
        self.bad("vfs/a.cc", cast, "reinterpret_cast")
        self.bad("compat/a.cc", cast, "reinterpret_cast")
        self.bad("objects/task/a.cc", cast, "reinterpret_cast")
        self.good("objects/vm/a.cc", cast)
        self.good("hal/trap_x86_64/a.cc", cast)
        self.good("runtime-cli/a.cc", cast)
        self.good("vfs/a.cc", "f(reinterpret_cast<const char*>(p)); g(reinterpret_cast<uintptr_t>(p));\n")
        self.good("compat/a.cc", "return *std::launder(reinterpret_cast<Kernel*>(g_storage));\n")
        self.bad("vfs/a.cc", "f(reinterpret_cast<const char*>(p), reinterpret_cast<int*>(q));\n", "reinterpret_cast")

    def test_assembly(self):
        for line in ('asm volatile("pause");\n', 'asm("nop");\n', '__asm__ ("nop");\n', 'asm goto("jmp %l0" :::: x);\n'):
            self.bad("vfs/a.cc", line, "assembly")
            self.bad("base/a.h", line, "assembly")
            self.good("hal/trap_x86_64/a.cc", line)

    def test_allocation(self):
        self.bad("vfs/a.cc", "auto* p = new Thing;\n", "may throw")
        self.bad("vfs/a.cc", "auto* p = new Thing();\n", "may throw")
        self.bad("base/a.h", "auto* p = new int[5];\n", "may throw")
        self.bad("vfs/a.cc", "auto* p = new (std::nothrow) Thing;\n", "nothrow")
        self.bad("vfs/a.cc", "void* p = ::operator new(size, std::nothrow);\n", "operator new")
        self.bad("vfs/a.cc", "void* p = ::operator new(size);\n", "may throw")
        self.good("vfs/a.cc", "auto* p = new (std::nothrow) std::byte[size];\n")
        self.good("base/ref_ptr.h", "auto* p = new (std::nothrow) Thing;\n")
        self.good("vfs/a.cc", "auto* p = new (storage) Thing; // a new thing\n/* new T */ #include_next <new>\n")
        self.good("vfs/a.cc", "#include <new>\nint new_size = 0, renew = 1;\n")

    def test_language(self):
        self.bad("vfs/a.cc", "throw 1;\n", "exceptions")
        self.bad("vfs/a.cc", "auto* p = dynamic_cast<A*>(b);\n", "RTTI")
        self.bad("compat/a.cc", "double x = 0;\n", "floating point")
        self.good("vfs/a.cc", "// try a double entry\nint entry = 0;\n")
        self.good("runtime-cli/a.cc", "try { throw 1.0; } catch (double) {}\n")

    def test_machine_names(self):
        for line in ("uint64_t v = registers.rax;\n", "#if defined(__x86_64__)\n", "set_fs_base(1);\n",
                     "int x86_64 = 1;\n", "state.rip += 2;\n"):
            expected = [] if line.startswith("set") else ["x86"]
            found = problems("compat/a.cc", line)
            self.assertEqual(len(found), len(expected), line)
        self.bad("compat/a.cc", "context.fs_base = 1;\n", "x86")
        self.good("compat/abi/arch/x86_64/signal_frame.cc", "frame.rip = registers.rip;\n")
        self.good("hal/user_context.h", "#if defined(__x86_64__)\n")
        self.good("compat/a.cc", "// Linux returns it in rax on x86-64.\nauto text = \"x86_64\";\n")
        self.good("compat/abi/file.h", '#if defined(__x86_64__)\n#include "compat/abi/arch/x86_64/file.h"\n#endif\n')

    def test_length_and_unfinished_work(self):
        self.bad("vfs/a.cc", "\n" * 601, "601 lines")
        self.good("vfs/a.cc", "\n" * 600)
        self.bad("vfs/a.cc", "// TO" + "DO: more\n", "finish it")
        self.bad("tests/a.c", "// FIX" + "ME\n", "finish it")

    def test_pragma_once(self):
        found = [message for _, message in check_layers.check_text("vfs/a.h", "int x;\n")]
        self.assertEqual(found, ["no #pragma once"])

    def test_comments_and_strings_do_not_count(self):
        self.good("vfs/a.cc", '/* asm("x")\n new T */ auto s = "new T \\" asm(1)"; // reinterpret_cast<T*>\n')
        self.bad("vfs/a.cc", "char c = '\"'; auto* p = new T;\n", "may throw")
        self.bad("vfs/a.cc", "int big = 1'000'000; auto* p = new T; char d = 'x';\n", "may throw")

    def test_lines_are_counted_through_comments(self):
        found = list(check_layers.check_text("vfs/a.cc", "/*\n\n*/\nint a;\nauto* p = new T;\n"))
        self.assertEqual([number for number, _ in found], [5])

    def test_a_tree(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in (("base/a.h", "#pragma once\n"), ("vfs/a.cc", '#include "compat/b.h"\n'),
                               ("hal/trap_x86_64/a.cc", "#include <cstdio>\n"), ("tests/x/a.c", "// TO" + "DO\n")):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            count, found = check_layers.check_tree(root)
        self.assertEqual(count, 4)
        found = [line for line in found if not line.startswith("tools/")]
        self.assertEqual(len(found), 3, found)
        self.assertTrue(found[0].startswith("hal/trap_x86_64/a.cc:1:"))


if __name__ == "__main__":
    unittest.main()
