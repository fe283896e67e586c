#!/usr/bin/env python3
"""Push to deploy while the server, the worker and the engine are killed; what builds may reach, and their limits.
Usage: push_crash_test.py [class | class.case ...]"""

import os
import pathlib
import re
import signal
import socket
import subprocess
import unittest

from push_world import LONG, OVER, PushWorld, Pushing, dockerfile, new_mark, wait_for

WORLD = None
LAYER_MIB = 96         # of noise: no engine has it packed and pushed in an instant
BUILD_SECONDS = 3      # what a build that lasts may take
OUTPUT_BYTES = 1 << 20

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

    def git_push_again(self, person, fleet, folder):
        """The commit that is there, once more."""
        push = Pushing(["git", "push", self.git_remote(fleet), "HEAD:main"], cwd=str(folder), env=self.git_environment(person))
        self.pushes.append(push)
        return push

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

    # The engine, as builds leave it.

    def step_of(self, mark):
        """The running container of the step that names this mark."""
        return next((c for c in self.building() if mark in c["Command"] and c["State"] == "running"), None)

    def wait_step(self, mark, but=None):
        return wait_for(f"the step {mark}", LONG, lambda: (c := self.step_of(mark)) and c["Id"] != but and c)

    def let_go(self, mark):
        container = self.wait_step(mark)
        self.engine.call("POST", f"/containers/{container['Id']}/kill?signal=USR1")

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


def setUpModule():
    global WORLD
    WORLD = CrashWorld()


def tearDownModule():
    WORLD.close()


class Crash(unittest.TestCase):
    """What the cases have in common."""

    def setUp(self):
        self.ann = WORLD.person()
        self.fleet = self.ann.fleet("f" + new_mark())

    def project(self, text):
        return WORLD.project(self.ann, {"Dockerfile": text})

    def push(self, text, fleet=None):
        return WORLD.slipway_push(self.ann, fleet or self.fleet, self.project(text))

    def latest(self, fleet=None):
        return wait_for("a release", LONG, lambda: WORLD.releases(self.ann, fleet or self.fleet))[0]

    def build(self, fleet=None):
        return WORLD.build_of(self.ann, self.latest(fleet))

    def remote_head(self, fleet):
        said = WORLD.git(self.ann, self.ann.home, "ls-remote", WORLD.git_remote(fleet), "refs/heads/main")
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
        build = WORLD.wait_over(self.ann, release)
        status = self.ann.row(f"release({release['id']})")["status"]
        self.assertEqual((build["status"], status), ("failed", "failed"))
        for word in words:
            self.assertIn(word, build["error_message"])
        log = self.ann.api.get(f"/build/v1/{release['id']}/log").text
        self.assertIn('"end":"failed"', log.splitlines()[-1].replace(" ", ""))

    def assert_released(self, release, attempt=1):
        build = WORLD.wait_over(self.ann, release)
        status = self.ann.row(f"release({release['id']})")["status"]
        self.assertEqual((build["status"], status, build["attempt"]), ("released", "success", attempt), build)

    def assert_nothing_left(self):
        try:
            wait_for("nothing left of builds", 60, lambda: not WORLD.leftovers())
        except AssertionError as late:
            raise AssertionError(f"{WORLD.leftovers()} of builds is left") from late

    def assert_a_new_push_works(self, fleet=None):
        self.push(dockerfile(new_mark()), fleet).end()
        self.assertEqual(self.latest(fleet)["status"], "success")


