"""People with the real balena CLI in front of a real slipwayd. Standard library only."""

import json
import os
import pathlib
import pty
import re
import secrets
import select
import shutil
import subprocess
import sys
import tempfile
import threading

import install

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from support.slipwayd import ADMIN, PASSWORD, Client, Slipwayd  # noqa: E402

COMMAND_SECONDS_MAX = 180
TYPE = "generic-amd64"
ROOT = pathlib.Path(__file__).resolve().parents[3]
CLIENTS = pathlib.Path(os.environ.get("SLIPWAY_CLIENTS") or install.place()).resolve()
PATH = f"{CLIENTS / 'bin'}:{os.environ['PATH']}"   # the node that was installed with the clients comes first

commands = set()   # what the CLI calls its commands
used = {}          # command -> how often it ended well; docs/clients.md is checked against it
used_lock = threading.Lock()


class Done:
    """What a command printed and how it ended."""

    def __init__(self, arguments, code, out, err):
        self.arguments = arguments
        self.code = code
        self.out = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out)
        self.err = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", err)

    @property
    def json(self):
        try:
            return json.loads(self.out)
        except ValueError as bad:
            raise AssertionError(f"no JSON from {self}: {bad}") from bad

    def table(self, *names):
        """The rows of a table whose columns have these names, as maps."""
        lines = [line for line in self.out.splitlines() if line.strip()]
        assert lines, f"no table from {self}"
        starts = []
        for name in names:
            at = lines[0].find(name.upper(), starts[-1] + 1 if starts else 0)
            assert at >= 0, f"no column {name!r} in {self}"
            starts.append(at)
        ends = starts[1:] + [None]
        return [dict(zip(names, (line[a:b].strip() for a, b in zip(starts, ends)))) for line in lines[1:]]

    @property
    def facts(self):
        """`NAME: value` lines as a map with names in lower case."""
        pairs = (line.split(":", 1) for line in self.out.splitlines() if ":" in line)
        return {name.strip().lower(): value.strip() for name, value in pairs}

    def __repr__(self):
        return f"<balena {' '.join(self.arguments)}: {self.code}\n{self.out}\n{self.err}>"


class Fresh(Client):
    """Requests on a connection each: the CLI leaves pauses after which a kept one would be closed."""

    def send(self, *arguments, **more):
        try:
            return super().send(*arguments, **more)
        finally:
            self.close()


