#!/usr/bin/env python3
"""Actions on devices, as the balena clients send them: a real slipwayd with its edge, two real agents, a real engine.
Usage: actions_test.py [case ...]"""
import base64
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "../support"))
from agent_world import AGENT, BIN, Engine, Registry, wait_for  # noqa: E402

os.environ.setdefault("SLIPWAY_BIN", BIN)
from slipwayd import PASSWORD, ADMIN, Slipwayd  # noqa: E402

LONG = 300  # only ever means failure: engines on busy machines take minutes


class ServerRegistry(Registry):
    """slipwayd's registry, with the image maker of the other tests. The credential goes in as curl reads it, not on the command line."""

    def __init__(self, folder, port):
        self.folder = folder
        self.host = "127.0.0.1:%d" % port
        self.header_file = os.path.join(folder, "header")

    def open(self, api, repo):
        basic = base64.b64encode(("u:" + api.token).encode()).decode()
        answer = api.get("/auth/v1/token?service=%s&scope=repository:%s:pull,push" % (self.host, repo),
                         headers={"Authorization": "Basic " + basic})
        assert answer.status == 200, answer
        with open(self.header_file, "w") as f:
            f.write("Authorization: Bearer " + answer.json["token"] + "\n")

    def curl(self, arguments, data=None):
        return subprocess.run(["curl", "-s", "-f", "-H", "@" + self.header_file] + arguments,
                              input=data, stdout=subprocess.PIPE, check=True).stdout

    def upload(self, repo, digest, blob):
        headers = self.curl(["-D", "-", "-o", "/dev/null", "-X", "POST",
                             "http://%s/v2/%s/blobs/uploads/" % (self.host, repo)])
        place = [line.split(": ", 1)[1].strip() for line in headers.decode().splitlines()
                 if line.lower().startswith("location:")][0]
        place = place if place.startswith("http") else "http://" + self.host + place
        mark = "&" if "?" in place else "?"
        self.curl(["-X", "PUT", "-H", "Content-Type: application/octet-stream",
                   "--data-binary", "@-", place + mark + "digest=" + digest], blob)


