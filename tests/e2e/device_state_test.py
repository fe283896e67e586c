#!/usr/bin/env python3
"""Target states and reports of devices, of today's and of early supervisors (balena-api.md 8.1, 8.4 to 8.8, 8.11)."""

import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.slipwayd import Slipwayd, new_uuid  # noqa: E402
from support.tenant import Tenant  # noqa: E402

SERVER = None


def setUpModule():
    global SERVER
    SERVER = Slipwayd().start()


def tearDownModule():
    try:
        status = SERVER.stop()
        assert status == 0, f"slipwayd ended with {status}:\n{SERVER.text()}"
    finally:
        SERVER.remove()


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.admin = SERVER.login()
        cls.guest = SERVER.client()
        cls.bob = Tenant(SERVER, cls.admin)

    def setUp(self):
        self.ann = Tenant(SERVER, self.admin)
        self.release = self.ann.given_release()
        self.device = self.ann.given_device()
        self.uuid = self.device["uuid"]
        self.app = self.ann.api.rows(f"/v7/application({self.ann.fleet})?$select=uuid")[0]["uuid"]

    def row(self, device=None):
        return self.ann.api.rows(f"/v7/device({(device or self.device)['id']})?$expand=image_install")[0]

    def report(self, part, api=None, uuid=None):
        return (api or self.device["api"]).patch("/device/v3/state", {uuid or self.uuid: part}).status

    def service(self, **more):
        return {"image": self.release["image"], "status": "Downloading", **more}

    def downloading(self, progress, status="Downloading"):
        return {"apps": {self.app: {"releases": {self.release["commit"]: {
            "update_status": "downloading", "services": {"main": self.service(status=status, download_progress=progress)}}}}}}


class TargetTest(Case):
    def test_the_state_of_early_supervisors_has_the_services_by_id(self):
        self.ann.api.create("device_environment_variable", device=self.device["id"], name="A", value="1")
        v3 = self.device["api"].get(f"/device/v3/{self.uuid}/state").json[self.uuid]
        answer = self.device["api"].get(f"/device/v2/{self.uuid}/state")
        self.assertEqual(answer.status, 200, answer)
        state = answer.json
        self.assertEqual(state["dependent"], {"apps": {}, "devices": {}})
        local = state["local"]
        self.assertEqual((local["name"], local["config"]), (v3["name"], v3["config"]))
        self.assertEqual(list(local["apps"]), [str(self.ann.fleet)])
        app = local["apps"][str(self.ann.fleet)]
        self.assertEqual((app["name"], app["commit"], app["releaseId"]), ("cars", self.release["commit"], self.release["id"]))
        new = v3["apps"][self.app]["releases"][self.release["commit"]]["services"]["main"]
        old = app["services"][str(new["id"])]
        self.assertEqual((old["imageId"], old["serviceName"], old["image"], old["running"], old["environment"], old["labels"]),
                         (new["image_id"], "main", new["image"], True, new["environment"], new["labels"]))
        self.assertEqual(old["environment"], {"A": "1"})
        known = {"If-None-Match": answer.headers["ETag"]}
        self.assertEqual(self.device["api"].get(f"/device/v2/{self.uuid}/state", headers=known).status, 304)
        self.ann.api.create("device_environment_variable", device=self.device["id"], name="B", value="2")
        self.assertEqual(self.device["api"].get(f"/device/v2/{self.uuid}/state", headers=known).status, 200)

    def test_who_has_no_right_hears_of_a_device_what_he_would_hear_of_none(self):
        for version in ("v2", "v3"):
            for uuid in (new_uuid(), self.uuid):
                for api in (self.guest, SERVER.client("nonsense")):
                    self.assertEqual(api.get(f"/device/{version}/{uuid}/state").status, 304)
                self.assertEqual(self.bob.api.get(f"/device/{version}/{uuid}/state").status, 401)
            self.assertEqual(self.ann.api.get(f"/device/{version}/{self.uuid}/state").status, 200)
        self.ann.api.delete(f"/v7/device({self.device['id']})")
        for version in ("v2", "v3"):
            self.assertEqual(self.device["api"].get(f"/device/{version}/{self.uuid}/state").status, 304)
        self.assertEqual(self.device["api"].patch(f"/device/v2/{self.uuid}/state", {"local": {"status": "Idle"}}).status, 200)
        self.assertEqual(self.report({"status": "Idle"}), 401)
        self.assertEqual(self.device["api"].patch("/device/v3/tags", {self.uuid: {"a": "b"}}).status, 401)

    def test_the_state_of_a_fleet_is_found_with_and_without_a_slash_at_the_end(self):
        for path in (f"/device/v3/fleet/{self.app}/state", f"/device/v3/fleet/{self.app}/state/",
                     f"/device/v3/fleet/{self.app}/state/?releaseUuid={self.release['commit']}"):
            answer = self.ann.api.get(path)
            self.assertEqual(answer.status, 200, path)
            self.assertIn(self.release["commit"], answer.json[self.app]["apps"][self.app]["releases"])
        self.assertEqual(self.ann.api.get(f"/device/v3/fleet/{self.app}/state/?releaseUuid={new_uuid()}").status, 401)
        self.assertEqual(self.ann.api.get(f"/device/v3/fleet/{new_uuid()}/state/").status, 401)
        self.assertEqual(self.bob.api.get(f"/device/v3/fleet/{self.app}/state/").status, 401)

    def test_the_poll_interval_comes_from_the_device_then_the_fleet_by_either_name_and_has_a_least(self):
        def told():
            return self.device["api"].get(f"/device/v3/{self.uuid}/state").json[self.uuid]["config"]
        self.assertEqual(told()["RESIN_SUPERVISOR_POLL_INTERVAL"], "600000")
        self.ann.api.create("application_config_variable", application=self.ann.fleet,
                            name="RESIN_SUPERVISOR_POLL_INTERVAL", value="900000")
        self.assertEqual(told()["RESIN_SUPERVISOR_POLL_INTERVAL"], "900000")
        made = self.ann.api.create("device_config_variable", device=self.device["id"],
                                   name="BALENA_SUPERVISOR_POLL_INTERVAL", value="1200000")
        self.assertEqual({told()[n] for n in ("RESIN_SUPERVISOR_POLL_INTERVAL", "BALENA_SUPERVISOR_POLL_INTERVAL")},
                         {"1200000"})
        self.ann.api.patch(f"/v7/device_config_variable({made['id']})", {"value": "1000"})
        self.assertEqual({told()[n] for n in ("RESIN_SUPERVISOR_POLL_INTERVAL", "BALENA_SUPERVISOR_POLL_INTERVAL")},
                         {"600000"})


