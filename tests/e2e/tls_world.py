"""A domain with the server's own authority on a machine of a test's own: slipwayd and an engine. /etc is a copy that only the test sees: it has
the names, and the engine the roots. What imports this runs in that machine."""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
OWN_MACHINE = os.path.join(HERE, "../support/own_machine")
if os.environ.get("SLIPWAY_OWN_MACHINE") != "inside":
    os.environ.pop("SLIPWAY_OWN_MACHINE", None)
    os.execv(OWN_MACHINE, [OWN_MACHINE, sys.executable, *sys.argv])

sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "../support"))
from agent_world import BIN, Engine  # noqa: E402

os.environ.setdefault("SLIPWAY_BIN", BIN)
from slipwayd import ADMIN, PASSWORD, Slipwayd  # noqa: E402

DOMAIN = "slipway.test"
HOSTS = ("api.", "registry2.", "ca.", "builder.", "git.")
ADDRESS = "192.0.2.1"  # for examples (RFC 5737); on loopback of this test's network
API, REGISTRY = f"https://api.{DOMAIN}", f"registry2.{DOMAIN}"
LONG = 240  # only ever means failure
DOCKERFILE = 'FROM scratch\nCOPY busybox /bin/busybox\nCOPY word /word\n' \
    'CMD ["/bin/busybox", "sh", "-c", "trap \'exit 0\' TERM; /bin/busybox sleep 1000000 & wait"]\n'

# Without one the service would be a privileged one, which confined machines cannot run.
COMPOSE = "version: '2.4'\nservices:\n  main:\n    build: .\n"


class World:
    def __init__(self, builds=False):
        self.folder = tempfile.mkdtemp(prefix="slipway-tls-")
        self.take_names()
        self.engine = Engine(self.folder, REGISTRY)
        self.server = Slipwayd()
        self.builder = "unix://" + self.engine.socket if builds else "none"
        self.start_server()
        self.root = os.path.join(self.server.folder, "data/keys/ca/root.pem")
        self.agents = []
        with open(f"{self.folder}/password", "w", encoding="utf-8") as file:
            file.write(PASSWORD + "\n")

    def take_names(self):
        shutil.copytree("/etc", f"{self.folder}/etc", symlinks=True)
        shutil.rmtree(f"{self.folder}/etc/docker/certs.d", ignore_errors=True)
        with open(f"{self.folder}/etc/hosts", "a", encoding="ascii") as file:
            file.write("".join(f"\n{ADDRESS} {name}{DOMAIN}" for name in ("", *HOSTS, "other.")) + "\n")
        subprocess.run(["mount", "--bind", f"{self.folder}/etc", "/etc"], check=True)
        subprocess.run(["ip", "address", "add", ADDRESS + "/32", "dev", "lo"], check=True)

    def start_server(self):
        self.server.start(env={"SLIPWAY_DOMAIN": DOMAIN, "SLIPWAY_HTTPS_ADDRESS": ADDRESS + ":443", "SLIPWAY_BUILDER_ENGINE": self.builder},
                          http="127.0.0.1:0", overlay="tcp://127.0.0.1:7000")  # the same after a restart: devices know it
        self.api = self.server.login(ADMIN, PASSWORD)

    def slipway(self, *arguments, root="own", code=0, **more):
        """The command, with a home of its own; `root` is the server's own, none, or a file."""
        env = {**os.environ, "XDG_CONFIG_HOME": f"{self.folder}/config", "DOCKER_HOST": "unix://" + self.engine.socket, "SLIPWAY_SERVER": API}
        env.pop("SLIPWAY_CA", None)
        if root is not None:
            env["SLIPWAY_CA"] = self.root if root == "own" else root
        done = subprocess.run([os.path.join(BIN, "slipway"), *arguments], env=env, capture_output=True, text=True, timeout=LONG, check=False, **more)
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        return done

    def docker(self, *arguments, code=0, **more):
        env = {**os.environ, "DOCKER_CONFIG": f"{self.folder}/docker-cli"}
        done = subprocess.run(["docker", "--host", "unix://" + self.engine.socket, *arguments], env=env,
                              capture_output=True, text=True, timeout=LONG, check=False, **more)
        assert (done.returncode == 0) == (code == 0), (arguments, done.stdout, done.stderr)
        return done

    def project(self, word):
        """A folder with one service; `word` makes its image another one."""
        folder = f"{self.folder}/project-{word}"
        os.mkdir(folder)
        shutil.copy(os.path.realpath("/bin/busybox"), folder + "/busybox")
        for name, text in (("Dockerfile", DOCKERFILE), ("word", word), ("docker-compose.yml", COMPOSE)):
            with open(f"{folder}/{name}", "w", encoding="ascii") as file:
                file.write(text)
        return folder

    def deploy(self, word, **more):
        return json.loads(self.slipway("deploy", "boats", self.project(word), "--json", **more).stdout)["commit"]

    def forget_images(self):
        """Whoever runs them pulls them again."""
        for image in self.engine.get("/images/json?all=1") or []:
            self.engine.call("DELETE", f"/images/{image['Id']}?force=1", raw=True)

    def trusted_files(self):
        return glob.glob("/etc/docker/certs.d/*/*")

    def forget_trust(self):
        shutil.rmtree("/etc/docker/certs.d", ignore_errors=True)

    def remove(self):
        for agent in self.agents:
            agent.stop()
        try:
            assert self.server.stop() == 0, self.server.text()
        finally:
            self.server.remove()
            for container in self.engine.get("/containers/json?all=1") or []:
                self.engine.call("DELETE", f"/containers/{container['Id']}?force=1", raw=True)
            self.engine.stop()
            subprocess.run(["umount", "--lazy", "/etc"], check=False)
            shutil.rmtree(self.folder, ignore_errors=True)
