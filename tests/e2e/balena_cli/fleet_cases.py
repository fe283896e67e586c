"""Organizations, fleets and device types (balena-api.md 4.8)."""

from cases import Cases
from world import TYPE


class Organizations(Cases):
    def test_an_organization_is_created_listed_renamed_and_removed(self):
        made = self.ann.balena("organization", "create", "Red Cars Ltd").facts
        self.assertEqual(made["name"], "Red Cars Ltd")
        handle = made["handle"]
        rows = self.ann.balena("organization", "list").table("name", "handle")
        self.assertIn({"name": "Red Cars Ltd", "handle": handle}, rows)
        self.assertIn(self.ann.handle, [r["handle"] for r in rows])
        self.ann.balena("organization", "rename", handle, "Blue Cars Ltd")
        self.assertEqual(self.ann.row(f"organization({made['id']})?$select=name")["name"], "Blue Cars Ltd")
        self.ann.balena("organization", "rm", handle, "--yes")
        self.assertIsNone(self.ann.row(f"organization({made['id']})"))

    def test_organizations_of_others_are_not_seen_nor_changed(self):
        bob = self.world.person("bob")
        self.assertNotIn(self.ann.handle, bob.balena("organization", "list").out)
        bob.refused("organization", "rename", self.ann.handle, "Mine", words="not found")
        bob.refused("organization", "rm", self.ann.handle, "--yes", words="not found")

    def test_an_organization_with_fleets_is_not_removed(self):
        self.ann.fleet("holding")
        self.ann.refused("organization", "rm", self.ann.handle, "--yes", words="Request error")
        self.assertIsNotNone(self.ann.row(f"organization(handle='{self.ann.handle}')"))

    def test_device_types_are_listed_to_anyone(self):
        rows = self.ann.balena("device-type", "list", "--all", "--json").json
        by_slug = {row["slug"]: row for row in rows}
        self.assertEqual(by_slug[TYPE]["arch"], "amd64")
        self.assertEqual(by_slug["raspberrypi3"]["arch"], "armv7hf")
        guest = self.world.person("guest", signed_in=False)
        text = guest.balena("device-type", "list", "--all").table("slug", "aliases", "arch", "name")
        self.assertEqual({row["slug"] for row in text}, set(by_slug))

    def test_all_device_types_of_the_server_are_supported(self):
        supported = {row["slug"] for row in self.ann.balena("device-type", "list", "--json").json}
        self.assertLessEqual({TYPE, "raspberrypi3"}, supported)
        self.assertLessEqual(supported, {row["slug"] for row in self.ann.balena("device-type", "list", "--all", "--json").json})


