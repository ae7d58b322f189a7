#!/usr/bin/env python3
"""Tells which tests were skipped, and why: skipped_tests.py JUNIT, the report of a ctest run.

A test of CTest's may stand for many: what its output says of those is told, too.
"""
import re
import sys
import xml.etree.ElementTree


def skips_in(output):
    """(name, reason) of what the runners of this project, and GoogleTest, print."""
    for match in re.finditer(r"^skip +(\S+)[^\n]*(?:\n {6}([^\n]*))?", output, re.MULTILINE):
        yield match[1], match[2] or ""
    for match in re.finditer(r"^\[ +RUN +\] (\S+)\n((?:(?!\[).*\n)*)\[ +SKIPPED +\]", output, re.MULTILINE):
        yield match[1], " ".join(match[2].split("Skipped", 1)[-1].split())


def skipped_tests(path):
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        name = case.get("name")
        found = list(skips_in(case.findtext("system-out") or ""))
        for part, reason in found:
            yield name if name.endswith(f".{part}") else f"{name}: {part}", reason
        if not found and case.find("skipped") is not None:
            yield name, case.find("skipped").get("message") or ""


def main():
    skips = list(skipped_tests(sys.argv[1]))
    print(f"{len(skips)} skipped" + (":" if skips else ""))
    for name, reason in skips:
        print(f"  {name}" + (f": {reason}" if reason else ""))


if __name__ == "__main__":
    main()
