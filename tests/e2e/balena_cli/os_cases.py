"""Images of an operating system: what `os configure` and the commands on an image's configuration do to one (balena-api.md 4.11)."""

import json
import os
import pathlib
import struct
import subprocess

from cases import Cases
from world import TYPE

SECTOR = 512
START = 2048           # first sector of the boot partition
BOOT_KIB = 16 * 1024
RELEASE = 'ID="balena-os"\nNAME="balenaOS"\nVERSION="6.0.0"\nVERSION_ID="6.0.0"\n'


class OsImages(Cases):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.fleet = cls.ann.fleet("pictures")
        cls.ann.environment["NODE_OPTIONS"] = f"--require={pathlib.Path(__file__).with_name('no_drives.cjs')}"

    def image(self, name, manifest, release=RELEASE):
        """A disk with one FAT partition, as the first one of an image is, whose files tell what it is."""
        folder = self.ann.home / (name + ".boot")
        folder.mkdir()
        (folder / "device-type.json").write_text(json.dumps(manifest), encoding="utf-8")
        (folder / "os-release").write_text(release, encoding="utf-8")
        (folder / "config.json").write_text("{}", encoding="utf-8")
        boot = self.ann.home / (name + ".fat")
        subprocess.run(["mkfs.vfat", "-F", "16", "-s", "2", "-n", "RESIN-BOOT", "-C", boot, str(BOOT_KIB)], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"})
        subprocess.run(["mcopy", "-i", boot, *sorted(folder.iterdir()), "::"], check=True)
        subprocess.run(["mmd", "-i", boot, "::/system-connections"], check=True)
        table = bytearray(SECTOR)
        table[446:462] = struct.pack("<B3sB3sII", 0x80, b"\0\0\0", 0x0e, b"\0\0\0", START, BOOT_KIB * 1024 // SECTOR)
        table[510:] = b"\x55\xaa"
        file = self.ann.home / name
        with open(file, "wb") as out:
            out.write(table)
            out.seek(START * SECTOR)
            out.write(boot.read_bytes())
            out.truncate(START * SECTOR + BOOT_KIB * 1024 + 1024 * 1024)
        return file

    def read(self, image, path):
        done = subprocess.run(["mtype", "-i", f"{image}@@{START * SECTOR}", "::" + path], check=True, stdout=subprocess.PIPE)
        return done.stdout.decode()

    def manifest(self):
        answer = self.ann.api.get(f"/device-types/v1/{TYPE}")
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def test_os_configure_writes_the_configuration_of_a_fleet_into_an_image(self):
        image = self.image("fleet.img", self.manifest())
        self.ann.balena("os", "configure", image, "--fleet", self.fleet["slug"], "--config-network", "wifi", "--config-wifi-ssid", "field",
                        "--config-wifi-key", "barn door", "--config-app-update-poll-interval", "15", "--provisioning-key-name", "for-images")
        config = json.loads(self.read(image, "/config.json"))
        self.assertEqual((config["applicationId"], config["deviceType"], config["appUpdatePollInterval"], config["wifiSsid"]),
                         (self.fleet["id"], TYPE, 15 * 60 * 1000, "field"))
        self.assertIn("barn door", self.read(image, "/system-connections/resin-wifi"))
        answer = self.world.server.client(config["apiKey"]).post(
            "/device/register", {"application": config["applicationId"], "uuid": os.urandom(16).hex(), "device_type": TYPE})
        self.assertEqual(answer.status, 201, answer)

    def test_os_configure_gives_an_image_the_identity_of_a_device(self):
        device = self.ann.device(self.fleet["id"])
        image = self.image("device.img", self.manifest())
        self.ann.balena("os", "configure", image, "--device", device["uuid"], "--config-network", "ethernet", "--config-app-update-poll-interval", "10")
        config = json.loads(self.read(image, "/config.json"))
        self.assertEqual((config["uuid"], config["deviceId"]), (device["uuid"], device["id"]))
        answer = self.world.server.client(config["deviceApiKey"]).get(f"/device/v3/{device['uuid']}/state")
        self.assertEqual(answer.status, 200, answer)

    def test_an_image_of_a_user_defined_type_is_configured(self):
        admin = self.world.server.login()
        chip = admin.rows("/v7/cpu_architecture?$filter=slug eq 'amd64'&$select=id")[0]["id"]
        admin.create("device_type", slug="milking-robot", name="Milking robot", is_of__cpu_architecture=chip,
                     contract={"type": "hw.device-type", "slug": "milking-robot", "data": {"connectivity": {"wifi": False}}})
        manifest = self.ann.api.get("/device-types/v1/milking-robot").json
        image = self.image("robot.img", manifest)
        self.ann.balena("os", "configure", image, "--fleet", self.fleet["slug"], "--device-type", "milking-robot", "--config-network", "ethernet",
                        "--config-app-update-poll-interval", "10")
        self.assertEqual(json.loads(self.read(image, "/config.json"))["deviceType"], "milking-robot")
