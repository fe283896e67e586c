#!/usr/bin/env python3
"""Hostile clients of the registry: tricks in names, lies about lengths, giant and bomb manifests, clients that stall or drip. Each is refused
or bounded, and others are served meanwhile."""

import gzip
import json
import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from images import MANIFEST, Repository, digest, error_code, header, manifest, new_tenant  # noqa: E402
from support.slipwayd import Slipwayd, wait_until  # noqa: E402

STALLED = 100
BODIES_MAX = 256  # that the registry takes in at once


def raw(server, text, body=b""):
    s = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    s.sendall(text.encode() + body)
    return s


def head(r, method, path, **fields):
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {r.http.token}"]
    lines += [f"{k.replace('_', '-')}: {v}" for k, v in fields.items()]
    return "\r\n".join(lines) + "\r\n\r\n"


def status_of(s):
    data = b""
    while b"\r\n\r\n" not in data:
        more = s.recv(65536)
        if not more:
            break
        data += more
    return int(data.split()[1]) if data else 0


def check_names(server, r):
    body = r.push_image(b"named", "v1")
    before = sum(len(files) for _, _, files in os.walk(os.path.join(server.folder, "data", "registry")))
    secret = os.path.join(server.folder, "admin")
    for path in (f"/v2/{r.name}/../../../../{secret}/blobs/{digest(body)}", f"/v2/..%2f..%2f/blobs/{digest(body)}",
                 f"/v2/{r.name}%2f..%2fx/manifests/v1", f"/v2/{r.name}%00/manifests/v1", f"/v2//{r.name}/manifests/v1",
                 f"/v2/{r.name}/blobs/sha256:../../../../../etc/passwd", f"/v2/{r.name}/blobs/sha256:" + "0" * 63 + "/",
                 f"/v2/{r.name}/blobs/uploads/../../../lock", f"/v2/{r.name}/blobs/uploads/..%2flock",
                 f"/v2/{r.name}/manifests/..%2f..%2fv1", f"/v2/{r.name}/manifests/%2e%2e", f"/v2/{r.name}/manifests/" + "t" * 129,
                 "/v2/" + "a/" * 600 + "manifests/v1", f"/v2/{r.name}/blobs/SHA256:" + "A" * 64):
        for method in ("GET", "PUT", "PATCH", "DELETE"):
            s = raw(server, head(r, method, path, Content_Length=1, Connection="close"), b"x")
            status = status_of(s)
            s.close()
            assert 400 <= status < 500, (method, path, status)
    after = sum(len(files) for _, _, files in os.walk(os.path.join(server.folder, "data", "registry")))
    assert before == after, "something was written"
    assert r.get("manifests/v1").text.encode() == body


def check_lengths(server, r):
    data = os.urandom(300_000)
    at = r.begin()
    # The connection breaks in the middle of a chunk: what arrived counts, and it goes on there.
    s = raw(server, head(r, "PATCH", at, Content_Length=200_000, Content_Range="0-199999"), data[:100_000])
    s.shutdown(socket.SHUT_WR)
    status_of(s)
    s.close()

    def offset():
        answer = r.http.get(at)
        assert answer.status == 204, answer
        last = int(header(answer, "Range").split("-")[1])
        return last + 1 if last else 0
    wait_until(lambda: offset() == 100_000)
    answer = r.http.send("PATCH", at, raw=data[100_000:], headers={"Content-Range": f"100000-{len(data) - 1}"})
    assert answer.status == 202, answer
    assert r.http.send("PUT", f"{at}?digest={digest(data)}", raw=b"").status == 201
    # More than announced, ranges that overflow, lengths that are none.
    at = r.begin()
    for field in ("0-0", "0-18446744073709551615", "18446744073709551615-18446744073709551616", "-", "0-", "-5", "0-1-2", "a" * 5000):
        answer = r.http.send("PATCH", at, raw=b"0123456789", headers={"Content-Range": field})
        assert answer.status == 416 and error_code(answer) == "BLOB_UPLOAD_INVALID", (field, answer)
    assert offset() == 0
    for length in ("-1", "99999999999999999999999", "1x", "1, 2"):
        s = raw(server, head(r, "PATCH", at, Content_Length=length), b"x")
        assert status_of(s) in (0, 400, 413), length
        s.close()
    assert r.http.delete(at).status == 204
    # A chunked body that breaks off, and one that is no chunked body.
    for broken in (b"5\r\nhello\r\n", b"zz\r\nhello\r\n0\r\n\r\n", b"fffffffffffffffff\r\nhello"):
        at = r.begin()
        s = raw(server, head(r, "PUT", at + "?digest=" + digest(b"hello"), Transfer_Encoding="chunked"), broken)
        s.shutdown(socket.SHUT_WR)
        assert status_of(s) in (0, 400, 408), broken
        s.close()
        assert r.head("blobs/" + digest(b"hello")).status == 404


