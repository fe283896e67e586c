#!/usr/bin/env python3
"""TLS of a real slipwayd: every host of a domain on one port, certificates of its own and given ones, images over TLS."""

import base64
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.slipwayd import Slipwayd  # noqa: E402

DOMAIN = "slipway.test"
SERVED = ("", "api.", "dashboard.", "logs.")
ABSENT = ("delta.", "tunnel.", "vpn.", "cloudlink.", "0f.devices.", "actions.devices.", "nosuch.")


def given_certificate(folder, name, hosts):
    """A self-signed chain and key as an operator might bring them."""
    chain, key = f"{folder}/{name}.pem", f"{folder}/{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
         "-subj", f"/CN={name}", "-addext", "subjectAltName=" + ",".join("DNS:" + h for h in hosts),
         "-keyout", key + ".new", "-out", chain + ".new"], check=True, capture_output=True)
    os.chmod(key + ".new", 0o600)
    os.rename(key + ".new", key)
    os.rename(chain + ".new", chain)
    return chain, key


class Secured:
    """A server with --domain and --https."""

    def __init__(self, http_address="127.0.0.1:0", **settings):
        self.server = Slipwayd()
        env = {"SLIPWAY_DOMAIN": DOMAIN, "SLIPWAY_HTTPS_ADDRESS": "127.0.0.1:0"}
        env.update({"SLIPWAY_" + name.upper(): value for name, value in settings.items()})
        self.server.start(env=env, http=http_address)
        self.port = self.server.https_port
        self.root = os.path.join(self.server.folder, "data", "keys", "ca", "root.pem")

    def context(self, root=None, **options):
        made = ssl.create_default_context(cafile=root or self.root)
        for name, value in options.items():
            setattr(made, name, value)
        return made

    def connect(self, host, context=None, session=None):
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        return (context or self.context()).wrap_socket(plain, server_hostname=host, session=session)

    def ask(self, host, path, method="GET", body=None, headers=None, context=None, host_field=None):
        connection = http.client.HTTPConnection(host, self.port, timeout=30)
        connection.sock = self.connect(host, context)
        head = {"Host": host_field or f"{host}:{self.port}", **(headers or {})}
        connection.request(method, path, body=body, headers=head)
        answer = connection.getresponse()
        answer.text = answer.read().decode()
        connection.close()
        return answer

    def close(self):
        try:
            assert self.server.stop() == 0, self.server.text()
        finally:
            self.server.remove()


class HostsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.at = Secured()

    @classmethod
    def tearDownClass(cls):
        cls.at.close()

    def test_the_api_answers_under_each_of_its_hosts(self):
        for host in SERVED:
            answer = self.at.ask(host + DOMAIN, "/ping")
            self.assertEqual((answer.status, answer.text), (200, "OK"), host)
            self.assertIsNone(answer.getheader("Strict-Transport-Security"))

    def test_a_host_without_a_service_says_what_is_missing(self):
        for host in ABSENT:
            answer = self.at.ask(host + DOMAIN, "/ping")
            self.assertEqual(answer.status, 404, host)
            self.assertGreater(len(json.loads(answer.text)), 20, host)

    def test_the_registry_host_serves_images_and_nothing_else(self):
        answer = self.at.ask("registry2." + DOMAIN, "/v2/")
        self.assertEqual(answer.status, 401)
        self.assertIn(f'realm="https://api.{DOMAIN}:{self.at.port}/auth/v1/token"', answer.getheader("WWW-Authenticate"))
        self.assertIn(f'service="registry2.{DOMAIN}:{self.at.port}"', answer.getheader("WWW-Authenticate"))
        self.assertEqual(self.at.ask("registry2." + DOMAIN, "/ping").status, 404)

    def test_usage_reports_are_taken_and_dropped(self):
        report = json.dumps({"api_key": "x", "events": [{"event_type": "y"}] * 100})
        answer = self.at.ask("data." + DOMAIN, "/amplitude/2/httpapi", "POST", report)
        self.assertEqual(answer.status, 200)
        self.assertEqual(self.at.ask("data." + DOMAIN, "/ping").status, 404)

    def test_the_root_certificate_is_offered(self):
        with open(self.at.root, encoding="ascii") as file:
            root = file.read()
        self.assertEqual(self.at.ask("ca." + DOMAIN, "/ca.pem").text, root)
        self.assertEqual(self.at.server.client().get("/ca.pem").text, root)
        self.assertEqual(self.at.ask("ca." + DOMAIN, "/ping").status, 404)

    def test_a_host_that_is_not_ours_is_misdirected(self):
        for host in ("other.org", "127.0.0.1", "slipway.test.org"):
            answer = self.at.ask("api." + DOMAIN, "/ping", host_field=host)
            self.assertEqual(answer.status, 421, host)
        loose = self.at.context(check_hostname=False, verify_mode=ssl.CERT_NONE)
        self.assertEqual(self.at.ask("other.org", "/ping", context=loose).status, 421)
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.at.connect("other.org")

    def test_addresses_in_answers_are_https(self):
        config = json.loads(self.at.ask("api." + DOMAIN, "/config").text)
        self.assertEqual(config["registryHost"], f"registry2.{DOMAIN}:{self.at.port}")
        api = self.at.server.login()
        organization = api.rows("/v7/organization?$filter=handle ne 'slipway_os'")[0]["id"]
        kind = api.rows("/v7/device_type?$filter=slug eq 'generic-amd64'&$select=id")[0]["id"]
        fleet = api.create("application", app_name="cars", organization=organization, is_for__device_type=kind)["id"]
        file = api.post("/download-config", {"appId": fleet, "version": "1.0.0", "deviceType": "generic-amd64"}).json
        self.assertEqual(file["apiEndpoint"], f"https://api.{DOMAIN}:{self.at.port}")
        self.assertEqual(file["registryEndpoint"], f"registry2.{DOMAIN}:{self.at.port}")
        with open(self.at.root, "rb") as root:
            self.assertEqual(base64.b64decode(file["balenaRootCA"]), root.read())

    def test_plain_http_on_loopback_goes_on_as_before(self):
        self.assertEqual(self.at.server.client().get("/ping").status, 200)
        self.assertEqual(self.at.server.login().get("/v7/organization").status, 200)

    def test_only_tls_of_this_decade_is_spoken(self):
        with self.connect_with(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2) as s:
            self.assertEqual(s.version(), "TLSv1.2")
            self.assertIn(s.cipher()[0], ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
                                          "ECDHE-ECDSA-CHACHA20-POLY1305"))
        with self.connect_with(ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3) as s:
            self.assertEqual(s.version(), "TLSv1.3")
        for old in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                self.connect_with(old, old)

    def connect_with(self, least, most):
        context = self.at.context()
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version, context.maximum_version = least, most
        return self.at.connect("api." + DOMAIN, context)

    def test_http_1_1_is_negotiated_and_nothing_else(self):
        context = self.at.context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        with self.at.connect("api." + DOMAIN, context) as s:
            self.assertEqual(s.selected_alpn_protocol(), "http/1.1")
        context.set_alpn_protocols(["h2"])
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.at.connect("api." + DOMAIN, context)
        with self.at.connect("api." + DOMAIN) as s:
            self.assertIsNone(s.selected_alpn_protocol())

    def test_sessions_are_resumed(self):
        context = self.at.context()
        session = None
        for resumed in (False, True):
            with self.at.connect("api." + DOMAIN, context, session) as s:
                s.sendall(f"GET /ping HTTP/1.1\r\nHost: api.{DOMAIN}\r\n\r\n".encode())
                self.assertIn(b"200 OK", s.recv(4096))
                self.assertEqual(s.session_reused, resumed)
                session = s.session

    def test_a_client_that_ends_its_half_still_gets_its_answer(self):
        s = self.at.connect("api." + DOMAIN)
        s.sendall(f"GET /ping HTTP/1.1\r\nHost: api.{DOMAIN}\r\nConnection: close\r\n\r\n".encode())
        socket.socket.shutdown(s, socket.SHUT_WR)
        said = b""
        while part := s.recv(4096):
            said += part
        self.assertTrue(said.endswith(b"OK"), said)

    def test_a_request_in_many_small_records_is_one_request(self):
        with self.at.connect("api." + DOMAIN) as s:
            for byte in f"GET /ping HTTP/1.1\r\nHost: api.{DOMAIN}\r\n\r\n".encode():
                s.sendall(bytes([byte]))
            self.assertIn(b"200 OK", s.recv(4096))

    @unittest.skipUnless(shutil.which("skopeo"), "needs skopeo")
    def test_images_go_through_tls_to_clients_that_trust_the_root_and_to_no_others(self):
        # The registry's host must resolve: skopeo runs where /etc/hosts has it.
        self.assertEqual(os.geteuid(), 0, "needs root")
        api = self.at.server.login()
        organization = api.rows("/v7/organization?$filter=handle ne 'slipway_os'")[0]["id"]
        kind = api.rows("/v7/device_type?$filter=slug eq 'generic-amd64'&$select=id")[0]["id"]
        fleet = api.create("application", app_name="boats", organization=organization, is_for__device_type=kind)["id"]
        service = api.create("service", application=fleet, service_name="main")["id"]
        image = api.create("image", is_a_build_of__service=service, status="running", start_timestamp="2026-01-01T00:00:00.000Z")
        location = api.rows(f"/v7/image({image['id']})?$select=is_stored_at__image_location")[0]["is_stored_at__image_location"]
        self.assertTrue(location.startswith(f"registry2.{DOMAIN}:{self.at.port}/v2/"), location)
        with tempfile.TemporaryDirectory(prefix="slipway-test-") as folder:
            layout = self.given_image(folder)
            for name in ("trusting", "strange"):
                os.mkdir(f"{folder}/{name}")
            shutil.copy(self.at.root, f"{folder}/trusting/ca.crt")
            run = lambda *what: self.with_names(folder, "skopeo", "--insecure-policy", "copy", *what)  # noqa: E731
            credentials = f"root:{api.token}"
            there = f"docker://{location}:v1"
            pushed = run("--dest-cert-dir", f"{folder}/trusting", "--dest-creds", credentials, layout, there)
            self.assertEqual(pushed.returncode, 0, pushed.stderr)
            pulled = run("--src-cert-dir", f"{folder}/trusting", "--src-creds", credentials, there, f"oci:{folder}/back:v1")
            self.assertEqual(pulled.returncode, 0, pulled.stderr)
            self.assertEqual(sorted(os.listdir(f"{folder}/image/blobs/sha256")), sorted(os.listdir(f"{folder}/back/blobs/sha256")))
            refused = run("--src-cert-dir", f"{folder}/strange", "--src-creds", credentials, there, f"oci:{folder}/no:v1")
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn("x509", refused.stderr)

    def given_image(self, folder):
        sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "gateways", "registry"))
        from clients_test import Layout  # pylint: disable=import-outside-toplevel
        Layout(f"{folder}/image", ["amd64"], [64 << 20, 1000])
        return f"oci:{folder}/image:v1"

    def with_names(self, folder, *command):
        """Runs a program in a mount namespace of its own whose /etc/hosts knows the domain."""
        hosts = f"{folder}/hosts"
        with open(hosts, "w", encoding="ascii") as file:
            file.write(f"127.0.0.1 localhost api.{DOMAIN} registry2.{DOMAIN}\n")
        inside = 'mount --bind "$0" /etc/hosts && exec "$@"'
        return subprocess.run(["unshare", "--mount", "sh", "-c", inside, hosts, *command],
                              capture_output=True, text=True, timeout=120, check=False)


