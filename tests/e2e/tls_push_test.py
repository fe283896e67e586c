#!/usr/bin/env python3
"""Push to deploy on a domain with the server's own authority: each client finds the builder by its host, and the server's own worker makes the
engine trust the registry, which nobody told it before."""
import os
import subprocess
import sys
import unittest

import tls_world
from tls_world import ADMIN, API, DOMAIN, LONG, REGISTRY

sys.path.insert(0, os.path.join(tls_world.HERE, "balena_cli"))
import install  # noqa: E402

TRUSTED = f"/etc/docker/certs.d/{REGISTRY}/slipway.crt"


class Push(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.w = w = tls_world.World(builds=True)
        cls.addClassCleanup(w.remove)
        w.slipway("login", "-u", ADMIN, "--password-file", w.folder + "/password")
        with open(w.root, encoding="ascii") as file:
            cls.root_text = file.read()
        cls.home = w.folder + "/home"
        os.mkdir(cls.home)

    def setUp(self):
        """The engine knows neither the registry nor any image of it."""
        self.w.forget_trust()
        self.w.forget_images()
        self.fleet = "boats-of-" + self._testMethodName.split("_")[1]
        self.w.slipway("fleet", "create", self.fleet, "--type", "generic-amd64")
        self.slug = self.w.api.rows(f"/v7/application?$filter=app_name eq '{self.fleet}'&$select=slug")[0]["slug"]

    def run_in(self, folder, *command, **environment):
        """A client with an environment of its own."""
        env = {"PATH": os.environ["PATH"], "HOME": self.home, "LANG": "C.UTF-8", "NO_COLOR": "1", **environment}
        done = subprocess.run(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=LONG, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def assert_released_and_pulled(self):
        """By an engine that has nothing but the trust that the worker gave it."""
        self.assertEqual(self.w.trusted_files(), [TRUSTED])
        with open(TRUSTED, encoding="ascii") as file:
            self.assertEqual(file.read(), self.root_text)
        (release,) = self.w.api.rows(f"/v7/release?$filter=belongs_to__application/app_name eq '{self.fleet}'"
                                     "&$expand=release_image($expand=image($select=is_stored_at__image_location,content_hash))")
        self.assertEqual((release["status"], release["source"]), ("success", "cloud"))
        image = release["release_image"][0]["image"][0]
        self.assertTrue(image["is_stored_at__image_location"].startswith(REGISTRY + "/v2/"), image)
        self.w.forget_images()
        self.w.docker("login", REGISTRY, "-u", "token", "--password-stdin", input=self.w.api.token)
        self.w.docker("pull", f"{image['is_stored_at__image_location']}@{image['content_hash']}")
        self.w.docker("logout", REGISTRY)
        return release

    def test_slipway_push_builds_into_the_registry_over_tls(self):
        self.w.slipway("push", self.fleet, self.w.project("slipway"))
        self.assert_released_and_pulled()

    def test_git_push_builds_into_the_registry_over_tls(self):
        folder, remote = self.w.project("git"), f"https://git.{DOMAIN}/{self.slug}.git"
        for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("-c", "user.name=ann", "-c", "user.email=a@b", "commit", "-qm", "one")):
            self.run_in(folder, "git", *words)
        password = f"!f() {{ echo username=ann; echo password={self.w.api.token}; }}; f"
        said = self.run_in(folder, "git", "-c", "credential.helper=" + password, "push", remote, "main", GIT_SSL_CAINFO=self.w.root)
        release = self.assert_released_and_pulled()
        self.assertIn(f"{API}/v7/release({release['id']})", said)
        self.assertIn(release["commit"], self.run_in(folder, "git", "rev-parse", "main"))

    def test_balena_push_with_nothing_but_a_domain_builds_into_the_registry_over_tls(self):
        clients = os.environ.get("SLIPWAY_CLIENTS") or str(install.place())
        os.makedirs(self.home + "/.balena")
        with open(self.home + "/.balena/token", "w", encoding="utf-8") as file:
            file.write(self.w.api.token)
        with open(self.home + "/.balenarc.yml", "w", encoding="utf-8") as file:
            file.write(f"balenaUrl: {DOMAIN}\n")
        self.run_in(self.home, f"{clients}/node_modules/.bin/balena", "push", self.slug, "--source", self.w.project("balena"),
                    PATH=f"{clients}/bin:{os.environ['PATH']}", NODE_EXTRA_CA_CERTS=self.w.root,
                    BALENARC_NO_SENTRY="1", BALENARC_NO_ANALYTICS="1", BALENARC_UNSUPPORTED="1")
        self.assert_released_and_pulled()


if __name__ == "__main__":
    unittest.main(warnings="ignore", verbosity=2)
