"""An engine over its socket on one kept connection, without the start of a program for each call: what a build costs the engine itself."""

import base64
import http.client
import io
import json
import socket
import tarfile
import urllib.parse


def tar_of(files):
    """A plain tar of texts by path."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, text in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return out.getvalue()


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("engine", timeout=600)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class DirectEngine:
    def __init__(self, path):
        self.connection = UnixConnection(path)

    def call(self, method, path, body=None, headers=None):
        """The lines of an answer, each JSON."""
        if body is not None and not isinstance(body, bytes):
            body, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
        self.connection.request(method, "/v1.40" + path, body, headers or {})
        answer = self.connection.getresponse()
        text = answer.read().decode()
        lines = [json.loads(line) for line in text.splitlines() if line]
        wrong = [line for line in lines if isinstance(line, dict) and "error" in line]
        if answer.status >= 400 or wrong:
            raise RuntimeError(f"{method} {path}: {answer.status} {wrong or text[:300]}")
        return lines

    def build(self, files, tag):
        self.call("POST", "/build?version=1&t=" + urllib.parse.quote(tag), tar_of(files), {"Content-Type": "application/x-tar"})

    def tag(self, image, repository):
        self.call("POST", f"/images/{image}/tag?" + urllib.parse.urlencode({"repo": repository, "tag": "latest"}))

    def push(self, repository, token):
        """Answers the digest. The engine asks the registry for a token of its own with this credential."""
        said = self.call("POST", f"/images/{repository}/push?tag=latest", b"", self.credential(token))
        return [line["aux"]["Digest"] for line in said if "aux" in line][0]

    def pull(self, repository, digest, token):
        self.call("POST", "/images/create?" + urllib.parse.urlencode({"fromImage": repository, "tag": digest}), b"",
                  self.credential(token))

    @staticmethod
    def credential(token):
        text = json.dumps({"username": "bench", "password": token}).encode()
        return {"X-Registry-Auth": base64.urlsafe_b64encode(text).decode()}

    def events(self, since, until):
        """What happened in the engine, in order: (seconds, type, action, attributes)."""
        said = self.call("GET", f"/events?since={since:.6f}&until={until:.6f}")
        return [(e["timeNano"] / 1e9, e["Type"], e["Action"], e["Actor"].get("Attributes", {})) for e in said]
