#!/usr/bin/env python3
"""A domain with the server's own authority, as people and devices use it: docker, the slipway command and an agent against a real slipwayd
and a real engine."""
import base64
import json
import os
import subprocess
import time
import unittest

import tls_world
from agent_world import wait_for
from tls_world import ADDRESS, ADMIN, API, BIN, DOMAIN, LONG, REGISTRY


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


class Agent:
    def __init__(self, world, name, change=None, arguments=()):
        self.world, self.folder = world, f"{world.folder}/{name}"
        world.agents.append(self)
        os.mkdir(self.folder)
        self.config_file = self.folder + "/config.json"
        world.slipway("device", "config", "boats", "-o", self.config_file)
        config = self.config()
        (change or (lambda c: None))(config)
        with open(self.config_file, "w", encoding="utf-8") as file:
            json.dump(config, file)
        self.log_file = self.folder + "/log"
        with open(self.log_file, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [os.path.join(BIN, "slipway-agent"), "run", "--config", self.config_file, "--state-dir", self.folder + "/state",
                 "--lock-dir", self.folder + "/locks", "--engine", "unix://" + world.engine.socket,
                 "--poll-interval-ms", "500", "--report-gap-ms", "100", *arguments], stdout=log, stderr=log)

    def config(self):
        with open(self.config_file, encoding="utf-8") as file:
            return json.load(file)

    def log(self):
        with open(self.log_file, encoding="utf-8") as file:
            return file.read()

    def uuid(self):
        return wait_for("registration", LONG, lambda: self.config().get("registered_at") and self.config()["uuid"])

    def runs(self, commit):
        row = self.world.api.rows(f"/v7/device?$filter=uuid eq '{self.uuid()}'&$select=id&$expand=is_running__release($select=commit)")[0]
        release = row["is_running__release"]
        return bool(release) and release[0]["commit"] == commit

    def until_it_runs(self, commit):
        try:
            wait_for(f"{commit} on the device", LONG, lambda: self.runs(commit))
        except AssertionError as e:
            raise AssertionError(self.log()[-4000:]) from e

    def until_it_says(self, *words):
        try:
            wait_for(" and ".join(words), LONG, lambda: all(w in self.log() for w in words))
        except AssertionError as e:
            raise AssertionError(self.log()[-4000:]) from e

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired as e:
                self.process.kill()
                self.process.wait()
                raise AssertionError("the agent does not end: " + self.log()[-4000:]) from e


def setUpModule():
    Case.w = w = tls_world.World()
    unittest.addModuleCleanup(w.remove)
    with open(w.root, encoding="ascii") as file:
        Case.root_text = file.read()
    # Of the same name as the server's: a name must not be what makes a root work.
    Case.stranger = w.folder + "/stranger.pem"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "5",
            "-subj", f"/CN=Slipway CA of {DOMAIN}", "-keyout", w.folder + "/stranger.key", "-out", Case.stranger)
    w.slipway("login", "-u", ADMIN, "--password-file", w.folder + "/password")
    w.slipway("fleet", "create", "boats", "--type", "generic-amd64")


class Case(unittest.TestCase):
    """What all tests here share."""

    w = root_text = stranger = None


class CommandTest(Case):
    """The slipway command and docker."""

    def setUp(self):
        self.w.forget_trust()

    def test_a_server_that_is_not_trusted_is_told_with_what_to_do(self):
        def refused(*arguments, root=None):
            began = time.monotonic()
            said = self.w.slipway(*arguments, root=root, code=5).stderr
            self.assertLess(time.monotonic() - began, 2.5, "it was tried again")
            return said
        self.w.slipway("logout")
        try:
            said = refused("fleet", "list")
            self.assertIn("certificate cannot be trusted", said)
            self.assertIn("--ca FILE", said)
            self.assertIn("SLIPWAY_CA", said)
            self.assertIn("is not its root", refused("fleet", "list", root=self.stranger))
            self.assertIn("a name that it is for", refused("--server", f"https://{ADDRESS}", "whoami", root="own"))
        finally:
            self.w.slipway("login", "-u", ADMIN, "--password-file", self.w.folder + "/password", root=None, code=5)
            self.w.slipway("login", "--ca", self.w.root, "-u", ADMIN, "--password-file", self.w.folder + "/password", root=None)
        # The login remembers the root, so nothing has to name it again.
        self.assertIn("boats", self.w.slipway("fleet", "list", root=None).stdout)

    def test_trust_makes_the_engine_trust_the_registry_at_once(self):
        w = self.w
        credentials = ["login", REGISTRY, "-u", "token", "--password-stdin"]
        self.assertIn("x509", w.docker(*credentials, input=w.api.token, code=1).stderr)
        said = w.slipway("deploy", "boats", w.project("untrusted"), code=1).stderr
        self.assertIn("x509", said)
        self.assertIn("slipway trust", said)

        w.slipway("trust", root=self.stranger, code=5)
        self.assertEqual(w.trusted_files(), [])
        self.assertIn(f"trusts {REGISTRY} now", w.slipway("trust").stdout)
        self.assertEqual(w.trusted_files(), [f"/etc/docker/certs.d/{REGISTRY}/slipway.crt"])
        with open(w.trusted_files()[0], encoding="ascii") as file:
            self.assertEqual(file.read(), self.root_text)
        self.assertEqual(json.loads(w.slipway("trust", "--json").stdout)["changed"], False)

        w.docker(*credentials, input=w.api.token)
        commit = w.deploy("trusted")
        release = f"/v7/release_image?$filter=is_part_of__release/commit eq '{commit}'&$expand=image($select=is_stored_at__image_location)"
        location = w.api.rows(release)[0]["image"][0]["is_stored_at__image_location"]
        self.assertTrue(location.startswith(REGISTRY + "/v2/"), location)
        w.forget_images()
        w.docker("pull", location)
        w.docker("tag", location, location + ":again")
        w.docker("push", location + ":again")
        w.docker("logout", REGISTRY)

    def test_trust_asks_for_the_root_it_cannot_know(self):
        self.w.slipway("logout")
        self.assertIn("--ca FILE", self.w.slipway("trust", root=None, code=1).stderr)
        self.w.slipway("trust", root="/nowhere", code=2)
        self.w.slipway("trust", "--engine-certs", "/proc/none", code=1)
        self.w.slipway("login", "-u", ADMIN, "--password-file", self.w.folder + "/password")


