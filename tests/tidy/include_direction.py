#!/usr/bin/env python3
"""Includes go one way. Prints each include that goes against an arrow of the layout, and each library that a folder
must not see. With --self-test it checks itself on made-up lines."""

import re
import sys

import tree

# Folder -> folders of ours that it may include. tests/ and bench/ may include anything.
ARROWS = {
    "messages": {"messages"},
    "domain": {"domain", "messages"},
    "runtime": {"runtime", "messages"},
    "storage": {"storage", "runtime", "domain", "messages"},
    "actors": {"actors", "storage", "runtime", "domain", "messages"},
    "gateways": {"gateways", "actors", "storage", "runtime", "domain", "messages"},
    "agent": {"agent", "domain", "messages", "runtime"},
    "cli": {"cli", "domain", "messages", "runtime"},
}
OURS = set(ARROWS) | {"tests", "bench", "web"}

# Library -> the only folders that may include it.
LIBRARIES = [
    (re.compile(r"rocksdb/"), {"storage"}),
    (re.compile(r"zmq(_addon)?\.h(pp)?$"), {"runtime"}),
    (re.compile(r"caf/"), {"runtime", "actors", "gateways", "agent"}),
]
# Pure code has no I/O, clock or thread.
PURE = {"messages", "domain"}
IMPURE = re.compile(r"(boost/(asio|beast)|curl/|archive|fstream$|iostream$|thread$|mutex$|filesystem$|spdlog/|unistd\.h|sys/)")

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')


def complaint(file, line):
    """What is wrong with this include line of this file, or None."""
    match = INCLUDE.match(line)
    folder = file.split("/", 1)[0]
    if match is None or folder in ("tests", "bench"):
        return None
    # The program that puts everything together.
    if file.startswith("runtime/server/"):
        return None
    target = match.group(2)
    if match.group(1) == '"':
        to = target.split("/", 1)[0]
        if to not in OURS:
            return f'"{target}" is not relative to the root of the tree'
        if to not in ARROWS[folder]:
            return f"{folder}/ must not include {to}/"
        if target.startswith("runtime/server/"):
            return "only runtime/server/ sees runtime/server/"
        return None
    for library, allowed in LIBRARIES:
        if library.match(target) and folder not in allowed:
            return f"<{target}> belongs to {', '.join(sorted(allowed))} only"
    if folder in PURE and IMPURE.match(target):
        return f"<{target}>: {folder}/ is pure"
    return None


def self_test():
    bad = [
        ("domain/a.cpp", '#include "storage/store.hpp"'),
        ("agent/a.cpp", '#include "actors/fleet.hpp"'),
        ("cli/a.cpp", '#include "gateways/api.hpp"'),
        ("gateways/a.cpp", "#include <rocksdb/db.h>"),
        ("agent/a.cpp", "#include <zmq.hpp>"),
        ("domain/a.cpp", "#include <fstream>"),
        ("actors/a.cpp", '#include "fleet.hpp"'),
    ]
    good = [
        ("storage/a.cpp", "#include <rocksdb/db.h>"),
        ("runtime/server/main.cpp", '#include "gateways/api.hpp"'),
        ("tests/a.cpp", '#include "actors/fleet.hpp"'),
        ("gateways/a.cpp", '#include "actors/fleet.hpp"'),
        ("domain/a.cpp", "// nothing here"),
    ]
    for file, line in bad:
        assert complaint(file, line), (file, line)
    for file, line in good:
        assert not complaint(file, line), (file, line)
    print("include direction: self-test passed")


def main():
    if "--self-test" in sys.argv:
        self_test()
        return 0
    wrong = 0
    files = 0
    for file in tree.code_files():
        files += 1
        for number, line in enumerate((tree.ROOT / file).read_text().splitlines(), 1):
            what = complaint(str(file), line)
            if what:
                wrong += 1
                print(f"{file}:{number}: {what}")
    print(f"include direction: {files} files checked, {wrong} wrong")
    return 1 if wrong or not files else 0


if __name__ == "__main__":
    sys.exit(main())
