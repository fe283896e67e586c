#!/usr/bin/env python3
"""The HTTP interface of a real slipwayd as its clients see it (balena-api.md 2, 3, 4, 8)."""

import concurrent.futures
import json
import os
import socket
import sys
import unittest
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import support.tenant  # noqa: E402
from support.slipwayd import ADMIN, PASSWORD, Slipwayd, new_uuid  # noqa: E402

SERVER = None


def setUpModule():
    global SERVER
    SERVER = Slipwayd().start()


def tearDownModule():
    try:
        status = SERVER.stop()
        code, said = SERVER.rebuild()
        assert status == 0, f"slipwayd ended with {status}:\n{SERVER.text()}"
        assert code == 0 and "rebuild: identical" in said, said
        print(said.strip())
    finally:
        SERVER.remove()


class Tenant(support.tenant.Tenant):
    def __init__(self, admin):
        super().__init__(SERVER, admin)


class ApiTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.admin = SERVER.login()
        cls.guest = SERVER.client()
        cls.ann = Tenant(cls.admin)
        cls.bob = Tenant(cls.admin)

    def refused(self, answer, status, words=""):
        """An error: this status, a body that is a JSON string."""
        self.assertEqual(answer.status, status, answer)
        if answer.text:
            self.assertIsInstance(answer.json, str, answer)
            self.assertIn(words, answer.json)


