#!/usr/bin/env python3
"""Every role at every route that does more than read and write rows, by the table of docs/permissions.md.

The page is written from the one table of rights (tests/domain/permission_page_test.cpp), so what is expected here is what that table says."""

import base64
import json
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.slipwayd import Slipwayd, new_uuid  # noqa: E402
from support.tenant import Tenant  # noqa: E402

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "permissions.md")
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


def table(title):
    """Rows of the table whose first heading this is, as dictionaries by heading."""
    with open(PAGE, encoding="utf-8") as file:
        lines = [line.rstrip("\n") for line in file]
    at = next(i for i, line in enumerate(lines) if re.match(rf"\| {title} \| (?!Resources|Means)", line))

    def cells(line):
        return [cell.strip().replace("`", "") for cell in line.strip("|").split("|")]
    out = []
    for line in lines[at + 2:]:
        if not line.startswith("|"):
            break
        out.append(dict(zip(cells(lines[at]), cells(line))))
    return out


class World:
    """A tenant with everybody there is around its fleet and device."""

    def __init__(self):
        self.admin = SERVER.login()
        self.ann, self.bob = Tenant(SERVER, self.admin), Tenant(SERVER, self.admin)
        self.release = self.ann.given_release()
        self.device, self.sibling = self.ann.given_device(), self.ann.given_device()
        self.foreign = self.bob.given_device()
        self.app = self.ann.api.rows(f"/v7/application({self.ann.fleet})?$select=uuid")[0]["uuid"]
        self.repository = self.release["image"].split("/", 1)[1]
        guest = SERVER.client()
        # Who, what he is to the fleet and its device as the page's columns call it, and his credential.
        self.askers = [("platform", ["platform"], self.admin), ("a stranger", [], self.bob.api),
                       ("a guest", [], guest),
                       ("the device", ["device", "sibling"], self.device["api"]),
                       ("a sibling", ["sibling"], self.sibling["api"]),
                       ("a stranger's device", [], self.foreign["api"]),
                       ("a provisioning key", ["provis."], SERVER.client(self.ann.provisioning_key())),
                       ("a stranger's provisioning key", [], SERVER.client(self.bob.provisioning_key()))]
        for role, column in (("administrator", "admin."), ("developer", "devel."), ("operator", "oper."),
                             ("observer", "observ."), ("member", "member")):
            user = Tenant(SERVER, self.admin)
            found = self.ann.api.rows(f"/v7/organization_membership_role(name='{role}')?$select=id")
            self.ann.api.create("organization_membership", username=user.name, organization_membership_role=found[0]["id"],
                                is_member_of__organization=self.ann.organization)
            key = user.api.post("/api-key/user/full", {"name": "k"})
            self.askers += [(role, [column], user.api), (f"the key of a {role}", [column], SERVER.client(key.json))]


def scope_of(client, where, action):
    """As docker asks: the actions that the token names."""
    basic = base64.b64encode(f"x:{client.token}".encode()).decode() if client.token else None
    answer = SERVER.client().get(f"/auth/v1/token?service=s&scope=repository:{where}:{action}",
                                 headers={"Authorization": "Basic " + basic} if basic else {})
    if answer.status != 200:
        return answer
    body = answer.json["token"].split(".")[1]
    access = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["access"]
    answer.status = 200 if any(action in a["actions"] for a in access) else 401
    answer.text = ""  # the token differs each time, its access is what is compared
    return answer