class ReportTest(Case):
    def test_metrics_are_written_once_a_minute_unless_something_else_changes(self):
        self.assertEqual(self.report({"memory_usage": 1, "cpu_temp": None}), 200)
        self.assertEqual(self.report({"memory_usage": 2, "storage_block_device": "/dev/sda"}), 200)
        self.assertEqual((self.row()["memory_usage"], self.row()["storage_block_device"]), (1, None))
        self.assertEqual(self.report({"memory_usage": 3, "status": "Idle"}), 200)
        self.assertEqual(self.row()["memory_usage"], 3)
        self.assertEqual(self.report({"memory_usage": 4, "status": "Idle"}), 200)
        self.assertEqual(self.row()["memory_usage"], 3)

    def test_progress_is_written_now_and_then_and_at_its_milestones(self):
        def stored():
            return [(i["status"], i["download_progress"]) for i in self.row()["image_install"]]
        self.assertEqual(self.report(self.downloading(10)), 200)
        self.assertEqual(self.report(self.downloading(11)), 200)
        self.assertEqual(stored(), [("Downloading", 10)])
        self.assertEqual(self.report(self.downloading(100)), 200)
        self.assertEqual(stored(), [("Downloading", 100)])
        self.assertEqual(self.report(self.downloading(50, "Downloaded")), 200)
        self.assertEqual(stored(), [("Downloaded", 50)])
        self.assertEqual(self.report(self.downloading(None, "Downloaded")), 200)
        self.assertEqual(stored(), [("Downloaded", None)])

    def test_the_lowest_status_of_all_releases_is_the_devices(self):
        second = self.ann.given_release()
        releases = {self.release["commit"]: {"update_status": "done"}, second["commit"]: {"update_status": "downloading"}}
        self.assertEqual(self.report({"apps": {self.app: {"releases": releases}}}), 200)
        self.assertEqual(self.row()["update_status"], "downloading")
        releases[second["commit"]]["update_status"] = "no such status"
        self.assertEqual(self.report({"apps": {self.app: {"releases": releases}}}), 200)
        self.assertEqual(self.row()["update_status"], "done")

    def test_long_texts_are_cut_and_addresses_between_two(self):
        addresses = " ".join(f"10.0.{i // 256}.{i % 256}" for i in range(400))
        self.assertEqual(self.report({"ip_address": addresses, "status": "x" * 80, "mac_address": "AA:BB " * 300}), 200)
        row = self.row()
        self.assertEqual(row["status"], "x" * 50)
        self.assertLessEqual(len(row["ip_address"]), 2000)
        self.assertTrue(addresses.startswith(row["ip_address"] + " "))
        self.assertLessEqual(len(row["mac_address"]), 900)
        self.assertTrue(row["mac_address"].endswith("BB"))

    def test_several_devices_in_one_body_are_all_or_none(self):
        other = self.ann.given_device()
        body = {self.uuid: {"status": "one"}, other["uuid"]: {"status": "two"}}
        self.assertEqual(self.ann.api.patch("/device/v3/state", body).status, 200)
        self.assertEqual((self.row()["status"], self.row(other)["status"]), ("one", "two"))
        body = {self.uuid: {"status": "three"}, new_uuid(): {"status": "four"}}
        self.assertEqual(self.ann.api.patch("/device/v3/state", body).status, 401)
        self.assertEqual(self.row()["status"], "one")
        self.assertEqual(self.device["api"].patch("/device/v3/state", {self.uuid: {}, other["uuid"]: {}}).status, 401)

    def test_an_early_supervisor_reports_and_renames_itself(self):
        image = self.ann.api.rows("/v7/image?$select=id")[0]["id"]
        local = {"status": "Idle", "os_version": "balenaOS 2.0", "memory_usage": 9, "name": "renamed", "note": "hello",
                 "is_on__commit": self.release["commit"], "download_progress": 40,
                 "should_be_running__release": self.release["id"],
                 "apps": {str(self.ann.fleet): {"services": {str(image): {
                     "releaseId": self.release["id"], "status": "Running", "download_progress": None}}}}}
        answer = self.device["api"].patch(f"/device/v2/{self.uuid}/state", {"local": local, "dependent": {}})
        self.assertEqual((answer.status, answer.text), (200, ""), answer)
        row = self.row()
        self.assertEqual((row["status"], row["os_version"], row["device_name"], row["note"], row["download_progress"]),
                         ("Idle", "balenaOS 2.0", "renamed", "hello", 40))
        self.assertEqual((row["is_running__release"]["__id"], row["is_pinned_on__release"]["__id"]),
                         (self.release["id"], self.release["id"]))
        self.assertEqual([i["status"] for i in row["image_install"]], ["Running"])
        path = f"/device/v2/{self.uuid}/state"
        for wrong, status in (({"local": {"is_on__commit": new_uuid()}}, 401), ({"local": {"apps": {"1": {}}}}, 401),
                              ({"local": {"should_be_running__release": 999999}}, 401), ({"local": 7}, 400), ([], 400),
                              ({"local": {"apps": {str(self.ann.fleet): {"services": {"x": {}}}}}}, 400),
                              ({"local": {"apps": {str(self.ann.fleet): {"services": {"999999": {"releaseId": self.release["id"]}}}}}}, 401)):
            self.assertEqual(self.device["api"].patch(path, wrong).status, status, wrong)
        for api, status in ((self.guest, 200), (self.bob.api, 401), (SERVER.client(self.ann.provisioning_key()), 401)):
            self.assertEqual(api.patch(path, {"local": {"status": "hacked"}}).status, status)
        self.assertEqual(self.row()["status"], "Idle")

    def test_hostile_reports_change_nothing_and_break_nothing(self):
        for part in (None, [], "x", {"apps": []}, {"apps": {self.app: []}}, {"apps": {self.app: {"releases": {"x": {}}}}},
                     {"apps": {new_uuid(): {}}}, {"apps": {self.app: {"releases": {self.release["commit"]: {"services": {"m": 7}}}}}}):
            self.assertIn(self.report(part), (400, 401), part)
        for part in ({"status": 7}, {"memory_usage": "much"}, {"is_undervolted": "yes"}, {"cpu_temp": 1e300}, {"unknown": [[]]},
                     {"api_port": -1e9}, {"apps": {self.app: {"releases": 7}}}):
            self.assertEqual(self.report(part), 200, part)
        self.assertEqual(self.device["api"].send("PATCH", "/device/v3/state", raw=b"{").status, 400)
        deep = json.loads("[" * 60 + "]" * 60)
        self.assertIn(self.report({"unknown": deep}), (200, 400))


