"""Images made of bytes, and a client of the registry: for tests against a real slipwayd. Standard library only."""

import hashlib
import json

from support.tenant import Tenant

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def digest(data, algorithm="sha256"):
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def descriptor(data, media_type, algorithm="sha256", **more):
    return {"mediaType": media_type, "digest": digest(data, algorithm), "size": len(data), **more}


def manifest(config, layers, **more):
    return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(config, CONFIG),
                       "layers": [descriptor(layer, LAYER) for layer in layers], **more}).encode()


def index(members, **more):
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX,
                       "manifests": [descriptor(m, t) for m, t in members], **more}).encode()


def header(answer, name):
    return next((v for k, v in answer.headers.items() if k.lower() == name.lower()), None)


def error_code(answer):
    assert header(answer, "Content-Type").startswith("application/json"), answer
    error = answer.json["errors"][0]
    assert set(error) <= {"code", "message", "detail"}, error
    return error["code"]


def scope(repository, actions="pull,push,delete"):
    return f"repository:{repository}:{actions}"


def registry_client(server, api, *scopes):
    """A client whose token has these scopes, got with the credential of `api`."""
    query = "&".join("scope=" + s for s in scopes)
    answer = api.get(f"/auth/v1/token?service=x&{query}")
    assert answer.status == 200, answer
    return server.client(answer.json["token"])


class Repository:
    """One image row's repository, with a token for it."""

    def __init__(self, server, tenant, *more_scopes, image=None):
        made = image or tenant.given_release()
        self.server, self.tenant, self.image = server, tenant, made
        self.name = made["image"].split("/", 1)[1]
        self.http = registry_client(server, tenant.api, scope(self.name), *more_scopes)

    @property
    def path(self):
        return "/v2/" + self.name

    def begin(self):
        answer = self.http.post(self.path + "/blobs/uploads/")
        assert answer.status == 202, answer
        return header(answer, "Location")

    def push(self, data, algorithm="sha256"):
        answer = self.http.send("PUT", f"{self.begin()}?digest={digest(data, algorithm)}", raw=data)
        assert answer.status == 201, answer
        return digest(data, algorithm)

    def put(self, body, reference=None, media_type=MANIFEST):
        return self.http.send("PUT", f"{self.path}/manifests/{reference or digest(body)}", raw=body,
                              headers={"Content-Type": media_type})

    def push_image(self, content, tag=None, **more):
        """Config, layer and manifest of their own; the manifest's bytes."""
        config, layer = b'{"made of":"' + content + b'"}', b"layer " + content
        self.push(config)
        self.push(layer)
        body = manifest(config, [layer], **more)
        answer = self.put(body, tag)
        assert answer.status == 201, answer
        return body

    def get(self, what, **more):
        return self.http.get(f"{self.path}/{what}", **more)

    def head(self, what, **more):
        return self.http.send("HEAD", f"{self.path}/{what}", **more)


def new_tenant(server, admin):
    return Tenant(server, admin)
