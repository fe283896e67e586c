#!/usr/bin/env python3
"""The `slipway` program as a black box, against a fake API and a fake engine."""

import base64
import io
import json
import os
import pathlib
import pty
import re
import signal
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import fake_servers  # noqa: E402

SLIPWAY = str(pathlib.Path(os.environ["SLIPWAY_BIN"]) / "slipway")


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="slipway-cli-e2e-")
        self.home = pathlib.Path(self.folder.name)
        self.api = fake_servers.FakeApi()
        self.engine = fake_servers.FakeEngine(self.home / "engine.sock")
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "SLIPWAY_SERVER": self.api.url,
            "DOCKER_HOST": self.engine.endpoint,
        }
        for name in ("ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                self.environment[name] = os.environ[name]

    def tearDown(self):
        self.engine.push_release.set()
        self.api.unfollow.set()
        self.api.shutdown()
        self.api.server_close()
        self.engine.shutdown()
        self.engine.server_close()
        self.folder.cleanup()

    def slipway(self, *arguments, stdin="", code=0):
        done = subprocess.run(
            [SLIPWAY, *arguments], input=stdin, capture_output=True, text=True, env=self.environment,
            timeout=60, cwd=self.home, start_new_session=True,
        )
        self.assertEqual(done.returncode, code, f"{arguments}\n{done.stdout}\n{done.stderr}")
        return done

    def answer(self, *arguments):
        return json.loads(self.slipway(*arguments, "--json").stdout)

    def login(self):
        self.slipway("login", "-u", "ann", "--password-file", "-", stdin="secret\n")

    def project(self, files):
        folder = self.home / "project"
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        return str(folder)


class Account(Case):
    def test_login_saves_a_token_that_only_its_owner_can_read(self):
        done = self.slipway("login", "-u", "ann", "--password-file", "-", stdin="secret\n")
        self.assertIn("logged in", done.stdout)
        file = self.home / "config/slipway/logins.json"
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        self.assertNotIn("token-of-ann", done.stdout + done.stderr)
        self.assertEqual(self.answer("whoami")["username"], "ann")

    def test_a_wrong_password_is_told_and_ends_with_3(self):
        done = self.slipway("login", "-u", "ann", "--password-file", "-", stdin="wrong\n", code=3)
        self.assertIn("wrong user name or password", done.stderr)
        self.assertFalse((self.home / "config/slipway/logins.json").exists())

    def test_login_without_a_terminal_says_what_to_do(self):
        done = self.slipway("login", "-u", "ann", code=1)
        self.assertIn("there is no terminal to ask for the password", done.stderr)

    def test_a_token_can_be_used_instead_of_a_password(self):
        self.slipway("login", "--token-file", "-", stdin="token-of-ann\n")
        self.slipway("whoami")
        self.slipway("login", "--token-file", "-", stdin="nonsense\n", code=3)

    def test_logout_forgets_and_then_commands_end_with_3_and_a_hint(self):
        self.login()
        self.slipway("logout")
        done = self.slipway("whoami", code=3)
        self.assertIn("hint: log in with `slipway login`", done.stderr)

    def test_a_login_with_a_second_factor_asks_for_its_code(self):
        (self.home / "pw").write_text("secret\n")
        login = ("login", "-u", "eve", "--password-file", "pw", "--code-file", "-")
        self.slipway(*login, stdin="000000\n", code=3)
        self.assertFalse((self.home / "config/slipway/logins.json").exists())
        self.slipway(*login, stdin="123456\n")
        self.slipway("whoami")

    def test_sessions_and_the_password(self):
        self.login()
        self.assertEqual(self.answer("session", "list")[0]["id"], 65)
        self.slipway("session", "end", "65")
        self.slipway("session", "end", "--others")
        self.slipway("session", "end", code=1)
        ended = [r[1] for r in self.api.log.find("DELETE /user/v1/sessions")]
        self.assertEqual(ended, ["/user/v1/sessions/65", "/user/v1/sessions"])
        (self.home / "old").write_text("secret\n")
        self.slipway("password", "--password-file", "old", "--new-file", "-", stdin="other secret\n")
        self.assertEqual(
            self.api.log.find("POST /user/v1/password")[0][2],
            {"password": "other secret", "currentPassword": "secret"},
        )
        self.assertEqual(self.slipway("two-factor", "codes").stdout, "aaaa\nbbbb\n")
        self.slipway("two-factor", "disable")

    def test_a_token_in_the_environment_wins(self):
        self.environment["SLIPWAY_TOKEN"] = "token-of-ann"
        self.slipway("whoami")

    def test_an_administrator_creates_users(self):
        self.login()
        self.slipway("user", "create", "bob", "--email", "b@c.d", "--password-stdin", stdin="pw\n")
        self.assertEqual(
            self.api.log.find("POST /v7/user$")[0][2], {"username": "bob", "email": "b@c.d", "password": "pw"}
        )


class Usage(Case):
    def test_a_senseless_command_line_ends_with_2(self):
        for arguments in ([], ["nonsense"], ["fleet"], ["fleet", "create"], ["env", "set", "a", "b"],
                          ["whoami", "--server", "no-url"]):
            self.slipway(*arguments, code=2)

    def test_help_and_version_end_with_0(self):
        self.assertIn("slipway 0.", self.slipway("--version").stdout)
        for arguments in ([], ["deploy"], ["fleet", "create"], ["login"]):
            text = self.slipway(*arguments, "--help").stdout
            self.assertIn("Examples:", text)

    def test_an_unreachable_server_ends_with_5_and_names_it(self):
        done = self.slipway("whoami", "--server", "http://127.0.0.1:1", code=5)
        self.assertIn("cannot reach http://127.0.0.1:1", done.stderr)

    def test_completions_are_accepted_by_the_shell(self):
        script = self.slipway("completion", "bash").stdout
        ask = script + '\nCOMP_WORDS=(slipway fleet c); COMP_CWORD=2; _slipway; echo "${COMPREPLY[@]}"'
        done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True)
        self.assertEqual(done.stdout.strip(), "create", done.stderr)
        ask = script + '\nCOMP_WORDS=(slipway fleet create --t); COMP_CWORD=3; _slipway; echo "${COMPREPLY[@]}"'
        done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True)
        self.assertEqual(done.stdout.strip(), "--type", done.stderr)
        self.slipway("completion", "zsh")
        self.slipway("completion", "fish")
        self.slipway("completion", "tcsh", code=1)

    def test_output_into_a_closed_pipe_does_not_crash(self):
        self.login()
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([SLIPWAY, "fleet", "list"], stdout=writer, stderr=subprocess.PIPE, env=self.environment)
        os.close(writer)
        self.assertGreaterEqual(done.returncode, 0)


