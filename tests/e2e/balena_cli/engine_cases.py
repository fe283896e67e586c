"""Deploying with docker, and devices that answer: agents of the real kind beside a container engine (balena-api.md 4.10, 6)."""

import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

import sdk_test
from cases import Cases
from world import ROOT, TYPE

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from agent_world import Engine, wait_for  # noqa: E402

SAYS = "the pump runs"
COMPOSE = """version: '2.4'
services:
  pump:
    build: ./pump
    environment:
      - PRESSURE=3
    volumes:
      - level:/level
  valve:
    build:
      context: ./valve
    labels:
      io.balena.features.supervisor-api: '1'
volumes:
  level:
"""
DOCKERFILE = """FROM slipway/busybox
ENV KIND=%s
CMD ["sh", "-c", "trap 'exit 0' TERM; while true; do echo '%s'; sleep 1 & wait; done"]
"""


def engine_of(world):
    """The engine that all groups of a run share; the world stops it."""
    with world.lock:
        if not hasattr(world, "engine"):
            folder = world.folder / "engine"
            folder.mkdir()
            world.engine = Engine(str(folder), "")
            world.closers.append(world.engine.stop)
            subprocess.run([str(ROOT / "scripts/base-image")], check=True, stdout=subprocess.DEVNULL,
                           env={**os.environ, "DOCKER_HOST": "unix://" + world.engine.socket})
    return world.engine


