#!/usr/bin/env python3
"""`slipwayd gc` and `slipwayd scrub` against a real server: what nothing needs goes and what is needed stays, rot is found and mended by a push."""

import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from images import MANIFEST, Repository, descriptor, digest, header, manifest, new_tenant  # noqa: E402
from support.slipwayd import Slipwayd  # noqa: E402


def run(server, *words):
    done = subprocess.run([server.binary, *words, "--data-dir", os.path.join(server.folder, "data")],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False, text=True)
    return done.returncode, done.stdout, done.stderr


def collect(server, *flags):
    code, out, err = run(server, "gc", "--json", *flags)
    assert code == 0, (code, out, err)
    return json.loads(out)


def file_of(server, name):
    algorithm, value = name.split(":")
    return os.path.join(server.folder, "data", "registry", "blobs", algorithm, value[:2], value)


def kinds(report):
    return sorted((i["kind"], i["digest"]) for i in report["items"])


def check_collection(server, tenant):
    r = Repository(server, tenant)
    kept = r.push_image(b"tagged", "v1")
    released = r.push_image(b"released")
    done = tenant.api.patch(f"/v7/image({r.image['image_id']})", {"content_hash": digest(released)})
    assert done.status == 200, done
    left = r.push_image(b"left behind")
    stray = r.push(b"a stray blob")
    r.push(b"{}")
    signature = manifest(b"{}", [], artifactType="application/vnd.signature", subject=descriptor(kept, MANIFEST))
    assert r.put(signature).status == 201
    open_upload = r.begin()
    assert r.http.send("PATCH", open_upload, raw=b"under way").status == 202
    gone = {digest(left), stray, digest(b'{"made of":"left behind"}'), digest(b"layer left behind")}

    time.sleep(0.05)  # the grace period of this server is none, but a millisecond counts
    told = collect(server, "--dry-run")
    assert told["dry_run"] and {d for k, d in kinds(told) if k == "blob"} == gone, told
    assert all(i["why"] for i in told["items"])
    assert all(os.path.exists(file_of(server, d)) for d in gone)
    code, out, _ = run(server, "gc", "--dry-run")
    assert code == 0 and stray in out and "would go: 1 manifests, 3 links, 4 blobs" in out, out

    did = collect(server)
    assert kinds(did) == kinds(told) and did["bytes"] == told["bytes"] > 0, (did, told)
    assert not any(os.path.exists(file_of(server, d)) for d in gone)
    assert r.head("blobs/" + stray).status == 404
    for body in (kept, released, signature):
        assert r.get("manifests/" + digest(body)).text.encode() == body
        for part in [json.loads(body)["config"], *json.loads(body)["layers"]]:
            assert r.get("blobs/" + part["digest"]).status == 200, part
    whole = b"under way and done"
    assert r.http.send("PUT", f"{open_upload}?digest={digest(whole)}", raw=whole[9:]).status == 201
    assert r.push(b"a stray blob") == stray and r.head("blobs/" + stray).status == 200
    return r


def check_removed_image(server, tenant, r):
    """A repository goes with its image row; layers that others share stay."""
    other = Repository(server, tenant)
    other.push_image(b"tagged", "v1")
    tenant.given_release()  # the one that devices get
    removed = tenant.api.delete(f"/v7/release({other.image['id']})")
    assert removed.status == 200, removed
    removed = tenant.api.delete(f"/v7/image({other.image['image_id']})")
    assert removed.status in (200, 404), removed
    time.sleep(0.05)
    went = [i["kind"] for i in collect(server)["items"] if i["repository"] == other.name]
    assert sorted(went) == ["link", "link", "manifest", "repository"], went
    assert r.get("manifests/v1").status == 200
    assert r.get("blobs/" + digest(b"layer tagged")).status == 200
    assert other.get("manifests/v1").status in (401, 404)
    listed = collect(server, "--dry-run")
    assert not [i for i in listed["items"] if i["repository"] == other.name], listed


def check_another_host(server, tenant, r):
    """Image rows name the host and port; a server that answers under another one must not take all images for garbage."""
    r.http.close()
    tenant.api.close()
    assert server.stop() == 0, server.text()
    server.start({"SLIPWAY_REGISTRY_GRACE_SECONDS": "0"})
    collect(server)
    time.sleep(0.05)
    report = collect(server)
    assert not [i for i in report["items"] if i["kind"] == "repository"], report
    assert os.path.exists(file_of(server, digest(b"layer tagged")))


def check_scrub(server, tenant):
    r = Repository(server, tenant)
    data = os.urandom(3_000_000)
    r.push(data)
    body = r.push_image(b"sound", "v1")
    code, out, _ = run(server, "scrub")
    assert code == 0 and "0 rotten" in out, out
    path = file_of(server, digest(data))
    with open(path, "r+b") as file:
        file.seek(1_234_567)
        file.write(bytes([data[1_234_567] ^ 1]))
    code, out, _ = run(server, "scrub", "--json")
    report = json.loads(out)
    assert code == 1 and report["rotten"] == [digest(data)] and report["rotten_count"] == 1, (code, report)
    assert not os.path.exists(path)
    assert os.listdir(os.path.join(server.folder, "data", "registry", "quarantine"))
    for answer in (r.head("blobs/" + digest(data)), r.get("blobs/" + digest(data))):
        assert answer.status == 404, answer
    assert "slipway_registry_rotten_blobs_total 1" in server.client().get("/metrics").text
    assert any("rotten blob" in line and digest(data) in line for line in server.log), server.text()
    # Also after a restart, until somebody pushes it again.
    server.kill()
    r.http.close()
    server.start(http=f"127.0.0.1:{server.port}")
    assert r.head("blobs/" + digest(data)).status == 404
    r.push(data)
    assert int(header(r.head("blobs/" + digest(data)), "Content-Length")) == len(data)
    assert r.get("manifests/v1").text.encode() == body
    assert run(server, "scrub")[0] == 0


def main():
    server = Slipwayd()
    try:
        server.start({"SLIPWAY_REGISTRY_GRACE_SECONDS": "0"})
        tenant = new_tenant(server, server.login())
        r = check_collection(server, tenant)
        check_removed_image(server, tenant, r)
        check_another_host(server, tenant, r)
        tenant.api = server.login(tenant.name, tenant.password)
        check_scrub(server, tenant)
        assert server.stop() == 0, server.text()
        code, _, err = run(server, "gc")
        assert code == 2 and "no server runs" in err, (code, err)
    except BaseException:
        print(server.text(), file=sys.stderr)
        raise
    finally:
        server.remove()
    print("what is needed stays, what is not goes, rot is found")


if __name__ == "__main__":
    main()