class Lists(Case):
    def setUp(self):
        super().setUp()
        self.login()

    def test_fleets(self):
        fleets = self.answer("fleet", "list")
        self.assertEqual(fleets[0]["slug"], "ann/gate")
        self.assertEqual((fleets[0]["devices"], fleets[0]["online"]), (2, 1))
        self.assertIn("ann/gate", self.slipway("fleet", "list").stdout)
        self.assertEqual(self.answer("fleet", "show", "gate")["release"], "c" * 32)
        self.assertIsNone(self.answer("fleet", "show", "gate")["release_branch"])
        self.assertRegex(self.slipway("fleet", "show", "gate").stdout, r"release branch: main or master\n")
        self.slipway("fleet", "show", "none", code=4)
        self.assertIn("a/twin, b/twin", self.slipway("fleet", "show", "twin", code=1).stderr)

    def test_a_fleet_is_created_by_type_and_organization(self):
        made = self.answer("fleet", "create", "gate2", "--type", "generic-amd64")
        self.assertEqual(made["slug"], "ann/gate2")
        self.assertEqual(
            self.api.log.find("POST /v7/application$")[0][2],
            {"app_name": "gate2", "is_for__device_type": 6, "organization": 2, "is_of__class": "fleet"},
        )
        self.slipway("fleet", "create", "x", "--type", "nonsense", code=4)

    def test_removal_needs_a_yes(self):
        self.slipway("fleet", "rm", "gate", code=1)
        self.assertEqual(self.api.log.find("DELETE"), [])
        self.slipway("fleet", "rm", "gate", "--yes")
        self.assertEqual(len(self.api.log.find(r"DELETE /v7/application\(7\)")), 1)

    def test_a_taken_name_ends_with_6(self):
        self.api.log.fail["POST /v7/application"] = (409, '"slug" must be unique.')
        self.slipway("fleet", "create", "gate", "--type", "t", code=6)

    def test_devices(self):
        devices = self.answer("device", "list", "--fleet", "gate")
        self.assertEqual(devices[0]["running_release"], "c" * 32)
        self.assertIn("belongs_to__application eq 7", self.api.log.find("GET /v7/device")[-1][1])
        shown = self.answer("device", "show", "ddddddd")
        self.assertEqual(
            shown["services"],
            [{"name": "web", "status": "Running", "release": "c" * 32, "download_progress": None}],
        )
        self.slipway("device", "show", "none", code=4)
        self.slipway("device", "rename", "ddddddd", "n")
        self.assertEqual(self.api.log.find(r"PATCH /v7/device\(15\)")[0][2], {"device_name": "n"})

    def test_names_from_devices_cannot_steer_the_terminal(self):
        self.assertNotIn("\x1b", self.slipway("device", "list").stdout)
        self.assertNotIn("\x1b", self.slipway("device", "show", "ddddddd").stdout)

    def test_a_device_config_is_private_and_not_overwritten(self):
        self.slipway("device", "config", "gate", "-o", "c.json")
        file = self.home / "c.json"
        self.assertEqual(json.loads(file.read_text())["apiKey"], "provisioning")
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        self.slipway("device", "config", "gate", "-o", "c.json", code=6)
        self.slipway("device", "config", "gate", "-o", "c.json", "--force")
        self.assertEqual(json.loads(self.slipway("device", "config", "gate", "-o", "-").stdout)["applicationId"], 7)

    def test_releases(self):
        self.assertEqual(self.answer("release", "list", "gate")[0]["commit"], "c" * 32)
        for name in ("cccc", "8"):
            shown = self.answer("release", "show", name)
            self.assertEqual(shown["images"][0]["size"], 2000000)
        self.slipway("release", "show", "zz", code=1)
        self.slipway("release", "show", "dddd", code=4)
        self.slipway("release", "finalize", "cccc")
        self.assertEqual(self.api.log.find(r"PATCH /v7/release\(8\)")[0][2], {"is_final": True})

    def test_variables_are_set_replaced_and_removed(self):
        self.slipway("env", "set", "A", "1", "--fleet", "gate")
        self.slipway("env", "set", "A", "2", "--fleet", "gate")
        self.assertEqual(len(self.api.log.find("PATCH /v7/application_environment_variable")), 1)
        self.slipway("env", "set", "BALENA_X", "2", "--device", "ddddddd")
        self.assertEqual(len(self.api.log.find("POST /v7/device_config_variable")), 1)
        self.assertEqual(self.answer("env", "list", "--fleet", "gate")[0]["name"], "A")
        self.slipway("env", "rm", "A", "--fleet", "gate")
        self.assertEqual(len(self.api.log.find("DELETE /v7/application_environment_variable")), 1)
        self.slipway("env", "rm", "B", "--fleet", "gate", code=4)

    def test_tags(self):
        self.slipway("tag", "set", "k", "v", "--release", "cccc")
        self.assertEqual(self.api.log.find("POST /v7/release_tag")[0][2], {"release": 8, "tag_key": "k", "value": "v"})
        self.assertEqual(self.answer("tag", "list", "--release", "cccc"), [{"name": "k", "value": "v"}])


