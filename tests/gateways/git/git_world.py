"""A user of stock git: working copies, keys, a small builder. Standard library only."""

import http.server
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import threading
import urllib.parse

CLEAN = {
    "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "ann", "GIT_AUTHOR_EMAIL": "ann@example.org",
    "GIT_COMMITTER_NAME": "ann", "GIT_COMMITTER_EMAIL": "ann@example.org",
}


class Done:
    """What a command printed, and how it ended."""

    def __init__(self, process):
        self.ok = process.returncode == 0
        self.out = process.stdout.decode("utf-8", "replace").strip()
        self.err = process.stderr.decode("utf-8", "replace")

    def __repr__(self):
        return f"<ok={self.ok}\n{self.out}\n{self.err}>"


class Folder:
    """A temporary folder with git in it."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="slipway-git-")
        self.ssh = None
        self.env = {}

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)

    def environment(self, **more):
        env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
        env.update(CLEAN)
        env.update({"HOME": self.path, **self.env, **more})
        if self.ssh:
            env["GIT_SSH_COMMAND"] = self.ssh
        return env

    def git(self, *arguments, at="", check=True, seconds=300, **more):
        done = Done(subprocess.run(
            ["git", *arguments], cwd=os.path.join(self.path, at), env=self.environment(**more),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=seconds, check=False))
        assert done.ok or not check, (arguments, done)
        return done

    def given_project(self, name="work", branch="main"):
        self.git("init", "-q", "-b", branch, name)
        self.write("Dockerfile", "FROM scratch\n", at=name)
        self.commit(at=name)
        return name

    def write(self, file, text, at="work"):
        path = os.path.join(self.path, at, file)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            out.write(text if isinstance(text, bytes) else text.encode())
        return path

    def commit(self, at="work"):
        self.git("add", "-A", at=at)
        self.git("commit", "-q", "--allow-empty", "-m", "change", at=at)
        return self.head(at=at)

    def head(self, at="work", rev="HEAD"):
        return self.git("rev-parse", rev, at=at).out

    def given_key(self, name="key", kind="ed25519"):
        """Makes a key pair; answers the public half."""
        path = os.path.join(self.path, name)
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", path], check=True)
        with open(path + ".pub", encoding="utf-8") as file:
            return file.read().strip()

    def use_key(self, name="key"):
        self.ssh = " ".join(self.ssh_words(name))

    def ssh_words(self, name="key"):
        return ["ssh", "-F", "/dev/null", "-i", os.path.join(self.path, name), "-o", "IdentitiesOnly=yes",
                "-o", "IdentityAgent=none", "-o", "StrictHostKeyChecking=accept-new", "-o", "BatchMode=yes",
                "-o", "LogLevel=ERROR", "-o", "UserKnownHostsFile=" + os.path.join(self.path, "known_hosts")]


class Builder:
    """Stands in for the builder of a server: takes a tar, answers as it is told."""

    def __init__(self):
        self.sources = []   # of each build: {"commit", "ref", "ticket", "files"}
        self.settled = []
        self.answer = lambda build, write: write('[{"message":"built"}]')
        self.status = 200
        builder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                builder.handle(self)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    @staticmethod
    def body_of(request):
        if request.headers.get("Transfer-Encoding") != "chunked":
            return request.rfile.read(int(request.headers.get("Content-Length", "0")))
        body = b""
        while size := int(request.rfile.readline(), 16):
            body += request.rfile.read(size)
            request.rfile.readline()
        request.rfile.readline()
        return body

    def handle(self, request):
        try:
            body = self.body_of(request)
        except ValueError:
            request.close_connection = True
            return
        url = urllib.parse.urlsplit(request.path)
        ticket = request.headers.get("Authorization")
        if url.path == "/build/v1/git/settle":
            self.settled.append(ticket)
            return self.reply(request, 200, json.dumps([{"release": 8, "status": "released"}]))
        if self.status != 200:
            return self.reply(request, self.status, json.dumps("no room for another build"))
        query = dict(urllib.parse.parse_qsl(url.query))
        with tarfile.open(fileobj=io.BytesIO(body)) as tar:
            build = {**query, "ticket": ticket, "files": {m.name: m for m in tar.getmembers()}}
        self.sources.append(build)
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()

        def write(text):
            data = text.encode()
            request.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            request.wfile.flush()

        if self.answer(build, write) == "cut":
            request.close_connection = True
            return None
        request.wfile.write(b"0\r\n\r\n")
        return None

    @staticmethod
    def reply(request, status, text):
        data = text.encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)
