#!/usr/bin/env python3
"""Builds of pushes: what they may reach, their limits, and many of them.
Usage: push_limits_test.py [class | class.case ...]"""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import unittest

from push_crash_world import Crash, HeldPush, begin, end, held
from push_world import LONG, OVER, new_mark, wait_for

setUpModule, tearDownModule = begin, end
BUILD_SECONDS = 3      # what a build that lasts may take
OUTPUT_BYTES = 1 << 20
MEMORY_BYTES = 64 << 20
BUILDS = int(os.environ.get("SLIPWAY_TEST_BUILDS", "20"))   # that wait at once
PER_FLEET = 16         # builds that a fleet may have


class Isolation(Crash):
    @classmethod
    def setUpClass(cls):
        Crash.world.serve(host="0.0.0.0")

    def test_a_step_reaches_neither_the_platform_nor_the_build_of_another_organization(self):
        page, mark = new_mark(), new_mark()
        serve = "mkdir /www; echo here >/www/index.html; httpd -p 8000 -h /www; "
        push = self.push(held(page, serve))
        container = self.world.wait_step(page)["Id"]
        (network,) = self.world.engine.inspect(container)["NetworkSettings"]["Networks"].values()
        # Both answer whoever may ask.
        wait_for("the server of the other build", LONG, lambda: self.world.inside(
            container, "wget", "-q", "-O", "/dev/null", f"http://{network['IPAddress']}:8000/index.html") == 0)
        socket.create_connection((network["Gateway"], self.world.server.port), LONG).close()
        tries = [("platform", network["Gateway"], self.world.server.port), ("other", network["IPAddress"], 8000), ("itself", "127.0.0.1", 8000)]
        asks = "; ".join(f"if nc -w 5 {host} {port} </dev/null; then echo {mark} reaches {who}; else echo {mark} misses {who}; fi"
                         for who, host, port in tries)
        bob = self.world.person()
        folder = self.world.project(bob, {"Dockerfile": f"FROM slipway/busybox\nRUN {serve}{asks}; false\n"})
        said = self.world.slipway_push(bob, bob.fleet("f" + new_mark()), folder).end(code=None)
        self.assertEqual(re.findall(rf"(?m)^\[main\] +{mark} (.*)$", said), ["misses platform", "misses other", "reaches itself"])
        push.interrupt()
        push.end(code=None)
        self.assert_nothing_left()


@unittest.skipUnless(os.environ.get("SLIPWAY_OWN_MACHINE") == "inside", "changes the machine's nameserver")
class Names(Crash):
    """Names are asked by the engine, of whom the machine asks."""

    HERE, FAR, LINK_LOCAL = "198.51.100.1", "198.51.100.2", "169.254.169.254"
    NAMED = "192.0.2.77"   # whatever is asked for

    @classmethod
    def setUpClass(cls):
        cls.world.serve()
        cls.resolver = cls.world.folder / "resolv.conf"
        cls.resolver.touch()
        cls.command("mount", "--bind", cls.resolver, "/etc/resolv.conf")
        cls.addClassCleanup(cls.command, "umount", "/etc/resolv.conf")
        machine = [sys.executable, pathlib.Path(__file__).parents[1] / "support/far_machine.py", cls.NAMED]
        # A socket has no address of its own where not even loopback has one.
        own_network = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "far"]
        far = subprocess.Popen([*own_network, *machine, cls.FAR, cls.LINK_LOCAL], stdout=subprocess.PIPE, text=True)
        near = subprocess.Popen([*machine, "127.0.0.1"], stdout=subprocess.PIPE, text=True)
        for process in (far, near):
            cls.addClassCleanup(cls.stop, process)
            assert process.stdout.readline() == "ready\n"
        cls.command("ip", "link", "add", "far", "type", "veth", "peer", "name", "far", "netns", str(far.pid))
        cls.addClassCleanup(cls.command, "ip", "link", "delete", "far")
        for prefix, address in (((), cls.HERE), (("nsenter", "--net", "--target", str(far.pid)), cls.FAR)):
            cls.command(*prefix, "ip", "address", "add", address + "/24", "dev", "far")
            cls.command(*prefix, "ip", "link", "set", "far", "up")
        cls.command("nsenter", "--net", "--target", str(far.pid), "ip", "address", "add", cls.LINK_LOCAL + "/32", "dev", "far")
        cls.command("ip", "route", "add", cls.LINK_LOCAL, "dev", "far")

    @staticmethod
    def command(*words):
        subprocess.run(words, check=True)

    @staticmethod
    def stop(process):
        process.kill()
        process.wait()
        process.stdout.close()

    def test_a_step_resolves_names_wherever_the_machine_asks_for_them(self):
        for nameserver in (self.FAR, "127.0.0.1", self.LINK_LOCAL):
            with self.subTest(nameserver):
                self.resolver.write_text(f"nameserver {nameserver}\n", encoding="ascii")
                said = self.push(f"FROM slipway/busybox\nRUN nslookup {new_mark()}.example.org; false\n").end(code=None)
                self.assertIn("Address: " + self.NAMED, said)

    def test_of_link_local_addresses_a_step_reaches_the_nameserver_alone(self):
        asks = "; ".join(f"nc -w 5 {host} 80 </dev/null && echo reached {host}" for host in (self.FAR, self.LINK_LOCAL))
        said = self.push(f"FROM slipway/busybox\nRUN {asks}; false\n").end(code=None)
        self.assertEqual(re.findall(r"(?m)^\[main\] +reached (.*)$", said), [self.FAR])


