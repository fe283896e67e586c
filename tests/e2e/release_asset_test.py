#!/usr/bin/env python3
"""Release assets: forms, uploads in parts, links, and what becomes of the bytes (balena-api.md 4.12)."""

import hashlib
import http.client
import os
import secrets
import subprocess
import sys
import threading
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.slipwayd import Slipwayd, wait_until  # noqa: E402
from support.tenant import Tenant  # noqa: E402

SERVER = None
CHUNK = 65536


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


def form(fields, bytes_=None, filename="a b.bin", content_type="application/x-thing", file_first=False):
    """A form's headers and body."""
    mark = secrets.token_hex(16)
    parts = [f'--{mark}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode() for k, v in fields.items()]
    if bytes_ is not None:
        head = (f'--{mark}\r\nContent-Disposition: form-data; name="asset"; filename="{filename}"\r\n'
                f"Content-Type: {content_type}\r\n\r\n")
        parts.insert(0 if file_first else len(parts), head.encode() + bytes_ + b"\r\n")
    body = b"".join(parts) + f"--{mark}--\r\n".encode()
    return {"headers": {"Content-Type": f"multipart/form-data; boundary={mark}"}, "raw": body}


def local(href):
    """The path and query of a link of this server."""
    parts = urllib.parse.urlsplit(href)
    assert parts.netloc == f"127.0.0.1:{SERVER.port}", href
    return parts.path + "?" + parts.query


def stored():
    """Names of all blobs, and of all files of uploads under way."""
    root = os.path.join(SERVER.folder, "data", "assets")
    blobs = {name for _, _, names in os.walk(os.path.join(root, "blobs")) for name in names}
    return blobs, set(os.listdir(os.path.join(root, "uploads")))


def name_of(bytes_):
    return hashlib.sha256(bytes_).hexdigest()


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.admin = SERVER.login()
        cls.guest = SERVER.client()
        cls.ann = Tenant(SERVER, cls.admin)
        cls.bob = Tenant(SERVER, cls.admin)
        cls.release = cls.ann.given_release()["id"]

    def refused(self, answer, status, words=""):
        self.assertEqual(answer.status, status, answer)
        self.assertIn(words, answer.json)

    def upload(self, bytes_, key=None, api=None, status=201, **how):
        fields = {"asset_key": key or secrets.token_hex(8), "release": self.release}
        answer = (api or self.ann.api).send("POST", "/v7/release_asset", **form(fields, bytes_, **how))
        self.assertEqual(answer.status, status, answer)
        return answer.json

    def href(self, asset):
        return local(self.ann.api.rows(f"/v7/release_asset({asset})?$select=asset")[0]["asset"]["href"])

    def bytes_at(self, href, **headers):
        """Without any credential, and whole bytes."""

        connection = http.client.HTTPConnection("127.0.0.1", SERVER.port, timeout=30)
        connection.request("GET", href, headers={k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        found = (answer.status, answer.read(), dict(answer.getheaders()))
        connection.close()
        return found


class FormsTest(Case):
    def test_a_form_makes_an_asset_whose_link_gives_the_bytes_without_a_credential(self):
        data = os.urandom(300_000)
        made = self.upload(data, key="firmware")
        self.assertEqual((made["asset_key"], made["release"]), ("firmware", {"__id": self.release}))
        self.assertEqual(set(made["asset"]), {"filename", "href", "content_type", "size"})
        self.assertEqual((made["asset"]["filename"], made["asset"]["content_type"], made["asset"]["size"]),
                         ("a b.bin", "application/x-thing", len(data)))
        status, got, headers = self.bytes_at(local(made["asset"]["href"]))
        self.assertEqual((status, got), (200, data))
        self.assertEqual(headers["Content-Type"], "application/x-thing")
        self.assertIn("filename*=UTF-8''a%20b.bin", headers["Content-Disposition"])
        self.assertIn("sandbox", headers["Content-Security-Policy"])
        listed = self.ann.api.rows(f"/v7/release({self.release})?$select=id&$expand=release_asset"
                                   "($orderby=id asc;$select=id,asset_key,asset)")[0]["release_asset"]
        self.assertIn(("firmware", len(data)), [(a["asset_key"], a["asset"]["size"]) for a in listed])
        by_key = self.ann.api.rows(f"/v7/release_asset(release={self.release},asset_key='firmware')?$select=id,asset")
        self.assertEqual(by_key[0]["id"], made["id"])
        self.assertNotIn("digest", by_key[0]["asset"])

    def test_sizes_from_nothing_to_some_megabytes_and_a_file_before_the_fields(self):
        for size in (0, 1, CHUNK, 3_000_001):
            data = os.urandom(size)
            made = self.upload(data, file_first=size == 1)
            self.assertEqual(self.bytes_at(local(made["asset"]["href"]))[:2], (200, data))

    def test_a_second_asset_of_the_same_key_is_409_and_unique(self):
        self.upload(b"one", key="twice")
        self.assertIn("unique", self.upload(b"two", key="twice", status=409))

    def test_a_form_replaces_the_bytes_and_the_old_link_ends(self):
        made = self.upload(b"old bytes", key="replaced")
        before = local(made["asset"]["href"])
        answer = self.ann.api.send("PATCH", f"/v7/release_asset({made['id']})",
                                   **form({}, b"new bytes", filename="n.txt", content_type="text/plain"))
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(self.bytes_at(self.href(made["id"]))[:2], (200, b"new bytes"))
        self.assertEqual(self.bytes_at(before)[0], 404)
        by_key = f"/v7/release_asset(release={self.release},asset_key='replaced')"
        self.assertEqual(self.ann.api.send("PATCH", by_key, **form({}, b"third")).status, 200)
        self.assertEqual(self.bytes_at(self.href(made["id"]))[1], b"third")
        self.refused(self.ann.api.send("PATCH", "/v7/release_asset(999999999)", **form({}, b"x")), 404)
        self.refused(self.ann.api.send("PATCH", f"/v7/release_asset({made['id']})", **form({"a": 1})), 400, "asset")

    def test_what_is_malformed_is_refused_and_leaves_nothing(self):
        good = form({"asset_key": "m", "release": self.release}, b"bytes of a malformed form")
        cut = {**good, "raw": good["raw"][:-4]}
        two = form({"asset_key": "m", "release": self.release}, b"one")
        mark = two["headers"]["Content-Type"].split("=")[1].encode()
        again = b"--" + mark + b'\r\nContent-Disposition: form-data; name="asset"; filename="b"\r\n\r\ntwo\r\n--' + mark + b"--\r\n"
        two["raw"] = two["raw"].replace(b"--" + mark + b"--\r\n", again)
        for wrong in (cut, two, {**good, "raw": b"nonsense"}, {**good, "raw": b""},
                      {**good, "headers": {"Content-Type": "multipart/form-data"}},
                      form({"asset_key": "m", "release": "x"}, b"y"), form({"release": self.release}, b"y"),
                      form({"asset_key": "m", "release": 999999999}, b"y"),
                      form({"asset_key": "k" * 300, "release": self.release}, b"y"),
                      form({"asset_key": "a" * 20000, "release": self.release}, b"y")):
            self.assertIn(self.ann.api.send("POST", "/v7/release_asset", **wrong).status, (400, 413), wrong["raw"][:60])
        self.assertEqual(self.ann.api.rows(f"/v7/release_asset(release={self.release},asset_key='m')"), [])
        wait_until(lambda: name_of(b"bytes of a malformed form") not in stored()[0] and not stored()[1])

    def test_others_can_neither_upload_nor_see_nor_change(self):
        made = self.upload(b"secret", key="mine")
        for api in (self.bob.api, self.guest, SERVER.client(self.ann.provisioning_key()), self.ann.given_device()["api"]):
            self.upload(b"x", api=api, status=401)
            patched = api.send("PATCH", f"/v7/release_asset({made['id']})", **form({}, b"x"))
            self.assertIn(patched.status, (401, 404), patched)
            begun = api.post(f"/v7/release_asset({made['id']})/beginUpload",
                             {"asset": {"filename": "f", "content_type": "a/b", "size": 10, "chunk_size": CHUNK}})
            self.assertIn(begun.status, (401, 404), begun)
        self.assertEqual(self.bob.api.rows(f"/v7/release_asset({made['id']})"), [])
        self.assertEqual(self.bytes_at(self.href(made["id"]))[1], b"secret")
        # Which bytes an asset has is not for clients to say: they could name somebody else's.
        digest = "sha256:" + name_of(b"secret")
        own = self.bob.given_release()["id"]
        told = self.bob.api.create("release_asset", release=own, asset_key="theft",
                                   asset={"filename": "f", "content_type": "a/b", "size": 6, "digest": digest})
        self.assertIsNone(told["asset"])
        self.bob.api.patch(f"/v7/release_asset({told['id']})", {"asset": {"digest": digest}, "asset_key": "theft2"})
        self.assertIsNone(self.bob.api.rows(f"/v7/release_asset({told['id']})")[0]["asset"])

    def test_json_still_goes_to_the_resource_model(self):
        made = self.ann.api.create("release_asset", release=self.release, asset_key="json", asset=None)
        self.assertIsNone(made["asset"])
        self.assertEqual(self.ann.api.get("/v7/release_asset?$top=1").status, 200)
        self.assertEqual(self.ann.api.delete(f"/v7/release_asset({made['id']})").status, 200)


class LinksTest(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = bytes(range(256)) * 400

    def setUp(self):
        self.link = local(self.upload(self.data)["asset"]["href"])

    def test_ranges_and_conditions(self):
        status, got, headers = self.bytes_at(self.link, Range="bytes=10-19")
        self.assertEqual((status, got), (206, self.data[10:20]))
        self.assertEqual(headers["Content-Range"], f"bytes 10-19/{len(self.data)}")
        self.assertEqual(self.bytes_at(self.link, Range="bytes=-4")[:2], (206, self.data[-4:]))
        self.assertEqual(self.bytes_at(self.link, Range="bytes=102399-")[:2], (206, self.data[-1:]))
        self.assertEqual(self.bytes_at(self.link, Range="bytes=102400-")[0], 416)
        self.assertEqual(self.bytes_at(self.link, Range="bytes=a-b")[0], 200)
        etag = self.bytes_at(self.link)[2]["ETag"]
        self.assertEqual(self.bytes_at(self.link, If_None_Match=etag)[:2], (304, b""))
        self.assertEqual(self.bytes_at(self.link, Range="bytes=0-0", If_Range=etag)[0], 206)
        self.assertEqual(self.bytes_at(self.link, Range="bytes=0-0", If_Range='"other"')[0], 200)
        head = self.guest.send("HEAD", self.link)
        self.assertEqual((head.status, int(head.headers["Content-Length"]), head.text), (200, len(self.data), ""))

    def test_a_link_that_is_not_ours_opens_nothing(self):
        path, query = self.link.split("?")
        number = path.split("/")[2]
        flipped = query[:-1] + ("0" if query[-1] != "0" else "1")
        later = query.replace("expires=", "expires=9")
        for wrong in (path, f"{path}?{flipped}", f"{path}?{later}", f"{path}?expires=1&signature=",
                      self.link.replace(f"/{number}/", f"/{int(number) + 64}/"), f"/release-asset/x/y?{query}",
                      f"/release-asset/99999999999/y?{query}"):
            self.assertEqual(self.bytes_at(wrong)[0], 404, wrong)

    def test_deleting_an_asset_removes_its_bytes_unless_another_one_has_them(self):
        data = os.urandom(1000)
        one, other = self.upload(data), self.upload(data)
        self.assertIn(name_of(data), stored()[0])
        link = self.href(other["id"])
        self.assertEqual(self.ann.api.delete(f"/v7/release_asset({one['id']})").status, 200)
        mark = os.urandom(500)
        marked = self.upload(mark)
        self.ann.api.delete(f"/v7/release_asset({marked['id']})")
        wait_until(lambda: name_of(mark) not in stored()[0])  # so a sweep has passed
        self.assertEqual(self.bytes_at(link)[:2], (200, data))
        self.assertEqual(self.ann.api.delete(f"/v7/release_asset({other['id']})").status, 200)
        self.assertEqual(self.bytes_at(link)[0], 404)
        wait_until(lambda: name_of(data) not in stored()[0])

    def test_deleting_a_release_or_a_fleet_removes_the_bytes_of_its_assets(self):
        fleet = self.ann.given_fleet("short-lived")
        for gone in ("release", "application"):
            release = self.ann.given_release(fleet)["id"]
            self.ann.given_release(fleet)  # the fleet's target now, which cannot be deleted alone
            data = os.urandom(2000)
            answer = self.ann.api.send("POST", "/v7/release_asset", **form({"asset_key": "k", "release": release}, data))
            self.assertEqual(answer.status, 201, answer)
            self.assertEqual(self.ann.api.delete(f"/v7/{gone}({release if gone == 'release' else fleet})").status, 200)
            wait_until(lambda data=data: name_of(data) not in stored()[0])


class PartsTest(Case):
    def begin(self, data, asset=None, chunk=CHUNK):
        asset = asset or self.ann.api.create(
            "release_asset", release=self.release, asset_key=secrets.token_hex(8), asset=None)["id"]
        answer = self.ann.api.post(f"/v7/release_asset({asset})/beginUpload", {
            "asset": {"filename": "big.img", "content_type": "application/octet-stream", "size": len(data),
                      "chunk_size": chunk}})
        self.assertEqual(answer.status, 200, answer)
        return asset, answer.json["asset"]

    def put(self, part, data, chunk=CHUNK):
        at = (part["partNumber"] - 1) * chunk
        answer = self.guest.send("PUT", local(part["url"]), raw=data[at:at + part["chunkSize"]])
        self.assertEqual(answer.status, 200, answer)
        return {"PartNumber": part["partNumber"], "ETag": answer.headers["ETag"].strip('"')}

    def commit(self, asset, uuid, parts):
        return self.ann.api.post(f"/v7/release_asset({asset})/commitUpload",
                                 {"uuid": uuid, "providerCommitData": {"Parts": parts}})

    def test_parts_in_any_order_become_one_file(self):
        data = os.urandom(5 * CHUNK + 123)
        asset, upload = self.begin(data)
        self.assertEqual([p["partNumber"] for p in upload["uploadParts"]], [1, 2, 3, 4, 5, 6])
        self.assertEqual(sum(p["chunkSize"] for p in upload["uploadParts"]), len(data))
        done, lock = [], threading.Lock()

        def work(part):
            told = self.put(part, data)
            with lock:
                done.append(told)
        threads = [threading.Thread(target=work, args=(p,)) for p in reversed(upload["uploadParts"])]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(len(done), 6)
        answer = self.commit(asset, upload["uuid"], done)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.json["size"], len(data))
        self.assertEqual(self.bytes_at(local(answer.json["href"]))[:2], (200, data))
        row = self.ann.api.rows(f"/v7/release_asset({asset})?$select=asset")[0]["asset"]
        self.assertEqual((row["filename"], row["size"]), ("big.img", len(data)))
        # The parts go, the whole stays.
        wait_until(lambda: name_of(data[:CHUNK]) not in stored()[0])
        self.assertIn(name_of(data), stored()[0])
        self.refused(self.commit(asset, upload["uuid"], done), 404)

    def test_a_part_can_be_sent_again_and_one_part_is_enough(self):
        data = os.urandom(1000)
        asset, upload = self.begin(data)
        self.put(upload["uploadParts"][0], os.urandom(1000))
        told = self.put(upload["uploadParts"][0], data)
        answer = self.commit(asset, upload["uuid"], [told])
        self.assertEqual((answer.status, self.bytes_at(self.href(asset))[1]), (200, data))

    def test_a_commit_without_all_parts_is_refused_and_can_be_tried_again(self):
        data = os.urandom(2 * CHUNK)
        asset, upload = self.begin(data)
        first = self.put(upload["uploadParts"][0], data)
        self.refused(self.commit(asset, upload["uuid"], [first]), 409, "part 2")
        second = self.put(upload["uploadParts"][1], data)
        self.refused(self.commit(asset, upload["uuid"], [first, {"PartNumber": 2, "ETag": "x"}]), 409, "part 2")
        for wrong in (None, [], [7], "x"):
            self.assertEqual(self.commit(asset, upload["uuid"], wrong).status, 409, wrong)
        self.assertIsNone(self.ann.api.rows(f"/v7/release_asset({asset})")[0]["asset"])
        self.assertEqual(self.commit(asset, upload["uuid"], [first, second]).status, 200)

    def test_parts_of_the_wrong_length_and_links_of_others_are_refused(self):
        data = os.urandom(2 * CHUNK)
        _, upload = self.begin(data)
        link = local(upload["uploadParts"][0]["url"])
        self.refused(self.guest.send("PUT", link, raw=data[:CHUNK - 1]), 400, "shorter")
        self.refused(self.guest.send("PUT", link, raw=data[:CHUNK + 1]), 400, "longer")
        other = link.replace("/1?", "/2?")
        self.assertEqual(self.guest.send("PUT", other, raw=data[:CHUNK]).status, 403)
        self.assertEqual(self.guest.send("PUT", link.split("?")[0], raw=data[:CHUNK]).status, 403)
        wait_until(lambda: not stored()[1])

    def test_a_cancelled_upload_leaves_nothing(self):
        data = os.urandom(CHUNK)
        asset, upload = self.begin(data)
        self.put(upload["uploadParts"][0], data)
        self.assertIn(name_of(data), stored()[0])
        other = self.begin(data)[0]
        self.refused(self.ann.api.post(f"/v7/release_asset({other})/cancelUpload", {"uuid": upload["uuid"]}), 404)
        answer = self.ann.api.post(f"/v7/release_asset({asset})/cancelUpload", {"uuid": upload["uuid"]})
        self.assertEqual(answer.status, 204, answer)
        self.assertEqual(self.guest.send("PUT", local(upload["uploadParts"][0]["url"]), raw=data).status, 404)
        wait_until(lambda: name_of(data) not in stored()[0])

    def test_nonsense_is_refused(self):
        asset = self.begin(b"x" * 10)[0]
        path = f"/v7/release_asset({asset})/beginUpload"
        good = {"filename": "f", "content_type": "a/b", "size": 10, "chunk_size": CHUNK}
        for wrong in ({}, {"asset": 7}, {"asset": {}}, {"asset": {**good, "size": -1}}, {"asset": {**good, "size": 0}},
                      {"asset": {**good, "chunk_size": 1}}, {"asset": {**good, "size": 10**10}}):
            self.refused(self.ann.api.post(path, wrong), 400)
        self.refused(self.ann.api.post(path, {"asset": {**good, "size": 10**15}}), 413)
        self.refused(self.ann.api.send("POST", path, raw=b"{"), 400)


class DiskTest(Case):
    def test_a_full_disk_is_507_and_leaves_nothing(self):
        # A limit on the size of files stands for the full disk: both are an error of write(2).
        server = Slipwayd()
        try:
            server.start(env={})
            subprocess.run(["prlimit", f"--pid={server.process.pid}", "--fsize=4000000"], check=True)
            tenant = Tenant(server, server.login())
            release = tenant.given_release()["id"]
            answer = tenant.api.send("POST", "/v7/release_asset",
                                     **form({"asset_key": "k", "release": release}, os.urandom(6_000_000)))
            self.assertEqual(answer.status, 507, answer)
            self.assertEqual(tenant.api.rows("/v7/release_asset"), [])
            uploads = os.path.join(server.folder, "data", "assets", "uploads")
            wait_until(lambda: os.listdir(uploads) == [])
            answer = tenant.api.send("POST", "/v7/release_asset",
                                     **form({"asset_key": "k", "release": release}, b"small"))
            self.assertEqual(answer.status, 201, answer)
        finally:
            server.remove()


if __name__ == "__main__":
    unittest.main(verbosity=1, warnings="ignore")
