#!/usr/bin/env python3
"""The server's housekeeping of repositories: packing beside pushes, what goes with a fleet, and what a git leaves that is killed."""

import glob
import os
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from git_server_test import World  # noqa: E402
from git_world import Folder  # noqa: E402
from support.slipwayd import wait_until  # noqa: E402

PUSHES = 21        # the last one makes a pack more than the server leaves alone
FILE_BYTES = 64 << 10
SWEEP_SECONDS = 60
LONG = 300         # only ever means failure


class Care(unittest.TestCase):
    def setUp(self):
        self.folder = Folder()
        self.addCleanup(self.folder.remove)
        self.world = World(SLIPWAY_BUILDER_ENGINE="none")
        self.addCleanup(self.world.stop)
        self.data = os.path.join(self.world.server.folder, "data")
        self.folder.given_project()

    def push(self, *arguments):
        self.folder.write("file", os.urandom(FILE_BYTES))
        self.folder.commit()
        self.folder.git("push", "-q", self.world.url(), *(arguments or ("main",)), at="work")

    # Packing.

    def packs(self):
        return glob.glob(self.world.repository() + "/objects/pack/*.pack")

    def child(self, word):
        """A program of the server's with this word among its own; it leads its process group. None = there is none."""
        children = ""
        for path in glob.glob(f"/proc/{self.world.server.process.pid}/task/*/children"):
            try:
                with open(path, encoding="ascii") as file:
                    children += file.read()
            except OSError:
                continue
        for pid in children.split():
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if word in file.read():
                        return int(pid)
            except OSError:
                continue
        return None

    def packer(self):
        return self.child(b"\0gc\0")

    def test_a_repository_of_many_pushes_is_packed_while_pushes_go_on(self):
        for _ in range(PUSHES):
            self.push()
        group = []
        wait_until(lambda: group.append(self.packer()) or group[-1], 2 * SWEEP_SECONDS + LONG)
        # In the middle of it, for as long as the push takes.
        os.killpg(group[-1], signal.SIGSTOP)
        try:
            self.push("main", "main:meanwhile")
            self.folder.git("fetch", "-q", self.world.url(), "main", at="work")
        finally:
            os.killpg(group[-1], signal.SIGCONT)
        wait_until(lambda: not self.packer(), LONG)
        self.assertLessEqual(len(self.packs()), 2)
        self.push()
        self.folder.git("clone", "-q", "-b", "main", self.world.url(), "copy")
        self.assertEqual(self.folder.head(at="copy"), self.folder.head())
        self.assertEqual(self.folder.git("rev-list", "--count", "HEAD", at="copy").out, str(PUSHES + 3))
        self.assertIn("refs/heads/meanwhile", self.folder.git("ls-remote", self.world.url()).out)
        self.folder.git("--git-dir=" + self.world.repository(), "-c", "safe.directory=*", "fsck", "--full", "--strict")

    # What goes with a fleet.

    def built(self, slug, branch):
        """A push of what is to be built; it waits for a worker that never comes."""
        return subprocess.Popen(["git", "push", self.world.url(slug=slug), f"HEAD:{branch}"], cwd=self.folder.path + "/work",
                                env=self.folder.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def logs(self):
        return {os.path.basename(path) for path in glob.glob(self.data + "/builds/logs/*")}

    def sources(self):
        return glob.glob(self.data + "/builds/sources/*")

    def releases(self, fleet, status):
        return self.world.ann.api.rows(f"/v7/release?$filter=belongs_to__application eq {fleet} and status eq '{status}'&$select=id")

    def test_a_removed_fleet_takes_its_repository_and_the_logs_and_sources_of_its_builds(self):
        api = self.world.ann.api
        fleet = self.world.ann.given_fleet("boats")
        slug = api.rows(f"/v7/application({fleet})?$select=slug")[0]["slug"]
        over = self.built(slug, "main")
        wait_until(lambda: self.releases(fleet, "running"), LONG)
        (release,) = self.releases(fleet, "running")
        self.assertEqual(api.patch(f"/v7/release({release['id']})", {"status": "cancelled"}).status, 200)
        self.assertIn(b"remote rejected", over.communicate(timeout=LONG)[1])
        waits = self.built(slug, "main")
        wait_until(lambda: self.releases(fleet, "running"), LONG)
        self.folder.git("push", "-q", self.world.url(slug=slug), "main:kept", at="work")
        self.push("main:other")   # a fleet that stays
        repository = f"{self.data}/git/{fleet}.git"
        self.assertTrue(os.path.isdir(repository))
        self.assertEqual((len(self.logs()), len(self.sources())), (2, 1))
        self.assertEqual(api.delete(f"/v7/application({fleet})").status, 200)
        self.assertIn(b"remote rejected", waits.communicate(timeout=LONG)[1])
        wait_until(lambda: not self.logs() and not self.sources(), LONG)
        wait_until(lambda: not os.path.exists(repository), 2 * SWEEP_SECONDS + LONG)
        self.assertFalse(self.folder.git("ls-remote", self.world.url(slug=slug), check=False).ok)
        self.assertIn("other", self.folder.git("ls-remote", self.world.url()).out)
        self.assertEqual(self.logs(), set())

    # git that is killed where it holds the lock of a ref.

    def held_push(self, url):
        """A push that is about to move its ref, and the process of git that will."""
        there, hold = (os.path.join(self.folder.path, name) for name in ("there", "hold"))
        hook = self.data + "/git/hooks/reference-transaction"
        with open(hold, "w", encoding="ascii"), open(hook, "w", encoding="ascii") as file:
            file.write(f'#!/bin/sh\n[ "$1" = prepared ] || exit 0\ntouch {there}\nwhile [ -e {hold} ]; do sleep 0.1; done\n')
        os.chmod(hook, 0o700)
        self.folder.write("file", os.urandom(FILE_BYTES))
        self.folder.commit()
        process = subprocess.Popen(["git", "push", url, "main"], cwd=self.folder.path + "/work", env=self.folder.environment(),
                                   stderr=subprocess.PIPE)
        wait_until(lambda: os.path.exists(there), LONG)
        os.unlink(hook)
        os.unlink(there)
        self.assertTrue(self.locks())
        return process, self.child(b"\0receive-pack\0")

    def locks(self):
        return glob.glob(self.world.repository() + "/**/*.lock", recursive=True)

    def assert_failed_and_free(self, process, url):
        said = process.communicate(timeout=LONG)[1]
        self.assertNotEqual(process.returncode, 0, said)
        self.assertIn(b"the remote end hung up unexpectedly", said)
        wait_until(lambda: not self.locks(), LONG)
        self.folder.git("push", "-q", url, "main", at="work")

    def test_a_git_that_is_killed_fails_its_push_and_leaves_the_branch_free(self):
        self.world.given_key(self.folder)
        for url in (self.world.url(), self.world.ssh_url()):
            with self.subTest(url[:4]):
                process, git = self.held_push(url)
                os.kill(git, signal.SIGKILL)
                self.assert_failed_and_free(process, url)

    def test_a_power_cut_while_a_ref_moves_leaves_the_branch_free(self):
        process, git = self.held_push(self.world.url())
        os.kill(self.world.server.process.pid, signal.SIGSTOP)
        os.killpg(git, signal.SIGKILL)
        self.world.server.kill()
        self.assertTrue(self.locks())
        self.world.server.start(env={"SLIPWAY_BUILDER_ENGINE": "none"})
        self.assert_failed_and_free(process, self.world.url())


if __name__ == "__main__":
    unittest.main()
