"""Configuration for devices, and local devices that join or leave (balena-api.md 4.11, 8.10)."""

import base64
import json
import os
import re

from cases import Cases
from world import PATH, TYPE

# A device's side of `join` and `leave`: what the system's ssh would have run there is written down.
SSH = r'''#!/bin/sh
for last; do :; done
echo "$last" >> "$HOME/ssh-commands"
case "$last" in
  *os-release*) printf 'ID="balena-os"\nSLUG="generic-amd64"\nVERSION_ID="6.0.0"\nVERSION="6.0.0"\n' ;;
  *--version*) echo "os-config 2.0.0" ;;
esac
'''


class Configurations(Cases):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.fleet = cls.ann.fleet("cars")
        cls.answers = ("--version", "6.0.0", "--network", "ethernet", "--appUpdatePollInterval", "15")

    def written(self, *arguments):
        """What a command writes with --output."""
        file = self.ann.home / "config.json"
        self.ann.balena("config", "generate", *arguments, "--output", file)
        return json.loads(file.read_text(encoding="utf-8"))

    def test_a_configuration_for_a_fleet_lets_a_device_register(self):
        config = self.written("--fleet", self.fleet["slug"], *self.answers, "--provisioning-key-name", "for-sd-cards")
        self.assertEqual((config["applicationId"], config["deviceType"], config["appUpdatePollInterval"], config["listenPort"]),
                         (self.fleet["id"], TYPE, 15 * 60 * 1000, 48484))
        self.assertEqual(config["apiEndpoint"], f"http://127.0.0.1:{self.world.server.port}")
        answer = self.world.server.client(config["apiKey"]).post(
            "/device/register", {"application": config["applicationId"], "uuid": os.urandom(16).hex(), "device_type": TYPE})
        self.assertEqual(answer.status, 201, answer)
        keys = self.ann.api.rows(f"/v7/api_key?$filter=is_of__actor eq {self.fleet['actor']['__id']}&$select=name")
        self.assertIn("for-sd-cards", [key["name"] for key in keys])

    def test_wifi_and_development_mode_are_in_the_configuration(self):
        config = self.written("--fleet", self.fleet["slug"], "--version", "6.0.0", "--network", "wifi", "--wifiSsid", "field", "--wifiKey",
                              "barn door", "--appUpdatePollInterval", "10", "--dev", "--initial-device-name", "scarecrow")
        self.assertEqual((config["wifiSsid"], config["wifiKey"], config["developmentMode"], config["initialDeviceName"]),
                         ("field", "barn door", True, "scarecrow"))

    def test_a_configuration_for_a_device_carries_its_identity_and_a_working_key(self):
        device = self.ann.device(self.fleet["id"])
        config = self.written("--device", device["uuid"], *self.answers)
        self.assertEqual((config["uuid"], config["deviceId"]), (device["uuid"], device["id"]))
        self.assertIn("registered_at", config)
        answer = self.world.server.client(config["deviceApiKey"]).get(f"/device/v3/{device['uuid']}/state")
        self.assertEqual(answer.status, 200, answer)

    def test_a_configuration_for_what_others_own_is_refused(self):
        bob = self.world.person("bob")
        bob.refused("config", "generate", "--fleet", self.fleet["slug"], *self.answers, words="not found")

    def test_a_local_device_joins_a_fleet_and_leaves_it(self):
        tools = self.ann.home / "bin"
        tools.mkdir()
        (tools / "ssh").write_text(SSH, encoding="utf-8")
        (tools / "ssh").chmod(0o755)
        path = f"{tools}:{PATH}"
        self.ann.balena("join", "127.0.0.1", "--fleet", self.fleet["slug"], "--pollInterval", "12", PATH=path)
        done = (self.ann.home / "ssh-commands").read_text(encoding="utf-8")
        given = re.search(r"os-config join .*<<< ([A-Za-z0-9+/=]+)\)", done)
        self.assertIsNotNone(given, done)
        config = json.loads(base64.b64decode(given.group(1)))
        self.assertEqual((config["applicationId"], config["deviceType"], config["appUpdatePollInterval"]),
                         (self.fleet["id"], TYPE, 12 * 60 * 1000))
        self.ann.balena("leave", "127.0.0.1", PATH=path)
        self.assertIn("os-config leave", (self.ann.home / "ssh-commands").read_text(encoding="utf-8"))