def write_project(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def pump_project(folder, says=SAYS):
    return write_project(folder, {"docker-compose.yml": COMPOSE, "pump/Dockerfile": DOCKERFILE % ("pump", says),
                                  "valve/Dockerfile": DOCKERFILE % ("valve", "the valve runs")})


class Deploys(Cases):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.engine = engine_of(cls.world)

    def deploy(self, fleet, *arguments, **more):
        """Answers the release that the command names at its end."""
        done = self.ann.balena("deploy", fleet["slug"], *arguments, "--docker", self.engine.socket, **more)
        found = re.search(r"Release: ([0-9a-f]{32})", done.out + done.err)
        self.assertIsNotNone(found, done)
        return self.ann.row(f"release?$filter=commit eq '{found.group(1)}'"
                            "&$expand=release_image($expand=image($expand=is_a_build_of__service($select=service_name)))")

    def services(self, release):
        return sorted(r["image"][0]["is_a_build_of__service"][0]["service_name"] for r in release["release_image"])

    def test_a_single_image_becomes_a_release_with_one_service(self):
        fleet = self.ann.fleet("single")
        release = self.deploy(fleet, "slipway/busybox:latest")
        self.assertEqual((release["status"], release["source"], release["is_final"], self.services(release)),
                         ("success", "local", True, ["main"]))
        image = release["release_image"][0]["image"][0]
        self.assertTrue(image["content_hash"].startswith("sha256:"), image)
        self.assertGreater(int(image["image_size"]), 0)
        target = self.ann.row(f"application({fleet['id']})?$select=should_be_running__release")["should_be_running__release"]
        self.assertEqual(target, {"__id": release["id"]})
        pulled = self.pull(image)
        self.assertIn(image["content_hash"], pulled)

    def pull(self, image):
        """What the engine says when it pulls the image with the person's own session."""
        login = subprocess.run(["docker", "--host", "unix://" + self.engine.socket, "--config", str(self.ann.home / "docker"), "login",
                                "--username", self.ann.name, "--password-stdin", f"127.0.0.1:{self.world.server.port}"],
                               input=self.ann.api.token, text=True, capture_output=True, check=False)
        self.assertEqual(login.returncode, 0, login)
        place = f"{image['is_stored_at__image_location']}@{image['content_hash']}"
        done = subprocess.run(["docker", "--host", "unix://" + self.engine.socket, "--config", str(self.ann.home / "docker"), "pull", place],
                              text=True, capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done)
        return done.stdout

    def test_a_project_with_several_containers_is_built_tagged_and_released(self):
        fleet = self.ann.fleet("several")
        folder = pump_project(self.ann.home / "several")
        (folder / "balena.yml").write_text("name: pumps\ntype: sw.application\nversion: 2.3.4\n", encoding="utf-8")
        release = self.deploy(fleet, "--source", folder, "--build", "--release-tag", "branch", "main", "--note", "first try")
        self.assertEqual((release["status"], release["raw_version"], release["note"], self.services(release)),
                         ("success", "2.3.4", "first try", ["pump", "valve"]))
        self.assertEqual(sorted(release["composition"]["services"]), ["pump", "valve"])
        tags = self.ann.api.rows(f"/v7/release_tag?$filter=release eq {release['id']}")
        self.assertEqual([(t["tag_key"], t["value"]) for t in tags], [("branch", "main")])
        again = self.deploy(fleet, "--source", folder, "--draft")
        self.assertFalse(again["is_final"])
        self.assertTrue(again["raw_version"].startswith("2.3.4-"), again["raw_version"])

    def test_a_project_that_does_not_build_and_a_fleet_of_others_are_told(self):
        fleet = self.ann.fleet("broken")
        folder = write_project(self.ann.home / "broken", {"Dockerfile": "FROM slipway/busybox\nCOPY no-such-file /\n"})
        self.ann.refused("deploy", fleet["slug"], "--source", folder, "--docker", self.engine.socket, words="no-such-file")
        bob = self.world.person("bob")
        bob.refused("deploy", fleet["slug"], "slipway/busybox:latest", "--docker", self.engine.socket, words="not found")
        self.assertEqual(self.ann.api.rows(f"/v7/release?$filter=belongs_to__application eq {fleet['id']} and status eq 'success'"), [])


class Device:
    """One agent with a configuration that the CLI wrote."""

    def __init__(self, person, fleet, engine, name):
        self.person = person
        self.folder = person.home / name
        self.folder.mkdir()
        file = self.folder / "config.json"
        person.balena("config", "generate", "--fleet", fleet["slug"], "--version", "6.0.0", "--network", "ethernet",
                      "--appUpdatePollInterval", "10", "--output", file)
        config = json.loads(file.read_text(encoding="utf-8"))
        # What stands for the host's going down and coming up: a mark is left, the agent ends a little later and is started again.
        config["hostCommands"] = {what: ["sh", "-c", f"touch {self.folder / what}; (sleep 0.5; kill $PPID) >/dev/null 2>&1 &"]
                                  for what in ("reboot", "shutdown")}
        config["ledFile"] = str(self.folder / "led")
        file.write_text(json.dumps(config), encoding="utf-8")
        self.log = open(self.folder / "log", "w", encoding="utf-8")
        self.command = [os.path.join(os.environ["SLIPWAY_BIN"], "slipway-agent"), "run", "--config", str(file), "--state-dir",
                        str(self.folder / "state"), "--engine", "unix://" + engine.socket, "--poll-interval-ms", "2000",
                        "--report-gap-ms", "100"]
        self.ending = False
        self.boots = 0
        self.boot()
        self.host = threading.Thread(target=self.stay_up)
        self.host.start()
        wait_for("registration", 60, lambda: "registered_at" in file.read_text(encoding="utf-8"))
        config = json.loads(file.read_text(encoding="utf-8"))
        self.uuid = config["uuid"]
        self.key = config["deviceApiKey"]

    def boot(self):
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=self.log)
        self.boots += 1

    def stay_up(self):
        while True:
            self.process.wait()
            if self.ending:
                return
            self.boot()

    def answers(self):
        """Whether the agent can be reached through the server."""
        return self.person.api.post("/supervisor/ping", {"uuid": self.uuid, "method": "GET"}).status == 200

    def row(self, select):
        return self.person.row(f"device(uuid='{self.uuid}')?{select}")

    def status_of(self, service):
        """What the device reported of a service's container, or None."""
        installs = self.row("$select=id&$expand=image_install($select=status;$expand=installs__image($select=id;"
                            "$expand=is_a_build_of__service($select=service_name)))")["image_install"]
        found = [i["status"] for i in installs if i["status"] != "deleted"
                 and i["installs__image"][0]["is_a_build_of__service"][0]["service_name"] == service]
        return found[0] if found else None

    def stop(self):
        self.ending = True
        self.process.terminate()
        self.host.join(30)
        self.log.close()


