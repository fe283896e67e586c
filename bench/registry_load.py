"""Clients of a registry that cost little themselves: bodies go out by sendfile, what comes in is dropped by the kernel."""

import hashlib
import http.client
import multiprocessing
import os
import socket
import time
import urllib.parse

MIB = 1024 * 1024
OCTETS = "application/octet-stream"


class Connection:
    """One client's keep-alive connection to a server that has `host`, `port` and `headers`."""

    def __init__(self, server):
        self.server = server
        self.http = http.client.HTTPConnection(server.host, server.port, timeout=300)
        self.http.connect()
        self.http.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, method, where, expect, file=None, start=0, size=0, headers=None):
        """The answer's headers. `size` bytes of `file` from `start` on are the body."""
        self.http.putrequest(method, where, skip_accept_encoding=True)
        for name, value in {**self.server.headers, **(headers or {}), "Content-Length": str(size)}.items():
            self.http.putheader(name, value)
        self.http.endheaders()
        if size:
            self.http.sock.sendfile(file, start, size)
        answer = self.http.getresponse()
        answer.read()
        if answer.status != expect:
            raise SystemExit(f"{self.server.name}: {method} {where} gave {answer.status}")
        return answer.headers

    def pull(self, where):
        """Reads the whole body without copying it out of the kernel."""
        self.http.putrequest("GET", where, skip_accept_encoding=True)
        for name, value in self.server.headers.items():
            self.http.putheader(name, value)
        self.http.endheaders()
        sock = self.http.sock
        head = b""
        while b"\r\n\r\n" not in head:
            got = sock.recv(4096, socket.MSG_PEEK)
            if not got:
                raise SystemExit(f"{self.server.name}: no answer to {where}")
            end = (head + got).find(b"\r\n\r\n")
            head += sock.recv(len(got) if end < 0 else end + 4 - len(head))
        lines = head.decode().split("\r\n")
        if lines[0].split()[1] != "200":
            raise SystemExit(f"{self.server.name}: GET {where} gave {lines[0]}")
        left = next(int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length:"))
        while left:
            left -= drop(sock, left)
        # http.client has not seen the answer: tell it that the connection is idle again.
        self.http._HTTPConnection__state = "Idle"

    def push(self, piece, repository, part=0):
        """One blob: in one PUT, or in PATCHes of `part` bytes."""
        with open(piece.path, "rb") as file:
            where = path_of(self.send("POST", f"/v2/{repository}/blobs/uploads/", 202)["Location"])
            if part == 0:
                self.send("PUT", with_digest(where, piece.digest), 201, file, piece.start, piece.size, {"Content-Type": OCTETS})
                return
            for at in range(0, piece.size, part):
                size = min(part, piece.size - at)
                headers = {"Content-Type": OCTETS, "Content-Range": f"{at}-{at + size - 1}"}
                where = path_of(self.send("PATCH", where, 202, file, piece.start + at, size, headers)["Location"])
            self.send("PUT", with_digest(where, piece.digest), 201)


def drop(sock, most):
    """Discards up to 1 MiB of what came; TCP does not copy it out."""
    count = sock.recv_into(drop.buffer, min(most, MIB), socket.MSG_TRUNC)
    if count == 0:
        raise SystemExit("the connection ended in the middle of a body")
    return count


drop.buffer = bytearray(MIB)


class Piece:
    """A stretch of a file, as a blob."""

    def __init__(self, path, start, size):
        self.path, self.start, self.size = path, start, size
        with open(path, "rb") as file:
            file.seek(start)
            self.digest = "sha256:" + hashlib.sha256(file.read(size)).hexdigest()


def pieces_of(path, size):
    return [Piece(path, at, min(size, os.path.getsize(path) - at)) for at in range(0, os.path.getsize(path), size)]


def path_of(where):
    parts = urllib.parse.urlsplit(where)
    return parts.path + ("?" + parts.query if parts.query else "")


def with_digest(where, digest):
    return f"{where}{'&' if '?' in where else '?'}digest={digest}"


def at_once(server, clients, items, work):
    """`work(connection, item)` for all items by that many processes: wall seconds, from when all are connected."""
    ready = multiprocessing.Barrier(clients + 1)

    def client(number):
        connection = Connection(server)
        ready.wait()
        for item in items[number::clients]:
            work(connection, item)

    processes = [multiprocessing.Process(target=client, args=(n,)) for n in range(clients)]
    for process in processes:
        process.start()
    ready.wait()
    start = time.monotonic()
    for process in processes:
        process.join()
    if any(process.exitcode != 0 for process in processes):
        raise SystemExit(f"{server.name}: a client failed")
    return time.monotonic() - start
