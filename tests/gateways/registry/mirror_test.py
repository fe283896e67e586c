#!/usr/bin/env python3
"""Registries elsewhere behind mirror/<name>/: a real slipwayd before Debian's docker-registry, and before one that counts and misbehaves."""

import base64
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from images import CONFIG, INDEX, LAYER, MANIFEST, digest, error_code, index, manifest, registry_client, scope  # noqa: E402
from support.slipwayd import Slipwayd, wait_until  # noqa: E402
from support.tenant import Tenant  # noqa: E402

CHECKS = []
USER, PASSWORD, TOKEN = "puller", "upstream secret", "a-token-of-the-upstream"
PEER_CONFIG = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
FAR = "192.0.2.1"  # an address of this test's own machine that is neither loopback nor link-local


def check(function):
    CHECKS.append(function)
    return function


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Upstream:
    """A registry that says what a test wants, wants a token, and remembers who asked for what."""

    def __init__(self, host="127.0.0.1"):
        self.host = host
        self.tags, self.bytes, self.types = {}, {}, {}
        self.asked, self.with_credentials = [], []
        self.down = False
        self.gate = threading.Event()  # blobs wait for it
        self.gate.set()
        self.other = None  # where blobs are redirected to
        upstream = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self):
                self.do_GET()

            def do_GET(self):
                upstream.answer(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((host, 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://{self.host}:{self.port}"

    def add(self, data, media_type, tag=None):
        self.bytes[digest(data)] = data
        self.types[digest(data)] = media_type
        if tag:
            self.tags[tag] = digest(data)
        return digest(data)

    def image(self, text, tag):
        """An image of one layer; digests of manifest and layer."""
        self.add(b"{}", CONFIG)
        layer = self.add(text, LAYER)
        return self.add(manifest(b"{}", [text]), MANIFEST, tag), layer

    def reply(self, h, status, body=b"", **headers):
        h.send_response(status)
        for name, value in headers.items():
            h.send_header(name.replace("_", "-"), value)
        h.send_header("Content-Length", str(len(body)))
        h.end_headers()
        if h.command != "HEAD":
            try:
                h.wfile.write(body)
            except OSError:
                h.close_connection = True  # who asked went away

    def answer(self, h):
        path, _, query = h.path.partition("?")
        self.asked.append(f"{h.command} {path}")
        given = h.headers.get("Authorization", "")
        if given:
            self.with_credentials.append(path)
        if self.down:
            h.close_connection = True
            return
        if path == "/token":
            good = given == "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            assert "scope=repository%3Alibrary%2Fthing%3Apull" in query, query
            self.reply(h, 200 if good else 401, json.dumps({"token": TOKEN}).encode() if good else b"")
            return
        if not path.startswith("/elsewhere") and given != "Bearer " + TOKEN:
            self.reply(h, 401, WWW_Authenticate=f'Bearer realm="{self.url}/token",service="up, stream",scope="x"')
            return
        last = path.rsplit("/", 1)[1]
        name = self.tags.get(last, last)
        if name not in self.bytes:
            self.reply(h, 404)
        elif "/blobs/" in path and self.other:
            self.reply(h, 307, Location=f"{self.other}/elsewhere/{last}")
        else:
            if "/blobs/" in path:
                self.gate.wait(120)
            self.reply(h, 200, self.bytes[name], Content_Type=self.types[name], Docker_Content_Digest=name)

    def count(self, part):
        return sum(part in line for line in self.asked)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class World:
    def __init__(self):
        self.upstream = Upstream()
        self.elsewhere = Upstream()
        subprocess.run(["ip", "address", "add", FAR, "dev", "lo"], check=True)
        self.far = Upstream(FAR)
        self.server = Slipwayd()
        self.peer_port = free_port()
        self.pinned = digest(manifest(b"{}", [b"pinned"]))
        self.settings = os.path.join(self.server.folder, "mirrors.json")
        with open(self.settings, "w") as out:
            json.dump({"up": {"url": self.upstream.url, "user": USER, "password": PASSWORD,
                              "pins": {"library/thing:pinned": self.pinned}},
                       "far": {"url": self.far.url, "user": USER, "password": PASSWORD},
                       "peer": {"url": f"http://127.0.0.1:{self.peer_port}"}}, out)
        os.chmod(self.settings, 0o600)
        self.server.start(env={"SLIPWAY_REGISTRY_MIRRORS": self.settings})
        self.api = self.server.login()
        self.client = self.of("mirror/up/library/thing")

    def of(self, repository, api=None):
        return registry_client(self.server, api or self.api, scope(repository))

    def get(self, what, client=None, **more):
        return (client or self.client).get(f"/v2/mirror/up/library/thing/{what}", **more)

    def close(self):
        self.server.remove()
        self.upstream.close()
        self.elsewhere.close()
        self.far.close()


def expect(answer, status, code=None):
    assert answer.status == status, (status, answer)
    if code is not None:
        assert error_code(answer) == code, (code, answer)
    return answer


@check
def an_image_is_fetched_once_and_served_from_here_afterwards(w):
    name, layer = w.upstream.image(b"first", "one")
    for _ in range(3):
        got = expect(w.get("manifests/one"), 200)
        assert digest(got.text.encode()) == name
        assert expect(w.get("blobs/" + layer), 200).text == "first"
        expect(w.get("manifests/" + name), 200)
    assert w.upstream.count("GET /v2/library/thing/manifests/") == 1, w.upstream.asked
    assert w.upstream.count("GET /v2/library/thing/blobs/" + layer) == 1, w.upstream.asked
    assert w.upstream.count("/token") == 1, w.upstream.asked


@check
def a_tag_that_moved_is_seen_and_one_whose_upstream_is_down_stays(w):
    before, _ = w.upstream.image(b"before", "moving")
    expect(w.get("manifests/moving"), 200)
    after, layer = w.upstream.image(b"after", "moving")
    # Within its minute the tag is believed; a restarted server knows of no such minute.
    assert digest(expect(w.get("manifests/moving"), 200).text.encode()) == before
    w.server.stop()
    w.server.start(env={"SLIPWAY_REGISTRY_MIRRORS": w.settings})
    w.api = w.server.login()
    w.client = w.of("mirror/up/library/thing")
    assert digest(expect(w.get("manifests/moving"), 200).text.encode()) == after
    w.upstream.down = True
    try:
        assert digest(expect(w.get("manifests/moving"), 200).text.encode()) == after
        assert digest(expect(w.get("manifests/one"), 200).text.encode()), "compared in vain, so as it was"
        refused = expect(w.get("blobs/" + layer), 503)
        assert "Retry-After" in refused.headers
    finally:
        w.upstream.down = False
    assert expect(w.get("blobs/" + layer), 200).text == "after"


@check
def fifty_requests_for_one_blob_are_one_fetch(w):
    _, layer = w.upstream.image(b"wanted by many", "many")
    w.upstream.gate.clear()
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(w.get("blobs/" + layer))) for _ in range(50)]
    for thread in threads:
        thread.start()
    wait_until(lambda: w.upstream.count("blobs/" + layer) > 0)
    w.upstream.gate.set()
    for thread in threads:
        thread.join()
    assert [a.text for a in answers] == ["wanted by many"] * 50, answers
    assert w.upstream.count("GET /v2/library/thing/blobs/" + layer) == 1, w.upstream.asked


@check
def a_slow_upstream_holds_up_neither_what_is_here_nor_another_upstream_nor_the_end_of_the_server(w):
    name, here = w.upstream.image(b"here already", "here")
    expect(w.get("manifests/here"), 200)
    expect(w.get("blobs/" + here), 200)
    _, elsewhere = w.far.image(b"of another", "other")
    wanted = [w.upstream.add(b"wanted %d" % n, LAYER) for n in range(40)]
    w.upstream.gate.clear()

    def want(layer):
        try:
            w.get("blobs/" + layer, w.of("mirror/up/library/thing"))
        except OSError:
            pass  # the server stopped
    threads = [threading.Thread(target=want, args=(layer,)) for layer in wanted]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: any(w.upstream.count("blobs/" + layer) for layer in wanted))
        began = time.monotonic()
        for what in ("manifests/here", "manifests/" + name, "blobs/" + here):
            expect(w.get(what), 200)
        far = w.of("mirror/far/library/thing")
        assert expect(far.get("/v2/mirror/far/library/thing/blobs/" + elsewhere), 200).text == "of another"
        assert w.server.stop() == 0, w.server.text()
        assert time.monotonic() - began < 60, "it was waited for"
    finally:
        w.upstream.gate.set()
        for thread in threads:
            thread.join()
        w.server.start(env={"SLIPWAY_REGISTRY_MIRRORS": w.settings})
        w.api = w.server.login()
        w.client = w.of("mirror/up/library/thing")


