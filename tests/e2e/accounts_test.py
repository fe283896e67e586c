#!/usr/bin/env python3
"""Logins, sessions, second factors, keys, registration and `slipwayd admin` of a real slipwayd (balena-api.md 2)."""

import base64
import hashlib
import hmac
import html
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.slipwayd import ADMIN, PASSWORD, Answer, Slipwayd, new_uuid  # noqa: E402
from support.totp import code, wait_for_middle_of_step  # noqa: E402

SERVER = None
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICnjLNMSqHPvltDpS/8HxG8LKkgPp/Yo97TT+5Pa8wM2"


def setUpModule():
    global SERVER
    SERVER = Slipwayd().start()


def tearDownModule():
    try:
        status = SERVER.stop()
        coded, said = SERVER.rebuild()
        assert status == 0, f"slipwayd ended with {status}:\n{SERVER.text()}"
        assert coded == 0 and "rebuild: identical" in said, said
    finally:
        SERVER.remove()


def claims_of(token):
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def signed(claims):
    """A token as the server would make it: the test reads the server's own key."""
    with open(os.path.join(SERVER.folder, "data", "keys", "session"), encoding="ascii") as file:
        key = file.readline().strip()

    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")
    text = part({"alg": "HS256", "typ": "JWT"}) + b"." + part(claims)
    return (text + b"." + base64.urlsafe_b64encode(hmac.new(key.encode(), text, hashlib.sha256).digest()).rstrip(b"=")).decode()


def aged(client, minutes):
    """The same session, its password given so long ago."""
    claims = claims_of(client.token)
    claims["authTime"] -= minutes * 60_000
    return SERVER.client(signed(claims))