class Person:
    """A user with a home of their own and the CLI in it."""

    def __init__(self, world, name, password, user_id, email):
        self.world = world
        self.name = name
        self.password = password
        self.id = user_id
        self.email = email
        self.home = world.folder / f"home-{name}"
        self.home.mkdir()
        self.api = None       # requests with this person's session
        self.handle = None    # the organization a user starts with
        self.environment = {}

    def arm(self, **more):
        """The environment of a command: nothing of the caller's but the path."""
        environment = {
            "PATH": PATH,
            "NODE_COMPILE_CACHE": str(CLIENTS / "compile-cache"),   # a command spends most of its time on starting
            "HOME": str(self.home),
            "BALENARC_DATA_DIRECTORY": str(self.home / ".balena"),
            "BALENARC_BALENA_URL": "slipway.test",
            "BALENARC_API_URL": f"http://127.0.0.1:{self.world.server.port}",
            "BALENARC_NO_SENTRY": "1",
            "BALENARC_NO_ANALYTICS": "1",
            "BALENARC_UNSUPPORTED": "1",
            "NO_COLOR": "1",
            "LANG": "C.UTF-8",
            **self.environment,
            **more,
        }
        return {name: value for name, value in environment.items() if value is not None}

    def sign_in(self):
        """As `balena login` would leave the home: the token in the data folder."""
        self.api = self.world.login(self.name, self.password)
        folder = self.home / ".balena"
        folder.mkdir(exist_ok=True)
        (folder / "token").write_text(self.api.token, encoding="utf-8")
        return self

    def start(self, *arguments, **more):
        """A command that runs on, its output in a pipe."""
        note_use(arguments)
        return subprocess.Popen([str(CLIENTS / "node_modules/.bin/balena"), *map(str, arguments)], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=self.home,
                                env=self.arm(**more), start_new_session=True)

    def balena(self, *arguments, code=0, cwd=None, **more):
        """Runs one command and checks its exit code; `code=None` takes any failure."""
        arguments = [str(a) for a in arguments]
        done = subprocess.run([str(CLIENTS / "node_modules/.bin/balena"), *arguments], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=COMMAND_SECONDS_MAX,
                              cwd=cwd or self.home, env=self.arm(**more), check=False)
        result = Done(arguments, done.returncode, done.stdout, done.stderr)
        right = result.code != 0 if code is None else result.code == code
        if result.code == 0:
            note_use(arguments)
        assert right, f"expected exit code {'above 0' if code is None else code}: {result}"
        return result

    def in_terminal(self, *arguments, answers, **more):
        """Runs a command that asks: when the text of an answer's first half is on the terminal, its second half is typed."""
        note_use(arguments)
        master, slave = pty.openpty()
        process = subprocess.Popen([str(CLIENTS / "node_modules/.bin/balena"), *map(str, arguments)], stdin=slave, stdout=slave,
                                   stderr=slave, cwd=self.home, env=self.arm(TERM="xterm", **more), start_new_session=True)
        os.close(slave)
        said, waiting = "", list(answers)
        try:
            while True:
                ready, _, _ = select.select([master], [], [], COMMAND_SECONDS_MAX)
                assert ready, f"nothing more came: {said}"
                try:
                    said += os.read(master, 4096).decode("utf-8", "replace")
                except OSError:   # the other end is closed
                    break
                if waiting and waiting[0][0] in said:
                    os.write(master, (waiting.pop(0)[1] + "\n").encode())
            code = process.wait(COMMAND_SECONDS_MAX)
        finally:
            os.close(master)
            if process.poll() is None:
                process.kill()
                process.wait()
        assert not waiting, f"it never asked for {waiting}: {said}"
        return Done(list(map(str, arguments)), code, said, "")

    def refused(self, *arguments, words, **more):
        """A command that must fail and say why."""
        result = self.balena(*arguments, code=None, **more)
        said = result.out + result.err
        assert words.lower() in said.lower(), f"it does not say {words!r}: {result}"
        return result

    # Things that other groups test; here they only set the scene.

    def fleet(self, name, kind=TYPE):
        """A fleet in the person's own organization. Answers its row."""
        organization = self.api.rows(f"/v7/organization(handle='{self.handle}')?$select=id")[0]["id"]
        device_type = self.api.rows(f"/v7/device_type?$filter=slug eq '{kind}'&$select=id")[0]["id"]
        return self.api.create("application", app_name=name, organization=organization, is_for__device_type=device_type)

    def release(self, fleet_id, service="main", final=True, composition=None, **fields):
        """A successful release with one image, as a deploy would leave it. Answers its row."""
        release = self.api.create("release", belongs_to__application=fleet_id, commit=secrets.token_hex(16), status="running",
                                  source="local", start_timestamp="2026-01-01T00:00:00.000Z", is_final=final,
                                  composition=composition or {"version": "2.1", "services": {service: {"image": "x"}}}, **fields)
        found = self.api.rows(f"/v7/service(application={fleet_id},service_name='{service}')")
        service_id = (found or [self.api.create("service", application=fleet_id, service_name=service)])[0]["id"]
        image = self.api.create("image", is_a_build_of__service=service_id, status="running",
                                start_timestamp="2026-01-01T00:00:00.000Z")
        self.api.create("image__is_part_of__release", is_part_of__release=release["id"], image=image["id"])
        self.change(f"image({image['id']})", status="success", push_timestamp="2026-01-01T00:00:01.000Z", image_size="123",
                    content_hash="sha256:" + "a" * 64)
        self.change(f"release({release['id']})", status="success")
        return {**release, "image": image["id"], "service": service_id}

    def change(self, what, **fields):
        answer = self.api.patch("/v7/" + what, fields)
        assert answer.status == 200, (what, fields, answer)

    def device(self, fleet_id):
        """A device that has registered and never reported. Answers {id, uuid, api_key}."""
        key = self.api.post(f"/api-key/application/{fleet_id}/provisioning", {})
        assert key.status == 200, key
        answer = self.world.server.client(key.json).post("/device/register", {
            "application": fleet_id, "uuid": secrets.token_hex(16), "device_type": TYPE, "user": self.id})
        assert answer.status == 201, answer
        return answer.json

    def row(self, what):
        """The single row that `what` names, or None."""
        rows = self.api.rows("/v7/" + what)
        assert len(rows) < 2, (what, rows)
        return rows[0] if rows else None


def all_commands():
    """The names of the CLI's commands, by its own manifest."""
    manifest = json.loads((CLIENTS / "node_modules/balena-cli/oclif.manifest.json").read_text(encoding="utf-8"))
    return {name.replace(":", " ") for name, command in manifest["commands"].items() if not command.get("hidden")}


def note_use(arguments):
    """Counts the command that a command line names."""
    words = [str(a) for a in arguments[:2]]
    with used_lock:
        if not commands:
            commands.update(all_commands())
        name = " ".join(words) if " ".join(words) in commands else words[0]
        used[name] = used.get(name, 0) + 1


class World:
    """A server, with these variables in its environment, and whoever uses it."""

    def __init__(self, **server_environment):
        if not (CLIENTS / "bin/node").exists():
            sys.exit(f"the balena clients are not in {CLIENTS}: run tests/e2e/balena_cli/install.py")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="slipway-balena-"))
        self.lock = threading.Lock()
        self.count = 0
        self.closers = []   # what else is to be stopped, the last first
        self.server = Slipwayd()
        try:
            self.server.start(env=server_environment)
            self.admin = self.login(ADMIN, PASSWORD)
        except BaseException:   # nobody has this world yet who could close it
            self.server.remove()
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def login(self, name, password):
        kept = self.server.login(name, password)
        kept.close()
        return Fresh(self.server.port, kept.token)

    def person(self, prefix="ann", signed_in=True):
        """A new user."""
        with self.lock:
            self.count += 1
            name = f"{prefix}{self.count}"
        password = "their long password"
        email = f"{name}@example.org"
        made = self.admin.create("user", username=name, password=password, email=email)
        person = Person(self, name, password, made["id"], email)
        person.api = self.login(name, password)
        organizations = person.api.rows("/v7/organization?$select=handle")
        assert len(organizations) == 1, organizations
        person.handle = organizations[0]["handle"]
        return person.sign_in() if signed_in else person

    def close(self):
        try:
            for closer in reversed(self.closers):
                closer()
            if self.server.process.poll() is None:
                assert self.server.stop() == 0, "slipwayd ended badly:\n" + self.server.text()
        finally:
            self.server.remove()
            shutil.rmtree(self.folder, ignore_errors=True)
