#!/usr/bin/env python3
"""The real balena CLI against a real slipwayd. Groups run beside each other, a few at a time, on one server.

Usage: suite.py [--only TEXT] SET..., where a set is `api` (the server alone) or `devices` (agents and a container engine)."""

import argparse
import concurrent.futures
import io
import re
import signal
import sys
import time
import unittest

import account_cases
import cases
import config_cases
import device_cases
import engine_cases
import fleet_cases
import os_cases
import release_cases
import variable_cases
import world

SETS = {
    "api": (account_cases, config_cases, device_cases, fleet_cases, os_cases, release_cases, variable_cases),
    "devices": (engine_cases,),
}
AT_ONCE = 3   # a command keeps a core busy while it starts, and waits for the rest of its time


def groups_of(names):
    """The classes of cases in the modules of these sets, the longest first."""
    found = []
    for name in names:
        for module in SETS[name]:
            found += [value for value in vars(module).values()
                      if isinstance(value, type) and issubclass(value, cases.Cases) and value.__module__ == module.__name__]
    return sorted(found, key=lambda group: -unittest.TestLoader().loadTestsFromTestCase(group).countTestCases())


def chosen(group, arguments):
    """The cases of a group that are to run."""
    for test in unittest.TestLoader().loadTestsFromTestCase(group):
        if any(word in test.id() for word in arguments.only or [""]):
            yield test


class Timed(unittest.TextTestResult):
    """Tells what each case took beside its name."""

    def startTest(self, test):
        self.began = time.monotonic()
        super().startTest(test)

    def addSuccess(self, test):
        self.stream.write(f"{time.monotonic() - self.began:.1f} s ")
        super().addSuccess(test)


def run(group, arguments):
    """Runs one group; answers what it printed and its result."""
    tests = unittest.TestSuite(chosen(group, arguments))
    stream = io.StringIO()
    began = time.monotonic()
    result = unittest.TextTestRunner(stream=stream, verbosity=2, descriptions=False, resultclass=Timed).run(tests)
    return group.__name__, stream.getvalue(), result, time.monotonic() - began


def complaints_about_page(sets):
    """Where the table of docs/clients.md and what was just run disagree."""
    page = (world.ROOT / "docs/clients.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `balena ([a-z -]+)` \| (\w+|-) \|", page, re.MULTILINE))
    for name in sorted(world.all_commands() - set(rows)):
        yield f"no row for `balena {name}`"
    for name, checked in rows.items():
        if name not in world.all_commands():
            yield f"`balena {name}` is no command of the CLI"
        if checked in sets and name not in world.used:
            yield f"`balena {name}` is said to be checked in `{checked}`, but no such command ended well"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", action="append", help="run the cases whose names hold this")
    parser.add_argument("sets", nargs="+", choices=sorted(SETS))
    arguments = parser.parse_args()
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))   # so that what was started is stopped
    cases.WORLD = world.World()
    good, count = True, 0
    try:
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            running = [pool.submit(run, group, arguments) for group in groups_of(arguments.sets)]
            for done in concurrent.futures.as_completed(running):
                name, text, result, seconds = done.result()
                print(f"== {name}: {result.testsRun} cases, {seconds:.0f} s\n{text}", flush=True)
                good = good and result.wasSuccessful()
                count += result.testsRun
    finally:
        cases.WORLD.close()
    if not arguments.only:
        for complaint in complaints_about_page(arguments.sets):
            print("docs/clients.md: " + complaint)
            good = False
    print(f"{count} cases, {sum(world.used.values())} commands of the CLI ended well, {time.monotonic() - began:.0f} s: "
          f"{'passed' if good else 'FAILED'}")
    assert count, "no case was run"
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
