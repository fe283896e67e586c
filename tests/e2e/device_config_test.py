#!/usr/bin/env python3
"""Device types, configuration of devices and of the platform, as their clients see them (balena-api.md 8.10, 8.11)."""

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
        cls.ann = Tenant(SERVER, cls.admin)
        cls.bob = Tenant(SERVER, cls.admin)

    def refused(self, answer, status, words=""):
        self.assertEqual(answer.status, status, answer)
        self.assertIn(words, answer.json)


def questions(device_type):
    """All questions of a device type's options by name, those in groups too."""
    found = {}
    for option in device_type["options"]:
        for q in option["options"] if option.get("isGroup") else [option]:
            found[q["name"]] = q
    return found


class DeviceTypesTest(Case):
    def test_the_list_has_every_type_with_what_clients_need_to_ask_and_configure(self):
        answer = self.guest.get("/device-types/v1")
        self.assertEqual(answer.status, 200, answer)
        types = {t["slug"]: t for t in answer.json}
        self.assertEqual(set(types), {t["slug"] for t in self.guest.rows("/v7/device_type?$select=slug")})
        for t in types.values():
            self.assertEqual(t["state"], "RELEASED")
            self.assertIn(t["slug"], t["aliases"])
            self.assertIn(t["arch"], ("rpi", "armv7hf", "aarch64", "i386", "i386-nlp", "amd64"))
            self.assertEqual([g["name"] for g in t["options"]][:2], ["network", "advanced"])
            self.assertTrue(all(g["isGroup"] for g in t["options"]))
            asked = questions(t)
            self.assertEqual(asked["appUpdatePollInterval"]["default"], 10)
            self.assertEqual(t["yocto"]["machine"], t["slug"])
            self.assertIn("path", t["configuration"]["config"])
        pi = questions(types["raspberrypi4-64"])
        self.assertEqual(pi["network"]["choices"], ["ethernet", "wifi"])
        self.assertEqual(pi["wifiSsid"]["when"], {"network": "wifi"})
        self.assertEqual(pi["wifiKey"]["type"], "password")
        self.assertEqual(questions(types["qemux86-64"])["network"]["choices"], ["ethernet"])
        self.assertIn("flasher", types["intel-nuc"]["yocto"]["deployArtifact"])
        self.assertNotIn("flasher", types["raspberrypi4-64"]["yocto"]["deployArtifact"])

    def test_the_list_has_an_etag(self):
        first = self.guest.get("/device-types/v1")
        again = self.guest.get("/device-types/v1", headers={"If-None-Match": first.headers["ETag"]})
        self.assertEqual((again.status, again.text), (304, ""))
        self.assertEqual(self.guest.get("/device-types/v1", headers={"If-None-Match": '"x"'}).status, 200)

    def test_one_type_is_found_by_slug_and_by_alias_and_an_unknown_one_is_404(self):
        one = self.guest.get("/device-types/v1/raspberrypi5")
        self.assertEqual((one.status, one.json["slug"]), (200, "raspberrypi5"))
        pi = self.admin.rows("/v7/device_type?$filter=slug eq 'raspberrypi5'&$select=id")[0]["id"]
        self.admin.create("device_type_alias", device_type=pi, is_referenced_by__alias="pi-the-fifth")
        self.assertEqual(self.guest.get("/device-types/v1/pi-the-fifth").json["slug"], "raspberrypi5")
        self.refused(self.guest.get("/device-types/v1/toaster"), 404)
        self.assertEqual(self.guest.post("/device-types/v1").status, 405)

    def test_without_stored_images_the_size_of_one_is_404_with_the_reason(self):
        self.refused(self.guest.get("/device-types/v1/raspberrypi5/images/6.0.0/download-size"), 404, "images")
        self.refused(self.guest.get("/device-types/v1/toaster/images/6.0.0/download-size"), 404, "device type")

    def test_a_user_defined_type_appears_at_once_with_what_its_contract_says(self):
        arm = self.admin.rows("/v7/cpu_architecture?$filter=slug eq 'aarch64'&$select=id")[0]["id"]
        contract = {"slug": "wall-panel", "type": "hw.device-type", "name": "Wall panel",
                    "data": {"arch": "aarch64", "led": True, "connectivity": {"wifi": False},
                             "flash_board": True, "yocto": {"machine": "panel-mx8"},
                             "configuration": {"config": {"partition": 2, "path": "/config.json"}},
                             "options": [{"name": "panelSide", "message": "Which side", "type": "list",
                                          "choices": ["left", "right"]},
                                         {"no": "name"}, 7]}}
        before = self.guest.get("/device-types/v1").headers["ETag"]
        made = self.admin.create("device_type", slug="wall-panel", name="Wall panel", contract=contract,
                                 logo="data:image/svg+xml;base64,PHN2Zy8+", is_of__cpu_architecture=arm)
        self.assertNotEqual(self.guest.get("/device-types/v1").headers["ETag"], before)
        t = self.guest.get("/device-types/v1/wall-panel").json
        self.assertEqual((t["arch"], t["aliases"], t["supportsBlink"]), ("aarch64", ["wall-panel"], True))
        self.assertEqual(t["logoUrl"], "data:image/svg+xml;base64,PHN2Zy8+")
        self.assertEqual(t["yocto"]["machine"], "panel-mx8")
        self.assertEqual(t["configuration"]["config"]["partition"], 2)
        asked = questions(t)
        self.assertEqual(asked["network"]["choices"], ["ethernet"])
        self.assertNotIn("wifiSsid", asked)
        self.assertEqual(asked["panelSide"]["choices"], ["left", "right"])
        # Fleets of it work, its own question ends up in the configuration, and devices join.
        fleet = self.ann.api.create("application", app_name="panels", organization=self.ann.organization,
                                    is_for__device_type=made["id"])["id"]
        config = self.ann.api.post("/download-config",
                                   {"appId": fleet, "version": "6.0.0", "panelSide": "left", "other": 1})
        self.assertEqual(config.status, 200, config)
        self.assertEqual((config.json["deviceType"], config.json["panelSide"]), ("wall-panel", "left"))
        self.assertNotIn("other", config.json)
        joined = SERVER.client(config.json["apiKey"]).post(
            "/device/register", {"application": fleet, "uuid": new_uuid(), "device_type": "wall-panel"})
        self.assertEqual(joined.status, 201, joined)
        # A contract of any shape breaks nothing.
        for wrong in ([], 7, "text", {"data": 7}, {"data": {"yocto": 1, "options": {}, "connectivity": []}}):
            done = self.admin.patch(f"/v7/device_type({made['id']})", {"contract": json.dumps(wrong)})
            self.assertEqual(done.status, 200, done)
            t = self.guest.get("/device-types/v1/wall-panel").json
            self.assertEqual(t["yocto"]["machine"], "wall-panel", wrong)
            self.assertEqual(self.guest.get("/device-types/v1").status, 200)
        changed = self.admin.patch(f"/v7/device_type({made['id']})", {"name": "Panel"})
        self.assertEqual((changed.status, self.guest.get("/device-types/v1/wall-panel").json["name"]), (200, "Panel"))

    def test_only_administrators_define_types(self):
        arm = self.ann.api.rows("/v7/cpu_architecture?$filter=slug eq 'aarch64'&$select=id")[0]["id"]
        self.refused(self.ann.api.post("/v7/device_type", {
            "slug": "mine", "name": "Mine", "is_of__cpu_architecture": arm}), 401)
        self.refused(self.guest.get("/device-types/v1/mine"), 404)


