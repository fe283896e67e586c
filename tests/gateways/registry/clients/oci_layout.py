"""OCI image layouts on disk: made of random layers, and read back for comparison. Standard library only."""

import gzip
import hashlib
import io
import json
import os
import tarfile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def tar_of(name, data):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    return raw.getvalue()


class Layout:
    """One image of random layers for each architecture, tagged `v1`; an index when there are several."""

    def __init__(self, folder, architectures, layer_sizes):
        self.folder = folder
        os.makedirs(f"{folder}/blobs/sha256")
        images = [self.image(a, layer_sizes) for a in architectures]
        top = images[0]
        if len(images) > 1:
            body = {"schemaVersion": 2, "mediaType": INDEX, "manifests": images}
            top = self.put(json.dumps(body).encode(), INDEX)
        self.digest = top["digest"]
        entry = {**top, "annotations": {"org.opencontainers.image.ref.name": "v1"}}
        self.write("index.json", {"schemaVersion": 2, "manifests": [entry]})
        self.write("oci-layout", {"imageLayoutVersion": "1.0.0"})

    def write(self, name, value):
        with open(f"{self.folder}/{name}", "w", encoding="utf-8") as out:
            json.dump(value, out)

    def put(self, data, media_type):
        name = sha256(data)
        with open(f"{self.folder}/blobs/{name.replace(':', '/')}", "wb") as out:
            out.write(data)
        return {"mediaType": media_type, "digest": name, "size": len(data)}

    def image(self, architecture, layer_sizes):
        tars = [tar_of(f"{architecture}-{i}", os.urandom(size)) for i, size in enumerate(layer_sizes)]
        layers = [self.put(gzip.compress(tar, 1), LAYER) for tar in tars]
        config = {"architecture": architecture, "os": "linux", "config": {},
                  "rootfs": {"type": "layers", "diff_ids": [sha256(tar) for tar in tars]}}
        body = {"schemaVersion": 2, "mediaType": MANIFEST, "layers": layers,
                "config": self.put(json.dumps(config).encode(), CONFIG)}
        return {**self.put(json.dumps(body).encode(), MANIFEST),
                "platform": {"architecture": architecture, "os": "linux"}}


def blob(folder, name):
    with open(f"{folder}/blobs/{name.replace(':', '/')}", "rb") as file:
        data = file.read()
    assert sha256(data) == name, name
    return data


def unpacked(data):
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def contents(folder):
    """What the images of a layout hold, whoever compressed the layers: architecture -> digests of the unpacked layers, which must be the config's."""
    with open(f"{folder}/index.json", encoding="utf-8") as file:
        waiting = json.load(file)["manifests"]
    found = {}
    while waiting:
        body = json.loads(blob(folder, waiting.pop()["digest"]))
        waiting += body.get("manifests", [])
        if "config" in body:
            config = json.loads(blob(folder, body["config"]["digest"]))
            layers = [sha256(unpacked(blob(folder, layer["digest"]))) for layer in body["layers"]]
            assert layers == config["rootfs"]["diff_ids"], (layers, config)
            found[config["architecture"]] = layers
    return found


def config_digests(folder):
    """architecture -> digest of the config, which engines call the image's id."""
    with open(f"{folder}/index.json", encoding="utf-8") as file:
        top = json.loads(blob(folder, json.load(file)["manifests"][0]["digest"]))
    bodies = [json.loads(blob(folder, m["digest"])) for m in top["manifests"]] if "manifests" in top else [top]
    return {json.loads(blob(folder, b["config"]["digest"]))["architecture"]: b["config"]["digest"] for b in bodies}