class DeviceTest(Case):
    """slipway-agent with a config.json that holds the root."""

    def test_a_device_enrols_pulls_and_goes_on_when_the_certificate_is_renewed(self):
        w = self.w
        w.slipway("trust")
        first = w.deploy("first")
        w.forget_trust()  # on a device nobody types that
        w.forget_images()
        agent = Agent(w, "device")
        self.assertEqual(base64.b64decode(agent.config()["balenaRootCA"]).decode(), self.root_text)
        self.assertEqual(agent.config()["apiEndpoint"], API)
        agent.until_it_runs(first)
        self.assertEqual(w.trusted_files(), [f"/etc/docker/certs.d/{REGISTRY}/slipway.crt"])
        before = self.served()
        wait_for("the overlay", LONG, lambda: self.online(agent))

        self.age_the_certificate()
        self.assertEqual(w.server.stop(), 0)
        w.start_server()
        self.assertNotEqual(self.served(), before)
        with open(w.root, encoding="ascii") as file:
            self.assertEqual(file.read(), self.root_text)
        second = w.deploy("second")
        agent.until_it_runs(second)
        wait_for("the overlay again", LONG, lambda: agent.log().count("overlay connected") > 1 and self.online(agent))
        self.assertIsNone(agent.process.poll(), "the agent is still the one that was started")
        agent.stop()

    def test_a_device_with_another_root_says_so_and_talks_to_nobody(self):
        w = self.w
        def other(config):
            with open(self.stranger, "rb") as file:
                config["balenaRootCA"] = base64.b64encode(file.read()).decode()
        def none(config):
            del config["balenaRootCA"]
        def damaged(config):
            config["balenaRootCA"] = config["balenaRootCA"][:200]
        requests = self.devices()
        w.forget_trust()
        for name, change, words in (("other", other, ["certificate cannot be trusted"]), ("none", none, ["certificate cannot be trusted"]),
                                    ("damaged", damaged, ["certificate"])):
            agent = Agent(w, name, change, ["--engine-certs", ""])
            agent.until_it_says("not registered yet", "balenaRootCA", *words)
            # More than one attempt, and none of them by another way.
            wait_for("a second attempt", LONG, lambda a=agent: a.log().count("not registered yet") > 1)
            self.assertNotIn("registered_at", agent.config())
            agent.stop()
        self.assertEqual(self.devices(), requests)
        self.assertEqual(w.trusted_files(), [])

    def test_an_engine_that_does_not_trust_the_registry_pulls_nothing_until_it_is_told(self):
        w = self.w
        w.slipway("trust")
        commit = w.deploy("pulled")
        w.forget_trust()
        w.forget_images()
        agent = Agent(w, "untold", arguments=["--engine-certs", ""])
        agent.until_it_says("x509")
        self.assertFalse(agent.runs(commit))
        w.slipway("trust")
        agent.until_it_runs(commit)
        agent.stop()
        w.forget_trust()
        with open("/etc/docker/certs.d", "w", encoding="ascii"):  # no folder can be made there
            pass
        try:
            Agent(w, "refused").until_it_says("the engine cannot be told to trust the registry")
        finally:
            os.remove("/etc/docker/certs.d")
            w.agents[-1].stop()

    def devices(self):
        return len(self.w.api.rows("/v7/device?$select=id"))

    def online(self, agent):
        return self.w.api.rows(f"/v7/device?$filter=uuid eq '{agent.uuid()}'&$select=is_connected_to_vpn")[0]["is_connected_to_vpn"]

    def served(self):
        done = subprocess.run(["openssl", "s_client", "-connect", ADDRESS + ":443", "-servername", "api." + DOMAIN, "-CAfile", self.w.root,
                               "-verify_return_error"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
        end = subprocess.run(["openssl", "x509", "-noout", "-enddate", "-serial"], input=done.stdout, capture_output=True, text=True, check=True)
        return end.stdout

    def age_the_certificate(self):
        """The server's certificate becomes one that ends in 20 days, signed by the same root: it is time for the next."""
        ca, new = os.path.dirname(self.w.root), self.w.folder
        names = f"subjectAltName=DNS:{DOMAIN},DNS:*.{DOMAIN},DNS:*.devices.{DOMAIN}"
        with open(new + "/names", "w", encoding="ascii") as file:
            file.write(names + "\n")
        openssl("req", "-new", "-key", ca + "/leaf.key", "-subj", f"/CN={DOMAIN}", "-out", new + "/csr")
        openssl("x509", "-req", "-in", new + "/csr", "-CA", self.w.root, "-CAkey", ca + "/root.key", "-set_serial", "7", "-days", "20",
                "-extfile", new + "/names", "-out", ca + "/leaf.pem")


if __name__ == "__main__":
    unittest.main(warnings="ignore")