class Verbs(Case):
    """Each command asks the server for what its name says."""

    def setUp(self):
        super().setUp()
        self.login()

    def asked(self, pattern):
        found = self.api.log.find(pattern)
        self.assertEqual(len(found), 1, pattern)
        return found[0][2]

    def test_fleets(self):
        self.slipway("fleet", "rename", "gate", "barrier")
        self.assertEqual(self.asked(r"PATCH /v7/application\(7\)$"), {"app_name": "barrier"})
        self.api.log.requests.clear()
        self.slipway("fleet", "pin", "gate", "cccc")
        self.assertEqual(
            self.asked(r"PATCH /v7/application\(7\)$"),
            {"should_be_running__release": 8, "should_track_latest_release": False},
        )
        self.assertIn("status eq 'success'", self.api.log.find("GET /v7/release")[0][1])
        self.api.log.requests.clear()
        self.slipway("fleet", "track-latest", "gate")
        self.assertEqual(self.asked(r"PATCH /v7/application\(7\)$"), {"should_track_latest_release": True})
        self.api.log.requests.clear()
        self.slipway("fleet", "release-branch", "gate", "deploy")
        self.assertEqual(self.asked(r"PATCH /v7/application\(7\)$"), {"release_branch": "deploy"})
        self.api.log.requests.clear()
        self.slipway("fleet", "release-branch", "gate", "--default")
        self.assertEqual(self.asked(r"PATCH /v7/application\(7\)$"), {"release_branch": None})
        self.slipway("fleet", "restart", "gate")
        self.asked("POST /application/7/restart$")
        self.slipway("fleet", "purge", "gate", code=1)
        self.slipway("fleet", "purge", "gate", "--yes")
        self.assertEqual(self.asked("POST /supervisor/v1/purge$"), {"appId": 7, "data": {"appId": "7"}})

    def test_devices(self):
        for arguments, values in (
            (("note", "ddddddd", "hi"), {"note": "hi"}),
            (("move", "ddddddd", "gate"), {"belongs_to__application": 7}),
            (("pin", "ddddddd", "cccc"), {"is_pinned_on__release": 8}),
            (("track-fleet", "ddddddd"), {"is_pinned_on__release": None}),
            (("deactivate", "ddddddd"), {"is_active": False}),
            (("activate", "ddddddd"), {"is_active": True}),
        ):
            self.api.log.requests.clear()
            self.slipway("device", *arguments)
            self.assertEqual(self.asked(r"PATCH /v7/device\(15\)$"), values)
        made = self.answer("device", "register", "gate", "--uuid", "a" * 32)
        self.assertEqual((made["uuid"], made["api_key"]), ("a" * 32, "device-key"))
        self.assertIn("expiryDate", self.asked("POST /api-key/application/7/provisioning$"))

    def test_actions_reach_the_device_and_say_when_it_is_not_connected(self):
        for verb in ("restart", "reboot", "shutdown", "blink", "update"):
            self.slipway("device", verb, "ddddddd", "--force")
            body = self.asked(f"POST /supervisor/v1/{verb}$")
            self.assertEqual((body["deviceId"], body["data"]["force"]), (15, True))
        self.slipway("device", "purge", "ddddddd", "--yes")
        self.asked("POST /supervisor/v1/purge$")
        for verb, arguments in (
            ("start", ("start-service", "ddddddd", "web")),
            ("stop", ("stop-service", "ddddddd", "web")),
            ("restart", ("restart", "ddddddd", "--service", "web")),
        ):
            self.slipway("device", *arguments)
            body = self.asked(rf"POST /supervisor/v2/applications/\d+/{verb}-service$")
            self.assertEqual(body["data"]["serviceName"], "web")
        self.api.log.fail["POST /supervisor/v1/blink"] = (404, "No online device(s) found")
        done = self.slipway("device", "blink", "ddddddd", code=4)
        self.assertIn("the device is not connected", done.stderr)

    def test_releases(self):
        for arguments, values in (
            (("invalidate", "cccc"), {"is_invalidated": True}),
            (("validate", "cccc"), {"is_invalidated": False}),
            (("note", "cccc", "n"), {"note": "n"}),
        ):
            self.api.log.requests.clear()
            self.slipway("release", *arguments)
            self.assertEqual(self.asked(r"PATCH /v7/release\(8\)$"), values)
        self.slipway("release", "rm", "cccc", code=1)
        self.slipway("release", "rm", "cccc", "--yes")
        self.asked(r"DELETE /v7/release\(8\)$")

    def test_organizations(self):
        self.assertEqual(self.answer("org", "list")[0]["handle"], "ann")
        self.assertEqual(self.answer("organization", "create", "Acme Robots")["handle"], "acme_robots")
        self.slipway("organization", "rename", "ann", "New")
        self.assertEqual(self.asked(r"PATCH /v7/organization\(2\)$"), {"name": "New"})
        self.slipway("organization", "rm", "ann", "--yes")
        self.asked(r"DELETE /v7/organization\(2\)$")

    def test_members_of_organizations_and_fleets(self):
        for option, value, resource, parent, id in (
            ("--organization", "ann", "organization_membership", "is_member_of__organization", 2),
            ("--fleet", "gate", "user_application_membership", "is_member_of__application", 7),
        ):
            role = resource.replace("user_application", "application") + "_role"
            self.api.log.requests.clear()
            self.assertEqual(self.answer("member", "list", option, value)[0]["role"], "developer")
            self.slipway("member", "add", "eve", "--role", "developer", option, value)
            self.assertEqual(self.asked(f"POST /v7/{resource}$"), {"username": "eve", parent: id, role: 33})
            self.slipway("member", "role", "bob", "--role", "observer", option, value)
            self.assertEqual(self.asked(rf"PATCH /v7/{resource}\(40\)$"), {role: 33})
            self.slipway("member", "rm", "bob", option, value, "--yes")
            self.asked(rf"DELETE /v7/{resource}\(40\)$")
            self.slipway("member", "rm", "nobody", option, value, "--yes", code=4)
            self.slipway("member", "add", "eve", "--role", "king", option, value, code=4)
        self.slipway("member", "list", code=2)

    def test_invitations_print_the_token_and_take_it_from_a_file(self):
        done = self.slipway("invite", "create", "b@c.d", "--role", "developer", "--organization", "ann")
        self.assertEqual(done.stdout, "invitation-token\n")
        self.assertEqual(self.answer("invite", "list", "--fleet", "gate")[0]["email"], "b@c.d")
        self.slipway("invite", "revoke", "50", "--organization", "ann")
        self.asked(r"DELETE /v7/invitee__is_invited_to__organization\(50\)$")
        self.slipway("invite", "accept", "--token-file", "-", stdin="secret-token\n")
        self.asked("POST /org/v1/invitation/secret-token$")

    def test_keys_are_printed_once_and_revoked_by_id(self):
        self.assertEqual(self.slipway("key", "create", "ci", "--expires", "90d").stdout, "k" * 32 + "\n")
        self.assertRegex(self.asked("POST /api-key/user/full$")["expiryDate"], r"^\d{4}-\d\d-\d\dT")
        self.slipway("key", "create", "factory", "--fleet", "gate", "--uses", "5")
        self.assertEqual(self.asked("POST /api-key/application/7/provisioning$")["uses"], 5)
        self.slipway("key", "create", "ci", "--expires", "soon", code=1)
        self.assertEqual(self.answer("key", "list")[0]["name"], "ci")
        self.slipway("key", "rm", "18")
        self.asked(r"DELETE /v7/api_key\(18\)$")
        self.slipway("key", "rm", "99", code=4)

    def test_a_refused_key_stays_refused_without_a_terminal_to_ask_for_the_password(self):
        self.api.log.fail["POST /api-key/user/full"] = (401, "a recent login is needed")
        self.assertIn("a recent login is needed", self.slipway("key", "create", "ci", code=3).stderr)

    def test_ssh_keys(self):
        (self.home / "id.pub").write_text("ssh-ed25519 AAAA ann\n")
        self.slipway("ssh-key", "add", "laptop", "id.pub")
        self.assertEqual(
            self.asked("POST /v7/user__has__public_key$"),
            {"title": "laptop", "public_key": "ssh-ed25519 AAAA ann", "user": 1},
        )
        (self.home / "id").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
        self.assertIn("private key", self.slipway("ssh-key", "add", "laptop", "id", code=1).stderr)
        self.assertEqual(self.answer("ssh-key", "list")[0]["title"], "laptop")
        self.assertIn("ssh-ed25519 AAAA", self.slipway("ssh-key", "show", "19").stdout)
        self.slipway("ssh-key", "rm", "19")
        self.slipway("ssh-key", "rm", "99", code=4)

    def test_logs_name_their_service_and_cannot_steer_the_terminal(self):
        text = self.slipway("logs", "ddddddd", "-n", "5").stdout
        self.assertIn("[web] up", text)
        self.assertIn("[system] starting", text)
        self.assertNotIn("\x1b", text)
        self.assertIn("count=5", self.api.log.find("GET /device/v2/")[0][1])
        self.assertNotIn("starting", self.slipway("logs", "ddddddd", "--service", "web").stdout)
        lines = self.slipway("logs", "ddddddd", "--json").stdout.splitlines()
        self.assertEqual([json.loads(l)["service"] for l in lines], ["web", None])

    def test_followed_logs_come_at_once_and_end_with_ctrl_c(self):
        process = subprocess.Popen(
            [SLIPWAY, "logs", "ddddddd", "--follow"], env=self.environment, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
        )
        self.assertIn("up", process.stdout.readline())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130)


