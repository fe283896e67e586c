#!/usr/bin/env python3
"""A slipwayd under load is killed at every failpoint that it passes and at random instants. What it acknowledged is there when it is
started again, nothing is there by half, and a rebuild of the read model finds it identical."""

import argparse
import http.client
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.slipwayd import Slipwayd, new_uuid, wait_until  # noqa: E402

WRITERS = 4
RANDOM_KILLS = 10
# Passes of a failpoint before it kills, so that it dies under load: early for what is passed once or seldom.
PASSES = {"storage.open.opened": 1, "storage.ids.reserved": 2}
PASSES_OTHERWISE = 25
SECONDS_MAX = 90


class Acknowledged:
    """What clients were told is done."""

    def __init__(self):
        self.lock = threading.Lock()
        self.rows = []      # (resource, id, field, value)
        self.reports = {}   # device id -> (statuses it may have: the last acknowledged one and those sent after it)
        self.devices = []   # (id, uuid, key)
        self.users = []     # (id, name)
        self.removed = []   # (resource, id)
        self.count = 0

    def add(self, where, what):
        with self.lock:
            where.append(what)
            self.count += 1


class Load:
    """Clients that write until the server is gone."""

    def __init__(self, server, admin, fleet, device_type, known):
        self.server, self.admin, self.fleet = server, admin, fleet
        self.device_type, self.known = device_type, known
        self.provisioning = server.client(self.must(admin.post(f"/api-key/application/{fleet}/provisioning", {}), 200).json)
        self.gone = threading.Event()
        self.wrong = []
        self.threads = [threading.Thread(target=self.write, args=(n,)) for n in range(WRITERS)]

    @staticmethod
    def must(answer, status):
        if answer.status != status:
            raise AssertionError(f"{status} expected: {answer}")
        return answer

    def write(self, number):
        steps = [self.register, self.variable, self.release, self.report, self.change_and_remove]
        if number == 0:
            steps.append(self.user)
        at = number
        device = None
        while not self.gone.is_set():
            try:
                if device is None:
                    device = self.register(None)
                done = steps[at % len(steps)](device)
                device = done or device
                at += 1
            except (http.client.HTTPException, OSError):
                return  # killed: what was not answered may be there or not
            except AssertionError as wrong:
                self.wrong.append(str(wrong))
                return

    def register(self, _):
        uuid = new_uuid()
        made = self.must(self.provisioning.post(
            "/device/register", {"application": self.fleet, "uuid": uuid, "device_type": self.device_type}), 201).json
        self.known.add(self.known.devices, (made["id"], uuid, made["api_key"]))
        return made

    def variable(self, device):
        value = new_uuid()
        for resource, fields in (("device_environment_variable", {"name": "V" + value}), ("device_tag", {"tag_key": value})):
            made = self.must(self.admin.post("/v7/" + resource, {"device": device["id"], "value": value, **fields}), 201)
            self.known.add(self.known.rows, (resource, made.json["id"], "value", value))

    def release(self, _):
        commit = new_uuid()
        made = self.must(self.admin.post(
            "/v7/release", {"belongs_to__application": self.fleet, "commit": commit, "status": "success"}), 201)
        self.known.add(self.known.rows, ("release", made.json["id"], "commit", commit))

    def report(self, device):
        api = self.server.client(device["api_key"])
        for n in range(3):
            status = f"{n} {new_uuid()}"
            with self.known.lock:
                self.known.reports.setdefault(device["id"], [None]).append(status)
            self.must(api.patch("/device/v3/state", {device["uuid"]: {"status": status}}), 200)
            with self.known.lock:
                self.known.reports[device["id"]] = [status]
                self.known.count += 1
        api.close()

    def change_and_remove(self, device):
        key = new_uuid()
        row = self.must(self.admin.post("/v7/device_tag", {"device": device["id"], "tag_key": key, "value": "1"}), 201).json
        self.must(self.admin.patch(f"/v7/device_tag({row['id']})", {"value": "2"}), 200)
        self.must(self.admin.delete(f"/v7/device_tag({row['id']})"), 200)
        self.known.add(self.known.removed, ("device_tag", row["id"]))

    def user(self, _):
        name = "u" + new_uuid()[:12]
        made = self.must(self.admin.post("/v7/user", {"username": name, "password": "long enough"}), 201)
        self.known.add(self.known.users, (made.json["id"], name))

    def start(self):
        for t in self.threads:
            t.start()

    def join(self):
        self.gone.set()
        for t in self.threads:
            t.join(60)
            assert not t.is_alive(), "a client hangs"
        assert not self.wrong, self.wrong


