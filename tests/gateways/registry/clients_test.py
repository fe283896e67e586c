#!/usr/bin/env python3
"""docker, podman, buildah and skopeo against the registry: push, pull, copy, compare. Needs root and the Debian packages of that name.

usage: clients_test.py (from the root of the tree; SLIPWAY_BIN names the folder of the programs)
"""

import json
import os
import sys
import time
from functools import partial

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from clients.oci_layout import Layout, config_digests, contents, tar_of  # noqa: E402
from clients.programs import Docker, StorageClient, run, skopeo  # noqa: E402
from clients.server import RegistryServer  # noqa: E402

REPOSITORY = "v2/0123456789abcdef0123456789abcdef"
LAYERS = [0, 10, 1_000_000]


def pulled(where, folder):
    """`where` of the registry as an OCI layout, every byte as the registry gave it."""
    skopeo("copy", "-q", "--all", "--src-tls-verify=false", where, f"oci:{folder}:v1")
    return folder


def check_skopeo(registry, folder, layouts):
    for name, layout in layouts.items():
        where = f"docker://{registry}/{REPOSITORY}"
        skopeo("copy", "-q", "--all", "--dest-tls-verify=false", f"oci:{layout.folder}:v1", f"{where}:{name}")
        for way, source in (("tag", f"{where}:{name}"), ("digest", f"{where}@{layout.digest}")):
            back = pulled(source, f"{folder}/{name}-{way}")
            run("diff", "-r", f"{layout.folder}/blobs", f"{back}/blobs")
    # The second repository gets its blobs by mounting, and Docker's media types by conversion.
    one = f"docker://{registry}/{REPOSITORY}:one"
    converted = f"docker://{registry}/other:converted"
    skopeo("copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false", "--format", "v2s2", one, converted)
    assert contents(pulled(converted, f"{folder}/converted")) == contents(layouts["one"].folder)
    doomed = f"docker://{registry}/doomed:v1"
    skopeo("copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false", one, doomed)
    skopeo("delete", "--tls-verify=false", doomed)
    tags = json.loads(skopeo("list-tags", "--tls-verify=false", f"docker://{registry}/doomed"))
    assert tags["Tags"] == [], tags
    tags = json.loads(skopeo("list-tags", "--tls-verify=false", f"docker://{registry}/{REPOSITORY}"))
    assert tags["Tags"] == ["many", "one"], tags


def check_storage_client(program, registry, folder, layouts):
    """podman and buildah unpack what they pull and compress again what they push: contents are compared, and configs byte for byte."""
    client = StorageClient(program, folder, registry)
    own = f"docker://{registry}/{program}"
    one, many = layouts["one"], layouts["many"]
    ids = config_digests(one.folder)
    for reference in (":one", "@" + one.digest):
        assert client.pull(f"docker://{registry}/{REPOSITORY}{reference}") == ids["amd64"], reference
    for kind in ("oci", "v2s2"):
        client("push", "--quiet", "--format", kind, "--digestfile", f"{folder}/{program}.digest",
               f"{registry}/{REPOSITORY}:one", f"{own}:{kind}")
        with open(f"{folder}/{program}.digest", encoding="utf-8") as file:
            digest = file.read().strip()
        for way, reference in (("tag", f":{kind}"), ("digest", "@" + digest)):
            back = pulled(own + reference, f"{folder}/{program}-{kind}-{way}")
            assert contents(back) == contents(one.folder), (kind, way)
    assert config_digests(f"{folder}/{program}-oci-tag") == ids
    # An OCI layout in, the registry, an OCI layout out.
    client("rmi", "--all", "--force")
    name = client.pull(f"oci:{one.folder}:v1")
    assert name == ids["amd64"]
    client("push", "--quiet", "--format", "oci", name, f"{own}:from-layout")
    client("rmi", "--all", "--force")
    client.pull(f"{own}:from-layout")
    client("push", "--quiet", "--format", "oci", f"{registry}/{program}:from-layout", f"oci:{folder}/{program}-out:v1")
    assert contents(f"{folder}/{program}-out") == contents(one.folder)
    # Another architecture than the machine's, and all of them as a list.
    assert client.pull(f"docker://{registry}/{REPOSITORY}:many", "--arch", "arm64") == config_digests(many.folder)["arm64"]
    client("manifest", "create", "--all", "--tls-verify=false", "list", f"docker://{registry}/{REPOSITORY}:many")
    client("manifest", "push", "--all", "--tls-verify=false", "list", f"{own}:many")
    back = pulled(f"{own}:many", f"{folder}/{program}-many")
    assert members(back) == members(many.folder), "the members of the index are other ones"
    assert contents(back) == contents(many.folder)