class DownloadConfigTest(Case):
    def config(self, api=None, status=200, **fields):
        body = {"appId": self.ann.fleet, "version": "6.0.0", **fields}
        answer = (api or self.ann.api).post("/download-config", {k: v for k, v in body.items() if v is not None})
        self.assertEqual(answer.status, status, (fields, answer))
        return answer.json

    def test_the_defaults(self):
        answer = self.ann.api.post("/download-config", {"appId": self.ann.fleet, "version": "6.0.0"})
        config = answer.json
        api = f"http://127.0.0.1:{SERVER.port}"
        self.assertEqual(
            {k: config[k] for k in ("applicationId", "deviceType", "userId", "appUpdatePollInterval", "listenPort",
                                    "apiEndpoint", "registryEndpoint", "deltaEndpoint", "vpnEndpoint")},
            {"applicationId": self.ann.fleet, "deviceType": "generic-amd64", "userId": self.ann.id,
             "appUpdatePollInterval": 60000, "listenPort": 48484, "apiEndpoint": api,
             "registryEndpoint": f"127.0.0.1:{SERVER.port}", "deltaEndpoint": api, "vpnEndpoint": "127.0.0.1"})
        self.assertTrue(config["mixpanelToken"] and config["apiKey"] and config["overlayServerKey"])
        for absent in ("wifiSsid", "wifiKey", "developmentMode", "installer", "files", "balenaRootCA", "logsEndpoint"):
            self.assertNotIn(absent, config)
        self.assertEqual(answer.headers["Cache-Control"], "no-store")

    def test_what_a_client_asks_for_is_in_it(self):
        config = self.config(appUpdatePollInterval=15, network="wifi", wifiSsid="net", wifiKey="se cret",
                             developmentMode=True, secureboot=True)
        self.assertEqual((config["appUpdatePollInterval"], config["wifiSsid"], config["wifiKey"]),
                         (900000, "net", "se cret"))
        self.assertIs(config["developmentMode"], True)
        self.assertEqual(config["installer"], {"secureboot": True})
        self.assertEqual(self.config(appUpdatePollInterval="20")["appUpdatePollInterval"], 1200000)
        self.assertNotIn("wifiSsid", self.config(network="ethernet", wifiSsid="net"))
        self.assertIs(self.config(version="2.95.0+rev1.dev")["developmentMode"], True)
        for on in ("true", "on", "1", 1):
            self.assertIs(self.config(developmentMode=on)["developmentMode"], True, on)
        for off in (False, "false", "0", None, ""):
            self.assertNotIn("developmentMode", self.config(developmentMode=off))
        fixed = self.config(network="ethernet", ip="10.0.0.5", netmask="255.255.255.0", gateway="10.0.0.1")
        self.assertEqual((fixed["ip"], fixed["netmask"], fixed["gateway"]), ("10.0.0.5", "255.255.255.0", "10.0.0.1"))
        self.assertIn("IPv4 = 10.0.0.5/255.255.255.0/10.0.0.1", fixed["files"]["network/network.config"])

    def test_a_get_asks_by_its_query_and_a_body_wins(self):
        answer = self.ann.api.get(f"/download-config?appId={self.ann.fleet}&version=6.0.0&appUpdatePollInterval=12")
        self.assertEqual((answer.status, answer.json["appUpdatePollInterval"]), (200, 720000))
        answer = self.ann.api.post("/download-config?appId=999999&version=6.0.0&appUpdatePollInterval=12",
                                   {"appId": str(self.ann.fleet)})
        self.assertEqual((answer.status, answer.json["applicationId"], answer.json["appUpdatePollInterval"]),
                         (200, self.ann.fleet, 720000))
        form = self.ann.api.send("POST", "/download-config", raw=f"appId={self.ann.fleet}&version=6.0.0".encode(),
                                 headers={"Content-Type": "application/x-www-form-urlencoded"})
        self.assertEqual((form.status, form.json["applicationId"]), (200, self.ann.fleet))

    def test_what_is_missing_or_wrong_is_400_and_makes_no_key(self):
        before = len(self.admin.rows("/v7/api_key?$select=id"))
        for fields, words in (({"appId": None}, "appId"), ({"appId": "x"}, "appId"), ({"version": None}, "version"),
                              ({"version": ""}, "version"), ({"appUpdatePollInterval": "soon"}, "appUpdatePollInterval"),
                              ({"appUpdatePollInterval": -1}, "appUpdatePollInterval"),
                              ({"network": "pigeon"}, "network"), ({"network": "wifi"}, "wifiSsid"),
                              ({"network": "wifi", "wifiSsid": "a\nb"}, "wifiSsid"), ({"ip": "10.0.0.1"}, "gateway"),
                              ({"ip": "300.0.0.1", "netmask": "1.1.1.1", "gateway": "1.1.1.1"}, "ip"),
                              ({"deviceType": "toaster"}, "deviceType"),
                              ({"provisioningKeyExpiryDate": "soon"}, "provisioningKeyExpiryDate"),
                              ({"provisioningKeyExpiryDate": "2001-01-01"}, "past"),
                              ({"provisioningKeyName": {"a": 1}}, "provisioningKeyName")):
            self.assertIn(words, self.config(status=400, **fields))
        self.refused(self.ann.api.post("/download-config", [1]), 400)
        self.refused(self.ann.api.send("POST", "/download-config", raw=b"{"), 400)
        self.assertEqual(len(self.admin.rows("/v7/api_key?$select=id")), before)

    def test_without_access_or_fleet_it_is_404(self):
        self.config(api=self.bob.api, status=404)
        self.config(appId=999999999, status=404)
        self.config(api=self.guest, status=404)
        device = self.ann.given_device()
        self.config(api=device["api"], status=404)
        self.config(api=SERVER.client(self.ann.provisioning_key()), status=404)
        self.assertEqual(SERVER.client("nonsense").post("/download-config", {}).status, 401)

    def test_another_device_type_must_have_the_fleets_architecture(self):
        self.assertEqual(self.config(deviceType="intel-nuc")["deviceType"], "intel-nuc")
        self.assertIn("architecture", self.config(status=400, deviceType="raspberrypi5"))

    def test_the_provisioning_key_has_the_name_and_the_end_that_were_asked_for(self):
        config = self.config(provisioningKeyName="line 4", provisioningKeyDescription="by the door",
                             provisioningKeyExpiryDate="2999-01-01T00:00:00.000Z")
        found = [k for k in self.ann.api.rows("/v7/api_key?$select=name,description,expiry_date")
                 if k["name"] == "line 4"]
        self.assertEqual(found, [{"name": "line 4", "description": "by the door",
                                  "expiry_date": "2999-01-01T00:00:00.000Z"}])
        joined = SERVER.client(config["apiKey"]).post(
            "/device/register",
            {"application": self.ann.fleet, "uuid": new_uuid(), "device_type": config["deviceType"]})
        self.assertEqual(joined.status, 201, joined)


