"""Devices as rows: what the CLI does to them whether they are online or not (balena-api.md 4.10)."""

import secrets

from cases import Cases
from world import TYPE


class Devices(Cases):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.fleet = cls.ann.fleet("cars")
        cls.slug = cls.fleet["slug"]

    def setUp(self):
        self.device = self.ann.device(self.fleet["id"])
        self.uuid = self.device["uuid"]

    def now(self, select="id", expand=""):
        return self.ann.row(f"device(uuid='{self.uuid}')?$select={select}" + (f"&$expand={expand}" if expand else ""))

    def test_a_device_is_registered_with_a_chosen_uuid_and_with_its_own(self):
        uuid = secrets.token_hex(16)
        self.says(self.ann.balena("device", "register", self.slug, "--uuid", uuid), uuid, self.slug)
        row = self.ann.row(f"device(uuid='{uuid}')?$expand=is_of__device_type($select=slug)")
        self.assertEqual(row["is_of__device_type"][0]["slug"], TYPE)
        self.ann.refused("device", "register", self.slug, "--uuid", uuid, words="unique")
        said = self.ann.balena("device", "register", self.slug, "--deviceType", "qemux86-64").out.split()
        row = self.ann.row(f"device(uuid='{said[-1]}')?$expand=is_of__device_type($select=slug)")
        self.assertEqual(row["is_of__device_type"][0]["slug"], "qemux86-64")
        self.ann.refused("device", "register", "no_such/fleet", words="not found")

    def test_devices_are_listed(self):
        heads = ("id", "uuid", "device name", "device type", "fleet", "status", "is online", "supervisor version", "os version")
        name = self.now("device_name")["device_name"]
        wanted = {"id": str(self.device["id"]), "uuid": self.uuid[:7], "device name": name, "device type": TYPE, "fleet": self.slug}
        found = [r for r in self.ann.balena("device", "list").table(*heads) if r["uuid"] == self.uuid[:7]]
        self.assertEqual({key: found[0][key] for key in wanted}, wanted)
        self.assertEqual(found[0]["is online"], "false")
        found = [r for r in self.ann.balena("device", "list", "--fleet", self.slug, "--json").json if r["uuid"] == self.uuid]
        self.assertEqual((found[0]["id"], found[0]["device_name"], found[0]["fleet"], found[0]["device_type"], found[0]["is_online"]),
                         (self.device["id"], name, self.slug, TYPE, False))
        self.assertIn(f"/devices/{self.uuid}/summary", found[0]["dashboard_url"])

    def test_a_device_is_shown_by_its_uuid_and_by_the_start_of_it(self):
        shown = self.ann.balena("device", self.uuid[:10]).facts
        self.assertEqual((shown["id"], shown["uuid"], shown["fleet"], shown["status"]),
                         (str(self.device["id"]), self.uuid, self.slug, "configuring"))
        self.ann.api.create("device_tag", device=self.device["id"], tag_key="place", value="roof")
        shown = self.ann.balena("device", self.uuid, "--json").json
        self.assertEqual((shown["id"], shown["uuid"], shown["fleet"], shown["overall_status"]),
                         (self.device["id"], self.uuid, self.slug, "configuring"))
        self.assertEqual(shown["device_tag"], [{"tag_key": "place", "value": "roof"}])
        self.ann.refused("device", "f" * 32, words="not found")

    def test_a_device_is_renamed_and_gets_a_note(self):
        self.ann.balena("device", "rename", self.uuid[:8], "garage door")
        self.ann.balena("device", "note", "needs a new battery", "--device", self.uuid)
        row = self.now("device_name,note")
        self.assertEqual((row["device_name"], row["note"]), ("garage door", "needs a new battery"))

    def test_a_device_moves_to_a_fleet_of_the_same_architecture_only(self):
        lorries = self.ann.fleet("lorries" + secrets.token_hex(3))
        small = self.ann.fleet("small" + secrets.token_hex(3), kind="raspberrypi3")
        self.says(self.ann.balena("device", "move", self.uuid, "--fleet", lorries["slug"]), lorries["slug"])
        self.assertEqual(self.now("belongs_to__application")["belongs_to__application"], {"__id": lorries["id"]})
        self.ann.refused("device", "move", self.uuid, "--fleet", small["slug"], words="incompatible")
        self.assertEqual(self.now("belongs_to__application")["belongs_to__application"], {"__id": lorries["id"]})

    def test_a_device_is_pinned_and_tracks_its_fleet_again(self):
        first = self.ann.release(self.fleet["id"])
        second = self.ann.release(self.fleet["id"])
        self.says(self.ann.balena("device", "pin", self.uuid), "not currently pinned")
        self.ann.balena("device", "pin", self.uuid, first["commit"])
        self.says(self.ann.balena("device", "pin", self.uuid), first["commit"])
        target = "should_be_running__release($select=commit)"
        self.assertEqual(self.now(expand=target)["should_be_running__release"][0]["commit"], first["commit"])
        self.ann.balena("device", "track-fleet", self.uuid)
        self.assertEqual(self.now(expand=target)["should_be_running__release"][0]["commit"], second["commit"])
        self.ann.refused("device", "pin", self.uuid, "f" * 32, words="not found")

    def test_local_mode_is_off_and_not_for_devices_that_were_never_online(self):
        self.says(self.ann.balena("device", "local-mode", self.uuid, "--status"), "false")
        self.ann.refused("device", "local-mode", self.uuid, "--enable", words="not yet fully provisioned")
        self.ann.balena("device", "local-mode", self.uuid, "--disable")
        self.says(self.ann.balena("device", "local-mode", self.uuid), "DISABLED")

    def test_a_public_url_is_switched_and_shown(self):
        self.ann.refused("device", "public-url", self.uuid, words="not enabled")
        self.ann.balena("device", "public-url", self.uuid, "--enable")
        self.says(self.ann.balena("device", "public-url", self.uuid, "--status"), "true")
        self.says(self.ann.balena("device", "public-url", self.uuid), f"https://{self.uuid}.")
        self.ann.balena("device", "public-url", self.uuid, "--disable")
        self.assertFalse(self.now("is_web_accessible")["is_web_accessible"])

    def test_a_device_is_deactivated_and_removed(self):
        self.ann.balena("device", "deactivate", self.uuid, "--yes")
        row = self.now("is_active,overall_status")
        self.assertEqual((row["is_active"], row["overall_status"]), (False, "inactive"))
        self.ann.balena("device", "rm", self.uuid, "--yes")
        self.assertIsNone(self.now())

    def test_an_action_on_a_device_that_is_offline_says_so(self):
        for action in ("reboot", "shutdown", "purge", "identify"):
            self.ann.refused("device", action, self.uuid, words="online")
        self.ann.refused("device", "restart", self.uuid, words="online")

    def test_devices_of_others_do_not_exist(self):
        bob = self.world.person("bob")
        self.assertEqual(bob.balena("device", "list", "--json").json, [])
        for command in (("device", self.uuid), ("device", "rename", self.uuid, "mine"), ("device", "reboot", self.uuid),
                        ("device", "logs", self.uuid), ("device", "rm", self.uuid, "--yes")):
            bob.refused(*command, words="not found")
        self.assertIsNotNone(self.now())