def members(folder):
    with open(f"{folder}/index.json", encoding="utf-8") as file:
        top = json.load(file)["manifests"][0]["digest"].replace(":", "/")
    with open(f"{folder}/blobs/{top}", encoding="utf-8") as file:
        return {m["digest"] for m in json.load(file)["manifests"]}


def check_docker(registry, folder, layouts):
    docker = Docker(folder)
    try:
        check_docker_pulls(docker, registry, layouts)
        check_docker_pushes(docker, registry, folder)
        check_docker_lists(docker, registry, folder, layouts)
    finally:
        docker.stop()


def check_docker_pulls(docker, registry, layouts):
    for name, layout in layouts.items():
        ids = config_digests(layout.folder)
        for architecture, wanted in ids.items():
            for reference in (f"{registry}/{REPOSITORY}:{name}", f"{registry}/{REPOSITORY}@{layout.digest}"):
                docker("pull", "--quiet", "--platform", f"linux/{architecture}", reference)
                assert docker.image_id(reference) == wanted, (reference, architecture)
                docker("rmi", reference)


def check_docker_pushes(docker, registry, folder):
    tree = f"{folder}/tree.tar"
    with open(tree, "wb") as file:
        file.write(tar_of("data", os.urandom(5_000_000)))
    name = f"{registry}/{REPOSITORY}-1"
    docker("import", tree, name)
    before = docker.image_id(name)
    said = docker("push", name)
    digest = [w for w in said.split() if w.startswith("sha256:")][-1]
    docker("tag", name, f"{registry}/mounted:latest")
    said = docker("push", f"{registry}/mounted:latest")
    assert "Mounted from" in said or "Layer already exists" in said, said
    docker("rmi", name, f"{registry}/mounted:latest")
    docker("pull", f"{name}@{digest}")
    docker("pull", name)
    assert docker.image_id(name) == before


def check_docker_lists(docker, registry, folder, layouts):
    """Several layers through the engine and back, and a list that docker makes."""
    made = []
    for architecture, wanted in config_digests(layouts["many"].folder).items():
        name = f"{registry}/docker:{architecture}"
        docker("pull", "--quiet", "--platform", f"linux/{architecture}", f"{registry}/{REPOSITORY}:many")
        docker("tag", f"{registry}/{REPOSITORY}:many", name)
        docker("push", name)
        docker("rmi", name)
        docker("pull", "--quiet", "--platform", f"linux/{architecture}", name)
        assert docker.image_id(name) == wanted
        made.append(name)
    docker("manifest", "create", "--insecure", f"{registry}/docker:many", *made)
    docker("manifest", "push", "--insecure", f"{registry}/docker:many")
    assert contents(pulled(f"docker://{registry}/docker:many", f"{folder}/docker-many")) == contents(layouts["many"].folder)
    docker("save", "-o", f"{folder}/saved.tar", made[0])
    skopeo("copy", "-q", f"docker-archive:{folder}/saved.tar", f"oci:{folder}/docker-saved:v1")
    saved = contents(f"{folder}/docker-saved")
    assert saved.items() <= contents(layouts["many"].folder).items(), saved


def main():
    with RegistryServer() as server:
        folder, registry = server.folder, server.address
        layouts = {"one": Layout(f"{folder}/one", ["amd64"], LAYERS), "many": Layout(f"{folder}/many", ["amd64", "arm64"], LAYERS)}
        checks = {"skopeo": check_skopeo, "podman": partial(check_storage_client, "podman"),
                  "buildah": partial(check_storage_client, "buildah"), "docker": check_docker}
        for name, check in checks.items():
            began = time.monotonic()
            check(registry, folder, layouts)
            print(f"{name}: {time.monotonic() - began:.1f} s", flush=True)
    print("docker, podman, buildah and skopeo: as pushed so pulled")


if __name__ == "__main__":
    main()
