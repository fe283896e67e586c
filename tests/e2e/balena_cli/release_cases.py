"""Releases and their assets (balena-api.md 4.9, 4.12)."""

import os

from cases import Cases


class Releases(Cases):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.fleet = cls.ann.fleet("cars")

    def test_releases_are_listed_the_newest_first(self):
        fleet = self.ann.fleet("listed")
        first = self.ann.release(fleet["id"])
        second = self.ann.release(fleet["id"], final=False, semver="1.2.3")
        rows = self.ann.balena("release", "list", fleet["slug"]).table("id", "commit", "created at", "status", "version", "is final")
        self.assertEqual([(r["id"], r["commit"], r["status"], r["is final"]) for r in rows],
                         [(str(second["id"]), second["commit"], "success", "false"), (str(first["id"]), first["commit"], "success", "true")])
        self.assertEqual(rows[1]["version"], "0.0.0")
        self.assertTrue(rows[0]["version"].startswith("1.2.3-"), rows[0])
        self.ann.api.create("release_tag", release=first["id"], tag_key="built-by", value="ann")
        rows = self.ann.balena("release", "list", fleet["slug"], "--json").json
        self.assertEqual([r["commit"] for r in rows], [second["commit"], first["commit"]])
        self.assertEqual(rows[1]["release_tag"], [{"tag_key": "built-by", "value": "ann"}])
        self.assertEqual(rows[1]["raw_version"], "0.0.0")

    def test_a_release_is_shown_by_commit_by_its_start_and_by_id(self):
        release = self.ann.release(self.fleet["id"], composition={"version": "2.1", "services": {"main": {"image": "of-mine"}}})
        shown = self.ann.balena("release", release["commit"][:9]).facts
        self.assertEqual((shown["id"], shown["commit"], shown["status"], shown["is final"]),
                         (str(release["id"]), release["commit"], "success", "true"))
        shown = self.ann.balena("release", release["commit"], "--json").json
        self.assertEqual((shown["id"], shown["commit"], shown["status"]), (release["id"], release["commit"], "success"))
        self.says(self.ann.balena("release", release["commit"], "--composition"), "image: of-mine")
        self.ann.refused("release", "f" * 32, words="not found")

    def test_a_draft_is_finalized_once(self):
        draft = self.ann.release(self.fleet["id"], final=False)
        self.says(self.ann.balena("release", "finalize", draft["commit"]), "finalized")
        self.assertTrue(self.ann.row(f"release({draft['id']})?$select=is_final")["is_final"])
        self.says(self.ann.balena("release", "finalize", draft["commit"]), "already finalized")

    def test_an_invalidated_release_is_no_target_until_it_is_validated(self):
        fleet = self.ann.fleet("careful")
        first = self.ann.release(fleet["id"])
        second = self.ann.release(fleet["id"])
        target = f"application({fleet['id']})?$select=id&$expand=should_be_running__release($select=commit)"
        self.says(self.ann.balena("release", "invalidate", second["commit"]), "invalidated")
        self.assertEqual(self.ann.row(target)["should_be_running__release"][0]["commit"], first["commit"])
        self.says(self.ann.balena("release", "validate", second["id"]), "validated")
        self.assertEqual(self.ann.row(target)["should_be_running__release"][0]["commit"], second["commit"])

    def test_releases_of_others_do_not_exist(self):
        release = self.ann.release(self.fleet["id"])
        bob = self.world.person("bob")
        for command in (("release", release["commit"]), ("release", "invalidate", release["commit"]),
                        ("release-asset", "list", release["commit"])):
            bob.refused(*command, words="not found")
        self.assertFalse(self.ann.row(f"release({release['id']})?$select=is_invalidated")["is_invalidated"])


class Assets(Cases):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.fleet = cls.ann.fleet("cars")

    def setUp(self):
        self.release = self.ann.release(self.fleet["id"])
        self.commit = self.release["commit"]
        self.file = self.ann.home / f"map-{self.commit[:8]}.bin"

    def fetch(self):
        back = self.file.with_suffix(".back")
        self.ann.balena("release-asset", "download", self.commit, "--key", "map", "--output", back, "--overwrite")
        return back.read_bytes()

    def test_a_small_asset_is_uploaded_listed_replaced_downloaded_and_deleted(self):
        self.says(self.ann.balena("release-asset", "list", self.commit), "No assets found")
        self.file.write_bytes(b"small\0file")
        self.ann.balena("release-asset", "upload", self.commit, self.file, "--key", "map")
        row = self.ann.balena("release-asset", "list", self.commit).table("asset key", "release asset id", "filename", "size", "type")[0]
        self.assertEqual((row["asset key"], row["filename"], row["size"]), ("map", self.file.name, "10 B"))
        self.assertEqual(self.fetch(), b"small\0file")
        self.ann.refused("release-asset", "upload", self.commit, self.file, "--key", "map", words="already")
        self.file.write_bytes(b"another")
        self.ann.balena("release-asset", "upload", self.commit, self.file, "--key", "map", "--overwrite")
        self.assertEqual(self.fetch(), b"another")
        self.ann.balena("release-asset", "delete", self.commit, "--key", "map", "--yes")
        self.assertEqual(self.ann.balena("release-asset", "list", self.commit, "--json").json, [])

    def test_a_large_asset_goes_up_in_parts_and_comes_back_whole(self):
        content = os.urandom(11 << 20)
        self.file.write_bytes(content)
        self.ann.balena("release-asset", "upload", self.commit, self.file, "--key", "map", "--chunk-size", 5 << 20, "--parallel-chunks", 2)
        asset = self.ann.balena("release-asset", "list", self.commit, "--json").json[0]
        self.assertEqual((asset["asset_key"], asset["asset"]["size"]), ("map", len(content)))
        self.assertTrue(self.fetch() == content, "another content came back")
