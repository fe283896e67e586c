#!/usr/bin/env python3
"""The `slipway` program against a real slipwayd: fleets, deploys, assets of releases, invitations."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import fake_servers  # noqa: E402
from support.slipwayd import Slipwayd  # noqa: E402
from support.tenant import Tenant  # noqa: E402

SLIPWAY = str(pathlib.Path(os.environ["SLIPWAY_BIN"]) / "slipway")
SERVER = None


def setUpModule():
    global SERVER
    SERVER = Slipwayd().start()


def tearDownModule():
    try:
        status = SERVER.stop()
        assert status == 0, f"slipwayd ended with {status}:\n{SERVER.text()}"
    finally:
        SERVER.remove()


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        admin = SERVER.login()
        cls.ann = Tenant(SERVER, admin)
        cls.bob = Tenant(SERVER, admin)

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="slipway-cli-server-")
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)

    def slipway(self, who, *arguments, stdin=b"", code=0):
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.home),
            "SLIPWAY_SERVER": f"http://127.0.0.1:{SERVER.port}", "SLIPWAY_TOKEN": who.api.token,
        }
        environment.update({k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")})
        done = subprocess.run([SLIPWAY, *arguments], input=stdin, capture_output=True, env=environment,
                              timeout=120, cwd=self.home, start_new_session=True, check=False)
        done.error = done.stderr.decode()
        self.assertEqual(done.returncode, code, f"{arguments}\n{done.stdout[:2000]}\n{done.error}")
        return done

    def answer(self, who, *arguments):
        return json.loads(self.slipway(who, *arguments, "--json").stdout)


class Fleets(Case):
    def branch(self, *arguments, **more):
        return self.slipway(self.ann, "fleet", "release-branch", f"{self.ann.name}/cars", *arguments, **more)

    def shown(self):
        return self.answer(self.ann, "fleet", "show", f"{self.ann.name}/cars")["release_branch"]

    def test_the_release_branch_of_a_fleet_is_set_shown_and_reset(self):
        self.assertIsNone(self.shown())
        done = self.branch("feature/one")
        self.assertIn(f"pushes to feature/one of {self.ann.name}/cars are built", done.error)
        self.assertEqual(self.shown(), "feature/one")
        text = self.slipway(self.ann, "fleet", "show", f"{self.ann.name}/cars").stdout.decode()
        self.assertRegex(text, r"release branch: feature/one\n")
        self.assertIn("is the name of a branch", self.branch("a b", code=1).error)
        self.assertIn("name a branch or --default", self.branch(code=1).error)
        self.branch("main", "--default", code=1)
        self.slipway(self.bob, "fleet", "release-branch", f"{self.ann.name}/cars", "main", code=4)
        self.assertEqual(self.shown(), "feature/one")
        self.branch("--default")
        self.assertIsNone(self.shown())


class Deploys(Case):
    """With an engine that only pretends to build and push."""

    def setUp(self):
        super().setUp()
        self.engine = fake_servers.FakeEngine(self.home / "engine.sock")
        self.addCleanup(self.engine.server_close)
        self.addCleanup(self.engine.shutdown)

    def test_a_deploy_fills_in_what_the_server_says_of_the_fleet_and_keeps_it_with_the_image(self):
        self.ann.api.create("build_environment_variable", application=self.ann.fleet, name="COLOUR", value="blue")
        (self.home / "project/web").mkdir(parents=True)
        (self.home / "project/docker-compose.yml").write_text("services: {web: {build: ./web}}\n")
        (self.home / "project/web/Dockerfile.amd64").write_text(
            "FROM %%BALENA_MACHINE_NAME%%-%%BALENA_ARCH%%\nLABEL a=%%BALENA_APP_NAME%% b=%%BALENA_RELEASE_HASH%%\n")
        (self.home / "project/web/contract.yml").write_text("type: sw.container\nname: Web\nslug: web\n")
        done = self.answer(self.ann, "deploy", f"{self.ann.name}/cars", "project", "--engine", self.engine.endpoint)
        build = next(path for _, path, *_ in self.engine.requests if path.startswith("/build"))
        self.assertIn('"COLOUR":"blue"', build)
        image = self.ann.api.rows(
            f"/v7/image?$filter=release_image/any(ri:ri/is_part_of__release eq {done['id']})"
            "&$select=status,dockerfile,project_type,contract")[0]
        self.assertEqual(image["status"], "success")
        self.assertEqual(image["dockerfile"], f"FROM generic-amd64-amd64\nLABEL a=cars b={done['commit']}\n")
        self.assertEqual(image["project_type"], "Architecture-specific Dockerfile")
        self.assertEqual(image["contract"]["slug"], "web")


class Assets(Case):
    def setUp(self):
        super().setUp()
        self.release = self.ann.given_release()["commit"][:12]

    def asset(self, *arguments, **more):
        return self.slipway(self.ann, "release", "asset", *arguments, **more)

    def listed(self):
        return self.answer(self.ann, "release", "asset", "list", self.release)

    def given_file(self, name, bytes_):
        (self.home / name).write_bytes(bytes_)
        return bytes_

    def test_what_was_uploaded_is_listed_and_downloaded_unchanged(self):
        sent = self.given_file('a "flash".img', os.urandom(9 * 1024 * 1024 + 17))
        made = self.answer(self.ann, "release", "asset", "upload", self.release, 'a "flash".img',
                           "--key", "images/flash", "--type", "application/x-image")
        self.assertEqual((made["key"], made["size"], made["content_type"]),
                         ("images/flash", len(sent), "application/x-image"))
        self.assertEqual(self.listed(), [made])
        self.assertIn(b"images/flash", self.asset("list", self.release).stdout)
        got = self.answer(self.ann, "release", "asset", "download", self.release, "images/flash")
        self.assertEqual(got, {"key": "images/flash", "file": "flash", "size": len(sent)})
        self.assertEqual((self.home / "flash").read_bytes(), sent)
        done = self.asset("download", self.release, "images/flash", "-o", "-")
        self.assertEqual(done.stdout, sent)
        self.assertEqual(done.error, "")  # a bar is for terminals
        self.assertEqual(sorted(p.name for p in self.home.iterdir()), ['a "flash".img', "flash"])

    def test_a_key_is_replaced_only_with_overwrite(self):
        self.given_file("notes", b"one")
        self.asset("upload", self.release, "notes")
        self.given_file("notes", b"")
        refused = self.asset("upload", self.release, "notes", code=6)
        self.assertIn("--overwrite replaces it", refused.error)
        self.assertEqual(self.listed()[0]["size"], 3)
        self.asset("upload", self.release, "notes", "--overwrite")
        self.assertEqual([(a["key"], a["size"]) for a in self.listed()], [("notes", 0)])

    def test_a_file_of_the_user_is_replaced_only_with_overwrite(self):
        self.given_file("notes", b"new")
        self.asset("upload", self.release, "notes")
        self.given_file("notes", b"mine")
        self.asset("download", self.release, "notes", code=6)
        self.assertEqual((self.home / "notes").read_bytes(), b"mine")
        self.asset("download", self.release, "notes", "--overwrite")
        self.assertEqual((self.home / "notes").read_bytes(), b"new")

    def test_what_does_not_exist_ends_with_4_and_leaves_nothing(self):
        self.asset("upload", self.release, "none", code=4)
        self.asset("download", self.release, "none", code=4)
        self.asset("rm", self.release, "none", "--yes", code=4)
        self.asset("list", "0123456789ab", code=4)
        self.asset("upload", self.release, ".", code=1)
        self.assertEqual(list(self.home.iterdir()), [])

    def test_an_asset_is_removed_and_others_cannot_reach_it(self):
        self.given_file("notes", b"one")
        self.asset("upload", self.release, "notes")
        self.slipway(self.bob, "release", "asset", "download", self.release, "notes", "-o", "x", code=4)
        self.asset("rm", self.release, "notes", code=1)  # there is no terminal to ask
        self.asset("rm", self.release, "notes", "--yes")
        self.assertEqual(self.listed(), [])


class Invitations(Case):
    """Each has users of its own."""

    def setUp(self):
        super().setUp()
        admin = SERVER.login()
        self.ann = Tenant(SERVER, admin)
        self.bob = Tenant(SERVER, admin)

    def invite(self, *to):
        made = self.slipway(self.ann, "invite", "create", f"{self.bob.name}@example.org", *to)
        return made.stdout.strip()

    def accept(self, token, **more):
        return self.slipway(self.bob, "invite", "accept", "--token-file", "-", stdin=token, **more)

    def fleets_of_bob(self):
        return {f["id"] for f in self.answer(self.bob, "fleet", "list")}

    def test_who_accepts_an_invitation_to_an_organization_has_the_role_at_once(self):
        token = self.invite("--organization", self.ann.name, "--role", "developer")
        self.assertNotIn(self.ann.fleet, self.fleets_of_bob())
        self.accept(token)
        self.assertIn(self.ann.fleet, self.fleets_of_bob())
        self.slipway(self.bob, "fleet", "rename", f"{self.ann.name}/cars", "trucks")
        listed = self.answer(self.ann, "invite", "list", "--organization", self.ann.name)
        self.assertEqual(listed, [])

    def test_who_accepts_an_invitation_to_a_fleet_sees_that_fleet_only(self):
        other = self.ann.given_fleet("vans")
        token = self.invite("--fleet", f"{self.ann.name}/cars", "--role", "observer")
        self.accept(token)
        self.assertIn(self.ann.fleet, self.fleets_of_bob())
        self.assertNotIn(other, self.fleets_of_bob())
        self.slipway(self.bob, "fleet", "rename", f"{self.ann.name}/cars", "trucks", code=3)

    def test_a_token_that_was_used_or_taken_back_says_so(self):
        token = self.invite("--organization", self.ann.name, "--role", "observer")
        self.accept(token)
        again = self.accept(token, code=4)
        self.assertIn("accepted or taken back already", again.error)
        carl = self.answer(self.ann, "invite", "create", "carl@example.org", "--role", "observer",
                           "--organization", self.ann.name)
        self.slipway(self.ann, "invite", "revoke", str(carl["id"]), "--organization", self.ann.name)
        gone = self.accept(carl["token"].encode(), code=4)
        self.assertIn("accepted or taken back already", gone.error)


if __name__ == "__main__":
    unittest.main(verbosity=1)