class AccountsTest(ApiTest):
    def test_a_right_password_opens_a_session_and_a_wrong_one_does_not(self):
        self.refused(self.guest.post("/login_", {"username": ADMIN, "password": "wrong"}), 401)
        self.refused(self.guest.post("/login_", {"username": "nobody", "password": PASSWORD}), 401)
        self.refused(self.guest.post("/login_", {}), 401)
        answer = self.guest.post("/login_", {"username": f"{self.ann.name.upper()}@EXAMPLE.ORG",
                                             "password": self.ann.password})
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.text.count("."), 2)
        self.assertTrue(answer.headers["Content-Type"].startswith("text/"))

    def test_a_name_is_locked_after_ten_wrong_passwords(self):
        victim = Tenant(self.admin)
        for _ in range(10):
            self.refused(self.guest.post("/login_", {"username": victim.name, "password": "wrong"}), 401)
        self.refused(self.guest.post("/login_", {"username": victim.name, "password": victim.password}), 429)
        # The session that was open goes on.
        self.assertEqual(victim.api.get("/user/v1/whoami").status, 200)

    def test_whoami_tells_a_user_a_device_and_a_provisioning_key_apart(self):
        who = self.ann.api.get("/actor/v1/whoami").json
        self.assertEqual((who["actorType"], who["actorTypeId"], who["username"], who["email"]),
                         ("user", self.ann.id, self.ann.name, f"{self.ann.name}@example.org"))
        device = self.ann.given_device()
        who = device["api"].get("/actor/v1/whoami").json
        self.assertEqual((who["actorType"], who["actorTypeId"], who["uuid"]),
                         ("device", device["id"], device["uuid"]))
        who = SERVER.client(self.ann.provisioning_key()).get("/actor/v1/whoami").json
        self.assertEqual((who["actorType"], who["actorTypeId"]), ("application", self.ann.fleet))
        self.assertIn("slug", who)
        self.refused(self.guest.get("/actor/v1/whoami"), 401)
        self.refused(device["api"].get("/user/v1/whoami"), 401)

    def test_wrong_tokens_are_refused_everywhere(self):
        header, payload, signature = self.ann.api.token.split(".")
        wrong = ["x", "a.b.c", f"{header}.{payload}.", f"{header}.{payload}.{signature[::-1]}",
                 "e30.e30.e30", "x" * 9000, f"{header}.e30.{signature}"]
        for token in wrong:
            for path in ("/actor/v1/whoami", "/v7/application", "/user/v1/refresh-token"):
                self.refused(SERVER.client(token).get(path), 401)

    def test_a_session_is_refreshed_and_the_password_makes_it_fresh(self):
        answer = self.ann.api.get("/user/v1/refresh-token")
        self.assertEqual(answer.status, 200)
        self.assertEqual(SERVER.client(answer.text).get("/user/v1/whoami").json["id"], self.ann.id)
        self.refused(self.ann.api.post("/user/v1/refresh-token", {"password": "wrong"}), 401)
        answer = self.ann.api.post("/user/v1/refresh-token", {"password": self.ann.password})
        self.assertEqual(answer.status, 200)

    def test_a_new_password_ends_the_sessions_of_the_old_one_at_once(self):
        carol = Tenant(self.admin)
        self.assertEqual(carol.api.get("/user/v1/whoami").status, 200)
        self.assertEqual(self.admin.patch(f"/v7/user({carol.id})", {"password": "a new password"}).status, 200)
        self.refused(carol.api.get("/user/v1/whoami"), 401)
        self.refused(self.guest.post("/login_", {"username": carol.name, "password": carol.password}), 401)
        self.assertEqual(SERVER.login(carol.name, "a new password").get("/user/v1/whoami").status, 200)

    def test_a_named_key_acts_for_its_user_but_makes_no_keys_and_is_refused_once_revoked(self):
        made = self.ann.api.post("/api-key/user/full", {"name": "ci"})
        self.assertEqual(made.status, 200, made)
        key = SERVER.client(made.json)
        self.assertEqual(key.get("/actor/v1/whoami").json["actorTypeId"], self.ann.id)
        self.assertEqual(len(key.rows(f"/v7/application({self.ann.fleet})")), 1)
        self.refused(key.post("/api-key/user/full", {"name": "another"}), 401)
        row = self.ann.api.rows("/v7/api_key?$filter=name eq 'ci'")[0]
        self.refused(key.patch(f"/v7/api_key({row['id']})", {"expiry_date": None}), 401)
        self.assertEqual(self.ann.api.delete(f"/v7/api_key({row['id']})").status, 200)
        self.refused(key.get("/actor/v1/whoami"), 401)
        self.refused(key.get("/v7/application"), 401)

    def test_an_expired_key_is_refused(self):
        made = self.ann.api.post("/api-key/user/full", {"name": "old", "expiryDate": "2001-01-01T00:00:00Z"})
        self.refused(SERVER.client(made.json).get("/actor/v1/whoami"), 401)

    def test_secrets_are_not_readable_in_any_way(self):
        self.ann.api.post("/api-key/user/full", {"name": "hidden"})
        for row in self.ann.api.rows("/v7/api_key"):
            self.assertNotIn("key", row)
        for row in self.ann.api.rows("/v7/user") + self.admin.rows("/v7/user"):
            self.assertFalse({"password", "jwt_secret"} & set(row))
        for path in ("/v7/api_key?$select=key", "/v7/api_key?$filter=startswith(key,'a')",
                     "/v7/api_key?$orderby=key asc", "/v7/user?$select=password",
                     "/v7/user?$filter=jwt_secret ne null",
                     "/v7/organization?$filter=includes__user/any(m:m/user/any(u:startswith(u/password,'$')))"):
            self.refused(self.ann.api.get(path), 400)

    def test_nobody_makes_himself_administrator_or_gives_himself_a_password(self):
        api = self.ann.api
        self.refused(api.patch(f"/v7/user({self.ann.id})", {"is_administrator": True}), 400)
        done = api.patch(f"/v7/user({self.ann.id})", {"is_administrator": True, "email": "x@example.org"})
        self.assertEqual(done.status, 200)
        self.assertIs(api.rows(f"/v7/user({self.ann.id})")[0]["is_administrator"], False)
        api.patch(f"/v7/user({self.ann.id})", {"email": f"{self.ann.name}@example.org"})
        self.refused(api.patch(f"/v7/user({self.ann.id})", {"password": "my own choice"}), 401)
        self.refused(api.post("/v7/user", {"username": "eve", "password": "long enough"}), 401)
        self.assertEqual(self.bob.api.patch(f"/v7/user({self.ann.id})", {"email": "b@b"}).status, 200)
        self.assertEqual(api.rows(f"/v7/user({self.ann.id})")[0]["email"], f"{self.ann.name}@example.org")

    def test_a_removed_user_is_locked_out(self):
        gone = Tenant(self.admin)
        key = SERVER.client(gone.api.post("/api-key/user/full", {"name": "k"}).json)
        self.refused(self.admin.delete(f"/v7/user({gone.id})"), 400, "fleets")
        self.assertEqual(gone.api.delete(f"/v7/application({gone.fleet})").status, 200)
        self.assertEqual(self.admin.delete(f"/v7/user({gone.id})").status, 200)
        self.refused(gone.api.get("/v7/application"), 401)
        self.refused(key.get("/v7/application"), 401)
        self.refused(self.guest.post("/login_", {"username": gone.name, "password": gone.password}), 401)