class Fleets(Cases):
    def test_a_fleet_is_created_listed_and_shown(self):
        self.says(self.ann.balena("fleet", "create", "cars", "--type", TYPE, "--organization", self.ann.handle), f"{self.ann.handle}/cars")
        slug = f"{self.ann.handle}/cars"
        row = self.ann.row(f"application(slug='{slug}')?$select=id,is_of__class")
        self.assertEqual(row["is_of__class"], "fleet")
        self.ann.device(row["id"])
        listed = self.ann.balena("fleet", "list").table("id", "name", "slug", "device type", "device count", "online devices")
        self.assertIn({"id": str(row["id"]), "name": "cars", "slug": slug, "device type": TYPE, "device count": "1",
                       "online devices": "0"}, listed)
        listed = self.ann.balena("fleet", "list", "--json").json
        self.assertIn({"id": row["id"], "app_name": "cars", "slug": slug, "device_type": TYPE, "online_devices": 0,
                       "device_count": 1}, listed)
        release = self.ann.release(row["id"])
        shown = self.ann.balena("fleet", slug).facts
        self.assertEqual((shown["id"], shown["slug"], shown["commit"]), (str(row["id"]), slug, release["commit"]))
        shown = self.ann.balena("fleet", "cars", "--json").json
        self.assertEqual((shown["id"], shown["slug"], shown["commit"]), (row["id"], slug, release["commit"]))

    def test_what_cannot_be_created_is_told(self):
        self.ann.fleet("taken")
        create = ("fleet", "create")
        self.ann.refused(*create, "taken", "--type", TYPE, "--organization", self.ann.handle, words="already exists")
        self.ann.refused(*create, "lorries", "--type", "no-such-type", "--organization", self.ann.handle, words="device type slug not recognized")
        self.ann.refused(*create, "lorries", "--type", TYPE, "--organization", "no_such_org", words="not found")
        self.ann.refused(*create, "a b", "--type", TYPE, "--organization", self.ann.handle, words="4 to 100 letters")

    def test_an_app_and_a_block_are_fleets_of_another_class(self):
        for kind in ("app", "block"):
            self.ann.balena(kind, "create", f"my-{kind}", "--type", TYPE, "--organization", self.ann.handle)
            self.assertEqual(self.ann.row(f"application(slug='{self.ann.handle}/my-{kind}')?$select=is_of__class")["is_of__class"], kind)

    def test_a_fleet_is_renamed_and_removed(self):
        fleet = self.ann.fleet("old-name")
        self.ann.fleet("other-name")
        self.ann.refused("fleet", "rename", fleet["slug"], "other-name", words="already exists")
        self.says(self.ann.balena("fleet", "rename", fleet["slug"], "new-name"), fleet["slug"], f"{self.ann.handle}/new-name")
        self.ann.refused("fleet", fleet["slug"], words="not found")
        self.ann.balena("fleet", "rm", f"{self.ann.handle}/new-name", "--yes")
        self.assertIsNone(self.ann.row(f"application({fleet['id']})"))

    def test_a_fleet_is_pinned_and_tracks_the_latest_again(self):
        fleet = self.ann.fleet("pinned")
        first = self.ann.release(fleet["id"])
        second = self.ann.release(fleet["id"])
        target = f"application({fleet['id']})?$select=should_track_latest_release&$expand=should_be_running__release($select=commit)"
        self.assertEqual(self.ann.row(target)["should_be_running__release"][0]["commit"], second["commit"])
        self.says(self.ann.balena("fleet", "pin", fleet["slug"]), second["commit"])
        self.ann.balena("fleet", "pin", fleet["slug"], first["commit"])
        row = self.ann.row(target)
        self.assertEqual((row["should_track_latest_release"], row["should_be_running__release"][0]["commit"]), (False, first["commit"]))
        self.ann.refused("fleet", "pin", fleet["slug"], "f" * 32, words="not found")
        self.ann.balena("fleet", "track-latest", fleet["slug"])
        row = self.ann.row(target)
        self.assertEqual((row["should_track_latest_release"], row["should_be_running__release"][0]["commit"]), (True, second["commit"]))

    def test_a_fleet_without_online_devices_is_purged_and_restarted_quietly(self):
        fleet = self.ann.fleet("asleep")
        self.ann.device(fleet["id"])
        self.ann.balena("fleet", "purge", fleet["slug"])
        self.ann.balena("fleet", "restart", fleet["slug"])

    def test_fleets_of_others_do_not_exist(self):
        fleet = self.ann.fleet("secret")
        bob = self.world.person("bob")
        self.assertEqual(bob.balena("fleet", "list", "--json").json, [])
        for command in (("fleet", fleet["slug"]), ("fleet", "rename", fleet["slug"], "mine"), ("fleet", "rm", fleet["slug"], "--yes"),
                        ("fleet", "restart", fleet["slug"]), ("release", "list", fleet["slug"])):
            bob.refused(*command, words="not found")
        self.assertIsNotNone(self.ann.row(f"application({fleet['id']})"))

    def test_support_access_is_granted_and_revoked(self):
        fleet = self.ann.fleet("helped")
        device = self.ann.device(fleet["id"])
        self.says(self.ann.balena("support", "enable", "--fleet", fleet["slug"], "--device", device["uuid"], "-t", "2h"), "2h")
        field = "is_accessible_by_support_until__date"
        self.assertIsNotNone(self.ann.row(f"application({fleet['id']})?$select={field}")[field])
        self.assertIsNotNone(self.ann.row(f"device({device['id']})?$select={field}")[field])
        self.ann.balena("support", "disable", "--device", device["uuid"], "--fleet", fleet["slug"])
        self.assertIsNone(self.ann.row(f"device({device['id']})?$select={field}")[field])