COMPOSE = """
services:
  web:
    build: ./web
    labels: {io.balena.features.dbus: 1}
  db:
    image: postgres:15
"""


class Deploy(Case):
    def setUp(self):
        super().setUp()
        self.login()
        self.path = self.project({"docker-compose.yml": COMPOSE, "web/Dockerfile": "FROM x\n", "web/a.txt": "hello"})

    def test_a_deploy_follows_the_documented_sequence(self):
        done = self.answer("deploy", "gate", self.path, "--note", "first")
        log = self.api.log
        release = log.find("POST /v7/release$")[0][2]
        self.assertEqual(release["commit"], done["commit"])
        self.assertRegex(release["commit"], "^[0-9a-f]{32}$")
        self.assertEqual((release["status"], release["source"], release["is_final"]), ("running", "local", True))
        self.assertEqual(release["composition"]["services"]["web"]["build"], {"context": "./web"})
        self.assertEqual(len(log.find("POST /v7/service$")), 2)
        self.assertEqual(len(log.find("POST /v7/image$")), 2)
        self.assertEqual(len(log.find("POST /v7/image__is_part_of__release$")), 2)
        label = log.find("POST /v7/image_label$")[0][2]
        self.assertEqual((label["label_name"], label["value"]), ("io.balena.features.dbus", "1"))
        token = log.find("GET /auth/v1/token")[0][1]
        self.assertRegex(token, r"scope\[0\]=repository:v2/[0-9a-f]{32}:pull,push")
        images = log.find(r"PATCH /v7/image\(")
        self.assertEqual(len(images), 2)
        for _, _, body in images:
            self.assertEqual(body["status"], "success")
            self.assertEqual(body["image_size"], "1234567")
            self.assertEqual(body["content_hash"], "sha256:" + "b" * 64)
            self.assertIn("push_timestamp", body)
        last = log.requests[-1]
        self.assertEqual((last[0], last[2]["status"]), ("PATCH", "success"))
        self.assertEqual(log.find(r"PATCH /v7/release\(")[0][2], {"note": "first"})
        pushes = [r for r in self.engine.requests if "/push" in r[1]]
        self.assertEqual(len(pushes), 2)
        self.assertTrue(all("X-Registry-Auth" in r[3] for r in pushes))
        # A second deploy finds the services.
        self.slipway("deploy", "gate", self.path)
        self.assertEqual(len(log.find("POST /v7/service$")), 2)

    def test_the_registry_is_asked_for_the_digest_when_the_engine_does_not_tell(self):
        self.engine.tells_digest = False
        self.slipway("deploy", "gate", self.path)
        self.assertEqual(len(self.api.log.find("HEAD /v2/v2/[0-9a-f]{32}/manifests/latest")), 2)
        for _, _, body in self.api.log.find(r"PATCH /v7/image\("):
            self.assertEqual(body["content_hash"], "sha256:" + "d" * 64)

    def test_the_engine_gets_the_context_of_each_service(self):
        self.slipway("deploy", "gate", self.path)
        names = tarfile.open(fileobj=io.BytesIO(self.engine.contexts[0])).getnames()
        self.assertEqual(sorted(names), ["Dockerfile", "a.txt"])

    def deployed(self, files):
        """What the engine was told of a service `web` with these files: its query, its tar, the row of its image."""
        self.engine.contexts.clear()
        self.engine.requests.clear()
        self.api.log.requests.clear()
        path = self.project({"docker-compose.yml": "services: {web: {build: ./web}}\n", **files})
        self.commit = self.answer("deploy", "gate", path)["commit"]
        url = next(r[1] for r in self.engine.requests if r[1].startswith("/build"))
        tar = tarfile.open(fileobj=io.BytesIO(self.engine.contexts[0]))
        texts = {m.name: tar.extractfile(m).read().decode() for m in tar.getmembers() if m.isfile()}
        image = self.api.log.find(r"PATCH /v7/image\(")[0][2]
        return urllib.parse.parse_qs(url.split("?")[1]), texts, image

    def test_a_template_is_filled_in_for_the_fleet(self):
        template = "FROM x-%%BALENA_ARCH%%:%%RESIN_MACHINE_NAME%%\n# %%BALENA_ARCH%%\nRUN %%OTHER%%\n" \
                   "LABEL a=%%BALENA_SERVICE_NAME%% b=%%BALENA_APP_NAME%% c=%%BALENA_RELEASE_HASH%%\n"
        query, texts, image = self.deployed({"web/Dockerfile.template": template})
        filled = "FROM x-amd64:generic-amd64\n# %%BALENA_ARCH%%\nRUN %%OTHER%%\n" \
                 f"LABEL a=web b=gate c={self.commit}\n"
        self.assertEqual(query["dockerfile"], ["Dockerfile.template"])
        self.assertEqual(texts["Dockerfile.template"], filled)
        self.assertEqual((image["project_type"], image["dockerfile"]), ("Dockerfile.template", filled))

    def test_the_dockerfile_of_the_device_type_comes_before_that_of_the_architecture(self):
        files = {"web/Dockerfile": "FROM plain-%%BALENA_ARCH%%\n"}
        (self.home / "project/web/Dockerfile").unlink()
        for name, kind, filled in (
            ("Dockerfile", "Standard Dockerfile", "FROM plain-%%BALENA_ARCH%%\n"),
            ("Dockerfile.template", "Dockerfile.template", "FROM t-amd64\n"),
            ("Dockerfile.amd64", "Architecture-specific Dockerfile", "FROM a-amd64\n"),
            ("Dockerfile.generic-amd64", "Architecture-specific Dockerfile", "FROM d-amd64\n"),
        ):
            files["web/" + name] = filled.replace("-amd64", "-%%BALENA_ARCH%%")
            query, texts, image = self.deployed(files)
            self.assertEqual(query["dockerfile"], [name])
            self.assertEqual(texts[name], filled)
            self.assertEqual(image["project_type"], kind)

    def test_a_project_without_a_dockerfile_for_the_fleet_is_told_before_the_engine_hears_of_it(self):
        path = self.project({"docker-compose.yml": "services: {web: {build: ./other}}\n",
                             "other/Dockerfile.aarch64": "FROM x\n"})
        done = self.slipway("deploy", "gate", path, code=1)
        self.assertIn('docker-compose.yml:1: service "web": other/Dockerfile does not exist', done.stderr)
        self.assertEqual(self.engine.requests, [])

    def test_build_variables_of_fleet_and_project_are_arguments_of_the_build(self):
        self.api.fleet["build_environment_variable"] = [{"name": "COLOUR", "value": "blue"}, {"name": "SIZE", "value": "small"}]
        query, texts, _ = self.deployed({
            "web/Dockerfile": "FROM x\n", ".balena/balena.yml": "build-variables: {services: {web: [COLOUR=red]}}\n"})
        self.assertEqual(json.loads(query["buildargs"][0]), {"COLOUR": "red", "SIZE": "small"})
        self.assertEqual(sorted(texts), ["Dockerfile", "a.txt"])

    def test_base_images_and_ready_images_are_pulled_with_the_projects_registry_secrets(self):
        self.engine.only_known = True
        path = self.project({
            "docker-compose.yml": COMPOSE.replace("postgres", "reg.example:5000/postgres"),
            ".balena/registry-secrets.json": '{"reg.example:5000": {"username": "ann", "password": "s3cret"}}'})
        done = self.slipway("deploy", "gate", path)
        told = {path.split("?")[0]: headers for _, path, _, headers in self.engine.requests}
        said = [json.loads(base64.urlsafe_b64decode(told[path][header])) for path, header in (
            ("/build", "X-Registry-Config"), ("/images/create", "X-Registry-Auth"))]
        who = {"username": "ann", "password": "s3cret", "serveraddress": "reg.example:5000"}
        self.assertEqual(said, [{"reg.example:5000": who}, who])
        self.assertNotIn("s3cret", done.stdout + done.stderr)

    def test_several_services_are_refused_where_the_fleet_runs_one(self):
        self.api.fleet["application_type"] = [{"slug": "microservices-starter", "supports_multicontainer": False}]
        done = self.slipway("deploy", "gate", self.path, code=1)
        self.assertIn("the fleet's type runs one service", done.stderr)

    def test_without_a_terminal_progress_is_plain_lines_on_stderr(self):
        done = self.slipway("deploy", "gate", self.path)
        self.assertIn("web: building\nweb: Step 1/1 : FROM x\n", done.stderr)
        self.assertIn("db: pushing\n", done.stderr)
        self.assertNotIn("\x1b", done.stderr + done.stdout)
        self.assertRegex(done.stdout, "^released [0-9a-f]{32} to ann/gate\n$")

    def test_a_failed_build_leaves_nothing_on_the_server(self):
        self.engine.build_error = "no such base"
        done = self.slipway("deploy", "gate", self.path, code=1)
        self.assertIn("service web: build: ", done.stderr)
        self.assertIn("no such base", done.stderr)
        self.assertEqual(self.api.log.find("POST /v7/release"), [])

    def test_a_failed_push_marks_image_and_release_failed(self):
        self.engine.push_error = "blob upload invalid"
        done = self.slipway("deploy", "gate", self.path, code=1)
        self.assertIn("blob upload invalid", done.stderr)
        images = self.api.log.find(r"PATCH /v7/image\(")
        self.assertEqual([i[2]["status"] for i in images], ["failed", "failed"])
        self.assertIn("blob upload invalid", images[0][2]["error_message"])
        release = self.api.log.find(r"PATCH /v7/release\(")[-1]
        self.assertIn("$filter=status ne 'success'", release[1])
        self.assertEqual(release[2]["status"], "failed")

    def test_ctrl_c_cancels_the_release_and_ends_with_130(self):
        self.engine.push_waits = True
        process = subprocess.Popen(
            [SLIPWAY, "deploy", "gate", self.path], env=self.environment, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
        )
        self.assertTrue(self.engine.push_waiting.wait(30))
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130, error)
        self.assertEqual(self.api.log.find(r"PATCH /v7/release\(")[-1][2]["status"], "cancelled")
        self.assertEqual({i[2]["status"] for i in self.api.log.find(r"PATCH /v7/image\(")}, {"cancelled"})

    def test_a_draft_is_not_final(self):
        self.slipway("deploy", "gate", self.path, "--draft")
        self.assertFalse(self.api.log.find("POST /v7/release$")[0][2]["is_final"])

    def test_a_faulty_compose_file_is_told_with_its_line_before_anything_is_asked(self):
        path = self.project({"docker-compose.yml": "services:\n  web:\n    image: x\n    volumes: ['/:/host']\n"})
        done = self.slipway("deploy", "gate", path, code=1)
        self.assertIn('docker-compose.yml:4: service "web": host bind mounts are not supported', done.stderr)

    def test_no_engine_ends_with_5_and_a_hint(self):
        done = self.slipway("deploy", "gate", self.path, "--engine", f"unix://{self.home}/none.sock", code=5)
        self.assertIn("no container engine at", done.stderr)
        self.assertEqual(self.api.log.find("POST"), self.api.log.find("POST /login_"))