class Online(Cases):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.engine = engine_of(cls.world)
        cls.fleet = cls.ann.fleet("pumps")
        cls.device = Device(cls.ann, cls.fleet, cls.engine, "pump-house")
        cls.addClassCleanup(cls.device.stop)
        folder = pump_project(cls.ann.home / "pumps")
        cls.ann.balena("deploy", cls.fleet["slug"], "--source", folder, "--docker", cls.engine.socket)
        wait_for("the release on the device", 120, lambda: cls.device.status_of("pump") == "Running"
                 and cls.device.status_of("valve") == "Running")
        cls.uuid = cls.device.uuid

    def container(self, service):
        """The engine's container of a service, also when it is stopped."""
        for c in self.engine.get("/containers/json?all=1") or []:
            labels = c["Labels"]
            if labels.get("io.slipway.device") == self.uuid and labels.get("io.balena.service-name") == service:
                found = self.engine.inspect(c["Id"])
                return found if found and "Config" in found else None   # it may have gone meanwhile
        return None

    def started(self, service):
        found = self.container(service)
        return found["State"]["StartedAt"] if found and found["State"]["Running"] else None

    def test_the_device_is_online_and_tells_what_it_runs(self):
        wait_for("presence", 30, lambda: self.device.row("$select=is_online")["is_online"])
        shown = self.ann.balena("device", self.uuid).facts
        self.assertEqual((shown["status"], shown["is online"], shown["fleet"]), ("operational", "true", self.fleet["slug"]))
        release = self.ann.row(f"application({self.fleet['id']})?$select=id&$expand=should_be_running__release($select=commit)")
        self.assertEqual(shown["commit"], release["should_be_running__release"][0]["commit"])
        listed = self.ann.balena("fleet", "list", "--json").json
        self.assertEqual([f["online_devices"] for f in listed if f["id"] == self.fleet["id"]], [1])

    def test_local_mode_is_switched_on_a_development_device(self):
        report = {self.uuid: {"os_version": "balenaOS 6.0.0", "os_variant": "dev"}}
        answer = self.world.server.client(self.device.key).patch("/device/v3/state", report)
        self.assertEqual(answer.status, 200, answer)
        self.says(self.ann.balena("device", "local-mode", self.uuid, "--enable"), "ENABLED")
        self.says(self.ann.balena("device", "local-mode", self.uuid, "--status"), "true")
        self.ann.balena("device", "local-mode", self.uuid, "--disable")
        self.says(self.ann.balena("device", "local-mode", self.uuid, "--status"), "false")

    def test_logs_are_read_by_service_and_followed(self):
        wait_for("a line in the history", 60, lambda: SAYS in self.ann.api.get(f"/device/v2/{self.uuid}/logs").text)
        lines = self.ann.balena("device", "logs", self.uuid, "--service", "pump").out
        self.assertIn(f"[pump] {SAYS}", lines)
        self.assertNotIn("the valve runs", lines)
        tail = self.ann.start("device", "logs", self.uuid, "--tail")
        try:
            seen = []
            end = time.monotonic() + 60
            for line in tail.stdout:
                seen.append(line)
                if sum(SAYS in s for s in seen) > 105 or time.monotonic() > end:   # more than the history that it asks for
                    break
                if len(seen) > 20 and time.monotonic() > end - 50:
                    break
            self.assertTrue(any("[valve] the valve runs" in s for s in seen), seen)
        finally:
            tail.terminate()
            tail.wait(30)
            tail.stdout.close()

    def test_services_are_stopped_started_and_restarted(self):
        self.ann.balena("device", "stop-service", self.uuid, "pump")
        wait_for("the stop", 60, lambda: self.started("pump") is None)
        self.assertIsNotNone(self.started("valve"))
        self.ann.balena("device", "start-service", self.uuid, "pump")
        first = wait_for("the start", 60, lambda: self.started("pump"))
        wait_for("the report", 60, lambda: self.device.status_of("pump") == "Running")
        self.ann.balena("device", "restart", self.uuid, "--service", "pump")
        wait_for("the restart", 60, lambda: self.started("pump") not in (None, first))
        self.ann.refused("device", "stop-service", self.uuid, "no-such-service", words="no-such-service")

    def test_all_containers_are_restarted(self):
        before = [wait_for("it runs", 60, lambda s=s: self.started(s)) for s in ("pump", "valve")]
        self.ann.balena("device", "restart", self.uuid)
        wait_for("the restart", 60, lambda: all(self.started(s) not in (None, b) for s, b in zip(("pump", "valve"), before)))
        before = self.started("pump")
        self.ann.balena("fleet", "restart", self.fleet["slug"])
        wait_for("the restart of the fleet", 60, lambda: self.started("pump") not in (None, before))

    def test_a_purge_empties_the_volumes(self):
        wait_for("it runs", 60, lambda: self.started("pump"))
        mark = self.volume() / "mark"
        mark.write_text("full", encoding="utf-8")
        self.ann.balena("device", "purge", self.uuid)
        wait_for("the purge", 60, lambda: not (self.volume() / "mark").exists() and self.started("pump"))
        (self.volume() / "mark").write_text("full", encoding="utf-8")
        self.ann.balena("fleet", "purge", self.fleet["slug"])
        wait_for("the purge of the fleet", 60, lambda: not (self.volume() / "mark").exists() and self.started("pump"))

    def volume(self):
        """The folder of the pump's volume, as soon as the container is there."""
        found = wait_for("the container", 60, lambda: self.container("pump"))
        return pathlib.Path(next(m["Source"] for m in found["Mounts"] if m["Destination"] == "/level"))

    def test_the_host_is_rebooted_shut_down_and_identified(self):
        self.ann.balena("device", "identify", self.uuid)
        wait_for("the light", 60, (self.device.folder / "led").exists)
        for command in ("reboot", "shutdown"):
            boots = self.device.boots
            self.ann.balena("device", command, self.uuid)
            wait_for(command, 60, (self.device.folder / command).exists)
            wait_for("the agent again", 60, lambda: self.device.boots > boots and self.device.answers())
        wait_for("the services again", 60, lambda: self.started("pump") and self.started("valve"))

    def test_a_variable_reaches_the_container(self):
        self.ann.balena("env", "set", "PRESSURE", "7", "--device", self.uuid, "--service", "pump")
        wait_for("the variable", 60, lambda: (c := self.container("pump")) and "PRESSURE=7" in c["Config"]["Env"])

    def test_the_sdk_reaches_the_device(self):
        wait_for("it runs", 60, lambda: self.started("pump"))
        what = sdk_test.scene(self.world, self.ann, online={
            "uuid": self.uuid, "id": self.device.row("$select=id")["id"], "fleet": self.fleet["id"], "service": "pump", "says": SAYS})
        self.assertEqual(sdk_test.run(self.world, what, "online"), 0)

    def test_a_second_device_joins_by_its_own_configuration_and_is_moved_with_its_containers(self):
        device = Device(self.ann, self.fleet, self.engine, "second")
        self.addCleanup(device.stop)
        wait_for("the release", 120, lambda: device.status_of("pump") == "Running")
        empty = self.ann.fleet("empty")
        self.ann.balena("device", "move", device.uuid, "--fleet", empty["slug"])

        def gone():
            return not [c for c in self.engine.get("/containers/json?all=1") or []
                        if c["Labels"].get("io.slipway.device") == device.uuid]
        wait_for("the containers of the old fleet gone", 120, gone)
        self.assertEqual(device.row("$select=id&$expand=is_of__device_type($select=slug)")["is_of__device_type"][0]["slug"], TYPE)
