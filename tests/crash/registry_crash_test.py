#!/usr/bin/env python3
"""A slipwayd whose registry is pushed to, deleted from and collected is killed at each failpoint of that and at random instants. Whatever was
acknowledged is there and whole when it is started again, no temporary file stays, the scrubber finds nothing."""

import argparse
import http.client
import os
import random
import subprocess
import sys
import threading
import time

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path.insert(0, TESTS)
sys.path.insert(0, os.path.join(TESTS, "gateways", "registry"))
from images import Repository, digest, header, manifest, new_tenant  # noqa: E402
from support.slipwayd import Slipwayd, wait_until  # noqa: E402

FAILPOINTS = ("blob.append.written", "blob.finish.verified", "blob.finish.synced", "blob.finish.renamed", "link.blob.stored",
              "repository.blob.synced", "blob.put.written", "link.manifest.stored", "repository.manifest.synced",
              "collect.manifests.removed", "collect.links.removed", "collect.blob.removed")
RANDOM_KILLS = 4
WRITERS = 3
# Nothing is too young to be collected: what is pushed must be held by what it belongs to.
ENVIRONMENT = {"SLIPWAY_REGISTRY_GRACE_SECONDS": "1"}


class Load:
    """Clients that push images, leave garbage and delete; one that collects. `known` maps a tag to the bodies it may have."""

    def __init__(self, server, repository, known):
        self.server, self.repository, self.known = server, repository, known
        self.wrong, self.count, self.lock = [], 0, threading.Lock()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(WRITERS)]
        self.threads.append(threading.Thread(target=self.collect))
        for t in self.threads:
            t.start()

    def run(self, number):
        r = Repository.__new__(Repository)
        r.__dict__.update(self.repository.__dict__)
        r.http = self.server.client(self.repository.http.token)
        n = 0
        while not self.stopping.is_set():
            try:
                self.push(r, number, n)
                n += 1
            except (http.client.HTTPException, OSError):
                return  # killed
            except AssertionError as wrong:
                self.wrong.append(str(wrong))
                return
            with self.lock:
                self.count += 1

    def push(self, r, number, n):
        tag = f"w{number}-{n % 4}"
        config = b"config %d %d %s" % (number, n, os.urandom(8).hex().encode())
        layer = os.urandom(random.choice((0, 10, 300_000)))
        r.push(config)
        at = r.begin()
        answer = r.http.send("PATCH", at, raw=layer[:len(layer) // 2])
        assert answer.status == 202, answer
        answer = r.http.send("PUT", f"{at}?digest={digest(layer)}", raw=layer[len(layer) // 2:])
        assert answer.status == 201, answer
        body = manifest(config, [layer])
        parts = {digest(config): len(config), digest(layer): len(layer)}
        with self.lock:
            self.known.setdefault(tag, [(None, {})]).append((body, parts))
        answer = r.put(body, tag)  # moves the tag: what it leaves becomes garbage
        # A busy machine may let a grace period of a second pass between a blob and its manifest.
        assert answer.status == 201 or "MANIFEST_BLOB_UNKNOWN" in answer.text, answer
        if answer.status == 201:
            with self.lock:
                self.known[tag] = [(body, parts)]
        r.begin()  # an upload that nobody goes on with

    def collect(self):
        while not self.stopping.is_set():
            subprocess.run([self.server.binary, "gc", "--data-dir", os.path.join(self.server.folder, "data")],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=False)

    def join(self):
        self.stopping.set()
        for t in self.threads:
            t.join(60)
            assert not t.is_alive(), "a client hangs"
        assert not self.wrong, self.wrong


class Trial:
    def __init__(self):
        self.server = Slipwayd()
        self.known = {}
        self.server.start(ENVIRONMENT)
        self.port = self.server.port
        self.tenant = new_tenant(self.server, self.server.login())
        self.repository = Repository(self.server, self.tenant)

    def start(self, **environment):
        self.repository.http.close()
        self.server.start({**ENVIRONMENT, **environment}, http=f"127.0.0.1:{self.port}")

    def check(self):
        r = self.repository
        r.http.close()
        for tag, bodies in self.known.items():
            answer = r.get("manifests/" + tag)
            if answer.status == 404:
                assert bodies[0][0] is None, f"{tag} is lost"
                continue
            found = [parts for body, parts in bodies if body == answer.text.encode()]
            assert found, f"{tag} holds what nobody pushed"
            for name, size in found[0].items():
                blob = r.get("blobs/" + name)
                assert blob.status == 200 and int(header(blob, "Content-Length")) == size, f"{name} of {tag} is lost: {blob}"
        done = subprocess.run([self.server.binary, "scrub", "--data-dir", os.path.join(self.server.folder, "data")],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, check=False, text=True)
        assert done.returncode == 0, done.stdout
        uploads = os.listdir(os.path.join(self.server.folder, "data", "registry", "uploads"))
        assert not [u for u in uploads if u.startswith("put-")], uploads

    def killed(self, how, kill):
        load = Load(self.server, self.repository, self.known)
        kill(load)
        load.join()
        assert self.server.wait() == -9, f"{how}: was not killed\n{self.server.text()}"
        self.start()
        self.check()
        self.server.kill()
        print(f"killed {how}: {load.count} pushes acknowledged, {len(self.known)} tags checked", flush=True)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    seed = arguments.parse_args().seed
    print(f"seed {seed}", flush=True)
    rng = random.Random(seed)
    trial = Trial()
    try:
        trial.server.kill()
        for name in FAILPOINTS:
            trial.start(SLIPWAY_FAILPOINT=f"{name}:{rng.randint(3, 12)}")
            trial.killed("at " + name, lambda load: wait_until(lambda: trial.server.process.poll() is not None or load.wrong, 60))
        for _ in range(RANDOM_KILLS):
            trial.start()
            seconds = rng.uniform(0.1, 1.5)

            def kill(_, seconds=seconds):
                time.sleep(seconds)  # the instant is the test's subject, not a wait for something
                trial.server.kill()
            trial.killed(f"after {seconds:.2f} s", kill)
    except BaseException:
        print(trial.server.text(), file=sys.stderr)
        raise
    finally:
        trial.server.remove()


if __name__ == "__main__":
    main()
