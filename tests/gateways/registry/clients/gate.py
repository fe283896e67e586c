"""A relay on loopback that lets so many bytes through and then holds them: a client is certainly in the middle of a transfer. Standard library only."""

import socket
import threading


class Gate:
    """Relays to `port`. Closed, it holds each connection after `bytes_max` in one direction ("up" = to the server)."""

    def __init__(self, port, direction, bytes_max):
        self.port, self.direction, self.bytes_max = port, direction, bytes_max
        self.reached = threading.Event()
        self.opened = threading.Event()
        self.lock = threading.Lock()
        self.passed = {"up": 0, "down": 0}
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def open(self):
        """From now on everything passes, and is counted from none."""
        self.opened.set()
        with self.lock:
            self.passed = {"up": 0, "down": 0}

    def close(self):
        self.opened.set()
        self.listener.close()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.port))
            for ends in ((client, server, "up"), (server, client, "down")):
                threading.Thread(target=self.relay, args=ends, daemon=True).start()

    def relay(self, source, sink, direction):
        seen = 0
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                seen += len(data)
                if direction == self.direction and seen > self.bytes_max and not self.opened.is_set():
                    self.reached.set()
                    self.opened.wait()
                with self.lock:
                    self.passed[direction] += len(data)
                sink.sendall(data)
        except OSError:
            pass
        # Both ends go with either: a client that was killed is gone for the server as well.
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
