#!/usr/bin/env python3
"""The image registry beside its limits, Debian's docker-registry and nginx, with the same bytes in one run.

usage: bench_registry.py [--bin FOLDER] [--mib 1024] [--runs 3] [--seconds 4] [--no-skopeo]

Limits: SHA-256 on one core (openssl), the disk (dd with fdatasync), nginx's sendfile of the same file. CPU is user and system
time of the server alone. Medians of the runs; in each run every server gets the same work, one after the other.
"""

import argparse
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request

from registry_load import MIB, at_once, pieces_of

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
SMALL = 5 * MIB
REPOSITORY = "app"
PEER_CONFIG = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {root}}}, cache: {{blobdescriptor: inmemory}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
health: {{storagedriver: {{enabled: false}}}}
"""
NGINX_CONFIG = """daemon off; worker_processes 1; pid {folder}/pid; error_log /dev/null;
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; tcp_nopush on; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A server in a new folder, its CPU time and its memory."""

    host = "127.0.0.1"
    headers = {}

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder)

    @property
    def base(self):
        return f"http://{self.host}:{self.port}"

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

    def pids(self):
        """The server and the workers that it started."""
        task = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        with open(task) as children:
            return [self.process.pid, *map(int, children.read().split())]

    def cpu(self):
        ticks = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def peak_mb(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1)) / 1024

    def own_mb(self):
        """Without the pages of programs and libraries, which all processes share."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"RssAnon:\s+(\d+)", status.read()).group(1)) / 1024

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
        self.port = int(self.process.stdout.readline().strip())
        self.wait_ready()
        reply = urllib.request.urlopen(f"{self.base}/auth/v1/token?scope=repository:{REPOSITORY}:pull,push")
        self.headers = {"Authorization": "Bearer " + json.load(reply)["token"]}


class Peer(Server):
    name = "docker-registry"

    def __init__(self, folder):
        super().__init__(folder)
        self.port = free_port()
        with open(f"{folder}/config.yml", "w") as out:
            out.write(PEER_CONFIG.format(root=f"{folder}/data", port=self.port))
        self.process = subprocess.Popen(
            ["docker-registry", "serve", f"{folder}/config.yml"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_ready()


class Nginx(Server):
    name = "nginx"

    def __init__(self, folder, root):
        super().__init__(folder)
        self.port = free_port()
        with open(f"{folder}/nginx.conf", "w") as out:
            out.write(NGINX_CONFIG.format(folder=folder, port=self.port, root=root))
        # Its workers run as somebody else, who must be able to read the file.
        os.chmod(root, 0o755)
        self.process = subprocess.Popen(["nginx", "-c", f"{folder}/nginx.conf"], stderr=subprocess.DEVNULL)
        self.wait_ready()


class Rows:
    """Figures of all runs: name of the row, server, rate, CPU."""

    def __init__(self):
        self.seen = {}

    def add(self, row, server, rate, cpu):
        self.seen.setdefault(row, {}).setdefault(server.name, []).append((rate, cpu))

    def transfer(self, row, server, size, clients, items, work):
        """MB/s, and CPU seconds per GiB."""
        cpu = server.cpu()
        wall = at_once(server, clients, items, work)
        self.add(row, server, size / 1e6 / wall, (server.cpu() - cpu) / (size / 1024 / MIB))

    def requests(self, row, server, command, pattern_rate, count_of):
        """Requests/s, and CPU microseconds of one."""
        cpu = server.cpu()
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        if "Non-2xx" in done.stdout:
            sys.exit(f"{server.name}: {done.stdout}")
        rate = float(re.search(pattern_rate, done.stdout).group(1))
        self.add(row, server, rate, (server.cpu() - cpu) / count_of(done.stdout) * 1e6)

    def median(self, row, name):
        seen = self.seen[row].get(name)
        return tuple(statistics.median(column) for column in zip(*seen)) if seen else None

    def show(self):
        print(f"{'':30}{'slipway':>9}{'docker-r.':>10}{'ratio':>7}{'nginx':>9}{'ratio':>7}{'CPU':>9}{'docker-r.':>10}")
        for row in self.seen:
            ours, peer, limit = (self.median(row, n) for n in ("slipway", "docker-registry", "nginx"))
            line = f"{row:30}{ours[0]:9.0f}{peer[0]:10.0f}{ours[0] / peer[0]:7.2f}"
            line += f"{limit[0]:9.0f}{ours[0] / limit[0]:7.2f}" if limit else " " * 16
            print(line + f"{ours[1]:9.2f}{peer[1]:10.2f}")


def put_manifest(server, folder):
    config = f"{folder}/config"
    with open(config, "wb") as out:
        out.write(b"{}")
    [piece] = pieces_of(config, MIB)
    at_once(server, 1, [piece], lambda c, p: c.push(p, REPOSITORY))
    part = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": piece.digest, "size": 2}
    text = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": part, "layers": [part] * 8}).encode()
    request = urllib.request.Request(f"{server.base}/v2/{REPOSITORY}/manifests/v1", data=text, method="PUT",
                                     headers={**server.headers, "Content-Type": MANIFEST})
    urllib.request.urlopen(request)
    return "sha256:" + hashlib.sha256(text).hexdigest(), piece.digest


def metadata(rows, server, folder, seconds):
    manifest, blob = put_manifest(server, folder)
    headers = [part for name, value in server.headers.items() for part in ("-H", f"{name}: {value}")]
    accept = ["-H", f"Accept: {MANIFEST}"]
    for row, what in (("manifest GET/s by tag", "v1"), ("manifest GET/s by digest", manifest)):
        rows.requests(
            row, server,
            ["wrk", "-t1", "-c64", f"-d{seconds}s", *accept, *headers, f"{server.base}/v2/{REPOSITORY}/manifests/{what}"],
            r"Requests/sec:\s+([\d.]+)", lambda out: int(re.search(r"(\d+) requests in", out).group(1)))
    # wrk waits for the body of an answer to HEAD for ever; ab does not.
    rows.requests(
        "blob HEAD/s", server,
        ["ab", "-i", "-k", "-q", "-c", "64", "-t", str(seconds), "-n", "10000000", *headers,
         f"{server.base}/v2/{REPOSITORY}/blobs/{blob}"],
        r"Requests per second:\s+([\d.]+)", lambda out: int(re.search(r"Complete requests:\s+(\d+)", out).group(1)))


def layout_of(folder, source, layers, size):
    """An OCI layout with layers of bytes that do not compress, as most of a real image's are already."""
    os.makedirs(f"{folder}/blobs/sha256")

    def put(data, kind):
        name = hashlib.sha256(data).hexdigest()
        with open(f"{folder}/blobs/sha256/{name}", "wb") as out:
            out.write(data)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{name}", "size": len(data)}

    parts, diff_ids = [], []
    with open(source, "rb") as file:
        for number in range(layers):
            raw = io.BytesIO()
            with tarfile.open(fileobj=raw, mode="w") as tar:
                entry = tarfile.TarInfo(f"layer-{number}")
                entry.size = size
                tar.addfile(entry, file)
            diff_ids.append("sha256:" + hashlib.sha256(raw.getvalue()).hexdigest())
            parts.append(put(gzip.compress(raw.getvalue(), 1), "layer.v1.tar+gzip"))
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "layers": parts, "config": put(json.dumps(config).encode(), "config.v1+json")}
    entry = {**put(json.dumps(manifest).encode(), "manifest.v1+json"), "annotations": {"org.opencontainers.image.ref.name": "v1"}}
    with open(f"{folder}/index.json", "w") as out:
        json.dump({"schemaVersion": 2, "manifests": [entry]}, out)
    with open(f"{folder}/oci-layout", "w") as out:
        json.dump({"imageLayoutVersion": "1.0.0"}, out)
    return sum(part["size"] for part in parts)


def skopeo(rows, server, layout, size, folder):
    image = f"docker://{server.host}:{server.port}/{REPOSITORY}:image"
    copy = ["skopeo", "--insecure-policy", "copy", "-q"]
    for row, arguments in (("skopeo copy in, MB/s", ["--dest-tls-verify=false", f"oci:{layout}:v1", image]),
                           ("skopeo copy out, MB/s", ["--src-tls-verify=false", image, f"oci:{folder}/copied:v1"])):
        cpu, start = server.cpu(), time.monotonic()
        subprocess.run([*copy, *arguments], check=True, capture_output=True)
        wall = time.monotonic() - start
        rows.add(row, server, size / 1e6 / wall, (server.cpu() - cpu) / (size / 1024 / MIB))
    shutil.rmtree(f"{folder}/copied")


def limits(blob, size, folder):
    start = time.monotonic()
    subprocess.run(["openssl", "dgst", "-sha256", blob], check=True, capture_output=True)
    sha = size / 1e6 / (time.monotonic() - start)
    start = time.monotonic()
    subprocess.run(["dd", "if=/dev/zero", f"of={folder}/dd", "bs=1M", f"count={size // MIB}", "conv=fdatasync"],
                   check=True, capture_output=True)
    disk = size / 1e6 / (time.monotonic() - start)
    os.unlink(f"{folder}/dd")
    return sha, disk


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--no-skopeo", action="store_true")
    a = parser.parse_args()
    rows = Rows()
    size = a.mib * MIB
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
        count = iter(range(100_000))
        makers = [lambda: Slipway(f"{folder}/s{next(count)}", a.bin), lambda: Peer(f"{folder}/p{next(count)}")]
        blob = f"{folder}/blob"
        with open(blob, "wb") as out:
            for _ in range(a.mib):
                out.write(os.urandom(MIB))
        layout_size = 0 if a.no_skopeo else layout_of(f"{folder}/layout", blob, 8, size // 16)
        whole, eighths, small = (pieces_of(blob, part) for part in (size, size // 8, SMALL))
        small = small[:200]
        small_size = sum(p.size for p in small)
        sha, disk = limits(blob, size, folder)
        for _ in range(a.runs):
            for make in makers:
                # Each push meets an empty server: it must not know the bytes yet.
                for row, clients, items, part in (
                        ("push, MB/s", 1, whole, 0), ("push in 16 MiB parts, MB/s", 1, whole, 16 * MIB),
                        ("push, 8 at once, MB/s", 8, eighths, 0),
                        ("push 5 MiB blobs, MB/s", 1, small, 0), ("push 5 MiB blobs, 8 at once", 8, small, 0),
                        ("same in 1 MiB parts", 1, small, MIB), ("same in 1 MiB parts, 8 at once", 8, small, MIB)):
                    server = make()
                    os.sync()   # what others wrote before is not for this server to wait for
                    rows.transfer(row, server, sum(p.size for p in items), clients, items,
                                  lambda c, p, part=part: c.push(p, REPOSITORY, part))
                    rows.add("peak RSS after pushes, MB", server, server.peak_mb(), 0)
                    rows.add("memory of its own then, MB", server, server.own_mb(), 0)
                    server.stop()
                server = make()
                at_once(server, 1, whole, lambda c, p: c.push(p, REPOSITORY))
                at_once(server, 8, small, lambda c, p: c.push(p, REPOSITORY))
                pull = lambda c, p: c.pull(f"/v2/{REPOSITORY}/blobs/{p.digest}")
                rows.transfer("pull, MB/s", server, size, 1, whole, pull)
                rows.transfer("pull, 8 at once, MB/s", server, 8 * size, 8, whole * 8, pull)
                rows.transfer("pull 5 MiB blobs, MB/s", server, small_size, 1, small, pull)
                rows.transfer("pull 5 MiB blobs, 8 at once", server, small_size, 8, small, pull)
                metadata(rows, server, folder, a.seconds)
                rows.add("peak RSS after pulls, MB", server, server.peak_mb(), 0)
                if not a.no_skopeo:
                    skopeo(rows, server, f"{folder}/layout", layout_size, folder)
                server.stop()
            nginx = Nginx(f"{folder}/n{next(count)}", folder)
            rows.transfer("pull, MB/s", nginx, size, 1, ["/blob"], lambda c, p: c.pull(p))
            rows.transfer("pull, 8 at once, MB/s", nginx, 8 * size, 8, ["/blob"] * 8, lambda c, p: c.pull(p))
            nginx.stop()
    print(f"registry, {a.mib} MiB and {len(small)} x 5 MiB, median of {a.runs}; one core's SHA-256 {sha:.0f} MB/s, "
          f"disk with fdatasync {disk:.0f} MB/s; CPU in s/GiB, of requests in us")
    rows.show()


main()
