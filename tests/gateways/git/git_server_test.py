#!/usr/bin/env python3
"""Stock git against the repositories of a real slipwayd, over HTTP and SSH."""

import base64
import glob
import gzip
import hashlib
import os
import socket
import subprocess
import sys
import time
import unittest
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from git_world import Folder  # noqa: E402
from support.slipwayd import Slipwayd, wait_until  # noqa: E402
from support.tenant import Tenant  # noqa: E402

MIB = 1 << 20


def pack_of_a_bomb():
    """16 KB: a file of 16 MiB, and one that is made of it 512 times over."""
    def varint(n):
        out = bytearray()
        while n > 127:
            out.append(n & 127 | 128)
            n >>= 7
        return bytes(out + bytes([n]))

    def entry(kind, data, base=b""):
        size = len(data)
        head = bytearray([kind << 4 | size & 15])
        size >>= 4
        while size:
            head[-1] |= 128
            head.append(size & 127)
            size >>= 7
        return bytes(head) + base + zlib.compress(data, 9)

    size, copies = 16 * MIB - 1, 512
    base = bytes(size)
    name = hashlib.sha1(b"blob %d\0" % size + base).digest()
    delta = varint(size) + varint(size * copies) + copies * (b"\xf0" + size.to_bytes(3, "little"))
    pack = b"PACK" + (2).to_bytes(4, "big") + (2).to_bytes(4, "big") + entry(3, base) + entry(7, delta, name)
    return pack + hashlib.sha1(pack).digest()


def packet(text):
    return b"%04x" % (len(text) + 4) + text


class World:
    """A server, a user with a fleet whose release branch is `deploy`, so that what is pushed is not built."""

    env = {}

    def __init__(self, **env):
        self.server = Slipwayd().start(env=env)
        self.admin = self.server.login()
        self.ann = Tenant(self.server, self.admin)
        self.slug = self.ann.api.rows(f"/v7/application({self.ann.fleet})?$select=slug")[0]["slug"]
        self.set(release_branch="deploy")

    def set(self, **fields):
        done = self.ann.api.patch(f"/v7/application({self.ann.fleet})", fields)
        assert done.status == 200, done

    def stop(self):
        for client in (self.admin, self.ann.api):
            client.close()
        self.server.stop()
        self.server.remove()

    def repository(self):
        return os.path.join(self.server.folder, "data", "git", f"{self.ann.fleet}.git")

    def url(self, secret=None, slug=None):
        who = f"ann:{secret or self.ann.api.token}@"
        return f"http://{who}127.0.0.1:{self.server.port}/git/{slug or self.slug}.git"

    def ssh_url(self, slug=None):
        return f"ssh://git@127.0.0.1:{self.server.ssh_port}/{slug or self.slug}.git"

    def given_key(self, folder, name="key", kind="ed25519"):
        line = folder.given_key(name, kind)
        self.ann.api.create("user__has__public_key", user=self.ann.id, title=name, public_key=line)
        folder.use_key(name)

    def programs(self):
        """Processes of git that this server started."""
        found = []
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                with open(path, "rb") as file:
                    words = file.read()
            except OSError:
                continue
            if self.server.folder.encode() in words and (b"receive-pack" in words or b"upload-pack" in words
                                                         or b"index-pack" in words):
                found.append(words)
        return found

    def leftovers(self):
        return glob.glob(self.repository() + "/objects/tmp_objdir-*")


class Case(unittest.TestCase):
    env = {}

    @classmethod
    def setUpClass(cls):
        cls.world = World(**cls.env)

    @classmethod
    def tearDownClass(cls):
        cls.world.stop()

    def setUp(self):
        self.folder = Folder()
        self.addCleanup(self.folder.remove)
        for client in (self.world.admin, self.world.ann.api):
            client.close()  # the server may have: the test before may have been long

    def given_work(self, url):
        self.folder.given_project()
        self.folder.git("remote", "add", "origin", url, at="work")

    def push(self, *arguments, check=False, **more):
        return self.folder.git("push", "origin", *arguments, at="work", check=check, **more)


