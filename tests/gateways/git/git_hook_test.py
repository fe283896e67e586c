#!/usr/bin/env python3
"""The hooks of a repository, run by stock git, with a small builder behind them."""

import glob
import os
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from git_world import Builder, Folder  # noqa: E402

SLIPWAYD = os.path.join(os.environ["SLIPWAY_BIN"], "slipwayd")
HOOK = '#!/bin/sh\nexec "$SLIPWAY_HOOK_PROGRAM" git-hook {}\n'


class Hooks(unittest.TestCase):
    def setUp(self):
        self.builder = Builder()
        self.folder = Folder()
        self.folder.git("init", "-q", "--bare", "-b", "main", "fleet.git")
        for name in ("pre-receive", "post-receive"):
            path = self.folder.write(name, HOOK.format(name), at="fleet.git/hooks")
            os.chmod(path, 0o755)
        self.folder.env = {
            "SLIPWAY_HOOK_PROGRAM": SLIPWAYD, "SLIPWAY_HOOK_URL": self.builder.url, "SLIPWAY_HOOK_TICKET": "sesame",
            "SLIPWAY_HOOK_API": "http://api.example.org", "SLIPWAY_HOOK_REFS": "refs/heads/main refs/heads/master"}
        self.folder.given_project()
        self.folder.git("remote", "add", "fleet", "../fleet.git", at="work")

    def tearDown(self):
        self.builder.stop()
        self.folder.remove()

    def push(self, *arguments, **more):
        return self.folder.git("push", "fleet", *arguments, at="work", check=False, **more)

    def receive_pack(self):
        """The process of git that runs the hooks."""
        for path in glob.glob("/proc/[0-9]*"):
            try:
                with open(path + "/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
                where = os.readlink(path + "/cwd")
            except OSError:
                continue
            if b"receive-pack" in b" ".join(words) and where.startswith(self.folder.path + "/fleet.git"):
                return int(path.split("/")[2])
        raise AssertionError("git receive-pack does not run")

    def at_server(self, ref="refs/heads/main"):
        return self.folder.git("rev-parse", "-q", "--verify", ref, at="fleet.git", check=False).out

    def test_a_push_to_the_release_branch_is_built_and_shown_with_its_release(self):
        self.folder.write("src/run", "#!/bin/sh\n")
        os.chmod(os.path.join(self.folder.path, "work/src/run"), 0o755)
        os.symlink("run", os.path.join(self.folder.path, "work/src/link"))
        commit = self.folder.commit()
        done = self.push("main")
        self.assertTrue(done.ok, done)
        self.assertEqual(len(self.builder.sources), 1)
        build = self.builder.sources[0]
        self.assertEqual((build["commit"], build["ref"], build["ticket"]), (commit, "refs/heads/main", "Bearer sesame"))
        files = build["files"]
        self.assertEqual(sorted(files), ["Dockerfile", "src", "src/link", "src/run"])
        self.assertEqual(files["src/run"].mode, 0o755)
        self.assertEqual(files["src/link"].linkname, "run")
        self.assertIn("remote: built", done.err)
        self.assertIn("remote: slipway: release 8 is released", done.err)
        self.assertIn("remote: slipway: http://api.example.org/v7/release(8)", done.err)
        self.assertEqual(self.builder.settled, ["Bearer sesame"])
        self.assertEqual(self.at_server(), commit)

    def test_a_line_reaches_the_client_before_the_next_is_there(self):
        seen = threading.Event()

        def answer(_, write):
            write('[{"message":"first"}')
            self.assertTrue(seen.wait(120), "the line was held back")
            write(',{"message":"second"}]')

        self.builder.answer = answer
        process = subprocess.Popen(
            ["git", "push", "fleet", "main"], cwd=self.folder.path + "/work", env=self.folder.environment(),
            stderr=subprocess.PIPE)
        text = b""
        while b"first" not in text:
            text += os.read(process.stderr.fileno(), 4096)
        self.assertNotIn(b"second", text)
        seen.set()
        text += process.stderr.read()
        self.assertEqual(process.wait(120), 0)
        self.assertIn(b"second", text)
        process.stderr.close()

    def test_a_failed_build_leaves_the_ref_where_it_was(self):
        self.assertTrue(self.push("main").ok)
        before = self.at_server()
        self.folder.write("more", "x")
        self.folder.commit()
        self.builder.answer = lambda _, write: write('[{"message":"step 2 failed","isError":true}]')
        done = self.push("main", "main:refs/heads/other")
        self.assertFalse(done.ok)
        self.assertIn("step 2 failed", done.err)
        self.assertIn("the build failed: main stays as it was", done.err)
        self.assertIn("pre-receive hook declined", done.err)
        self.assertEqual(self.at_server(), before)
        self.assertEqual(self.at_server("refs/heads/other"), "")

    def test_a_builder_that_breaks_off_or_refuses_is_a_push_that_fails(self):
        def cut(_, write):
            write('[{"message":"begun"}')
            return "cut"

        self.builder.answer = cut
        done = self.push("main")
        self.assertFalse(done.ok)
        self.assertIn("the builder broke off", done.err)
        self.builder.status = 429
        done = self.push("main")
        self.assertFalse(done.ok)
        self.assertIn("it cannot be built: no room for another build", done.err)
        self.assertEqual(self.at_server(), "")
        self.builder.stop()
        done = self.push("main")
        self.assertFalse(done.ok)
        self.assertIn("the builder broke off", done.err)

    def test_other_branches_and_tags_are_kept_and_not_built(self):
        self.folder.git("tag", "-a", "-m", "one", "v1", at="work")
        done = self.push("main:refs/heads/feature", "v1")
        self.assertTrue(done.ok, done)
        self.assertIn("feature is kept and not built: main is the release branch", done.err)
        self.assertEqual(self.builder.sources, [])
        self.assertEqual(self.builder.settled, [])

    def test_several_refs_make_one_build(self):
        done = self.push("main:refs/heads/master", "main", "main:refs/heads/x")
        self.assertTrue(done.ok, done)
        self.assertEqual([b["ref"] for b in self.builder.sources], ["refs/heads/main"])

    def test_the_release_branch_is_forced_but_never_deleted(self):
        self.assertTrue(self.push("main").ok)
        self.folder.git("commit", "-q", "--amend", "-m", "another", at="work")
        self.assertFalse(self.push("main").ok)
        done = self.push("--force", "main")
        self.assertTrue(done.ok, done)
        self.assertEqual(self.at_server(), self.folder.head())
        done = self.push("--delete", "main")
        self.assertFalse(done.ok)
        self.assertIn("main is the release branch and cannot be deleted", done.err)
        self.assertTrue(self.push("main:refs/heads/x").ok)
        self.assertTrue(self.push("--delete", "x").ok)

    def test_a_first_push_of_master_is_what_a_clone_checks_out(self):
        self.assertTrue(self.push("main:master").ok)
        self.folder.git("clone", "-q", "fleet.git", "copy")
        self.assertEqual(self.folder.git("symbolic-ref", "HEAD", at="copy").out, "refs/heads/master")

    def test_files_of_git_lfs_are_an_error_that_names_them(self):
        self.folder.write("model.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 12\n")
        self.folder.commit()
        done = self.push("main")
        self.assertFalse(done.ok)
        self.assertIn("Git LFS is not supported; these files are only pointers to it: model.bin", done.err)
        self.assertEqual(self.builder.sources, [])

    def test_a_submodule_is_a_warning(self):
        self.folder.git("update-index", "--add", "--cacheinfo", "160000," + "1" * 40 + ",libs/sub", at="work")
        self.folder.git("commit", "-q", "-m", "sub", at="work")
        done = self.push("main")
        self.assertTrue(done.ok, done)
        self.assertIn("warning: submodule libs/sub is not part of the push", done.err)

    def test_a_push_that_is_killed_ends_its_hook(self):
        begun, gone = threading.Event(), threading.Event()

        def answer(_, write):
            begun.set()
            try:
                for i in range(600):
                    write(('[' if i == 0 else ',') + '{"message":"waits"}')
                    time.sleep(0.05)
            except OSError:
                gone.set()
            return "cut"

        self.builder.answer = answer
        process = subprocess.Popen(
            ["git", "push", "fleet", "main"], cwd=self.folder.path + "/work", env=self.folder.environment(),
            stderr=subprocess.DEVNULL)
        self.assertTrue(begun.wait(120))
        os.kill(self.receive_pack(), 9)
        self.assertNotEqual(process.wait(120), 0)
        self.assertTrue(gone.wait(120), "the hook went on without its push")
        self.assertEqual(self.at_server(), "")

    def test_without_git_it_says_what_it_is_for(self):
        done = subprocess.run([SLIPWAYD, "git-hook", "pre-receive"], stdin=subprocess.DEVNULL, capture_output=True,
                              env={}, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"it is run by git", done.stderr)


if __name__ == "__main__":
    unittest.main()
