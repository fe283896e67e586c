#!/usr/bin/env python3
"""What TLS costs, beside plain HTTP of the same server in the same run: requests/s on kept connections, connections and handshakes/s,
and a file as the registry sends blobs. Usage: bench_tls.py --bin BIN_DIR [--quick]. Needs wrk and openssl.

Rows are medians of interleaved rounds; a ratio is TLS over plain. One connection per request counts both ends on the same cores, so the
handshakes' cost on the server is told as CPU time of its process.
"""
import argparse
import os
import re
import socket
import ssl
import statistics
import subprocess
import tempfile
import time

TICKS = os.sysconf("SC_CLK_TCK")
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class Server:
    def __init__(self, binaries, folder, file):
        self.process = subprocess.Popen([f"{binaries}/bench_http_server", "2", file, folder], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.plain, self.tls = (int(port) for port in self.process.stdout.readline().split())
        self.root = f"{folder}/root.pem"

    def url(self, scheme):
        return f"{scheme}://localhost:{self.tls if scheme == 'https' else self.plain}"

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def kept(server, scheme, connections, seconds):
    """Requests/s on connections that stay."""
    said = subprocess.run(["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", server.url(scheme) + "/"],
                          capture_output=True, text=True, check=True).stdout
    assert "Socket errors" not in said and "Non-2xx" not in said, said
    return float(re.search(r"Requests/sec:\s+([\d.]+)", said).group(1))


def fresh(server, context, seconds, resume=False):
    """Connections/s with one request each, from one thread; `context` None is plain."""
    session, count, end = None, 0, time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.create_connection(("127.0.0.1", server.tls if context else server.plain)) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context:
                s = context.wrap_socket(s, server_hostname="localhost", session=session, suppress_ragged_eofs=False)
                assert not resume or session is None or s.session_reused
            s.sendall(REQUEST)
            while s.recv(4096):
                pass
            if resume:
                session = s.session
            s.close()
        count += 1
    return count / seconds


def file_rate(server, scheme, size):
    """MB/s of a whole file on one connection."""
    said = subprocess.run(["curl", "-s", "-o", "/dev/null", "--cacert", server.root, "-w", "%{http_code} %{size_download} %{speed_download}",
                           server.url(scheme) + "/file"], capture_output=True, text=True, check=True).stdout.split()
    assert said[0] == "200" and int(said[1]) == size, said
    return float(said[2]) / 1e6


def row(name, unit, rounds, server, plain, secured, work=None):
    """Plain and secured in turns, so that both see the same machine. `work` of a value and the seconds it took is told as CPU per piece."""
    values, cpu = ([], []), ([], [])
    for _ in range(rounds):
        for which, run in enumerate((plain, secured)):
            before, began = server.cpu_seconds(), time.monotonic()
            value = run()
            values[which].append(value)
            cpu[which].append((server.cpu_seconds() - before) / work(value, time.monotonic() - began))
    a, b = (statistics.median(v) for v in values)
    c, d = (statistics.median(v) for v in cpu)
    print(f"tls {name:24} plain {a:10.0f} {unit:6} TLS {b:10.0f} {unit:6} ratio {b / a:5.2f}   server CPU {c * 1e6:7.1f} -> {d * 1e6:7.1f} us", flush=True)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--bin", required=True)
    options.add_argument("--quick", action="store_true")
    o = options.parse_args()
    seconds, rounds, size = (1, 1, 1 << 26) if o.quick else (3, 5, 1 << 30)
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
        with open(f"{folder}/big", "wb") as out:
            for _ in range(size >> 20):
                out.write(os.urandom(1 << 20))
        server = Server(o.bin, folder, f"{folder}/big")
        try:
            trusting = ssl.create_default_context(cafile=server.root)
            count = lambda value, took: value * took  # noqa: E731
            for connections in (1, 64):
                row(f"kept, {connections} connections", "req/s", rounds, server, lambda n=connections: kept(server, "http", n, seconds),
                    lambda n=connections: kept(server, "https", n, seconds), count)
            row("handshake per request", "conn/s", rounds, server, lambda: fresh(server, None, seconds),
                lambda: fresh(server, trusting, seconds), count)
            row("resumed per request", "conn/s", rounds, server, lambda: fresh(server, None, seconds),
                lambda: fresh(server, trusting, seconds, resume=True), count)
            row(f"file of {size >> 20} MiB", "MB/s", rounds, server, lambda: file_rate(server, "http", size),
                lambda: file_rate(server, "https", size), lambda value, took: size / 1e6)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
