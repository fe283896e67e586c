#!/usr/bin/env python3
"""Device logs over HTTP against a real slipwayd (balena-api.md 8.9; docs/protocols/device-logs.md)."""

import http.client
import json
import os
import socket
import sys
import time
import unittest
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.slipwayd import Slipwayd, new_uuid, wait_until  # noqa: E402

SERVER = None
SOON = 10  # seconds; only ever means failure


def setUpModule():
    global SERVER
    SERVER = Slipwayd().start()


def tearDownModule():
    try:
        status = SERVER.stop()
        assert status == 0, f"slipwayd ended with {status}:\n{SERVER.text()}"
    finally:
        SERVER.remove()


def record(text, at=None, **more):
    return {"message": text, "timestamp": int(time.time() * 1000) if at is None else at, **more}


class Device:
    """A device of the administrator's, and the keys to it."""

    count = 0

    def __init__(self, admin):
        Device.count += 1
        self.admin = admin
        organization = admin.rows("/v7/organization?$filter=handle ne 'slipway_os'")[0]["id"]
        kind = admin.rows("/v7/device_type?$filter=slug eq 'generic-amd64'&$select=id")[0]["id"]
        self.fleet = admin.create("application", app_name=f"logs{Device.count}", organization=organization,
                                  is_for__device_type=kind)["id"]
        self.uuid = new_uuid()
        made = admin.post("/device/register", {"application": self.fleet, "uuid": self.uuid,
                                               "device_type": "generic-amd64"})
        assert made.status == 201, made
        self.id = made.json["id"]
        self.key = made.json["api_key"]
        self.api = SERVER.client(self.key)
        self.logs = f"/device/v2/{self.uuid}/logs"
        self.stream = f"/device/v2/{self.uuid}/log-stream"

    def post(self, *records):
        answer = self.api.post(self.logs, list(records))
        assert answer.status == 201, answer

    def texts(self, query="", api=None):
        answer = (api or self.admin).get(self.logs + query)
        assert answer.status == 200, answer
        return [r["message"] for r in answer.json]


class Sender:
    """One long request to log-stream."""

    def __init__(self, device, key=None, kind="application/x-ndjson", encoding=None):
        self.socket = socket.create_connection(("127.0.0.1", SERVER.port), timeout=SOON)
        head = (f"POST {device.stream} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key or device.key}\r\n"
                f"Content-Type: {kind}\r\nTransfer-Encoding: chunked\r\n")
        if encoding:
            head += f"Content-Encoding: {encoding}\r\n"
        self.socket.sendall((head + "\r\n").encode())

    def send(self, data):
        self.socket.sendall(b"%x\r\n%s\r\n" % (len(data), data))

    def records(self, *records):
        self.send(b"".join(json.dumps(r).encode() + b"\n" for r in records))

    def end(self):
        self.socket.sendall(b"0\r\n\r\n")
        return self.status()

    def status(self):
        """Of the answer, once it comes."""
        answer = http.client.HTTPResponse(self.socket)
        answer.begin()
        answer.read()
        self.socket.close()
        return answer.status

    def silent(self, seconds=0.3):
        """Nothing was answered so far."""
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(1, socket.MSG_PEEK) is None
        except (TimeoutError, socket.timeout):
            return True
        finally:
            self.socket.settimeout(SOON)