@check
def what_does_not_match_its_digest_is_refused_and_not_kept(w):
    honest = digest(b"honest bytes")
    w.upstream.bytes[honest], w.upstream.types[honest] = b"other bytes", LAYER
    expect(w.get("blobs/" + honest), 400, "DIGEST_INVALID")
    w.upstream.bytes[honest] = b"honest bytes"
    assert expect(w.get("blobs/" + honest), 200).text == "honest bytes"
    wanted = digest(manifest(b"{}", [b"wanted"]))
    w.upstream.bytes[wanted], w.upstream.types[wanted] = manifest(b"{}", [b"swapped"]), MANIFEST
    expect(w.get("manifests/" + wanted), 400, "DIGEST_INVALID")
    w.upstream.add(b"no manifest", MANIFEST, "rubbish")
    expect(w.get("manifests/rubbish"), 400, "MANIFEST_INVALID")
    uploads = os.path.join(w.server.folder, "data", "registry", "uploads")
    assert os.listdir(uploads) == [], "bytes of refused fetches were left behind"


@check
def a_pinned_tag_is_what_it_was_pinned_to_whatever_the_upstream_says(w):
    w.upstream.image(b"pinned", None)
    w.upstream.image(b"replaced by somebody", "pinned")
    got = expect(w.get("manifests/pinned"), 200)
    assert digest(got.text.encode()) == w.pinned
    assert w.upstream.count("manifests/pinned") == 0, w.upstream.asked


