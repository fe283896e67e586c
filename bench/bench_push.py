#!/usr/bin/env python3
"""Push to deploy: a server, its builder, an engine and an agent of their own, beside the same engine without Slipway.

usage: bench_push.py [--bin FOLDER] [--quick] [--runs 9] [--builds 50] [--readers 100] [--lines 50000] [push|queue|logs ...]

push: from the start of a client to its end and to the start of the container, for one small file that changed, beside the engine's own
  work for the same: build, push to the same registry, pull, stop the old container, start the new one. In turns; medians.
queue: many builds that wait for one worker, beside the same builds and pushes given to the engine directly.
logs: many readers of one build's log while a step prints as fast as it can.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import resource
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import types

ROOT = pathlib.Path(__file__).resolve().parents[1]
PER_FLEET = 16   # builds that a fleet may have at once

PRINTING = """FROM slipway/busybox
RUN sleep {wait} && awk 'BEGIN {{ for (i = 1; i <= {lines}; i++) print "{mark} line " i " of what a build prints in one go" }}'
"""


# One push.

class Times:
    """Milliseconds by row and column; all runs."""

    def __init__(self):
        self.seen = {}

    def add(self, row, **columns):
        for column, seconds in columns.items():
            self.seen.setdefault(row, {}).setdefault(column, []).append(seconds * 1000)

    def median(self, row, column):
        return statistics.median(self.seen[row][column])

    def over(self, row, base, column):
        """The median of what the row took longer than the base in the same turn: the load changes from turn to turn."""
        return statistics.median(a - b for a, b in zip(self.seen[row][column], self.seen[base][column]))


def settle(bench):
    """Until the engine has been idle for a while: the worker and the agent clear up after a push, which the next in turn shall not pay for."""
    while bench.direct.events(time.time() - 1.5, time.time()):
        time.sleep(0.2)


def started_container(bench, device, since):
    """When the device's container of this release came up, by the engine's clock."""
    end = time.monotonic() + LONG
    while time.monotonic() < end:
        for at, kind, action, attributes in bench.direct.events(since, time.time()):
            if kind == "container" and action == "start" and attributes.get("io.slipway.device") == device.uuid:
                return at
        time.sleep(0.1)
    raise RuntimeError("no container was started")


def stages(bench, release, began, ended, running):
    """Where the time of a push went, from the log's times and the engine's events: (name, until when)."""
    log = [json.loads(line) for line in bench.api.get(f"/build/v1/{release['id']}/log").text.splitlines()]
    events = bench.direct.events(began, running + 0.5)

    def said(words):
        return next(line["at"] / 1000 for line in log if words in line.get("text", ""))

    def engine(kind, action):
        return next((at for at, k, a, more in events if (k, a) == (kind, action) and "io.slipway.device" not in more), None)
    of_service = [line["at"] / 1000 for line in log if "service" in line]
    last_of_service = max(n for n, line in enumerate(log) if "service" in line)
    marks = [("source taken, row written", said("is queued")), ("given to the worker", said("Building on")),
             ("source fetched, engine began", of_service[0]), ("built", engine("image", "tag")),
             ("pushed", engine("image", "push")), ("worker says so", log[last_of_service + 1]["at"] / 1000),
             ("released", next(line["at"] / 1000 for line in log if "end" in line)), ("container runs", running)]
    return [(name, at) for name, at in marks if at is not None]


def measure_direct(bench, clients, service, times):
    engine, files = bench.direct, clients.prepare("direct")
    place = bench.new_place(clients.fleet, service)
    settle(bench)
    times_of = [time.time()]
    engine.build(files, "direct")
    times_of.append(time.time())
    engine.tag("direct", place)
    digest = engine.push(place, bench.api.token)
    times_of.append(time.time())
    engine.pull(place, digest, bench.api.token)
    old = [c for c in engine.call("GET", "/containers/json")[0] if "/direct" in c["Names"]]
    for c in old:
        engine.call("POST", f"/containers/{c['Id']}/stop?t=10", b"")
        engine.call("DELETE", f"/containers/{c['Id']}")
    made = engine.call("POST", "/containers/create?name=direct", {"Image": f"{place}@{digest}", "HostConfig": {"NetworkMode": "direct"}})[0]
    engine.call("POST", f"/containers/{made['Id']}/start", b"")
    times_of.append(time.time())
    a, b, c, d = times_of
    times.add("direct", build=b - a, push=c - b, run=d - c, client=c - a, running=d - a)


def measure_push(bench, clients, kind, device, times):
    files = clients.prepare(kind)
    settle(bench)
    began = time.time()
    clients.push(kind, files)
    ended = time.time()
    running = started_container(bench, device, began)
    times.add(kind, client=ended - began, running=running - began)
    release = bench.api.rows(f"/v7/release?$filter=belongs_to__application eq {clients.fleet.id} and status eq 'success'"
                             "&$orderby=id desc&$top=1")[0]
    before = began
    for name, at in stages(bench, release, began, ended, running):
        times.add(kind + " stages", **{name: at - before})
        before = at


def bench_push(bench, a):
    fleet = bench.new_fleet()
    device = bench.add_device(fleet)
    clients, times = Clients(bench, fleet), Times()
    bench.post(fleet, clients.prepare("first"))
    service = bench.api.rows(f"/v7/service?$filter=application eq {fleet.id}&$select=id")[0]["id"]
    bench.direct.call("POST", "/networks/create", {"Name": "direct"})
    started_container(bench, device, time.time() - LONG)
    measure_direct(bench, clients, service, Times())   # the first has no container to stop
    kinds = ("POST /v3/build", "slipway push", "git push")
    for _ in range(a.runs):
        measure_direct(bench, clients, service, times)
        for kind in kinds:
            measure_push(bench, clients, kind, device, times)
    print(f"push of one small file, warm cache, medians of {a.runs} in turns, `over` the median of the differences, ms")
    print(f"  the engine alone: build {times.median('direct', 'build'):.0f}, push {times.median('direct', 'push'):.0f}, "
          f"pull and restart {times.median('direct', 'run'):.0f}")
    print(f"  {'':16}{'client':>8}{'engine':>8}{'over':>7}{'running':>9}{'engine':>8}{'over':>7}   (target of the last: < 300)")
    for kind in kinds:
        line = f"  {kind:16}"
        for column in ("client", "running"):
            ours, alone = times.median(kind, column), times.median("direct", column)
            line += f"{ours:8.0f}{alone:8.0f}{times.over(kind, 'direct', column):7.0f} "
        print(line)
    for kind in kinds:
        parts = ", ".join(f"{name} {statistics.median(ms):.0f}" for name, ms in times.seen[kind + " stages"].items())
        print(f"  {kind}: {parts}")


# Many builds.

def bench_queue(bench, a):
    fleets = [bench.new_fleet() for _ in range(-(-a.builds // PER_FLEET))]
    for fleet in fleets:   # the first build of a fleet has no cache of its own to look at
        bench.post(fleet, project())
    work = [(fleets[n // PER_FLEET], project()) for n in range(a.builds)]
    cpu, began = bench.cpu(), time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        releases = list(pool.map(lambda w: bench.post(*w, headless="true")["releaseId"], work))
    taken = time.monotonic() - began
    bench.wait_builds(releases)
    ours, cpu = time.monotonic() - began, bench.cpu() - cpu
    service = bench.api.rows(f"/v7/service?$filter=application eq {fleets[0].id}&$select=id")[0]["id"]

    def alone(count, at_once):
        places = [bench.new_place(fleets[0], service) for _ in range(count)]
        local = threading.local()

        def one(place):
            if not hasattr(local, "engine"):
                local.engine = DirectEngine(bench.engine.socket)
            local.engine.build(project(), place)
            local.engine.push(place, bench.api.token)
        start = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
            list(pool.map(one, places))
        return time.monotonic() - start
    cores = os.cpu_count()
    one, many = alone(a.builds, 1), alone(a.builds, cores)
    print(f"{a.builds} builds queued in {len(fleets)} fleets, one worker with {cores} slots: taken after {taken:.1f} s, released after {ours:.1f} s")
    print(f"  {a.builds / ours:.2f} builds/s, server CPU {cpu / a.builds * 1000:.0f} ms each; the engine alone, build and push: "
          f"{a.builds / one:.2f}/s one by one (ratio {one / ours:.2f}), {a.builds / many:.2f}/s {cores} at once (ratio {many / ours:.2f})")


# Many readers.

def read_by(bench, fleet, count, lines):
    mark = secrets.token_hex(4)
    files = {"Dockerfile": PRINTING.format(wait=3, lines=lines, mark=mark)}
    release = bench.post(fleet, files, headless="true")["releaseId"]
    cpu, used = bench.cpu(), resource.getrusage(resource.RUSAGE_CHILDREN)
    readers = subprocess.run(
        [sys.executable, str(ROOT / "bench/push_readers.py"), str(bench.server.port), f"/build/v1/{release}/log?follow=true",
         str(count), str(lines)], env={**os.environ, "TOKEN": bench.api.token}, stdout=subprocess.PIPE, check=True, timeout=LONG)
    got, after = json.loads(readers.stdout), resource.getrusage(resource.RUSAGE_CHILDREN)
    bench.wait_builds([release])
    log = [json.loads(line) for line in bench.api.get(f"/build/v1/{release}/log").text.splitlines()]
    at = {}   # when the server got the line
    for line in log:
        found = re.match(mark + r" line (\d+) of", line.get("text", ""))
        if found:
            at[int(found.group(1))] = line["at"] / 1000
    first, last = min(at), max(at)
    span = max(got["last"][str(last)] - at[first], 0.001) if str(last) in got["last"] else 0.001
    return types.SimpleNamespace(
        cpu=bench.cpu() - cpu, reader_cpu=after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime, kept=len(at), rate=len(at) / span, printed=at[last] - at[first],
        spread=[(got["last"][n] - got["first"][n]) * 1000 for n in got["last"]],
        delay=[(got["last"][n] - at[int(n)]) * 1000 for n in got["last"] if int(n) in at], end=(got["end"][1] - got["end"][0]) * 1000)


def bench_logs(bench, a):
    fleet = bench.new_fleet()
    one, many = read_by(bench, fleet, 1, a.lines), read_by(bench, fleet, a.readers, a.lines)

    def summary(all_ms):
        ordered = sorted(all_ms)
        return f"p50 {statistics.median(ordered):.0f}, max {ordered[-1]:.0f} ms"
    print(f"{many.kept} lines that a step printed within {many.printed:.1f} s, {a.readers} readers that follow")
    print(f"  {many.rate:.0f} lines/s to each reader (one reader alone {one.rate:.0f}); server CPU {many.cpu:.2f} s, "
          f"with one reader {one.cpu:.2f} s, readers' own {many.reader_cpu:.2f} s: "
          f"{max(many.cpu - one.cpu, 0) / max(a.readers - 1, 1) / many.kept * 1e6:.2f} us for a line and reader")
    print(f"  the last reader behind the first: {summary(many.spread)}, end of the log {many.end:.0f} ms; "
          f"behind the server's own receipt: {summary(many.delay)} (one reader: {summary(one.delay)})")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--runs", type=int)
    parser.add_argument("--builds", type=int)
    parser.add_argument("--readers", type=int)
    parser.add_argument("--lines", type=int)
    parser.add_argument("parts", nargs="*", choices=[[], "push", "queue", "logs"])
    a = parser.parse_args()
    for name, whole, quick in (("runs", 9, 1), ("builds", 50, 2), ("readers", 100, 10), ("lines", 50_000, 2_000)):
        if getattr(a, name) is None:
            setattr(a, name, quick if a.quick else whole)
    print(f"push, load {os.getloadavg()[0]:.1f} at the start")
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
        bench = PushBench(folder)
        try:
            for name, part in (("push", bench_push), ("queue", bench_queue), ("logs", bench_logs)):
                if not a.parts or name in a.parts:
                    part(bench, a)
                    sys.stdout.flush()
        finally:
            bench.close()
    print(f"  load {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    if os.environ.get("SLIPWAY_OWN_MACHINE") not in ("inside", "no"):
        own = str(ROOT / "tests/support/own_machine")
        os.execv(own, [own, sys.executable, os.path.abspath(__file__), *sys.argv[1:]])
    chosen = [sys.argv[n + 1] for n, word in enumerate(sys.argv[:-1]) if word == "--bin"]
    os.environ["SLIPWAY_BIN"] = os.path.abspath(chosen[-1] if chosen else "build/release/bin")
    from push_bench import LONG, Clients, PushBench, project
    from push_engine import DirectEngine
    main()