def check_manifests(server, r):
    r.push(b"{}")
    good = json.loads(manifest(b"{}", []))
    layer = {"mediaType": "application/x", "digest": digest(b"{}"), "size": 2}

    def refused_early(body, **fields):
        """The server may answer, and close, before it has read all."""
        s = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        try:
            s.sendall(head(r, "PUT", r.path + "/manifests/hostile", Content_Length=len(body), Content_Type=MANIFEST, **fields).encode() + body)
        except OSError:
            pass
        try:
            assert status_of(s) in (0, 400, 413)
        except ConnectionResetError:
            pass  # the answer was overtaken by the end of the connection
        s.close()

    def refused(body, *statuses, **fields):
        answer = r.http.send("PUT", r.path + "/manifests/hostile", raw=body, headers={"Content-Type": MANIFEST, **fields})
        assert answer.status in (statuses or (400,)), (body[:80], answer)
        if answer.status == 400:
            assert error_code(answer) in ("MANIFEST_INVALID", "MANIFEST_BLOB_UNKNOWN", "DIGEST_INVALID"), answer
    began = time.monotonic()
    refused(b"[" * 4_000_000)
    refused(b'{"a":' * 600_000)
    refused(json.dumps({**good, "layers": [layer] * 20_000}).encode())
    refused_early(json.dumps({**good, "annotations": {"x": "y" * 50_000_000}}).encode())
    refused_early(gzip.compress(bytes(300_000_000), 1), Content_Encoding="gzip")
    assert time.monotonic() - began < 20, "a hostile manifest costs too much"
    for change in ({"layers": None}, {"layers": {}}, {"layers": [1]}, {"config": []}, {"schemaVersion": "2"}, {"schemaVersion": 1e308},
                   {"layers": [{**layer, "size": -1}]}, {"layers": [{**layer, "size": 1.5}]}, {"layers": [{**layer, "size": 2 ** 64}]},
                   {"layers": [{**layer, "size": 3}]}, {"layers": [{**layer, "digest": "sha256:../../x"}]},
                   {"layers": [{**layer, "mediaType": "x" * 300}]}, {"manifests": []}, {"subject": {"digest": "x"}}, {"subject": 5},
                   {"annotations": {"a": {}}}, {"mediaType": "text/html"}, {"artifactType": "x" * 5000}):
        refused(json.dumps({**good, **change}).encode(), 400, 501)
    for body in (b"", b"null", b"\xff\xfe", b'{"schemaVersion":2', b'"' + b"\\" * 1001):
        refused(body)
    assert r.get("manifests/hostile").status == 404


def check_stalled(server, r):
    """Clients that send a header, a body or read an answer ever so slowly; each holds a connection and nothing else."""
    big = os.urandom(16_000_000)
    name = r.push(big)
    slow = []
    uploads = [r.begin() for _ in range(STALLED)]
    for at in uploads:
        slow.append(raw(server, f"GET /v2/{r.name}/manifests/v1 HTTP/1.1\r\nHost: x\r\nX-Slow: "))
        slow.append(raw(server, head(r, "PATCH", at, Content_Length=1_000_000), b"a little"))
        slow.append(raw(server, head(r, "GET", f"/v2/{r.name}/blobs/{name}")))
    began = time.monotonic()
    for n in range(10):
        body = r.push_image(b"beside slow ones %d" % n, "beside")
        assert r.get("manifests/beside").text.encode() == body
        assert r.head("blobs/" + name).status == 200
    assert time.monotonic() - began < 20, "slow clients hold up others"
    # One upload takes one request at a time, and the stalled one has it.
    assert r.http.send("PATCH", uploads[0], raw=b"x").status == 409
    for s in slow:
        s.close()
    for at in uploads[:5]:
        wait_until(lambda at=at: r.http.delete(at).status in (204, 404))
    assert r.get("blobs/" + name, headers={"Range": "bytes=-4"}).status == 206


def ended(s):
    """The status that a client was ended with; None when it was still sending, and its connection broke."""
    try:
        return status_of(s) or None
    except ConnectionResetError:
        return None
    finally:
        s.close()


def check_dripping(server, r):
    """As many uploads as there may be, each fed a byte a second: they keep others out for half a minute at most, and what they sent stays."""
    data = os.urandom(BODIES_MAX + 8)  # more than there may be: each upload beside them may keep one of them out
    uploads = [r.begin() for _ in data]
    slow = [raw(server, head(r, "PATCH", at, Content_Length=1_000_000)) for at in uploads]

    def put():
        answer = r.http.send("PUT", f"{r.begin()}?digest={digest(data)}", raw=data)
        assert answer.status in (201, 429), answer
        return answer.status

    def feed():
        for s, byte in zip(slow, data):
            try:
                s.sendall(bytes([byte]))
            except OSError:
                pass  # it was ended
    feed()
    wait_until(lambda: put() == 429, 20)  # until the server has come to all of them
    began = time.monotonic()
    while put() == 429:
        assert time.monotonic() - began < 90, "clients that drip hold all uploads"
        time.sleep(1)
        feed()
    statuses = [ended(s) for s in slow]
    assert set(statuses) <= {408, 429, None} and statuses.count(429) <= 16, statuses
    kept = [r.http.get(at) for at, status in zip(uploads, statuses) if status == 408]
    assert kept and all(int(header(answer, "Range").split("-")[1]) >= 10 for answer in kept), kept[:3]


def main():
    server = Slipwayd()
    try:
        server.start()
        tenant = new_tenant(server, server.login())
        for check in (check_names, check_lengths, check_manifests, check_stalled, check_dripping):
            check(server, Repository(server, tenant))
            print(check.__name__, "ok", flush=True)
        assert server.stop() == 0, server.text()
    except BaseException:
        print(server.text(), file=sys.stderr)
        raise
    finally:
        server.remove()


if __name__ == "__main__":
    main()
