#!/usr/bin/env python3
"""The builder's HTTP interface on a server without build workers: what is taken, refused, queued, followed and cancelled
(docs/protocols/builder.md; balena-api.md 5)."""

import gzip
import http.client
import io
import json
import os
import socket
import sys
import tarfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.slipwayd import Slipwayd, wait_until  # noqa: E402
from support.tenant import Tenant  # noqa: E402

SERVER = None
ADMIN = None


def setUpModule():
    global SERVER, ADMIN
    SERVER = Slipwayd().start(env={"SLIPWAY_BUILDER_ENGINE": "none"})
    ADMIN = SERVER.login()


def tearDownModule():
    try:
        status = SERVER.stop()
        code, said = SERVER.rebuild()
        assert status == 0, f"slipwayd ended with {status}:\n{SERVER.text()}"
        assert code == 0 and "rebuild: identical" in said, said
    finally:
        SERVER.remove()


def project(files=None, entries=()):
    """A gzip tar of texts by path, and of further members."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for path, text in (files or {"Dockerfile": "FROM scratch\nCOPY a a\n", "a": "a"}).items():
            member = tarfile.TarInfo(path)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
        for member in entries:
            tar.addfile(member)
    return out.getvalue()


def query(tenant, **more):
    words = {"slug": slug(tenant), "dockerfilePath": "", "emulated": "false", "nocache": "false",
             "headless": "false", "isdraft": "false", **more}
    return "/v3/build?" + "&".join(f"{k}={v}" for k, v in words.items())


def slug(tenant):
    return tenant.api.rows(f"/v7/application({tenant.fleet})?$select=slug")[0]["slug"]


class Push:
    """A build over a connection of its own, read as it comes."""

    def __init__(self, tenant, body, path=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", SERVER.port, timeout=30)
        self.connection.request("POST", path or query(tenant), body=iter([body]), encode_chunked=True, headers={
            "Authorization": "Bearer " + tenant.api.token, "Content-Encoding": "gzip",
            "Transfer-Encoding": "chunked"})
        self.answer = self.connection.getresponse()
        self.status = self.answer.status
        self.text = ""

    def until(self, word):
        while word not in self.text:
            piece = self.answer.read1(65536)
            assert piece, self.text
            self.text += piece.decode()
        return self.text

    def rest(self):
        self.text += self.answer.read().decode()
        return json.loads(self.text)

    def release(self):
        self.until("buildLogId")
        self.until("}")
        return json.loads(self.text.split("}")[0][1:] + "}")["value"]

    def close(self):
        # The answer holds the socket too.
        self.connection.sock.shutdown(socket.SHUT_RDWR) if self.connection.sock else None
        self.answer.close()
        self.connection.close()


def release_of(tenant, release):
    return tenant.api.rows(f"/v7/release({release})")[0]


class Builds(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ann = Tenant(SERVER, ADMIN)
        cls.bob = Tenant(SERVER, ADMIN)

    def test_a_build_is_a_running_release_with_its_rows_and_waits_for_a_worker(self):
        push = Push(self.ann, project())
        self.assertEqual(push.status, 200)
        release = push.release()
        push.until("No worker")
        row = release_of(self.ann, release)
        self.assertEqual((row["status"], row["source"]), ("running", "cloud"))
        build = self.ann.api.rows(f"/v7/build?$filter=release eq {release}")[0]
        self.assertEqual((build["status"], build["source"], build["attempt"]), ("queued", "push", 1))
        self.assertEqual(json.loads(build["services"]) if isinstance(build["services"], str) else build["services"],
                         [{"name": "main", "status": "queued"}])
        images = self.ann.api.rows(f"/v7/release({release})?$expand=release_image($expand=image)")[0]["release_image"]
        self.assertEqual(len(images), 1)
        push.close()
        wait_until(lambda: release_of(self.ann, release)["status"] == "cancelled")

    def test_a_client_that_goes_away_cancels_its_build(self):
        push = Push(self.ann, project())
        release = push.release()
        push.close()
        wait_until(lambda: release_of(self.ann, release)["status"] == "cancelled")
        build = self.ann.api.rows(f"/v7/build?$filter=release eq {release}")[0]
        self.assertEqual(build["status"], "cancelled")
        self.assertIsNotNone(build["end_timestamp"])

    def test_a_release_cancelled_by_the_api_ends_its_build_and_stream(self):
        push = Push(self.ann, project())
        release = push.release()
        done = self.ann.api.patch(f"/v7/release({release})?$filter=status ne 'success'",
                                  {"status": "cancelled", "end_timestamp": 1795428832331})
        self.assertEqual(done.status, 200)
        elements = push.rest()
        self.assertTrue(elements[-1]["isError"])
        self.assertIn("cancelled", elements[-1]["message"])

    def test_a_detached_build_goes_on_without_its_client(self):
        answer = self.ann.api.send("POST", query(self.ann, headless="true"), raw=project())
        self.assertEqual(answer.status, 200, answer)
        self.assertIs(answer.json["started"], True)
        release = answer.json["releaseId"]
        time.sleep(1.5)
        self.assertEqual(release_of(self.ann, release)["status"], "running")
        self.ann.api.patch(f"/v7/release({release})", {"status": "cancelled"})
        wait_until(lambda: self.ann.api.rows(f"/v7/build?$filter=release eq {release}")[0]["status"] == "cancelled")

    def test_a_draft_is_no_final_release(self):
        answer = self.ann.api.send("POST", query(self.ann, headless="true", isdraft="true"), raw=project())
        release = answer.json["releaseId"]
        self.assertIs(release_of(self.ann, release)["is_final"], False)
        self.ann.api.patch(f"/v7/release({release})", {"status": "cancelled"})

    def test_a_log_is_read_from_any_offset_and_followed_to_its_end(self):
        push = Push(self.ann, project())
        release = push.release()
        push.until("No worker")
        path = f"/build/v1/{release}/log"
        whole = self.ann.api.get(path).text
        lines = whole.splitlines()
        self.assertGreaterEqual(len(lines), 2)
        self.assertEqual(self.ann.api.get(f"{path}?offset={len(lines[0]) + 1}").text, whole[len(lines[0]) + 1:])
        follower = http.client.HTTPConnection("127.0.0.1", SERVER.port, timeout=30)
        follower.request("GET", path + "?follow=true&offset=0", headers={"Authorization": "Bearer " + self.ann.api.token})
        answer = follower.getresponse()
        self.assertEqual(answer.getheader("Content-Type"), "application/x-ndjson")
        push.close()
        text = answer.read().decode()
        self.assertTrue(text.startswith(whole))
        self.assertEqual(json.loads(text.splitlines()[-1])["end"], "cancelled")
        follower.close()

    def follow(self, release):
        connection = http.client.HTTPConnection("127.0.0.1", SERVER.port, timeout=60)
        self.addCleanup(connection.close)
        connection.request("GET", f"/build/v1/{release}/log?follow=true",
                           headers={"Authorization": "Bearer " + self.ann.api.token})
        return connection.getresponse()

    def test_a_log_whose_last_line_is_missing_ends_as_its_build_did(self):
        release = self.ann.api.send("POST", query(self.ann, headless="true"), raw=project()).json["releaseId"]
        self.ann.api.patch(f"/v7/release({release})", {"status": "cancelled"})
        path = os.path.join(SERVER.folder, "data", "builds", "logs", f"{release}.log")

        def lines():
            with open(path, encoding="utf-8") as file:
                return file.readlines()
        wait_until(lambda: '"end"' in lines()[-1])
        kept = "".join(lines()[:-1])
        os.truncate(path, len(kept.encode()))
        text = self.follow(release).read().decode()
        self.assertTrue(text.startswith(kept))
        self.assertEqual(json.loads(text[len(kept):])["end"], "cancelled")

    def test_streams_of_a_silent_build_show_signs_of_life(self):
        push = Push(self.ann, project())
        release = push.release()
        log = self.follow(release)
        push.until("No worker")
        push.until("\n")  # between two elements: in texts it is escaped
        text = ""
        while "\n\n" not in text:
            text += log.read1(65536).decode()
        self.ann.api.patch(f"/v7/release({release})", {"status": "cancelled"})
        self.assertTrue(push.rest()[-1]["isError"])
        text += log.read().decode()
        self.assertEqual(json.loads(text.splitlines()[-1])["end"], "cancelled")

    def test_logs_are_for_who_sees_the_release(self):
        answer = self.ann.api.send("POST", query(self.ann, headless="true"), raw=project())
        release = answer.json["releaseId"]
        self.assertEqual(self.bob.api.get(f"/build/v1/{release}/log").status, 404)
        self.assertEqual(SERVER.client().get(f"/build/v1/{release}/log").status, 404)
        self.assertEqual(self.bob.api.rows(f"/v7/build?$filter=release eq {release}"), [])
        self.ann.api.patch(f"/v7/release({release})", {"status": "cancelled"})

    def test_who_may_not_push_to_a_fleet_builds_nothing_there(self):
        guest = SERVER.client().send("POST", query(self.ann), raw=project())
        self.assertIn(guest.status, (401, 404), guest)
        stranger = self.bob.api.send("POST", query(self.ann), raw=project())
        self.assertEqual(stranger.status, 404)
        unknown = self.ann.api.send("POST", "/v3/build?slug=nobody/nothing", raw=project())
        self.assertEqual(unknown.status, 404)

    def test_a_server_fetches_no_sources_from_addresses(self):
        answer = self.ann.api.post("/v3/buildFromUrl?headless=true&owner=a&app=b", {"url": "http://127.0.0.1/x"})
        self.assertEqual(answer.status, 200)
        self.assertIs(answer.json["started"], False)

    def test_faults_of_a_project_are_told_with_file_and_line_and_make_no_release(self):
        before = len(self.ann.api.rows(f"/v7/release?$filter=belongs_to__application eq {self.ann.fleet}&$select=id"))
        compose = "version: '2.1'\nservices:\n  web:\n    build: ./web\n    volumes:\n      - /etc:/etc\n"
        push = Push(self.ann, project({"docker-compose.yml": compose, "web/Dockerfile": "FROM scratch\n"}))
        elements = push.rest()
        self.assertTrue(all(e["isError"] for e in elements))
        self.assertIn("docker-compose.yml:6", elements[0]["message"])
        after = len(self.ann.api.rows(f"/v7/release?$filter=belongs_to__application eq {self.ann.fleet}&$select=id"))
        self.assertEqual(before, after)

    def test_hostile_sources_are_refused_and_leave_nothing(self):
        def member(name, kind=tarfile.REGTYPE, link=""):
            m = tarfile.TarInfo(name)
            m.type, m.linkname = kind, link
            return m
        hostile = {
            "climbing": [member("../evil")],
            "absolute": [member("/etc/evil")],
            "device": [member("null", tarfile.CHRTYPE)],
            "link out": [member("out", tarfile.SYMTYPE, "/etc/passwd")],
        }
        for name, entries in hostile.items():
            with self.subTest(name):
                answer = self.ann.api.send("POST", query(self.ann), raw=project(entries=entries))
                self.assertEqual(answer.status, 400, answer)
        self.assertEqual(self.ann.api.send("POST", query(self.ann), raw=b"no tar at all" * 100).status, 400)
        self.assertEqual(self.ann.api.send("POST", query(self.ann), raw=gzip.compress(b"")).status, 400)
        self.assertEqual(os.listdir(os.path.join(SERVER.folder, "data", "builds", "sources")), [])

    def test_yaml_that_unfolds_without_end_is_refused(self):
        bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n"
        for level in "bcdefghij":
            before = chr(ord(level) - 1)
            bomb += f"{level}: &{level} [{', '.join(['*' + before] * 9)}]\n"
        bomb += "services: *j\n"
        push = Push(self.ann, project({"docker-compose.yml": bomb}))
        self.assertTrue(push.rest()[0]["isError"])

    def test_one_user_sends_four_sources_at_once_and_keeps_nobody_else_from_it(self):
        held = []

        def begin(tenant):
            connection = http.client.HTTPConnection("127.0.0.1", SERVER.port, timeout=30)
            held.append(connection)
            connection.putrequest("POST", query(tenant))
            connection.putheader("Authorization", "Bearer " + tenant.api.token)
            connection.putheader("Content-Length", "1000000")
            connection.endheaders(b"x")
        def bodies():
            return sum(name.endswith(".body") for name in os.listdir(folder))
        folder = os.path.join(SERVER.folder, "data", "builds", "sources")
        try:
            for n in range(1, 5):
                begin(self.ann)
                wait_until(lambda: bodies() == n)
            refused = self.ann.api.send("POST", query(self.ann, headless="true"), raw=project())
            self.assertEqual(refused.status, 429)
            self.assertIn("you send 4 sources already", refused.text)
            taken = self.bob.api.send("POST", query(self.bob, headless="true"), raw=project())
            self.assertIs(taken.json["started"], True)
            self.bob.api.patch(f"/v7/release({taken.json['releaseId']})", {"status": "cancelled"})
        finally:
            for connection in held:
                connection.close()
        wait_until(lambda: bodies() == 0)
        again = self.ann.api.send("POST", query(self.ann, headless="true"), raw=project())
        self.assertIs(again.json["started"], True)
        self.ann.api.patch(f"/v7/release({again.json['releaseId']})", {"status": "cancelled"})

    def test_a_stop_does_not_wait_for_a_source_that_is_unpacked(self):
        # 7 GiB of comments about empty files: they take half a minute to read and no room on the disk.
        said = io.BytesIO()
        with tarfile.open(fileobj=said, mode="w", format=tarfile.PAX_FORMAT) as tar:
            member = tarfile.TarInfo("a")
            member.pax_headers = {"comment": "x" * 900_000}
            tar.addfile(member)
            entry = said.getvalue()[:tar.offset]
        body = gzip.compress(entry) * 8_000
        server = Slipwayd().start(env={"SLIPWAY_BUILDER_ENGINE": "none"})
        try:
            tenant = Tenant(server, server.login())

            def push():
                try:
                    tenant.api.send("POST", query(tenant, headless="true"), raw=body)
                except (OSError, http.client.HTTPException):
                    pass  # the server cuts what it cannot finish
            pusher = threading.Thread(target=push)
            pusher.start()
            folder = os.path.join(server.folder, "data", "builds", "sources")
            wait_until(lambda: any(name.endswith(".tar") for name in os.listdir(folder)))
            before = time.monotonic()
            self.assertEqual(server.stop(), 0, server.text())
            self.assertLess(time.monotonic() - before, 15)
            pusher.join()
        finally:
            server.remove()

    def test_a_restart_ends_builds_that_were_under_way(self):
        server = Slipwayd().start(env={"SLIPWAY_BUILDER_ENGINE": "none"})
        try:
            tenant = Tenant(server, server.login())
            answer = tenant.api.send("POST", query(tenant, headless="true"), raw=project())
            release = answer.json["releaseId"]
            tenant.api.close()
            server.kill()
            server.start(env={"SLIPWAY_BUILDER_ENGINE": "none"})
            tenant.api = server.login(tenant.name, tenant.password)
            wait_until(lambda: release_of(tenant, release)["status"] == "failed")
            log = tenant.api.get(f"/build/v1/{release}/log").text.splitlines()
            self.assertEqual(json.loads(log[-1])["end"], "failed")
            again = tenant.api.send("POST", query(tenant, headless="true"), raw=project())
            self.assertIs(again.json["started"], True)
        finally:
            server.remove()


if __name__ == "__main__":
    unittest.main()
