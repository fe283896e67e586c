"""A platform, a registry and an engine for black-box tests of slipway-agent. Standard library only."""
import hashlib
import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

BIN = os.environ.get("SLIPWAY_BIN", os.path.join(os.path.dirname(__file__), "../../build/dev/bin"))
AGENT = os.path.join(BIN, "slipway-agent")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, seconds, condition):
    """Waits until `condition()` is true; `seconds` only ever means failure."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = condition()
        if got:
            return got
        time.sleep(0.05)
    raise AssertionError("not in time: " + what)


class Platform:
    """The few routes of the API that an agent uses, in memory."""

    def __init__(self):
        self.devices = {}   # uuid -> {id, key, overlay_key, reports, state}
        self.targets = {}   # uuid -> (etag, body)
        self.down = False
        self.polls = 0
        self.lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                with outer.lock:
                    status, text, headers = outer.answer(
                        self.command, self.path, self.headers, body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PATCH = do

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, method, path, headers, body):
        if self.down:
            return 503, b"down", {}
        key = (headers.get("Authorization") or "")[len("Bearer "):]
        if path == "/device/register":
            j = json.loads(body)
            if key != "fleet-key":
                return 401, b"", {}
            if j["uuid"] in self.devices:
                return 409, b'"uuid" must be unique.', {}
            self.devices[j["uuid"]] = {
                "id": len(self.devices) + 1, "key": j["api_key"],
                "overlay_key": j["overlay_public_key"], "reports": [], "state": {}}
            return 201, json.dumps({"id": len(self.devices)}).encode(), {}
        if path.startswith("/v7/device?"):
            rows = [{"id": d["id"]} for u, d in self.devices.items()
                    if u in path and key in (d["key"], "fleet-key")]
            return 200, json.dumps({"d": rows}).encode(), {}
        if path.startswith("/v7/device("):
            return 200, b"OK", {}
        if method == "GET" and path.startswith("/device/v3/"):
            self.polls += 1
            uuid = path.split("/")[3]
            if self.devices.get(uuid, {}).get("key") != key:
                return 401, b"", {}
            if uuid not in self.targets:
                return 304, b"", {}
            etag, text = self.targets[uuid]
            if headers.get("If-None-Match") == etag:
                return 304, b"", {}
            return 200, text, {"ETag": etag}
        if method == "PATCH" and path == "/device/v3/state":
            for uuid, report in json.loads(body).items():
                d = self.devices.get(uuid)
                if d is None or d["key"] != key:
                    return 401, b"", {}
                d["reports"].append(report)
                d["state"].update(report)
            return 200, b"", {}
        return 404, b"", {}

    def give(self, uuid, app, commit, services, number):
        body = {uuid: {"name": "fox", "config": {}, "apps": {app: {
            "id": 12, "name": "hello", "class": "fleet", "releases": {commit: {
                "id": number, "services": services}}}}}}
        text = json.dumps(body).encode()
        with self.lock:
            self.targets[uuid] = ('"%s"' % hashlib.sha256(text).hexdigest(), text)

    def stop(self):
        self.server.shutdown()


class Engine:
    """An engine of the test's own: dockerd, or podman with ENGINE=podman."""

    def __init__(self, folder, registry):
        self.folder = folder
        self.registry = registry
        self.kind = os.environ.get("ENGINE", "dockerd")
        self.socket = os.path.join(folder, "engine.sock")
        self.process = None
        self.start()

    def start(self):
        d = self.folder
        log = open(os.path.join(d, "engine.log"), "a")
        environment = dict(os.environ)
        if self.kind == "podman":
            # Compatibility pulls of podman 4.3 do not hear that a registry has no TLS.
            environment["CONTAINERS_REGISTRIES_CONF"] = d + "/registries.conf"
            environment["TMPDIR"] = d  # it leaves files there
            with open(d + "/registries.conf", "w") as f:
                f.write('[[registry]]\nlocation = "%s"\ninsecure = true\n' % self.registry)
            # It asks for more open files than a confined machine may give.
            environment["CONTAINERS_CONF"] = d + "/containers.conf"
            with open(d + "/containers.conf", "w") as f:
                f.write('[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n')
            command = ["podman", "--root", d + "/root", "--runroot", d + "/run",
                       "--cgroup-manager", "cgroupfs", "--events-backend", "file",
                       "system", "service", "--time", "0", "unix://" + self.socket]
        else:
            # Networks of its own range: another engine may run on this machine.
            command = ["dockerd", "--host", "unix://" + self.socket, "--data-root", d + "/root",
                       "--exec-root", d + "/exec", "--pidfile", d + "/engine.pid",
                       "--bridge", "none", "--live-restore=false",
                       "--default-address-pool", "base=10.213.0.0/16,size=24"]
        self.process = subprocess.Popen(command, stdout=log, stderr=log,
                                        env=environment, start_new_session=True)
        wait_for("engine", 60, lambda: self.get("/_ping", raw=True) == "OK")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def call(self, method, path, body=None, raw=False):
        command = ["curl", "-s", "--unix-socket", self.socket, "-X", method,
                   "http://e/v1.40" + path]
        if body is not None:
            command += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
        if raw and path == "/_ping":
            command[-1] = "http://e/_ping"
        text = subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout.decode()
        if raw:
            return text
        return json.loads(text) if text.strip() else None

    def get(self, path, raw=False):
        return self.call("GET", path, raw=raw)

    def containers(self, uuid=None):
        found = {}
        for c in self.get("/containers/json?all=1") or []:
            if uuid is None or c["Labels"].get("io.slipway.device") == uuid:
                found.setdefault(c["Labels"].get("io.balena.service-name", c["Names"][0]), c)
        return found

    def inspect(self, container):
        return self.get("/containers/%s/json" % container)