class Push(Case):
    def setUp(self):
        super().setUp()
        self.builder = self.api.builder
        self.login()
        self.path = self.project({
            "Dockerfile": "FROM x\n", "main.c": "int main;", ".dockerignore": "big\n", ".git/config": "g",
            "docker-compose.yml": "services: {main: {build: .}}\n"})

    def tearDown(self):
        self.builder.go_on.set()
        super().tearDown()

    def start(self, *arguments, **more):
        process = subprocess.Popen(
            [SLIPWAY, *arguments], env=self.environment, cwd=self.home, stdin=subprocess.DEVNULL,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "start_new_session": True, **more})
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
            process.wait()
        for pipe in filter(None, (process.stdout, process.stderr)):
            pipe.close()

    def answers(self, *elements, end="]"):
        self.builder.script = lambda write: write("[" + ",".join(json.dumps(e) for e in elements) + end)

    def sent_files(self):
        source = self.builder.requests[-1][2]
        tar = tarfile.open(fileobj=io.BytesIO(source), mode="r:gz")
        return {m.name: tar.extractfile(m).read() if m.isfile() else None for m in tar.getmembers()}

    def test_a_push_sends_the_project_and_shows_each_line_while_the_build_runs(self):
        def script(write):
            write('[{"type":"metadata","resource":"buildLogId","value":8},{"message":"[main] St')
            write('ep 1"}')
            self.builder.go_on.wait(60)
            write(',{"message":"[main] Step 2"}]')
        self.builder.script = script
        process = self.start("push", "gate", self.path)
        self.assertEqual(process.stderr.readline(), b"[main] Step 1\n")
        self.builder.go_on.set()
        out, error = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, error)
        self.assertEqual(error, b"[main] Step 2\n")
        self.assertEqual(out.decode(), f"released {'c' * 32} to ann/gate as a draft\n{self.api.url}/v7/release(8)\n")
        query, headers, _ = self.builder.requests[0]
        self.assertEqual(query, {
            "slug": "ann/gate", "dockerfilePath": "", "emulated": "false", "nocache": "false", "headless": "false", "isdraft": "false"})
        self.assertEqual(headers["Content-Encoding"], "gzip")
        self.assertEqual(headers["Authorization"], "Bearer token-of-ann")
        self.assertEqual(self.sent_files(), {
            ".dockerignore": b"big\n", "Dockerfile": b"FROM x\n", "main.c": b"int main;",
            "docker-compose.yml": b"services: {main: {build: .}}\n"})

    def test_options_of_a_push_reach_the_builder(self):
        (self.home / "project/my.docker").write_text("FROM y\n")
        self.slipway("push", "gate", self.path, "--draft", "--nocache", "--emulated", "--dockerfile", "my.docker")
        self.assertEqual(self.builder.requests[0][0], {
            "slug": "ann/gate", "dockerfilePath": "my.docker", "emulated": "true", "nocache": "true", "headless": "false",
            "isdraft": "true"})

    def test_the_result_of_a_push_is_json_for_scripts(self):
        got = self.answer("push", "gate", self.path)
        self.assertEqual(got, {"id": 8, "commit": "c" * 32, "fleet": "ann/gate", "version": "0.0.1", "is_final": False,
                               "address": self.api.url + "/v7/release(8)"})

    def test_a_build_that_fails_ends_with_1(self):
        self.answers({"type": "metadata", "resource": "buildLogId", "value": 8}, {"message": "[web] no such file", "isError": True})
        done = self.slipway("push", "gate", self.path, code=1)
        self.assertIn("[web] no such file\n", done.stderr)
        self.assertIn("the build failed; `slipway build show 8` tells more", done.stderr)
        self.assertEqual(done.stdout, "")

    def test_a_release_that_did_not_succeed_is_no_success_whatever_the_builder_says(self):
        self.builder.release_status = "failed"
        self.slipway("push", "gate", self.path, code=1)

    def test_an_answer_that_breaks_off_is_no_success_and_ends_with_5(self):
        self.answers({"type": "metadata", "resource": "buildLogId", "value": 8}, {"message": "one"}, end="")
        done = self.slipway("push", "gate", self.path, code=5)
        self.assertIn("the connection ended before the build was over", done.stderr)

        def script(write):
            write('[{"message":"one"},{"mess')
            return self.builder.BREAK_OFF
        self.builder.script = script
        done = self.slipway("push", "gate", self.path, code=5)
        self.assertIn("the connection ended before the build was over", done.stderr)

    def test_nothing_of_a_builder_steers_the_terminal(self):
        self.answers({"type": "metadata", "resource": "buildLogId", "value": 8},
                     {"message": "\u001b[2J\u001b]0;t\u0007\u009b\ttab\u001b[31mred"})
        done = self.slipway("push", "gate", self.path)
        self.assertEqual(done.stderr, "?]0;t??? tabred\n")

    def test_an_element_without_end_and_what_is_no_array_end_the_push(self):
        def script(write):
            write('[{"type":"metadata","resource":"buildLogId","value":8},{"message":"')
            for _ in range(40):
                write("x" * 65536)
        self.builder.script = script
        done = self.slipway("push", "gate", self.path, code=1)
        self.assertIn("an element of more than 1 MiB", done.stderr)
        self.assertLess(len(done.stderr), 1000)
        self.builder.script = lambda write: write("<html>")
        done = self.slipway("push", "gate", self.path, code=1)
        self.assertIn("does not answer like a builder", done.stderr)
        self.answers()
        self.slipway("push", "gate", self.path, code=1)

    def test_a_refusal_ends_the_push_with_its_reason(self):
        (self.home / "project/much").write_bytes(os.urandom(4 << 20))
        for status, reason, code in ((401, "no right", 3), (404, "fleet not found", 4), (413, "the source is too large", 1),
                                     (429, "too many sources", 1), (507, "no room", 1)):
            self.builder.refusal = (status, reason)
            done = self.slipway("push", "gate", self.path, code=code)
            self.assertIn(reason, done.stderr)

    def test_ctrl_c_cancels_the_build_on_the_server_and_ends_with_130(self):
        def script(write):
            write('[{"type":"metadata","resource":"buildLogId","value":8},{"message":"one"}')
            self.builder.go_on.wait(60)
        self.builder.script = script
        process = self.start("push", "gate", self.path)
        self.assertEqual(process.stderr.readline(), b"one\n")
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130, error)
        (_, path, body), = self.api.log.find(r"PATCH /v7/release\(8\)")
        self.assertEqual(path, "/v7/release(8)?$filter=status ne 'success'")
        self.assertEqual(body["status"], "cancelled")
        self.assertGreater(body["end_timestamp"], 1795410000000)

    def test_a_detached_push_does_not_wait(self):
        done = self.slipway("push", "gate", self.path, "--detached", "--note", "n", "--release-tag", "a", "b")
        self.assertEqual(done.stdout, "building release 8 for ann/gate\n")
        self.assertEqual(self.builder.requests[0][0]["headless"], "true")
        self.assertEqual(self.api.log.find("POST /v7/release_tag")[0][2], {"release": 8, "tag_key": "a", "value": "b"})
        self.assertEqual(self.answer("push", "gate", self.path, "-d")["id"], 8)
        self.builder.headless = {"started": False, "error": "Busy", "message": "the queue is full\u001b[2J"}
        done = self.slipway("push", "gate", self.path, "--detached", code=1)
        self.assertIn("the queue is full?[2J", done.stderr)

    def test_tags_and_the_note_are_put_on_the_release_that_succeeded(self):
        self.slipway("push", "gate", self.path, "--note", "fixes it", "--release-tag", "a", "b", "c", "")
        self.assertEqual([r[2] for r in self.api.log.find("POST /v7/release_tag")],
                         [{"release": 8, "tag_key": "a", "value": "b"}, {"release": 8, "tag_key": "c", "value": ""}])
        self.assertEqual([r[2] for r in self.api.log.find(r"PATCH /v7/release\(8\)")], [{"note": "fixes it"}])
        self.slipway("push", "gate", self.path, "--release-tag", "a", code=1)

    def test_without_a_fleet_the_only_one_is_meant(self):
        done = self.slipway("push", self.path)
        self.assertIn("pushing to ann/gate", done.stderr)
        self.builder.fleets = [{"id": 1, "slug": "ann/a"}, {"id": 2, "slug": "ann/b"}]
        done = self.slipway("push", self.path, code=1)
        self.assertIn("name a fleet: ann/a, ann/b", done.stderr)
        self.builder.fleets = []
        done = self.slipway("push", self.path, code=4)
        self.assertIn("you have no fleet", done.stderr)

    def test_what_cannot_be_built_is_told_before_anything_is_asked(self):
        before = len(self.api.log.requests)
        self.slipway("push", "gate", str(self.home / "none"), code=4)
        self.slipway("push", "gate", str(self.home / "config"), code=4)
        self.slipway("push", "gate", self.path, "--dockerfile", "none", code=4)
        self.slipway("push", "gate", self.path, "--registry-secrets", "none", code=4)
        self.assertEqual(len(self.api.log.requests), before)
        self.assertEqual(self.builder.requests, [])

    def test_registry_secrets_go_along_and_are_told_nobody(self):
        (self.home / "secrets.yml").write_text("ghcr.io: {username: ann, password: s3cret}\n")
        (self.home / "project/.resin").mkdir()
        (self.home / "project/.resin/registry-secrets.yml").write_text("ghcr.io: {username: b, password: c}\n")
        done = self.slipway("push", "gate", self.path, "--registry-secrets", "secrets.yml")
        self.assertNotIn(".resin/registry-secrets.yml", self.sent_files())
        self.assertEqual(json.loads(self.sent_files()[".balena/registry-secrets.json"]),
                         {"ghcr.io": {"username": "ann", "password": "s3cret"}})
        self.assertNotIn("s3cret", done.stdout + done.stderr)
        for bad in ("[]", "a: b", "a: {username: x}", "a: {username: x, password: {}}"):
            (self.home / "secrets.yml").write_text(bad)
            self.slipway("push", "gate", self.path, "--registry-secrets", "secrets.yml", code=1)

    def test_gigabytes_that_are_ignored_cost_nothing(self):
        (self.home / "project/big").mkdir()
        with open(self.home / "project/big/file", "wb") as file:
            file.truncate(2 << 30)
        began = time.monotonic()
        self.slipway("push", "gate", self.path)
        self.assertLess(time.monotonic() - began, 20)
        self.assertLess(len(self.builder.requests[0][2]), 10000)

    def test_a_large_project_is_sent_in_little_memory(self):
        block = os.urandom(1 << 20)
        with open(self.home / "project/large", "wb") as file:
            for _ in range(48):
                file.write(block)
        process = self.start("push", "gate", self.path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0)
        self.assertGreater(len(self.builder.requests[0][2]), 48 << 20)
        if not any(name.endswith("SAN_OPTIONS") for name in self.environment):
            self.assertLess(used.ru_maxrss, 40 * 1024)  # KiB

    def test_on_a_terminal_the_upload_is_a_bar_and_lines_are_rewritten(self):
        self.answers({"type": "metadata", "resource": "buildLogId", "value": 8}, {"message": "10 %", "replace": True},
                     {"message": "20 %", "replace": True}, {"message": "done"})
        master, slave = pty.openpty()
        process = self.start("push", "gate", self.path, stderr=slave)
        os.close(slave)
        shown = b""
        try:
            while piece := os.read(master, 4096):
                shown += piece
        except OSError:  # the other end is closed
            pass
        os.close(master)
        self.assertEqual(process.wait(60), 0)
        self.assertIn(b"source  done     [========================]", shown)
        self.assertIn(b"\r\x1b[2K10 %\r\x1b[2K20 %\r\x1b[2Kdone\r\n", shown)


