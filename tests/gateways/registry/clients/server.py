"""The registry as a program (bench/registry_server.cpp): every client gets every repository. Standard library only."""

import os
import secrets
import shutil
import subprocess
import tempfile

from support.slipwayd import Client


class RegistryServer:
    """On a free port and a folder of its own; goes with the `with` block, and must then have left no upload behind."""

    def __init__(self, *arguments):
        self.arguments = arguments

    def __enter__(self):
        # podman makes a reference of an image's path, in which a name may not begin or end with an underscore.
        self.folder = os.path.join(tempfile.gettempdir(), "slipway-test-" + secrets.token_hex(8))
        os.mkdir(self.folder, 0o700)
        self.process = subprocess.Popen(
            [os.path.join(os.environ["SLIPWAY_BIN"], "registry_server"), "--data-dir", f"{self.folder}/data", *self.arguments],
            stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        self.address = f"127.0.0.1:{self.port}"
        return self

    def client(self, *repositories):
        """With a token for these repositories, and a connection for each of its threads."""
        query = "&".join(f"scope=repository:{r}:pull,push,delete" for r in repositories)
        answer = Client(self.port).get(f"/auth/v1/token?service=registry_server&{query}")
        assert answer.status == 200, answer
        return Client(self.port, answer.json["token"])

    def files_of(self, name):
        """The files that hold this blob: one, or none."""
        return [f"{at}/{f}" for at, _, files in os.walk(f"{self.folder}/data/blobs") for f in files if f == name.split(":")[1]]

    def uploads(self):
        """Files of uploads that are not finished."""
        return os.listdir(f"{self.folder}/data/blobs/uploads")

    def __exit__(self, kind, *_):
        self.process.terminate()
        code = self.process.wait(timeout=30)
        self.process.stdout.close()
        left = self.uploads()
        shutil.rmtree(self.folder, ignore_errors=True)
        if kind is None:
            assert code == 0, f"the server ended with {code}"
            assert left == [], f"uploads were left behind: {left}"
