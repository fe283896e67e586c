#!/usr/bin/env python3
"""Installs the pinned balena clients, and the node they ask for, into the user's cache folder. Does nothing when they are there already.

Usage: install.py [FOLDER]; prints the folder. Its name holds a hash of what decides what is in it, so clones of the repository share it.
No install script of a package runs: the clients need none for what Slipway promises, and some would fetch programs.
SLIPWAY_COMPOSE_PARSER names the CLI's own compose parser where one is at hand; otherwise compose_parser.mjs stands in."""

import hashlib
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
INPUTS = ("package.json", "package-lock.json", "compose_parser.mjs", "install.py")
CPUS = {"x86_64": "x64", "aarch64": "arm64"}   # of machines that there is a node package for
NODE_MAJOR_MIN = 18   # of the node that runs npm; the clients run on the one in the lock file
INSTALL_SECONDS_MAX = 1500
UNUSED_DAYS_MAX = 14  # older installations of other versions go


def fingerprint():
    """Changes when anything that decides what is installed does."""
    total = hashlib.sha256(os.environ.get("SLIPWAY_COMPOSE_PARSER", "").encode() + platform.machine().encode())
    for name in INPUTS:
        total.update((HERE / name).read_bytes())
    return total.hexdigest()[:16]


def place():
    """The folder of this version of everything."""
    cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(cache) / "slipway" / f"clients-{fingerprint()}"


def check_tools():
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            sys.exit(f"install: {tool} is missing; scripts/setup installs it")
    if platform.machine() not in CPUS:
        sys.exit(f"install: no node is pinned for a {platform.machine()}")
    version = subprocess.run(["node", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < NODE_MAJOR_MIN:
        sys.exit(f"install: node {version} is too old for npm, {NODE_MAJOR_MIN} is the oldest that is tried")


def place_node(folder):
    """The pinned node as the only program of a folder that can go in front of a path."""
    (folder / "bin").mkdir()
    node = f"node_modules/node-linux-{CPUS[platform.machine()]}/bin/node"
    (folder / node).chmod(0o755)
    (folder / "bin/node").symlink_to("../" + node)


def place_parser(folder):
    parser = folder / "node_modules/@balena/compose-parser/bin/balena-compose-parser"
    parser.parent.mkdir(exist_ok=True)
    own = os.environ.get("SLIPWAY_COMPOSE_PARSER")
    if own:
        shutil.copy(own, parser)
    else:
        # A name without .mjs is CommonJS to node, so the program stays beside and a link of the shell's starts it.
        shutil.copy(HERE / "compose_parser.mjs", parser.with_name("compose_parser.mjs"))
        parser.write_text('#!/bin/sh\nexec node "$(dirname "$0")/compose_parser.mjs" "$@"\n', encoding="utf-8")
    parser.chmod(0o755)


def remove_unused(cache, kept):
    for old in cache.glob("clients-*"):
        if old != kept and old.stat().st_mtime < time.time() - UNUSED_DAYS_MAX * 24 * 3600:
            shutil.rmtree(old, ignore_errors=True)


def install(folder):
    """Builds the installation beside its place and moves it there whole: others may be at the same, or look on."""
    check_tools()
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = pathlib.Path(tempfile.mkdtemp(prefix=folder.name + ".", dir=folder.parent))
    try:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, work / name)
        print(f"install: npm ci for {folder}", file=sys.stderr, flush=True)
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"],
                       cwd=work, check=True, timeout=INSTALL_SECONDS_MAX, stdout=sys.stderr)
        place_node(work)
        place_parser(work)
        (work / "compile-cache").mkdir()
        work.chmod(0o755)
        try:
            work.rename(folder)
        except OSError:
            if not folder.exists():   # else somebody else was first with the same
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def main():
    folder = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else place()
    if not folder.exists():
        install(folder)
    os.utime(folder)
    if len(sys.argv) == 1:
        remove_unused(folder.parent, folder)
    print(folder)


if __name__ == "__main__":
    main()
