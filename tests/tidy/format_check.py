#!/usr/bin/env python3
"""Checks that clang-format 14 would change nothing. --fix formats in place, --list prints the files."""

import subprocess
import sys

import tree


def main():
    files = [str(f) for f in tree.code_files()]
    if "--list" in sys.argv:
        print("\n".join(files))
        return 0
    if not files:
        print("format: no files found: the check looks at the wrong place")
        return 1
    mode = ["-i"] if "--fix" in sys.argv else ["--dry-run", "-Werror"]
    done = subprocess.run(["clang-format", *mode, *files], cwd=tree.ROOT, capture_output=True, text=True)
    complaints = [line for line in done.stderr.splitlines() if ": error: " in line]
    for file in sorted({line.split(":", 1)[0] for line in complaints}):
        print(f"{file}: not formatted; run scripts/lint --fix")
    if done.returncode != 0 and not complaints:
        print(done.stderr)
    print(f"format: {len(files)} files checked")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
