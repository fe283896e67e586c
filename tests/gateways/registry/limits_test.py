#!/usr/bin/env python3
"""What images may take: an organization's quota, and a disk that is nearly full, really full, and has space again. Runs on a small disk of its own."""

import http.client
import os
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from images import Repository, digest, error_code, header, manifest, new_tenant, registry_client, scope  # noqa: E402
from support.slipwayd import Slipwayd  # noqa: E402

AT_ONCE = 8
DISK_BYTES = 320 * 1024 * 1024
FREE_BYTES = 96 * 1024 * 1024  # more than the log keeps free for itself


def expect(answer, status, code=None):
    assert answer.status == status, (status, answer)
    if code is not None:
        assert error_code(answer) == code, (code, answer)
    return answer


def storage(server, handle, *words):
    done = subprocess.run(
        [server.binary, "admin", "--data-dir", os.path.join(server.folder, "data"), "organization", "storage", handle, *words],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def check_quota(server, tenant):
    r = Repository(server, tenant)
    handle = tenant.api.rows("/v7/organization")[0]["handle"]
    assert "of no limit" in storage(server, handle)
    data = os.urandom(100_000)
    r.push(data)
    # A second repository of the organization shares the blob, and it counts once.
    other = Repository(server, tenant)
    other.push(data)
    assert "uses 100000 bytes" in storage(server, handle, "--limit", "250000")
    r.push(os.urandom(100_000))
    at = r.begin()
    refused = r.http.send("PUT", f"{at}?digest={digest(data)}", raw=os.urandom(60_000))
    expect(refused, 403, "DENIED")
    assert "quota" in refused.text, refused
    chunk = expect(r.http.send("PATCH", r.begin(), raw=os.urandom(60_000)), 403, "DENIED")
    assert "quota" in chunk.text
    r.push(os.urandom(50_000))
    expect(r.http.post(r.path + "/blobs/uploads/"), 403, "DENIED")
    expect(r.put(manifest(data, []), "v1"), 403, "DENIED")
    mounting = registry_client(server, tenant.api, scope(r.name), scope(other.name))
    expect(mounting.post(f"{r.path}/blobs/uploads/?mount={digest(data)}&from={other.name}"), 201)
    # Nobody else's.
    Repository(server, new_tenant(server, server.login())).push(os.urandom(300_000))
    storage(server, handle, "--limit", "1000000")
    r.push_image(b"within", "v1")
    assert "of no limit" in storage(server, handle, "--default")


def used_bytes(server, handle):
    return int(re.search(r"uses (\d+) bytes", storage(server, handle)).group(1))


def pieces(data):
    """As a body of no stated length, which the client sends in chunks."""
    for at in range(0, len(data), 50_000):
        yield data[at:at + 50_000]
        time.sleep(0.01)


def check_quota_together(server, tenant):
    """Uploads that each would fit, all at once: together they stay within the quota, whether they announce their length or not."""
    repositories = [Repository(server, tenant) for _ in range(AT_ONCE)]
    handle = tenant.api.rows("/v7/organization")[0]["handle"]
    size = 2_000_000
    for announced in (True, False):
        limit = used_bytes(server, handle) + 3 * size + size // 2
        storage(server, handle, "--limit", str(limit))
        line, statuses = threading.Barrier(AT_ONCE), []

        def put(r, announced=announced, line=line, statuses=statuses):
            data = os.urandom(size)
            at = r.begin()
            line.wait(60)
            if announced:
                status = r.http.send("PUT", f"{at}?digest={digest(data)}", raw=data).status
            else:
                connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
                headers = {"Authorization": f"Bearer {r.http.token}"}
                try:
                    connection.request("PUT", f"{at}?digest={digest(data)}", pieces(data), headers, encode_chunked=True)
                    status = connection.getresponse().status
                except OSError:
                    status = 403  # it was refused before it had sent everything
                connection.close()
            statuses.append(status)
            if status != 201:
                r.http.close()  # most of the body was not read, so the server closes, too
                expect(r.http.delete(at), 204)
        threads = [threading.Thread(target=put, args=(r,)) for r in repositories]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert set(statuses) <= {201, 403} and len(statuses) == AT_ONCE, statuses
        done = statuses.count(201)
        # What is just being stored may count twice for a moment, so fewer than fit may get through, and never more.
        assert done <= 3 and (done > 0 or not announced), statuses
        used = used_bytes(server, handle)
        assert used <= limit, (used, limit)
        # What was given up holds nothing any more: now exactly as many go in as fit.
        r = repositories[0]
        for _ in range(3 - done):
            r.push(os.urandom(size))
        data = os.urandom(size)
        expect(r.http.send("PUT", f"{r.begin()}?digest={digest(data)}", raw=data), 403, "DENIED")
        r.http.close()
    # What is received counts, also while nobody goes on with it; and an upload that is given up does not.
    storage(server, handle, "--limit", str(used_bytes(server, handle) + size))
    r, other = repositories[:2]
    at = r.begin()
    expect(r.http.send("PATCH", at, raw=os.urandom(size - 1000)), 202)
    second = other.begin()
    refused = expect(other.http.send("PATCH", second, raw=os.urandom(2000)), 403, "DENIED")
    assert "quota" in refused.text
    expect(r.http.delete(at), 204)
    expect(other.http.send("PATCH", second, raw=os.urandom(2000)), 202)
    expect(other.http.delete(second), 204)
    storage(server, handle, "--default")


def fill(server, leave):
    """Takes all of the disk but so many bytes."""
    info = os.statvfs(server.folder)
    size = info.f_bavail * info.f_frsize - leave
    path = os.path.join(server.folder, "ballast")
    with open(path, "ab", buffering=0) as file:
        try:
            block = bytes(1024 * 1024)
            while size > 0:
                size -= file.write(block[:size])
        except OSError:
            pass
    return path


def check_watermark(server, tenant):
    r = Repository(server, tenant)
    kept = r.push_image(b"before", "v1")
    at = r.begin()
    expect(r.http.send("PATCH", at, raw=b"first half, "), 202)
    path = fill(server, FREE_BYTES - 8 * 1024 * 1024)
    for answer in (r.http.post(r.path + "/blobs/uploads/"), r.http.send("PATCH", at, raw=b"second"),
                   r.put(kept, "v2"), r.http.send("POST", f"{r.path}/blobs/uploads/?digest={digest(b'x')}", raw=b"x")):
        expect(answer, 507, "DENIED")
        assert "disk is almost full" in answer.text
    # Everything else goes on: pulls, and the log.
    expect(r.get("manifests/v1"), 200)
    tenant.given_fleet("still")
    os.remove(path)
    data = b"first half, second half"
    expect(r.http.send("PATCH", at, raw=data[12:]), 202)
    expect(r.http.send("PUT", f"{at}?digest={digest(data)}", raw=b""), 201)
    expect(r.get("blobs/" + digest(data)), 200)


def check_runs_into_it(server, tenant):
    """An upload that begins with space left and takes it."""
    r = Repository(server, tenant)
    info = os.statvfs(server.folder)
    room = info.f_bavail * info.f_frsize - FREE_BYTES
    at = r.begin()
    block = os.urandom(8 * 1024 * 1024)
    sent = 0
    while True:
        answer = r.http.send("PATCH", at, raw=block)
        if answer.status != 202:
            break
        sent += len(block)
        assert sent <= room + len(block), "the watermark is not seen"
    expect(answer, 507, "DENIED")
    info = os.statvfs(server.folder)
    assert info.f_bavail * info.f_frsize >= FREE_BYTES - 2 * 1024 * 1024, "the reserve was used"
    offset = int(header(expect(r.http.get(at), 204), "Range").split("-")[1]) + 1
    assert sent <= offset <= sent + len(block)
    expect(r.http.delete(at), 204)


def check_really_full(server, tenant):
    """Somebody else takes the last byte: nothing is corrupt, and it goes on when there is space."""
    r = Repository(server, tenant)
    kept = [r.push_image(b"full %d" % n, f"v{n}") for n in range(5)]
    path = fill(server, 0)
    fill(server, 0)
    expect(r.http.post(r.path + "/blobs/uploads/"), 507, "DENIED")
    for n, body in enumerate(kept):
        assert expect(r.get(f"manifests/v{n}"), 200).text.encode() == body
    os.remove(path)
    r.push_image(b"space again", "again")
    r.http.close()
    tenant.api.close()
    assert server.stop() == 0, server.text()
    fill(server, 0)
    os.remove(path)
    server.start({"SLIPWAY_REGISTRY_FREE_BYTES": str(FREE_BYTES)}, http=f"127.0.0.1:{server.port_was}")
    for n, body in enumerate(kept):
        assert expect(r.get(f"manifests/v{n}"), 200).text.encode() == body
    code = subprocess.run([server.binary, "scrub", "--data-dir", os.path.join(server.folder, "data")], timeout=60, check=False).returncode
    assert code == 0, "the disk was full and something is rotten"


def main():
    server = Slipwayd()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", server.folder], check=True)
    with open(server.admin_file, "w", encoding="utf-8") as file:
        file.write("root:correct horse\n")
    try:
        server.start({"SLIPWAY_REGISTRY_FREE_BYTES": str(FREE_BYTES)})
        server.port_was = server.port
        tenant = new_tenant(server, server.login())
        check_quota(server, tenant)
        check_quota_together(server, tenant)
        check_watermark(server, tenant)
        check_runs_into_it(server, tenant)
        check_really_full(server, tenant)
        assert server.stop() == 0, server.text()
    except BaseException:
        print(server.text(), file=sys.stderr)
        raise
    finally:
        if server.process is not None and server.process.poll() is None:
            server.kill()
        subprocess.run(["umount", server.folder], check=False)
        server.remove()
    print("quota and disk: refused with a reason, nothing corrupt, on again when there is space")


if __name__ == "__main__":
    main()