class Registry:
    """Debian's docker-registry with busybox images of different content."""

    def __init__(self, folder):
        self.port = free_port()
        self.host = "127.0.0.1:%d" % self.port
        config = os.path.join(folder, "registry.yml")
        with open(config, "w") as f:
            f.write("version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: %s/registry\n"
                    "http:\n  addr: %s\n" % (folder, self.host))
        log = open(os.path.join(folder, "registry.log"), "w")
        self.process = subprocess.Popen(["docker-registry", "serve", config],
                                        stdout=log, stderr=log)
        self.folder = folder

        def up():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", self.port)) == 0
        wait_for("registry", 30, up)

    def image(self, name, content):
        """Pushes an image whose file /content says `content`; answers `host/v2/name@sha256:...`."""
        root = tempfile.mkdtemp(dir=self.folder)
        tree = os.path.join(root, "tree")
        os.makedirs(tree + "/bin")
        shutil.copy(shutil.which("busybox"), tree + "/bin/busybox")
        os.symlink("busybox", tree + "/bin/sh")
        with open(tree + "/content", "w") as f:
            f.write(content)
        layer = os.path.join(root, "layer.tar")
        subprocess.run(["tar", "-C", tree, "--sort=name", "--mtime=@0", "--owner=0", "--group=0",
                        "-cf", layer, "."], check=True)
        data = open(layer, "rb").read()
        layer_digest = "sha256:" + hashlib.sha256(data).hexdigest()
        config = json.dumps({
            "architecture": "amd64", "os": "linux",
            "config": {"Cmd": ["/bin/sh", "-c",
                               "trap 'exit 0' TERM; while true; do /bin/busybox sleep 1; done"]},
            "rootfs": {"type": "layers", "diff_ids": [layer_digest]}}).encode()
        config_digest = "sha256:" + hashlib.sha256(config).hexdigest()
        repo = "v2/" + name
        for digest, blob in ((layer_digest, data), (config_digest, config)):
            self.upload(repo, digest, blob)
        manifest = json.dumps({
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {"mediaType": "application/vnd.docker.container.image.v1+json",
                       "size": len(config), "digest": config_digest},
            "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar",
                        "size": len(data), "digest": layer_digest}]}).encode()
        digest = "sha256:" + hashlib.sha256(manifest).hexdigest()
        self.curl(["-X", "PUT", "-H",
                   "Content-Type: application/vnd.docker.distribution.manifest.v2+json",
                   "--data-binary", "@-", "http://%s/v2/%s/manifests/latest" % (self.host, repo)],
                  manifest)
        return "%s/%s@%s" % (self.host, repo, digest)

    def upload(self, repo, digest, blob):
        headers = self.curl(["-D", "-", "-o", "/dev/null", "-X", "POST",
                             "http://%s/v2/%s/blobs/uploads/" % (self.host, repo)])
        place = [line.split(": ", 1)[1].strip() for line in headers.decode().splitlines()
                 if line.lower().startswith("location:")][0]
        self.curl(["-X", "PUT", "-H", "Content-Type: application/octet-stream",
                   "--data-binary", "@-", place + "&digest=" + digest], blob)

    @staticmethod
    def curl(arguments, data=None):
        return subprocess.run(["curl", "-s", "-f"] + arguments, input=data,
                              stdout=subprocess.PIPE, check=True).stdout

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


class Agent:
    """One device: config.json, state folder, process."""

    def __init__(self, folder, name, platform, engine, poll_ms=300):
        self.folder = os.path.join(folder, name)
        os.makedirs(self.folder)
        self.config_file = os.path.join(self.folder, "config.json")
        self.engine = engine
        self.platform = platform
        self.poll_ms = poll_ms
        self.process = None
        with open(self.config_file, "w") as f:
            json.dump({"apiEndpoint": platform.url, "apiKey": "fleet-key", "applicationId": 12,
                       "deviceType": "generic-amd64", "registryEndpoint": ""}, f)

    def start(self, failpoint=None):
        environment = dict(os.environ)
        environment.pop("SLIPWAY_FAILPOINT", None)
        if failpoint:
            environment["SLIPWAY_FAILPOINT"] = failpoint
        self.log = open(os.path.join(self.folder, "log"), "a")
        self.process = subprocess.Popen(
            [AGENT, "run", "--config", self.config_file, "--state-dir", self.folder + "/state",
             "--lock-dir", self.folder + "/locks", "--engine", "unix://" + self.engine.socket, "--poll-interval-ms", str(self.poll_ms),
             "--report-gap-ms", "100"],
            env=environment, stdout=self.log, stderr=self.log)
        return self

    def config(self):
        with open(self.config_file) as f:
            return json.load(f)

    def uuid(self):
        return wait_for("registration", 30, lambda: self.config().get("registered_at")
                        and self.config()["uuid"])

    def state(self):
        return self.platform.devices[self.config()["uuid"]]["state"]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        code = self.process.wait(20)
        assert code == 0, "agent ended with %d" % code

    def rss_kb(self):
        with open("/proc/%d/status" % self.process.pid) as f:
            return int([line.split()[1] for line in f if line.startswith("VmRSS")][0])

    def runs(self, commit, app="a" * 32):
        """True once the device reports that it runs `commit`."""
        try:
            apps = self.state().get("apps", {})
        except KeyError:
            return False
        return (apps.get(app, {}).get("release_uuid") == commit
                and apps[app]["releases"].get(commit, {}).get("update_status") == "done")