class Transports:
    """What holds over HTTP and over SSH alike."""

    def test_every_ref_is_pushed_cloned_and_fetched(self):
        self.given_work(self.address())
        self.folder.git("tag", "-a", "-m", "one", "v1", at="work")
        self.folder.git("update-ref", "refs/notes/commits", "HEAD", at="work")
        self.folder.git("update-ref", "refs/odd/one", "HEAD", at="work")
        self.push("main", "main:feature/x", "v1", "refs/notes/*:refs/notes/*", "refs/odd/*:refs/odd/*", "--force",
                  check=True)
        mirror = self.folder.git("ls-remote", self.address()).out
        for ref in ("refs/heads/main", "refs/heads/feature/x", "refs/tags/v1", "refs/notes/commits", "refs/odd/one"):
            self.assertIn(ref, mirror)
        self.folder.git("clone", "-q", "-b", "main", self.address(), "copy")
        self.assertEqual(self.folder.head(at="copy"), self.folder.head())
        self.folder.write("more", "x")
        commit = self.folder.commit()
        self.push("main", check=True)
        self.folder.git("pull", "-q", at="copy")
        self.assertEqual(self.folder.head(at="copy"), commit)

    def test_both_versions_of_the_protocol_and_shallow_and_partial_clones(self):
        self.given_work(self.address())
        for i in range(5):
            self.folder.write("n", str(i))
            self.folder.commit()
        self.push("main", "--force", check=True)
        for version in ("0", "2"):
            done = self.folder.git("-c", "protocol.version=" + version, "clone", "-q", "-b", "main", self.address(),
                                   "v" + version, GIT_TRACE_PACKET="1")
            self.assertEqual("version 2" in done.err, version == "2", version)
            self.assertEqual(self.folder.head(at="v" + version), self.folder.head())
        self.folder.git("clone", "-q", "--depth", "2", "-b", "main", self.address(), "shallow")
        self.assertEqual(self.folder.git("rev-list", "--count", "HEAD", at="shallow").out, "2")
        self.folder.git("fetch", "-q", "--unshallow", at="shallow")
        self.assertEqual(self.folder.git("rev-list", "--count", "HEAD", at="shallow").out, "6")
        self.folder.git("clone", "-q", "--filter=blob:none", "-b", "main", self.address(), "partial")

    def test_a_force_push_and_a_deletion_are_taken(self):
        self.given_work(self.address())
        self.push("main:forced", "--force", check=True)
        self.folder.git("commit", "-q", "--amend", "-m", "another", at="work")
        refused = self.push("main:forced")
        self.assertFalse(refused.ok)
        self.assertIn("non-fast-forward", refused.err)
        self.push("--force", "main:forced", check=True)
        self.push("--delete", "forced", check=True)
        self.assertNotIn("forced", self.folder.git("ls-remote", self.address()).out)

    def test_an_unknown_fleet_and_one_of_others_are_not_found(self):
        bob = Tenant(self.world.server, self.world.admin)
        self.addCleanup(bob.api.close)
        theirs = bob.api.rows(f"/v7/application({bob.fleet})?$select=slug")[0]["slug"]
        for slug in ("nobody/nothing", theirs):
            done = self.folder.git("ls-remote", self.address(slug), check=False)
            self.assertFalse(done.ok)
            self.assertRegex(done.err, "there is no fleet|not found")
        self.assertFalse(os.path.exists(os.path.join(self.world.server.folder, "data", "git", f"{bob.fleet}.git")))

    def test_a_role_that_reads_neither_pushes_nor_fetches(self):
        bob = Tenant(self.world.server, self.world.admin)
        self.addCleanup(bob.api.close)
        role = self.world.admin.rows("/v7/organization_membership_role?$filter=name eq 'observer'")[0]["id"]
        self.world.admin.create("organization_membership", username=bob.name,
                                is_member_of__organization=self.world.ann.organization,
                                organization_membership_role=role)
        self.become(bob)
        done = self.folder.git("ls-remote", self.address(), check=False)
        self.assertFalse(done.ok)
        self.assertRegex(done.err, "for its developers|403")

    def test_a_client_killed_in_a_push_leaves_nothing_behind(self):
        self.given_work(self.address())
        self.push("main:begin", check=True)
        self.folder.write("big", os.urandom(64 * MIB))
        self.folder.commit()
        process = subprocess.Popen(
            ["git", "push", "origin", "main:killed"], cwd=self.folder.path + "/work", env=self.folder.environment(),
            stderr=subprocess.DEVNULL, start_new_session=True)
        wait_until(self.world.leftovers, 120)
        os.killpg(process.pid, 9)
        process.wait()
        wait_until(lambda: not self.world.programs(), 120)
        wait_until(lambda: not self.world.leftovers(), 120)
        self.assertNotIn("killed", self.folder.git("ls-remote", self.address()).out)
        self.push("main:killed", check=True)


