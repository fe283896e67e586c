"""A server with its builder, an engine and an agent of a benchmark's own, and the ways to push to it. Standard library only.
SLIPWAY_BIN names the folder of the programs."""

import http.client
import json
import os
import pathlib
import secrets
import subprocess
import sys
import time
import types

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests/e2e"), str(ROOT / "tests")]
from actions_test import Device  # noqa: E402
from agent_world import Engine  # noqa: E402
from push_engine import DirectEngine, tar_of  # noqa: E402
from support.slipwayd import Slipwayd  # noqa: E402

LONG = 600   # only ever means failure
TICKS = os.sysconf("SC_CLK_TCK")

COMPOSE = "version: '2.1'\nservices:\n  main:\n    build: .\n"
DOCKERFILE = """FROM slipway/busybox
RUN mkdir /app
COPY mark /app/mark
CMD ["sh", "-c", "trap 'exit 0' TERM; while true; do sleep 1 & wait; done"]
"""


def project():
    """The cache has all of it but the last copy. Without a composition the service would be a privileged one, which confined machines cannot run."""
    return {"docker-compose.yml": COMPOSE, "Dockerfile": DOCKERFILE, "mark": secrets.token_hex(16)}


class PushBench:
    """The server with its builder, the engine, one fleet and its device."""

    def __init__(self, folder):
        self.folder = folder
        self.engine = Engine(folder, "")
        self.server = None
        self.devices = []
        try:
            subprocess.run([str(ROOT / "scripts/base-image")], check=True, stdout=subprocess.DEVNULL,
                           env={**os.environ, "DOCKER_HOST": "unix://" + self.engine.socket})
            self.server = Slipwayd()
            self.server.start(env={"SLIPWAY_BUILDER_ENGINE": "unix://" + self.engine.socket})
            self.api = self.server.login()
            self.direct = DirectEngine(self.engine.socket)
            self.organization = self.api.rows("/v7/organization?$filter=handle ne 'slipway_os'&$select=id,handle")[0]
            self.kind = self.api.rows("/v7/device_type?$filter=slug eq 'generic-amd64'&$select=id")[0]["id"]
        except BaseException:
            self.close()
            raise

    def close(self):
        for device in self.devices:
            device.end()
        if self.server is not None:
            self.server.stop()
            self.server.remove()
        self.engine.stop()

    def new_fleet(self):
        name = "f" + secrets.token_hex(6)
        made = self.api.create("application", app_name=name, organization=self.organization["id"], is_for__device_type=self.kind)
        return types.SimpleNamespace(id=made["id"], slug=made["slug"])

    def add_device(self, fleet):
        place = types.SimpleNamespace(folder=self.folder, devices=self.devices, api=self.api, fleet=fleet.id, engine=self.engine)
        return Device(place, "device")

    def new_place(self, fleet, service):
        """Where the image of a release may be pushed to by hand: rows that no build made. Answers `registry/repository`."""
        now = int(time.time() * 1000)
        release = self.api.create("release", belongs_to__application=fleet.id, commit=secrets.token_hex(16), status="running",
                                  source="local", start_timestamp=now, composition={"version": "2.1", "services": {"main": {"image": "x"}}})
        image = self.api.create("image", is_a_build_of__service=service, status="running", start_timestamp=now)
        self.api.create("image__is_part_of__release", is_part_of__release=release["id"], image=image["id"])
        return image["is_stored_at__image_location"]

    def post(self, fleet, files, **more):
        """POST /v3/build as `balena push` sends it; answers the elements when all is over."""
        words = {"slug": fleet.slug, "dockerfilePath": "", "emulated": "false", "nocache": "false", "headless": "false",
                 "isdraft": "false", **more}
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=LONG)
        connection.request("POST", "/v3/build?" + "&".join(f"{k}={v}" for k, v in words.items()), tar_of(files),
                           {"Authorization": "Bearer " + self.api.token, "Content-Type": "application/gzip"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        said = json.loads(text)
        if answer.status != 200 or '"isError"' in text.decode() or (isinstance(said, dict) and not said["started"]):
            raise RuntimeError(text.decode()[-500:])
        return said

    def cpu(self):
        """User and system seconds of `slipwayd serve`; its builder and its edge are processes of their own."""
        with open(f"/proc/{self.server.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def wait_builds(self, releases):
        """Until all are released; answers their rows."""
        first, last = min(releases), max(releases)
        while True:
            rows = self.api.rows(f"/v7/build?$filter=release ge {first} and release le {last}")
            bad = [r for r in rows if r["status"] in ("failed", "cancelled")]
            if bad:
                raise RuntimeError(str(bad[0]))
            if len([r for r in rows if r["status"] == "released"]) == len(releases):
                return rows
            time.sleep(0.1)


class Clients:
    """The ways to push the same project. Each blocks until its client has ended."""

    def __init__(self, bench, fleet):
        self.bench, self.fleet = bench, fleet
        self.repository = pathlib.Path(bench.folder) / "repository"
        self.environment = {
            **os.environ, "HOME": bench.folder, "SLIPWAY_SERVER": f"http://127.0.0.1:{bench.server.port}",
            "SLIPWAY_TOKEN": bench.api.token, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
            # Not on a command line, where everybody sees it.
            "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": "Authorization: Bearer " + bench.api.token}
        self.run("git", "init", "-q", "-b", "main", self.repository)
        self.run("git", "-C", self.repository, "config", "user.email", "bench@example.org")
        self.run("git", "-C", self.repository, "config", "user.name", "bench")

    def run(self, *command):
        done = subprocess.run([str(c) for c in command], env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=LONG, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{command}: {done.stdout[-800:]}")

    def prepare(self, kind):
        files = project()
        for name, text in files.items():
            (self.repository / name).write_text(text, encoding="utf-8")
        if kind == "git push":
            self.run("git", "-C", self.repository, "add", "-A")
            self.run("git", "-C", self.repository, "commit", "-q", "-m", "change")
        return files

    def push(self, kind, files):
        if kind == "POST /v3/build":
            self.bench.post(self.fleet, files)
        elif kind == "slipway push":
            self.run(pathlib.Path(os.environ["SLIPWAY_BIN"]) / "slipway", "push", self.fleet.slug, self.repository)
        else:
            url = f"http://127.0.0.1:{self.bench.server.port}/git/{self.fleet.slug}.git"
            self.run("git", "-C", self.repository, "push", "-q", url, "HEAD:main")