class Server(Crash):
    @classmethod
    def setUpClass(cls):
        WORLD.serve(SLIPWAY_BUILDER_SLOTS="1")
        cls.hooks = WORLD.data / "git/hooks"

    def test_builds_that_were_queued_and_running_when_the_server_was_killed_are_failed_and_leave_nothing(self):
        mark, by_git = new_mark(), self.ann.fleet("g" + new_mark())
        running = self.push(held(mark))
        WORLD.wait_step(mark)
        folder = self.project(dockerfile(new_mark()))
        queued = WORLD.git_push(self.ann, by_git, folder)
        queued.wait_line("is queued")
        lost = [self.latest(), self.latest(by_git)]
        self.assertEqual([WORLD.build_of(self.ann, r)["status"] for r in lost], ["running", "queued"])
        port = WORLD.kill_server()
        for push in (running, queued):
            push.end(code=None)
        WORLD.start_server(port)
        for release in lost:
            self.assert_failed(release, "restarted")
        self.assertIsNone(self.remote_head(by_git))
        self.assert_nothing_left()
        # The commit that was refused is not burnt.
        WORLD.git_push_again(self.ann, by_git, folder).end()
        release = self.latest(by_git)
        self.assert_released(release)
        self.assertEqual((release["commit"], release["id"] != lost[1]["id"]), (self.remote_head(by_git), True))
        self.assert_a_new_push_works()

    def test_a_server_killed_while_images_are_pushed_fails_the_release_and_leaves_the_ref(self):
        push = WORLD.git_push(self.ann, self.fleet, self.project(big(new_mark())))
        self.latest()
        self.wait_phase("pushing")
        lost = self.latest()
        port = WORLD.kill_server()
        push.end(code=None)
        WORLD.start_server(port)
        self.assert_failed(lost, "restarted")
        self.assertIsNone(self.remote_head(self.fleet))
        self.assert_nothing_left()
        self.assert_a_new_push_works()

    def hold_git(self, at):
        """Git waits where it prepared or committed the new ref, until the file is gone. Answers the file that says that it waits."""
        hold, there = self.ann.home / "hold", self.ann.home / "there"
        hold.touch()
        hook = self.hooks / "reference-transaction"
        hook.write_text(f'#!/bin/sh\n[ "$1" = {at} ] || exit 0\ntouch {there}\nwhile [ -e {hold} ]; do sleep 0.1; done\n',
                        encoding="utf-8")
        hook.chmod(0o700)
        self.addCleanup(hook.unlink)
        self.addCleanup(hold.unlink)
        return there

    def kill_while_git(self, at):
        """The server is killed while git is there. Answers the pushed commit and the release once it is over."""
        there = self.hold_git(at)
        folder = self.project(dockerfile(new_mark()))
        push = WORLD.git_push(self.ann, self.fleet, folder)
        wait_for("git at its ref", LONG, there.exists)
        release = self.latest()
        self.assertEqual((release["status"], self.build()["status"]), ("running", "pushed"))
        port = WORLD.kill_server()
        push.end(code=None)
        self.doCleanups()
        WORLD.start_server(port)
        WORLD.wait_over(self.ann, release)
        self.assert_nothing_left()
        return folder, release

    def test_a_server_killed_before_git_moves_the_ref_fails_the_release(self):
        folder, release = self.kill_while_git("prepared")
        self.assert_failed(release)
        self.assertIsNone(self.remote_head(self.fleet))
        WORLD.git_push_again(self.ann, self.fleet, folder).end()
        again = self.latest()
        self.assert_released(again)
        self.assertEqual((again["commit"], self.remote_head(self.fleet)), (release["commit"], release["commit"]))

    def test_a_server_killed_after_git_moved_the_ref_has_the_release(self):
        _, release = self.kill_while_git("committed")
        self.assert_released(release)
        self.assertEqual(self.remote_head(self.fleet), release["commit"])
        self.assertEqual(WORLD.target_of(self.ann, self.fleet), release["id"])
        self.assert_a_new_push_works()


class WorkerAndEngine(Crash):
    @classmethod
    def setUpClass(cls):
        WORLD.serve()

    def start_held(self):
        mark = new_mark()
        push = self.push(held(mark))
        return mark, push, WORLD.wait_step(mark)["Id"]

    def test_a_build_whose_worker_is_killed_is_tried_again(self):
        mark, push, first = self.start_held()
        os.kill(WORLD.embedded(), signal.SIGKILL)
        WORLD.wait_step(mark, but=first)
        self.assertIsNone(push.process.poll())
        WORLD.let_go(mark)
        self.assertIn("begins again", push.end())
        self.assert_released(self.latest(), attempt=2)
        self.assert_nothing_left()

    def test_a_build_whose_second_worker_is_killed_too_fails_with_the_reason(self):
        mark, push, first = self.start_held()
        os.kill(WORLD.embedded(), signal.SIGKILL)
        WORLD.wait_step(mark, but=first)
        os.kill(WORLD.embedded(), signal.SIGKILL)
        self.assertIn("worker embedded", push.end(code=None))
        self.assert_failed(self.latest(), "worker embedded")
        self.assert_nothing_left()
        self.assert_a_new_push_works()

    def test_a_build_whose_engine_is_killed_is_tried_again_or_fails_with_the_reason(self):
        mark, push, first = self.start_held()
        WORLD.kill_engine()
        WORLD.engine.start()
        release = self.latest()
        wait_for("the second try", LONG, lambda: self.build()["status"] in OVER or (c := WORLD.step_of(mark)) and c["Id"] != first)
        if self.build()["status"] in OVER:
            push.end(code=None)
            self.assert_failed(release, "engine")
        else:
            WORLD.let_go(mark)
            push.end()
            self.assert_released(release, attempt=2)
        self.assert_nothing_left()
        self.assert_a_new_push_works()