class PlatformTest(Case):
    def test_the_configuration_tells_where_device_urls_are(self):
        config = self.guest.get("/config").json
        self.assertEqual(config["deviceUrlsBase"], "devices.127.0.0.1")
        self.assertEqual(config["apiUrl"], f"http://127.0.0.1:{SERVER.port}")
        self.assertIs(config["signupCodeRequired"], False)
        self.assertEqual(config["supportedSocialProviders"], [])

    def test_the_variables_are_a_schema_by_device_type(self):
        everything = self.guest.get("/config/vars").json
        self.assertEqual((everything["reservedNames"], everything["reservedNamespaces"]),
                         (["RESIN", "BALENA", "USER"], ["RESIN_", "BALENA_"]))
        self.assertTrue(everything["invalidRegex"].startswith("/") and everything["configVarInvalidRegex"])
        known = everything["configVarSchema"]["properties"]
        for name, one in known.items():
            self.assertTrue(name.startswith(("RESIN_HOST_", "RESIN_SUPERVISOR_")), name)
            self.assertIn(one["type"], ("string", "integer"))
            self.assertTrue(one["description"].endswith("."), name)
            self.assertIsInstance(one["will_reboot"], bool)
        self.assertEqual(known["RESIN_SUPERVISOR_VPN_CONTROL"]["enum"], ["true", "false"])
        self.assertEqual(known["RESIN_HOST_CONFIG_gpu_mem"]["type"], "integer")

        def of(slug):
            return set(self.guest.get(f"/config/vars?deviceType={slug}").json["configVarSchema"]["properties"])
        self.assertIn("RESIN_HOST_CONFIG_dtoverlay", of("raspberrypi4-64"))
        self.assertNotIn("RESIN_HOST_CONFIG_dtoverlay", of("jetson-nano"))
        self.assertIn("RESIN_HOST_EXTLINUX_fdt", of("jetson-nano"))
        self.assertEqual({n for n in of("wall-panel") if "CONFIG_" in n or "EXTLINUX" in n}, set())
        self.assertIn("RESIN_SUPERVISOR_POLL_INTERVAL", of("wall-panel"))

    def test_each_known_variable_is_accepted_for_a_fleet(self):
        for name in self.guest.get("/config/vars").json["configVarSchema"]["properties"]:
            self.ann.api.create("application_config_variable", application=self.ann.fleet, name=name, value="1")

    def test_hosts_find_their_services(self):
        config = self.guest.get("/os/v1/config").json
        self.assertEqual(config["schema_version"], "1.0.0")
        self.assertEqual(set(config["services"]), {"openvpn", "ssh"})
        self.assertEqual(config["services"]["ssh"]["authorized_keys"], "")
        self.assertTrue(all(line.startswith("#") for line in config["services"]["openvpn"]["config"].splitlines()))
        self.assertEqual(config["config"]["overrides"], {})
        self.assertEqual(self.ann.given_device()["api"].get("/os/v1/config").json, config)

    def test_vpn_access_is_the_devices_own(self):
        one, other = self.ann.given_device(), self.ann.given_device()
        path = f"/services/vpn/auth/{one['uuid']}"
        self.assertEqual((one["api"].get(path).status, one["api"].get(path).text), (200, ""))
        for api in (other["api"], self.ann.api, self.guest, SERVER.client("nonsense")):
            self.assertEqual(api.get(path).status, 401)
        self.assertEqual(one["api"].get(f"/services/vpn/auth/{new_uuid()}").status, 401)
        # Nothing here speaks OpenVPN, so nobody can tell of its clients.
        self.assertEqual(self.admin.post("/services/vpn/client-connect", {}).status, 404)

    def test_who_may_open_a_shell_on_the_host(self):
        path = f"/access/v1/hostos/{self.ann.given_device()['uuid']}"
        self.assertEqual(self.ann.api.get(path).status, 200)
        for api in (self.bob.api, self.guest, SERVER.client("nonsense")):
            self.assertEqual(api.get(path).status, 401)
        self.assertEqual(self.ann.api.get(f"/access/v1/hostos/{new_uuid()}").status, 401)


if __name__ == "__main__":
    unittest.main(verbosity=1, warnings="ignore")
