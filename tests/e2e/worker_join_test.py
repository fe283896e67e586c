#!/usr/bin/env python3
"""A build worker of another machine: its join token, and the end of its right, with a real slipwayd and dockerd."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, ".."))
from agent_world import Engine  # noqa: E402
from support.slipwayd import Slipwayd  # noqa: E402
from support.tenant import Tenant  # noqa: E402


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Worker:
    """A process `slipwayd builder` with its log."""

    def __init__(self, binary, core, token_file, engine, folder):
        self.log = []
        self.process = subprocess.Popen(
            [binary, "builder", "--core", core, "--token-file", token_file, "--engine", "unix://" + engine,
             "--work-dir", folder, "--build-network", "open"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.reader = threading.Thread(target=lambda: self.log.extend(self.process.stdout), daemon=True)
        self.reader.start()

    def said(self, text, count=1, seconds=30):
        until = time.monotonic() + seconds
        while sum(text in line for line in self.log) < count:
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
        return True

    def line(self, text):
        """The first of its lines with these words."""
        return next(line for line in self.log if text in line).rstrip()

    def stop(self):
        self.process.terminate()
        status = self.process.wait(30)
        self.reader.join(10)
        self.process.stdout.close()
        return status


class Push:
    """`slipway push` of a project to a fleet, with what it prints."""

    def __init__(self, server, owner, fleet, files):
        self.folder = tempfile.mkdtemp(prefix="slipway-project-")
        for name, text in files.items():
            path = os.path.join(self.folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        slug = owner.api.rows(f"/v7/application({fleet})?$select=slug")[0]["slug"]
        self.text = ""
        self.process = subprocess.Popen(
            [os.path.join(os.environ["SLIPWAY_BIN"], "slipway"), "push", slug, self.folder],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "HOME": self.folder, "SLIPWAY_SERVER": f"http://127.0.0.1:{server.port}",
                 "SLIPWAY_TOKEN": owner.api.token})
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.text += line

    def said(self, words, seconds=60):
        until = time.monotonic() + seconds
        while words not in self.text and time.monotonic() < until:
            time.sleep(0.05)
        return words in self.text

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def end(self, seconds=300):
        """Its exit code."""
        code = self.process.wait(seconds)
        self.reader.join(10)
        self.process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        return code


class WorkerJoin(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="slipway-test-")
        cls.engine = Engine(cls.folder, "127.0.0.1:1")
        cls.core = f"tcp://127.0.0.1:{free_port()}"
        cls.server = Slipwayd()
        cls.environment = {"SLIPWAY_BUILDER_ENGINE": "none", "SLIPWAY_BUILDER_ENDPOINT": cls.core}
        cls.server.start(env=cls.environment)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.engine.stop()
        shutil.rmtree(cls.server.folder, ignore_errors=True)
        shutil.rmtree(cls.folder, ignore_errors=True)

    def admin(self, *arguments):
        return subprocess.run(
            [self.server.binary, "admin", "--data-dir", os.path.join(self.server.folder, "data"), *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, check=False)

    def token(self, name):
        made = self.admin("builder", "add", name)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertTrue(made.stdout.startswith("slipway-builder-"))
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(made.stdout)
        return path

    def worker(self, name, token_file):
        return Worker(self.server.binary, self.core, token_file, self.engine.socket, os.path.join(self.folder, "w-" + name))

    def names(self):
        return [row["name"] for row in json.loads(self.admin("builder", "list", "--json").stdout)]

    def test_a_worker_joins_with_its_token_until_it_is_removed(self):
        worker = self.worker("big", self.token("big"))
        try:
            self.assertTrue(worker.said("builder joined the core"), worker.log)
            self.assertIn("big", self.names())
            self.assertEqual(self.admin("builder", "rm", "big").stdout, "removed the worker big\n")
            self.assertTrue(worker.said("builder lost the core"), worker.log)
            time.sleep(3)  # it would be back long since
            self.assertFalse(worker.said("builder joined the core", 2, 0), worker.log)
            self.assertNotIn("big", self.names())
        finally:
            self.assertEqual(worker.stop(), 0)

    def test_a_token_that_was_made_without_a_server_is_good_after_its_start(self):
        self.server.stop()
        token = self.token("quiet")
        self.server.start(env=self.environment)
        worker = self.worker("quiet", token)
        try:
            self.assertTrue(worker.said("builder joined the core"), worker.log)
            # The server comes and goes, the token stays.
            self.server.stop()
            self.assertTrue(worker.said("builder lost the core"), worker.log)
            self.server.start(env=self.environment)
            self.assertTrue(worker.said("builder joined the core", 2), worker.log)
        finally:
            self.assertEqual(worker.stop(), 0)

    def test_names_of_workers_are_plain_and_once(self):
        self.token("twin")
        twice = self.admin("builder", "add", "twin")
        self.assertEqual((twice.returncode, twice.stdout), (1, ""))
        self.assertIn("there is a worker twin already", twice.stderr)
        for wrong in ("embedded", "Big", "a b", "-a", ""):
            with self.subTest(wrong):
                self.assertEqual(self.admin("builder", "add", "--", wrong).returncode, 1)
        gone = self.admin("builder", "rm", "nobody")
        self.assertEqual(gone.returncode, 1)
        self.assertIn("there is no worker nobody", gone.stderr)

    def test_workers_are_rows_that_only_the_platform_sees(self):
        self.token("seen")
        admin = self.server.login()
        self.assertIn("seen", [row["name"] for row in admin.rows("/v7/builder?$select=name")])
        made = admin.create("user", username="ann", password="their password", email="ann@example.org")
        self.assertTrue(made["id"])
        other = self.server.login("ann", "their password")
        self.assertEqual(other.rows("/v7/builder"), [])

    def test_a_push_for_an_architecture_that_no_worker_builds_waits_and_says_so(self):
        # Here no kernel handler is mounted, as on a machine without QEMU.
        worker = self.worker("native", self.token("native"))
        try:
            self.assertTrue(worker.said("builder joined the core"), worker.log)
            ours = worker.line("builder starts").split("architectures=")[1].split(",")
            kind, other = ("raspberrypi4-64", "aarch64") if "aarch64" not in ours else ("generic-amd64", "amd64")
            self.assertNotIn(other, ours)
            owner = Tenant(self.server, self.server.login())
            fleet = owner.given_fleet("elsewhere", kind)
            push = Push(self.server, owner, fleet, {"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"})
            self.assertTrue(push.said(f"No worker that builds for {other} is here yet: waiting"), push.text)
            build = owner.api.rows(f"/v7/build?$filter=release/belongs_to__application eq {fleet}")
            self.assertEqual([b["status"] for b in build], ["queued"])
            time.sleep(3)  # it would be taken long since
            self.assertIsNone(push.process.poll(), push.text)
            push.interrupt()
            self.assertNotEqual(push.end(), 0)
            self.assertNotIn("Building on", push.text)
        finally:
            self.assertEqual(worker.stop(), 0)

    def test_a_secret_is_in_no_log(self):
        token = self.token("hidden")
        with open(token, encoding="utf-8") as file:
            secret = file.read().strip()
        worker = self.worker("hidden", token)
        try:
            self.assertTrue(worker.said("builder joined the core"), worker.log)
        finally:
            worker.stop()
        self.assertNotIn(secret, "".join(worker.log) + "\n".join(self.server.log))


if __name__ == "__main__":
    unittest.main()