class Builds(Case):
    def setUp(self):
        super().setUp()
        self.builder = self.api.builder
        self.login()
        lines = [{"at": 1, "text": "one \u001b[2J"}, {"at": 2, "service": "web", "text": "1 %", "replace": True},
                 {"at": 3, "service": "web", "text": "two"}, {"at": 4, "text": "bad", "error": True}]
        self.lines = [json.dumps(line).encode() + b"\n" for line in lines]
        self.end = b'{"end":"failed","at":5}\n'
        self.builder.log = b"".join(self.lines) + self.end

    def test_builds_are_listed_and_shown_with_their_services(self):
        listed = self.answer("build", "list", "gate")
        self.assertEqual(listed[0], {
            "release": 8, "commit": "c" * 32, "fleet": "ann/gate", "status": "running", "source": "git", "ref": "refs/heads/main",
            "worker": "w\u001b[2J1", "attempt": 2, "started": "2026-11-23T05:00:00.000Z", "ended": "2026-11-23T05:01:40.000Z",
            "error": None})
        self.assertIn("release/any(r:r/belongs_to__application eq 7)", self.api.log.find("GET /v7/build")[0][1])
        self.assertIn("100 s", self.slipway("build", "list").stdout)
        shown = self.answer("build", "show", "cccc")
        self.assertEqual(shown["services"][0], {
            "name": "web", "status": "success", "size": 2000000, "started": 1795410000000, "ended": 1795410005000, "cached": True,
            "error": None})
        text = self.slipway("build", "show", "8").stdout
        self.assertIn("w?[2J1", text)
        self.assertRegex(text, r"web +success +2.0 MB +5 s +from the cache")
        self.assertRegex(text, r"db +failed +- +2 s +exit 1")
        self.slipway("build", "show", "ffff", code=4)

    def test_the_log_of_a_build_is_shown_from_any_line_on(self):
        done = self.slipway("build", "logs", "8")
        self.assertEqual(done.stdout, "one \n[web] two\nbad\n")
        start = len(self.lines[0] + self.lines[1])
        self.assertEqual(self.slipway("build", "logs", "8", "--offset", str(start)).stdout, "[web] two\nbad\n")
        self.assertEqual(self.builder.offsets, [0, start])
        records = [json.loads(line) for line in self.slipway("build", "logs", "8", "--json").stdout.splitlines()]
        self.assertEqual(records[-1], {"end": "failed", "at": 5})

    def test_a_log_that_is_followed_goes_on_at_the_same_byte_after_a_lost_connection(self):
        inside = len(self.lines[0]) + 7
        self.builder.breaks = [inside, 0, 3]
        done = self.slipway("build", "logs", "8", "--follow")
        self.assertEqual(done.stdout, "one \n[web] two\nbad\n")
        first = len(self.lines[0])
        self.assertEqual(self.builder.offsets, [0, first, first, first])

    def test_a_build_is_cancelled_unless_it_is_over(self):
        self.slipway("build", "cancel", "8")
        self.assertEqual(self.api.log.find(r"PATCH /v7/release\(8\)")[0][2]["status"], "cancelled")
        done = self.slipway("build", "cancel", "8", code=1)
        self.assertIn("the build is over: cancelled", done.stderr)
        self.assertEqual(len(self.api.log.find(r"PATCH /v7/release\(8\)")), 1)