class ResourcesTest(ApiTest):
    def test_reads_answer_with_a_list_and_a_key_that_finds_nothing_with_an_empty_one(self):
        api = self.ann.api
        self.assertEqual([r["id"] for r in api.rows(f"/v7/application({self.ann.fleet})")], [self.ann.fleet])
        self.assertEqual(api.rows("/v7/application(4711)"), [])
        self.assertEqual(api.rows(f"/v7/application({self.bob.fleet})"), [])
        self.assertEqual(api.rows(f"/v7/application(slug='{self.ann.name}/cars')")[0]["id"], self.ann.fleet)
        self.assertEqual(api.get("/v7/application/$count").json, {"d": len(api.rows("/v7/application"))})
        self.assertEqual(set(api.rows("/v7/application?$select=id,slug")[0]), {"id", "slug"})

    def test_a_creation_answers_with_the_object_and_where_it_is(self):
        fields = {"application": self.ann.fleet, "name": "A1", "value": "x"}
        answer = self.ann.api.post("/v7/application_environment_variable", fields)
        self.assertEqual(answer.status, 201)
        made = answer.json
        self.assertEqual(made["application"], {"__id": self.ann.fleet})
        self.assertEqual((made["name"], made["value"]), ("A1", "x"))
        self.assertIn(str(made["id"]), answer.headers["Location"])
        short = self.ann.api.post("/v7/application_environment_variable?returnResource=false",
                                  {**fields, "name": "A2"})
        self.assertEqual((short.status, set(short.json)), (201, {"id"}))

    def test_writes_answer_with_nothing_and_reach_all_rows_that_match(self):
        api = self.ann.api
        made = [api.create("application_tag", application=self.ann.fleet, tag_key=f"w{i}", value="1")["id"]
                for i in range(3)]
        self.assertNotEqual(made[0], made[1])
        changed = api.patch("/v7/application_tag?$filter=startswith(tag_key,'w') and value eq '1'", {"value": "2"})
        self.assertEqual((changed.status, changed.text), (200, ""))
        self.assertEqual(api.get("/v7/application_tag/$count?$filter=value eq '2' and startswith(tag_key,'w')").json, {"d": 3})
        nobody = api.patch("/v7/application_tag?$filter=tag_key eq 'none'", {"value": "3"})
        self.assertEqual((nobody.status, nobody.text), (200, ""))
        guarded = api.patch(f"/v7/application_tag({made[0]})?$filter=value eq 'other'", {"value": "3"})
        self.assertEqual(guarded.status, 200)
        self.assertEqual(api.rows(f"/v7/application_tag({made[0]})")[0]["value"], "2")
        one = api.delete(f"/v7/application_tag(application={self.ann.fleet},tag_key='w0')")
        self.assertEqual((one.status, one.text), (200, ""))
        self.assertEqual(api.delete("/v7/application_tag?$filter=startswith(tag_key,'w')").status, 200)
        self.assertEqual(api.rows("/v7/application_tag?$filter=startswith(tag_key,'w')"), [])

    def test_the_model_describes_itself(self):
        answer = self.guest.get("/v7/$metadata")
        self.assertEqual(answer.status, 200, answer)
        kinds = {e.get("Name") for e in xml.etree.ElementTree.fromstring(answer.text).iter() if e.tag.endswith("EntityType")}
        self.assertLessEqual({"application", "device", "release", "organization_membership"}, kinds)
        self.assertNotIn("password", answer.text)

    def test_can_access_answers_for_one_row_and_one_requester(self):
        device = self.ann.given_device()
        question = {"action": {"or": ["tunnel-any", "tunnel-22222"]}}
        path = f"/v7/device(uuid=@uuid)/canAccess?@uuid='{device['uuid']}'"
        self.assertEqual(self.ann.api.post(path, question).json, {"d": [{"id": device["id"]}]})
        self.refused(self.bob.api.post(path, question), 401)
        self.refused(self.guest.post(path, question), 401)
        self.refused(self.ann.api.post("/v7/device/canAccess", question), 400, "key")
        self.refused(self.ann.api.post(path, {"method": "GET", "action": "x"}), 400, "either")

    def test_a_device_does_not_move_into_a_fleet_that_is_not_ones_own(self):
        device = self.ann.given_device()
        moved = self.ann.api.patch(f"/v7/device({device['id']})", {"belongs_to__application": self.bob.fleet})
        self.assertGreaterEqual(moved.status, 400, moved)
        fleet = self.ann.api.rows(f"/v7/device({device['id']})?$select=belongs_to__application")[0]
        self.assertEqual(fleet["belongs_to__application"]["__id"], self.ann.fleet)

    def test_a_new_handle_of_an_organization_is_in_the_slugs_of_its_fleets(self):
        tenant = Tenant(self.admin)
        handle = f"renamed_{tenant.name}"
        changed = tenant.api.patch(f"/v7/organization({tenant.organization})", {"handle": handle})
        self.assertEqual(changed.status, 200, changed)
        self.assertEqual(tenant.api.rows(f"/v7/application({tenant.fleet})?$select=slug")[0]["slug"], f"{handle}/cars")

    def test_a_new_target_installs_its_services_on_devices_at_once(self):
        tenant = Tenant(self.admin)
        device = tenant.given_device()
        tenant.given_release(service="late")
        found = tenant.api.rows(f"/v7/service_install?$filter=device eq {device['id']}&$expand=installs__service")
        self.assertEqual([i["installs__service"][0]["service_name"] for i in found], ["late"])

    def test_a_second_of_what_is_unique_is_refused_in_the_words_clients_look_for(self):
        api = self.ann.api
        variable = {"application": self.ann.fleet, "name": "TWICE", "value": "1"}
        self.assertEqual(api.post("/v7/application_environment_variable", variable).status, 201)
        self.refused(api.post("/v7/application_environment_variable", variable), 409, "unique")
        kind = api.rows("/v7/device_type?$top=1")[0]["id"]
        again = {"app_name": "CARS", "organization": self.ann.organization, "is_for__device_type": kind}
        self.refused(api.post("/v7/application", again), 409, "must be unique.")
        self.refused(self.admin.post("/v7/user", {"username": self.ann.name, "password": "long enough"}), 409, "unique")

    def test_a_broken_rule_is_400_with_its_text(self):
        api = self.ann.api
        cases = [
            ("application_environment_variable", {"application": self.ann.fleet, "name": "1x", "value": ""}, "name"),
            ("application_environment_variable", {"application": self.ann.fleet, "name": "A"}, "required"),
            ("application_tag", {"application": 4711, "tag_key": "a", "value": ""}, "does not exist"),
            ("release", {"belongs_to__application": self.ann.fleet, "commit": "a", "semver": "x"}, "version"),
            ("application", {"app_name": "abc", "organization": self.ann.organization}, "100 letters"),
        ]
        for resource, body, words in cases:
            self.refused(api.post("/v7/" + resource, body), 400, words)

    def test_malformed_requests_are_400_and_never_more(self):
        api = self.ann.api
        for path in ("/v7/application?$filter=(((", "/v7/application?$filter=id eq",
                     "/v7/application?$select=nothing", "/v7/application?$expand=nothing",
                     "/v7/application?$orderby=nothing", "/v7/application?$top=x", "/v7/application(1",
                     "/v7/application?$filter=id eq 'x", "/v7/application?$filter=%ff",
                     "/v7/application?$filter=" + "(" * 500 + "id eq 1" + ")" * 500,
                     "/v7/application?$filter=" + "not " * 1000 + "true",
                     "/v7/application?$filter=" + "not " * 5000 + "true"):
            answer = api.get(path)
            self.assertIn(answer.status, (400, 414, 431), (path[:80], answer))
        self.assertIn(api.get("/v7/no_such_resource").status, (400, 401, 404))
        self.refused(api.get("/no/such/address"), 404)
        for method, path, allowed in (("POST", "/ping", "GET, HEAD"), ("GET", "/login_", "POST"), ("GET", "/device/v3/state", "PATCH")):
            answer = api.send(method, path)
            self.refused(answer, 405)
            self.assertEqual(answer.headers.get("Allow"), allowed, (method, path))
        self.assertEqual(api.get("/ping/").status, 200)
        self.refused(api.send("PUT", "/v7/application"), 405)
        for raw in (b"{", b"[]", b"null", b"\xff\xfe", b'{"a":1}', b'"text"', b"{" * 100000, b'{"name":1e999}'):
            answer = api.send("POST", "/v7/application_tag", raw=raw, headers={"Content-Type": "application/json"})
            self.refused(answer, 400)
        self.refused(api.patch(f"/v7/application({self.ann.fleet})", {"is_public": "maybe"}), 400)

    def test_a_body_over_the_limit_is_413_and_the_server_goes_on(self):
        big = b'{"tag_key":"k","value":"' + b"x" * (5 << 20) + b'"}'
        try:
            answer = self.ann.api.send("POST", "/v7/application_tag", raw=big)
            self.refused(answer, 413)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it may hang up on a body that it will not read
        self.assertEqual(self.ann.api.get("/ping").status, 200)

    def test_bytes_that_are_no_http_do_not_harm(self):
        for junk in (b"\x00" * 100, b"GET\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
                     b"GET / HTTP/1.1\r\n" + b"A: " + b"b" * 100000 + b"\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", SERVER.port), timeout=30) as s:
                try:
                    s.sendall(junk)
                    s.shutdown(socket.SHUT_WR)
                    first = s.recv(12)
                    self.assertIn(first[9:10], (b"4", b""), (junk[:20], first))
                except ConnectionResetError:
                    pass
        self.assertEqual(self.guest.get("/ping").text, "OK")

    def test_the_same_idempotency_key_is_answered_with_the_same_row(self):
        api = self.ann.api
        head = {"Idempotency-Key": new_uuid()}
        body = {"belongs_to__application": self.ann.fleet, "commit": new_uuid()}
        first = api.post("/v7/release", body, headers=head)
        second = api.post("/v7/release", body, headers=head)
        self.assertEqual((first.status, second.status), (201, 201), (first, second))
        self.assertEqual(first.json["id"], second.json["id"])
        self.assertEqual(len(api.rows(f"/v7/release?$filter=commit eq '{body['commit']}'")), 1)
        other = api.post("/v7/release", {**body, "commit": new_uuid()}, headers={"Idempotency-Key": new_uuid()})
        self.assertNotEqual(other.json["id"], first.json["id"])

    def test_a_fleet_made_twice_with_one_idempotency_key_is_one_fleet(self):
        api = self.ann.api
        kind = api.rows("/v7/device_type?$filter=slug eq 'generic-amd64'&$select=id")[0]["id"]
        head = {"Idempotency-Key": new_uuid()}
        body = {"app_name": "once", "organization": self.ann.organization, "is_for__device_type": kind}
        made = [api.post("/v7/application", body, headers=head) for _ in range(2)]
        self.assertEqual([m.status for m in made], [201, 201], made)
        self.assertEqual(made[0].json["id"], made[1].json["id"])

    def test_another_users_idempotency_key_is_another_key(self):
        head = {"Idempotency-Key": new_uuid()}
        made = [t.api.post("/v7/release", {"belongs_to__application": t.fleet, "commit": new_uuid()}, headers=head)
                for t in (self.ann, self.bob)]
        self.assertEqual([m.status for m in made], [201, 201], made)
        self.assertNotEqual(made[0].json["id"], made[1].json["id"])
        self.assertEqual(made[1].json["belongs_to__application"], {"__id": self.bob.fleet})

    def test_a_release_goes_from_draft_to_target(self):
        tenant = Tenant(self.admin)
        api = tenant.api
        draft = api.create("release", belongs_to__application=tenant.fleet, commit=new_uuid(), is_final=False,
                           semver="1.2.3-beta", status="success")
        self.assertIs(draft["is_final"], False)
        self.assertTrue(draft["raw_version"].startswith("1.2.3-beta."))
        fleet = f"/v7/application({tenant.fleet})?$select=id,should_be_running__release"
        self.assertIsNone(api.rows(fleet)[0]["should_be_running__release"])
        self.assertEqual(api.patch(f"/v7/release({draft['id']})", {"is_final": True}).status, 200)
        self.assertEqual(api.rows(fleet)[0]["should_be_running__release"], {"__id": draft["id"]})
        self.assertEqual(api.rows(f"/v7/release({draft['id']})")[0]["raw_version"], "1.2.3-beta")
        self.refused(api.delete(f"/v7/release({draft['id']})"), 400, "target")
        self.refused(api.patch(f"/v7/release({draft['id']})", {"is_final": False}), 400)

    def test_a_removed_fleet_takes_its_devices_and_their_keys_along(self):
        tenant = Tenant(self.admin)
        tenant.given_release()
        device = tenant.given_device()
        provisioning = SERVER.client(tenant.provisioning_key())
        self.assertEqual(device["api"].get("/actor/v1/whoami").status, 200)
        self.assertEqual(tenant.api.delete(f"/v7/application({tenant.fleet})").status, 200)
        of_fleets = "belongs_to__application/any(a:a/is_host eq false)"
        for path in ("application?$filter=is_host eq false", "device", f"release?$filter={of_fleets}", "service", "image", "service_install"):
            self.assertEqual(tenant.api.rows("/v7/" + path), [], path)
        self.refused(device["api"].get("/actor/v1/whoami"), 401)
        self.refused(provisioning.get("/actor/v1/whoami"), 401)

    def test_many_clients_at_once_get_one_row_each_and_read_their_own_writes(self):
        api = self.ann.api

        def write(n):
            made = api.post("/v7/application_tag", {"application": self.ann.fleet, "tag_key": f"par{n % 20}", "value": str(n)})
            if made.status == 201:
                return len(api.rows(f"/v7/application_tag({made.json['id']})")) == 1
            return made.status == 409
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            self.assertTrue(all(pool.map(write, range(60))))
        self.assertEqual(api.get("/v7/application_tag/$count?$filter=startswith(tag_key,'par')").json, {"d": 20})


