#!/usr/bin/env python3
"""Calls each method of the real balena SDK against a real slipwayd: prepares the people, sdk_suite.mjs does the rest."""

import json
import pathlib
import signal
import subprocess
import sys

import world

HERE = pathlib.Path(__file__).resolve().parent
SECONDS_MAX = 900


def scene(place, ann=None, **more):
    """What the program in JavaScript has to know: the server, three people (`ann` may be somebody who is there), and `more`."""
    people = {"ann": ann or place.person("ann", signed_in=False), "bob": place.person("bob", signed_in=False),
              "cat": place.person("cat", signed_in=False)}
    known = {name: {"name": p.name, "email": p.email, "password": p.password, "id": p.id, "handle": p.handle} for name, p in people.items()}
    return {"apiUrl": f"http://127.0.0.1:{place.server.port}", "clients": str(world.CLIENTS), **known, **more}


def run(place, what, section, only=""):
    """Answers the exit code of the program and prints what it printed."""
    file = place.folder / f"scene-{section}.json"
    file.write_text(json.dumps(what), encoding="utf-8")
    file.chmod(0o600)
    done = subprocess.run([str(world.CLIENTS / "bin/node"), str(HERE / "sdk_suite.mjs"), str(file), section, only], timeout=SECONDS_MAX, check=False)
    return done.returncode


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))   # so that what was started is stopped
    place = world.World()
    try:
        return run(place, scene(place), "base", " ".join(sys.argv[1:]))
    finally:
        place.close()


if __name__ == "__main__":
    sys.exit(main())