class Documentation(Case):
    def test_every_command_and_option_is_in_the_reference_and_the_man_page(self):
        root = pathlib.Path(__file__).resolve().parents[2]
        reference = (root / "docs/cli.md").read_text()
        manual = (root / "docs/man/slipway.1").read_text().replace("\\-", "-")
        help_text = self.slipway("--help-all").stdout
        completion = self.slipway("completion", "bash").stdout
        paths = [l.split("'")[1] for l in completion.splitlines() if ") words='" in l]
        self.assertGreater(len(paths), 20)
        for path in filter(None, paths):
            leaf = not any(other.startswith(path + " ") for other in paths)
            if leaf:
                self.assertIn(f"slipway {path}", reference)
                self.assertIn(path, manual)
                *groups, name = path.split()
                # --help-all goes two words deep.
                told = help_text if len(groups) < 2 else self.slipway(*groups, "--help").stdout
                self.assertIn(name, told)
        options = {w for l in completion.splitlines() if ") words='" in l for w in l.split("'")[3].split() if w.startswith("--")}
        for option in options - {"--help", "--help-all"}:
            self.assertIn(option, reference)
            self.assertIn(option, manual)
        self.assertEqual(set(re.findall(r"--[a-z][a-z-]*", manual)) - options, set())


if __name__ == "__main__":
    unittest.main(verbosity=1)
