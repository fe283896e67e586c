#!/usr/bin/env python3
"""Installs the pinned balena clients into a folder of the build tree. Does nothing when that folder holds them already.

Usage: install.py FOLDER. No install script of a package runs: the clients need none for what Slipway promises, and some would fetch programs.
SLIPWAY_COMPOSE_PARSER names the CLI's own compose parser where one is at hand; otherwise compose_parser.mjs stands in."""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
INPUTS = ("package.json", "package-lock.json", "compose_parser.mjs", "install.py")
NODE_MAJOR_MIN = 18
INSTALL_SECONDS_MAX = 1500


def fingerprint():
    """Changes when anything that decides what is installed does."""
    total = hashlib.sha256(os.environ.get("SLIPWAY_COMPOSE_PARSER", "").encode())
    for name in INPUTS:
        total.update((HERE / name).read_bytes())
    return total.hexdigest()


def check_tools():
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            sys.exit(f"install: {tool} is missing; scripts/setup installs it")
    version = subprocess.run(["node", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < NODE_MAJOR_MIN:
        sys.exit(f"install: node {version} is too old for the clients, {NODE_MAJOR_MIN} is the oldest that runs them")
    return version


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


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    stamp = folder / "installed"
    wanted = fingerprint()
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        print(f"install: {folder} is up to date")
        return
    version = check_tools()
    folder.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder / name)
    print(f"install: npm ci in {folder} with node {version}", flush=True)
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"],
                   cwd=folder, check=True, timeout=INSTALL_SECONDS_MAX)
    place_parser(folder)
    stamp.write_text(wanted, encoding="utf-8")


if __name__ == "__main__":
    main()
