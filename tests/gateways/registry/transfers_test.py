#!/usr/bin/env python3
"""Transfers that are empty, broken off and taken up again, and 200 of the same blob at once; with clients of our own, skopeo and podman.

usage: transfers_test.py (from the root of the tree; SLIPWAY_BIN names the folder of the programs); takes root
"""

import http.client
import os
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from clients.gate import Gate  # noqa: E402
from clients.oci_layout import Layout  # noqa: E402
from clients.programs import Docker, StorageClient, run, skopeo  # noqa: E402
from clients.server import RegistryServer  # noqa: E402
from images import digest, header, manifest  # noqa: E402
from support.slipwayd import wait_until  # noqa: E402

UPLOADS_AT_ONCE = 200


def expect(answer, status):
    assert answer.status == status, (status, answer)
    return answer


def begin(client, repository):
    return header(expect(client.post(f"/v2/{repository}/blobs/uploads/"), 202), "Location")


def push(client, repository, data):
    return expect(client.send("PUT", f"{begin(client, repository)}?digest={digest(data)}", raw=data), 201)


def check_empty(server):
    """A layer of no bytes is a blob like others, however it comes."""
    client = server.client("empty")
    name = digest(b"")
    at = begin(client, "empty")
    expect(client.send("PATCH", at, raw=b""), 202)
    expect(client.send("PUT", f"{at}?digest={name}", raw=b""), 201)
    push(client, "empty", b"")
    expect(client.send("POST", f"/v2/empty/blobs/uploads/?digest={name}", raw=b""), 201)
    for method in ("GET", "HEAD"):
        got = expect(client.send(method, f"/v2/empty/blobs/{name}"), 200)
        assert got.text == "" and header(got, "Content-Length") == "0"
    expect(client.get(f"/v2/empty/blobs/{name}", headers={"Range": "bytes=0-"}), 416)
    push(client, "empty", b"{}")
    body = manifest(b"{}", [b""])
    kind = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
    expect(client.send("PUT", "/v2/empty/manifests/v1", raw=body, headers=kind), 201)
    source = f"docker://{server.address}/empty:v1"
    skopeo("copy", "-q", "--src-tls-verify=false", source, f"oci:{server.folder}/empty:v1")
    skopeo("copy", "-q", "--preserve-digests", "--dest-tls-verify=false", f"oci:{server.folder}/empty:v1",
           f"docker://{server.address}/empty-again:v1")
    assert len(server.files_of(name)) == 1


def break_off(server, client, at, start, data, announced):
    """A PATCH that announces more than it sends; the client is gone in the middle."""
    head = (f"PATCH {at} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.token}\r\nContent-Length: {announced}\r\n"
            f"Content-Range: {start}-{start + announced - 1}\r\n\r\n")
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as s:
        s.sendall(head.encode() + data)


def check_same_blob(server):
    """Many clients push one blob at once: each is told 201, and the disk holds it once."""
    client = server.client("same")
    data = os.urandom(300_000)
    name = digest(data)
    locations = [begin(client, "same") for _ in range(UPLOADS_AT_ONCE)]
    line, statuses = threading.Barrier(UPLOADS_AT_ONCE), []

    def put(at):
        line.wait(60)
        statuses.append(client.send("PUT", f"{at}?digest={name}", raw=data).status)
        client.close()
    threads = [threading.Thread(target=put, args=(at,)) for at in locations]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert statuses == [201] * UPLOADS_AT_ONCE, statuses
    assert len(server.files_of(name)) == 1 and server.uploads() == []
    assert digest(raw_blob(server, client, "same", name)) == name


def raw_blob(server, client, repository, name):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", f"/v2/{repository}/blobs/{name}", headers={"Authorization": f"Bearer {client.token}"})
    data = connection.getresponse().read()
    connection.close()
    return data


def check_shared(server):
    """Two repositories with the same layer: one file, and what one deletes the other keeps."""
    client = server.client("left", "right")
    data = os.urandom(100_000)
    for repository in ("left", "right"):
        push(client, repository, data)
    assert len(server.files_of(digest(data))) == 1
    expect(client.delete(f"/v2/left/blobs/{digest(data)}"), 202)
    expect(client.send("HEAD", f"/v2/left/blobs/{digest(data)}"), 404)
    assert raw_blob(server, client, "right", digest(data)) == data


