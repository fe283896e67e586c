#!/usr/bin/env python3
"""What devices that stream their logs cost a real slipwayd in memory: DEVICES open streams, each with a batch of ten records every
INTERVAL seconds. Prints one JSON line.
  bench_log_devices.py --bin DIR [--devices N] [--seconds S] [--interval I] [--gzip]"""

import argparse
import concurrent.futures
import json
import os
import resource
import socket
import sys
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests"))
from support.slipwayd import Slipwayd, new_uuid  # noqa: E402

RECORDS = 10


def rss_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int([line.split()[1] for line in status if line.startswith("VmRSS")][0])


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def register(server, key, fleet):
    uuid = new_uuid()
    answer = server.client(key).post(
        "/device/register", {"application": fleet, "uuid": uuid, "device_type": "generic-amd64"})
    assert answer.status == 201, answer
    return uuid, answer.json["api_key"]


class Stream:
    def __init__(self, port, uuid, key, gzip):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.packer = zlib.compressobj(wbits=31) if gzip else None
        head = (f"POST /device/v2/{uuid}/log-stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
                "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n")
        self.socket.sendall((head + ("Content-Encoding: gzip\r\n" if gzip else "") + "\r\n").encode())
        self.count = 0

    def send(self):
        lines = []
        for _ in range(RECORDS):
            self.count += 1
            lines.append(json.dumps({"message": f"GET /items/{self.count * 7919 % 100003} 200 in {self.count % 97} ms "
                                     + "user-agent=client/1.2 " * 3, "timestamp": int(time.time() * 1000)}))
        data = ("\n".join(lines) + "\n").encode()
        if self.packer:
            data = self.packer.compress(data) + self.packer.flush(zlib.Z_SYNC_FLUSH)
        self.socket.sendall(b"%x\r\n%s\r\n" % (len(data), data))


def stored(server):
    text = server.client().get("/metrics").text
    return float([line for line in text.splitlines() if line.startswith("slipway_log_lines ")][0].split()[1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--devices", type=int, default=8000)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--interval", type=float, default=10)
    parser.add_argument("--gzip", action="store_true")
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    server = Slipwayd(os.path.join(args.bin, "slipwayd")).start()
    try:
        admin = server.login()
        organization = admin.rows("/v7/organization?$filter=handle ne 'slipway_os'")[0]["id"]
        kind = admin.rows("/v7/device_type?$filter=slug eq 'generic-amd64'&$select=id")[0]["id"]
        fleet = admin.create("application", app_name="logs", organization=organization, is_for__device_type=kind)["id"]
        key = admin.post(f"/api-key/application/{fleet}/provisioning", {}).json
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            devices = list(pool.map(lambda _: register(server, key, fleet), range(args.devices)))
        registered = rss_kb(server.process.pid)
        streams = [Stream(server.port, uuid, secret, args.gzip) for uuid, secret in devices]
        time.sleep(2)
        opened = rss_kb(server.process.pid)
        cpu = cpu_seconds(server.process.pid)
        begin = time.monotonic()
        peak = opened
        sent = 0
        while time.monotonic() - begin < args.seconds:
            streams[sent % len(streams)].send()
            sent += 1
            ahead = sent * args.interval / len(streams) - (time.monotonic() - begin)
            if ahead > 0:
                time.sleep(ahead)
            if sent % 1000 == 0:
                peak = max(peak, rss_kb(server.process.pid))
        wall = time.monotonic() - begin
        time.sleep(1)
        lines = stored(server)
        print(json.dumps({
            "devices": len(streams), "gzip": args.gzip, "records_per_s": round(sent * RECORDS / wall),
            "stored": lines, "sent": sent * RECORDS, "rss_registered_mb": registered // 1024,
            "rss_open_mb": opened // 1024, "rss_peak_mb": peak // 1024,
            "kb_per_stream": round((peak - registered) / len(streams), 1),
            "cpu_us_per_record": round((cpu_seconds(server.process.pid) - cpu) * 1e6 / (sent * RECORDS), 1)}))
        assert lines >= sent * RECORDS * 0.99, (lines, sent * RECORDS)
    finally:
        server.remove()


if __name__ == "__main__":
    main()
