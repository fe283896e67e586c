#!/usr/bin/env python3
"""What people and clients ask of the API, against a real slipwayd that holds a fleet of 10,000 devices (balena-api.md 4.8-4.10).

For each request: how long it takes (p50, p99, one client), how many rows were looked at for each one returned, and how many times a bare
`GET /ping` of the same run its time is. A variable of one device is changed while all 10,000 are there. --quick takes a few hundred devices.
"""

import argparse
import sys
import tempfile
import time
import urllib.request

from bench_server import client, make_fleet, register, server

LISTED = "$select=id,uuid,device_name,status,is_online,supervisor_version,os_version"
EXPANDED = ("$expand=belongs_to__application($select=app_name,slug),is_of__device_type($select=slug),"
            "is_running__release($select=commit)")


def counters(address):
    found = {}
    for line in urllib.request.urlopen(f"http://{address}/metrics").read().decode().splitlines():
        if line.startswith("slipway_quer"):
            name, number = line.rsplit(" ", 1)
            found[name] = float(number)
    return found


def measure(name, address, seconds, ping, call):
    """Calls until the time is over, at least ten times."""
    before, times, end = counters(address), [], time.monotonic() + seconds
    while time.monotonic() < end or len(times) < 10:
        start = time.perf_counter()
        call(len(times))
        times.append(time.perf_counter() - start)
    after = counters(address)
    rows = {k: after.get(k, 0) - before.get(k, 0) for k in after}
    returned = rows.get("slipway_query_rows_returned_total", 0)
    scanned = rows.get("slipway_query_rows_examined_total", 0)
    times.sort()
    p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
    each = f"{scanned / returned:6.2f} rows looked at for each of {returned / len(times):7.0f}" if returned else ""
    ratio = f"{p50 / ping:8.1f} x ping" if ping else ""
    print(f"{name:30} p50 {p50 * 1e3:8.2f} ms  p99 {p99 * 1e3:8.2f} ms  {ratio}  {each}", flush=True)
    return p50


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default="build/release/bin", help="folder of slipwayd")
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    count, seconds = (400, 0.2) if options.quick else (options.devices, options.seconds)
    with tempfile.TemporaryDirectory() as folder:
        s = server(options.bin, folder)
        try:
            fleet = make_fleet(s.address)
            api = client(s.address, fleet["token"])
            devices = register(s.address, fleet, count)
            for n in range(20):
                make_fleet_beside(api, fleet, n)
            of_fleet = f"belongs_to__application eq {fleet['fleet']['id']}"
            ids = [d["id"] for d in api.call("GET", f"/v7/device?$filter={of_fleet}&$select=id")["d"]]
            for i in ids[::100]:
                api.call("POST", "/v7/device_tag", {"device": i, "tag_key": "site", "value": "north"})
            print(f"{len(devices)} devices in one fleet, 20 fleets beside it, {len(ids[::100])} tags", flush=True)

            plain = client(s.address)
            ping = measure("ping", s.address, seconds / 2, 0, lambda n: plain.call("GET", "/ping"))

            def get(name, path):
                measure(name, s.address, seconds, ping, lambda n: api.call("GET", path))

            get("fleet list, expands", "/v7/application?$filter=is_directly_accessible_by__user/any(dau:1 eq 1)&$orderby=app_name asc"
                "&$select=id,app_name,slug&$expand=is_for__device_type($select=slug),owns__device($select=is_online)")
            get("device list, expands", f"/v7/device?$filter={of_fleet}&{LISTED}&{EXPANDED}&$orderby=device_name asc")
            get("first 50 of them", f"/v7/device?$filter={of_fleet}&{LISTED}&{EXPANDED}&$orderby=device_name asc&$top=50")
            get("count", f"/v7/device/$count?$filter={of_fleet}")
            get("fleets with counts", "/v7/application?$select=slug&$expand=owns__device/$count($filter=is_online eq true)")
            get("filter by tag", "/v7/device?$select=uuid&$filter=device_tag/any(t:t/tag_key eq 'site' and t/value eq 'north')")
            get("filter without an index", "/v7/device/$count?$filter=contains(note,'x') or contains(ip_address,'10.9.')")
            measure("device variable changed", s.address, seconds, ping, lambda n: change_variable(api, ids, n))
        finally:
            s.stop()
    return 0


def make_fleet_beside(api, fleet, n):
    api.call("POST", "/v7/application", {
        "app_name": f"beside{n}", "organization": fleet["fleet"]["organization"]["__id"],
        "is_for__device_type": fleet["fleet"]["is_for__device_type"]["__id"]})


def change_variable(api, ids, n):
    """As clients set a variable: POST, and a PATCH when it is there already."""
    device = ids[n % len(ids)]
    try:
        api.call("POST", "/v7/device_environment_variable", {"device": device, "name": "RATE", "value": str(n)})
    except RuntimeError as refused:
        if "unique" not in str(refused):
            raise
        api.call("PATCH", f"/v7/device_environment_variable?$filter=device eq {device} and name eq 'RATE'", {"value": str(n)})


if __name__ == "__main__":
    sys.exit(main())