class Limits(Crash):
    def assert_fails(self, text, reason):
        self.assertIn(reason, self.push(text).end(code=None))
        self.assert_failed(self.latest(), reason)
        self.assertEqual(self.build()["attempt"], 1)
        self.assert_nothing_left()
        self.assert_a_new_push_works()

    def test_a_build_that_takes_too_long_fails_with_the_reason(self):
        self.world.serve(SLIPWAY_BUILD_SECONDS=str(BUILD_SECONDS))
        self.assertIn(f"longer than {BUILD_SECONDS} seconds", self.push(held(new_mark())).end(code=None))
        self.assert_failed(self.latest(), f"longer than {BUILD_SECONDS} seconds")
        self.assert_nothing_left()

    def test_a_build_that_prints_too_much_fails_with_the_reason(self):
        self.world.serve(SLIPWAY_BUILD_OUTPUT_BYTES=str(OUTPUT_BYTES))
        # Long lines: it is the bytes that count.
        self.assert_fails(f"FROM slipway/busybox\nRUN yes {new_mark() * 300} | head -c {3 * OUTPUT_BYTES}\n", "printed more than 1 MiB")

    def test_a_build_that_needs_too_much_memory_fails_with_the_reason(self):
        self.world.serve(SLIPWAY_BUILD_MEMORY_BYTES=str(MEMORY_BYTES))
        # What the step makes of it is not what tells.
        self.assert_fails(f"FROM slipway/busybox\nRUN echo {new_mark()}; tail /dev/zero; exit 3\n", "more memory than the 64 MiB")


class Queue(Crash):
    def detached(self, fleet):
        """Id of a release whose build waits."""
        folder = self.project(f"FROM slipway/busybox\nLABEL mark={new_mark()}\n")
        return json.loads(self.world.slipway_push(self.ann, fleet, folder, "--detached", "--json").end())["id"]

    def builds(self, releases):
        found = {b["release"]["__id"]: b for b in self.ann.api.rows("/v7/build")}
        return [found[r] for r in releases]

    def test_many_builds_that_wait_are_built_in_their_order_and_leave_nothing(self):
        self.world.serve(SLIPWAY_BUILDER_SLOTS="1")
        first = HeldPush(self, "slipway")
        first.wait_step()
        fleets = [self.ann.fleet("q" + new_mark()) for _ in range(-(-BUILDS // PER_FLEET))]
        releases = [self.detached(fleets[n % len(fleets)]) for n in range(BUILDS)]
        self.assertEqual({b["status"] for b in self.builds(releases)}, {"queued"})
        first.succeed(attempt=1)
        wait_for("all builds", LONG, lambda: all(b["status"] in OVER for b in self.builds(releases)))
        builds = self.builds(releases)
        self.assertEqual({(b["status"], b["attempt"]) for b in builds}, {("released", 1)})
        begun = [b["services"][0]["started"] for b in builds]
        self.assertEqual(begun, sorted(begun))
        for n, fleet in enumerate(fleets):
            self.assertEqual(self.world.target_of(self.ann, fleet), releases[n::len(fleets)][-1])
        self.assert_nothing_left()


if __name__ == "__main__":
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    unittest.main(verbosity=2)
