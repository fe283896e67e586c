#!/usr/bin/env python3
"""A build worker whose engine is podman: source is pushed to a real slipwayd, built, and its images are in the server's registry."""

import base64
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, ".."))
os.environ["ENGINE"] = "podman"
from agent_world import Engine  # noqa: E402
from support.slipwayd import Slipwayd  # noqa: E402
from support.tenant import Tenant  # noqa: E402
from worker_join_test import Push, Worker, free_port  # noqa: E402

SECRET = secrets.token_hex(12)

PROJECT = {
    "docker-compose.yml": "version: '2.4'\nservices:\n  pump:\n    build: ./pump\n  valve:\n    build: ./valve\n",
    "pump/Dockerfile": "FROM slipway/busybox\nRUN sha256sum /run/secrets/token > /sum && cat /sum\n",
    "valve/Dockerfile": "FROM slipway/busybox\nCOPY file /file\nRUN ls /run/secrets 2>&1 || echo nothing to see\n",
    "valve/file": "text",
    ".balena/balena.yml": "build-secrets:\n  services:\n    pump:\n      - {source: token.txt, dest: token}\n",
    ".balena/secrets/token.txt": SECRET,
}


class Podman(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="slipway-test-")
        cls.engine = Engine(cls.folder, "127.0.0.1:1")
        subprocess.run([os.path.join(HERE, "../../scripts/base-image")], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "DOCKER_HOST": "unix://" + cls.engine.socket})
        core = f"tcp://127.0.0.1:{free_port()}"
        cls.server = Slipwayd().start(env={"SLIPWAY_BUILDER_ENGINE": "none", "SLIPWAY_BUILDER_ENDPOINT": core})
        made = subprocess.run([cls.server.binary, "admin", "--data-dir", os.path.join(cls.server.folder, "data"), "builder", "add", "pod"],
                              stdout=subprocess.PIPE, text=True, timeout=60, check=True)
        token = os.path.join(cls.folder, "token")
        with open(token, "w", encoding="utf-8") as file:
            file.write(made.stdout)
        cls.worker = Worker(cls.server.binary, core, token, cls.engine.socket, os.path.join(cls.folder, "work"))
        cls.owner = Tenant(cls.server, cls.server.login())
        assert cls.worker.said("builder joined the core"), cls.worker.log

    @classmethod
    def tearDownClass(cls):
        try:
            assert cls.worker.stop() == 0, cls.worker.log
        finally:
            cls.server.stop()
            cls.engine.stop()
            cls.server.remove()
            shutil.rmtree(cls.folder, ignore_errors=True)

    def images(self):
        """Those of the fleet's latest release, by service."""
        rows = self.owner.api.rows(
            f"/v7/release?$filter=belongs_to__application eq {self.owner.fleet}&$orderby=created_at desc&$top=1&$expand=release_image("
            "$expand=image($select=status,content_hash,is_stored_at__image_location;$expand=is_a_build_of__service($select=service_name)))")
        self.assertEqual(rows[0]["status"], "success")
        images = [link["image"][0] for link in rows[0]["release_image"]]
        return {i["is_a_build_of__service"][0]["service_name"]: i for i in images}

    def manifest(self, image):
        """What the registry has under the digest that the release names."""
        name = image["is_stored_at__image_location"].split("/", 1)[1]
        basic = base64.b64encode(f"{self.owner.name}:{self.owner.api.token}".encode()).decode()
        guest = self.server.client()
        token = guest.get(f"/auth/v1/token?scope=repository:{name}:pull", headers={"Authorization": "Basic " + basic}).json["token"]
        answer = guest.get(f"/v2/{name}/manifests/{image['content_hash']}", headers={
            "Authorization": "Bearer " + token,
            "Accept": "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"})
        guest.close()
        return answer

    def test_a_project_is_pushed_to_a_worker_with_podman(self):
        push = Push(self.server, self.owner, self.owner.fleet, PROJECT)
        self.assertEqual(push.end(), 0, push.text)
        self.assertIn("Building on pod", push.text)
        self.assertIn(hashlib.sha256(SECRET.encode()).hexdigest(), push.text)
        self.assertIn("nothing to see", push.text)
        first = self.images()
        self.assertEqual({name: i["status"] for name, i in first.items()}, {"pump": "success", "valve": "success"})
        for image in first.values():
            answer = self.manifest(image)
            self.assertEqual(answer.status, 200)
            self.assertEqual("sha256:" + hashlib.sha256(answer.text.encode()).hexdigest(), image["content_hash"])
            self.assertTrue(json.loads(answer.text)["layers"])
        # The same again comes from its cache, a changed service is built anew.
        again = Push(self.server, self.owner, self.owner.fleet, {**PROJECT, "valve/file": "another text"})
        self.assertEqual(again.end(), 0, again.text)
        second = self.images()
        self.assertEqual(second["pump"]["content_hash"], first["pump"]["content_hash"])
        self.assertNotEqual(second["valve"]["content_hash"], first["valve"]["content_hash"])
        for said in (push.text, again.text, "\n".join(self.worker.log), "\n".join(self.server.log)):
            self.assertNotIn(SECRET, said)


if __name__ == "__main__":
    unittest.main()
