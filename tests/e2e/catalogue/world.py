"""The rows that the catalogue's requests are about, made through the API of a real slipwayd."""

import re

import support.tenant
from support.slipwayd import Slipwayd, new_uuid

KIND = "generic-amd64"
CONTENT = "sha256:" + "a" * 64
START = "2026-01-01T00:00:00.000Z"
COMPOSITION = {"version": "2.1", "services": {"main": {"build": {"context": "."}}}}

# Parts of addresses that recur in the catalogue (balena-api.md, "Notation").
SVC = ("image_install($select=id,download_progress,status,install_date;$filter=status ne 'deleted';"
       "$expand=installs__image($select=id;$expand=is_a_build_of__service($select=id,service_name)),"
       "is_provided_by__release($select=id,commit,raw_version;$expand=belongs_to__application($select=slug)))")
DEVICE_LIST = ("belongs_to__application($select=app_name,slug),is_of__device_type($select=slug),"
               "is_running__release($select=commit)")
OS_VERSIONS = ("application_tag($select=tag_key,value),is_for__device_type($select=slug),"
               "owns__release($select=id,known_issue_list,raw_version,variant,phase;$expand=release_tag($select=tag_key,value);"
               "$filter=is_final eq true and is_invalidated eq false and status eq 'success')")
WORDS = {
    "DA": "is_directly_accessible_by__user/any(dau:1 eq 1)",
    "SU": "slug eq '{slug}' or uuid eq '{slug}'",
    "SVC": SVC,
    "LIST": DEVICE_LIST,
    "VERSIONS": OS_VERSIONS,
    "SHORT": "{U:7}",
    "kind": KIND,
}