def kill_at(gate, command, **options):
    """Kills the program when the gate holds it, as a power cut would."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    assert gate.reached.wait(60), "the client never came that far"
    process.kill()
    process.wait(30)
    gate.open()


def cancel_all(server, client, repository):
    for upload in server.uploads():
        # The request that was cut off may still have it.
        wait_until(lambda u=upload: client.delete(f"/v2/{repository}/blobs/uploads/{u}").status in (204, 404))
    wait_until(lambda: server.uploads() == [])


def check_killed_skopeo(server):
    layout = Layout(f"{server.folder}/killed", ["amd64"], [100_000, 8_000_000])
    client = server.client("killed")
    gate = Gate(server.port, "up", 3_000_000)
    command = ["copy", "-q", "--dest-tls-verify=false", f"oci:{layout.folder}:v1", f"docker://{gate.address}/killed:v1"]
    kill_at(gate, ["skopeo", "--insecure-policy", *command])
    expect(client.get("/v2/killed/manifests/v1"), 404)
    skopeo(*command)
    gate.close()
    cancel_all(server, client, "killed")
    gate = Gate(server.port, "down", 3_000_000)
    command = ["copy", "-q", "--src-tls-verify=false", f"docker://{gate.address}/killed:v1", f"oci:{server.folder}/killed-back:v1"]
    kill_at(gate, ["skopeo", "--insecure-policy", *command])
    skopeo(*command)
    gate.close()
    for blob in os.listdir(f"{layout.folder}/blobs/sha256"):
        run("cmp", f"{layout.folder}/blobs/sha256/{blob}", f"{server.folder}/killed-back/blobs/sha256/{blob}")


def check_killed_podman(server):
    check_killed_storage_client(server, "podman")


def check_killed_buildah(server):
    check_killed_storage_client(server, "buildah")


def check_killed_storage_client(server, program):
    layout = Layout(f"{server.folder}/killed-{program}", ["amd64"], [100_000, 8_000_000])
    gate = Gate(server.port, "up", 3_000_000)
    client = StorageClient(program, server.folder, gate.address)
    name = client.pull(f"oci:{layout.folder}:v1")
    push_it = ["push", "--quiet", "--tls-verify=false", "--format", "oci", name, f"docker://{gate.address}/{program}:v1"]
    kill_at(gate, [*client.command, *push_it], env=client.environment)
    client(*push_it)
    gate.close()
    cancel_all(server, server.client(program), program)
    client("rmi", "--all", "--force")
    gate = Gate(server.port, "down", 3_000_000)
    pull_it = ["pull", "--quiet", "--tls-verify=false", f"docker://{gate.address}/{program}:v1"]
    kill_at(gate, [*client.command, *pull_it], env=client.environment)
    assert "sha256:" + client(*pull_it).split()[-1].removeprefix("sha256:") == name
    gate.close()


def check_killed_docker(server):
    """The client is killed in a push, and the engine in a push and in a pull; each time the same again works."""
    layout = Layout(f"{server.folder}/for-docker", ["amd64"], [100_000, 8_000_000])
    source = f"{server.address}/for-docker:v1"
    skopeo("copy", "-q", "--dest-tls-verify=false", f"oci:{layout.folder}:v1", f"docker://{source}")
    docker = Docker(server.folder)
    try:
        docker("pull", "--quiet", source)
        wanted = docker.image_id(source)
        names = [source]
        for victim in ("client", "engine"):
            gate = Gate(server.port, "up", 3_000_000)
            repository = f"docker-{victim}"
            names.append(f"{gate.address}/{repository}:v1")
            docker("tag", source, names[-1])
            kill_docker_at(gate, docker, victim, "push", names[-1])
            client = server.client(repository)
            expect(client.get(f"/v2/{repository}/manifests/v1"), 404)
            docker("push", "--quiet", names[-1])
            gate.close()
            cancel_all(server, client, repository)
        docker("rmi", *names)
        gate = Gate(server.port, "down", 3_000_000)
        name = f"{gate.address}/{repository}:v1"
        kill_docker_at(gate, docker, "engine", "pull", name)
        docker("pull", "--quiet", name)
        assert docker.image_id(name) == wanted
        gate.close()
    finally:
        docker.stop()


def kill_docker_at(gate, docker, victim, *command):
    """The engine is up again afterwards."""
    client = subprocess.Popen([*docker.command, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=docker.environment)
    assert gate.reached.wait(60), "docker never came that far"
    if victim == "engine":
        docker.kill()
    else:
        client.kill()
    client.wait(30)
    gate.open()
    if victim == "engine":
        docker.start()


def check_expiry():
    """What nobody goes on with goes by itself, with its bytes."""
    with RegistryServer("--upload-seconds", "1") as server:
        client = server.client("left")
        at = begin(client, "left")
        break_off(server, client, at, 0, b"x" * 5000, 1_000_000)
        assert server.uploads() != []
        wait_until(lambda: server.uploads() == [], seconds=120)
        expect(client.get(at), 404)


def main():
    with RegistryServer() as server:
        for check in (check_empty, check_shared, check_same_blob, check_killed_skopeo,
                      check_killed_podman, check_killed_buildah, check_killed_docker):
            began = time.monotonic()
            check(server)
            print(f"{check.__name__}: {time.monotonic() - began:.1f} s", flush=True)
    check_expiry()
    print("empty, broken off, taken up again, many at once: every byte arrives and nothing is left")


if __name__ == "__main__":
    main()
