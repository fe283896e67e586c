"""A server, its workers and an engine that die while a push is built, and what must be true afterwards."""

import os
import pathlib
import re
import signal
import unittest

from push_world import LONG, OVER, PushWorld, dockerfile, new_mark, wait_for

LAYER_MIB = 96  # of noise: no engine has it packed and pushed in an instant

GIT_OF_SERVER = re.compile(r"\bgit( -c \S+)* (receive|upload)-pack|slipwayd git-hook")

# A step that lasts until `CrashWorld.let_go`.
HELD = """FROM slipway/busybox
RUN trap 'exit 0' USR1; echo "{mark} begins"; {then}while true; do sleep 1 & wait; done
CMD ["sh", "-c", "while true; do sleep 1; done"]
"""


def held(mark, then=""):
    return HELD.format(mark=mark, then=then)


def big(mark):
    return dockerfile(mark, f"&& dd if=/dev/urandom of=/noise bs=1M count={LAYER_MIB}")


def command_of(process):
    """The words of a process in /proc, "" when it is gone."""
    try:
        return (pathlib.Path(process) / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


class CrashWorld(PushWorld):
    """Its server is killed and started again, on the same port."""

    def serve(self, host="127.0.0.1", **environment):
        port = self.server.port
        if self.server.process.poll() is None:
            assert self.server.stop() == 0, "slipwayd ended badly:\n" + self.server.text()
        self.environment = {"SLIPWAY_BUILDER_ENGINE": "unix://" + self.engine.socket, "SLIPWAY_PUBLIC_URL": f"http://127.0.0.1:{port}",
                            **environment}
        self.server.start(env=self.environment, http=f"{host}:{port}")

    def kill_server(self):
        port = self.server.port
        self.server.kill()
        return port

    def start_server(self, port):
        self.server.start(env=self.environment, http=f"127.0.0.1:{port}")

    @property
    def data(self):
        return pathlib.Path(self.server.folder) / "data"

    # Workers.

    def embedded(self):
        """Process number of the server's own worker."""
        def found():
            children = pathlib.Path(f"/proc/{self.server.process.pid}/task").glob("*/children")
            for pid in " ".join(c.read_text() for c in children).split():
                if " builder " in command_of(f"/proc/{pid}"):
                    return int(pid)
            return None
        return wait_for("the server's worker", LONG, found)

    def kill_worker(self):
        os.kill(self.embedded(), signal.SIGKILL)

    # The engine, as builds leave it.

    def step_of(self, mark):
        """The running container of the step that names this mark."""
        return next((c for c in self.building() if mark in c["Command"] and c["State"] == "running"), None)

    def wait_step(self, mark, but=None):
        return wait_for(f"the step {mark}", LONG, lambda: (c := self.step_of(mark)) and c["Id"] != but and c)

    def let_go(self, mark):
        container = self.wait_step(mark)["Id"]

        def ended():   # a shell that has just begun does not hear the signal yet
            self.engine.call("POST", f"/containers/{container}/kill?signal=USR1")
            return not any(c["Id"] == container for c in self.building())
        wait_for(f"the end of the step {mark}", LONG, ended)

    def inside(self, container, *command):
        """Runs a command in a running container. Answers its exit code."""
        made = self.engine.call("POST", f"/containers/{container}/exec", {"Cmd": command})
        self.engine.call("POST", f"/exec/{made['Id']}/start", {"Detach": True})
        done = wait_for(str(command), LONG, lambda: not (e := self.engine.get(f"/exec/{made['Id']}/json"))["Running"] and e)
        return done["ExitCode"]

    def networks(self):
        """Of builds, but for the one that each worker made ahead of the next."""
        names = [n["Name"] for n in self.engine.get("/networks") or [] if n["Name"].startswith("slipway-build-")]
        ahead = {name.rsplit("-", 1)[0]: name for name in names}
        return [name for name in names if name != ahead[name.rsplit("-", 1)[0]]]

    def leftovers(self):
        """Whatever of builds and pushes is still there, as words."""
        images = self.engine.get("/images/json") or []
        tags = [t for i in images for t in i["RepoTags"] or [] if t.startswith("127.0.0.1:")]
        networks = self.networks()
        folders = [(self.data / "builds/sources", "*"), (self.data / "builds/work", "*-*"), (self.folder, "work-*/*-*")]
        files = [str(f) for folder, names in folders for f in folder.glob(names)]
        commands = [words for words in map(command_of, pathlib.Path("/proc").glob("[0-9]*")) if GIT_OF_SERVER.search(words)]
        return [c["Command"] for c in self.building()] + networks + tags + files + commands

    def kill_engine(self):
        self.engine.process.kill()
        self.engine.process.wait()


class HeldPush:
    """A push of one client to a fleet of its own; its only step lasts until it is let go."""

    def __init__(self, case, client):
        self.case, self.client, self.world = case, client, case.world
        self.mark = new_mark()
        self.fleet = case.ann.fleet("f" + new_mark())
        self.folder = self.world.project(case.ann, {"Dockerfile": held(self.mark)})
        self.process = getattr(self.world, client + "_push")(case.ann, self.fleet, self.folder)
        self.step = None
        case.addCleanup(lambda: self.process.kill())  # a build whose client is gone leaves its slot

    @property
    def by_git(self):
        return self.client.startswith("git")

    def again(self):
        """The same once more; by git the same commit."""
        push = getattr(self.world, self.client + ("_push_again" if self.by_git else "_push"))
        self.process = push(self.case.ann, self.fleet, self.folder)

    def wait_step(self):
        """Until its step runs, in another container than before."""
        self.step = self.world.wait_step(self.mark, but=self.step)["Id"]

    @property
    def release(self):
        return self.case.latest(self.fleet)

    def fail(self, *words):
        """The client is told, the release is none, and the ref stays. Answers what the client printed."""
        said = self.process.end(code=None)
        self.case.assert_failed(self.release, *words)
        if self.by_git:
            self.case.assertIsNone(self.case.remote_head(self.fleet))
        return said

    def succeed(self, attempt):
        """Once its step is let go. Answers what the client printed."""
        self.world.let_go(self.mark)
        said = self.process.end()
        self.case.assert_released(self.release, attempt)
        if self.by_git:
            self.case.assertEqual(self.case.remote_head(self.fleet), self.release["commit"])
        return said


class Crash(unittest.TestCase):
    """What the cases have in common. `world` is set by the module."""

    world = None
    clients = ("slipway", "balena", "git", "git_ssh")

    def setUp(self):
        self.ann = self.world.person()
        self.fleet = self.ann.fleet("f" + new_mark())

    def project(self, text):
        return self.world.project(self.ann, {"Dockerfile": text})

    def push(self, text, fleet=None):
        return self.world.slipway_push(self.ann, fleet or self.fleet, self.project(text))

    def hold_all(self):
        """A push of each client, in its step. Takes a slot for each."""
        pushes = [HeldPush(self, client) for client in self.clients]
        for push in pushes:
            push.wait_step()
        return pushes

    def latest(self, fleet=None):
        return wait_for("a release", LONG, lambda: self.world.releases(self.ann, fleet or self.fleet))[0]

    def build(self, fleet=None):
        return self.world.build_of(self.ann, self.latest(fleet))

    def remote_head(self, fleet):
        said = self.world.git(self.ann, self.ann.home, "ls-remote", self.world.git_remote(fleet), "refs/heads/main")
        return said.split()[0] if said else None

    def wait_phase(self, phase, fleet=None):
        """Until the only service of the running build is there."""
        def reached():
            build = self.build(fleet)
            assert build["status"] not in OVER, build
            return [s["status"] for s in build["services"]] == [phase]
        wait_for(f"a build that is {phase}", LONG, reached)

    def assert_failed(self, release, *words):
        """The end of a release that never was, with a reason and a log that ends."""
        build = self.world.wait_over(self.ann, release)
        status = self.ann.row(f"release({release['id']})")["status"]
        self.assertEqual((build["status"], status), ("failed", "failed"))
        for word in words:
            self.assertIn(word, build["error_message"])
        # The row is there first.
        wait_for("the end of the log", LONG, lambda: '"end":"failed"' in self.log_of(release).splitlines()[-1].replace(" ", ""))

    def log_of(self, release):
        return self.ann.api.get(f"/build/v1/{release['id']}/log").text

    def assert_released(self, release, attempt=1):
        build = self.world.wait_over(self.ann, release)
        status = self.ann.row(f"release({release['id']})")["status"]
        self.assertEqual((build["status"], status, build["attempt"]), ("released", "success", attempt), build)

    def assert_nothing_left(self):
        try:
            wait_for("nothing left of builds", 60, lambda: not self.world.leftovers())
        except AssertionError as late:
            raise AssertionError(f"{self.world.leftovers()} of builds is left") from late

    def assert_a_new_push_works(self, fleet=None):
        self.push(dockerfile(new_mark()), fleet).end()
        self.assertEqual(self.latest(fleet)["status"], "success")


def begin():
    """To be called by a module's setUpModule; `end` by its tearDownModule."""
    Crash.world = CrashWorld()
    return Crash.world


def end():
    Crash.world.close()