@check
def credentials_stay_with_the_upstream_when_it_redirects(w):
    _, layer = w.upstream.image(b"kept elsewhere", "redirected")
    w.elsewhere.add(b"kept elsewhere", LAYER)
    w.upstream.other = w.elsewhere.url
    try:
        assert expect(w.get("blobs/" + layer), 200).text == "kept elsewhere"
    finally:
        w.upstream.other = None
    assert w.elsewhere.count("/elsewhere/" + layer) == 1
    assert w.elsewhere.with_credentials == []
    assert PASSWORD not in w.server.text() and TOKEN not in w.server.text()


@check
def an_upstream_elsewhere_cannot_send_us_to_addresses_of_this_machine(w):
    client = w.of("mirror/far/library/thing")
    _, layer = w.far.image(b"not for everybody", "redirected")
    w.elsewhere.add(b"not for everybody", LAYER)
    path = f"/v2/mirror/far/library/thing/blobs/{layer}"
    asked = len(w.elsewhere.asked)
    for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254"):
        w.far.other = f"http://{host}:{w.elsewhere.port}"
        expect(client.get(path), 503)
    assert len(w.elsewhere.asked) == asked, w.elsewhere.asked
    w.far.other = w.far.url
    w.far.add(b"not for everybody", LAYER)
    assert expect(client.get(path), 200).text == "not for everybody"


@check
def what_the_upstream_does_not_have_is_not_found(w):
    expect(w.get("manifests/nothing"), 404, "MANIFEST_UNKNOWN")
    expect(w.get("manifests/" + digest(b"nothing")), 404, "MANIFEST_UNKNOWN")
    expect(w.get("blobs/" + digest(b"nothing")), 404, "BLOB_UNKNOWN")
    none = w.of("mirror/unheard/of")
    expect(none.get("/v2/mirror/unheard/of/manifests/latest"), 404)


@check
def nobody_pushes_into_a_mirror_and_guests_and_devices_read_none(w):
    for method, path in (("POST", "blobs/uploads/"), ("PUT", "manifests/one"), ("DELETE", "manifests/one")):
        expect(w.client.send(method, f"/v2/mirror/up/library/thing/{path}", raw=b"{}"), 401, "DENIED")
    guest = w.of("mirror/up/library/thing", w.server.client())
    expect(w.get("manifests/one", client=guest), 401)
    tenant = Tenant(w.server, w.api)
    device = w.of("mirror/up/library/thing", tenant.given_device()["api"])
    expect(w.get("manifests/one", client=device), 401)


