#!/usr/bin/env python3
"""Device logs from a container to a reader: a real slipwayd, a real slipway-agent, a real engine."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from agent_world import AGENT, Engine, free_port, wait_for  # noqa: E402
from support.slipwayd import ADMIN, PASSWORD, Slipwayd, START_SECONDS_MAX, new_uuid  # noqa: E402

LONG = 120  # only ever means failure
SCRIPT = ("i=0; trap 'exit 0' TERM; echo begin; while true; do i=$((i+1)); echo out $i; echo err $i >&2;"
          " /bin/busybox sleep 0.1; done")


class FixedPort(Slipwayd):
    """Comes back at the same address, as a server does."""

    def __init__(self):
        super().__init__()
        self.fixed = free_port()

    def start(self, env=None, wait=True):
        self.log = []
        self.port = None
        self.process = subprocess.Popen(
            [self.binary, "serve", "--data-dir", os.path.join(self.folder, "data"),
             "--http", "127.0.0.1:%d" % self.fixed, "--overlay", "tcp://127.0.0.1:0", "--ssh", "off",
             "--admin-file", self.admin_file],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.ready = threading.Event()
        self.reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self.reader.start()
        assert self.ready.wait(START_SECONDS_MAX) and self.port, "slipwayd did not start:\n" + self.text()
        return self


class World:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="slipway-e2e-")
        self.server = FixedPort().start()
        self.engine = Engine(self.folder, "127.0.0.1:%d" % self.server.port)
        self.agent = None
        self.login()
        self.fleet = self.given_fleet()
        self.service = self.given_release()
        self.given_agent()

    def login(self):
        self.api = self.server.login(ADMIN, PASSWORD)

    def given_fleet(self):
        organization = self.api.rows("/v7/organization")[0]["id"]
        kind = self.api.rows("/v7/device_type?$filter=slug eq 'generic-amd64'&$select=id")[0]["id"]
        return self.api.create("application", app_name="logs", organization=organization,
                               is_for__device_type=kind)["id"]

    def given_release(self):
        """A service whose image the engine has already: nothing is pulled."""
        service = self.api.create("service", application=self.fleet, service_name="main")["id"]
        release = self.api.create("release", belongs_to__application=self.fleet, commit=new_uuid(),
                                  status="running", source="local",
                                  # With a terminal, as services have unless told otherwise, all output is stdout.
                                  composition={"services": {"main": {"tty": False}}},
                                  start_timestamp="2026-01-01T00:00:00.000Z")["id"]
        image = self.api.create("image", is_a_build_of__service=service, status="running",
                                start_timestamp="2026-01-01T00:00:00.000Z")
        self.api.create("image__is_part_of__release", is_part_of__release=release, image=image["id"])
        self.import_image(image["is_stored_at__image_location"])
        for path, body in ((f"/v7/image({image['id']})", {"status": "success", "push_timestamp": 1795428832331}),
                           (f"/v7/release({release})", {"status": "success"})):
            done = self.api.patch(path, body)
            assert done.status == 200, done
        return service

    def import_image(self, name):
        tree = os.path.join(self.folder, "tree")
        os.makedirs(tree + "/bin")
        shutil.copy(shutil.which("busybox"), tree + "/bin/busybox")
        os.symlink("busybox", tree + "/bin/sh")
        tar = os.path.join(self.folder, "image.tar")
        subprocess.run(["tar", "-C", tree, "-cf", tar, "."], check=True)
        change = "CMD " + json.dumps(["/bin/sh", "-c", SCRIPT])
        subprocess.run(["docker", "-H", "unix://" + self.engine.socket, "import", "--change", change, tar, name],
                       check=True, stdout=subprocess.DEVNULL)

    def given_agent(self):
        answer = self.api.post("/download-config", {"appId": self.fleet, "deviceType": "generic-amd64",
                                                      "version": "6.0.0"})
        assert answer.status == 200, answer
        self.config_file = os.path.join(self.folder, "config.json")
        with open(self.config_file, "w", encoding="utf-8") as file:
            json.dump(answer.json, file)
        self.start_agent()
        self.uuid = wait_for("registration", 60, lambda: self.config().get("registered_at")
                             and self.config()["uuid"])

    def config(self):
        with open(self.config_file, encoding="utf-8") as file:
            return json.load(file)

    def start_agent(self):
        log = open(os.path.join(self.folder, "agent.log"), "a", encoding="utf-8")
        self.agent = subprocess.Popen(
            [AGENT, "run", "--config", self.config_file, "--state-dir", self.folder + "/state",
             "--engine", "unix://" + self.engine.socket, "--poll-interval-ms", "500", "--report-gap-ms", "200"],
            stdout=log, stderr=log)

    def records(self):
        answer = self.api.get(f"/device/v2/{self.uuid}/logs?count=all")
        assert answer.status == 200, answer
        return answer.json

    def numbers(self, stream):
        """Of the lines `out 1`, `out 2`, ... in the order in which the server has them."""
        return [int(r["message"].split()[1]) for r in self.records()
                if re.fullmatch(stream + r" \d+", r["message"])]

    def newest(self):
        return max(self.numbers("out"), default=0)

    def expect_every_line_once(self):
        for stream in ("out", "err"):
            numbers = self.numbers(stream)
            assert numbers == list(range(1, len(numbers) + 1)), [
                (a, b) for a, b in zip(numbers, numbers[1:]) if b != a + 1]

    def expect_every_line(self):
        """None is missing. Those of one unanswered request may be there twice."""
        for stream in ("out", "err"):
            numbers = self.numbers(stream)
            missing = set(range(1, max(numbers) + 1)) - set(numbers)
            assert not missing, sorted(missing)
            assert len(numbers) - len(set(numbers)) < 100, len(numbers) - len(set(numbers))

    def close(self):
        if self.agent is not None and self.agent.poll() is None:
            self.agent.kill()
        for c in self.engine.get("/containers/json?all=1") or []:
            self.engine.call("DELETE", "/containers/%s?force=1&v=1" % c["Id"])
        self.engine.stop()
        self.server.stop()
        self.server.remove()
        subprocess.run("umount -l %s/root/* 2>/dev/null" % self.folder, shell=True, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def test_lines_of_a_container_are_read_with_service_and_stream(world):
    """What a container prints is read at the server, with its service, its stream and what the agent did."""
    wait_for("lines", LONG, lambda: world.newest() >= 10)
    records = world.records()
    for r in records:
        if re.fullmatch(r"(out|err) \d+", r["message"]):
            assert r["serviceId"] == world.service, r
            assert r["isStdErr"] == r["message"].startswith("err"), r
            assert not r["isSystem"], r
            assert abs(r["timestamp"] - r["createdAt"]) < 60_000, r
    texts = [r["message"] for r in records]
    assert texts.index("Agent starting") < texts.index("Starting service main") < texts.index("Started service main")
    assert texts.index("begin") < texts.index("out 1")
    world.expect_every_line_once()


def test_a_killed_agent_goes_on_where_it_was(world):
    """An agent that is killed and started again loses no line and repeats none."""
    for _ in range(3):
        before = world.newest()
        # Not while a request is on its way: its lines could rightly come twice.
        wait_for("a new batch", LONG, lambda: world.newest() > before)
        time.sleep(0.3)
        world.agent.kill()
        world.agent.wait()
        down = world.newest()
        time.sleep(1)
        world.start_agent()
        wait_for("lines after the kill", LONG, lambda: world.newest() > down + 15)
    world.expect_every_line_once()


def test_a_stopped_agent_goes_on_where_it_was(world):
    """An agent that is stopped and started again loses no line and repeats none."""
    down = world.newest()
    world.agent.terminate()
    assert world.agent.wait(20) == 0
    time.sleep(1)
    world.start_agent()
    wait_for("lines after the stop", LONG, lambda: world.newest() > down + 15)
    world.expect_every_line_once()


def test_lines_wait_while_the_server_is_away(world):
    """A server that is killed and comes back gets every line of the meantime."""
    wait_for("lines", LONG, lambda: world.newest() >= 10)
    down = world.newest()
    world.server.kill()
    time.sleep(4)
    world.server.start()
    world.login()
    wait_for("lines after the kill", LONG, lambda: world.newest() > down + 60)
    world.expect_every_line()


def test_logs_can_be_switched_off(world):
    """With LOG_CONTROL false the agent sends nothing any more."""
    device = world.api.rows(f"/v7/device?$filter=uuid eq '{world.uuid}'&$select=id")[0]["id"]
    world.api.create("device_config_variable", device=device, name="BALENA_SUPERVISOR_LOG_CONTROL", value="false")

    def quiet():
        before = len(world.records())
        time.sleep(3)
        return len(world.records()) == before
    wait_for("silence", LONG, quiet)


def main():
    cases = {n[len("test_"):]: f for n, f in globals().items() if n.startswith("test_")}
    wanted = sys.argv[1:] or list(cases)
    world = World()
    failed = 0
    try:
        for name in wanted:
            begin = time.monotonic()
            try:
                cases[name](world)
                print("ok   %s (%.1f s): %s" % (name, time.monotonic() - begin, cases[name].__doc__))
            except Exception as e:  # noqa: BLE001 a test's failure, whatever it is
                failed += 1
                print("FAIL %s: %r" % (name, e))
                print("--- server\n" + world.server.text())
                with open(os.path.join(world.folder, "agent.log"), encoding="utf-8") as f:
                    print("--- agent\n" + f.read()[-4000:])
            sys.stdout.flush()
    finally:
        world.close()
    print("%d of %d passed" % (len(wanted) - failed, len(wanted)))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
