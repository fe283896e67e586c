"""balena-api.md 3.10: what is different under /v6, which older supervisors and SDKs speak."""

from catalogue.matching import ANY, Case, DOCUMENT, INT, Request, TEXT, has, matching, ref, refused

OLD = "fedcba9876543210fedcba9876543210"


def six(name, *requests):
    return Case("3.10", name, *requests, whoami=False)


def get(path, *rows, **more):
    return Request("GET", "/v6/" + path, answer={"d": list(rows)}, **more)


def lacking(path, **more):
    return refused("GET", "/v6/" + path, 400, **more)


def write(method, path, body=None):
    """A write: its answer has a body."""
    return Request(method, "/v6/" + path, body)


CASES = [
    six("writes answer with a body",
        Request("PATCH", "/v6/device({dev})", {"note": "old"}, text="OK"),
        Request("PATCH", "/v6/device?$filter=id in (4711)", {"note": "old"}, text="OK"),
        Request("DELETE", "/v6/device_tag?$filter=tag_key eq 'none'", text="OK")),
    six("should_be_running__release of a device is its pin",
        get("device({dev})?$select=should_be_running__release", {"should_be_running__release": None}),
        write("PATCH", "device({dev})", {"should_be_running__release": "{release1}"}),
        get("device({dev})?$select=id&$expand=should_be_running__release($select=commit)", {"id": "{dev}", "should_be_running__release": [{"commit": "{C1}"}]}),
        get("device?$select=id&$filter=should_be_running__release eq {release1}", {"id": "{dev}"}),
        get("release({release1})?$select=id&$expand=should_be_running_on__device($select=id)", {"id": "{release1}", "should_be_running_on__device": [{"id": "{dev}"}]}),
        Request("GET", "/v7/device({dev})?$select=is_pinned_on__release", answer={"d": [{"is_pinned_on__release": ref("{release1}")}]}),
        write("PATCH", "device({dev})", {"should_be_running__release": None}),
        Request("GET", "/v7/device({dev})?$select=is_pinned_on__release,should_be_running__release",
                answer={"d": [{"is_pinned_on__release": None, "should_be_running__release": ref("{release}")}]})),
    six("what came with v7 is not there",
        *(lacking(f"device?$select={field}") for field in ("is_pinned_on__release", "should_be_managed_by__release", "changed_api_heartbeat_state_on__date")),
        lacking("device?$filter=is_pinned_on__release eq 1"), lacking("device?$expand=should_be_managed_by__release"),
        lacking("release?$expand=is_pinned_to__device"), lacking("release?$expand=should_manage__device"), lacking("release?$expand=release_asset"),
        refused("GET", "/v6/release_asset", 404),
        refused("PATCH", "/v6/device({dev})", 400, {"is_pinned_on__release": "{release1}"})),
    six("what went away reads null and is written null only",
        get("device({dev})?$select=logs_channel,vpn_address,is_managed_by__device",
            {"logs_channel": None, "vpn_address": None, "is_managed_by__device": None}),
        get("application({app})?$select=depends_on__application", {"depends_on__application": None}),
        get("device?$select=id&$filter=is_managed_by__device eq null", {"id": "{dev}"}),
        get("device({dev})?$select=id&$expand=is_managed_by__device,manages__device,gateway_download", {
            "id": "{dev}", "is_managed_by__device": [], "manages__device": [], "gateway_download": []}),
        write("PATCH", "device({dev})", {"logs_channel": None, "vpn_address": None, "is_managed_by__device": None}),
        *(refused("PATCH", "/v6/device({dev})", 400, {name: value}, matching("null"))
          for name, value in (("logs_channel", "x"), ("vpn_address", "10.0.0.1"), ("is_managed_by__device", "{dev}"))),
        refused("PATCH", "/v6/application({app})", 400, {"depends_on__application": "{app}"}, matching("null"))),
    six("a release has a release_type",
        get("release({release})?$select=release_type,is_final", {"release_type": "final", "is_final": True}),
        get("release?$select=id&$filter=belongs_to__application eq {app} and release_type eq 'draft'"),
        Request("POST", "/v6/release", {"belongs_to__application": "{app}", "commit": "f00d", "status": "running", "source": "cloud", "semver": "3.0.0",
                                        "start_timestamp": 1795428832331, "release_type": "draft", "contract": "{\"type\": \"sw.block\"}"},
                201, has(release_type="draft", is_final=False, contract=matching("^{.*sw.block.*}$"), revision=None), keep={"six": "id"}),
        refused("PATCH", "/v6/release({six})", 400, {"release_type": "odd"}),
        write("PATCH", "release({six})", {"release_type": "final"}),
        get("release({six})?$select=release_type,raw_version", {"release_type": "final", "raw_version": "3.0.0"})),
    six("contracts are texts",
        Request("GET", "/v7/release({six})?$select=contract", answer={"d": [{"contract": {"type": "sw.block"}}]}),
        get("release({six})?$select=contract", {"contract": '{"type":"sw.block"}'}),
        write("PATCH", "release({six})", {"contract": '{"type": "sw.other"}'}),
        Request("GET", "/v7/release({six})?$select=contract", answer={"d": [{"contract": {"type": "sw.other"}}]}),
        refused("PATCH", "/v6/release({six})", 400, {"contract": "{"}),
        write("PATCH", "image({image})", {"contract": '{"a": 1}'}),
        get("image({image})?$select=contract", {"contract": '{"a":1}'}),
        Request("GET", "/v7/image({image})?$select=contract", answer={"d": [{"contract": {"a": 1}}]}),
        get("release({release})?$select=composition", {"composition": DOCUMENT}),
        write("DELETE", "release({six})")),
    six("sizes and actors are numbers",
        get("image({image})?$select=image_size", {"image_size": 123}),
        get("image?$select=id&$filter=image_size gt 122", {"id": "{image}"}),
        get("device({dev})?$select=actor", {"actor": "{dev_actor}"}), get("application({app})?$select=actor", {"actor": "{app_actor}"}),
        get("device?$select=id&$filter=actor eq {dev_actor}", {"id": "{dev}"}),
        get("application?$select=id&$filter=owns__device/any(d:d/actor eq {dev_actor})", {"id": "{app}"})),
    six("a device type may be given as its slug",
        Request("POST", "/v6/application", {"app_name": "oldies", "organization": "{org}", "device_type": "{kind}"}, 201,
                has(is_for__device_type=ref("{type}"), depends_on__application=None), keep={"oldies": "id"}),
        Request("POST", "/v6/device", {"uuid": OLD, "belongs_to__application": "{oldies}", "device_type": "{kind}"}, 201,
                has(uuid=OLD, is_of__device_type=ref("{type}"), should_be_running__release=None, logs_channel=None, actor=INT), keep={"old": "id"}),
        refused("POST", "/v6/device", 400, {"belongs_to__application": "{oldies}", "device_type": "toaster"}, matching("device_type")),
        get("device({old})?$select=overall_status", {"overall_status": "configuring"}),
        write("DELETE", "device({old})"), write("DELETE", "application({oldies})")),
    six("a device that was there and is not is offline",
        get("device({dev})?$select=overall_status", {"overall_status": matching("configuring|offline")})),
    six("my_application is what one has a role on",
        get("my_application?$select=slug&$filter=app_name eq 'cars'", {"slug": "{slug}"}),
        get("my_application({app})?$select=slug", {"slug": "{slug}"}), get("my_application({host})?$select=slug"),
        get("application({host})?$select=id", {"id": "{host}"}),
        Request("GET", "/v6/my_application/$count?$filter=slug eq '{slug}' or is_host eq true", answer={"d": 1}),
        get("my_application?$select=slug", role="guest"),
        refused("GET", "/v7/my_application", 404)),
    six("nothing was downloaded by a gateway",
        get("gateway_download"), get("gateway_download?$filter=image eq {image} and is_downloaded_by__device eq {dev}&$select=id,status,download_progress"),
        get("image({image})?$select=id&$expand=gateway_download", {"id": "{image}", "gateway_download": []}),
        refused("POST", "/v6/gateway_download", 401, {"image": "{image}"}, answer=ANY)),
    six("the model describes itself as it is", Request("GET", "/v6/$metadata", text=matching('(?s)"release_type".*"gateway_download"'))),
]
