#!/usr/bin/env python3
"""Push to deploy, end to end: a client pushes source, the server builds it with a real engine, an agent runs the release.
Usage: push_test.py slipway|git|balena [case ...]"""

import os
import sys
import time
import unittest

from push_world import PushWorld, dockerfile, new_mark, wait_for

CLIENT = sys.argv.pop(1) if len(sys.argv) > 1 else "slipway"
WORLD = None
STEP_SECONDS = 8   # of the step that shows whether output is live


def setUpModule():
    global WORLD
    WORLD = PushWorld()


def tearDownModule():
    WORLD.close()


def compose(*services):
    return "version: '2.4'\nservices:\n" + "".join(f"  {s}:\n    build: ./{s}\n" for s in services)


class Push(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ann = WORLD.person()

    def setUp(self):
        self.fleet = self.ann.fleet("f" + new_mark())

    def push(self, folder):
        return getattr(WORLD, CLIENT + "_push")(self.ann, self.fleet, folder)

    def project(self, files):
        return WORLD.project(self.ann, files)

    def latest(self):
        return WORLD.releases(self.ann, self.fleet)[0]

    def assert_released(self, *services):
        release = self.latest()
        self.assertEqual((release["status"], WORLD.services_of(release)), ("success", {s: "success" for s in services}))
        self.assertEqual(WORLD.build_of(self.ann, release)["status"], "released")
        self.assertEqual(WORLD.target_of(self.ann, self.fleet), release["id"])
        if CLIENT == "git":
            self.assertEqual(self.remote_head(), release["commit"])
        return release

    def remote_head(self):
        """The commit that `main` is at on the server, None when there is no such branch."""
        said = WORLD.git(self.ann, self.ann.home, "ls-remote", WORLD.git_remote(self.fleet), "refs/heads/main")
        return said.split()[0] if said else None

    def test_a_single_container_is_pushed_built_and_installed(self):
        mark = new_mark()
        said = self.push(self.project({"Dockerfile": dockerfile(mark)})).end()
        self.assertIn(mark + " begins", said)
        release = self.assert_released("main")
        self.assertIn(f"release({release['id']})" if CLIENT == "git" else release["commit"], said)
        # A project without a compose file is privileged (balena-api.md 6.4), which not every machine of tests may run.
        WORLD.wait_installed(self.ann, WORLD.device(self.ann, self.fleet), release)

    def test_a_project_with_several_containers_is_pushed_built_and_run(self):
        pump, valve = new_mark(), new_mark()
        files = {"docker-compose.yml": compose("pump", "valve"), "pump/Dockerfile": dockerfile(pump),
                 "valve/Dockerfile.template": dockerfile(valve), "valve/file": "text"}
        push = self.push(self.project(files))
        said = push.end()
        for service, mark in (("pump", pump), ("valve", valve)):
            self.assertRegex(said, rf"\[{service}\].*{mark} begins")
        release = self.assert_released("pump", "valve")
        device = WORLD.device(self.ann, self.fleet)
        WORLD.wait_runs(self.ann, device, release, "pump", "valve")
        # The next one is taken over, and only what changed is new.
        before = device.started("pump")
        folder = self.project({**files, "valve/file": "another text", "valve/Dockerfile.template": dockerfile(new_mark())})
        self.push_again(folder).end()
        second = self.assert_released("pump", "valve")
        self.assertNotEqual(second["id"], release["id"])
        WORLD.wait_runs(self.ann, device, second, "pump", "valve")
        self.assertEqual(device.started("pump"), before)

    def push_again(self, folder):
        """Over what the fleet's repository has: these are other histories."""
        if CLIENT == "git":
            return WORLD.git_push(self.ann, self.fleet, folder, "--force")
        return self.push(folder)

    def test_a_build_that_fails_in_its_second_service_fails_the_release(self):
        good, bad = new_mark(), new_mark()
        push = self.push(self.project({
            "docker-compose.yml": compose("good", "bad"), "good/Dockerfile": dockerfile(good),
            "bad/Dockerfile": dockerfile(bad, "&& echo this is wrong >&2 && exit 3")}))
        said = push.end(code=None)
        self.assertRegex(said, r"\[bad\].*this is wrong")
        release = self.latest()
        self.assertEqual(release["status"], "failed")
        self.assertEqual(WORLD.services_of(release)["bad"], "failed")
        build = WORLD.build_of(self.ann, release)
        self.assertEqual(build["status"], "failed")
        self.assertIn("bad", build["error_message"])
        self.assertIsNone(WORLD.target_of(self.ann, self.fleet))
        if CLIENT == "git":
            self.assertIsNone(self.remote_head())
            self.assertIn("rejected", said)
        self.assertEqual(WORLD.building(), [])

    def test_a_build_that_is_cancelled_half_way_leaves_nothing_and_a_new_push_works(self):
        mark = new_mark()
        push = self.push(self.project({"Dockerfile": dockerfile(mark, "&& sleep 600")}))
        push.wait_line(mark + " begins")
        push.interrupt()
        push.end(code=None)
        release = self.latest()
        self.assertEqual(WORLD.wait_over(self.ann, release)["status"], "cancelled")
        self.assertEqual(self.latest()["status"], "cancelled")
        wait_for("end of the build's containers", 60, lambda: not WORLD.building())
        if CLIENT == "git":
            self.assertIsNone(self.remote_head())
        self.push(self.project({"Dockerfile": dockerfile(new_mark())})).end()
        self.assert_released("main")

    def test_gigabytes_that_are_ignored_cost_nothing(self):
        folder = self.project({"Dockerfile": dockerfile(new_mark()), ".dockerignore": "big\n", ".gitignore": "big\n"})
        (folder / "big").mkdir()
        with open(folder / "big/file", "wb") as file:
            file.truncate(2 << 30)
        began = time.monotonic()
        self.push(folder).end()
        self.assertLess(time.monotonic() - began, 120)
        self.assert_released("main")

    def test_a_line_that_a_step_prints_reaches_the_client_before_the_step_ends(self):
        mark = new_mark()
        push = self.push(self.project({
            "Dockerfile": dockerfile(mark, f"&& sleep {STEP_SECONDS} && echo '{mark}' ends")}))
        first = push.wait_line(mark + " begins")
        last = push.wait_line(mark + " ends")
        push.end()
        self.assertGreater(last - first, STEP_SECONDS - 2)
        self.assert_released("main")

    def test_a_second_push_of_the_same_is_built_from_the_cache(self):
        files = {"Dockerfile": dockerfile(new_mark(), "&& sleep 5")}
        folder = self.project(files)
        self.push(folder).end()
        began = time.monotonic()
        said = self.push(folder).end()
        self.assertLess(time.monotonic() - began, 60)
        self.assertIn("ache", said)
        self.assert_released("main")


if __name__ == "__main__":
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    unittest.main(verbosity=2)