class Http(Transports, Case):
    def setUp(self):
        super().setUp()
        self.secret = None

    def address(self, slug=None):
        return self.world.url(self.secret, slug)

    def become(self, tenant):
        self.secret = tenant.api.token

    def test_an_api_key_is_a_password_and_a_wrong_one_is_refused(self):
        key = self.world.ann.api.post("/api-key/user/full", {"name": "git"})
        self.assertEqual(key.status, 200, key)
        self.secret = key.json
        self.folder.git("ls-remote", self.address())
        self.secret = "wrong"
        done = self.folder.git("ls-remote", self.address(), check=False)
        self.assertFalse(done.ok)
        self.assertIn("Authentication failed", done.err)

    def test_a_key_that_only_reads_images_reads_no_source(self):
        key = self.world.ann.api.post("/api-key/user/full", {"name": "reads", "scope": {"readOnly": True}})
        self.assertEqual(key.status, 200, key)
        self.secret = key.json
        done = self.folder.git("ls-remote", self.address(), check=False)
        self.assertFalse(done.ok)
        self.assertIn("is for its developers", done.err)

    def raw(self, method, path, headers=None, body=None):
        client = self.world.server.client()
        token = base64.b64encode(b"ann:" + self.world.ann.api.token.encode()).decode()
        answer = client.send(method, path, raw=body, headers={"Authorization": "Basic " + token, **(headers or {})})
        client.close()
        return answer

    def test_without_a_credential_it_is_asked_for(self):
        client = self.world.server.client()
        answer = client.get(f"/git/{self.world.slug}.git/info/refs?service=git-upload-pack")
        self.assertEqual(answer.status, 401)
        self.assertIn("Basic", answer.headers["WWW-Authenticate"])
        client.close()

    def test_hostile_paths_reach_nothing(self):
        for path in ("/git/", "/git/..", "/git/ann", "/git/../../etc/passwd/info/refs", "/git/ann%2fcars.git/info/refs",
                     "/git/ann/%2e%2e/info/refs", "/git/ann/cars%00.git/info/refs", "/git/ann//cars.git/info/refs",
                     f"/git/{self.world.slug}.git/HEAD", f"/git/{self.world.slug}.git/objects/info/packs",
                     f"/git/{self.world.slug}.git/config", f"/git/{self.world.slug}.git"):
            answer = self.raw("GET", path + "?service=git-upload-pack")
            self.assertEqual(answer.status, 404, path)

    def test_what_is_not_the_smart_protocol_is_refused(self):
        at = f"/git/{self.world.slug}.git"
        self.assertEqual(self.raw("GET", at + "/info/refs").status, 403)
        self.assertEqual(self.raw("GET", at + "/info/refs?service=git-upload-archive").status, 403)
        self.assertEqual(self.raw("POST", at + "/info/refs", body=b"").status, 405)
        self.assertEqual(self.raw("GET", at + "/git-upload-pack").status, 405)
        self.assertEqual(self.raw("POST", at + "/git-upload-pack", body=b"0000").status, 415)
        kind = {"Content-Type": "application/x-git-upload-pack-request"}
        self.assertEqual(self.raw("POST", at + "/git-upload-pack", {**kind, "Content-Encoding": "br"}, b"").status, 415)
        broken = {**kind, "Content-Encoding": "gzip"}
        self.assertEqual(self.raw("POST", at + "/git-upload-pack", broken, b"0000").status, 400)

    def test_a_small_pack_that_wants_gigabytes_is_refused(self):
        move = b"0" * 40 + b" " + b"1" * 40 + b" refs/heads/bomb\0report-status side-band-64k\n"
        answer = self.raw("POST", f"/git/{self.world.slug}.git/git-receive-pack",
                          {"Content-Type": "application/x-git-receive-pack-request"},
                          packet(move) + b"0000" + pack_of_a_bomb())
        self.assertEqual(answer.status, 200)
        self.assertIn("ut of memory", answer.text)
        self.assertIn("ng refs/heads/bomb", answer.text)

    def test_a_request_without_an_end_is_refused(self):
        self.given_work(self.address())
        self.push("main", "--force", check=True)
        ask = packet(b"want " + self.folder.head().encode() + b" ofs-delta\n") + b"0000"
        ask += packet(b"have " + b"1" * 40 + b"\n") * 1_600_000  # 80 MB; they come as 240 KB
        answer = self.raw("POST", f"/git/{self.world.slug}.git/git-upload-pack",
                          {"Content-Type": "application/x-git-upload-pack-request", "Content-Encoding": "gzip"},
                          gzip.compress(ask, 1))
        self.assertEqual(answer.status, 413)
        wait_until(lambda: not self.world.programs(), 60)

    def test_large_requests_of_many_refs_come_compressed(self):
        self.given_work(self.address())
        for i in range(40):
            self.folder.git("commit", "-q", "--allow-empty", "-m", str(i), at="work")
            self.folder.git("branch", f"b{i}", at="work")
        self.push("--all", "--force", check=True)
        self.folder.git("clone", "-q", "-b", "main", self.address(), "copy")
        self.folder.git("commit", "-q", "--allow-empty", "-m", "new", at="work")
        self.push("main", check=True)
        done = self.folder.git("-c", "protocol.version=0", "fetch", "origin", at="copy", GIT_CURL_VERBOSE="1")
        self.assertIn("main", done.err)

    def test_a_revoked_key_is_refused_at_once(self):
        key = self.world.ann.api.post("/api-key/user/full", {"name": "short"}).json
        self.secret = key
        self.folder.git("ls-remote", self.address())
        row = self.world.ann.api.rows("/v7/api_key?$filter=name eq 'short'&$select=id")[0]["id"]
        self.assertEqual(self.world.ann.api.delete(f"/v7/api_key({row})").status, 200)
        self.assertFalse(self.folder.git("ls-remote", self.address(), check=False).ok)


