"""A user of a test's server, with a fleet, releases and devices. Standard library only."""

import itertools

from support.slipwayd import new_uuid


class Tenant:
    """A user with a fleet, a release and a device."""

    numbers = itertools.count(1)

    def __init__(self, server, admin):
        self.server = server
        self.name = f"user{next(Tenant.numbers)}"
        self.password = "their password"
        self.id = admin.create("user", username=self.name, password=self.password,
                               email=f"{self.name}@example.org")["id"]
        self.api = self.server.login(self.name, self.password)
        self.organization = self.api.rows("/v7/organization")[0]["id"]
        self.fleet = self.given_fleet("cars")

    def given_fleet(self, name, device_type="generic-amd64"):
        kind = self.api.rows(f"/v7/device_type?$filter=slug eq '{device_type}'&$select=id")[0]["id"]
        return self.api.create("application", app_name=name, organization=self.organization,
                               is_for__device_type=kind)["id"]

    def given_release(self, fleet=None, service="main"):
        fleet = fleet or self.fleet
        release = self.api.create("release", belongs_to__application=fleet, commit=new_uuid(),
                                  status="running", source="local",
                                  start_timestamp="2026-01-01T00:00:00.000Z")
        found = self.api.rows(f"/v7/service(application={fleet},service_name='{service}')")
        services = found or [self.api.create("service", application=fleet, service_name=service)]
        image = self.api.create("image", is_a_build_of__service=services[0]["id"], status="running",
                                start_timestamp=1795428832331)
        self.api.create("image__is_part_of__release", is_part_of__release=release["id"], image=image["id"])
        done = self.api.patch(f"/v7/image({image['id']})",
                              {"status": "success", "push_timestamp": 1795428832331,
                               "content_hash": "sha256:" + "a" * 64})
        assert done.status == 200, done
        done = self.api.patch(f"/v7/release({release['id']})", {"status": "success"})
        assert done.status == 200, done
        return {"id": release["id"], "commit": release["commit"],
                "image": image["is_stored_at__image_location"], "image_id": image["id"]}

    def provisioning_key(self, fleet=None):
        answer = self.api.post(f"/api-key/application/{fleet or self.fleet}/provisioning", {})
        assert answer.status == 200, answer
        return answer.json

    def given_device(self, fleet=None):
        fleet = fleet or self.fleet
        uuid = new_uuid()
        answer = self.server.client(self.provisioning_key(fleet)).post(
            "/device/register",
            {"application": fleet, "uuid": uuid, "device_type": "generic-amd64", "user": self.id})
        assert answer.status == 201, answer
        made = answer.json
        made["api"] = self.server.client(made["api_key"])
        return made