def admin_command(server, *arguments, stdin=None):
    done = subprocess.run(
        [server.binary, "admin", "--data-dir", os.path.join(server.folder, "data"), *arguments],
        input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    return done


class AccountsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.admin = SERVER.login()
        cls.guest = SERVER.client()

    count = 0

    def given_user(self):
        AccountsTest.count += 1
        name = f"user{AccountsTest.count}"
        made = self.admin.create("user", username=name, password="their password", email=f"{name}@example.org")
        api = SERVER.login(name, "their password")
        api.user, api.name = made["id"], name
        return api

    def given_fleet(self, api):
        kind = api.rows("/v7/device_type?$filter=slug eq 'generic-amd64'&$select=id")[0]["id"]
        organization = api.rows("/v7/organization")[0]["id"]
        return api.create("application", app_name="cars", organization=organization, is_for__device_type=kind)["id"]

    def given_device(self, api, fleet):
        key = api.post(f"/api-key/application/{fleet}/provisioning", {})
        self.assertEqual(key.status, 200, key)
        made = SERVER.client(key.json).post(
            "/device/register", {"application": fleet, "uuid": new_uuid(), "device_type": "generic-amd64"})
        self.assertEqual(made.status, 201, made)
        return made.json

    def given_second_factor(self, api):
        """Enables it; answers the secret. Codes of the step before are used up then."""
        wait_for_middle_of_step()
        secret = api.get("/auth/totp/setup")
        self.assertEqual(secret.status, 200, secret)
        done = api.post("/auth/totp/verify", {"code": code(secret.text, -1)})
        self.assertEqual(done.status, 200, done)
        self.assertIs(claims_of(done.text)["twoFactorRequired"], False)
        return secret.text

    def refused(self, answer, status, words=""):
        self.assertEqual(answer.status, status, answer)
        self.assertIn(words, answer.json)

    def begin(self, api):
        answer = self.guest.post("/login_", {"username": api.name, "password": "their password"})
        self.assertEqual(answer.status, 200, answer)
        return SERVER.client(answer.text)


class LoginTest(AccountsTest):
    def test_names_and_addresses_are_the_same_in_either_case_and_cannot_be_taken_twice(self):
        api = self.given_user()
        for name in (api.name.upper(), f"{api.name}@EXAMPLE.org"):
            answer = self.guest.post("/login_", {"username": name, "password": "their password"})
            self.assertEqual(answer.status, 200, answer)
        for fields in ({"username": api.name.upper()}, {"username": "another", "email": f"{api.name}@Example.Org"}):
            self.refused(self.admin.post("/v7/user", {"password": "long enough", **fields}), 409, "unique")

    def test_bodies_of_wrong_types_are_bad_requests_and_missing_members_are_no_login(self):
        self.refused(self.guest.post("/login_", {"username": 7, "password": "x"}), 400)
        self.refused(self.guest.post("/login_", {"username": ADMIN}), 401)
        self.assertEqual(self.guest.send("POST", "/login_", raw=b"{").status, 400)

    def test_the_eleventh_wrong_password_is_told_when_to_come_back(self):
        api = self.given_user()
        for _ in range(10):
            self.refused(self.guest.post("/login_", {"username": api.name, "password": "wrong"}), 401)
        late = self.guest.post("/login_", {"username": api.name.upper(), "password": "their password"})
        self.refused(late, 429)
        self.assertTrue(3000 < int(late.headers["Retry-After"]) <= 3600, late.headers)
        # The operator lets the user in again; the sessions it had go on meanwhile.
        self.assertEqual(api.get("/user/v1/whoami").status, 200)
        done = admin_command(SERVER, "user", "reset-password", api.name, "--password-stdin", stdin="a new password\n")
        self.assertEqual(done.returncode, 0, done)
        SERVER.login(api.name, "a new password")

    def test_unknown_names_are_counted_like_known_ones(self):
        for _ in range(10):
            self.refused(self.guest.post("/login_", {"username": "nobody-at-all", "password": "wrong"}), 401)
        self.refused(self.guest.post("/login_", {"username": "nobody-at-all", "password": "wrong"}), 429)

    def test_a_password_that_is_changed_ends_all_other_sessions_and_not_the_keys(self):
        api = self.given_user()
        other = SERVER.login(api.name, "their password")
        key = SERVER.client(api.post("/api-key/user/full", {"name": "ci"}).json)
        self.refused(api.send("PUT", "/user/v1/password", {"password": "short"}), 400)
        self.refused(api.send("PUT", "/user/v1/password", {"password": "long enough", "currentPassword": "wrong"}), 401)
        done = api.send("PUT", "/user/v1/password", {"password": "another password"})
        self.assertEqual(done.status, 200, done)
        for ended in (api, other):
            self.refused(ended.get("/actor/v1/whoami"), 401)
        self.assertEqual(SERVER.client(done.text).get("/actor/v1/whoami").status, 200)
        self.assertEqual(key.get("/actor/v1/whoami").status, 200)
        self.refused(self.guest.post("/login_", {"username": api.name, "password": "their password"}), 401)
        SERVER.login(api.name, "another password")

    def test_a_session_is_renewed_as_itself_and_freshened_by_the_password_only(self):
        api = self.given_user()
        old = aged(api, 30)
        renewed = old.get("/user/v1/refresh-token")
        self.assertEqual(renewed.status, 200, renewed)
        before, after = claims_of(old.token), claims_of(renewed.text)
        self.assertEqual((before["authTime"], before["session"]), (after["authTime"], after["session"]))
        self.refused(old.post("/user/v1/refresh-token", {"password": "wrong"}), 401)
        fresh = old.post("/user/v1/refresh-token", {"password": "their password"})
        self.assertEqual(fresh.status, 200, fresh)
        self.assertGreater(claims_of(fresh.text)["authTime"], before["authTime"] + 29 * 60_000)

    def test_what_changes_credentials_needs_a_password_given_lately(self):
        api = self.given_user()
        key = SERVER.client(api.post("/api-key/user/full", {"name": "ci"}).json)
        for stale in (aged(api, 21), key):
            self.refused(stale.post("/api-key/user/full", {"name": "more"}), 401)
            self.refused(stale.send("PUT", "/user/v1/password", {"password": "another password"}), 401)
            self.refused(stale.get("/auth/totp/setup"), 401)
            self.refused(stale.post("/auth/totp/disable", {}), 401)
            self.refused(stale.delete("/user/v1/account"), 401)
        self.assertEqual(aged(api, 19).post("/api-key/user/full", {"name": "more"}).status, 200)
        # A key does not do it even with the password.
        self.refused(key.send("PUT", "/user/v1/password",
                              {"password": "another password", "currentPassword": "their password"}), 401)


class SessionTest(AccountsTest):
    def test_a_user_lists_its_sessions_and_ends_them_at_once(self):
        api = self.given_user()
        other = SERVER.login(api.name, "their password")
        listed = api.get("/user/v1/sessions").json
        self.assertEqual([s["current"] for s in sorted(listed, key=lambda s: s["id"])], [True, False])
        ended = next(s["id"] for s in listed if not s["current"])
        self.assertEqual(other.get("/user/v1/whoami").status, 200)
        self.assertEqual(api.delete(f"/user/v1/sessions/{ended}").status, 200)
        for path in ("/user/v1/whoami", "/actor/v1/whoami", "/v7/application", "/user/v1/refresh-token"):
            self.assertEqual(other.get(path).status, 401, path)
        self.assertEqual(api.get("/user/v1/whoami").status, 200)

    def test_nobody_ends_sessions_of_another_user(self):
        api, eve = self.given_user(), self.given_user()
        session = api.get("/user/v1/sessions").json[0]["id"]
        self.refused(eve.delete(f"/user/v1/sessions/{session}"), 404)
        eve.delete(f"/v7/login_session({session})")
        self.assertEqual(eve.rows("/v7/login_session?$filter=id eq " + str(session)), [])
        self.assertEqual(api.get("/user/v1/whoami").status, 200)

    def test_all_other_sessions_end_together(self):
        api = self.given_user()
        others = [SERVER.login(api.name, "their password") for _ in range(3)]
        self.assertEqual(api.delete("/user/v1/sessions").status, 200)
        self.assertEqual([o.get("/user/v1/whoami").status for o in others], [401] * 3)
        self.assertEqual(len(api.get("/user/v1/sessions").json), 1)


class SecondFactorTest(AccountsTest):
    def test_a_login_with_a_second_factor_is_good_for_the_code_only_until_it_is_given(self):
        api = self.given_user()
        secret = self.given_second_factor(api)
        pending = self.begin(api)
        self.assertIs(claims_of(pending.token)["twoFactorRequired"], True)
        who = pending.get("/actor/v1/whoami")
        self.assertEqual((who.status, who.json["username"]), (200, api.name))
        for method, path in (("GET", "/v7/application"), ("GET", "/user/v1/whoami"), ("GET", "/user/v1/refresh-token"),
                             ("POST", "/api-key/user/full"), ("GET", "/user/v1/sessions"), ("GET", "/auth/totp/setup"),
                             ("POST", "/auth/totp/disable"), ("POST", "/auth/totp/recovery-codes"),
                             ("PUT", "/user/v1/password"), ("DELETE", "/user/v1/account"), ("POST", "/v7/organization")):
            answer = pending.send(method, path, {"password": "their password", "name": "x"} if method != "GET" else None)
            self.assertEqual(answer.status, 401, (method, path, answer))
        self.refused(pending.post("/auth/totp/verify", {"code": "000000"}), 401)
        done = pending.post("/auth/totp/verify", {"code": code(secret)})
        self.assertEqual(done.status, 200, done)
        self.assertIs(claims_of(done.text)["twoFactorRequired"], False)
        self.assertEqual(SERVER.client(done.text).get("/v7/application").status, 200)

    def test_a_code_works_once(self):
        api = self.given_user()
        secret = self.given_second_factor(api)
        first, second = self.begin(api), self.begin(api)
        now = code(secret)
        self.assertEqual(first.post("/auth/totp/verify", {"code": now}).status, 200)
        self.refused(second.post("/auth/totp/verify", {"code": now}), 401)
        self.refused(first.post("/auth/totp/verify", {"code": now}), 401)
        self.assertEqual(second.post("/auth/totp/verify", {"code": code(secret, 1)}).status, 200)

    def test_codes_cannot_be_tried_out(self):
        api = self.given_user()
        secret = self.given_second_factor(api)
        pending = self.begin(api)
        for n in range(10):
            self.refused(pending.post("/auth/totp/verify", {"code": f"{n:06d}"}), 401)
        late = self.begin(api).post("/auth/totp/verify", {"code": code(secret)})
        self.refused(late, 429)
        self.assertIn("Retry-After", late.headers)

    def test_a_recovery_code_stands_in_for_the_factor_once(self):
        api = self.given_user()
        self.given_second_factor(api)
        codes = api.post("/auth/totp/recovery-codes", {}).json
        self.assertEqual(len(set(codes)), 10)
        self.assertEqual(self.begin(api).post("/auth/totp/verify", {"code": codes[0].lower()}).status, 200)
        self.refused(self.begin(api).post("/auth/totp/verify", {"code": codes[0]}), 401)
        self.assertEqual(self.begin(api).post("/auth/totp/verify", {"code": codes[1].replace("-", "")}).status, 200)
        again = api.post("/auth/totp/recovery-codes", {}).json
        self.refused(self.begin(api).post("/auth/totp/verify", {"code": codes[2]}), 401)
        self.assertEqual(self.begin(api).post("/auth/totp/verify", {"code": again[2]}).status, 200)

    def test_the_factor_is_disabled_by_the_password_and_by_the_operator(self):
        api = self.given_user()
        self.given_second_factor(api)
        self.refused(api.get("/auth/totp/setup"), 400)
        self.refused(api.post("/auth/totp/disable", {"password": "wrong"}), 401)
        done = aged(api, 60).post("/auth/totp/disable", {"password": "their password"})
        self.assertEqual(done.status, 200, done)
        self.assertNotIn("twoFactorRequired", claims_of(done.text))
        self.assertNotIn("twoFactorRequired", claims_of(self.begin(api).token))
        self.given_second_factor(api)
        self.assertEqual(admin_command(SERVER, "user", "disable-2fa", api.name).returncode, 0)
        self.assertNotIn("twoFactorRequired", claims_of(self.begin(api).token))

    def test_setting_up_without_a_code_changes_no_login(self):
        api = self.given_user()
        both = api.get("/auth/totp/setup", headers={"Accept": "application/json"}).json
        self.assertTrue(both["uri"].startswith("otpauth://totp/Slipway:"), both)
        self.assertIn("secret=" + both["secret"], both["uri"])
        self.refused(api.post("/auth/totp/verify", {"code": "000000"}), 401)
        self.assertNotIn("twoFactorRequired", claims_of(self.begin(api).token))
        hidden = self.admin.rows(f"/v7/user({api.user})")[0]
        self.assertFalse({"two_factor_secret", "two_factor_recovery_codes", "password", "jwt_secret"} & set(hidden), hidden)


class KeyTest(AccountsTest):
    def test_each_route_makes_a_key_that_stands_for_its_actor(self):
        api = self.given_user()
        fleet = self.given_fleet(api)
        device = self.given_device(api, fleet)
        wanted = {"actorTypeId": fleet, "actorType": "application", "roles": ["provisioning-api-key"], "expiryDate": None}
        made = {
            "user": [api.post("/api-key/user/full", {"name": "ci"}),
                     api.post(f"/application/{fleet}/generate-api-key")],
            "application": [api.post(f"/api-key/application/{fleet}/provisioning", {"name": "factory"}),
                            api.post("/api-key/v1", wanted), api.post("/api-key/v2/", wanted)],
            "device": [api.post(f"/api-key/device/{device['id']}/device-key", {}),
                       api.post(f"/api-key/device/{device['id']}/device-key", {"apiKey": "k" * 32})],
        }
        for kind, answers in made.items():
            for answer in answers:
                self.assertEqual(answer.status, 200, answer)
                self.assertEqual(SERVER.client(answer.json).get("/actor/v1/whoami").json["actorType"], kind)
        self.assertEqual(made["device"][1].json, "k" * 32)
        # A device that lost the answer asks again and has its key.
        self.assertEqual(api.post(f"/api-key/device/{device['id']}/device-key", {"apiKey": "k" * 32}).status, 200)

    def test_wrong_requests_are_told_apart(self):
        api, eve = self.given_user(), self.given_user()
        fleet = self.given_fleet(api)
        good = {"actorTypeId": fleet, "actorType": "application", "roles": ["provisioning-api-key"], "expiryDate": None}
        for body, status in (
                ({**good, "roles": ["no-such-role"]}, 404), ({**good, "roles": ["device-api-key"]}, 404),
                ({**good, "actorType": "robot"}, 404), ({**good, "actorTypeId": 1}, 404), ({**good, "roles": []}, 400),
                ({**good, "roles": "provisioning-api-key"}, 400), ({**good, "actorTypeId": "x"}, 400),
                ({**good, "name": "n" * 51}, 400), ({**good, "description": "d" * 151}, 400), ({**good, "name": 5}, 400),
                ({**good, "expiryDate": "never"}, 400),
                ({k: v for k, v in good.items() if k != "expiryDate"}, 400)):
            self.assertEqual(api.post("/api-key/v2/", body).status, status, body)
        self.refused(api.post("/api-key/user/full", {}), 400)
        self.refused(self.guest.post("/api-key/v2/", good), 401)
        self.refused(eve.post("/api-key/v2/", good), 404)
        self.refused(eve.post(f"/api-key/application/{fleet}/provisioning", {}), 404)
        self.refused(eve.post("/api-key/v1", {**good, "actorType": "user", "actorTypeId": api.user,
                                              "roles": ["user-api-key"]}), 404)
        self.assertEqual(api.post("/api-key/v2/", {**good, "name": "\u00fc" * 50}).status, 200)

    def test_a_key_is_narrowed_when_it_is_made(self):
        api = self.given_user()
        fleet, organization = self.given_fleet(api), api.rows("/v7/organization")[0]["id"]
        for wrong in ({"applications": []}, {"fleets": [fleet]}, {"readOnly": 1}, {"applications": ["x"]}, [], "all",
                      {"organizations": [1]}):
            self.refused(api.post("/api-key/user/full", {"name": "k", "scope": wrong}), 400)
        reader = SERVER.client(api.post("/api-key/user/full", {"name": "r", "scope": {"readOnly": True}}).json)
        self.assertEqual(len(reader.rows("/v7/application?$filter=is_host eq false")), 1)
        self.refused(reader.post("/v7/application_tag", {"application": fleet, "tag_key": "a", "value": ""}), 401)
        legacy = SERVER.client(api.post(f"/application/{fleet}/generate-api-key").json)
        self.assertEqual([a["id"] for a in legacy.rows("/v7/application?$filter=is_host eq false")], [fleet])
        self.refused(legacy.patch(f"/v7/organization({organization})", {"name": "Mine"}), 401)
        self.refused(api.post(f"/api-key/application/{fleet}/provisioning", {"uses": 0}), 400)
        self.assertEqual(api.post(f"/api-key/application/{fleet}/provisioning", {"uses": 1}).status, 200)

    def test_a_key_that_expired_is_refused_and_told_so(self):
        api = self.given_user()
        soon = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + 3))
        key = SERVER.client(api.post("/api-key/user/full", {"name": "short", "expiryDate": soon}).json)
        self.assertEqual(key.get("/user/v1/whoami").status, 200)
        end = time.monotonic() + 30
        while key.get("/user/v1/whoami").status == 200:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.2)
        expired = key.get("/v7/application")
        self.assertEqual((expired.status, expired.json), (401, "the API key has expired"))

    def test_keys_are_renamed_and_removed_by_their_owner_in_a_session_only(self):
        api, eve = self.given_user(), self.given_user()
        secret = api.post("/api-key/user/full", {"name": "ci"}).json
        key = SERVER.client(secret)
        row = api.rows("/v7/api_key?$filter=name eq 'ci'")[0]["id"]
        eve.patch(f"/v7/api_key({row})", {"name": "mine"})
        key.patch(f"/v7/api_key({row})", {"name": "mine"})
        self.assertEqual(api.rows(f"/v7/api_key({row})")[0]["name"], "ci")
        self.assertEqual(api.patch(f"/v7/api_key({row})", {"name": "n" * 51}).status, 400)
        self.assertEqual(api.patch(f"/v7/api_key({row})", {"name": "builds", "description": "d"}).status, 200)
        self.assertEqual(api.rows(f"/v7/api_key({row})")[0]["name"], "builds")
        self.assertEqual(api.delete(f"/v7/api_key({row})").status, 200)
        self.refused(key.get("/user/v1/whoami"), 401)


