#!/usr/bin/env python3
"""The clients with nothing but a domain to go by: https on port 443, all names in the hosts file, the server's own authority.

Runs itself in a network and a hosts file of its own, so it needs root and disturbs nobody."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import urllib.request

import sdk_test
import world

DOMAIN = "slipway.test"
HOSTS = ("api", "registry2", "dashboard", "data", "ca", "devices", "logs", "tunnel")
OWN = "SLIPWAY_TEST_OWN_NETWORK"


def enter_own_network():
    """Starts this program again where port 443 and /etc/hosts are its own."""
    if OWN in os.environ:
        return
    if os.geteuid() != 0:
        sys.exit("tls_test: takes root, for a network of its own")
    os.execvpe("unshare", ["unshare", "--net", "--mount", sys.executable, *sys.argv], {**os.environ, OWN: "1"})


def prepare_network():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.NamedTemporaryFile("w", prefix="slipway-hosts-", delete=False) as file:
        file.write("127.0.0.1 localhost " + DOMAIN + " " + " ".join(f"{host}.{DOMAIN}" for host in HOSTS) + "\n")
    os.chmod(file.name, 0o644)
    subprocess.run(["mount", "--bind", file.name, "/etc/hosts"], check=True)
    os.unlink(file.name)


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = world.World(SLIPWAY_DOMAIN=DOMAIN, SLIPWAY_HTTPS_ADDRESS="127.0.0.1:443")
        cls.addClassCleanup(cls.world.close)
        cls.root = cls.world.folder / "ca.pem"
        with urllib.request.urlopen(f"http://127.0.0.1:{cls.world.server.port}/ca.pem", timeout=30) as answer:
            cls.root.write_bytes(answer.read())
        cls.ann = cls.person()

    @classmethod
    def person(cls):
        """Somebody whose only setting is the domain, in the file that the CLI reads."""
        made = cls.world.person("ann", signed_in=False)
        made.environment = {"BALENARC_API_URL": None, "BALENARC_BALENA_URL": None, "BALENARC_NO_ANALYTICS": None,
                            "BALENARC_DATA_DIRECTORY": None, "NODE_EXTRA_CA_CERTS": str(cls.root)}
        (made.home / ".balenarc.yml").write_text(f"balenaUrl: {DOMAIN}\n", encoding="utf-8")
        return made

    def test_the_cli_works_with_a_domain_and_the_root_certificate(self):
        ann = self.ann
        ann.balena("login", "--credentials", "--email", ann.email, "--password", ann.password)
        self.assertEqual(ann.balena("whoami").facts["url"], DOMAIN)
        ann.balena("fleet", "create", "cars", "--type", world.TYPE, "--organization", ann.handle)
        fleet = ann.balena("fleet", f"{ann.handle}/cars", "--json").json
        ann.balena("device", "register", fleet["slug"], "--uuid", "a" * 32)
        listed = ann.balena("device", "list", "--json").json
        self.assertEqual([(d["uuid"], d["dashboard_url"]) for d in listed],
                         [("a" * 32, f"https://dashboard.{DOMAIN}/devices/{'a' * 32}/summary")])
        ann.balena("device", "public-url", "a" * 32, "--enable")
        self.assertIn(f"https://{'a' * 32}.devices.{DOMAIN}", ann.balena("device", "public-url", "a" * 32).out)
        file = pathlib.Path(ann.home) / "config.json"
        ann.balena("config", "generate", "--fleet", fleet["slug"], "--version", "6.0.0", "--network", "ethernet",
                   "--appUpdatePollInterval", "10", "--output", file)
        config = json.loads(file.read_text(encoding="utf-8"))
        self.assertEqual((config["apiEndpoint"], config["registryEndpoint"]), (f"https://api.{DOMAIN}", f"registry2.{DOMAIN}"))
        self.assertIn("balenaRootCA", config)

    def test_without_the_root_certificate_the_cli_refuses_the_server(self):
        bob = self.person()
        bob.environment["NODE_EXTRA_CA_CERTS"] = None
        bob.refused("login", "--credentials", "--email", bob.email, "--password", bob.password, words="fetch failed")   # all that the CLI says of it
        bob.environment["NODE_EXTRA_CA_CERTS"] = str(self.root)
        bob.balena("login", "--credentials", "--email", bob.email, "--password", bob.password)

    def test_the_sdk_works_over_https(self):
        os.environ["NODE_EXTRA_CA_CERTS"] = str(self.root)
        scene = {**sdk_test.scene(self.world), "apiUrl": f"https://api.{DOMAIN}"}
        self.assertEqual(sdk_test.run(self.world, scene, "base", "auth: "), 0)


if __name__ == "__main__":
    enter_own_network()
    prepare_network()
    unittest.main(verbosity=2)
