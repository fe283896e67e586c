#!/usr/bin/env python3
"""What another machine serves on the addresses it is given: names on port 53 over UDP, and a greeting to whoever connects to port 80.
Usage: far_machine.py NAMED ADDRESS...; every name has the address NAMED. Prints `ready`. Addresses may come to the machine later."""

import selectors
import socket
import struct
import sys

ADDRESS = 1       # type of a question (RFC 1035)
FREEBIND = 15     # IP_FREEBIND of Linux


def open_socket(kind, address, port):
    made = socket.socket(socket.AF_INET, kind)
    made.setsockopt(socket.SOL_IP, FREEBIND, 1)
    made.bind((address, port))
    if kind == socket.SOCK_STREAM:
        made.listen()
    return made


def answer_of(question, named):
    """The answer to a question with one name; RFC 1035 section 4."""
    at = 12
    while question[at]:
        at += question[at] + 1
    kind = struct.unpack_from(">H", question, at + 1)[0]
    count = 1 if kind == ADDRESS else 0
    head = question[:2] + struct.pack(">HHHHH", 0x8180, 1, count, 0, 0) + question[12:at + 5]
    # The name of the question again, class IN, 60 s.
    record = b"\xc0\x0c" + struct.pack(">HHIH", ADDRESS, 1, 60, 4) + socket.inet_aton(named)
    return head + record * count


def serve(named, addresses):
    ready = selectors.DefaultSelector()
    for address in addresses:
        for kind, port in ((socket.SOCK_DGRAM, 53), (socket.SOCK_STREAM, 80)):
            ready.register(open_socket(kind, address, port), selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        for key, _ in ready.select():
            if key.fileobj.type == socket.SOCK_DGRAM:
                question, who = key.fileobj.recvfrom(4096)
                key.fileobj.sendto(answer_of(question, named), who)
            else:
                client, _ = key.fileobj.accept()
                with client:
                    client.sendall(b"hello\n")


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2:])
