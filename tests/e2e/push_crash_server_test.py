#!/usr/bin/env python3
"""Push to deploy while the server is killed.
Usage: push_crash_server_test.py [class | class.case ...]"""

import os
import unittest

from push_crash_world import Crash, begin, big, end, held
from push_world import LONG, dockerfile, new_mark, wait_for

setUpModule, tearDownModule = begin, end


class Server(Crash):
    @classmethod
    def setUpClass(cls):
        cls.world.serve(SLIPWAY_BUILDER_SLOTS="1")
        cls.hooks = cls.world.data / "git/hooks"

    def test_builds_that_were_queued_and_running_when_the_server_was_killed_are_failed_and_leave_nothing(self):
        mark, by_git = new_mark(), self.ann.fleet("g" + new_mark())
        running = self.push(held(mark))
        self.world.wait_step(mark)
        folder = self.project(dockerfile(new_mark()))
        queued = self.world.git_push(self.ann, by_git, folder)
        queued.wait_line("is queued")
        lost = [self.latest(), self.latest(by_git)]
        self.assertEqual([self.world.build_of(self.ann, r)["status"] for r in lost], ["running", "queued"])
        port = self.world.kill_server()
        for push in (running, queued):
            push.end(code=None)
        self.world.start_server(port)
        for release in lost:
            self.assert_failed(release, "restarted")
        self.assertIsNone(self.remote_head(by_git))
        self.assert_nothing_left()
        # The commit that was refused is not burnt.
        self.world.git_push_again(self.ann, by_git, folder).end()
        release = self.latest(by_git)
        self.assert_released(release)
        self.assertEqual((release["commit"], release["id"] != lost[1]["id"]), (self.remote_head(by_git), True))
        self.assert_a_new_push_works()

    def test_a_server_killed_while_images_are_pushed_fails_the_release_and_leaves_the_ref(self):
        push = self.world.git_push(self.ann, self.fleet, self.project(big(new_mark())))
        self.latest()
        self.wait_phase("pushing")
        lost = self.latest()
        port = self.world.kill_server()
        push.end(code=None)
        self.world.start_server(port)
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
        push = self.world.git_push(self.ann, self.fleet, folder)
        wait_for("git at its ref", LONG, there.exists)
        release = self.latest()
        self.assertEqual((release["status"], self.build()["status"]), ("running", "pushed"))
        port = self.world.kill_server()
        push.end(code=None)
        self.doCleanups()
        self.world.start_server(port)
        self.world.wait_over(self.ann, release)
        self.assert_nothing_left()
        return folder, release

    def test_a_server_killed_before_git_moves_the_ref_fails_the_release(self):
        folder, release = self.kill_while_git("prepared")
        self.assert_failed(release)
        self.assertIsNone(self.remote_head(self.fleet))
        self.world.git_push_again(self.ann, self.fleet, folder).end()
        again = self.latest()
        self.assert_released(again)
        self.assertEqual((again["commit"], self.remote_head(self.fleet)), (release["commit"], release["commit"]))

    def test_a_server_killed_after_git_moved_the_ref_has_the_release(self):
        _, release = self.kill_while_git("committed")
        self.assert_released(release)
        self.assertEqual(self.remote_head(self.fleet), release["commit"])
        self.assertEqual(self.world.target_of(self.ann, self.fleet), release["id"])
        self.assert_a_new_push_works()


class EveryClient(Crash):
    @classmethod
    def setUpClass(cls):
        cls.world.serve(SLIPWAY_BUILDER_SLOTS=str(len(cls.clients)))

    def test_a_server_killed_while_steps_run_fails_the_push_of_every_client_and_takes_the_same_again(self):
        pushes = self.hold_all()
        lost = [push.release["id"] for push in pushes]
        port = self.world.kill_server()
        for push in pushes:
            push.process.end(code=None)
        self.world.start_server(port)
        for push in pushes:
            push.fail("restarted")
        self.assert_nothing_left()
        for push in pushes:
            push.again()
        for push in pushes:
            push.wait_step()
            push.succeed(attempt=1)
        self.assertEqual(set(lost) & {push.release["id"] for push in pushes}, set())
        self.assert_nothing_left()


if __name__ == "__main__":
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    unittest.main(verbosity=2)