@check
def skopeo_copies_an_image_of_two_architectures_through_the_mirror_of_docker_registry(w):
    root = os.path.join(w.server.folder, "peer")
    with open(os.path.join(w.server.folder, "peer.yml"), "w") as out:
        out.write(PEER_CONFIG.format(root=root, port=w.peer_port))
    peer = subprocess.Popen(["docker-registry", "serve", out.name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", w.peer_port)) == 0)
        # An OCI layout by hand: two images, one index.
        folder = os.path.join(w.server.folder, "layout")
        os.makedirs(folder + "/blobs/sha256")

        def put(data):
            with open(f"{folder}/blobs/sha256/{digest(data).split(':')[1]}", "wb") as blob:
                blob.write(data)
            return data
        members = []
        for architecture in ("amd64", "arm64"):
            layer = put(os.urandom(300_000))
            config = put(json.dumps({"architecture": architecture, "os": "linux",
                                     "rootfs": {"type": "layers", "diff_ids": [digest(layer)]}}).encode())
            members.append((put(manifest(config, [layer])), MANIFEST))
        top = put(index(members))
        for name, value in (("oci-layout", {"imageLayoutVersion": "1.0.0"}),
                            ("index.json", {"schemaVersion": 2, "manifests": [
                                {"mediaType": INDEX, "digest": digest(top), "size": len(top),
                                 "annotations": {"org.opencontainers.image.ref.name": "v1"}}]})):
            with open(f"{folder}/{name}", "w") as text:
                json.dump(value, text)
        copy = ["skopeo", "--insecure-policy", "copy", "-q", "--all", "--preserve-digests"]
        subprocess.run([*copy, "--dest-tls-verify=false", f"oci:{folder}:v1", f"docker://127.0.0.1:{w.peer_port}/some/thing:v1"], check=True)
        subprocess.run([*copy, "--src-tls-verify=false", "--src-creds", f"root:{w.api.token}",
                        f"docker://127.0.0.1:{w.server.port}/mirror/peer/some/thing:v1", f"oci:{folder}-back:v1"], check=True)
        subprocess.run(["diff", "-r", f"{folder}/blobs", f"{folder}-back/blobs"], check=True)
    finally:
        peer.terminate()
        peer.wait()


def refused_settings(binary):
    """What an operator may get wrong is said at the start."""
    for text, why in (('{"up": {"url": "ftp://x"}}', "`url`"), ('{"up": {"url": "https://x/y"}}', "`url`"),
                      ('{"up": {"url": "https://x", "pin": {}}}', "`pin`"), ('{"up/x": {"url": "https://x"}}', "name of one"),
                      ('{"up": {"url": "https://x", "pins": {"a": "b"}}}', "a pin is"), ("[]", "JSON object"),
                      ('{"up": {"url": "https://x", "user": "u", "password": "p"}}', "chmod 600")):
        server = Slipwayd(binary)
        try:
            file = os.path.join(server.folder, "mirrors.json")
            with open(file, "w") as out:
                out.write(text)
            os.chmod(file, 0o644)
            server.start(env={"SLIPWAY_REGISTRY_MIRRORS": file}, wait=False)
            assert server.wait(30) != 0, text
            assert why in server.text(), (text, server.text())
        finally:
            server.remove()
    print("ok   what is wrong with the settings is said at the start")


def main():
    wanted = sys.argv[1:]
    world = World()
    failed = 0
    try:
        for function in CHECKS:
            if wanted and function.__name__ not in wanted:
                continue
            start = time.monotonic()
            try:
                function(world)
                print(f"ok   {function.__name__.replace('_', ' ')} ({time.monotonic() - start:.1f} s)", flush=True)
            except Exception as e:  # the others say something, too
                failed += 1
                print(f"FAIL {function.__name__}: {type(e).__name__}: {e}", flush=True)
        if failed:
            print(world.server.text())
    finally:
        world.close()
    if not wanted:
        refused_settings(None)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