class RedirectTest(unittest.TestCase):
    """Requests from other machines; the test is one by the address of an interface that is not loopback."""

    def test_plain_requests_from_elsewhere_are_sent_to_https(self):
        address = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False).stdout.split()
        address = next((a for a in address if ":" not in a), None)
        if address is None:
            self.skipTest("this machine has no address but loopback")
        at = Secured(http_address="0.0.0.0:0")
        try:
            def ask(path, host, method="GET"):
                connection = http.client.HTTPConnection(address, at.server.port, timeout=30)
                connection.request(method, path, headers={"Host": host})
                answer = connection.getresponse()
                answer.read()
                connection.close()
                return answer.status, answer.getheader("Location")
            api = f"https://api.{DOMAIN}:{at.port}"
            self.assertEqual(ask("/v7/device?$top=1", "api." + DOMAIN), (301, api + "/v7/device?$top=1"))
            self.assertEqual(ask("/v2/", f"registry2.{DOMAIN}:80"), (301, f"https://registry2.{DOMAIN}:{at.port}/v2/"))
            self.assertEqual(ask("/login_", "api." + DOMAIN, "POST"), (308, api + "/login_"))
            self.assertEqual(ask("/config", "evil.example"), (301, api + "/config"))
            self.assertEqual(ask("/ping", "api." + DOMAIN), (200, None))
            self.assertEqual(ask("/ca.pem", "ca." + DOMAIN), (200, None))
            self.assertEqual(ask("/.well-known/x", "api." + DOMAIN), (404, None))
        finally:
            at.close()