class PublicKeyTest(AccountsTest):
    def test_keys_are_checked_when_they_are_given(self):
        api = self.given_user()
        for wrong in ("ssh-ed25519 AAAA", "not a key", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"):
            self.refused(api.post("/v7/user__has__public_key", {"user": api.user, "title": "t", "public_key": wrong}),
                         400, "public_key")
        api.create("user__has__public_key", user=api.user, title="laptop", public_key=ED25519 + " ann@laptop\n")

    def test_a_device_reads_the_keys_of_those_who_may_open_a_shell_on_it_and_of_nobody_else(self):
        api, eve = self.given_user(), self.given_user()
        device = SERVER.client(self.given_device(api, self.given_fleet(api))["api_key"])
        for one in (api, eve):
            one.create("user__has__public_key", user=one.user, title="laptop", public_key=ED25519)
        read = device.get(f"/auth/v1/public-keys/{api.name}")
        self.assertEqual((read.status, read.text), (200, ED25519 + "\n"))
        for name in (eve.name, "nobody"):
            self.assertEqual(device.get(f"/auth/v1/public-keys/{name}").text, "")
        self.assertEqual(api.get(f"/auth/v1/public-keys/{api.name}").text, ED25519 + "\n")
        self.assertEqual(eve.get(f"/auth/v1/public-keys/{api.name}").text, "")
        self.refused(self.guest.get(f"/auth/v1/public-keys/{api.name}"), 401)


class WebLoginTest(AccountsTest):
    CALLBACK = "http://127.0.0.1:8989/auth"

    def path(self, callback=CALLBACK):
        once = urllib.parse.quote(callback, safe="")
        return "/login/cli/" + urllib.parse.quote(once, safe="")

    def send(self, method, path, fields=None, headers=None):
        raw = urllib.parse.urlencode(fields).encode() if fields is not None else None
        head = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        # The path holds %25 already, which `Client` would encode again.
        connection = http.client.HTTPConnection("127.0.0.1", SERVER.port, timeout=30)
        connection.request(method, path, body=raw, headers=head)
        answer = connection.getresponse()
        out = Answer(answer.status, dict(answer.getheaders()), answer.read())
        connection.close()
        return out

    def opened(self):
        page = self.send("GET", self.path())
        self.assertEqual(page.status, 200, page)
        guard = re.search(r'name="guard" value="(\w+)"', page.text).group(1)
        cookie = page.headers["Set-Cookie"].split(";")[0]
        self.assertIn("HttpOnly", page.headers["Set-Cookie"])
        self.assertIn("SameSite=Strict", page.headers["Set-Cookie"])
        return page, {"guard": guard}, {"Cookie": cookie, "Origin": f"http://127.0.0.1:{SERVER.port}",
                                        "Sec-Fetch-Site": "same-origin"}

    def hidden(self, page, name):
        return html.unescape(re.search(f'name="{name}" value="([^"]*)"', page.text).group(1))

    def test_the_page_hands_the_session_to_the_command_line_as_a_form_field(self):
        api = self.given_user()
        page, fields, head = self.opened()
        policy = page.headers["Content-Security-Policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertIn("script-src 'none'", policy)
        self.assertIn("frame-ancestors 'none'", policy)
        wrong = self.send("POST", self.path(), {**fields, "username": api.name, "password": "wrong"}, head)
        self.assertEqual(wrong.status, 401)
        self.assertIn('value="' + api.name, wrong.text)
        done = self.send("POST", self.path(), {**fields, "username": api.name, "password": "their password"}, head)
        self.assertEqual(done.status, 200, done)
        self.assertIn(f'<form method="post" action="{self.CALLBACK}">', done.text)
        self.assertIn("form-action 'self' http://127.0.0.1:8989;", done.headers["Content-Security-Policy"] + ";")
        self.assertEqual(done.headers["Cache-Control"], "no-store")
        self.assertEqual(done.headers["Referrer-Policy"], "no-referrer")
        token = self.hidden(done, "token")
        self.assertEqual(SERVER.client(token).get("/actor/v1/whoami").json["username"], api.name)

    def test_the_page_asks_for_the_second_factor(self):
        api = self.given_user()
        secret = self.given_second_factor(api)
        _, fields, head = self.opened()
        asks = self.send("POST", self.path(), {**fields, "username": api.name, "password": "their password"}, head)
        self.assertIn('name="code"', asks.text)
        self.assertNotIn('name="token"', asks.text)
        fields["pending"] = self.hidden(asks, "pending")
        self.assertEqual(self.send("POST", self.path(), {**fields, "code": "000000"}, head).status, 401)
        done = self.send("POST", self.path(), {**fields, "code": code(secret)}, head)
        self.assertEqual(SERVER.client(self.hidden(done, "token")).get("/user/v1/whoami").status, 200)

    def test_only_this_computer_is_handed_a_session(self):
        for callback in ("https://127.0.0.1:8989/auth", "http://evil.example/auth", "http://127.0.0.1:80@evil.example/",
                         "http://127.0.0.1.evil.example:80/", "http://127.0.0.1/auth", "http://127.0.0.1:99999/auth",
                         "javascript:alert(1)", "http://localhost:80\"><script>", "//127.0.0.1:80/", "http://[::1]:80/a"):
            for method in ("GET", "POST"):
                answer = self.send(method, self.path(callback), {} if method == "POST" else None)
                self.assertEqual(answer.status, 400, (method, callback, answer))
                self.assertNotIn("evil", answer.text)
        self.assertEqual(self.send("GET", self.path("http://localhost:4000/auth")).status, 200)

    def test_a_form_of_another_site_is_refused(self):
        api = self.given_user()
        _, fields, head = self.opened()
        data = {**fields, "username": api.name, "password": "their password"}
        for forged in ({**head, "Origin": "https://evil.example"}, {**head, "Sec-Fetch-Site": "cross-site"},
                       {**head, "Sec-Fetch-Site": "same-site"}, {**head, "Cookie": "slipway_login=" + "x" * 32},
                       {k: v for k, v in head.items() if k != "Cookie"}):
            answer = self.send("POST", self.path(), data, forged)
            self.assertEqual(answer.status, 400, (forged, answer))
            self.assertNotIn('name="token"', answer.text)


class RegistrationTest(AccountsTest):
    def test_registration_is_closed_unless_the_operator_opens_it(self):
        self.refused(self.guest.post("/user/register", {"email": "new@example.org", "password": "long enough"}), 403)
        self.refused(self.guest.post("/user/v1/verify-email", {"email": "new@example.org", "verificationToken": "x"}), 403)

    def test_an_open_server_takes_whoever_comes_and_one_for_invited_asks_for_the_invitation(self):
        server = Slipwayd()
        try:
            server.start(env={"SLIPWAY_REGISTRATION": "open"})
            guest = server.client()
            made = guest.post("/user/register", {"email": "new.user@example.org", "password": "long enough"})
            self.assertEqual(made.status, 201, made)
            who = server.client(made.text).get("/actor/v1/whoami").json
            self.assertEqual((who["username"], who["email"]), ("new.user", "new.user@example.org"))
            self.assertEqual(len(server.client(made.text).rows("/v7/organization")), 1)
            self.refused(guest.post("/user/register", {"email": "New.User@example.org", "password": "long enough"}), 409)
            self.refused(guest.post("/user/register", {"email": "x@example.org", "password": "short"}), 400)
            self.refused(guest.post("/user/register", {"password": "long enough"}), 400)
            server.login("new.user", "long enough")
            guest.close()
            server.stop()
            server.start(env={"SLIPWAY_REGISTRATION": "invite"})
            self.refused(server.client().post(
                "/user/register", {"email": "y@example.org", "password": "long enough"}), 403, "invitation")
            self.refused(server.client().post(
                "/user/register",
                {"email": "y@example.org", "password": "long enough", "invitationToken": "made-up"}), 403)
        finally:
            server.remove()

    def test_a_user_removes_itself_with_its_keys_and_leaves_nothing_others_need(self):
        api = self.given_user()
        key = SERVER.client(api.post("/api-key/user/full", {"name": "ci"}).json)
        fleet = self.given_fleet(api)
        self.refused(api.delete("/user/v1/account"), 400, "fleets")
        self.assertEqual(api.get("/user/v1/whoami").status, 200)
        self.assertEqual(api.delete(f"/v7/application({fleet})").status, 200)
        organization = api.rows("/v7/organization")[0]["id"]
        self.assertEqual(api.delete("/user/v1/account").status, 200)
        for gone in (api, key):
            self.refused(gone.get("/actor/v1/whoami"), 401)
        self.refused(self.guest.post("/login_", {"username": api.name, "password": "their password"}), 401)
        self.assertEqual(self.admin.rows(f"/v7/organization({organization})"), [])
        self.assertEqual(self.admin.rows(f"/v7/user({api.user})"), [])
        self.refused(self.admin.delete("/user/v1/account"), 400, "last administrator")


class OperatorTest(AccountsTest):
    def test_the_operator_runs_accounts_of_a_running_server(self):
        self.walk(SERVER)

    def test_the_operator_runs_accounts_of_a_server_that_is_stopped(self):
        server = Slipwayd().start()
        try:
            server.stop()
            self.walk(server)
            server.start()
            server.login("operator-made", "second password")
            server.stop()
            coded, said = server.rebuild()
            self.assertEqual(coded, 0, said)
        finally:
            server.remove()

    def done(self, server, *arguments, stdin=None):
        answer = admin_command(server, "--json", *arguments, stdin=stdin)
        self.assertEqual(answer.returncode, 0, answer)
        return json.loads(answer.stdout)

    def walk(self, server):
        running = server is SERVER
        made = self.done(server, "user", "create", "operator-made", "--email", "o@example.org")
        self.assertGreaterEqual(len(made["password"]), 16)
        if running:
            session = server.login("operator-made", made["password"])
            listed = self.done(server, "sessions", "list", "operator-made")
            self.assertEqual(len(listed), 1)
            self.assertEqual(self.done(server, "sessions", "end", "O@example.org", str(listed[0]["id"]))["ended"], 1)
            self.assertEqual(session.get("/actor/v1/whoami").status, 401)
        users = {u["username"]: u for u in self.done(server, "user", "list")}
        self.assertEqual((users["operator-made"]["email"], users["operator-made"]["administrator"]), ("o@example.org", False))
        self.assertNotIn("password", str(users))
        self.assertTrue(self.done(server, "user", "make-administrator", "operator-made")["administrator"])
        if running:
            self.assertEqual(server.login("operator-made", made["password"]).get("/v7/user").status, 200)
            self.assertGreater(len(server.login("operator-made", made["password"]).rows("/v7/user")), 1)
        self.done(server, "user", "make-administrator", "--revoke", "operator-made")
        self.assertNotIn("password", self.done(
            server, "user", "reset-password", "operator-made", "--password-stdin", stdin="second password\n"))
        self.assertIn("operator_made", [o["handle"] for o in self.done(server, "organization", "list")])
        text = admin_command(server, "user", "list").stdout
        self.assertIn("ADMINISTRATOR", text.splitlines()[0])
        for arguments, status in ((("user", "remove", "nobody", "--yes"), 1), (("user", "remove", "operator-made"), 1),
                                  (("user", "create", "Operator-Made"), 1), (("user", "reset-password", "nobody"), 1),
                                  (("user", "make-administrator", "--revoke", ADMIN), 1), (("user", "remove", ADMIN, "--yes"), 1),
                                  (("sessions", "end", "operator-made"), 2), (("user", "frobnicate"), 2), ((), 2)):
            answer = admin_command(server, *arguments, stdin="")
            self.assertEqual(answer.returncode, status, (arguments, answer))
            self.assertTrue(answer.stderr, arguments)
        self.done(server, "user", "create", "short-lived", "--generate-password")
        self.done(server, "user", "remove", "short-lived", "--yes")
        self.assertNotIn("short-lived", [u["username"] for u in self.done(server, "user", "list")])

    def test_help_shows_examples_and_a_folder_without_a_store_is_refused(self):
        answer = admin_command(SERVER, "--help")
        self.assertEqual(answer.returncode, 0)
        self.assertIn("slipwayd admin user disable-2fa ann", answer.stdout)
        done = subprocess.run([SERVER.binary, "admin", "--data-dir", SERVER.folder, "user", "list"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual((done.returncode, "data folder" in done.stderr), (1, True), done)

    def test_the_socket_is_for_its_owner_only(self):
        path = os.path.join(SERVER.folder, "data", "admin.sock")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        if os.geteuid() != 0:
            return
        # Even when the file's mode and the folders let another user through, it is not heard.
        opened = [SERVER.folder, os.path.dirname(path), path]
        modes = [os.stat(p).st_mode & 0o777 for p in opened]
        try:
            for p in opened:
                os.chmod(p, 0o777)
            self.assertEqual(self.heard_as(65534, path), 0)
            self.assertEqual(self.heard_as(0, path), 1)
        finally:
            for p, mode in zip(opened, modes):
                os.chmod(p, mode)

    @staticmethod
    def heard_as(user, path):
        """Asks for the list of users as another user of this machine: 1 = answered."""
        child = os.fork()
        if child == 0:
            heard = 2
            try:
                os.setgroups([])
                os.setgid(user)
                os.setuid(user)
                with socket.socket(socket.AF_UNIX) as one:
                    one.connect(path)
                    one.settimeout(20)
                    try:
                        one.sendall(b'{"command":"user list"}\n')
                        heard = 1 if b"username" in one.recv(4096) else 0
                    except ConnectionError:
                        heard = 0
            finally:
                os._exit(heard)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class DurabilityTest(unittest.TestCase):
    def test_keys_and_passwords_that_were_acknowledged_survive_a_kill(self):
        server = Slipwayd().start()
        try:
            password, keys = PASSWORD, []
            for n in range(4):
                api = server.login(password=password)
                keys.append(api.post("/api-key/user/full", {"name": f"key{n}"}).json)
                password = f"password number {n}"
                changed = api.send("PUT", "/user/v1/password", {"password": password})
                self.assertEqual(changed.status, 200, changed)
                server.kill()
                server.start()
                self.assertEqual(server.client(changed.text).get("/user/v1/whoami").status, 200)
                self.assertEqual(server.client(api.token).get("/user/v1/whoami").status, 401)
                self.assertEqual([server.client(k).get("/user/v1/whoami").status for k in keys], [200] * len(keys))
            server.kill()
            self.assertEqual(server.rebuild()[0], 0)
        finally:
            server.remove()


if __name__ == "__main__":
    unittest.main(warnings="ignore")
