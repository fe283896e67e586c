#!/usr/bin/env python3
"""`slipway push` and `slipway build` against a real slipwayd that has no engine: what is pushed waits in the queue."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support.slipwayd import Slipwayd, wait_until  # noqa: E402
from support.tenant import Tenant  # noqa: E402

SLIPWAY = str(pathlib.Path(os.environ["SLIPWAY_BIN"]) / "slipway")
NO_ENGINE = {"SLIPWAY_BUILDER_ENGINE": "none"}
SERVER = None


def setUpModule():
    global SERVER
    SERVER = Slipwayd().start(env=NO_ENGINE)


def tearDownModule():
    try:
        status = SERVER.stop()
        assert status == 0, f"slipwayd ended with {status}:\n{SERVER.text()}"
    finally:
        SERVER.remove()


class Push(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="slipway-push-")
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)
        self.ann = Tenant(SERVER, SERVER.login())
        self.project = self.home / "project"
        self.write("Dockerfile", "FROM slipway/busybox\n")

    def write(self, name, text):
        (self.project / name).parent.mkdir(parents=True, exist_ok=True)
        (self.project / name).write_text(text)

    def command(self, who, arguments):
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.home),
            "SLIPWAY_SERVER": f"http://127.0.0.1:{SERVER.port}", "SLIPWAY_TOKEN": who.api.token,
        }
        environment.update({k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")})
        return {"args": [SLIPWAY, *map(str, arguments)], "env": environment, "cwd": self.home, "stdin": subprocess.DEVNULL,
                "start_new_session": True}

    def slipway(self, *arguments, code=0, who=None):
        done = subprocess.run(**self.command(who or self.ann, arguments), capture_output=True, timeout=120, check=False, text=True)
        self.assertEqual(done.returncode, code, done)
        return done

    def start(self, *arguments):
        process = subprocess.Popen(**self.command(self.ann, arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(lambda: process.poll() is not None or (process.kill(), process.communicate()))
        return process

    def builds(self):
        return json.loads(self.slipway("build", "list", "cars", "--json").stdout)

    def given_queued(self):
        """A push that waits, and its release."""
        process = self.start("push", "cars", self.project)
        wait_until(lambda: self.builds() and self.builds()[0]["status"] == "queued")
        return process, self.builds()[0]["release"]

    def status_of(self, release):
        shown = json.loads(self.slipway("build", "show", release, "--json").stdout)
        row = self.ann.api.rows(f"/v7/release({release})?$select=status")[0]
        return shown["status"], row["status"]

    def assert_cancelled(self, release):
        wait_until(lambda: self.status_of(release) == ("cancelled", "cancelled"))

    def test_a_build_that_waits_is_cancelled_by_its_release_and_the_push_ends_with_1(self):
        process, release = self.given_queued()
        self.slipway("build", "cancel", release)
        _, error = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1, error)
        self.assert_cancelled(release)
        done = self.slipway("build", "cancel", release, code=1)
        self.assertIn("the build is over: cancelled", done.stderr)
        records = [json.loads(line) for line in self.slipway("build", "logs", release, "--json").stdout.splitlines()]
        self.assertEqual(records[-1]["end"], "cancelled")

    def test_ctrl_c_cancels_the_build_on_a_real_server(self):
        process, release = self.given_queued()
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, error)
        self.assert_cancelled(release)

    def test_a_push_that_is_killed_cancels_its_build(self):
        process, release = self.given_queued()
        process.kill()
        process.communicate()
        self.assert_cancelled(release)

    def test_a_detached_push_goes_on_and_its_log_is_followed_until_it_ends(self):
        release = json.loads(self.slipway("push", "cars", self.project, "--detached", "--note", "n", "--release-tag", "a", "b",
                                          "--draft", "--json").stdout)["id"]
        row = self.ann.api.rows(f"/v7/release({release})?$select=note,is_final,status&$expand=release_tag($select=tag_key,value)")[0]
        self.assertEqual((row["note"], row["is_final"], row["status"]), ("n", False, "running"))
        self.assertEqual([(t["tag_key"], t["value"]) for t in row["release_tag"]], [("a", "b")])
        time.sleep(2)  # as long as the server needs to see that nobody is there
        self.assertEqual(self.status_of(release), ("queued", "running"))
        log = self.start("build", "logs", release, "--follow", "--json")
        self.slipway("build", "cancel", release)
        out, error = log.communicate(timeout=60)
        self.assertEqual(log.returncode, 0, error)
        self.assertEqual(json.loads(out.splitlines()[-1])["end"], "cancelled")

    def test_a_log_is_followed_over_a_restart_of_the_server(self):
        release = json.loads(self.slipway("push", "cars", self.project, "-d", "--json").stdout)["id"]
        log = self.start("build", "logs", release, "--follow", "--json")
        first = log.stdout.readline()  # it follows now
        port = SERVER.port
        SERVER.kill()
        SERVER.start(env=NO_ENGINE, http=f"127.0.0.1:{port}")
        out, error = first + log.stdout.read(), log.stderr.read()
        self.assertEqual(log.wait(60), 0, error)
        lines = out.splitlines()
        self.assertEqual(json.loads(lines[-1])["end"], "failed")
        self.assertEqual(out.decode(), self.slipway("build", "logs", release, "--json").stdout)

    def test_a_project_with_faults_is_told_with_file_and_line(self):
        self.write("docker-compose.yml", "services:\n  web:\n    build: .\n    volumes: ['/:/host']\n")
        done = self.slipway("push", "cars", self.project, code=1)
        self.assertIn("docker-compose.yml:4:", done.stderr)

    def test_what_the_server_cannot_take_is_refused_with_its_reason(self):
        os.symlink("/etc/passwd", self.project / "link")
        done = self.slipway("push", "cars", self.project, code=1)
        self.assertIn("link", done.stderr)

    def test_who_may_not_push_is_told_so(self):
        bob = Tenant(SERVER, SERVER.login())
        slug = self.ann.api.rows(f"/v7/application({self.ann.fleet})?$select=slug")[0]["slug"]
        self.slipway("push", slug, self.project, code=4, who=bob)
        bob.api.token = "nonsense"
        self.slipway("push", slug, self.project, code=3, who=bob)


if __name__ == "__main__":
    unittest.main(verbosity=1)