class FurtherWorkers(Crash):
    @classmethod
    def setUpClass(cls):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            cls.endpoint = f"tcp://127.0.0.1:{s.getsockname()[1]}"
        WORLD.serve(SLIPWAY_BUILDER_ENGINE="none", SLIPWAY_BUILDER_ENDPOINT=cls.endpoint)
        cls.tokens, cls.workers = {}, {}

    @classmethod
    def tearDownClass(cls):
        for worker in cls.workers.values():
            worker.send_signal(signal.SIGCONT)
            worker.terminate()
        for name, worker in cls.workers.items():
            assert worker.wait(60) == 0, cls.said(name)

    @classmethod
    def log(cls, name):
        return WORLD.folder / f"{name}.log"

    @classmethod
    def said(cls, name):
        return cls.log(name).read_text(encoding="utf-8")

    def join(self, name):
        if name not in self.tokens:
            done = subprocess.run([WORLD.server.binary, "admin", "--data-dir", WORLD.data, "builder", "add", name], check=True,
                                  stdout=subprocess.PIPE, text=True)
            self.tokens[name] = done.stdout.strip()
        before = sum("build worker joined" in line and name in line for line in WORLD.server.log)
        with open(self.log(name), "ab") as log:
            self.workers[name] = subprocess.Popen(
                [WORLD.server.binary, "builder", "--core", self.endpoint, "--engine", "unix://" + WORLD.engine.socket,
                 "--work-dir", WORLD.folder / f"work-{name}"],
                env={**os.environ, "SLIPWAY_BUILDER_TOKEN": self.tokens[name]}, stdout=log, stderr=log)
        wait_for(f"worker {name}", LONG,
                 lambda: sum("build worker joined" in line and name in line for line in WORLD.server.log) > before)

    def kill(self, name):
        worker = self.workers.pop(name)
        worker.kill()
        worker.wait()

    def test_what_a_worker_that_joined_had_is_taken_by_another_when_it_is_killed_or_frozen(self):
        mark = new_mark()
        push = self.push(held(mark))
        push.wait_line("No worker")
        self.join("first")
        on_first = WORLD.wait_step(mark)["Id"]
        self.assertEqual(self.build()["worker"], "first")
        self.join("second")
        self.kill("first")
        WORLD.wait_step(mark, but=on_first)
        self.assertEqual((self.build()["worker"], self.build()["attempt"]), ("second", 2))
        WORLD.let_go(mark)
        self.assertIn("worker first was lost", push.end())
        self.assert_released(self.latest(), attempt=2)
        # One that is silent has its builds for as long as its lease lasts.
        push = self.push(held(mark := new_mark()))
        on_second = WORLD.wait_step(mark)["Id"]
        self.join("first")
        self.workers["second"].send_signal(signal.SIGSTOP)
        on_first = WORLD.wait_step(mark, but=on_second)["Id"]
        self.workers["second"].send_signal(signal.SIGCONT)
        wait_for("the end of what was taken away", LONG, lambda: [c["Id"] for c in WORLD.building()] == [on_first])
        WORLD.let_go(mark)
        push.end()
        self.assert_released(self.latest(), attempt=2)
        self.assertEqual(self.build()["worker"], "first")
        self.assert_nothing_left()


class Isolation(Crash):
    @classmethod
    def setUpClass(cls):
        WORLD.serve(host="0.0.0.0")

    def test_a_step_reaches_neither_the_platform_nor_the_build_of_another_organization(self):
        page, mark = new_mark(), new_mark()
        serve = "mkdir /www; echo here >/www/index.html; httpd -p 8000 -h /www; "
        push = self.push(held(page, serve))
        container = WORLD.wait_step(page)["Id"]
        (network,) = WORLD.engine.inspect(container)["NetworkSettings"]["Networks"].values()
        # Both answer whoever may ask.
        wait_for("the server of the other build", LONG, lambda: WORLD.inside(
            container, "wget", "-q", "-O", "/dev/null", f"http://{network['IPAddress']}:8000/index.html") == 0)
        socket.create_connection((network["Gateway"], WORLD.server.port), LONG).close()
        tries = [("platform", network["Gateway"], WORLD.server.port), ("other", network["IPAddress"], 8000), ("itself", "127.0.0.1", 8000)]
        asks = "; ".join(f"if nc -w 5 {host} {port} </dev/null; then echo {mark} reaches {who}; else echo {mark} misses {who}; fi"
                         for who, host, port in tries)
        bob = WORLD.person()
        folder = WORLD.project(bob, {"Dockerfile": f"FROM slipway/busybox\nRUN {serve}{asks}; false\n"})
        said = WORLD.slipway_push(bob, bob.fleet("f" + new_mark()), folder).end(code=None)
        self.assertEqual(re.findall(rf"(?m)^\[main\] +{mark} (.*)$", said), ["misses platform", "misses other", "reaches itself"])
        push.interrupt()
        push.end(code=None)
        self.assert_nothing_left()


class Limits(Crash):
    def assert_fails(self, text, reason):
        self.assertIn(reason, self.push(text).end(code=None))
        self.assert_failed(self.latest(), reason)
        self.assert_nothing_left()

    def test_a_build_that_takes_too_long_fails_with_the_reason(self):
        WORLD.serve(SLIPWAY_BUILD_SECONDS=str(BUILD_SECONDS))
        self.assert_fails(held(new_mark()), f"longer than {BUILD_SECONDS} seconds")

    def test_a_build_that_prints_too_much_fails_with_the_reason(self):
        WORLD.serve(SLIPWAY_BUILD_OUTPUT_BYTES=str(OUTPUT_BYTES))
        # Long lines: it is the bytes that count.
        self.assert_fails(f"FROM slipway/busybox\nRUN yes {new_mark() * 300} | head -c {3 * OUTPUT_BYTES}\n", "printed more than 1 MiB")
        self.assert_a_new_push_works()


if __name__ == "__main__":
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    unittest.main(verbosity=2)
