#!/usr/bin/env python3
"""Many at once: what one client can make the registry hold of memory, places and threads is bounded, and others are served meanwhile."""

import os
import re
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from images import MANIFEST, Repository, error_code, new_tenant  # noqa: E402
from support.slipwayd import Slipwayd, wait_until  # noqa: E402

MANIFEST_BYTES = 4_000_000
LARGE_MANIFESTS_MAX = 16
AT_ONCE = 32
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def peak_mib(server):
    """Not told of a sanitized server, which holds what was freed."""
    if any(name.endswith("SAN_OPTIONS") for name in os.environ):
        return 0
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1)) / 1024


@check
def manifests_of_a_million_values_cost_no_memory_for_them(server, r):
    before = peak_mib(server)
    for begin, value, end in ((b"[", b"[],", b"0]"), (b"[", b'{"":0},', b"0]"), (b"{", b'"":0,', b'"":0}')):
        body = b'{"schemaVersion":2,"x":' + begin + value * ((MANIFEST_BYTES - 100) // len(value)) + end + b"}"
        answers, broken = [], []

        def put(body=body, answers=answers, broken=broken):
            try:
                answers.append(server.client(r.http.token).send(
                    "PUT", r.path + "/manifests/bomb", raw=body, headers={"Content-Type": MANIFEST}))
            except OSError as e:
                broken.append(e)  # refused before it was read
        threads = [threading.Thread(target=put) for _ in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(answers) + len(broken) == AT_ONCE and {a.status for a in answers} <= {400, 429}, (answers, broken)
        assert len(answers) > 0, broken
        assert all(error_code(a) == "MANIFEST_INVALID" for a in answers if a.status == 400), answers
    grown = peak_mib(server) - before
    assert grown < 400, f"{grown:.0f} MiB"  # of bodies; the values would be a gigabyte


@check
def large_manifests_that_do_not_end_hold_a_few_places_and_no_others(server, r):
    before = peak_mib(server)
    head = (f"PUT {r.path}/manifests/slow HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {r.http.token}\r\n"
            f"Content-Type: {MANIFEST}\r\nContent-Length: {MANIFEST_BYTES + 1}\r\n\r\n").encode()
    slow = []
    try:
        for _ in range(8 * LARGE_MANIFESTS_MAX):
            s = socket.create_connection(("127.0.0.1", server.port), timeout=30)
            slow.append(s)
            try:
                s.sendall(head + bytes(MANIFEST_BYTES))
            except OSError:
                pass  # refused before it was read

        def large():
            return r.put(b"{" + b" " * 100_000 + b"}", "large").status
        wait_until(lambda: large() == 429)
        for n in range(5):
            body = r.push_image(b"beside large ones %d" % n, "beside")
            assert r.get("manifests/beside").text.encode() == body
        grown = peak_mib(server) - before
        assert grown < 200, f"{grown:.0f} MiB"
    finally:
        for s in slow:
            s.close()
    wait_until(lambda: large() == 400)


@check
def uploads_that_one_client_opens_and_leaves_take_no_places_of_others(server, r):
    opened = 0
    while (answer := r.http.post(r.path + "/blobs/uploads/")).status == 202:
        opened += 1
        assert opened < 5000, "there is no limit"
    assert answer.status == 429, answer
    other = Repository(server, new_tenant(server, server.login()))
    other.push(b"beside %d uploads" % opened)


def main():
    server = Slipwayd()
    try:
        server.start()
        for function in CHECKS:
            # A tenant of its own: a check may leave its places taken.
            function(server, Repository(server, new_tenant(server, server.login())))
            print(function.__name__.replace("_", " "), "ok", flush=True)
        assert server.stop() == 0, server.text()
    except BaseException:
        print(server.text(), file=sys.stderr)
        raise
    finally:
        server.remove()


if __name__ == "__main__":
    main()
