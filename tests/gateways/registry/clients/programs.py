"""docker, podman, skopeo and buildah as a test calls them, each with storage of its own. Standard library only."""

import os
import signal
import subprocess
import time

SECONDS_MAX = 120


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX, check=False, **options)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def skopeo(*arguments):
    return run("skopeo", "--insecure-policy", *arguments)


class StorageClient:
    """podman or buildah: no daemon, a storage in `folder`; `registry` speaks plain HTTP."""

    def __init__(self, program, folder, registry):
        self.storage = f"{folder}/{program}"
        self.command = [program, "--root", f"{self.storage}/root", "--runroot", f"{self.storage}/run", "--storage-driver", "vfs"]
        os.makedirs(f"{self.storage}/home")
        # `manifest create` of podman knows no other way of saying so.
        registries = f"{self.storage}/registries.conf"
        with open(registries, "w", encoding="utf-8") as file:
            file.write(f'[[registry]]\nlocation = "{registry}"\ninsecure = true\n')
        self.environment = {**os.environ, "HOME": f"{self.storage}/home", "XDG_RUNTIME_DIR": f"{self.storage}/home",
                            "CONTAINERS_REGISTRIES_CONF": registries}

    def __call__(self, *arguments):
        return run(*self.command, *arguments, env=self.environment)

    def pull(self, where, *more):
        """The image's id, which is its config's digest."""
        return "sha256:" + self("pull", "--quiet", *more, where).split()[-1].removeprefix("sha256:")


class Docker:
    """An engine of our own, without network set-up, so that it needs nothing of the machine's."""

    def __init__(self, folder):
        self.folder = folder
        self.socket = f"unix://{folder}/docker.sock"
        self.log = open(f"{folder}/dockerd.log", "w+", encoding="utf-8")
        self.environment = {**os.environ, "HOME": folder, "DOCKER_CLI_EXPERIMENTAL": "enabled"}
        self.command = ["docker", "-H", self.socket]
        self.start()

    def start(self):
        folder = self.folder
        self.process = subprocess.Popen(
            ["dockerd", "--data-root", f"{folder}/docker", "--exec-root", f"{folder}/exec",
             "-H", self.socket, "-p", f"{folder}/dockerd.pid", "--bridge", "none", "--iptables=false",
             "--storage-driver", "vfs", "--experimental"],
            stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 60
        while not os.path.exists(f"{folder}/docker.sock"):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.log.seek(0)
                raise AssertionError("dockerd did not start: " + self.log.read()[-2000:])
            time.sleep(0.05)

    def __call__(self, *arguments):
        return run(*self.command, *arguments, env=self.environment)

    def kill(self):
        """As a power cut would; `start` starts it again."""
        self.process.kill()
        self.process.wait(timeout=60)
        os.remove(f"{self.folder}/docker.sock")

    def image_id(self, name):
        return self("image", "inspect", "-f", "{{.Id}}", name).strip()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)
        self.log.close()
