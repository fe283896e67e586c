#!/usr/bin/env python3
"""docker and skopeo against the registry: push, pull, copy, compare. Needs root and Debian's docker.io and skopeo.

usage: clients_test.py (from the root of the tree; SLIPWAY_BIN names the folder of the programs)
"""

import gzip
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time

REPOSITORY = "v2/0123456789abcdef0123456789abcdef"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


class Layout:
    """An OCI image layout with one image of random layers for each architecture."""

    def __init__(self, folder, architectures, layer_sizes):
        self.folder = folder
        os.makedirs(f"{folder}/blobs/sha256")
        images = [self.image(a, layer_sizes) for a in architectures]
        if len(images) == 1:
            entries = [{**images[0], "annotations": {"org.opencontainers.image.ref.name": "v1"}}]
        else:
            body = {"schemaVersion": 2, "mediaType": INDEX, "manifests": images}
            index = self.put(json.dumps(body).encode(), INDEX)
            entries = [{**index, "annotations": {"org.opencontainers.image.ref.name": "v1"}}]
        self.write("index.json", {"schemaVersion": 2, "manifests": entries})
        self.write("oci-layout", {"imageLayoutVersion": "1.0.0"})

    def write(self, name, value):
        with open(f"{self.folder}/{name}", "w") as out:
            json.dump(value, out)

    def put(self, data, media_type):
        name = hashlib.sha256(data).hexdigest()
        with open(f"{self.folder}/blobs/sha256/{name}", "wb") as out:
            out.write(data)
        return {"mediaType": media_type, "digest": f"sha256:{name}", "size": len(data)}

    def image(self, architecture, layer_sizes):
        layers, diff_ids = [], []
        for i, size in enumerate(layer_sizes):
            raw = io.BytesIO()
            with tarfile.open(fileobj=raw, mode="w") as tar:
                info = tarfile.TarInfo(f"{architecture}-{i}")
                info.size = size
                tar.addfile(info, io.BytesIO(os.urandom(size)))
            diff_ids.append("sha256:" + hashlib.sha256(raw.getvalue()).hexdigest())
            layers.append(
                self.put(gzip.compress(raw.getvalue(), 1), "application/vnd.oci.image.layer.v1.tar+gzip"))
        config = {"architecture": architecture, "os": "linux", "config": {},
                  "rootfs": {"type": "layers", "diff_ids": diff_ids}}
        body = {"schemaVersion": 2, "mediaType": MANIFEST, "layers": layers,
                "config": self.put(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json")}
        return {**self.put(json.dumps(body).encode(), MANIFEST),
                "platform": {"architecture": architecture, "os": "linux"}}


def skopeo(*arguments):
    return run("skopeo", "--insecure-policy", *arguments)


def check_skopeo(registry, folder):
    for name, architectures in (("one", ["amd64"]), ("many", ["amd64", "arm64"])):
        layout = Layout(f"{folder}/{name}", architectures, [0, 10, 3_000_000])
        where = f"docker://{registry}/{REPOSITORY}:{name}"
        skopeo("copy", "-q", "--all", "--dest-tls-verify=false", f"oci:{layout.folder}:v1", where)
        skopeo("copy", "-q", "--all", "--src-tls-verify=false", where, f"oci:{folder}/{name}-back:v1")
        run("diff", "-r", f"{layout.folder}/blobs", f"{folder}/{name}-back/blobs")
    # The second repository gets its blobs by mounting, and Docker's media types by conversion.
    first = f"docker://{registry}/{REPOSITORY}:one"
    skopeo("copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false", "--format", "v2s2",
           first, f"docker://{registry}/other:converted")
    tags = json.loads(skopeo("list-tags", "--tls-verify=false", f"docker://{registry}/{REPOSITORY}"))
    assert tags["Tags"] == ["many", "one"], tags
    skopeo("delete", "--tls-verify=false", first)
    tags = json.loads(skopeo("list-tags", "--tls-verify=false", f"docker://{registry}/{REPOSITORY}"))
    assert tags["Tags"] == ["many"], tags


class Docker:
    """An engine of our own, without network set-up, so that it needs nothing of the machine's."""

    def __init__(self, folder):
        self.socket = f"unix://{folder}/docker.sock"
        self.log = open(f"{folder}/dockerd.log", "w+")
        self.process = subprocess.Popen(
            ["dockerd", "--data-root", f"{folder}/docker", "--exec-root", f"{folder}/exec",
             "-H", self.socket, "-p", f"{folder}/dockerd.pid", "--bridge", "none", "--iptables=false",
             "--storage-driver", "vfs"],
            stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 60
        while not os.path.exists(f"{folder}/docker.sock"):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.log.seek(0)
                sys.exit("dockerd did not start: " + self.log.read()[-2000:])
            time.sleep(0.05)

    def __call__(self, *arguments, **options):
        return run("docker", "-H", self.socket, *arguments, **options)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)


def check_docker(registry, folder):
    docker = Docker(folder)
    try:
        tree = f"{folder}/tree.tar"
        with tarfile.open(tree, "w") as tar:
            info = tarfile.TarInfo("data")
            info.size = 5_000_000
            tar.addfile(info, io.BytesIO(os.urandom(info.size)))
        name = f"{registry}/{REPOSITORY}-1"
        docker("import", tree, name)
        before = docker("image", "inspect", "-f", "{{.Id}}", name).strip()
        pushed = docker("push", name)
        digest = [w for w in pushed.split() if w.startswith("sha256:")][-1]
        docker("tag", name, f"{registry}/mounted:latest")
        mounted = docker("push", f"{registry}/mounted:latest")
        assert "Mounted from" in mounted or "Layer already exists" in mounted, mounted
        docker("rmi", name, f"{registry}/mounted:latest")
        docker("pull", f"{name}@{digest}")
        docker("pull", name)
        assert docker("image", "inspect", "-f", "{{.Id}}", name).strip() == before
    finally:
        docker.stop()


def main():
    program = os.path.join(os.environ["SLIPWAY_BIN"], "registry_server")
    with tempfile.TemporaryDirectory(prefix="slipway-test-") as folder:
        server = subprocess.Popen([program, "--data-dir", f"{folder}/data"], stdout=subprocess.PIPE, text=True)
        try:
            registry = "127.0.0.1:" + server.stdout.readline().strip()
            check_skopeo(registry, folder)
            check_docker(registry, folder)
        finally:
            server.terminate()
            code = server.wait(timeout=30)
        assert code == 0, f"the server ended with {code}"
        assert os.listdir(f"{folder}/data/blobs/uploads") == [], "uploads were left behind"
    print("docker and skopeo: as pushed so pulled")


if __name__ == "__main__":
    main()
