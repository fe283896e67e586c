"""Who one is: logging in and out, API keys, SSH keys (balena-api.md 2, 4.8)."""

import base64
import datetime
import hmac
import re
import struct
import time

from cases import Cases

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEh0bnVfYnV0X2FfdmFsaWRfa2V5X29mX3RoZV90ZXN0 ann@laptop"


def key_of(done):
    """The key that `api-key generate` prints."""
    found = re.search(r"^\s*([A-Za-z0-9_-]{20,})\s*$", done.out, re.MULTILINE)
    assert found, done
    return found.group(1)


def totp(secret, ahead=0):
    """RFC 6238: SHA-1, six digits, steps of 30 s; `ahead` steps from now."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    mac = hmac.digest(key, struct.pack(">Q", int(time.time()) // 30 + ahead), "sha1")
    number = struct.unpack(">I", mac[mac[19] & 15:][:4])[0] & 0x7fffffff
    return f"{number % 1000000:06}"


class Account(Cases):
    def setUp(self):
        self.person = self.world.person("guest", signed_in=False)

    def test_without_a_login_commands_say_so_and_settings_works(self):
        self.person.refused("whoami", words="log in")
        self.person.refused("fleet", "list", words="log in")
        self.says(self.person.balena("settings"), f"http://127.0.0.1:{self.world.server.port}", "slipway.test")

    def test_login_with_credentials_then_whoami_then_logout(self):
        self.person.refused("login", "--credentials", "--email", self.person.email, "--password", "wrong", words="invalid login credentials")
        self.person.balena("login", "--credentials", "--email", self.person.email, "--password", self.person.password)
        who = self.person.balena("whoami").facts
        self.assertEqual(who["username"], self.person.name)
        self.assertEqual(who["email"], self.person.email)
        self.person.balena("logout")
        self.person.refused("whoami", words="log in")

    def test_login_asks_for_the_second_factor(self):
        said = self.person.api.get("/auth/totp/setup").text
        found = re.search(r"secret=([A-Z2-7]+)", said)
        secret = found.group(1) if found else said.strip('"')
        answer = self.person.api.post("/auth/totp/verify", {"code": totp(secret)})
        self.assertEqual(answer.status, 200, answer)
        login = ("login", "--credentials", "--email", self.person.email, "--password", self.person.password)
        done = self.person.in_terminal(*login, answers=[("Two factor", "000000")])
        self.assertNotEqual(done.code, 0, done)
        self.person.refused("whoami", words="log in")
        done = self.person.in_terminal(*login, answers=[("Two factor", totp(secret, 1))])
        self.assertEqual(done.code, 0, done)
        self.assertEqual(self.person.balena("whoami").facts["username"], self.person.name)

    def test_login_with_a_session_token_and_not_with_a_wrong_one(self):
        self.person.refused("login", "--token", "a" * 32, words="token authentication failed")
        self.person.balena("login", "--token", self.person.api.token)
        self.assertEqual(self.person.balena("whoami").facts["username"], self.person.name)

    def test_an_api_key_logs_in_until_it_is_revoked(self):
        key = key_of(self.ann.balena("api-key", "generate", "of-the-build", "never"))
        self.person.balena("login", "--token", key)
        self.assertEqual(self.person.balena("whoami").facts["username"], self.ann.name)
        rows = self.ann.balena("api-key", "list", "--user").table("id", "name", "created at")
        row = next(r for r in rows if r["name"] == "of-the-build")
        self.says(self.ann.balena("api-key", "revoke", row["id"]), "Successfully revoked")
        self.person.refused("whoami", words="log in")
        self.assertNotIn("of-the-build", self.ann.balena("api-key", "list").out)

    def test_an_api_key_keeps_its_expiry_date_and_cannot_make_others(self):
        later = (datetime.datetime.utcnow() + datetime.timedelta(days=3)).date().isoformat()
        key = key_of(self.ann.balena("api-key", "generate", "for-three-days", later))
        rows = self.ann.balena("api-key", "list").table("id", "name", "created at", "description", "expiry date")
        row = next(r for r in rows if r["name"] == "for-three-days")
        self.assertTrue(row["expiry date"].startswith(later), row)
        self.person.balena("login", "--token", key)
        self.person.refused("api-key", "generate", "another", "never", words="cannot be run when logged in with an API key")

    def test_keys_of_a_fleet_are_listed(self):
        fleet = self.ann.fleet("keyed")
        made = self.ann.api.post(f"/api-key/application/{fleet['id']}/provisioning", {"name": "for-images"})
        self.assertEqual(made.status, 200, made)
        self.says(self.ann.balena("api-key", "list", "--fleet", fleet["slug"]), "for-images")

    def test_ssh_keys_are_added_listed_shown_and_removed(self):
        file = self.ann.home / "key.pub"
        file.write_text(PUBLIC_KEY + "\n", encoding="utf-8")
        self.ann.balena("ssh-key", "add", "laptop", file)
        self.ann.refused("ssh-key", "add", "again", file, words="unique")
        row = self.ann.balena("ssh-key", "list").table("id", "name")[0]
        self.assertEqual(row["name"], "laptop")
        self.says(self.ann.balena("ssh-key", row["id"]), "laptop", PUBLIC_KEY)
        self.person.sign_in().refused("ssh-key", row["id"], words="not found")
        self.ann.balena("ssh-key", "rm", row["id"], "--yes")
        self.assertEqual(self.ann.api.rows("/v7/user__has__public_key"), [])
