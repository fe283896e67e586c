#!/usr/bin/env python3
"""state_get, state_patch, register, list and server memory, against a real slipwayd on loopback, driven by wrk.

Prints a line per workload: requests/s, server CPU per request, and the ratio to the reference figure of docs/performance.md
(the Node and PostgreSQL API measured on a machine of this kind). --quick runs each for a second with few devices.
"""

import argparse
import http.client
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time

# Requests/s of the reference API (Node + PostgreSQL) on a machine of this kind, and how many times that is the target.
REFERENCE = {"state_get": (133, 100), "state_patch": (161, 100), "register": (110, 50), "list": (212, 50)}
TICKS = os.sysconf("SC_CLK_TCK")


class server:
    def __init__(self, binaries, folder):
        admin = os.path.join(folder, "admin")
        with open(admin, "w", opener=lambda p, f: os.open(p, f, 0o600)) as out:
            out.write("bench:bench-password\n")
        self.log = open(os.path.join(folder, "log"), "w+")
        self.process = subprocess.Popen(
            [os.path.join(binaries, "slipwayd"), "serve", "--data-dir", os.path.join(folder, "data"),
             "--http", "127.0.0.1:0", "--overlay", "tcp://127.0.0.1:0", "--ssh", "off", "--admin-file", admin],
            stderr=self.log, stdout=self.log)
        for _ in range(600):
            text = open(self.log.name).read()
            found = re.search(r"slipwayd serves http=(\S+)", text)
            if found:
                self.address = found.group(1)
                return
            if self.process.poll() is not None:
                sys.exit("slipwayd ended: " + text)
            time.sleep(0.05)
        sys.exit("slipwayd does not start: " + text)

    def cpu_seconds(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def rss_mb(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return 0

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


class client:
    def __init__(self, address, token=""):
        self.connection = http.client.HTTPConnection(address)
        self.headers = {"Content-Type": "application/json"}
        if token:
            self.headers["Authorization"] = "Bearer " + token

    def call(self, method, path, body=None):
        self.connection.request(method, path.replace(" ", "%20"), json.dumps(body) if body is not None else None, self.headers)
        answer = self.connection.getresponse()
        text = answer.read().decode()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:200]}")
        return json.loads(text) if text[:1] in "{[\"" and text else text


def make_fleet(address, name="bench"):
    token = client(address).call("POST", "/login_", {"username": "bench", "password": "bench-password"})
    api = client(address, token)
    organization = api.call("GET", "/v7/organization?$filter=handle%20ne%20'slipway_os'")["d"][0]["id"]
    kind = api.call("GET", "/v7/device_type?$filter=slug eq 'generic-amd64'&$select=id")["d"][0]["id"]
    fleet = api.call("POST", "/v7/application", {"app_name": name, "organization": organization, "is_for__device_type": kind})
    names = ["one", "two", "three"]
    composition = {"version": "2", "services": {n: {"image": n, "restart": "always"} for n in names}}
    release = api.call("POST", "/v7/release", {
        "belongs_to__application": fleet["id"], "commit": secrets.token_hex(16), "composition": composition,
        "status": "running", "source": "local", "start_timestamp": int(time.time() * 1000)})
    images = []
    for name in names:
        service = api.call("POST", "/v7/service", {"application": fleet["id"], "service_name": name})
        image = api.call("POST", "/v7/image", {
            "is_a_build_of__service": service["id"], "status": "running", "start_timestamp": int(time.time() * 1000)})
        api.call("POST", "/v7/image__is_part_of__release", {"is_part_of__release": release["id"], "image": image["id"]})
        api.call("PATCH", f"/v7/image({image['id']})", {
            "status": "success", "push_timestamp": int(time.time() * 1000), "content_hash": "sha256:" + secrets.token_hex(32)})
        images.append(image["is_stored_at__image_location"])
    api.call("PATCH", f"/v7/release({release['id']})", {"status": "success"})
    key = api.call("POST", f"/api-key/application/{fleet['id']}/provisioning", {})
    return {"token": token, "fleet": fleet, "release": release, "services": dict(zip(names, images)), "provisioning": key}