class IsolationTest(ApiTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.release = cls.ann.given_release()
        cls.device = cls.ann.given_device()
        cls.secret = cls.ann.api.create("device_environment_variable", device=cls.device["id"], name="SECRET",
                                        value="rosebud")["id"]

    def test_another_user_sees_nothing_of_it(self):
        for resource in ("application", "device", "release", "image", "service", "device_environment_variable",
                         "organization", "user", "service_install", "organization_membership"):
            # Hosts are everybody's.
            path = "/v7/" + resource + {"application": "?$filter=is_host eq false",
                                        "release": "?$filter=belongs_to__application/any(a:a/is_host eq false)"}.get(resource, "")
            theirs = {r["id"] for r in self.ann.api.rows(path)}
            mine = {r["id"] for r in self.bob.api.rows(path)}
            self.assertTrue(theirs, resource)
            self.assertFalse(theirs & mine, resource)

    def test_filters_and_lambdas_answer_as_if_it_were_not_there(self):
        uuid = self.device["uuid"]
        for path in (f"/v7/device?$filter=uuid eq '{uuid}'",
                     f"/v7/device(uuid='{uuid}')",
                     f"/v7/device_type?$filter=describes__device/any(d:d/uuid eq '{uuid}')",
                     f"/v7/device_type?$filter=is_default_for__application/any(a:a/id eq {self.ann.fleet})",
                     "/v7/device_type?$filter=describes__device/any(d:d/device_environment_variable/"
                     "any(v:startswith(v/value,'rose')))",
                     f"/v7/organization?$filter=owns__application/any(a:a/owns__device/any(d:d/uuid eq '{uuid}'))"):
            self.assertTrue(self.ann.api.get(path).status == 200)
            self.assertEqual(self.bob.api.rows(path), [], path)
        everything = self.bob.api.rows("/v7/device_type?$select=id&$expand=describes__device($select=id,uuid)")
        seen = {d["uuid"] for t in everything for d in t["describes__device"]}
        self.assertNotIn(uuid, seen)
        mine = self.ann.api.rows("/v7/device_type?$select=id&$expand=describes__device($select=id,uuid)")
        self.assertIn(uuid, {d["uuid"] for t in mine for d in t["describes__device"]})
        count = "/v7/device_type?$filter=describes__device/$count gt 0&$select=id"
        self.assertEqual(self.bob.api.rows(count), [])
        self.assertEqual(len(self.ann.api.rows(count)), 1)

    def test_another_user_changes_and_removes_nothing_of_it(self):
        for resource, row, body in (("application", self.ann.fleet, {"app_name": "mine"}),
                                    ("device", self.device["id"], {"note": "mine"}),
                                    ("release", self.release["id"], {"note": "mine"}),
                                    ("device_environment_variable", self.secret, {"value": "mine"}),
                                    ("organization", self.ann.organization, {"name": "mine"}),
                                    ("user", self.ann.id, {"email": "mine@x"})):
            before = self.ann.api.rows(f"/v7/{resource}({row})")
            self.bob.api.patch(f"/v7/{resource}({row})", body)
            self.bob.api.delete(f"/v7/{resource}({row})")
            self.assertEqual(self.ann.api.rows(f"/v7/{resource}({row})"), before, resource)

    def test_nothing_of_another_user_can_be_referred_to(self):
        bob, device = self.bob, self.bob.given_device()
        for resource, body in (
                ("device_tag", {"device": self.device["id"], "tag_key": "a", "value": ""}),
                ("release", {"belongs_to__application": self.ann.fleet, "commit": "a"}),
                ("service", {"application": self.ann.fleet, "service_name": "a"}),
                ("image__is_part_of__release",
                 {"is_part_of__release": bob.given_release()["id"], "image": self.release["image_id"]}),
                ("organization_membership",
                 {"user": bob.id, "is_member_of__organization": self.ann.organization})):
            answer = bob.api.post("/v7/" + resource, body)
            self.assertIn(answer.status, (400, 401), (resource, answer))
        for path, body in ((f"/v7/device({device['id']})", {"belongs_to__application": self.ann.fleet}),
                           (f"/v7/device({device['id']})", {"is_pinned_on__release": self.release["id"]}),
                           (f"/v7/application({bob.fleet})", {"should_be_running__release": self.release["id"]}),
                           (f"/v7/application({bob.fleet})", {"organization": self.ann.organization})):
            answer = bob.api.patch(path, body)
            self.assertIn(answer.status, (400, 401, 404), (path, body, answer))
        self.assertIn(bob.api.post(f"/api-key/device/{self.device['id']}/device-key", {}).status, (401, 403, 404))
        self.assertIn(bob.api.post(f"/api-key/application/{self.ann.fleet}/provisioning", {}).status, (401, 403, 404))
        self.assertIn(bob.api.get(f"/device/v3/{self.device['uuid']}/state").status, (401, 403))

    def test_a_guest_sees_the_catalog_and_public_fleets_without_their_settings(self):
        tenant = Tenant(self.admin)
        tenant.api.create("application_environment_variable", application=tenant.fleet, name="A", value="secret")
        tenant.given_device()
        self.assertTrue(self.guest.rows("/v7/device_type"))
        # Hosts are everybody's.
        fleets = "/v7/application?$filter=is_host eq false"
        self.assertEqual(self.guest.rows(fleets), [])
        self.addCleanup(tenant.api.patch, f"/v7/application({tenant.fleet})", {"is_public": False})
        self.assertEqual(tenant.api.patch(f"/v7/application({tenant.fleet})", {"is_public": True}).status, 200)
        self.assertEqual([a["id"] for a in self.guest.rows(fleets)], [tenant.fleet])
        for resource in ("application_environment_variable", "device", "user", "organization", "api_key"):
            self.assertEqual(self.guest.rows("/v7/" + resource), [], resource)
        expanded = self.guest.rows(fleets + "&$expand=application_environment_variable,owns__device")
        self.assertEqual(expanded[0]["application_environment_variable"], [])
        self.assertEqual(expanded[0]["owns__device"], [])
        self.assertIn(self.guest.patch(f"/v7/application({tenant.fleet})", {"app_name": "mine"}).status, (200, 401))
        self.assertEqual(tenant.api.rows(f"/v7/application({tenant.fleet})")[0]["app_name"], "cars")


class DevicesTest(ApiTest):
    def test_a_registration_makes_a_device_whose_key_works(self):
        device = self.ann.given_device()
        self.assertEqual(set(device), {"id", "uuid", "api_key", "api"})
        self.assertEqual([d["id"] for d in device["api"].rows("/v7/device")], [device["id"]])

    def test_a_registration_is_refused_with_the_status_of_its_reason(self):
        key = SERVER.client(self.ann.provisioning_key())
        good = {"application": self.ann.fleet, "uuid": new_uuid(), "device_type": "generic-amd64"}
        self.assertEqual(key.post("/device/register", {**good, "application": str(self.ann.fleet)}).status, 201)
        again = key.post("/device/register", good)
        self.assertEqual((again.status, again.text), (409, '"uuid" must be unique.'))
        fresh = {**good, "uuid": new_uuid()}
        self.assertEqual(key.post("/device/register", {**fresh, "uuid": "short"}).status, 400)
        self.assertEqual(key.post("/device/register", {**fresh, "device_type": "toaster"}).status, 400)
        self.assertEqual(key.post("/device/register", {}).status, 400)
        self.assertEqual(key.post("/device/register", {**fresh, "application": self.bob.fleet}).status, 401)
        self.assertEqual(self.guest.post("/device/register", fresh).status, 401)
        self.assertEqual(self.bob.api.post("/device/register", fresh).status, 401)
        self.assertEqual(self.ann.api.rows(f"/v7/device?$filter=uuid eq '{fresh['uuid']}'"), [])

    def test_a_device_key_reaches_its_own_device_only(self):
        own, sibling = self.ann.given_device(), self.ann.given_device()
        api = own["api"]
        self.assertEqual(api.patch(f"/v7/device({own['id']})", {"note": "hello"}).status, 200)
        self.assertEqual(api.rows(f"/v7/device({own['id']})")[0]["note"], "hello")
        self.refused(api.patch(f"/v7/device({own['id']})", {"belongs_to__application": self.bob.fleet}), 401)
        self.assertEqual(api.rows(f"/v7/device({sibling['id']})"), [])
        api.patch(f"/v7/device({sibling['id']})", {"note": "hello"})
        api.delete(f"/v7/device({sibling['id']})")
        self.assertIsNone(sibling["api"].rows("/v7/device")[0]["note"])
        self.refused(api.post("/v7/device_tag", {"device": sibling["id"], "tag_key": "a", "value": ""}), 400)
        self.assertEqual(api.create("device_tag", device=own["id"], tag_key="a", value="")["tag_key"], "a")
        self.refused(api.post("/v7/application_tag",
                              {"application": self.ann.fleet, "tag_key": "a", "value": ""}), 401)
        self.refused(api.delete(f"/v7/device({own['id']})"), 401)
        for resource in ("user", "organization", "api_key", "organization_membership"):
            self.assertEqual(api.rows("/v7/" + resource), [], resource)
        self.refused(api.post(f"/api-key/device/{own['id']}/device-key", {}), 403)
        self.assertIn(api.get(f"/device/v3/{sibling['uuid']}/state").status, (401, 403))
        self.assertIn(api.patch("/device/v3/state", {sibling["uuid"]: {"status": "Idle"}}).status, (401, 403))

    def test_a_provisioning_key_registers_and_exchanges_keys_and_does_nothing_else(self):
        device = self.ann.given_device()
        key = SERVER.client(self.ann.provisioning_key())
        self.assertIn(device["id"], {d["id"] for d in key.rows("/v7/device")})
        made = key.post(f"/api-key/device/{device['id']}/device-key", {"apiKey": "k" * 32})
        self.assertEqual((made.status, made.json), (200, "k" * 32))
        self.assertEqual(SERVER.client("k" * 32).get("/actor/v1/whoami").json["uuid"], device["uuid"])
        for resource in ("application", "release", "user", "organization", "api_key"):
            self.assertEqual(key.rows("/v7/" + resource), [], resource)
        self.assertIn(key.patch(f"/v7/device({device['id']})", {"note": "x"}).status, (401,))
        self.assertIn(key.delete(f"/v7/device({device['id']})").status, (401,))
        self.refused(key.post("/v7/application_tag", {"application": self.ann.fleet, "tag_key": "a", "value": ""}), 400)
        self.refused(key.post(f"/api-key/application/{self.ann.fleet}/provisioning", {}), 404)
        self.refused(key.get(f"/device/v3/{device['uuid']}/state"), 401)
        foreign = self.bob.given_device()
        self.refused(key.post(f"/api-key/device/{foreign['id']}/device-key", {}), 404)

    def test_the_state_has_an_etag_that_changes_with_a_variable_and_not_with_a_tag(self):
        tenant = Tenant(self.admin)
        release = tenant.given_release()
        device = tenant.given_device()
        path = f"/device/v3/{device['uuid']}/state"
        first = device["api"].get(path)
        self.assertEqual(first.status, 200)
        app = next(iter(first.json[device["uuid"]]["apps"].values()))
        service = app["releases"][release["commit"]]["services"]["main"]
        self.assertTrue(service["image"].startswith(release["image"].lower() + "@sha256:"))
        known = {"If-None-Match": first.headers["ETag"]}
        self.assertEqual(device["api"].get(path, headers=known).status, 304)
        tenant.api.create("device_tag", device=device["id"], tag_key="a", value="")
        self.assertEqual(device["api"].get(path, headers=known).status, 304)
        for resource, parent, row in (("device_environment_variable", "device", device["id"]),
                                      ("application_environment_variable", "application", tenant.fleet)):
            tenant.api.create(resource, **{parent: row, "name": "V_" + parent, "value": resource})
            changed = device["api"].get(path, headers=known)
            self.assertEqual(changed.status, 200)
            self.assertNotEqual(changed.headers["ETag"], known["If-None-Match"])
            known = {"If-None-Match": changed.headers["ETag"]}
        text = json.dumps(changed.json)
        self.assertIn('"V_device": "device_environment_variable"', text)
        self.assertIn('"V_application": "application_environment_variable"', text)

    def test_a_new_release_a_pin_and_a_move_are_in_the_next_state(self):
        tenant = Tenant(self.admin)
        device = tenant.given_device()

        def told():
            state = device["api"].get(f"/device/v3/{device['uuid']}/state").json[device["uuid"]]
            return [c for a in state["apps"].values() for c in a.get("releases", {})]
        self.assertEqual(told(), [])
        first = tenant.given_release()
        self.assertEqual(told(), [first["commit"]])
        second = tenant.given_release()
        self.assertEqual(told(), [second["commit"]])
        tenant.api.patch(f"/v7/device({device['id']})", {"is_pinned_on__release": first["id"]})
        self.assertEqual(told(), [first["commit"]])
        other = tenant.given_fleet("boats")
        there = tenant.given_release(other)
        moved = tenant.api.patch(f"/v7/device({device['id']})", {"belongs_to__application": other})
        self.assertEqual(moved.status, 200, moved)
        self.assertEqual(told(), [there["commit"]])

    def test_a_deleted_devices_state_is_304_and_its_key_is_refused(self):
        device = self.ann.given_device()
        path = f"/device/v3/{device['uuid']}/state"
        self.assertEqual(device["api"].get(path).status, 200)
        self.assertEqual(self.ann.api.delete(f"/v7/device({device['id']})").status, 200)
        self.assertEqual(device["api"].get(path).status, 304)
        self.refused(device["api"].get("/v7/device"), 401)
        self.assertEqual(device["api"].patch("/device/v3/state", {device["uuid"]: {"status": "Idle"}}).status, 401)

    def test_a_report_is_stored_and_read_back(self):
        tenant = Tenant(self.admin)
        release = tenant.given_release()
        device = tenant.given_device()
        uuid = tenant.api.rows(f"/v7/application({tenant.fleet})?$select=uuid")[0]["uuid"]
        service = {"image": release["image"], "status": "Running", "download_progress": None}
        body = {"status": "Idle", "os_version": "Debian 12", "memory_usage": 100.4, "ip_address": "10.0.0.1",
                "nonsense": {"deep": [1]},
                "apps": {uuid: {"release_uuid": release["commit"], "releases": {
                    release["commit"]: {"update_status": "done", "services": {"main": service}}}}}}
        self.assertEqual(device["api"].patch("/device/v3/state", {device["uuid"]: body}).status, 200)
        row = tenant.api.rows(f"/v7/device({device['id']})?$expand=image_install,is_running__release($select=id)")[0]
        self.assertEqual((row["status"], row["os_version"], row["memory_usage"], row["update_status"]),
                         ("Idle", "Debian 12", 100, "done"))
        self.assertEqual([i["status"] for i in row["image_install"]], ["Running"])
        self.assertEqual(row["is_running__release"][0]["id"], release["id"])
        for wrong in ({}, [], {device["uuid"]: 7}, {new_uuid(): {"status": "Idle"}},
                      {device["uuid"]: {"apps": {uuid: {"release_uuid": "unknown"}}}},
                      {device["uuid"]: {"apps": {new_uuid(): {}}}},
                      {device["uuid"]: {"apps": {uuid: {"releases": {release["commit"]: {"services": {"main": {}}}}}}}}):
            answer = device["api"].patch("/device/v3/state", wrong)
            self.assertIn(answer.status, (400, 401), (wrong, answer))
        self.assertEqual(tenant.api.rows(f"/v7/device({device['id']})")[0]["status"], "Idle")

    def test_a_provisioning_configuration_lets_a_device_in(self):
        answer = self.ann.api.post("/download-config", {"appId": self.ann.fleet, "version": "6.0.0",
                                                            "deviceType": "generic-amd64"})
        self.assertEqual(answer.status, 200, answer)
        config = answer.json
        self.assertEqual(config["applicationId"], self.ann.fleet)
        made = SERVER.client(config["apiKey"]).post(
            "/device/register",
            {"application": config["applicationId"], "uuid": new_uuid(), "device_type": config["deviceType"]})
        self.assertEqual(made.status, 201)
        self.refused(self.bob.api.post("/download-config", {"appId": self.ann.fleet, "version": "6.0.0"}), 404)
        self.refused(self.ann.api.post("/download-config", {}), 400)


if __name__ == "__main__":
    unittest.main(verbosity=1, warnings="ignore")