class Trial:
    def __init__(self):
        self.server = Slipwayd()
        self.known = Acknowledged()
        self.fleet = None

    def prepare(self, env=None):
        self.server.start(env)
        admin = self.server.login()
        self.device_type = "generic-amd64"
        kind = admin.rows("/v7/device_type?$filter=slug eq 'generic-amd64'")[0]["id"]
        organization = admin.rows("/v7/organization?$filter=handle ne 'slipway_os'")[0]["id"]
        self.fleet = admin.create("application", app_name="fleet", organization=organization, is_for__device_type=kind)["id"]
        self.token = admin.token

    def load(self):
        """Starts the clients; None when the server died before they could begin."""
        try:
            admin = self.server.client(self.token)
            load = Load(self.server, admin, self.fleet, self.device_type, self.known)
        except (http.client.HTTPException, OSError):
            return None
        load.start()
        return load

    def rebuilt(self):
        code, said = self.server.rebuild()
        assert code == 0 and said.splitlines()[-1].startswith("rebuild: identical"), said

    def check(self):
        """Against a server that was started again."""
        admin = self.server.client(self.token)
        found = {resource: {r["id"]: r for r in admin.rows("/v7/" + resource)}
                 for resource in ("device", "device_environment_variable", "device_tag", "release", "user",
                                  "organization_membership", "organization", "api_key", "service_install")}
        for resource, row, field, value in self.known.rows:
            assert found[resource].get(row, {}).get(field) == value, f"{resource} {row} is lost"
        for resource, row in self.known.removed:
            assert row not in found[resource], f"{resource} {row} is back"
        for row, uuid, _ in self.known.devices:
            assert found["device"].get(row, {}).get("uuid") == uuid, f"device {row} is lost"
        for row, statuses in self.known.reports.items():
            status = found["device"][row]["status"]
            assert status in statuses, f"the report of device {row} is lost: {status} is none of {statuses}"
        for row, name in self.known.users:
            assert found["user"].get(row, {}).get("username") == name, f"user {name} is lost"
        self.check_nothing_is_half(admin, found)

    def check_nothing_is_half(self, admin, found):
        # A device has its key, a user its organization and the membership in it, also if nobody was told of them.
        actors = {k["is_of__actor"]["__id"] for k in found["api_key"].values()}
        for d in found["device"].values():
            assert d["actor"]["__id"] in actors, f"device {d['id']} has no key"
            assert d["device_name"], f"device {d['id']} has no name"
        members = {m["user"]["__id"]: m["is_member_of__organization"]["__id"]
                   for m in found["organization_membership"].values()}
        for u in found["user"].values():
            assert members.get(u["id"]) in found["organization"], f"user {u['id']} has no organization"
        for v in list(found["device_environment_variable"].values()) + list(found["device_tag"].values()):
            assert v["device"]["__id"] in found["device"], f"{v} hangs on nothing"
        for row, uuid, key in self.known.devices[-20:]:
            who = self.server.client(key).get("/actor/v1/whoami")
            assert who.status == 200 and who.json["uuid"] == uuid, f"the key of device {row} does not work: {who}"
        commits = [r["commit"] for r in found["release"].values()]
        assert len(commits) == len(set(commits)), "a release is there twice"

    def go_on(self):
        """Starts what was killed, checks it, and that it can be written to."""
        self.rebuilt()
        self.server.start()
        self.check()
        admin = self.server.client(self.token)
        Load(self.server, admin, self.fleet, self.device_type, self.known).register(None)

    def end(self):
        self.server.remove()


def failpoints(trial):
    """Names that a server passes from its start on under this load."""
    file = os.path.join(trial.server.folder, "failpoints")
    trial.prepare({"SLIPWAY_FAILPOINT_LIST": file})
    load = trial.load()
    wait_until(lambda: trial.known.count >= 100 or load.wrong)
    load.join()
    assert trial.server.stop() == 0, trial.server.text()
    trial.rebuilt()
    with open(file, encoding="utf-8") as lines:
        return sorted(set(lines.read().split()))


def killed_at(trial, name):
    passes = PASSES.get(name, PASSES_OTHERWISE)
    before = trial.known.count
    trial.server.start({"SLIPWAY_FAILPOINT": f"{name}:{passes}"}, wait=False)
    trial.server.ready.wait(60)
    load = trial.load() if trial.server.port else None
    if load is not None:
        wait_until(lambda: trial.server.process.poll() is not None or load.wrong, 60)
    status = trial.server.wait()
    if load is not None:
        load.join()
    assert status == -9, f"{name}: ended with {status} instead of being killed\n{trial.server.text()}"
    trial.go_on()
    assert trial.server.stop() == 0, trial.server.text()
    print(f"killed at {name}:{passes}: {trial.known.count - before} writes acknowledged before, all there", flush=True)


def killed_at_random(trial, rng):
    # The server runs already: it was started to be checked.
    seconds = rng.uniform(0.02, 0.8)
    before = trial.known.count
    load = trial.load()
    time.sleep(seconds)  # the instant is the test's subject, not a wait for something
    trial.server.kill()
    load.join()
    trial.go_on()
    print(f"killed after {seconds:.3f} s: {trial.known.count - before} writes acknowledged before, all there", flush=True)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    seed = arguments.parse_args().seed
    print(f"seed {seed}", flush=True)
    rng = random.Random(seed)
    began = time.monotonic()
    trial = Trial()
    try:
        names = failpoints(trial)
        print("failpoints: " + " ".join(names), flush=True)
        for expected in ("journal.flush.begin", "journal.flush.durable", "storage.append.synced"):
            assert expected in names, f"{expected} is not passed"
        for name in names:
            killed_at(trial, name)
        trial.server.start()
        kills = 0
        for _ in range(RANDOM_KILLS):
            # A busy machine must not make it fail: half of them are enough then, and it says so.
            if kills >= RANDOM_KILLS // 2 and time.monotonic() - began > SECONDS_MAX:
                break
            killed_at_random(trial, rng)
            kills += 1
        print(f"{len(names)} failpoints, {kills} random kills, {trial.known.count} acknowledged writes, "
              f"{time.monotonic() - began:.0f} s", flush=True)
    except BaseException:
        print(trial.server.text(), file=sys.stderr)
        raise
    finally:
        trial.end()


if __name__ == "__main__":
    main()