class TagsTest(Case):
    def test_a_device_sets_its_tags(self):
        def tags():
            return {t["tag_key"]: t["value"] for t in self.ann.api.rows(f"/v7/device_tag?$filter=device eq {self.device['id']}")}
        answer = self.device["api"].patch("/device/v3/tags", {self.uuid: {"a": "1", "b": "2"}})
        self.assertEqual((answer.status, answer.text), (200, ""), answer)
        self.assertEqual(tags(), {"a": "1", "b": "2"})
        self.assertEqual(self.device["api"].patch("/device/v3/tags", {self.uuid: {"b": "3", "c": ""}}).status, 200)
        self.assertEqual(tags(), {"a": "1", "b": "3", "c": ""})
        other = self.ann.given_device()
        for wrong, status in (({}, 400), ([], 400), ({self.uuid: []}, 400), ({self.uuid: {"x": 7}}, 400), ({self.uuid: {"x": None}}, 400),
                              ({self.uuid: {"x": "1", "y" * 300: "1"}}, 400), ({self.uuid: {"x": "1"}, new_uuid(): {}}, 401),
                              ({other["uuid"]: {"x": "1"}}, 401), ({self.uuid: {f"t{i}": "" for i in range(1001)}}, 400)):
            self.assertEqual(self.device["api"].patch("/device/v3/tags", wrong).status, status, wrong)
        for api in (self.guest, self.bob.api):
            self.assertEqual(api.patch("/device/v3/tags", {self.uuid: {"x": "1"}}).status, 401)
        self.assertEqual(tags(), {"a": "1", "b": "3", "c": ""})


if __name__ == "__main__":
    unittest.main(verbosity=1, warnings="ignore")
