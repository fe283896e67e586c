"""A server that answers as the documented API does, and a container engine that only pretends: enough for the command."""

import base64
import http.server
import json
import re
import socket
import socketserver
import threading
import urllib.parse


# A token whose claims say that the code of a second factor is still owed.
PARTIAL = "e30." + base64.urlsafe_b64encode(b'{"id":1,"twoFactorRequired":true}').decode().rstrip("=") + ".x"


class Recorder:
    """What was asked, in order, and rows that requests create."""

    def __init__(self):
        self.lock = threading.Lock()
        self.requests = []  # (method, decoded path, body)
        self.next_id = 100
        self.services = {}
        self.variables = {}
        self.fail = {}  # regular expression on "METHOD path" -> (status, body)
        self.releases = {}
        self.images = {}

    def add(self, method, path, body):
        with self.lock:
            self.requests.append((method, path, body))

    def find(self, pattern):
        return [r for r in self.requests if re.search(pattern, f"{r[0]} {r[1]}")]

    def new_id(self):
        with self.lock:
            self.next_id += 1
            return self.next_id


FLEET = {
    "id": 7,
    "app_name": "gate",
    "slug": "ann/gate",
    "uuid": "f" * 32,
    "should_track_latest_release": True,
    "application_type": [{"slug": "default", "supports_multicontainer": True}],
    "is_for__device_type": [{"slug": "generic-amd64", "is_of__cpu_architecture": [{"slug": "amd64"}]}],
    "owns__device": [{"is_online": True}, {"is_online": False}],
    "should_be_running__release": [{"id": 8, "commit": "c" * 32}],
}

DEVICE = {
    "id": 15,
    "uuid": "d" * 32,
    "device_name": "north\u001b[2J-gate",
    "overall_status": "idle",
    "is_online": True,
    "last_connectivity_event": "2026-11-23T05:00:00.000Z",
    "supervisor_version": "0.1.0",
    "belongs_to__application": [{"slug": "ann/gate"}],
    "is_of__device_type": [{"slug": "generic-amd64"}],
    "is_running__release": [{"commit": "c" * 32}],
    "should_be_running__release": [{"commit": "c" * 32}],
    "image_install": [
        {
            "id": 1,
            "status": "Running",
            "download_progress": None,
            "installs__image": [{"id": 2, "is_a_build_of__service": [{"id": 9, "service_name": "web"}]}],
            "is_provided_by__release": [{"id": 8, "commit": "c" * 32}],
        }
    ],
}

RELEASE = {
    "id": 8,
    "commit": "c" * 32,
    "created_at": "2026-11-23T05:00:00.000Z",
    "status": "success",
    "raw_version": "0.0.1",
    "is_final": False,
    "belongs_to__application": [{"slug": "ann/gate"}],
    "release_tag": [{"tag_key": "k", "value": "v"}],
    "release_image": [
        {
            "id": 1,
            "image": [
                {
                    "id": 2,
                    "status": "success",
                    "image_size": "2000000",
                    "content_hash": "sha256:" + "a" * 64,
                    "is_stored_at__image_location": "127.0.0.1:1/v2/" + "a" * 32,
                    "is_a_build_of__service": [{"service_name": "web"}],
                }
            ],
        }
    ],
}


class Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, status, body=None, text=False):
        data = b""
        if body is not None:
            data = (body if text else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if text else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def handle_any(self):
        if self.path.startswith("/v3/build"):
            return self.build()
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        body = json.loads(raw) if raw else None
        path = urllib.parse.unquote(self.path)
        log = self.server.log
        log.add(self.command, path, body)
        for pattern, (status, refusal) in log.fail.items():
            if re.search(pattern, f"{self.command} {path}"):
                return self.answer(status, refusal)
        if path == "/login_":
            if "Authorization" in self.headers:
                return self.answer(400, "login must not carry a credential")
            if body == {"username": "eve", "password": "secret"}:
                return self.answer(200, PARTIAL, text=True)
            good = body == {"username": "ann", "password": "secret"}
            return self.answer(200, "token-of-ann", text=True) if good else self.answer(401)
        if path == "/auth/totp/verify" and self.headers.get("Authorization") == "Bearer " + PARTIAL:
            return self.answer(200, "token-of-ann", text=True) if body == {"code": "123456"} else self.answer(401)
        wanted = "k" * 32 if path == "/device/register" else "token-of-ann"
        if self.headers.get("Authorization") != "Bearer " + wanted:
            return self.answer(401)
        return self.route(self.command, path, body)

    do_GET = do_POST = do_PATCH = do_DELETE = handle_any

    def do_HEAD(self):
        """The registry that lives beside the API."""
        self.server.log.add("HEAD", self.path, None)
        known = self.headers.get("Authorization") == "Bearer registry-token"
        self.send_response(200 if known and self.path.endswith("/manifests/latest") else 401)
        self.send_header("Docker-Content-Digest", "sha256:" + "d" * 64)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def route(self, method, path, body):
        log = self.server.log
        if path == "/actor/v1/whoami":
            return self.answer(
                200, {"id": 11, "actorType": "user", "actorTypeId": 1, "username": "ann", "email": "ann@example.com"}
            )
        if path.startswith("/auth/v1/token"):
            return self.answer(200, {"token": "registry-token"})
        if path == "/download-config":
            return self.answer(200, {"applicationId": body["appId"], "apiKey": "provisioning", "deviceType": body["deviceType"]})
        if path.startswith(("/supervisor/", "/application/")):
            return self.answer(200, "OK", text=True)
        if path == "/user/v1/sessions" and method == "GET":
            return self.answer(200, [{"id": 65, "client": "slipway", "address": "127.0.0.1", "current": True}])
        if path.startswith("/user/v1/sessions"):
            return self.answer(200)
        if path == "/user/v1/password":
            return self.answer(200, "token-of-ann", text=True)
        if path == "/auth/totp/recovery-codes":
            return self.answer(200, ["aaaa", "bbbb"])
        if path == "/auth/totp/disable":
            return self.answer(200, "token-of-ann", text=True)
        if path.startswith("/api-key/"):
            return self.answer(200, "k" * 32)
        if path == "/device/register":
            return self.answer(201, {"id": 16, "uuid": body["uuid"], "api_key": "device-key"})
        if "/invitation/" in path:
            return self.answer(200)
        if path.startswith("/build/v1/8/log"):
            return self.build_log(urllib.parse.parse_qs(path.split("?")[1]))
        if path.startswith("/device/v2/") and "/logs" in path:
            return self.logs("stream=1" in path)
        match = re.match(r"/v7/(\w+)(\([^?]*\))?(?:\?(.*))?$", path)
        if not match:
            return self.answer(404)
        resource, key, query = match.groups()
        if method == "GET":
            return self.answer(200, {"d": self.rows(resource, key or "", query or "")})
        if method == "POST":
            return self.create(resource, body)
        if resource == "release" and key == "(8)" and "status" in (body or {}):
            self.server.builder.cancelled(body["status"])
        return self.answer(200)

    def build(self):
        """`/v3/build`: takes the source, then answers as the test's script says."""
        builder = self.server.builder
        if builder.refusal:
            # As a server does that knows from the head that it will not build.
            self.close_connection = True
            self.answer(*builder.refusal)
            self.connection.shutdown(socket.SHUT_WR)
            while self.rfile.read1(65536):
                pass
            return
        source = read_chunked(self.rfile)
        query = {k: v[0] for k, v in urllib.parse.parse_qs(self.path.split("?")[1], keep_blank_values=True).items()}
        builder.requests.append((query, dict(self.headers), source))
        if query["headless"] == "true":
            return self.answer(200, builder.headless)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.close_connection = True

        def write(text):
            data = text if isinstance(text, bytes) else text.encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()

        if builder.script(write) is not builder.BREAK_OFF:
            self.wfile.write(b"0\r\n\r\n")

    def build_log(self, query):
        """The log of a build. Each connection gives some bytes of it, and the last of them all."""
        builder = self.server.builder
        offset = int(query.get("offset", ["0"])[0])
        builder.offsets.append(offset)
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.close_connection = True
        part = builder.log[offset:]
        if len(builder.offsets) <= len(builder.breaks):
            part = part[:builder.breaks[len(builder.offsets) - 1]]
        if part:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        if len(builder.offsets) > len(builder.breaks):
            self.wfile.write(b"0\r\n\r\n")

    def logs(self, stream):
        records = [
            {"message": "up \u001b[2J", "timestamp": 1795428832331, "serviceId": 9, "isSystem": False, "isStdErr": False},
            {"message": "starting", "timestamp": 1795428832332, "isSystem": True, "isStdErr": False},
        ]
        if not stream:
            return self.answer(200, records)
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Connection", "close")
        self.end_headers()
        for record in records:
            self.wfile.write(json.dumps(record).encode() + b"\n\n")
        self.wfile.flush()
        self.server.following.set()
        self.server.unfollow.wait(60)

    def rows(self, resource, key, query):
        log = self.server.log
        if resource == "build":
            return [] if "release eq" in query and "release eq 8" not in query else [self.server.builder.row()]
        if resource == "application":
            if "is_directly_accessible_by__user/any(dau:1 eq 1)" not in query:
                return []
            if self.server.builder.fleets is not None and "eq '" not in query:
                return self.server.builder.fleets
            named = "eq 'gate'" in query or "slug eq 'ann/gate'" in query or "eq '" not in query
            if "eq 'twin'" in query:
                return [dict(FLEET, slug="a/twin"), dict(FLEET, slug="b/twin")]
            return [self.server.fleet] if named else []
        if resource == "device":
            known = "eq '" not in query and "uuid,'" not in query
            return [DEVICE] if known or "ddddddd" in query or "north" in query else []
        if resource == "release":
            known = key == "(8)" or "cccc" in query or "belongs_to__application eq" in query
            return [dict(RELEASE, status=self.server.builder.release_status)] if known else []
        if resource.endswith("_membership_role"):
            return [{"id": 33}] if "developer" in query or "observer" in query else []
        if resource.endswith("_membership"):
            known = "username eq '" not in query or "'bob'" in query
            role = resource.replace("user_application", "application") + "_role"
            return [{"id": 40, "user": [{"id": 5, "username": "bob", "email": "b@c.d"}], role: [{"name": "developer"}]}] if known else []
        if resource.startswith("invitee__"):
            return [{"id": 50, "created_at": "2026-11-23T05:00:00.000Z", "invitee": [{"email": "b@c.d"}]}]
        if resource == "api_key":
            return [] if key == "(99)" else [{"id": 18, "name": "ci", "created_at": "x", "expiry_date": None, "description": None}]
        if resource == "user__has__public_key":
            return [] if key == "(99)" else [{"id": 19, "title": "laptop", "public_key": "ssh-ed25519 AAAA ann", "created_at": "x"}]
        if resource == "service" and "application eq" in query:
            return [{"id": 9, "service_name": "web"}]
        if resource == "service":
            name = re.search(r"service_name='([^']*)'", key)
            found = log.services.get(name.group(1)) if name else None
            return [{"id": found}] if found else []
        if resource == "organization":
            return [{"id": 2, "handle": "ann"}]
        if resource == "device_type":
            if "eq 'nonsense'" in query:
                return []
            return [{"id": 6, "slug": "generic-amd64", "name": "Generic", "is_of__cpu_architecture": [{"slug": "amd64"}]}]
        if resource.endswith(("_variable", "_tag")):
            word = "tag_key" if resource.endswith("_tag") else "name"
            wanted = re.search(word + r" eq '([^']*)'", query)
            rows = [{"id": 1, word: k, "value": v} for (r, k), v in log.variables.items() if r == resource]
            return [r for r in rows if not wanted or r[word] == wanted.group(1)]
        return []

    def create(self, resource, body):
        log = self.server.log
        new = log.new_id()
        if resource == "service":
            log.services[body["service_name"]] = new
        if resource.endswith(("_variable", "_tag")):
            name = (resource, body.get("name") or body.get("tag_key"))
            if name in log.variables:
                return self.answer(409, "\"name\" must be unique.")
            log.variables[name] = body["value"]
        row = dict(body, id=new)
        if resource == "organization":
            row["handle"] = body["name"].lower().replace(" ", "_")
        if resource.startswith("invitee__"):
            row["token"] = "invitation-token"
        if resource == "application":
            row.update(slug="ann/" + body["app_name"].lower(), uuid="e" * 32)
        if resource == "image":
            row["is_stored_at__image_location"] = self.server.registry + "/v2/" + f"{new:032x}"
        return self.answer(201, row)


def read_chunked(file):
    pieces = []
    while True:
        size = int(file.readline().split(b";")[0], 16)
        pieces.append(file.read(size))
        file.readline()
        if size == 0:
            return b"".join(pieces)


class Builder:
    """What the builder's endpoint does next, and what it was asked."""

    BREAK_OFF = object()

    def __init__(self):
        self.requests = []   # (query, headers, source)
        self.refusal = None  # (status, body)
        self.script = lambda write: write('[{"type":"metadata","resource":"buildLogId","value":8},{"message":"Built"}]')
        self.headless = {"started": True, "releaseId": 8}
        self.status = "running"
        self.release_status = "success"
        self.fleets = None
        self.log = b""
        self.breaks = []     # bytes after which a connection to the log breaks off
        self.offsets = []
        self.go_on = threading.Event()

    def cancelled(self, status):
        self.release_status = status
        self.status = status
        self.go_on.set()

    def row(self):
        return {
            "id": 70, "status": self.status, "source": "git", "git_ref": "refs/heads/main", "worker": "w\u001b[2J1", "attempt": 2,
            "start_timestamp": "2026-11-23T05:00:00.000Z", "end_timestamp": "2026-11-23T05:01:40.000Z", "error_message": None,
            "services": [
                {"name": "web", "status": "success", "image_bytes": 2000000, "started": 1795410000000, "ended": 1795410005000,
                 "cached": True, "error": ""},
                {"name": "db", "status": "failed", "image_bytes": 0, "started": 1795410000000, "ended": 1795410002000,
                 "cached": False, "error": "exit 1"},
            ],
            "release": [{"id": 8, "commit": "c" * 32, "belongs_to__application": [{"slug": "ann/gate"}]}],
        }


class Engine(http.server.BaseHTTPRequestHandler):
    """The Docker Engine API on a unix socket: knows images by name, builds and pushes anything."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def address_string(self):
        return "unix"

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            return read_chunked(self.rfile)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status, value, kind="application/json"):
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Api-Version", "1.41")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def handle_any(self):
        data = self.body()
        engine = self.server.engine
        path = re.sub(r"^/v[0-9.]+", "", urllib.parse.unquote(self.path))
        engine.requests.append((self.command, path, data, dict(self.headers)))
        if path == "/_ping":
            return self.answer(200, b"OK", "text/plain")
        if path == "/version":
            return self.answer(200, {"Version": "20.10.24", "ApiVersion": "1.41", "Os": "linux", "Arch": "amd64"})
        if path.startswith("/build"):
            return self.build(path, data)
        if "/push" in path:
            return self.push()
        if path.startswith("/images/create?"):
            asked = urllib.parse.parse_qs(path.split("?")[1])
            engine.images.add(asked["fromImage"][0] + ":" + asked["tag"][0])
            return self.answer(200, {"status": "Pulled"})
        inspect = re.match(r"/images/(.+)/json", path)
        if inspect:
            if inspect.group(1) not in engine.images and engine.only_known:
                return self.answer(404, {"message": "No such image: " + inspect.group(1)})
            return self.answer(200, {"Id": "sha256:" + "1" * 64, "Size": 1234567, "RepoTags": [], "RepoDigests": []})
        if "/tag" in path:
            return self.answer(201, b"")
        if self.command == "DELETE":
            return self.answer(200, [{"Untagged": "x"}])
        return self.answer(404, {"message": "not in this engine"})

    do_GET = do_POST = do_DELETE = do_HEAD = handle_any

    def build(self, path, data):
        engine = self.server.engine
        engine.contexts.append(data)
        if engine.build_error:
            lines = [{"stream": "Step 1/2 : FROM x\n"}, {"errorDetail": {"message": engine.build_error}, "error": engine.build_error}]
        else:
            engine.images |= {"sha256:" + "1" * 64, *urllib.parse.parse_qs(path.split("?")[1])["t"]}
            lines = [
                {"stream": "Step 1/1 : FROM x\n"},
                {"aux": {"ID": "sha256:" + "1" * 64}},
                {"stream": "Successfully built 111111111111\n"},
            ]
        self.answer(200, "".join(json.dumps(line) + "\r\n" for line in lines).encode())

    def push(self):
        engine = self.server.engine
        if engine.push_waits:
            engine.push_waiting.set()
            engine.push_release.wait(30)
        if engine.push_error:
            lines = [{"errorDetail": {"message": engine.push_error}, "error": engine.push_error}]
        else:
            lines = [
                {"status": "Pushing", "id": "l1", "progressDetail": {"current": 1, "total": 2}},
                {"status": "Pushed", "id": "l1", "progressDetail": {}},
            ]
            if engine.tells_digest:
                lines.append({"progressDetail": {}, "aux": {"Tag": "latest", "Digest": "sha256:" + "b" * 64, "Size": 5}})
        self.answer(200, "".join(json.dumps(line) + "\r\n" for line in lines).encode())


class Quiet:
    """A client that goes away in the middle is part of the tests, not news."""

    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


class FakeApi(Quiet, http.server.ThreadingHTTPServer):

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Api)
        self.log = Recorder()
        self.fleet = dict(FLEET)
        self.builder = Builder()
        self.following = threading.Event()
        self.unfollow = threading.Event()
        self.registry = f"127.0.0.1:{self.server_port}"
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


class FakeEngine(Quiet, socketserver.ThreadingUnixStreamServer):

    def __init__(self, socket_path):
        self.engine = self
        self.requests = []
        self.contexts = []
        self.images = set()
        self.only_known = False
        self.build_error = None
        self.push_error = None
        self.push_waits = False
        self.tells_digest = True
        self.push_waiting = threading.Event()
        self.push_release = threading.Event()
        self.endpoint = "unix://" + str(socket_path)
        super().__init__(str(socket_path), Engine)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