def register(address, fleet, count, clients=8):
    """Registers `count` devices over `clients` connections; answers the devices and how many it did a second."""
    devices, lock = [], threading.Lock()

    def work(n):
        api = client(address, fleet["provisioning"])
        for _ in range(n):
            uuid, key = secrets.token_hex(16), secrets.token_hex(16)
            api.call("POST", "/device/register", {
                "application": fleet["fleet"]["id"], "uuid": uuid, "device_type": "generic-amd64", "api_key": key})
            with lock:
                devices.append((uuid, key))

    threads = [threading.Thread(target=work, args=(count // clients,)) for _ in range(clients)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return devices


def lua_list(name, items):
    return f"local {name} = {{" + ",".join(json.dumps(i) for i in items) + "}\n"


def patch_script(folder, fleet, devices):
    """Each request is another report of one of the devices: memory differs, so that every one is a durable change."""
    services = ",".join(
        f'"{n}":{{"image":"{i}","status":"Running","download_progress":null}}' for n, i in fleet["services"].items())
    body_tail = (f'"apps":{{"{fleet["fleet"]["uuid"]}":{{"release_uuid":"{fleet["release"]["commit"]}",'
                 f'"releases":{{"{fleet["release"]["commit"]}":{{"update_status":"done","services":{{{services}}}}}}}}}}}')
    path = os.path.join(folder, "patch.lua")
    with open(path, "w") as out:
        out.write(lua_list("uuids", [d[0] for d in devices]) + lua_list("keys", [d[1] for d in devices]))
        out.write("local tail = " + json.dumps(body_tail) + "\n")
        out.write("""
local n = 0
function request()
  n = n + 1
  local i = n % #uuids + 1
  local body = '{"' .. uuids[i] .. '":{"status":"Idle","memory_usage":' .. (n % 1000000) .. ',' .. tail .. '}}'
  return wrk.format("PATCH", "/device/v3/state",
    {["Authorization"] = "Bearer " .. keys[i], ["Content-Type"] = "application/json"}, body)
end
""")
    return path


def register_script(folder, fleet):
    path = os.path.join(folder, "register.lua")
    with open(path, "w") as out:
        out.write(f"local key, application = {json.dumps(fleet['provisioning'])}, {fleet['fleet']['id']}\n")
        out.write("""
local f = io.open("/dev/urandom", "rb")
local function hex() local s = f:read(16); return (s:gsub(".", function(c) return string.format("%02x", c:byte()) end)) end
function request()
  return wrk.format("POST", "/device/register", {["Authorization"] = "Bearer " .. key, ["Content-Type"] = "application/json"},
    '{"application":' .. application .. ',"uuid":"' .. hex() .. '","device_type":"generic-amd64"}')
end
""")
    return path


def wrk(s, path, connections, seconds, script=None, headers=()):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "10s"]
    for h in headers:
        command += ["-H", h]
    if script:
        command += ["-s", script]
    before = s.cpu_seconds()
    out = subprocess.run(command + [f"http://{s.address}{path}"], capture_output=True, text=True).stdout
    used = s.cpu_seconds() - before
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))
    total = int(re.search(r"(\d+) requests in", out).group(1))
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    errors = re.search(r"Socket errors: (.*)", out)
    latency = dict(re.findall(r"\s(50|99)%\s+(\S+)", out))
    return {"rate": rate, "cpu_us": used / max(total, 1) * 1e6, "bad": int(bad.group(1)) if bad else 0,
            "errors": errors.group(1) if errors else "", "p50": latency.get("50"), "p99": latency.get("99")}


def show(name, connections, r):
    reference = REFERENCE.get(name)
    ratio = f"{r['rate'] / reference[0]:6.1f}x of the reference (target {reference[1]}x)" if reference else ""
    trouble = f"  {r['bad']} refused" if r["bad"] else ""
    trouble += f"  {r['errors']}" if r["errors"] else ""
    print(f"{name:12} {connections:5} conn {r['rate']:10.0f}/s  {r['cpu_us']:7.1f} us CPU  p50 {r['p50']:>8} p99 {r['p99']:>8}  {ratio}{trouble}",
          flush=True)
    return r["bad"] == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default="build/release/bin", help="folder of slipwayd")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--devices", type=int, default=10_000, help="registered for the memory figure")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    seconds, count = (1, 64) if options.quick else (options.seconds, options.devices)
    good = True
    with tempfile.TemporaryDirectory() as folder:
        s = server(options.bin, folder)
        try:
            time.sleep(0.5)
            print(f"server       RSS at rest {s.rss_mb():.0f} MB (target 60)", flush=True)
            fleet = make_fleet(s.address)
            # A device reports one thing after the other, so there are as many as the most connections.
            devices = register(s.address, fleet, 64 if options.quick else 1024)
            uuid, key = devices[0]
            for connections in (1, 64, 1000):
                good &= show("state_get", connections, wrk(
                    s, f"/device/v3/{uuid}/state", connections, seconds, headers=[f"Authorization: Bearer {key}"]))
            script = patch_script(folder, fleet, devices)
            for connections in (1, 64, 1000):
                good &= show("state_patch", connections, wrk(s, "/", connections, seconds, script=script))
            # A fleet of 50 devices beside the large one.
            small = make_fleet(s.address, "small")
            register(s.address, small, 48 if options.quick else 50, clients=2)
            query = (f"/v7/device?$filter=belongs_to__application%20eq%20{small['fleet']['id']}&$select=id,uuid,device_name,status,is_online,os_version&$expand=belongs_to__application($select=slug),"
                     "is_of__device_type($select=slug),is_running__release($select=commit)&$orderby=device_name%20asc")
            good &= show("list", 64, wrk(s, query, 64, seconds, headers=["Authorization: Bearer " + fleet["token"]]))
            good &= show("register", 64, wrk(s, "/", 64, seconds, script=register_script(folder, fleet)))
            register(s.address, fleet, count)
            print(f"server       RSS with {count} and more devices registered {s.rss_mb():.0f} MB (target 600 with 10,000 online)", flush=True)
        finally:
            s.stop()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
