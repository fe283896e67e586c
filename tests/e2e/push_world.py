"""A server that builds with a real engine, people who push to it with `slipway`, git and the balena CLI, and agents that run what comes
out. Standard library only."""

import os
import pathlib
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import types

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "balena_cli"), str(HERE.parent)]
import world  # noqa: E402
from actions_test import Device  # noqa: E402
from agent_world import Engine, wait_for  # noqa: E402

LONG = 300  # only ever means failure: engines on busy machines take minutes
SLIPWAY = str(pathlib.Path(os.environ["SLIPWAY_BIN"]) / "slipway")
ROOT = HERE.parents[1]
OVER = ("released", "failed", "cancelled")

DOCKERFILE = """FROM slipway/busybox
RUN echo "{mark} begins"{then}
CMD ["sh", "-c", "trap 'exit 0' TERM; echo {mark} runs; while true; do sleep 1 & wait; done"]
"""


def dockerfile(mark, then=""):
    """An image that keeps running. `then` goes on with the step that prints `<mark> begins`, e.g. `&& false`."""
    return DOCKERFILE.format(mark=mark, then=f" {then}" if then else "")


def new_mark():
    """A word that no engine has in a cache."""
    return "m" + secrets.token_hex(6)


class Pushing:
    """A command that pushes: its output with the time of each line."""

    def __init__(self, command, **more):
        self.command = command
        self.lines = []   # (seconds, text)
        self.changed = threading.Condition()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        start_new_session=True, **more)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        # Progress that rewrites its line ends with a carriage return.
        pending = b""
        while piece := os.read(self.process.stdout.fileno(), 65536):
            *whole, pending = re.split(rb"[\r\n]", pending + piece)
            self.add(whole)
        self.add([pending])

    def add(self, lines):
        with self.changed:
            for line in lines:
                text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line.decode("utf-8", "replace"))
                if text.strip():
                    self.lines.append((time.monotonic(), text))
            self.changed.notify_all()

    @property
    def text(self):
        with self.changed:
            return "\n".join(text for _, text in self.lines)

    def __repr__(self):
        return f"<{self.command}: {self.process.poll()}\n{self.text}>"

    def seen(self, words):
        """When a line came that holds these words as output, not as the step's own text; None if it did not."""
        with self.changed:
            for when, text in self.lines:
                if words in text and "echo" not in text and "RUN" not in text:
                    return when
        return None

    def wait_line(self, words, seconds=LONG):
        end = time.monotonic() + seconds
        while (when := self.seen(words)) is None:
            with self.changed:
                self.changed.wait(0.2)
            ended = self.process.poll() is not None and not self.reader.is_alive()
            assert time.monotonic() < end and (not ended or self.seen(words)), f"no {words!r} from {self}"
        return when

    def end(self, code=0):
        """Waits for the end; `code=None` takes any failure. Answers what it printed."""
        got = self.process.wait(LONG)
        self.reader.join(LONG)
        right = got != 0 if code is None else got == code
        assert right, f"expected {'a failure' if code is None else code}, got {got}: {self}"
        return self.text

    def interrupt(self):
        """As Ctrl-C does: the whole group of processes."""
        os.killpg(self.process.pid, signal.SIGINT)

    def kill(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class PushWorld(world.World):
    """Without an engine the server has no worker: what is pushed waits."""

    def __init__(self, with_engine=True, **server_environment):
        self.pushes, self.devices_of = [], {}
        self.engine_folder = pathlib.Path(tempfile.mkdtemp(prefix="slipway-push-"))
        self.engine = None
        endpoint = "none"
        try:
            if with_engine:
                self.engine = Engine(str(self.engine_folder), "")
                endpoint = "unix://" + self.engine.socket
                subprocess.run([str(ROOT / "scripts/base-image")], check=True, stdout=subprocess.DEVNULL,
                               env={**os.environ, "DOCKER_HOST": endpoint})
            super().__init__(SLIPWAY_BUILDER_ENGINE=endpoint, **server_environment)
        except BaseException:
            self.stop_engine()
            raise

    def stop_engine(self):
        if self.engine is not None:
            self.engine.stop()
        shutil.rmtree(self.engine_folder, ignore_errors=True)

    def close(self):
        try:
            for push in self.pushes:
                push.kill()
            for device in self.devices_of.values():
                device.end()
            super().close()
        finally:
            self.stop_engine()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.port}"

    def started(self, command, person, folder, **environment):
        push = Pushing([str(c) for c in command], cwd=str(folder), env=person.arm(**environment))
        self.pushes.append(push)
        return push

    # What is pushed.

    def project(self, person, files):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="project-", dir=person.home))
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        return folder

    # The clients. Each starts a push of a folder to a fleet; the result is a Pushing.

    def slipway(self, person, *arguments, folder=None):
        return self.started([SLIPWAY, *arguments], person, folder or person.home,
                            SLIPWAY_SERVER=self.url, SLIPWAY_TOKEN=person.api.token)

    def slipway_push(self, person, fleet, folder, *more):
        return self.slipway(person, "push", fleet["slug"], str(folder), *more)

    def balena_push(self, person, fleet, folder, *more):
        world.note_use(["push"])
        return self.started([world.CLIENTS / "node_modules/.bin/balena", "push", fleet["slug"], "--source", folder, *more],
                            person, person.home, BALENARC_BUILDER_URL=self.url)

    def git(self, person, folder, *arguments, code=0):
        """A git command that pushes nothing. Answers what it printed."""
        done = subprocess.run(["git", *map(str, arguments)], cwd=folder, env=self.git_environment(person), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=LONG, check=False)
        assert done.returncode == code, (arguments, done)
        return done.stdout

    def git_environment(self, person):
        """The credential comes from an askpass program, which git runs for what it would ask on a terminal."""
        ask = person.home / "askpass"
        if not ask.exists():
            token = person.home / "git-token"
            token.write_text(person.api.token, encoding="utf-8")
            token.chmod(0o600)
            ask.write_text(f'#!/bin/sh\ncase "$1" in Username*) echo {person.name};; *) cat "{token}";; esac\n', encoding="utf-8")
            ask.chmod(0o700)
        return person.arm(GIT_ASKPASS=str(ask), GIT_TERMINAL_PROMPT="0", GIT_CONFIG_NOSYSTEM="1")

    def git_remote(self, fleet):
        return f"{self.url}/git/{fleet['slug']}.git"

    def git_commit(self, person, folder):
        """All files that are not ignored as one more commit. Answers its hash."""
        if not (folder / ".git").exists():
            self.git(person, folder, "init", "-q", "-b", "main")
            self.git(person, folder, "config", "user.email", person.email)
            self.git(person, folder, "config", "user.name", person.name)
        self.git(person, folder, "add", "-A")
        self.git(person, folder, "commit", "-q", "--allow-empty", "-m", "change")
        return self.git(person, folder, "rev-parse", "HEAD").strip()

    def git_push(self, person, fleet, folder, *more):
        self.git_commit(person, folder)
        return self.git_push_again(person, fleet, folder, *more)

    def git_push_again(self, person, fleet, folder, *more):
        """The commit that is there."""
        return self.git_started(folder, self.git_remote(fleet), self.git_environment(person), *more)

    def git_started(self, folder, remote, environment, *more):
        push = Pushing(["git", "push", *map(str, more), remote, "HEAD:main"], cwd=str(folder), env=environment)
        self.pushes.append(push)
        return push

    # The same over SSH, with a key pair that the person registers at the first push.

    def git_ssh_push(self, person, fleet, folder, *more):
        self.git_commit(person, folder)
        return self.git_ssh_push_again(person, fleet, folder, *more)

    def git_ssh_push_again(self, person, fleet, folder, *more):
        remote = f"ssh://git@127.0.0.1:{self.server.ssh_port}/{fleet['slug']}.git"
        key = person.home / "git-key"
        if not key.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
            line = key.with_suffix(".pub").read_text(encoding="utf-8").strip()
            person.api.create("user__has__public_key", user=person.id, title="git", public_key=line)
        command = ["ssh", "-F", "/dev/null", "-i", key, "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes",
                   "-o", "StrictHostKeyChecking=accept-new", "-o", f"UserKnownHostsFile={person.home}/known_hosts"]
        environment = person.arm(GIT_SSH_COMMAND=" ".join(map(str, command)), GIT_CONFIG_NOSYSTEM="1")
        return self.git_started(folder, remote, environment, *more)

    # What becomes of it.

    def releases(self, person, fleet):
        """Of the fleet, the latest first, with their images."""
        return person.api.rows(
            f"/v7/release?$filter=belongs_to__application eq {fleet['id']}&$orderby=created_at desc&$expand=release_image("
            "$expand=image($select=id,status,content_hash;$expand=is_a_build_of__service($select=service_name)))")

    def build_of(self, person, release):
        return person.row(f"build?$filter=release eq {release['id']}")

    def services_of(self, release):
        """Status of each service's image."""
        images = [link["image"][0] for link in release["release_image"]]
        return {i["is_a_build_of__service"][0]["service_name"]: i["status"] for i in images}

    def target_of(self, person, fleet):
        """Id of the release that the fleet should run, None when there is none."""
        target = person.row(f"application({fleet['id']})?$select=should_be_running__release")["should_be_running__release"]
        return target and target["__id"]

    def wait_over(self, person, release):
        """The build once nothing more happens to it."""
        return wait_for("end of the build", LONG, lambda: (b := self.build_of(person, release))["status"] in OVER and b)

    def building(self):
        """Containers of builds that the engine has: those of devices carry a label."""
        return [c for c in self.engine.get("/containers/json?all=1") or [] if "io.slipway.device" not in c["Labels"]]

    # Devices.

    def device(self, person, fleet):
        """An agent of the fleet, one for each."""
        if fleet["id"] not in self.devices_of:
            place = types.SimpleNamespace(folder=str(person.home), devices=[], api=person.api, fleet=fleet["id"], engine=self.engine)
            self.devices_of[fleet["id"]] = Device(place, f"device-{fleet['id']}")
        return self.devices_of[fleet["id"]]

    def wait_installed(self, person, device, release):
        """Until the device reports that it has the images of the release."""
        def installed():
            rows = person.api.rows(f"/v7/image_install?$filter=device eq {device.id}&$select=status,is_provided_by__release")
            return [r for r in rows if r["is_provided_by__release"]["__id"] == release["id"] and r["status"] in ("Installed", "Running")]
        wait_for(f"images of release {release['id']} on the device", LONG, installed)

    def wait_runs(self, person, device, release, *services):
        """Until the device reports that it runs the release, and its containers do."""
        def runs():
            row = person.row(f"device({device.id})?$select=id&$expand=is_running__release($select=id)")
            same = [r["id"] for r in row["is_running__release"]] == [release["id"]]
            return same and all(device.started(s) for s in services)
        wait_for(f"release {release['id']} on the device", LONG, runs)
