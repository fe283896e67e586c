#!/usr/bin/env python3
"""A layer of more bytes than 32 bits count, pushed in chunks and at once, pulled whole and in part: nobody holds it in memory.

The bytes are made while they are sent, so only the server stores them: in memory (/dev/shm) when there is plenty, else on the disk.
"""

import hashlib
import http.client
import os
import random
import re
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from clients.server import RegistryServer  # noqa: E402
from images import header  # noqa: E402

MIB = 1024 * 1024
SIZE = 4096 * MIB + 12_345
CHUNK = 1000 * MIB
AT_ONCE = 3 * CHUNK  # the beginning of the layer, as a layer of its own; more than 31 bits count
RSS_MIB_MAX = 64
BLOCK = random.Random(4).randbytes(MIB)


def layer(first, end):
    """Bytes [first, end) in pieces. Each block of a MiB begins with its number, so that none can be taken for another."""
    while first < end:
        number, offset = divmod(first, MIB)
        block = number.to_bytes(8, "big") + BLOCK[8:]
        piece = memoryview(block)[offset:min(MIB, offset + end - first)]
        yield piece
        first += len(piece)


def send(server, client, method, path, body=(), **fields):
    """The answer, read to its end; a body without Content-Length goes in chunks."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    headers = {"Authorization": f"Bearer {client.token}", **{k.replace("_", "-"): str(v) for k, v in fields.items()}}
    connection.request(method, path, body, headers, encode_chunked="Content_Length" not in fields)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    assert answer.status in (201, 202), (method, path, answer.status, text)
    return answer


def begin(client):
    answer = client.post("/v2/large/blobs/uploads/")
    assert answer.status == 202, answer
    return header(answer, "Location")


def push_chunked(server, client):
    """The digest, which the client knows only at the end, and that of the first AT_ONCE bytes."""
    hashed = hashlib.sha256()

    def hashing(pieces):
        for piece in pieces:
            hashed.update(piece)
            yield piece
    at, first = begin(client), 0
    while first < SIZE:
        end = min(first + CHUNK, SIZE)
        fields = {"Content_Length": end - first, "Content_Range": f"{first}-{end - 1}"} if end < SIZE else {}
        answer = send(server, client, "PATCH", at, hashing(layer(first, end)), **fields)
        assert answer.headers["Range"] == f"0-{end - 1}"
        first = end
        if end == AT_ONCE:
            beginning = "sha256:" + hashed.hexdigest()
    name = "sha256:" + hashed.hexdigest()
    send(server, client, "PUT", f"{at}?digest={name}", Content_Length=0)
    return name, beginning


def push_at_once(server, client, name):
    send(server, client, "PUT", f"{begin(client)}?digest={name}", layer(0, AT_ONCE), Content_Length=AT_ONCE)


def pull(server, client, name, first):
    """The size and digest of what comes from `first` on."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    connection.request("GET", f"/v2/large/blobs/{name}",
                       headers={"Authorization": f"Bearer {client.token}", "Range": f"bytes={first}-"})
    answer = connection.getresponse()
    assert answer.status == 206 and answer.headers["Content-Range"] == f"bytes {first}-{SIZE - 1}/{SIZE}", answer.headers
    hashed, size, buffer = hashlib.sha256(), 0, memoryview(bytearray(MIB))
    while n := answer.readinto(buffer):
        hashed.update(buffer[:n])
        size += n
    connection.close()
    return size, hashed.hexdigest()


def peak_mib(server):
    with open(f"/proc/{server.process.pid}/status", encoding="utf-8") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1)) / 1024


def timed(what, function, *arguments):
    began = time.monotonic()
    done = function(*arguments)
    print(f"{what}: {time.monotonic() - began:.1f} s", flush=True)
    return done


def plenty_of_memory():
    with open("/proc/meminfo", encoding="utf-8") as info:
        free = int(re.search(r"MemAvailable:\s+(\d+)", info.read()).group(1)) * 1024
    space = os.statvfs("/dev/shm") if os.path.isdir("/dev/shm") else None
    return free > 3 * SIZE and space is not None and space.f_bavail * space.f_frsize > SIZE + 256 * MIB


def main():
    if plenty_of_memory():
        tempfile.tempdir = "/dev/shm"
    with RegistryServer() as server:
        client = server.client("large")
        name, beginning = timed("pushed in chunks", push_chunked, server, client)
        assert timed("pulled", pull, server, client, name, 0) == (SIZE, name.split(":")[1])
        late = 2 ** 32 - 5
        expected = hashlib.sha256(b"".join(layer(late, SIZE))).hexdigest()
        assert pull(server, client, name, late) == (SIZE - late, expected)
        assert peak_mib(server) < RSS_MIB_MAX, peak_mib(server)
    # On a server of its own, so that there is one layer at a time.
    with RegistryServer() as server:
        client = server.client("large")
        timed("pushed at once", push_at_once, server, client, beginning)
        answer = client.send("HEAD", f"/v2/large/blobs/{beginning}")
        assert answer.status == 200 and header(answer, "Content-Length") == str(AT_ONCE), answer
        assert peak_mib(server) < RSS_MIB_MAX, peak_mib(server)
        print(f"the server's memory at most: {peak_mib(server):.0f} MiB")


if __name__ == "__main__":
    main()