class GivenCertificatesTest(unittest.TestCase):
    def test_given_certificates_are_chosen_by_name_and_read_again(self):
        with tempfile.TemporaryDirectory(prefix="slipway-test-") as folder:
            chain, key = given_certificate(folder, "first", [DOMAIN, "*." + DOMAIN])
            devices, devices_key = given_certificate(folder, "second", ["*.devices." + DOMAIN])
            at = Secured(tls_cert=f"{chain},{devices}", tls_key=f"{key},{devices_key}")
            try:
                answer = at.ask("api." + DOMAIN, "/ping", context=at.context(chain))
                self.assertEqual(answer.status, 200)
                self.assertIn("max-age", answer.getheader("Strict-Transport-Security"))
                self.assertEqual(at.ask("0f.devices." + DOMAIN, "/", context=at.context(devices)).status, 404)
                self.assertEqual(at.server.client().get("/ca.pem").status, 404)
                self.assertFalse(os.path.exists(at.root))
                kept = at.connect("api." + DOMAIN, at.context(chain))
                old = kept.getpeercert(binary_form=True)

                self.refuses_what_cannot_be_used(at, folder, chain, key, kept, lambda: self.certificate(at, devices) == old)
                given_certificate(folder, "first", [DOMAIN, "*." + DOMAIN])
                self.until(lambda: self.certificate(at, devices) != old)
                self.still_answers(kept)
                kept.close()
            finally:
                at.close()

    def refuses_what_cannot_be_used(self, at, folder, chain, key, kept, old_is_served):
        """Each fault is told in the log, the old certificate stays, and an open connection goes on."""
        stranger, _ = given_certificate(folder, "stranger", [DOMAIN])
        expired, expired_key = given_certificate(folder, "expired", [DOMAIN])
        subprocess.run(["openssl", "x509", "-in", expired, "-signkey", expired_key, "-days", "-1", "-out", expired + ".new"],
                       check=True, capture_output=True)
        os.rename(expired + ".new", expired)
        def put(path, source):
            shutil.copy(source, path + ".new")
            os.rename(path + ".new", path)
        def expire():
            put(key, expired_key)
            put(chain, expired)
        for change, said in ((lambda: put(chain, "/etc/hostname"), "the certificate cannot be read"),
                             (lambda: put(chain, stranger), "the private key is not the certificate's"),
                             (expire, "the certificate has expired"), (lambda: os.remove(key), "No such file")):
            change()
            self.until(lambda said=said: any("the old ones stay in use" in line and said in line for line in at.server.log))
            self.assertTrue(old_is_served(), said)
            self.still_answers(kept)

    def still_answers(self, kept):
        kept.sendall(f"GET /ping HTTP/1.1\r\nHost: api.{DOMAIN}\r\n\r\n".encode())
        self.assertIn(b"200 OK", kept.recv(4096))

    def certificate(self, at, root):
        with at.connect("api." + DOMAIN, at.context(root, check_hostname=False, verify_mode=ssl.CERT_NONE)) as s:
            return s.getpeercert(binary_form=True)

    def until(self, true):
        end = time.monotonic() + 60
        while not true():
            self.assertLess(time.monotonic(), end, "it never happened")
            time.sleep(0.1)

    def test_what_cannot_work_is_refused_at_the_start(self):
        with tempfile.TemporaryDirectory(prefix="slipway-test-") as folder:
            chain, key = given_certificate(folder, "one", [DOMAIN])
            _, other_key = given_certificate(folder, "two", [DOMAIN])
            for arguments, said in (
                    (["--https", "127.0.0.1:0"], "needs a domain"),
                    (["--domain", "Not A Name", "--https", "off"], "no domain name"),
                    (["--domain", "10.0.0.1", "--https", "off"], "no domain name"),
                    (["--domain", DOMAIN, "--https", "443"], "https_address"),
                    (["--domain", DOMAIN, "--https", "127.0.0.1:0", "--tls-cert", chain], "one key for each"),
                    (["--domain", DOMAIN, "--https", "127.0.0.1:0", "--tls-cert", chain, "--tls-key", other_key], "one.pem"),
                    (["--domain", DOMAIN, "--https", "127.0.0.1:0", "--tls-cert", "/nowhere", "--tls-key", key], "/nowhere"),
                    (["--domain", DOMAIN, "--https", "127.0.0.1:0", "--tls-ca", chain], "tls_ca")):
                done = subprocess.run(
                    [os.path.join(os.environ["SLIPWAY_BIN"], "slipwayd"), "serve", "--data-dir", f"{folder}/data",
                     "--http", "127.0.0.1:0", "--overlay", "tcp://127.0.0.1:0", *arguments],
                    capture_output=True, text=True, timeout=60, check=False)
                self.assertEqual(done.returncode, 2, (arguments, done.stderr))
                self.assertIn(said, done.stderr + done.stdout, arguments)


if __name__ == "__main__":
    unittest.main()
