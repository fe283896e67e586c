#!/usr/bin/env python3
"""A slipwayd that receives release assets is killed at each failpoint of an upload and at random instants. Every asset that was acknowledged has its
bytes when it is started again; nothing else is left of uploads."""

import hashlib
import http.client
import os
import random
import secrets
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.slipwayd import Slipwayd, wait_until  # noqa: E402
from support.tenant import Tenant  # noqa: E402

FAILPOINTS = ("blob.append.written", "blob.finish.verified", "blob.finish.synced", "blob.finish.renamed", "asset.stored", "storage.append.synced")
RANDOM_KILLS = 4
CHUNK = 65536
WRITERS = 3


def form(fields, data):
    mark = secrets.token_hex(16)
    body = b"".join(f'--{mark}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode() for k, v in fields.items())
    body += f'--{mark}\r\nContent-Disposition: form-data; name="asset"; filename="f"\r\n\r\n'.encode() + data + f"\r\n--{mark}--\r\n".encode()
    return {"headers": {"Content-Type": f"multipart/form-data; boundary={mark}"}, "raw": body}


class Uploads:
    """Clients that upload, overwrite and delete until the server is gone. `known` maps an asset to the digests it may have: that of the last
    acknowledged write, and of one that was on its way; None = it may be gone."""

    def __init__(self, server, api, release, known):
        self.server, self.api, self.release, self.known = server, api, release, known
        self.wrong, self.count, self.lock = [], 0, threading.Lock()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(WRITERS)]
        for t in self.threads:
            t.start()

    def run(self, number):
        api = self.server.client(self.api.token)
        steps = (self.by_form, self.in_parts, self.replace, self.delete)
        mine = []
        at = number
        while not self.stopping.is_set():
            try:
                steps[at % len(steps)](api, mine)
            except (http.client.HTTPException, OSError):
                return  # killed
            except AssertionError as wrong:
                self.wrong.append(str(wrong))
                return
            at += 1
            with self.lock:
                self.count += 1

    def by_form(self, api, mine):
        data = os.urandom(random.choice((10, 5000, 200_000)))
        answer = api.send("POST", "/v7/release_asset", **form({"asset_key": secrets.token_hex(8), "release": self.release}, data))
        assert answer.status == 201, answer
        self.known[answer.json["id"]] = {hashlib.sha256(data).hexdigest()}
        mine.append(answer.json["id"])

    def in_parts(self, api, mine):
        data = os.urandom(2 * CHUNK + 77)
        asset = api.post("/v7/release_asset", {"asset_key": secrets.token_hex(8), "release": self.release, "asset": None})
        assert asset.status == 201, asset
        path = f"/v7/release_asset({asset.json['id']})"
        begun = api.post(path + "/beginUpload", {"asset": {"filename": "f", "content_type": "a/b", "size": len(data), "chunk_size": CHUNK}})
        assert begun.status == 200, begun
        parts = []
        for part in begun.json["asset"]["uploadParts"]:
            link = urllib.parse.urlsplit(part["url"])
            at = (part["partNumber"] - 1) * CHUNK
            put = api.send("PUT", link.path + "?" + link.query, raw=data[at:at + part["chunkSize"]])
            assert put.status == 200, put
            parts.append({"PartNumber": part["partNumber"], "ETag": put.headers["ETag"]})
        done = api.post(path + "/commitUpload", {"uuid": begun.json["asset"]["uuid"], "providerCommitData": {"Parts": parts}})
        assert done.status == 200, done
        self.known[asset.json["id"]] = {hashlib.sha256(data).hexdigest()}
        mine.append(asset.json["id"])

    def replace(self, api, mine):
        if not mine:
            return
        data = os.urandom(3000)
        digest = hashlib.sha256(data).hexdigest()
        self.known[mine[-1]].add(digest)
        answer = api.send("PATCH", f"/v7/release_asset({mine[-1]})", **form({}, data))
        assert answer.status == 200, answer
        self.known[mine[-1]] = {digest}

    def delete(self, api, mine):
        if len(mine) < 4:
            return
        gone = mine.pop(0)
        self.known[gone].add(None)
        answer = api.delete(f"/v7/release_asset({gone})")
        assert answer.status == 200, answer
        self.known[gone] = {None}

    def end(self):
        self.stopping.set()
        for t in self.threads:
            t.join(60)
        assert not self.wrong, self.wrong
        return self.count


def digest_at(server, href):
    """SHA-256 of what a link gives."""
    link = urllib.parse.urlsplit(href)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", link.path + "?" + link.query)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    assert answer.status == 200, f"a row names bytes that are not there: {answer.status}"
    return hashlib.sha256(data).hexdigest()


def check(server, api, known):
    root = os.path.join(server.folder, "data", "assets")
    assert os.listdir(os.path.join(root, "uploads")) == [], "files of uploads were left"
    rows = api.rows("/v7/release_asset?$select=id,asset")
    stored = {r["id"]: digest_at(server, r["asset"]["href"]) for r in rows if r["asset"] is not None}
    for asset, may_be in known.items():
        assert stored.get(asset) in may_be, f"asset {asset} was acknowledged with other bytes, or is gone"

    def blobs():
        return {name for _, _, names in os.walk(os.path.join(root, "blobs")) for name in names}
    wait_until(lambda: blobs() == set(stored.values()))


def main():
    random.seed(int(os.environ.get("SEED", "7")))
    server = Slipwayd()
    known = {}
    try:
        server.start()
        tenant = Tenant(server, server.login())
        release = tenant.given_release()["id"]
        server.stop()
        total = 0
        for kill in [*FAILPOINTS, *([None] * RANDOM_KILLS)]:
            passes = 1 if kill != "storage.append.synced" else 8
            server.start(env={"SLIPWAY_FAILPOINT": f"{kill}:{passes + random.randrange(6)}"} if kill else {}, wait=True)
            api = server.login(tenant.name, tenant.password)
            uploads = Uploads(server, api, release, known)
            if kill:
                server.process.wait(60)
            else:
                time.sleep(random.uniform(0.3, 1.2))
            server.kill()
            done = uploads.end()
            total += done
            server.start()
            check(server, server.login(tenant.name, tenant.password), known)
            server.stop()
            print(f"{kill or 'at random'}: {done} steps done, {len(known)} assets known")
        assert total > 0
    finally:
        server.remove()


if __name__ == "__main__":
    main()