class Device:
    """An agent of the test's fleet."""

    def __init__(self, world, name):
        self.world = world
        world.devices.append(self)
        self.folder = os.path.join(world.folder, name)
        os.makedirs(self.folder)
        self.config_file = os.path.join(self.folder, "config.json")
        self.process = None
        self.marks = os.path.join(self.folder, "marks")
        answer = world.api.post("/download-config", {"appId": world.fleet, "deviceType": "generic-amd64", "version": "5.0.0"})
        assert answer.status == 200, answer
        config = answer.json
        config["hostCommands"] = {"reboot": ["sh", "-c", "echo reboot >> %s" % self.marks]}
        with open(self.config_file, "w") as f:
            json.dump(config, f)
        self.start()
        self.uuid = wait_for("registration", 60, lambda: self.config().get("registered_at") and self.config()["uuid"])
        self.id = world.api.rows("/v7/device?$filter=uuid eq '%s'&$select=id" % self.uuid)[0]["id"]

    def config(self):
        with open(self.config_file) as f:
            return json.load(f)

    def start(self, failpoint=None):
        environment = {k: v for k, v in os.environ.items() if k != "SLIPWAY_FAILPOINT"}
        if failpoint:
            environment["SLIPWAY_FAILPOINT"] = failpoint
        log = open(os.path.join(self.folder, "log"), "a")
        self.process = subprocess.Popen(
            [AGENT, "run", "--config", self.config_file, "--state-dir", self.folder + "/state",
             "--lock-dir", self.folder + "/locks", "--engine", "unix://" + self.world.engine.socket,
             "--poll-interval-ms", "1000", "--report-gap-ms", "100"],
            env=environment, stdout=log, stderr=log)

    def end(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def restart(self, failpoint=None):
        """The process, not the services. Waits for the new one's session: the old one's may seem to stand for a moment."""
        self.end()
        wait_for("offline", LONG, lambda: not self.online())
        self.start(failpoint)
        wait_for("online", LONG, self.online)

    def row(self, select):
        return self.world.api.rows("/v7/device(%d)?$select=%s" % (self.id, select))[0]

    def online(self):
        return self.row("is_connected_to_vpn")["is_connected_to_vpn"]

    def containers(self):
        return self.world.engine.containers(self.uuid)

    def started(self, service):
        container = self.containers().get(service)
        # What was listed may be gone when it is asked about: the agent replaces containers meanwhile.
        state = container and self.world.engine.inspect(container["Id"]).get("State")
        return state["StartedAt"] if state and state["Running"] else None

    def volume(self, name):
        """Where the volume's files are; nothing when it is not there."""
        for v in self.world.engine.get("/volumes")["Volumes"] or []:
            labels = v.get("Labels") or {}
            if labels.get("io.slipway.device") == self.uuid and labels.get("io.slipway.name") == name:
                return v["Mountpoint"]
        return None

    def lock(self, service):
        """As a container's user does."""
        path = os.path.join(self.folder, "locks", str(self.world.fleet), service, "updates.lock")
        open(path, "w").close()
        os.chown(path, 1000, 1000)
        return path


class World:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="slipway-e2e-")
        self.server = Slipwayd().start()
        self.api = self.server.login(ADMIN, PASSWORD)
        self.api.seconds = 120  # the server answers for a device after 50 s at the latest
        self.registry = ServerRegistry(self.folder, self.server.port)
        self.engine = Engine(self.folder, self.registry.host)
        organization = self.api.rows("/v7/organization?$select=id&$filter=handle ne 'slipway_os'")[0]["id"]
        kind = self.api.rows("/v7/device_type?$filter=slug eq 'generic-amd64'&$select=id")[0]["id"]
        self.fleet = self.api.create("application", app_name="actions", organization=organization,
                                     is_for__device_type=kind)["id"]
        self.commit = self.release()
        self.devices = []
        for name in ("first", "second"):
            Device(self, name)
        for d in self.devices:
            wait_for("both services", LONG, lambda d=d: self.runs(d))

    def release(self):
        """Two services, one with a volume."""
        api, commit = self.api, secrets.token_hex(16)
        composition = {"version": "2.1", "volumes": {"data": {}},
                       "services": {"web": {"image": "web", "volumes": ["data:/data"]},
                                    "db": {"image": "db", "volumes": ["rows:/rows"]}}}
        release = api.create("release", belongs_to__application=self.fleet, commit=commit, status="running",
                             source="local", start_timestamp=int(time.time() * 1000), composition=composition)
        for name in ("web", "db"):
            service = api.create("service", application=self.fleet, service_name=name)
            image = api.create("image", is_a_build_of__service=service["id"], status="running",
                               start_timestamp=int(time.time() * 1000))
            repo = image["is_stored_at__image_location"].split("/", 1)[1]
            api.create("image__is_part_of__release", is_part_of__release=release["id"], image=image["id"])
            self.registry.open(api, repo)
            digest = self.registry.image(repo[len("v2/"):], name).split("@")[1]
            done = api.patch("/v7/image(%d)" % image["id"], {
                "status": "success", "push_timestamp": int(time.time() * 1000), "content_hash": digest})
            assert done.status == 200, done
        assert api.patch("/v7/release(%d)" % release["id"], {"status": "success"}).status == 200
        return commit

    def runs(self, device):
        if device.started("web") is None or device.started("db") is None:
            return False
        row = self.api.rows("/v7/device(%d)?$select=id&$expand=is_running__release($select=commit)" % device.id)[0]
        return [r["commit"] for r in row["is_running__release"]] == [self.commit] and device.online()

    def ask(self, path, **body):
        return self.api.post("/supervisor" + path, body)

    def image_of(self, device, service):
        """As the CLI finds it: the install of the release that runs ({SVC} of balena-api.md 4.10)."""
        row = self.api.rows(
            "/v7/device(uuid='%s')?$expand=image_install($select=id,download_progress,status,install_date;"
            "$filter=status ne 'deleted';$expand=installs__image($select=id;"
            "$expand=is_a_build_of__service($select=id,service_name)),is_provided_by__release($select=id,commit,"
            "raw_version;$expand=belongs_to__application($select=slug))),belongs_to__application($select=slug),"
            "is_running__release($select=commit)" % device.uuid)[0]
        running = row["is_running__release"][0]["commit"]
        found = [i["installs__image"][0]["id"] for i in row["image_install"]
                 if i["is_provided_by__release"][0]["commit"] == running
                 and i["installs__image"][0]["is_a_build_of__service"][0]["service_name"] == service]
        assert len(found) == 1, row
        return found[0]

    def close(self):
        for d in getattr(self, "devices", []):
            d.end()
        if hasattr(self, "engine"):
            for c in self.engine.get("/containers/json?all=1") or []:
                self.engine.call("DELETE", "/containers/%s?force=1&v=1" % c["Id"])
            self.engine.stop()
        if hasattr(self, "server"):
            self.server.stop()
            self.server.remove()
        subprocess.run("umount -l %s/root/* 2>/dev/null" % self.folder, shell=True, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def test_requests_as_the_clients_send_them(world):
    """Reading, refusals and the texts that the CLI looks for."""
    d = world.devices[0]
    pong = world.ask("/ping", method="GET", deviceId=d.id, appId=world.fleet)
    assert (pong.status, pong.text) == (200, "OK"), pong
    state = world.ask("/v1/device", method="GET", uuid=d.uuid)
    assert state.status == 200 and state.json["commit"] == world.commit, state
    assert state.json["status"] == "Idle" and state.json["update_pending"] is False
    status = world.ask("/v2/state/status", method="GET", deviceId=str(d.id))
    assert status.json["appState"] == "applied" and len(status.json["containers"]) == 2, status
    assert world.ask("/v2/version", method="GET", uuid=d.uuid).json["version"]
    many = world.ask("/v1/device", method="GET", appId=world.fleet)
    assert many.status == 207 and [e["statusCode"] for e in many.json] == [200, 200], many
    assert world.ask("/v1/blink", uuid=d.uuid).text == "OK"
    assert world.ask("/v1/update", deviceId=d.id, appId=world.fleet, data={"force": False}).status == 204
    # Refusals.
    assert world.ask("/v1/restart").status == 400
    assert world.ask("/v1/restart", appId="x").status == 400
    assert world.ask("/v1/restart", uuid=d.uuid, method="BREW").status == 400
    assert world.ask("/elsewhere", uuid=d.uuid).status == 404
    assert world.ask("/v1/unknown", uuid=d.uuid).status == 404
    gone = world.ask("/v1/restart", uuid="0" * 32)
    assert (gone.status, gone.json) == (404, "No online device(s) found"), gone
    assert world.server.client().post("/supervisor/v1/restart", {"uuid": d.uuid}).status == 401
    # A device's own key must not reach others.
    other = world.server.client(world.devices[1].config()["deviceApiKey"])
    assert other.post("/supervisor/v1/reboot", {"uuid": d.uuid}).status in (403, 404)
    assert not os.path.exists(d.marks)


def test_restart_stop_and_start(world):
    """`device restart`, `stop-service`, `start-service`, `restart -s`, `fleet restart`."""
    d, other = world.devices
    web, db = d.started("web"), d.started("db")
    assert world.ask("/v1/restart", deviceId=d.id, appId=world.fleet, data={"appId": world.fleet}).text == "OK"
    assert d.started("web") not in (None, web) and d.started("db") not in (None, db)
    web, db = d.started("web"), d.started("db")
    service = "/v2/applications/%d/" % world.fleet
    data = {"appId": world.fleet, "imageId": world.image_of(d, "web")}
    stopped = world.ask(service + "stop-service", deviceId=d.id, appId=world.fleet, data=data)
    assert (stopped.status, stopped.text) == (200, "OK"), stopped
    assert d.started("web") is None and d.started("db") == db
    wait_for("told as stopped", 60, lambda: world.ask("/v2/applications/state", method="GET", uuid=d.uuid)
             .json["actions"]["services"]["web"]["status"] == "exited")
    # It stays stopped although the device looks at its target again and again.
    seen = d.row("last_connectivity_event")
    world.ask("/v1/update", deviceId=d.id, appId=world.fleet, data={"force": False})
    time.sleep(2)
    assert d.started("web") is None, seen
    # The row is still found: the CLI needs it to start the service.
    data["imageId"] = world.image_of(d, "web")
    assert world.ask(service + "start-service", deviceId=d.id, appId=world.fleet, data=data).status == 200
    assert d.started("web") is not None
    web = d.started("web")
    assert world.ask(service + "restart-service", deviceId=d.id, appId=world.fleet, data=data).status == 200
    assert d.started("web") not in (None, web) and d.started("db") == db
    unknown = world.ask(service + "stop-service", deviceId=d.id, appId=world.fleet, data={"imageId": 999999})
    assert unknown.status == 404, unknown
    before = [x.started("web") for x in world.devices]
    whole = world.api.post("/application/%d/restart" % world.fleet)
    assert whole.status == 207 and [e["statusCode"] for e in whole.json] == [200, 200], whole
    after = [x.started("web") for x in world.devices]
    assert None not in after and not set(before) & set(after), (before, after)


def test_purge_empties_the_volumes_and_nothing_else(world):
    """`device purge`, `fleet purge`."""
    d, other = world.devices
    for x in world.devices:
        open(x.volume("data") + "/kept", "w").close()
    foreign = world.engine.call("POST", "/volumes/create", {"Name": "people"})["Mountpoint"]
    open(foreign + "/kept", "w").close()
    purged = world.ask("/v1/purge", deviceId=d.id, appId=world.fleet, data={"appId": world.fleet})
    assert (purged.status, purged.json) == (200, {"Data": "OK", "Error": ""}), purged
    assert os.listdir(d.volume("data")) == [] and d.started("web") and d.started("db")
    assert os.listdir(other.volume("data")) == ["kept"]
    assert os.listdir(foreign) == ["kept"]
    fleet = world.ask("/v1/purge", appId=world.fleet, data={"appId": str(world.fleet)})
    assert fleet.status == 207 and [e["statusCode"] for e in fleet.json] == [200, 200], fleet
    assert os.listdir(other.volume("data")) == [] and os.listdir(foreign) == ["kept"]


def test_killed_during_a_purge(world):
    """At each of its steps: the next start ends it, and what is written afterwards is never purged."""
    d = world.devices[0]
    for failpoint in ("agent.purge.noted", "agent.apply.stopped", "agent.apply.remove", "agent.apply.remove_volume",
                      "agent.purge.emptied", "agent.purge.over", "agent.apply.create_volume"):
        d.restart(failpoint)
        open(d.volume("data") + "/old", "w").close()
        answer = world.ask("/v1/purge", deviceId=d.id, appId=world.fleet, data={"appId": world.fleet})
        assert answer.status == 502, (failpoint, answer)
        assert d.process.wait(60) == -9, failpoint
        d.start()
        wait_for("up after " + failpoint, LONG, lambda: d.volume("data") and world.runs(d))
        wait_for("purge over", LONG, lambda: json.load(open(d.folder + "/state/purge.json")) == [])
        wait_for("running", LONG, lambda: world.runs(d))
        assert not os.path.exists(d.volume("data") + "/old"), failpoint
        open(d.volume("data") + "/new", "w").close()
        d.restart()
        wait_for("running", LONG, lambda: world.runs(d))
        assert os.listdir(d.volume("data")) == ["new"], failpoint
        os.unlink(d.volume("data") + "/new")


def test_locks_and_the_host(world):
    """Update locks, reboot, and a device that is not there."""
    d, other = world.devices
    web = d.started("web")
    path = d.lock("web")
    for action in ("/v1/restart", "/v1/purge", "/v1/reboot"):
        refused = world.ask(action, deviceId=d.id, appId=world.fleet, data={"appId": world.fleet})
        assert refused.status == 423 and "locked" in refused.text, refused
    assert d.started("web") == web and not os.path.exists(d.marks)
    forced = world.ask("/v1/restart", deviceId=d.id, appId=world.fleet, data={"appId": world.fleet, "force": True})
    assert forced.status == 200 and d.started("web") != web, forced
    assert not os.path.exists(path)
    reboot = world.ask("/v1/reboot", deviceId=d.id, data={"force": False})
    assert (reboot.status, reboot.json) == (202, {"Data": "OK", "Error": None}), reboot
    assert open(d.marks).read() == "reboot\n"
    other.end()
    wait_for("offline", LONG, lambda: not other.online())
    for action in ("/v1/restart", "/ping"):
        absent = world.ask(action, deviceId=other.id, appId=world.fleet)
        assert (absent.status, absent.json) == (404, "No online device(s) found"), absent
    unset = world.ask("/v1/shutdown", deviceId=d.id, appId=world.fleet, data={"force": True})
    assert unset.status in (500, 503) and unset.json["Error"], unset


CASES = {name[5:]: f for name, f in list(globals().items()) if name.startswith("test_")}


def main():
    world = World.__new__(World)
    try:
        world.__init__()  # in here, so that what a half-made world started is ended too
        for name in sys.argv[1:] or CASES:
            print("case", name, flush=True)
            CASES[name](world)
            print("ok", name, flush=True)
    except BaseException:
        print(world.server.text() if hasattr(world, "server") else "no server")
        for d in getattr(world, "devices", []):
            subprocess.run(["tail", "-n", "40", d.folder + "/log"], check=False)
        raise
    finally:
        world.close()


if __name__ == "__main__":
    main()
