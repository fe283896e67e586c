"""A real slipwayd of a test's own: free ports, a folder of its own, stopped by its process id. Standard library only."""

import http.client
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.parse

ADMIN = "root"
PASSWORD = "correct horse"
START_SECONDS_MAX = 60


class Answer:
    """What came back: status, headers, body as text, and as JSON where it is."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.text = body.decode("utf-8", "replace")

    @property
    def json(self):
        return json.loads(self.text)

    @property
    def rows(self):
        return self.json["d"]

    def __repr__(self):
        return f"<{self.status} {self.text[:300]!r}>"


class Client:
    """Requests with one credential, on a connection per thread."""

    seconds = 30  # for one answer

    def __init__(self, port, token=None):
        self.port = port
        self.token = token
        self.local = threading.local()

    def close(self):
        connection = getattr(self.local, "connection", None)
        if connection is not None:
            connection.close()
            self.local.connection = None

    def send(self, method, path, body=None, headers=None, raw=None):
        head = dict(headers or {})
        if self.token is not None:
            head.setdefault("Authorization", "Bearer " + self.token)
        data = raw
        if body is not None:
            data = json.dumps(body).encode()
            head.setdefault("Content-Type", "application/json")
        quoted = urllib.parse.quote(path, safe="/:?&=$(),'%;@!*+[]-._~")
        for last in (False, True):
            connection = getattr(self.local, "connection", None)
            fresh = connection is None
            if fresh:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.seconds)
                self.local.connection = connection
            try:
                connection.request(method, quoted, body=data, headers=head)
                answer = connection.getresponse()
                return Answer(answer.status, dict(answer.getheaders()), answer.read())
            except (http.client.HTTPException, OSError):
                connection.close()
                self.local.connection = None
                # An idle connection may have been closed; only a request on a fresh one says something. A write is not repeated.
                if fresh or last or method != "GET":
                    raise

    def get(self, path, **more):
        return self.send("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.send("POST", path, body, **more)

    def patch(self, path, body=None, **more):
        return self.send("PATCH", path, body, **more)

    def delete(self, path, **more):
        return self.send("DELETE", path, **more)

    def rows(self, path):
        answer = self.get(path)
        assert answer.status == 200, (path, answer)
        return answer.rows

    def create(self, resource, **fields):
        answer = self.post("/v7/" + resource, fields)
        assert answer.status == 201, (resource, fields, answer)
        return answer.json


class Slipwayd:
    """Starts, kills and starts again on the same data."""

    def __init__(self, binary=None):
        self.binary = binary or os.path.join(os.environ["SLIPWAY_BIN"], "slipwayd")
        self.folder = tempfile.mkdtemp(prefix="slipway-test-")
        self.admin_file = os.path.join(self.folder, "admin")
        with open(self.admin_file, "w", encoding="utf-8") as file:
            file.write(f"{ADMIN}:{PASSWORD}\n")
        self.process = None
        self.port = None
        self.https_port = None
        self.ssh_port = None
        self.log = []

    def start(self, env=None, wait=True, http="127.0.0.1:0", overlay="tcp://127.0.0.1:0"):
        self.log = []
        self.port = None
        self.process = subprocess.Popen(
            [self.binary, "serve", "--data-dir", os.path.join(self.folder, "data"),
             "--http", http, "--overlay", overlay, "--ssh", "127.0.0.1:0", "--admin-file", self.admin_file],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})})
        self.ready = threading.Event()
        self.reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self.reader.start()
        if wait:
            assert self.ready.wait(START_SECONDS_MAX) and self.port, "slipwayd did not start:\n" + self.text()
        return self

    def _read(self, process):
        for line in process.stdout:
            text = line.decode("utf-8", "replace").rstrip()
            self.log.append(text)
            secured = re.search(r"slipwayd serves TLS.*https=\"?[\d.]+:(\d+)", text)
            if secured:
                self.https_port = int(secured.group(1))
            found = re.search(r"slipwayd serves.*http=\"?[\d.]+:(\d+)", text)
            if found:
                self.port = int(found.group(1))
                ssh = re.search(r" ssh=\"?[\d.]+:(\d+)", text)
                self.ssh_port = int(ssh.group(1)) if ssh else None
                self.ready.set()
        self.ready.set()

    def text(self):
        return "\n".join(self.log[-40:])

    def kill(self):
        """At once, as a power cut would."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        return self.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self, seconds=60):
        status = self.process.wait(seconds)
        self.reader.join(10)
        self.process.stdout.close()
        return status

    def rebuild(self):
        """What `slipwayd rebuild` says of the stopped server's data."""
        # The edge of a killed server ends by itself; the store's lock is the server's own.
        done = subprocess.run(
            [self.binary, "rebuild", "--data-dir", os.path.join(self.folder, "data")],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
        return done.returncode, done.stdout.decode()

    def client(self, token=None):
        return Client(self.port, token)

    def login(self, name=ADMIN, password=PASSWORD):
        guest = self.client()
        answer = guest.post("/login_", {"username": name, "password": password})
        guest.close()
        assert answer.status == 200, answer
        return self.client(answer.text)

    def remove(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def new_uuid():
    return secrets.token_hex(16)


def wait_until(condition, seconds=30):
    """For what happens by itself; a long time-out only ever means failure."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
