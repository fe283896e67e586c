#!/usr/bin/env python3
"""Calls each method of the real balena SDK against a real slipwayd: prepares the people, sdk_suite.mjs does the rest."""

import json
import pathlib
import subprocess
import sys

import awaited
import world

HERE = pathlib.Path(__file__).resolve().parent
SECONDS_MAX = 900


def scene(place, **more):
    """What the program in JavaScript has to know."""
    people = {}
    for name in ("ann", "bob", "cat"):
        person = place.person(name, signed_in=False)
        people[name] = {"name": person.name, "email": person.email, "password": person.password, "id": person.id,
                        "handle": person.handle}
    return {"apiUrl": f"http://127.0.0.1:{place.server.port}", "clients": str(world.CLIENTS), **people, **more}


def run(place, what, section, only=""):
    """Answers the exit code of the program."""
    file = place.folder / f"scene-{section}.json"
    file.write_text(json.dumps(what), encoding="utf-8")
    file.chmod(0o600)
    done = subprocess.run(["node", str(HERE / "sdk_suite.mjs"), str(file), section, only], timeout=SECONDS_MAX, check=False)
    return done.returncode


def main():
    place = world.World()
    try:
        arguments = [a for a in sys.argv[1:] if a != "--awaited"]
        left_out = [] if "--awaited" in sys.argv else sorted(awaited.SDK)
        return run(place, scene(place, awaited=left_out), "base", " ".join(arguments))
    finally:
        place.close()


if __name__ == "__main__":
    sys.exit(main())
