#!/usr/bin/env python3
"""Push to deploy while build workers and the engine are killed.
Usage: push_crash_worker_test.py [class | class.case ...]"""

import os
import signal
import socket
import subprocess
import unittest

from push_crash_world import Crash, HeldPush, begin, end, held
from push_world import LONG, OVER, new_mark, wait_for

setUpModule, tearDownModule = begin, end


class Worker(Crash):
    @classmethod
    def setUpClass(cls):
        cls.world.serve(SLIPWAY_BUILDER_SLOTS=str(len(cls.clients)))

    def hold_until_tried_again(self):
        """A push of each client whose step a second worker runs, since the first was killed."""
        pushes = self.hold_all()
        self.world.kill_worker()
        for push in pushes:
            push.wait_step()
            self.assertIsNone(push.process.process.poll())
        return pushes

    def test_a_build_whose_worker_is_killed_is_tried_again(self):
        for push in self.hold_until_tried_again():
            self.assertIn("begins again", push.succeed(attempt=2))
        self.assert_nothing_left()

    def test_a_build_whose_second_worker_is_killed_too_fails_with_the_reason(self):
        pushes = self.hold_until_tried_again()
        self.world.kill_worker()
        for push in pushes:
            self.assertIn("worker embedded", push.fail("worker embedded"))
        self.assert_nothing_left()
        for push in pushes:
            push.again()
        for push in pushes:
            push.wait_step()
            push.succeed(attempt=1)

    def test_a_fleet_that_is_removed_ends_what_is_built_for_it(self):
        push = HeldPush(self, "git_ssh")
        push.wait_step()
        log = self.world.data / f"builds/logs/{push.release['id']}.log"
        self.assertTrue(log.exists())
        self.assertEqual(self.ann.api.delete(f"/v7/application({push.fleet['id']})").status, 200)
        self.assertIn("remote rejected", push.process.end(code=None))
        self.assert_nothing_left()
        wait_for("the end of the log", LONG, lambda: not log.exists())
        self.assert_a_new_push_works()


class EngineDeath(Crash):
    @classmethod
    def setUpClass(cls):
        cls.world.serve()

    def test_a_build_whose_engine_is_killed_is_tried_again_or_fails_with_the_reason(self):
        push = self.push(held(mark := new_mark()))
        first = self.world.wait_step(mark)["Id"]
        self.world.kill_engine()
        self.world.engine.start()
        release = self.latest()
        wait_for("the second try", LONG, lambda: self.build()["status"] in OVER or (c := self.world.step_of(mark)) and c["Id"] != first)
        if self.build()["status"] in OVER:
            push.end(code=None)
            self.assert_failed(release, "engine")
        else:
            self.world.let_go(mark)
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
        cls.world.serve(SLIPWAY_BUILDER_ENGINE="none", SLIPWAY_BUILDER_ENDPOINT=cls.endpoint)
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
        return cls.world.folder / f"{name}.log"

    @classmethod
    def said(cls, name):
        return cls.log(name).read_text(encoding="utf-8")

    def join(self, name):
        if name not in self.tokens:
            done = subprocess.run([self.world.server.binary, "admin", "--data-dir", self.world.data, "builder", "add", name], check=True,
                                  stdout=subprocess.PIPE, text=True)
            self.tokens[name] = done.stdout.strip()
        before = sum("build worker joined" in line and name in line for line in self.world.server.log)
        with open(self.log(name), "ab") as log:
            self.workers[name] = subprocess.Popen(
                [self.world.server.binary, "builder", "--core", self.endpoint, "--engine", "unix://" + self.world.engine.socket,
                 "--work-dir", self.world.folder / f"work-{name}"],
                env={**os.environ, "SLIPWAY_BUILDER_TOKEN": self.tokens[name]}, stdout=log, stderr=log)
        wait_for(f"worker {name}", LONG,
                 lambda: sum("build worker joined" in line and name in line for line in self.world.server.log) > before)

    def kill(self, name):
        worker = self.workers.pop(name)
        worker.kill()
        worker.wait()

    def test_what_a_worker_that_joined_had_is_taken_by_another_when_it_is_killed_or_frozen(self):
        mark = new_mark()
        push = self.push(held(mark))
        push.wait_line("No worker")
        self.join("first")
        on_first = self.world.wait_step(mark)["Id"]
        self.assertEqual(self.build()["worker"], "first")
        self.join("second")
        self.kill("first")
        self.world.wait_step(mark, but=on_first)
        self.assertEqual((self.build()["worker"], self.build()["attempt"]), ("second", 2))
        self.world.let_go(mark)
        self.assertIn("worker first was lost", push.end())
        self.assert_released(self.latest(), attempt=2)
        # One that is silent has its builds for as long as its lease lasts.
        push = self.push(held(mark := new_mark()))
        on_second = self.world.wait_step(mark)["Id"]
        self.join("first")
        self.workers["second"].send_signal(signal.SIGSTOP)
        on_first = self.world.wait_step(mark, but=on_second)["Id"]
        self.workers["second"].send_signal(signal.SIGCONT)
        wait_for("the end of what was taken away", LONG, lambda: [c["Id"] for c in self.world.building()] == [on_first])
        self.world.let_go(mark)
        push.end()
        self.assert_released(self.latest(), attempt=2)
        self.assertEqual(self.build()["worker"], "first")
        self.assert_nothing_left()


if __name__ == "__main__":
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    unittest.main(verbosity=2)
