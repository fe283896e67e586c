#!/usr/bin/env python3
"""Members, roles, invitations, keys and what becomes of them at a real slipwayd (docs/permissions.md)."""

import base64
import concurrent.futures
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.slipwayd import Slipwayd, new_uuid, wait_until  # noqa: E402

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
    finally:
        SERVER.remove()


class User:
    """A user who is logged in; with an organization of the same name."""

    count = 0

    def __init__(self, admin):
        User.count += 1
        self.name = f"person{User.count}"
        self.id = admin.create("user", username=self.name, password="their password",
                               email=f"{self.name}@example.org")["id"]
        self.api = SERVER.login(self.name, "their password")
        self.organization = self.api.rows("/v7/organization")[0]["id"]

    def given_fleet(self, name):
        kind = self.api.rows("/v7/device_type?$filter=slug eq 'generic-amd64'&$select=id")[0]["id"]
        return self.api.create("application", app_name=name, organization=self.organization,
                               is_for__device_type=kind)["id"]

    def given_device(self, fleet):
        kind = self.api.rows("/v7/device_type?$filter=slug eq 'generic-amd64'&$select=id")[0]["id"]
        return self.api.create("device", belongs_to__application=fleet, uuid=new_uuid(),
                               is_of__device_type=kind)


def role(api, kind, name):
    """As the SDK finds it."""
    return api.rows(f"/v7/{kind}_membership_role(name='{name}')?$select=id")[0]["id"]


