#!/usr/bin/env python3
"""Readers that follow one build's log, in one process; for bench_push.py.

usage: TOKEN=... push_readers.py PORT PATH COUNT LINES

Prints JSON: for each hundredth of the lines that say `line <n> of`, when the first and the last reader had it, in seconds since 1970;
`end` the same for the end of the log.
"""

import json
import os
import selectors
import socket
import sys
import time


class Reader:
    def __init__(self, port, path):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall((f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {os.environ['TOKEN']}\r\n\r\n").encode())
        self.tail = b""
        self.marks = 0
        self.over = False

    def read(self):
        """The number of the last line in what came; None when nothing of that kind did."""
        text = self.socket.recv(262144)
        ended = not text
        text = self.tail + text
        self.over = ended or text.endswith(b"\r\n0\r\n\r\n")   # which may come in two pieces
        self.tail = text[-64:]
        end = text.rfind(b" of what")
        begin = text.rfind(b" line ", 0, end) if end > 0 else -1
        number = text[begin + 6:end] if begin >= 0 else b""
        return int(number) if number.isdigit() else None


def main():
    port, path, count, lines = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    step = max(lines // 100, 1)
    first, last, ends = {}, {}, []
    selector = selectors.DefaultSelector()
    for _ in range(count):
        reader = Reader(port, path)
        selector.register(reader.socket, selectors.EVENT_READ, reader)
    open_ones = count
    while open_ones:
        for key, _ in selector.select():
            reader = key.data
            number = reader.read()
            now = time.time()
            while number is not None and (reader.marks + 1) * step <= number:
                reader.marks += 1
                mark = reader.marks * step
                first.setdefault(mark, now)
                last[mark] = now
            if reader.over:
                ends.append(now)
                selector.unregister(reader.socket)
                reader.socket.close()
                open_ones -= 1
    print(json.dumps({"first": first, "last": last, "end": [min(ends), max(ends)]}))


main()