class Ssh(Transports, Case):
    def setUp(self):
        super().setUp()
        self.world.given_key(self.folder)

    def address(self, slug=None):
        return self.world.ssh_url(slug)

    def become(self, tenant):
        line = self.folder.given_key("theirs")
        tenant.api.create("user__has__public_key", user=tenant.id, title="theirs", public_key=line)
        self.folder.use_key("theirs")

    def ssh(self, *command, name="key", options=()):
        words = self.folder.ssh_words(name) + ["-p", str(self.world.server.ssh_port), *options, "git@127.0.0.1", *command]
        return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)

    def test_keys_are_exchanged_anew_while_a_repository_is_cloned_and_pushed(self):
        self.folder.ssh += " -o RekeyLimit=1M"
        self.given_work(self.address())
        self.folder.write("big", os.urandom(8 * MIB))
        self.folder.commit()
        self.push("main:anew", check=True)
        self.folder.git("clone", "-q", "-b", "anew", self.address(), "copy")
        self.assertEqual(self.folder.head(at="copy"), self.folder.head())

    def test_what_a_client_does_not_read_stays_with_git(self):
        self.given_work(self.address())
        self.folder.write("big", os.urandom(8 * MIB))
        self.folder.commit()
        self.push("main:large", check=True)
        # Between the client and the server, with little room for what comes.
        proxy = self.folder.write("proxy.py", """
import os, select, socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)  # or the server's kernel has room for megabytes
s.connect(("127.0.0.1", int(sys.argv[1])))
came = 0
while True:
    for one in select.select([0, s] if came < 100_000 else [0], [], [])[0]:
        data = os.read(0, 4096) if one == 0 else s.recv(4096)
        if not data:
            sys.exit()
        if one == 0:
            s.sendall(data)
        else:
            came += len(data)
            os.write(1, data)
""", at="")
        ssh = self.folder.ssh + f" -o ProxyCommand='{sys.executable} {proxy} {self.world.server.ssh_port}'"
        process = subprocess.Popen(
            ["git", "clone", "-q", "-b", "large", self.address(), "copy"], cwd=self.folder.path,
            env={**self.folder.environment(), "GIT_SSH_COMMAND": ssh}, stderr=subprocess.DEVNULL, start_new_session=True)
        self.addCleanup(process.wait)
        self.addCleanup(os.killpg, process.pid, 9)
        wait_until(lambda: self.written_by_git() > 100_000, 60)
        for _ in range(20):
            self.assertLess(self.written_by_git(), MIB)
            time.sleep(0.1)

    def written_by_git(self):
        """Bytes that the git of a fetch from this server has given away."""
        for path in glob.glob("/proc/[0-9]*"):
            try:
                with open(path + "/cmdline", "rb") as words, open(path + "/io", "rb") as numbers:
                    words = words.read()
                    if self.world.server.folder.encode() in words and b"\0upload-pack\0" in words:
                        return int(numbers.read().split(b"wchar: ")[1].split()[0])
            except OSError:
                continue
        return 0

    def test_a_request_without_an_end_is_refused(self):
        self.given_work(self.address())
        self.push("main:asked", check=True)
        ask = packet(b"want " + self.folder.head().encode() + b" ofs-delta\n") + b"0000"
        process = subprocess.Popen(
            [*self.folder.ssh_words(), "-p", str(self.world.server.ssh_port), "git@127.0.0.1",
             f"git-upload-pack '{self.world.slug}'"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        _, err = process.communicate(ask + packet(b"have " + b"1" * 40 + b"\n") * 1_600_000, timeout=120)
        self.assertEqual(process.returncode, 1)
        self.assertIn(b"the request is larger than may be", err)

    def test_keys_of_every_kind_log_in_under_any_name(self):
        self.given_work(self.address())
        self.push("main:named", check=True)
        for kind in ("rsa", "ecdsa"):
            self.world.given_key(self.folder, kind, kind)
            self.folder.git("ls-remote", self.address().replace("git@", "somebody@"))

    def test_an_unknown_key_and_a_password_are_refused(self):
        self.folder.given_key("strange")
        done = self.ssh("git-upload-pack 'a/b'", name="strange")
        self.assertEqual(done.returncode, 255)
        self.assertIn(b"Permission denied (publickey)", done.stderr)

    def test_a_key_that_is_taken_away_is_refused_at_once(self):
        self.assertEqual(self.ssh(f"git-upload-pack '{self.world.slug}'").returncode == 255, False)
        for row in self.world.ann.api.rows("/v7/user__has__public_key?$select=id"):
            self.world.ann.api.delete(f"/v7/user__has__public_key({row['id']})")
        self.assertEqual(self.ssh(f"git-upload-pack '{self.world.slug}'").returncode, 255)

    def test_there_is_no_shell_and_nothing_but_git(self):
        done = self.ssh("-T")
        self.assertNotEqual(done.returncode, 0)
        done = self.ssh()
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"There is no shell here", done.stderr)
        for command in ("id", "git-upload-archive 'a/b'", "git-upload-pack '../../etc'", "scp -f /etc/passwd",
                        "git-receive-pack 'a/b' ; id"):
            done = self.ssh(command)
            self.assertEqual(done.returncode, 1, command)
            self.assertIn(b"only git is served here", done.stderr)
            self.assertEqual(done.stdout, b"")
        self.assertEqual(self.ssh(options=("-s",), name="key").returncode == 0, False)

    def test_nothing_is_forwarded(self):
        done = self.ssh("-N", options=("-o", "ExitOnForwardFailure=yes", "-W", "127.0.0.1:1"))
        self.assertNotEqual(done.returncode, 0)

    def test_bytes_that_are_no_ssh_harm_nobody(self):
        for noise in (b"", b"GET / HTTP/1.1\r\n\r\n", b"SSH-2.0-x\r\n" + os.urandom(4096), b"\0" * 100_000):
            with socket.create_connection(("127.0.0.1", self.world.server.ssh_port), timeout=10) as s:
                try:
                    s.sendall(noise)
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(4096):
                        pass
                except OSError:
                    pass
        self.assertNotEqual(self.ssh(f"git-upload-pack '{self.world.slug}'").returncode, 255)

    def test_many_clients_at_once(self):
        self.given_work(self.address())
        self.push("main:many", check=True)
        clients = [subprocess.Popen(["git", "ls-remote", self.address()], env=self.folder.environment(),
                                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(12)]
        for client in clients:
            out, _ = client.communicate(timeout=120)
            self.assertEqual(client.returncode, 0)
            self.assertIn(b"refs/heads/many", out)


class Limits(Case):
    env = {"SLIPWAY_GIT_PUSH_BYTES": str(2 * MIB), "SLIPWAY_GIT_REPOSITORY_BYTES": str(6 * MIB)}

    def test_a_huge_push_is_refused_with_a_reason_and_leaves_nothing(self):
        self.world.given_key(self.folder)
        for url in (self.world.url(), self.world.ssh_url()):
            with self.subTest(url=url.split("@")[0]):
                self.given_work(url)
                self.push("main:small", "--force", check=True)
                self.folder.write("big", os.urandom(20 * MIB))
                self.folder.commit()
                done = self.push("main:big")
                self.assertFalse(done.ok)
                self.assertIn("pack exceeds maximum allowed size", done.err)
                wait_until(lambda: not self.world.leftovers(), 120)
                self.assertNotIn("big", self.folder.git("ls-remote", url).out)
                self.folder.remove()
                os.makedirs(self.folder.path)
                self.world.given_key(self.folder)

    def test_a_full_repository_takes_deletions_only_and_says_so(self):
        self.given_work(self.world.url())
        for i in range(8):
            self.folder.write(f"f{i}", os.urandom(MIB))
            self.folder.commit()
            done = self.push(f"main:fill{i}")
            if not done.ok:
                break
        self.assertFalse(done.ok)
        self.assertIn("remote: slipway: the repository takes", done.err)
        self.push("--delete", "fill0", check=True)


class Life(unittest.TestCase):
    def setUp(self):
        self.folder = Folder()
        self.world = World()

    def tearDown(self):
        self.world.stop()
        self.folder.remove()

    def test_a_killed_server_takes_its_git_with_it_and_comes_back_with_all_refs(self):
        w = self.world
        w.given_key(self.folder)
        self.folder.given_project()
        self.folder.git("push", "-q", w.url(), "main:before", at="work")
        with open(os.path.join(w.server.folder, "data", "keys", "ssh_host_ed25519"), "rb") as file:
            key = file.read()
        self.folder.write("big", os.urandom(64 * MIB))
        self.folder.commit()
        process = subprocess.Popen(["git", "push", w.url(), "main:late"], cwd=self.folder.path + "/work",
                                   env=self.folder.environment(), stderr=subprocess.DEVNULL)
        wait_until(w.leftovers, 120)
        w.server.kill()
        self.assertNotEqual(process.wait(180), 0)
        wait_until(lambda: not w.programs(), 120)
        w.server.start()
        refs = self.folder.git("ls-remote", w.url()).out
        self.assertIn("before", refs)
        self.assertNotIn("late", refs)
        self.assertEqual(w.leftovers(), [])
        with open(os.path.join(w.server.folder, "data", "keys", "ssh_host_ed25519"), "rb") as file:
            self.assertEqual(file.read(), key)
        self.folder.git("push", "-q", w.url(), "main:late", at="work")

    def test_a_stopping_server_ends_a_push_at_once(self):
        w = self.world
        self.folder.given_project()
        self.folder.git("push", "-q", w.url(), "main:before", at="work")
        self.folder.write("big", os.urandom(64 * MIB))
        self.folder.commit()
        process = subprocess.Popen(["git", "push", w.url(), "main:late"], cwd=self.folder.path + "/work",
                                   env=self.folder.environment(), stderr=subprocess.DEVNULL)
        wait_until(w.leftovers, 120)
        began = time.monotonic()
        self.assertEqual(w.server.stop(), 0)
        self.assertLess(time.monotonic() - began, 20)
        self.assertEqual(w.programs(), [])
        # Its kernel may take minutes to try the closed window again.
        process.kill()
        process.wait()

    def test_a_fleet_that_is_renamed_keeps_its_repository(self):
        w = self.world
        self.folder.given_project()
        self.folder.git("push", "-q", w.url(), "main:kept", at="work")
        w.set(app_name="lorries")
        organization = w.slug.split("/")[0]
        self.assertIn("kept", self.folder.git("ls-remote", w.url(slug=organization + "/lorries")).out)
        self.assertFalse(self.folder.git("ls-remote", w.url(), check=False).ok)

    def test_a_branch_goes_back_to_a_released_commit_only_if_the_fleet_runs_it(self):
        w = self.world
        self.folder.given_project()
        old = self.folder.head()
        new = self.folder.commit()
        releases = [w.ann.api.create("release", belongs_to__application=w.ann.fleet, commit=commit, status="success",
                                     source="cloud", composition={}, start_timestamp=f"2026-01-0{i + 1}T00:00:00Z")["id"]
                    for i, commit in enumerate((old, new))]
        done = self.folder.git("push", w.url(), f"{new}:refs/heads/deploy", at="work")
        self.assertIn(f"There is release {releases[1]} of this commit: nothing is built", done.err)
        done = self.folder.git("push", "--force", w.url(), f"{old}:refs/heads/deploy", at="work", check=False)
        self.assertFalse(done.ok)
        self.assertIn(f"There is release {releases[0]} of this commit, and the fleet runs release {releases[1]}", done.err)
        self.assertIn("deploy stays as it was", done.err)
        w.set(should_track_latest_release=False)
        w.set(should_be_running__release=releases[0])
        done = self.folder.git("push", "--force", w.url(), f"{old}:refs/heads/deploy", at="work")
        self.assertIn(f"There is release {releases[0]} of this commit: nothing is built", done.err)

    def test_pushes_at_once_do_not_fill_a_repository_past_its_limit(self):
        w = self.world
        w.given_key(self.folder)
        w.server.stop()
        w.server.start(env={"SLIPWAY_GIT_PUSH_BYTES": str(4 * MIB), "SLIPWAY_GIT_REPOSITORY_BYTES": str(6 * MIB)})
        # A client that hears of the refs only when all are there: each began while there was room.
        go = os.path.join(self.folder.path, "go")
        late = self.folder.write("late", f'#!/bin/sh\n{self.folder.ssh} "$@" | {{ while [ ! -e {go} ]; do sleep 0.1; done; cat; }}\n', at="")
        os.chmod(late, 0o755)
        pushes = []
        for i in range(3):
            name = self.folder.given_project(f"work{i}")
            self.folder.write("big", os.urandom(3 * MIB), at=name)
            self.folder.commit(at=name)
            pushes.append(subprocess.Popen(
                ["git", "push", w.ssh_url(), f"main:b{i}"], cwd=os.path.join(self.folder.path, name),
                env={**self.folder.environment(), "GIT_SSH_COMMAND": late, "GIT_SSH_VARIANT": "ssh"}, stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE))
        wait_until(lambda: len(w.programs()) == 3, 120)
        self.folder.write("go", "", at="")
        said = [push.communicate(timeout=300)[1] for push in pushes]
        taken = sum(push.returncode == 0 for push in pushes)
        self.assertEqual(self.folder.git("ls-remote", w.ssh_url()).out.count("refs/heads/"), taken)
        self.assertLessEqual(taken, 1, said)
        self.assertTrue(any(b"the repository would take more" in text for text in said), said)

    def test_a_release_branch_is_the_name_of_a_branch(self):
        for wrong in ("", "a b", "../x", "x.lock", "-x", "x/", "a//b", "$(id)", "x\ny", "a..b"):
            done = self.world.ann.api.patch(f"/v7/application({self.world.ann.fleet})", {"release_branch": wrong})
            self.assertEqual(done.status, 400, wrong)
        self.world.set(release_branch="feature/one")
        self.world.set(release_branch=None)


if __name__ == "__main__":
    unittest.main()