class Access(unittest.TestCase):
    def setUp(self):
        self.admin = SERVER.login()
        self.ann, self.bob = User(self.admin), User(self.admin)
        self.fleet = self.ann.given_fleet("cars")
        self.device = self.ann.given_device(self.fleet)

    def add(self, user, name, to=None):
        owner = to or self.ann
        return owner.api.create(
            "organization_membership", username=user.name,
            is_member_of__organization=owner.organization,
            organization_membership_role=role(owner.api, "organization", name))["id"]

    def provisioning_key(self, **more):
        answer = self.ann.api.post(f"/api-key/application/{self.fleet}/provisioning",
                                   {"name": "line", "expiryDate": None, **more})
        self.assertEqual(answer.status, 200, answer)
        return SERVER.client(answer.json)

    def register(self, client):
        return client.post("/device/register", {
            "application": self.fleet, "uuid": new_uuid(), "device_type": "generic-amd64"})

    def test_a_member_is_added_by_name_and_its_role_holds_at_the_next_request(self):
        see = f"/v7/application({self.fleet})?$select=app_name"
        self.assertEqual(self.bob.api.rows(see), [])
        membership = self.add(self.bob, "observer")
        self.assertEqual(self.bob.api.rows(see), [{"app_name": "cars"}])
        path = f"/v7/device({self.device['id']})"
        self.assertEqual(self.bob.api.patch(path, {"note": "mine"}).status, 401)
        change = {"organization_membership_role": role(self.ann.api, "organization", "operator")}
        pair = (f"/v7/organization_membership(user={self.bob.id},"
                f"is_member_of__organization={self.ann.organization})")
        self.assertEqual(self.ann.api.patch(pair, change).status, 200)
        self.assertEqual(self.bob.api.patch(path, {"note": "mine"}).status, 200)
        removed = self.ann.api.delete(f"/v7/organization_membership({membership})")
        self.assertEqual(removed.status, 200, removed)
        self.assertEqual(self.bob.api.rows(see), [])

    def test_leaving_an_organization_leaves_its_fleets_too(self):
        membership = self.add(self.bob, "member")
        self.ann.api.create("user_application_membership", username=self.bob.name,
                            is_member_of__application=self.fleet,
                            application_membership_role=role(self.ann.api, "application", "developer"))
        mine = "/v7/application?$select=id&$filter=is_directly_accessible_by__user/any(dau:1 eq 1)"
        self.assertIn({"id": self.fleet}, self.bob.api.rows(mine))
        left = self.bob.api.delete(f"/v7/organization_membership({membership})")
        self.assertEqual(left.status, 200, left)
        self.assertNotIn({"id": self.fleet}, self.bob.api.rows(mine))
        self.add(self.bob, "member")
        self.assertNotIn({"id": self.fleet}, self.bob.api.rows(mine))

    def test_a_developer_removes_a_fleet_that_a_team_has_access_to(self):
        self.add(self.bob, "developer")
        team = self.ann.api.create("team", belongs_to__organization=self.ann.organization,
                                   name="drivers")["id"]
        self.ann.api.create("team_application_access", team=team,
                            grants_access_to__application=self.fleet,
                            application_membership_role=role(self.ann.api, "application", "observer"))
        rows = "/v7/team_application_access?$select=id"
        self.assertEqual(len(self.ann.api.rows(rows)), 1)
        gone = self.bob.api.delete(f"/v7/application({self.fleet})")
        self.assertEqual(gone.status, 200, gone)
        self.assertEqual(self.ann.api.rows(rows), [])

    def test_the_last_administrator_stays(self):
        own = self.ann.api.rows(f"/v7/organization_membership?$filter=user eq {self.ann.id}"
                                "&$select=id")[0]["id"]
        path = f"/v7/organization_membership({own})"
        self.assertEqual(self.ann.api.delete(path).status, 400)
        less = {"organization_membership_role": role(self.ann.api, "organization", "developer")}
        self.assertEqual(self.ann.api.patch(path, less).status, 400)
        self.add(self.bob, "administrator")
        self.assertEqual(self.ann.api.patch(path, less).status, 200)
        self.assertEqual(self.ann.api.delete(path).status, 200)

    def test_a_refused_removal_of_the_last_administrator_leaves_all_as_it_was(self):
        self.ann.api.create("user_application_membership", username=self.ann.name,
                            is_member_of__application=self.fleet,
                            application_membership_role=role(self.ann.api, "application", "observer"))
        team = self.ann.api.create("team", belongs_to__organization=self.ann.organization,
                                   name="drivers")["id"]
        self.ann.api.create("team_membership", user=self.ann.id, is_member_of__team=team)
        self.add(self.bob, "developer")
        memberships = f"/v7/organization_membership?$filter=user eq {self.ann.id}&$select=id"
        rows = (memberships, f"/v7/user_application_membership?$filter=user eq {self.ann.id}",
                f"/v7/team_membership?$filter=user eq {self.ann.id}", f"/v7/user({self.ann.id})",
                f"/v7/organization({self.ann.organization})")
        before = [self.admin.rows(path) for path in rows]
        self.assertEqual([len(found) for found in before], [1] * len(rows))
        own = before[0][0]["id"]
        for client, path in ((self.ann.api, f"/v7/organization_membership({own})"),
                             (self.admin, f"/v7/organization_membership({own})"),
                             (self.ann.api, "/user/v1/account"), (self.admin, f"/v7/user({self.ann.id})")):
            refused = client.delete(path)
            self.assertEqual(refused.status, 400, (path, refused))
            self.assertIn("administrator", refused.json)
            self.assertEqual([self.admin.rows(path) for path in rows], before)

    def test_two_administrators_who_leave_at_once_leave_one(self):
        self.add(self.bob, "administrator")
        rows = "/v7/organization_membership?$select=id,user&$filter=is_member_of__organization eq " \
            f"{self.ann.organization}"
        for user in (self.ann, self.bob):
            self.ann.api.create("user_application_membership", username=user.name,
                                is_member_of__application=self.fleet,
                                application_membership_role=role(self.ann.api, "application", "observer"))
        both = [f"/v7/organization_membership({r['id']})" for r in self.ann.api.rows(rows)]
        clients = [SERVER.client(self.ann.api.token), SERVER.client(self.ann.api.token)]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            done = list(pool.map(lambda c, path: c.delete(path).status, clients, both))
        left = self.admin.rows(rows)
        self.assertEqual(len(left), 1, done)
        kept = self.admin.rows("/v7/user_application_membership?$select=id&$expand=user($select=id)"
                               f"&$filter=is_member_of__application eq {self.fleet}")
        self.assertEqual([k["user"][0]["id"] for k in kept], [left[0]["user"]["__id"]])

    def test_the_last_administrator_of_the_platform_stays_whoever_asks(self):
        me = self.admin.get("/user/v1/whoami").json["id"]
        for path in (f"/v7/user({me})", "/user/v1/account"):
            refused = self.admin.delete(path)
            self.assertEqual(refused.status, 400, refused)
            self.assertIn("last administrator", refused.json)
        self.assertEqual(len(self.admin.rows(f"/v7/organization_membership?$filter=user eq {me}")), 1)

    def test_a_user_whom_the_platform_removes_goes_as_one_who_goes_himself(self):
        refused = self.admin.delete(f"/v7/user({self.ann.id})")
        self.assertEqual(refused.status, 400, refused)
        self.assertIn("has fleets", refused.json)
        self.assertEqual(len(self.ann.api.rows(f"/v7/application({self.fleet})")), 1)
        self.add(self.bob, "developer")
        gone = self.admin.delete(f"/v7/user({self.bob.id})")
        self.assertEqual(gone.status, 200, gone)
        self.assertEqual(self.admin.rows(f"/v7/organization({self.bob.organization})"), [])
        self.assertEqual(self.admin.rows(f"/v7/organization_membership?$filter=user eq {self.bob.id}"), [])
        self.assertEqual(self.bob.api.get("/user/v1/whoami").status, 401)

    def test_an_invitation_is_told_once_and_taken_up_once(self):
        body = {"is_invited_to__organization": self.ann.organization, "invitee": "new@example.org",
                "organization_membership_role": role(self.ann.api, "organization", "operator"),
                "message": "join us"}
        made = self.ann.api.post("/v7/invitee__is_invited_to__organization", body)
        self.assertEqual(made.status, 201, made)
        token = made.json["token"]
        listed = self.ann.api.get("/v7/invitee__is_invited_to__organization?$expand=invitee")
        self.assertNotIn(token, listed.text)
        self.assertEqual(listed.rows[0]["invitee"][0]["email"], "new@example.org")
        self.assertEqual(SERVER.client().post(f"/org/v1/invitation/{token}").status, 401)
        self.assertEqual(self.bob.api.post("/org/v1/invitation/abcdef").status, 404)
        self.assertEqual(self.bob.api.rows("/v7/invitee__is_invited_to__organization"), [])
        accepted = self.bob.api.post(f"/org/v1/invitation/{token}")
        self.assertEqual(accepted.status, 200, accepted)
        self.assertEqual(len(self.bob.api.rows(f"/v7/device({self.device['id']})")), 1)
        self.assertEqual(self.bob.api.post(f"/org/v1/invitation/{token}").status, 404)
        self.assertEqual(self.ann.api.rows("/v7/invitee__is_invited_to__organization"), [])

    def test_an_invitation_to_a_fleet_makes_a_member_of_its_organization(self):
        made = self.ann.api.post("/v7/invitee__is_invited_to__application", {
            "is_invited_to__application": self.fleet, "invitee": self.bob.name,
            "application_membership_role": role(self.ann.api, "application", "observer")})
        self.assertEqual(made.status, 201, made)
        other = self.ann.given_fleet("vans")
        accepted = self.bob.api.post("/user/v1/invitation/" + made.json["token"])
        self.assertEqual(accepted.status, 200, accepted)
        self.assertEqual(len(self.bob.api.rows(f"/v7/application({self.fleet})")), 1)
        self.assertEqual(self.bob.api.rows(f"/v7/application({other})"), [])
        seen = self.bob.api.rows(f"/v7/organization_membership?$filter=user eq {self.bob.id}"
                                 f" and is_member_of__organization eq {self.ann.organization}"
                                 "&$expand=organization_membership_role")
        self.assertEqual(seen[0]["organization_membership_role"][0]["name"], "member")

    def test_an_invitation_that_was_withdrawn_is_over(self):
        made = self.ann.api.post("/v7/invitee__is_invited_to__organization", {
            "is_invited_to__organization": self.ann.organization, "invitee": "x@example.org"}).json
        gone = self.ann.api.delete(f"/v7/invitee__is_invited_to__organization({made['id']})")
        self.assertEqual(gone.status, 200, gone)
        self.assertEqual(self.bob.api.post("/org/v1/invitation/" + made["token"]).status, 404)

    def test_a_removed_key_is_refused_at_the_next_request(self):
        secret = self.ann.api.post("/api-key/user/full", {"name": "ci", "expiryDate": None}).json
        key = SERVER.client(secret)
        self.assertEqual(key.get("/user/v1/whoami").status, 200)
        row = self.ann.api.rows("/v7/api_key?$filter=name eq 'ci'&$select=id")[0]["id"]
        self.assertEqual(key.delete(f"/v7/api_key({row})").status, 401)
        self.assertEqual(self.ann.api.delete(f"/v7/api_key({row})").status, 200)
        self.assertEqual(key.get("/user/v1/whoami").status, 401)

    def begin_upload(self, client, repository):
        """As docker does: a token for the key, and an upload that is open."""
        basic = base64.b64encode(f"x:{client.token}".encode()).decode()
        token = SERVER.client().get(f"/auth/v1/token?service=s&scope=repository:{repository}:pull,push",
                                    headers={"Authorization": "Basic " + basic}).json["token"]
        docker = SERVER.client(token)
        begun = docker.post(f"/v2/{repository}/blobs/uploads/")
        self.assertEqual(begun.status, 202, begun)
        place = begun.headers["Location"]
        return docker, place[place.index("/v2/"):]

    def push(self, docker, place):
        answer = docker.send("PATCH", place, raw=b"bytes", headers={"Content-Type": "application/octet-stream"})
        return answer.status

    def test_a_push_that_runs_ends_with_the_right_it_began_with(self):
        release = self.ann.api.create("release", belongs_to__application=self.fleet, commit=new_uuid(),
                                      status="running", source="local", start_timestamp=1795428832331)
        service = self.ann.api.create("service", application=self.fleet, service_name="main")
        image = self.ann.api.create("image", is_a_build_of__service=service["id"], status="running",
                                    start_timestamp=1795428832331)
        self.ann.api.create("image__is_part_of__release", is_part_of__release=release["id"], image=image["id"])
        repository = image["is_stored_at__image_location"].split("/", 1)[1]

        def of_key(name):
            return SERVER.client(self.bob.api.post("/api-key/user/full", {"name": name, "expiryDate": None}).json)

        membership = self.add(self.bob, "developer")
        session = SERVER.login(self.bob.name, "their password")
        by_key, by_role, by_session = (
            self.begin_upload(client, repository) for client in (of_key("one"), of_key("two"), session))
        for docker, place in (by_key, by_role, by_session):
            self.assertEqual(self.push(docker, place), 202)
        row = self.bob.api.rows("/v7/api_key?$filter=name eq 'one'&$select=id")[0]["id"]
        self.assertEqual(self.bob.api.delete(f"/v7/api_key({row})").status, 200)
        self.assertEqual(self.push(*by_key), 401)
        self.assertEqual(self.bob.api.delete("/user/v1/sessions").status, 200)
        self.assertEqual(self.push(*by_session), 401)
        self.assertEqual(SERVER.client(by_role[0].token).get(by_role[1]).status, 204)
        lower = {"organization_membership_role": role(self.ann.api, "organization", "operator")}
        self.assertEqual(self.ann.api.patch(f"/v7/organization_membership({membership})", lower).status, 200)
        self.assertEqual(self.push(*by_role), 401)

    def test_whether_a_foreign_row_exists_cannot_be_asked(self):
        def tried(device):
            return self.bob.api.post("/v7/device_tag",
                                     {"device": device, "tag_key": "k", "value": "v"})
        there, nowhere = tried(self.device["id"]), tried(999_999_999)
        self.assertEqual((there.status, there.text), (nowhere.status, nowhere.text))
        for client in (self.bob.api, SERVER.client()):
            for path in ("/v7/device({})", "/v7/device({})/belongs_to__application",
                         "/v7/device({})?$expand=device_tag"):
                mine = client.get(path.format(self.device["id"]))
                none = client.get(path.format(999_999_999))
                self.assertEqual((mine.status, mine.text), (none.status, none.text))

    def test_a_users_scope_holds_over_http(self):
        made = self.ann.api.post("/api-key/user/full", {
            "name": "one fleet", "expiryDate": None,
            "scope": {"readOnly": True, "applications": [self.fleet]}})
        if made.status == 400:
            self.fail(made)
        other = self.ann.given_fleet("vans")
        key = SERVER.client(made.json)
        self.assertEqual(key.get("/user/v1/whoami").status, 200)
        seen = key.rows("/v7/application?$select=id")
        self.assertIn({"id": self.fleet}, seen)
        self.assertNotIn({"id": other}, seen)
        path = f"/v7/device({self.device['id']})"
        self.assertEqual(key.patch(path, {"note": "x"}).status, 401)
        self.assertEqual(key.rows(f"/v7/organization({self.ann.organization})?$select=id"),
                         [{"id": self.ann.organization}])
        foreign = self.bob.given_fleet("boats")
        refused = self.ann.api.post("/api-key/user/full", {
            "name": "n", "expiryDate": None, "scope": {"applications": [foreign]}})
        self.assertEqual(refused.status, 400, refused)

    def test_a_counted_provisioning_key_never_registers_more_than_it_may(self):
        client = self.provisioning_key(uses=3)
        clients = [SERVER.client(client.token) for _ in range(12)]
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            done = list(pool.map(self.register, clients))
        self.assertEqual(sorted(a.status for a in done), [201] * 3 + [401] * 9)
        self.assertEqual(self.register(client).status, 401)
        again = self.ann.api.rows(f"/v7/device?$filter=belongs_to__application eq {self.fleet}")
        self.assertEqual(len(again), 4)

    def refused_key(self, client, why):
        answer = self.register(client)
        self.assertEqual((answer.status, answer.json), (401, why))
        return answer

    def test_a_key_of_a_downloaded_configuration_registers_exactly_as_many_as_it_says(self):
        made = self.ann.api.post("/download-config", {
            "appId": self.fleet, "version": "2.95.0+rev1", "provisioningKeyUses": 10})
        self.assertEqual(made.status, 200, made)
        clients = [SERVER.client(made.json["apiKey"]) for _ in range(50)]
        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            done = list(pool.map(self.register, clients))
        self.assertEqual(sorted(a.status for a in done), [201] * 10 + [401] * 40)
        why = "the provisioning key has registered as many devices as it may"
        self.assertEqual({a.json for a in done if a.status == 401}, {why})
        self.refused_key(clients[0], why)
        for uses in (0, -1, "many", 1.5, True):
            wrong = self.ann.api.post("/download-config", {
                "appId": self.fleet, "version": "2.95.0+rev1", "provisioningKeyUses": uses})
            self.assertEqual(wrong.status, 400, (uses, wrong))
            self.assertIn("provisioningKeyUses", wrong.json)

    def test_an_expired_provisioning_key_is_told_that_it_has_expired(self):
        soon = time.time() + 2
        date = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(soon)) + f".{int(soon % 1 * 1000):03}Z"
        made = self.ann.api.post("/download-config", {
            "appId": self.fleet, "version": "2.95.0+rev1", "provisioningKeyExpiryDate": date})
        client = SERVER.client(made.json["apiKey"])
        self.assertEqual(self.register(client).status, 201)
        wait_until(lambda: time.time() > soon)
        self.refused_key(client, "the API key has expired")
        self.refused_key(SERVER.client("made-up-key-of-nobody"), "not a valid credential")

    def test_a_registration_that_failed_is_given_back(self):
        client = self.provisioning_key(uses=1)
        taken = client.post("/device/register", {
            "application": self.fleet, "uuid": self.device["uuid"],
            "device_type": "generic-amd64"})
        self.assertEqual(taken.status, 409, taken)
        self.assertEqual(self.register(client).status, 201)
        self.assertEqual(self.register(client).status, 401)


if __name__ == "__main__":
    unittest.main(verbosity=2)