class Reader:
    """One long GET of the logs."""

    def __init__(self, device, query="?stream=1", token=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", SERVER.port, timeout=SOON)
        self.connection.request("GET", device.logs + query,
                                headers={"Authorization": "Bearer " + (token or device.admin.token)})
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200, self.answer.status
        assert self.answer.getheader("Content-Type") == "application/x-ndjson"

    def line(self):
        """The next one; None at the end."""
        text = self.answer.readline()
        return json.loads(text) if text.strip() else None

    def texts(self, count):
        return [self.line()["message"] for _ in range(count)]

    def ended(self):
        try:
            return self.answer.readline() == b""
        except (http.client.HTTPException, OSError):
            return True

    def close(self):
        self.answer.close()
        self.connection.close()


def metric(name):
    text = SERVER.client().get("/metrics").text
    return float([l for l in text.splitlines() if l.startswith(name + " ")][0].split()[1])


class DeviceLogs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.admin = SERVER.login()

    def setUp(self):
        self.device = Device(self.admin)

    def test_what_a_device_posted_is_read_back(self):
        before = int(time.time() * 1000)
        self.device.post(record("one", 17, serviceId=9, isStdErr=True), record("two ü", 18, isSystem=True))
        answer = self.admin.get(self.device.logs)
        self.assertEqual(answer.status, 200, answer)
        one, two = answer.json
        self.assertGreaterEqual(one.pop("createdAt"), before - 1000)
        two.pop("createdAt")
        self.assertEqual(one, {"message": "one", "timestamp": 17, "isSystem": False, "isStdErr": True, "serviceId": 9})
        self.assertEqual(two, {"message": "two ü", "timestamp": 18, "isSystem": True, "isStdErr": False})
        self.assertEqual(self.device.texts("?count=1"), ["two ü"])
        self.assertEqual(self.device.texts("?count=all"), ["one", "two ü"])
        self.assertEqual(self.device.texts("?start=18"), ["two ü"])
        self.assertEqual(self.device.texts("?count=0"), [])
        self.assertEqual(self.admin.get(self.device.logs + "?count=many").status, 400)

    def test_wrong_batches_leave_nothing(self):
        for wrong in ({}, [{}], [record("x", "yesterday")], [record("x", is_system=True)],
                      [record("x", is_stderr=True)], [record("x", image_id=3)],
                      [record("ok"), {"message": 3}], [record(str(i)) for i in range(11)]):
            answer = self.device.api.post(self.device.logs, wrong)
            self.assertEqual(answer.status, 400, (wrong, answer))
        self.device.post(record("dropped", uuid="a" * 32), record("kept"))
        self.assertEqual(self.device.texts(), ["kept"])

    def test_a_device_that_posts_too_often_is_told_when_to_go_on(self):
        answers = [self.device.api.post(self.device.logs, [record("x")]) for _ in range(16)]
        self.assertEqual([a.status for a in answers], [201] * 15 + [429])
        self.assertIn(int(answers[-1].headers["Retry-After"]), range(1, 11))
        self.assertEqual(len(self.device.texts()), 15)
        Device(self.admin).post(record("another device is not concerned"))

    def test_only_the_device_writes_and_only_who_sees_it_reads(self):
        name = "eve" + new_uuid()[:6]
        self.admin.create("user", username=name, password="a good password", email=f"{name}@example.org")
        eve = SERVER.login(name, "a good password")
        other = Device(self.admin)
        self.device.post(record("secret"))
        for who, expected in ((SERVER.client(), 401), (eve, 404), (other.api, 404)):
            self.assertEqual(who.get(self.device.logs).status, expected)
            self.assertEqual(who.get(self.device.logs + "?stream=1").status, expected)
            self.assertEqual(who.post(self.device.logs, [record("forged")]).status, 401)
        self.assertEqual(self.admin.get(f"/device/v2/{new_uuid()}/logs").status, 404)
        self.assertEqual(self.device.texts(), ["secret"])

    def test_a_stream_is_refused_before_its_first_byte(self):
        self.assertEqual(Sender(self.device, key="wrong").status(), 401)
        self.assertEqual(Sender(self.device, key=Device(self.admin).key).status(), 401)
        self.assertEqual(Sender(self.device, kind="application/json").status(), 415)
        self.assertEqual(Sender(self.device, encoding="br").status(), 415)

    def test_a_stream_is_stored_as_it_comes_and_answered_at_its_end(self):
        sender = Sender(self.device)
        sender.records(record("a"), record("b"))
        wait_until(lambda: self.device.texts() == ["a", "b"])
        sender.send(b'not json\n{"message":1}\n\n' + b"x" * 70_000 + b"\n" + json.dumps(record("c")).encode()[:20])
        self.assertTrue(sender.silent())
        sender.send(json.dumps(record("c")).encode()[20:] + b"\n" + json.dumps(record("d")).encode())
        wait_until(lambda: len(self.device.texts()) == 3)
        self.assertEqual(sender.end(), 201)
        self.assertEqual(self.device.texts(), ["a", "b", "c", "d"])

    def test_a_gzip_stream_is_inflated_as_it_comes(self):
        packer = zlib.compressobj(wbits=31)
        sender = Sender(self.device, encoding="gzip")
        for i in range(5):
            sender.send(packer.compress(json.dumps(record(f"line {i}")).encode() + b"\n")
                        + packer.flush(zlib.Z_SYNC_FLUSH))
            wait_until(lambda: len(self.device.texts()) == i + 1)
        sender.send(packer.flush())
        self.assertEqual(sender.end(), 201)
        cut = Sender(self.device, encoding="gzip")
        cut.send(zlib.compress(b"x", wbits=31)[:-4])
        self.assertEqual(cut.end(), 400)
        broken = Sender(self.device, encoding="gzip")
        broken.send(b"this is not gzip at all")
        self.assertEqual(broken.status(), 400)

    def test_a_bomb_of_gzip_is_read_in_small_pieces(self):
        packer = zlib.compressobj(9, wbits=31)
        bomb = b"".join(packer.compress(b" " * 1_000_000) for _ in range(100)) + packer.flush()
        sender = Sender(self.device, encoding="gzip")
        sender.send(bomb)
        self.assertTrue(sender.silent())
        with open(f"/proc/{SERVER.process.pid}/status", encoding="ascii") as status:
            kilobytes = int([l.split()[1] for l in status if l.startswith("VmRSS")][0])
        self.assertLess(kilobytes, 200_000)
        sender.socket.close()

    def test_history_is_followed_by_live_lines_without_gap_or_repetition(self):
        sender = Sender(self.device)
        sender.records(*[record(f"{i}") for i in range(300)])
        wait_until(lambda: len(self.device.texts("?count=all")) == 300)
        readers = [Reader(self.device, "?stream=1&count=100"), Reader(self.device, "?stream=1&count=all"),
                   Reader(self.device)]
        for i in range(300, 1000):
            sender.records(record(f"{i}"))
        self.assertEqual(readers[0].texts(800), [str(i) for i in range(200, 1000)])
        self.assertEqual(readers[1].texts(1000), [str(i) for i in range(1000)])
        self.assertEqual(readers[2].texts(700), [str(i) for i in range(300, 1000)])
        self.assertEqual(sender.end(), 201)
        for r in readers:
            r.close()

    def test_a_reader_that_leaves_frees_its_place(self):
        before = metric("slipway_log_readers")
        readers = [Reader(self.device) for _ in range(5)]
        self.assertEqual(metric("slipway_log_readers"), before + 5)
        for r in readers:
            r.close()
        wait_until(lambda: metric("slipway_log_readers") <= before)

    def test_too_many_readers_of_one_device_are_refused(self):
        readers = [Reader(self.device) for _ in range(64)]
        self.assertEqual(self.admin.get(self.device.logs + "?stream=1").status, 429)
        Reader(Device(self.admin)).close()
        for r in readers:
            r.close()
        wait_until(lambda: self.admin.get(self.device.logs).status == 200)

    def test_a_reader_is_cut_at_once_when_its_key_is_revoked(self):
        key = self.admin.post("/api-key/user/full", {"name": "reader"}).json
        reader = Reader(self.device, token=key)
        self.device.post(record("seen"))
        self.assertEqual(reader.texts(1), ["seen"])
        row = [k for k in self.admin.rows("/v7/api_key?$select=id,name") if k["name"] == "reader"][0]
        began = time.monotonic()
        self.assertEqual(self.admin.delete(f"/v7/api_key({row['id']})").status, 200)
        self.device.post(record("not for you"))
        self.assertTrue(reader.ended())
        self.assertLess(time.monotonic() - began, 3)

    def test_a_reader_is_cut_at_once_when_the_device_goes(self):
        reader = Reader(self.device)
        began = time.monotonic()
        self.assertEqual(self.admin.delete(f"/v7/device({self.device.id})").status, 200)
        self.assertTrue(reader.ended())
        self.assertLess(time.monotonic() - began, 3)
        self.assertEqual(self.admin.get(self.device.logs).status, 404)
        self.assertEqual(self.device.api.post(self.device.logs, [record("late")]).status, 401)

    def test_a_sender_is_cut_when_the_device_goes(self):
        sender = Sender(self.device)
        sender.records(record("a"))
        wait_until(lambda: self.device.texts() == ["a"])
        self.assertEqual(self.admin.delete(f"/v7/device({self.device.id})").status, 200)
        sender.records(record("b"))
        self.assertEqual(sender.status(), 401)

    def test_a_reader_with_no_right_left_is_cut_at_once(self):
        name = "tom" + new_uuid()[:6]
        user = self.admin.create("user", username=name, password="a good password",
                                 email=f"{name}@example.org")["id"]
        organization = self.admin.rows(f"/v7/application({self.device.fleet})?$select=organization")[0]
        role = self.admin.rows("/v7/organization_membership_role?$filter=name eq 'observer'")[0]["id"]
        membership = self.admin.create("organization_membership", user=user, organization_membership_role=role,
                                       is_member_of__organization=organization["organization"]["__id"])["id"]
        tom = SERVER.login(name, "a good password")
        reader = Reader(self.device, token=tom.token)
        self.device.post(record("seen"))
        self.assertEqual(reader.texts(1), ["seen"])
        self.assertEqual(self.admin.delete(f"/v7/organization_membership({membership})").status, 200)
        self.device.post(record("not for you"))
        self.assertTrue(reader.ended())
        self.assertEqual(tom.get(self.device.logs).status, 404)


class DeviceLogsAcrossRestarts(unittest.TestCase):
    def test_a_server_killed_in_the_middle_of_a_write_keeps_what_it_acknowledged(self):
        device = Device(SERVER.login())
        acknowledged = []
        tried = 0
        for point in ("device_logs.append.begin", "device_logs.append.written"):
            SERVER.stop()
            SERVER.start(env={"SLIPWAY_FAILPOINT": point + ":4"})
            device.api = SERVER.client(device.key)
            for _ in range(10):
                tried += 1
                batch = [record(f"{tried}.{k}") for k in range(10)]
                try:
                    answer = device.api.post(device.logs, batch)
                except (http.client.HTTPException, OSError):
                    break
                self.assertEqual(answer.status, 201, answer)
                acknowledged += [r["message"] for r in batch]
            else:
                self.fail("the server did not die at " + point)
            SERVER.wait()
            SERVER.start()
            device.admin = SERVER.login()
            kept = device.texts("?count=all")
            self.assertEqual([t for t in kept if t in acknowledged], acknowledged)
            # A batch is there whole or not at all, and once.
            self.assertEqual(len(kept) % 10, 0)
            self.assertEqual(len(set(kept)), len(kept))
        self.assertGreaterEqual(len(acknowledged), 60)

    def test_acknowledged_records_survive_a_kill(self):
        admin = SERVER.login()
        device = Device(admin)
        for i in range(14):
            device.post(*[record(f"{10 * i + k}") for k in range(10)])
        sender = Sender(device)
        sender.records(*[record(f"streamed {i}") for i in range(50)])
        wait_until(lambda: len(device.texts("?count=all")) == 190)
        reader = Reader(device)
        SERVER.kill()
        self.assertTrue(reader.ended())
        SERVER.start()
        device.admin = SERVER.login()
        device.api = SERVER.client(device.key)
        expected = [str(i) for i in range(140)] + [f"streamed {i}" for i in range(50)]
        self.assertEqual(device.texts("?count=all"), expected)
        device.post(record("after"))
        self.assertEqual(device.texts("?count=all"), expected + ["after"])
        # A reader that comes back asks from where it was.
        again = Reader(device, "?stream=1&count=1", token=device.admin.token)
        self.assertEqual(again.texts(1), ["after"])
        began = time.monotonic()
        self.assertEqual(SERVER.stop(), 0)
        self.assertLess(time.monotonic() - began, 10)
        self.assertTrue(again.ended())
        SERVER.start(env={"SLIPWAY_LOG_RETENTION_LINES": "100"})
        device.admin = SERVER.login()
        device.api = SERVER.client(device.key)
        device.post(record("the last"))
        kept = device.texts("?count=all")
        self.assertLessEqual(len(kept), 101)
        self.assertEqual(kept[-1], "the last")


if __name__ == "__main__":
    unittest.main(verbosity=1, warnings="ignore")