class World:
    """A platform with host releases and a supervisor, and a user with a fleet, releases and a device that has reported."""

    def __init__(self):
        self.server = Slipwayd().start()
        self.values = dict(WORDS)
        self.admin = self.server.login()
        self.clients = {"admin": self.admin, "guest": self.server.client()}
        self.given_platform()
        self.given_fleet()
        self.given_device()
        self.given_what_hangs_on_them()

    def remember(self, **values):
        self.values.update(values)

    def given_platform(self):
        """A host with two versions and a supervisor, as whoever runs the server would publish them."""
        kind = self.admin.rows(f"/v7/device_type?$filter=slug eq '{KIND}'")[0]
        self.remember(type=kind["id"], arch=kind["is_of__cpu_architecture"]["__id"],
                      arm=self.admin.rows("/v7/device_type?$filter=slug eq 'raspberrypi3'&$select=id")[0]["id"])
        provider = self.admin.create("organization", name="balena_os", handle="balena_os")["id"]
        host = self.admin.create("application", app_name="host-amd64", organization=provider, is_for__device_type=kind["id"],
                                 is_host=True, is_public=True)["id"]
        supervisor = self.admin.create("application", app_name="amd64-supervisor", organization=provider, is_for__device_type=kind["id"],
                                       is_public=True)["id"]
        self.remember(host=host, os6=self.release(self.admin, host, "6.0.0"), os61=self.release(self.admin, host, "6.1.0"),
                      supervisor17=self.release(self.admin, supervisor, "17.0.0"))
        self.admin.create("release_tag", release=self.values["os6"], tag_key="version", value="6.0.0")

    @staticmethod
    def release(api, fleet, semver):
        made = api.create("release", belongs_to__application=fleet, commit=new_uuid(), status="success", source="cloud",
                          semver=semver, start_timestamp=START)
        return made["id"]

    def given_fleet(self):
        ann = self.ann = support.tenant.Tenant(self.server, self.admin)
        self.clients["user"] = ann.api
        stranger = support.tenant.Tenant(self.server, self.admin)
        self.clients["stranger"] = stranger.api
        self.remember(friend=stranger.name)
        app = ann.api.rows(f"/v7/application({ann.fleet})")[0]
        who = ann.api.get("/actor/v1/whoami").json
        self.remember(user=ann.id, username=ann.name, actor=who["id"], org=ann.organization, o=ann.name, password=ann.password,
                      app=ann.fleet, slug=app["slug"], app_uuid=app["uuid"], app_actor=app["actor"]["__id"])
        first = ann.given_release()
        second = ann.given_release()
        ann.api.patch(f"/v7/release({second['id']})", {"composition": COMPOSITION, "build_log": "built"})
        ann.api.patch(f"/v7/image({second['image_id']})", {"build_log": "built main", "image_size": 123, "project_type": "local deploy"})
        draft = ann.api.create("release", belongs_to__application=ann.fleet, commit=new_uuid(), status="success", source="cloud",
                               semver="1.2.3", is_final=False, start_timestamp=START)
        service = ann.api.rows(f"/v7/service(application={ann.fleet},service_name='main')")[0]["id"]
        self.remember(release1=first["id"], C1=first["commit"], release=second["id"], C=second["commit"], image=second["image_id"],
                      location=second["image"], draft=draft["id"], CD=draft["commit"], main=service)

    def given_device(self):
        device = self.ann.given_device()
        self.clients["device"] = device["api"]
        row = self.ann.api.rows(f"/v7/device({device['id']})")[0]
        install = self.ann.api.rows(f"/v7/service_install?$filter=device eq {device['id']}&$select=id")[0]["id"]
        self.remember(dev=device["id"], U=device["uuid"], name=row["device_name"], dev_actor=row["actor"]["__id"], install=install)
        service = {"image": self.values["location"], "status": "Running"}
        report = {"status": "Idle", "os_version": "balenaOS 6.0.0", "os_variant": "dev", "supervisor_version": "17.0.0",
                  "ip_address": "10.0.0.1", "mac_address": "00:11:22:33:44:55", "memory_usage": 100, "memory_total": 200,
                  "apps": {self.values["app_uuid"]: {"release_uuid": self.values["C"], "releases": {
                      self.values["C"]: {"update_status": "done", "services": {"main": service}}}}}}
        done = device["api"].patch("/device/v3/state", {device["uuid"]: report})
        assert done.status == 200, done

    def given_what_hangs_on_them(self):
        api, v = self.ann.api, self.values
        parents = {"application": v["app"], "service": v["main"], "device": v["dev"], "service_install": v["install"]}
        for resource, parent, name in (
                ("application_environment_variable", "application", "A"), ("application_config_variable", "application", "BALENA_C"),
                ("build_environment_variable", "application", "B"), ("service_environment_variable", "service", "S"),
                ("device_environment_variable", "device", "D"), ("device_config_variable", "device", "BALENA_DC"),
                ("device_service_environment_variable", "service_install", "DS")):
            made = api.create(resource, **{parent: parents[parent], "name": name, "value": "1"})
            self.remember(**{resource: made["id"]})
        api.create("application_tag", application=v["app"], tag_key="place", value="barn")
        api.create("device_tag", device=v["dev"], tag_key="place", value="barn")
        api.create("release_tag", release=v["release"], tag_key="place", value="barn")

    def said(self, what):
        """`what` with its words in braces replaced; a text that is one such word becomes the value itself."""
        if isinstance(what, str):
            alone = re.fullmatch(r"\{(\w+)\}", what)
            if alone and not isinstance(self.values[alone[1]], str):
                return self.values[alone[1]]
            for _ in range(3):
                what = re.sub(r"\{(\w+)(?::(\d+))?\}", self._word, what)
            return what
        if isinstance(what, dict):
            return type(what)((self.said(k), self.said(v)) for k, v in what.items())
        if isinstance(what, list):
            return type(what)(self.said(v) for v in what)
        return what

    def _word(self, match):
        text = str(self.values[match[1]])
        return text[:int(match[2])] if match[2] else text

    def keep(self, name, path, answer):
        """Remembers a member of the answer's JSON, or a header of it."""
        if path.startswith("header "):
            self.values[name] = answer.headers[path.split()[1]]
            return
        found = answer.json
        for step in filter(None, path.split(".")):
            found = found[int(step)] if step.isdigit() else found[step]
        self.values[name] = found