def ask(w, route, client, there):
    """One request; of what is `there`, or of what nobody has."""
    uuid = w.device["uuid"] if there else "f" * 32
    device, fleet = (w.device["id"], w.ann.fleet) if there else (999_999_999, 999_999_999)
    app = w.app if there else "e" * 32
    now = {"message": "hello", "timestamp": 1_795_428_832_331}
    return {
        "GET /device/v3/:uuid/state": lambda: client.get(f"/device/v3/{uuid}/state"),
        "GET /device/v2/:uuid/state": lambda: client.get(f"/device/v2/{uuid}/state"),
        "GET /device/v3/fleet/:uuid/state": lambda: client.get(f"/device/v3/fleet/{app}/state"),
        "PATCH /device/v3/state": lambda: client.patch("/device/v3/state", {uuid: {"status": "Idle"}}),
        "PATCH /device/v2/:uuid/state": lambda: client.patch(
            f"/device/v2/{uuid}/state", {"local": {"status": "Idle"}}),
        "PATCH /device/v3/tags": lambda: client.patch("/device/v3/tags", {uuid: {"k": "v"}}),
        "POST /device/register": lambda: client.post("/device/register", {
            "application": fleet, "uuid": new_uuid(), "device_type": "generic-amd64"}),
        "GET /download-config": lambda: client.get(f"/download-config?appId={fleet}&version=2.95.0"),
        "POST /download-config": lambda: client.post("/download-config", {"appId": fleet, "version": "2.95.0"}),
        "GET /device/v2/:uuid/logs": lambda: client.get(f"/device/v2/{uuid}/logs"),
        "POST /device/v2/:uuid/logs": lambda: client.post(f"/device/v2/{uuid}/logs", [now]),
        "POST /device/v2/:uuid/log-stream": lambda: client.send(
            "POST", f"/device/v2/{uuid}/log-stream", raw=json.dumps(now).encode() + b"\n",
            headers={"Content-Type": "application/x-ndjson"}),
        "GET /access/v1/hostos/:uuid": lambda: client.get(f"/access/v1/hostos/{uuid}"),
        "GET /services/vpn/auth/:uuid": lambda: client.get(f"/services/vpn/auth/{uuid}"),
        "POST /supervisor/*, reading": lambda: client.post(
            "/supervisor/v1/device", {"uuid": uuid, "method": "GET"}),
        "POST /supervisor/*, changing": lambda: client.post("/supervisor/v1/reboot", {"uuid": uuid}),
        "POST /application/:id/restart": lambda: client.post(f"/application/{fleet}/restart"),
        "POST /api-key/application/:id/provisioning": lambda: client.post(
            f"/api-key/application/{fleet}/provisioning", {}),
        "POST /api-key/device/:id/device-key": lambda: client.post(f"/api-key/device/{device}/device-key", {}),
        "GET /auth/v1/token, pull": lambda: scope_of(client, w.repository if there else "v2/" + "a" * 32, "pull"),
        "GET /auth/v1/token, push": lambda: scope_of(client, w.repository if there else "v2/" + "a" * 32, "push"),
        "GET /auth/v1/token, delete": lambda: scope_of(client, w.repository if there else "v2/" + "a" * 32, "delete"),
    }[route]()


class PermissionRoutes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.w = World()
        cls.rows = {r["Rows"]: r for r in table("Rows")}
        cls.actions = {(r["Action"], r["On"]): r for r in table("Action")}
        cls.routes = table("Route")

    def sees(self, on, columns):
        group = {"device": "devices", "application": "fleets", "image": "releases"}[on]
        return any("s" in self.rows[group][c] for c in columns)

    def expected(self, line, columns, is_guest):
        """By the page: who may, who sees but may not, who sees nothing, who says nothing of himself."""
        name, _, on = line["Action"].partition(" on ")
        may = any("r" in self.rows["releases"][c] if name == "remove" else self.actions[name, on][c] == "x"
                  for c in columns)
        kind = "may" if may else "guest" if is_guest else "sees" if on and self.sees(on, columns) else "else"
        return int(line[kind])

    def test_every_role_gets_at_every_route_what_the_page_says(self):
        wrong = []
        for line in self.routes:
            for who, columns, client in self.w.askers:
                got = ask(self.w, line["Route"], client, True)
                want = self.expected(line, columns, who == "a guest")
                if got.status != want:
                    wrong.append(f"{line['Route']} by {who}: {want} expected, {got}")
        self.assertGreater(len(self.routes), 20)
        self.assertEqual(wrong, [], "\n".join(wrong))

    def test_who_sees_nothing_hears_the_same_of_what_is_there_and_of_what_is_not(self):
        wrong = []
        for line in self.routes:
            on = line["Action"].partition(" on ")[2]
            for who, columns, client in self.w.askers:
                if on and self.sees(on, columns):
                    continue
                there, nowhere = (ask(self.w, line["Route"], client, one) for one in (True, False))
                if there.status in (200, 201) and who != "a guest":
                    continue  # what he may do without seeing it: a provisioning key at its fleet
                drop = ("Date", "X-Request-Id")
                heads = [{k: v for k, v in a.headers.items() if k not in drop} for a in (there, nowhere)]
                if "token" in line["Route"]:
                    heads = [None, None]
                if (there.status, there.text, heads[0]) != (nowhere.status, nowhere.text, heads[1]):
                    wrong.append(f"{line['Route']} by {who}: {there} {heads[0]}, but {nowhere} {heads[1]}")
        self.assertEqual(wrong, [], "\n".join(wrong))

    def test_no_route_of_a_device_or_key_is_missing_from_the_page(self):
        listed = {r["Route"].partition(",")[0] for r in self.routes}
        here = os.path.dirname(PAGE)
        found = set()
        for source in ("gateways/router.cpp", "gateways/api/accounts.cpp"):
            with open(os.path.join(here, "..", source), encoding="utf-8") as file:
                for method, pattern in re.findall(r'\{"([A-Z]+)",\s*"([^"]+)"', file.read()):
                    found.add(f"{method} {pattern}")
        prefixes = ("/device/", "/api-key/", "/supervisor/", "/application/", "/download-config", "/services/", "/access/")
        elsewhere = {"POST /api-key/user/full", "POST /api-key/v1", "POST /api-key/v2", "POST /application/:id/generate-api-key"}
        mine = {r for r in found if r.split(" ")[1].startswith(prefixes)} - elsewhere
        self.assertGreater(len(mine), 15)
        self.assertEqual(mine - listed, set())


if __name__ == "__main__":
    unittest.main(verbosity=2)
