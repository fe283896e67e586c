#!/usr/bin/env python3
"""Black-box tests of slipway-agent with a real engine and a real registry. Usage: agent_test.py [case ...]"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from agent_world import Agent, Engine, Platform, Registry, wait_for  # noqa: E402

APP = "a" * 32
LONG = 300  # only ever means failure: engines on busy machines take minutes


def service(image_id, image, **composition):
    return {"id": 1, "image_id": image_id, "image": image, "environment": {}, "labels": {},
            "composition": composition}


class World:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="slipway-e2e-")
        self.platform = Platform()
        self.registry = Registry(self.folder)
        self.engine = Engine(self.folder, self.registry.host)
        self.agents = []
        self.series = 0
        self.new_images()

    def new_images(self):
        """Images that this engine has never seen: what is there already is not pulled."""
        self.series += 1
        self.images = {c: self.registry.image("image%s%d" % (c, self.series),
                                              "%s%d" % (c, self.series)) for c in "abc"}

    def agent(self, name):
        a = Agent(self.folder, name, self.platform, self.engine)
        self.agents.append(a)
        return a

    def give(self, agent, commit, number, **services):
        self.platform.give(agent.uuid(), APP, commit, services, number)

    def first(self, agent):
        self.give(agent, "c1", 1, web=service(1, self.images["a"]),
                  db=service(2, self.images["b"], volumes=["data:/data"]))

    def second(self, agent):
        """`web` changes, `db` does not, though its image row is another."""
        self.give(agent, "c2", 2, web=service(3, self.images["c"]),
                  db=service(4, self.images["b"], volumes=["data:/data"]))

    def containers(self, agent):
        return self.engine.containers(agent.config()["uuid"])

    def remove_all(self):
        for c in self.engine.get("/containers/json?all=1") or []:
            self.engine.call("DELETE", "/containers/%s?force=1&v=1" % c["Id"])

    def close(self):
        for a in self.agents:
            if a.process and a.process.poll() is None:
                a.kill()
        self.remove_all()
        self.engine.stop()
        self.registry.stop()
        self.platform.stop()
        subprocess.run("umount -l %s/root/* 2>/dev/null" % self.folder, shell=True, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def started_at(world, container):
    return world.engine.inspect(container["Id"])["State"]["StartedAt"]


def test_first_install_then_second_release(world):
    """A first release is installed; a second one replaces only what changed."""
    a = world.agent("first").start()
    world.first(a)
    wait_for("c1", LONG, lambda: a.runs("c1"))
    before = world.containers(a)
    assert set(before) == {"web", "db"}, before
    assert all(c["State"] == "running" for c in before.values())
    db_start = started_at(world, before["db"])
    assert "apiKey" not in a.config()
    world.second(a)
    wait_for("c2", LONG, lambda: a.runs("c2"))
    after = world.containers(a)
    assert after["db"]["Id"] == before["db"]["Id"]
    assert started_at(world, after["db"]) == db_start, "a service that did not change restarted"
    assert after["web"]["Id"] != before["web"]["Id"]
    assert "_c2_" in after["db"]["Names"][0]
    # The image that no longer serves goes, the others stay.
    def images():
        return [i for i in world.engine.get("/images/json")
                if any("imagea%d@" % world.series in d for d in i.get("RepoDigests") or [])]
    wait_for("old image gone", 30, lambda: not images())
    progress = [r["apps"][APP]["releases"]["c1"].get("update_status")
                for r in world.platform.devices[a.uuid()]["reports"]
                if "c1" in r.get("apps", {}).get(APP, {}).get("releases", {})]
    assert progress[0] == "downloading" and "done" in progress, progress
    a.stop()
    still = world.containers(a)
    assert {c["Id"] for c in still.values()} == {c["Id"] for c in after.values()}
    assert started_at(world, still["db"]) == db_start
    # A restart of the agent restarts nothing.
    a.start()
    polls = world.platform.polls
    wait_for("polls", 20, lambda: world.platform.polls > polls + 3)
    assert started_at(world, world.containers(a)["db"]) == db_start
    a.stop()


def test_two_agents_one_engine(world):
    """Agents on one engine and containers of people leave each other alone."""
    foreign = world.engine.call("POST", "/containers/create?name=foreign", {
        "Image": pulled(world, world.images["c"]), "Labels": {"io.balena.supervised": "true"},
        "HostConfig": {"NetworkMode": "none"}})["Id"]
    world.engine.call("POST", "/containers/%s/start" % foreign)
    a, b = world.agent("one").start(), world.agent("two").start()
    for agent in (a, b):
        world.first(agent)
    for agent in (a, b):
        wait_for("c1", LONG, lambda: agent.runs("c1"))
    ids_b = {s: c["Id"] for s, c in world.containers(b).items()}
    world.second(a)
    wait_for("c2", LONG, lambda: a.runs("c2"))
    world.platform.give(a.uuid(), APP, "c3", {}, 3)
    wait_for("a empty", LONG, lambda: not world.containers(a))
    polls = world.platform.polls
    wait_for("polls", 20, lambda: world.platform.polls > polls + 6)
    assert {s: c["Id"] for s, c in world.containers(b).items()} == ids_b
    assert all(c["State"] == "running" for c in world.containers(b).values())
    assert world.engine.inspect(foreign)["State"]["Status"] == "running"
    assert world.engine.inspect(foreign)["Image"]
    volumes = world.engine.get("/volumes")["Volumes"]
    owners = [v["Labels"].get("io.slipway.device") for v in volumes if v["Labels"]]
    assert a.uuid() in owners and b.uuid() in owners, volumes
    a.stop()
    b.stop()


def pulled(world, image):
    """Brings an image to the engine as a person would."""
    world.engine.call("POST", "/images/create?fromImage=" + image + "&tlsVerify=false", raw=True)
    return image


POINTS = [
    "agent.provision.keys_stored", "agent.provision.identity_stored", "agent.provision.registered",
    "agent.provision.saved", "agent.store.written_aside", "agent.store.written_aside:4",
    "agent.apply.fetch_begun", "agent.apply.pulled", "agent.apply.fetch", "agent.apply.create_network",
    "agent.apply.create_volume", "agent.apply.create", "agent.apply.start", "agent.apply.reached"]
UPDATE_POINTS = [
    "agent.store.written_aside", "agent.apply.fetch_begun", "agent.apply.pulled", "agent.apply.fetch",
    "agent.apply.stopped", "agent.apply.remove", "agent.apply.create", "agent.apply.start",
    "agent.apply.rename", "agent.apply.reached", "agent.apply.untagged", "agent.apply.release_image"]


def test_killed_in_each_state_of_an_install(world):
    """Killed at each point of registration and first install, the next start finishes it."""
    for n, point in enumerate(POINTS):
        known = len(world.platform.devices)
        world.new_images()
        a = world.agent("install%d" % n).start(failpoint=point)
        deadline = time.monotonic() + LONG
        while a.process.poll() is None and time.monotonic() < deadline:
            uuid = a.config().get("uuid")
            if uuid and uuid in world.platform.devices and uuid not in world.platform.targets:
                world.platform.give(uuid, APP, "c1", {
                    "web": service(1, world.images["a"]),
                    "db": service(2, world.images["b"], volumes=["data:/data"])}, 1)
            time.sleep(0.02)
        assert a.process.poll() == -9, "%s was not passed" % point
        a.start()
        world.first(a)
        wait_for("c1 after " + point, LONG, lambda: a.runs("c1"))
        found = world.engine.get("/containers/json?all=1")
        mine = [c for c in found if c["Labels"].get("io.slipway.device") == a.uuid()]
        assert len(mine) == 2 and all(c["State"] == "running" for c in mine), mine
        assert len(world.platform.devices) == known + 1, "a second device after " + point
        a.stop()
        world.remove_all()


def test_killed_in_each_state_of_an_update(world):
    """Killed at each point of an update, the next start finishes it; what did not change never restarts."""
    for n, point in enumerate(UPDATE_POINTS):
        world.new_images()
        a = world.agent("update%d" % n).start()
        world.first(a)
        wait_for("c1", LONG, lambda: a.runs("c1"))
        a.stop()
        db = world.containers(a)["db"]
        db_start = started_at(world, db)
        world.second(a)
        a.start(failpoint=point)
        try:
            a.process.wait(LONG)
        except subprocess.TimeoutExpired:
            raise AssertionError("%s was not passed" % point)
        assert a.process.poll() == -9
        a.start()
        wait_for("c2 after " + point, LONG, lambda: a.runs("c2"))
        after = world.containers(a)
        assert after["db"]["Id"] == db["Id"] and started_at(world, after["db"]) == db_start, point
        found = [c for c in world.engine.get("/containers/json?all=1")
                 if c["Labels"].get("io.slipway.device") == a.uuid()]
        assert len(found) == 2, found
        a.stop()
        world.remove_all()


def test_engine_down_and_up(world):
    """While the engine is away the agent waits; when it is back everything converges."""
    a = world.agent("engine").start()
    world.first(a)
    wait_for("c1", LONG, lambda: a.runs("c1"))
    world.engine.stop()
    world.second(a)
    polls = world.platform.polls
    wait_for("polls go on", 20, lambda: world.platform.polls > polls + 5)
    assert a.process.poll() is None
    world.engine.start()
    wait_for("c2", LONG, lambda: a.runs("c2"))
    a.stop()


def test_platform_down_and_up(world):
    """While the platform is away containers run on, a restart works from the stored target, later news arrive."""
    a = world.agent("platform").start()
    world.first(a)
    wait_for("c1", LONG, lambda: a.runs("c1"))
    before = {c["Id"] for c in world.containers(a).values()}
    world.platform.down = True
    a.stop()
    web = world.containers(a)["web"]["Id"]
    world.engine.call("DELETE", "/containers/%s?force=1" % web)
    a.start()
    wait_for("web is back", LONG, lambda: "web" in world.containers(a)
             and world.containers(a)["web"]["State"] == "running")
    assert world.containers(a)["db"]["Id"] in before
    world.second(a)
    world.platform.down = False
    wait_for("c2", LONG, lambda: a.runs("c2"))
    a.stop()


def test_memory(world):
    """Idle with three services the agent stays small."""
    a = world.agent("memory").start()
    world.give(a, "c1", 1, web=service(1, world.images["a"]), db=service(2, world.images["b"]),
               third=service(3, world.images["c"]))
    wait_for("c1", LONG, lambda: a.runs("c1"))
    polls = world.platform.polls
    wait_for("polls", 30, lambda: world.platform.polls > polls + 20)
    rss = a.rss_kb()
    print("agent rss with three services: %.1f MiB" % (rss / 1024))
    assert rss <= 20 * 1024 * float(os.environ.get("RSS_FACTOR", "1.0")), rss
    a.stop()


def main():
    cases = {n[len("test_"):]: f for n, f in globals().items() if n.startswith("test_")}
    wanted = sys.argv[1:] or list(cases)
    world = World()
    failed = 0
    try:
        for name in wanted:
            begin = time.monotonic()
            try:
                cases[name](world)
                print("ok   %s (%.1f s): %s" % (name, time.monotonic() - begin, cases[name].__doc__))
            except Exception as e:  # noqa: BLE001 a test's failure, whatever it is
                failed += 1
                print("FAIL %s: %r" % (name, e))
                for a in world.agents[-2:]:
                    print("--- log of", a.folder)
                    with open(os.path.join(a.folder, "log")) as f:
                        print(f.read()[-6000:])
                if os.environ.get("KEEP"):
                    input("world kept in %s; Enter ends it" % world.folder)
            for a in world.agents:
                if a.process and a.process.poll() is None:
                    a.kill()
            world.agents.clear()
            world.remove_all()
            sys.stdout.flush()
    finally:
        world.close()
    print("%d of %d passed" % (len(wanted) - failed, len(wanted)))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
