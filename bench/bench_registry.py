#!/usr/bin/env python3
"""The image registry beside its limits and Debian's docker-registry, on the same blob in one run.

usage: bench_registry.py [--bin FOLDER] [--mib 1024] [--runs 3] [--seconds 4]

Rows: SHA-256 of the blob (openssl), the disk (dd with fdatasync), push in one PUT and in PATCHes of 16 MiB, pull,
manifest GET by tag (wrk, 64 connections). CPU is user and system time of the server alone. Medians of the runs.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

MIB = 1024 * 1024
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
PEER_CONFIG = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {root}}}, cache: {{blobdescriptor: inmemory}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
health: {{storagedriver: {{enabled: false}}}}
"""


class Server:
    """A registry in a new folder, its CPU time and its memory."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder)

    def wait_ready(self):
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{self.base}/v2/", timeout=5)
                return
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.05)
        sys.exit(f"{self.name} does not answer")

    def cpu(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mb(self):
        status = open(f"/proc/{self.process.pid}/status").read()
        return int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) / 1024

    def stop(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Slipway(Server):
    name = "slipway"

    def __init__(self, folder, programs):
        super().__init__(folder)
        self.process = subprocess.Popen(
            [f"{programs}/registry_server", "--data-dir", f"{folder}/data"], stdout=subprocess.PIPE, text=True)
        self.base = "http://127.0.0.1:" + self.process.stdout.readline().strip()
        self.wait_ready()
        reply = urllib.request.urlopen(f"{self.base}/auth/v1/token?scope=repository:app:pull,push")
        self.headers = ["-H", "Authorization: Bearer " + json.load(reply)["token"]]


class Peer(Server):
    name = "docker-registry"
    headers = []

    def __init__(self, folder, port):
        super().__init__(folder)
        with open(f"{folder}/config.yml", "w") as out:
            out.write(PEER_CONFIG.format(root=f"{folder}/data", port=port))
        self.process = subprocess.Popen(
            ["docker-registry", "serve", f"{folder}/config.yml"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.base = f"http://127.0.0.1:{port}"
        self.wait_ready()


def curl(server, *arguments):
    done = subprocess.run(
        ["curl", "-sS", "-D", "-", "-o", "/dev/null", "-H", "Expect:", *server.headers, *arguments],
        capture_output=True, text=True, check=True)
    status = int(done.stdout.split()[1])
    if status >= 300:
        sys.exit(f"{server.name}: {arguments[-1]} gave {status}")
    found = re.search(r"^location: (\S+)", done.stdout, re.I | re.M)
    where = found.group(1) if found else ""
    return where if where.startswith("http") else server.base + where


def with_digest(where, digest):
    return f"{where}{'&' if '?' in where else '?'}digest={digest}"


def timed(server, work):
    cpu, start = server.cpu(), time.monotonic()
    work()
    return time.monotonic() - start, server.cpu() - cpu


def push(server, path, digest):
    where = curl(server, "-X", "POST", f"{server.base}/v2/app/blobs/uploads/")
    curl(server, "-T", path, "-H", "Content-Type: application/octet-stream", with_digest(where, digest))


def push_chunks(server, parts, digest):
    where = curl(server, "-X", "POST", f"{server.base}/v2/app/blobs/uploads/")
    at = 0
    for part in parts:
        size = os.path.getsize(part)
        where = curl(server, "-X", "PATCH", "-T", part, "-H", f"Content-Range: {at}-{at + size - 1}",
                     "-H", "Content-Type: application/octet-stream", where)
        at += size
    curl(server, "-X", "PUT", "-H", "Content-Length: 0", with_digest(where, digest))


def put_manifest(server, folder):
    config = b"{}"
    path = f"{folder}/config"
    with open(path, "wb") as out:
        out.write(config)
    digest = "sha256:" + hashlib.sha256(config).hexdigest()
    push(server, path, digest)
    part = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": 2}
    body = {"schemaVersion": 2, "mediaType": MANIFEST, "config": part, "layers": [part] * 8}
    curl(server, "-X", "PUT", "-H", f"Content-Type: {MANIFEST}", "-d", json.dumps(body),
         f"{server.base}/v2/app/manifests/v1")


def manifests_per_second(server, seconds):
    cpu = server.cpu()
    done = subprocess.run(
        ["wrk", "-t1", "-c64", f"-d{seconds}s", "-H", f"Accept: {MANIFEST}", *server.headers,
         f"{server.base}/v2/app/manifests/v1"], capture_output=True, text=True, check=True)
    if "Non-2xx" in done.stdout:
        sys.exit(f"{server.name}: {done.stdout}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout).group(1))
    count = int(re.search(r"(\d+) requests in", done.stdout).group(1))
    return rate, (server.cpu() - cpu) / count * 1e6


def limits(blob, mib, folder):
    start = time.monotonic()
    subprocess.run(["openssl", "dgst", "-sha256", blob], check=True, capture_output=True)
    sha = mib * MIB / (time.monotonic() - start)
    start = time.monotonic()
    subprocess.run(["dd", "if=/dev/zero", f"of={folder}/dd", "bs=1M", f"count={mib}", "conv=fdatasync"],
                   check=True, capture_output=True)
    disk = mib * MIB / (time.monotonic() - start)
    os.unlink(f"{folder}/dd")
    return sha, disk


def measure(make, blob, parts, digest, mib, runs, seconds, folder):
    rows, gib = {}, mib / 1024
    for _ in range(runs):
        server = make()
        wall, cpu = timed(server, lambda: push(server, blob, digest))
        rows.setdefault("push", []).append((mib * MIB / wall, cpu / gib))
        for _ in range(2):  # the second pull is warm
            wall, cpu = timed(server, lambda: curl(server, f"{server.base}/v2/app/blobs/{digest}"))
        rows.setdefault("pull", []).append((mib * MIB / wall, cpu / gib))
        put_manifest(server, folder)
        rows.setdefault("manifest", []).append(manifests_per_second(server, seconds))
        rows.setdefault("peak", []).append((server.peak_mb(), 0))
        server.stop()
        server = make()
        wall, cpu = timed(server, lambda: push_chunks(server, parts, digest))
        rows.setdefault("chunks", []).append((mib * MIB / wall, cpu / gib))
        server.stop()
    return {k: tuple(statistics.median(column) for column in zip(*v)) for k, v in rows.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    a = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
        blob = f"{folder}/blob"
        seed = os.urandom(MIB)
        with open(blob, "wb") as out:
            for i in range(a.mib):
                out.write(hashlib.sha256(str(i).encode()).digest() + seed[32:])
        subprocess.run(["split", "-b", "16M", blob, f"{folder}/part."], check=True)
        parts = sorted(f"{folder}/{n}" for n in os.listdir(folder) if n.startswith("part."))
        digest = "sha256:" + subprocess.run(
            ["sha256sum", blob], check=True, capture_output=True, text=True).stdout.split()[0]
        sha, disk = limits(blob, a.mib, folder)
        arguments = (blob, parts, digest, a.mib, a.runs, a.seconds, folder)
        count = iter(range(1000))
        ours = measure(lambda: Slipway(f"{folder}/s{next(count)}", a.bin), *arguments)
        theirs = measure(lambda: Peer(f"{folder}/p{next(count)}", 15000 + next(count)), *arguments)
    print(f"registry, {a.mib} MiB blob, median of {a.runs}; sha256 {sha / 1e6:.0f} MB/s, disk with fdatasync {disk / 1e6:.0f} MB/s")
    print(f"{'':24}{'slipway':>12}{'docker-reg.':>12}{'ratio':>8}{'CPU s/GiB':>12}{'docker-reg.':>12}")
    for key, label in (("push", "push, one PUT, MB/s"), ("chunks", "push, 16 MiB parts, MB/s"), ("pull", "pull, MB/s")):
        o, t = ours[key], theirs[key]
        print(f"{label:24}{o[0] / 1e6:12.0f}{t[0] / 1e6:12.0f}{o[0] / t[0]:8.1f}{o[1]:12.2f}{t[1]:12.2f}")
    o, t = ours["manifest"], theirs["manifest"]
    print(f"{'manifest GET/s':24}{o[0]:12.0f}{t[0]:12.0f}{o[0] / t[0]:8.1f}{o[1]:9.0f} us{t[1]:9.0f} us")
    print(f"{'peak RSS, MB':24}{ours['peak'][0]:12.0f}{theirs['peak'][0]:12.0f}")


main()
