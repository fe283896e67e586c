"""balena-api.md 4.10 and 4.11: devices, their systems and their configuration."""

from catalogue.matching import (ANY, Case, DATE, INT, Request, TEXT, delete, fetch, find, get, has, make, matching, patch, post, ref,
                                refused)

OFFLINE = matching("(?i)no online device")
NEW = "0123456789abcdef0123456789abcdef"
APP = get("application?$filter={DA} and ({SU})&$select=id,slug", {"id": "{app}", "slug": "{slug}"})
APP_ID = get("application?$filter={SU}&$select=id", {"id": "{app}"})
DEVICE_ID = get("device(uuid='{U}')?$select=id", {"id": "{dev}"})
WITH_APP = get("device(uuid='{U}')?$select=id&$expand=belongs_to__application($select=id)",
               {"id": "{dev}", "belongs_to__application": [{"id": "{app}"}]})
ACT = {"deviceId": "{dev}", "appId": "{app}"}
LISTED = {"id": "{dev}", "uuid": "{U}", "device_name": "{name}", "status": "Idle", "is_online": False, "supervisor_version": "17.0.0",
          "os_version": "balenaOS 6.0.0", "belongs_to__application": [{"app_name": "cars", "slug": "{slug}"}],
          "is_of__device_type": [{"slug": "{kind}"}], "is_running__release": [{"commit": "{C}"}]}
COLUMNS = "$select=id,uuid,device_name,status,is_online,supervisor_version,os_version"
EXPANDS = "&$expand={LIST}"
SHOWN = ("device_name,id,overall_status,is_online,ip_address,mac_address,last_connectivity_event,uuid,supervisor_version,is_web_accessible,note,"
         "os_version,memory_usage,memory_total,public_address,storage_block_device,storage_usage,storage_total,cpu_usage,cpu_temp,cpu_id,is_undervolted")
SHOW = {**{name: ANY for name in SHOWN.split(",")}, "id": "{dev}", "device_name": "{name}", "ip_address": "10.0.0.1",
        "mac_address": "00:11:22:33:44:55", "memory_usage": 100, "overall_status": TEXT, "is_web_accessible": False, "is_undervolted": False,
        **{name: LISTED[name] for name in ("belongs_to__application", "is_of__device_type", "is_running__release")}}
SERVICES = [{"id": INT, "download_progress": None, "status": "Running", "install_date": DATE,
             "installs__image": [{"id": "{image}", "is_a_build_of__service": [{"id": "{main}", "service_name": "main"}]}],
             "is_provided_by__release": [{"id": "{release}", "commit": "{C}", "raw_version": "0.0.0+rev1",
                                          "belongs_to__application": [{"slug": "{slug}"}]}]}]


def batch(*columns):
    """The look-up that precedes every change of devices by the CLI."""
    found = {"id": "{dev}", **({"belongs_to__application": ref("{app}")} if columns else {})}
    return get("device?$orderby=device_name asc&$select=" + ",".join(("id", *columns)) + "&$filter=uuid eq '{U}'", found)


def change(body, name, was=None, columns=()):
    """A command that changes one field of a device, and what is read then."""
    read, value = next(iter(body.items()))
    asked = get(f"device({{dev}})?$select={read}", {read: value})
    back = [patch("device?$filter=id in ({dev})", was)] if was else []
    return Case("4.10", name, batch(*columns), patch("device?$filter=id in ({dev})", body), asked, *back)


def act(name, path, body, *before):
    """Something that a device is asked to do, while it is not online."""
    return Case("4.10", name, *before, refused("POST", "/supervisor/" + path, 404, body, OFFLINE))


SHOWS = [
    Case("4.10", "device list", get("device?" + COLUMNS + EXPANDS + "&$orderby=device_name asc", LISTED)),
    Case("4.10", "device list --fleet",
         get("application?$filter={DA} and ({SU})&$select=slug&$expand=owns__device(" + COLUMNS + ";$expand={LIST};$orderby=device_name asc)",
             {"slug": "{slug}", "owns__device": [LISTED]})),
    Case("4.10", "device U", get("device(uuid='{U}')?$select=" + SHOWN + EXPANDS, SHOW)),
    Case("4.10", "device by short uuid", get("device?$select=" + SHOWN + EXPANDS + "&$filter=startswith(uuid,'{SHORT}')", SHOW),
         get("device?$filter=startswith(uuid,'{SHORT}')&$select=uuid", {"uuid": "{U}"})),
    Case("4.10", "device U --json",
         get("device(uuid='{U}')?$expand=device_tag($select=tag_key,value),{LIST}",
             has(id="{dev}", device_tag=[{"tag_key": "place", "value": "barn"}], should_be_running__release=ref("{release}"),
                 actor=ref("{dev_actor}"), is_pinned_on__release=None, should_be_operated_by__release=ref("{os6}"),
                 should_be_managed_by__release=ref("{supervisor17}"), api_heartbeat_state=TEXT, provisioning_state=None,
                 is_managed_by__service_instance=None, is_frozen=False, is_active=True, update_status="done", last_update_status_event=DATE,
                 created_at=DATE, modified_at=DATE)),
         get("device(uuid='{U}')?$select=overall_status,overall_progress,should_be_running__release",
             {"overall_status": TEXT, "overall_progress": None, "should_be_running__release": ref("{release}")})),
    Case("4.10", "a device of another user is not there", get("device(uuid='{U}')", role="stranger")),
]

CHANGES = [
    change({"device_name": "gate"}, "device rename", {"device_name": "{name}"}),
    change({"note": "by the gate"}, "device note"),
    change({"is_active": False}, "device deactivate", {"is_active": True}),
    change({"is_web_accessible": True}, "device public-url --enable"),
    Case("4.10", "device public-url",
         get("device(uuid='{U}')?$select=is_web_accessible,uuid", {"is_web_accessible": True, "uuid": "{U}"}),
         fetch("/config", has(deviceUrlsBase=TEXT))),
    Case("4.10", "device public-url --status", get("device(uuid='{U}')?$select=is_web_accessible", {"is_web_accessible": True})),
    change({"is_web_accessible": False}, "device public-url --disable"),
    Case("4.10", "device pin",
         get("device(uuid='{U}')?$select=uuid&$expand=is_pinned_on__release($select=commit),belongs_to__application($select=slug)",
             {"uuid": "{U}", "is_pinned_on__release": [], "belongs_to__application": [{"slug": "{slug}"}]}),
         batch("belongs_to__application"),
         get("release?$filter=commit eq '{C1}' and commit eq '{C1}' and status eq 'success' and belongs_to__application eq {app}"
             "&$select=id&$top=1&$orderby=created_at desc", {"id": "{release1}"}),
         patch("device?$filter=id in ({dev})", {"is_pinned_on__release": "{release1}"}),
         get("device({dev})?$select=should_be_running__release&$expand=is_pinned_on__release($select=commit)",
             {"should_be_running__release": ref("{release1}"), "is_pinned_on__release": [{"commit": "{C1}"}]})),
    change({"is_pinned_on__release": None}, "device track-fleet"),
    Case("4.10", "device local-mode --status", DEVICE_ID,
         get("device_config_variable?$select=value&$filter=device eq {dev} and name eq 'RESIN_SUPERVISOR_LOCAL_MODE'")),
    Case("4.10", "device local-mode --enable",
         get("device(uuid='{U}')?$select=id,os_version,os_variant,supervisor_version,last_connectivity_event",
             {"id": "{dev}", "os_version": "balenaOS 6.0.0", "os_variant": "dev", "supervisor_version": "17.0.0", "last_connectivity_event": ANY}),
         make("device_config_variable", {"value": "1", "device": "{dev}", "name": "RESIN_SUPERVISOR_LOCAL_MODE"}, value="1")),
    Case("4.10", "device local-mode --disable", DEVICE_ID,
         refused("POST", "device_config_variable", 409, {"value": "0", "device": "{dev}", "name": "RESIN_SUPERVISOR_LOCAL_MODE"}, matching("unique")),
         patch("device_config_variable?$filter=device eq {dev} and name eq 'RESIN_SUPERVISOR_LOCAL_MODE'", {"value": "0"})),
    Case("4.10", "device os-update",
         find("application?$select=is_for__device_type&$expand={VERSIONS}&$filter=is_host eq true and is_for__device_type/any(dt:dt/slug in ('{kind}'))",
              has(owns__release=ANY)),
         get("device?$orderby=device_name asc&$select=id,is_of__device_type,uuid,os_version,os_variant&$filter=uuid eq '{U}'",
             {"id": "{dev}", "is_of__device_type": ref("{type}"), "uuid": "{U}", "os_version": "balenaOS 6.0.0", "os_variant": "dev"}),
         get("device_type({type})?$select=slug", {"slug": "{kind}"}),
         patch("device?$filter=id in ({dev})", {"should_be_operated_by__release": "{os61}"}),
         get("device({dev})?$select=should_be_operated_by__release", {"should_be_operated_by__release": ref("{os61}")})),
]

LIFE = [
    Case("4.10", "device register", APP, get("application({app})?$select=id", {"id": "{app}"}),
         get("application({app})?$select=id&$expand=is_for__device_type($select=slug;$expand=is_of__cpu_architecture($select=slug))",
             {"id": "{app}", "is_for__device_type": [{"slug": "{kind}", "is_of__cpu_architecture": [{"slug": "amd64"}]}]}),
         get("device_type?$orderby=name asc&$select=slug&$top=1&$filter=device_type_alias/any(dta:dta/is_referenced_by__alias eq '{kind}')"
             "&$expand=is_of__cpu_architecture($select=slug)", {"slug": "{kind}", "is_of__cpu_architecture": [{"slug": "amd64"}]}),
         post("/api-key/v2/", {"actorType": "application", "actorTypeId": "{app}", "roles": ["provisioning-api-key"], "description": "for one device",
                               "expiryDate": "2099-01-01T00:00:00.000Z"}, TEXT, keep={"provisioning": ""}),
         Request("POST", "/device/register", {"user": "{user}", "application": "{app}", "uuid": NEW, "device_type": "{kind}"}, 201,
                 has(id=INT, uuid=NEW, api_key=TEXT), role="guest", headers={"Authorization": "Bearer {provisioning}"}, keep={"new": "id"}),
         Request("POST", "/device/register", {"user": "{user}", "application": "{app}", "uuid": NEW, "device_type": "{kind}"}, 409,
                 ANY, role="guest", headers={"Authorization": "Bearer {provisioning}"})),
    Case("4.10", "device move",
         make("application", {"app_name": "boats", "is_for__device_type": "{type}", "organization": "{org}"}, keep="boats"),
         get(f"device(uuid='{NEW}')?$select=uuid,belongs_to__application&$expand=is_of__device_type($select=id;$expand=is_of__cpu_architecture($select=slug))",
             {"uuid": NEW, "belongs_to__application": ref("{app}"),
              "is_of__device_type": [{"id": "{type}", "is_of__cpu_architecture": [{"slug": "amd64"}]}]}),
         get("application?$filter={DA} and (slug eq '{o}/boats' or uuid eq '{o}/boats')&$select=id,slug", {"id": "{boats}", "slug": "{o}/boats"}),
         get("application({boats})?$select=id&$expand=is_for__device_type($select=id;$expand=is_of__cpu_architecture($select=slug))",
             {"id": "{boats}", "is_for__device_type": [{"id": "{type}", "is_of__cpu_architecture": [{"slug": "amd64"}]}]}),
         get("device?$orderby=device_name asc&$select=id,belongs_to__application,is_of__device_type"
             f"&$filter=uuid eq '{NEW}'&$expand=is_of__device_type($select=is_of__cpu_architecture;$expand=is_of__cpu_architecture($select=slug))",
             {"id": "{new}", "belongs_to__application": ref("{app}"), "is_of__device_type": [{"is_of__cpu_architecture": [{"slug": "amd64"}]}]}),
         patch("device?$filter=id in ({new})", {"belongs_to__application": "{boats}"}),
         get("device({new})?$select=belongs_to__application", {"belongs_to__application": ref("{boats}")})),
    Case("4.10", "device move to a fleet that is not there",
         refused("PATCH", "device?$filter=id in ({new})", 404, {"belongs_to__application": 4711}, matching("does not exist"))),
    Case("4.10", "device rm",
         get(f"device?$orderby=device_name asc&$select=id&$filter=uuid eq '{NEW}'", {"id": "{new}"}),
         delete("device?$filter=id in ({new})"),
         delete("device?$filter=id in ({new})"),
         get("device({new})?$select=id")),
]

ACTIONS = [
    act("device reboot", "v1/reboot", {"deviceId": "{dev}", "data": {"force": False}}, DEVICE_ID),
    act("device shutdown", "v1/shutdown", {**ACT, "data": {"force": False}}, WITH_APP),
    act("device restart", "v1/restart", {**ACT, "data": {"appId": "{app}"}},
        get("device(uuid='{U}')?$select=uuid,is_connected_to_vpn", {"uuid": "{U}", "is_connected_to_vpn": False}),
        get("device(uuid='{U}')?$select=id,supervisor_version&$expand=belongs_to__application($select=id)",
            {"id": "{dev}", "supervisor_version": "17.0.0", "belongs_to__application": [{"id": "{app}"}]})),
    *(act(f"device {verb}", f"v2/applications/{{app}}/{verb}", {**ACT, "data": {"appId": "{app}", "imageId": "{image}"}},
          get("device(uuid='{U}')?$expand={SVC},belongs_to__application($select=slug),is_running__release($select=commit)",
              has(id="{dev}", image_install=SERVICES, belongs_to__application=[{"slug": "{slug}"}], is_running__release=[{"commit": "{C}"}])))
      for verb in ("restart-service", "start-service", "stop-service")),
    act("device purge", "v1/purge", {**ACT, "data": {"appId": "{app}"}}, WITH_APP),
    act("device identify", "v1/blink", {"uuid": "{U}"}, get("device(uuid='{U}')?$select=uuid", {"uuid": "{U}"})),
    Case("4.10", "device logs", get("device(uuid='{U}')?$select=uuid", {"uuid": "{U}"}), fetch("/device/v2/{U}/logs", []),
         get("service({main})?$select=service_name", {"service_name": "main"})),
]

SYSTEMS = [
    Case("4.11", "os versions",
         find("application?$select=is_for__device_type&$expand={VERSIONS}&$filter=is_host eq true and is_for__device_type/any(dt:dt/slug in ('{kind}'))",
              {"is_for__device_type": [{"slug": "{kind}"}], "application_tag": [], "owns__release": [
                  {"id": "{os6}", "known_issue_list": None, "raw_version": "6.0.0", "variant": "", "phase": None,
                   "release_tag": [{"tag_key": "version", "value": "6.0.0"}]},
                  {"id": "{os61}", "known_issue_list": None, "raw_version": "6.1.0", "variant": "", "phase": None, "release_tag": []}]}),
         role="guest"),
    # Clients show no version for a release that begins with 0.0.0 and has no tag of one.
    Case("4.11", "os versions of a type that nobody provides images for",
         get("application?$select=is_for__device_type&$expand={VERSIONS}&$filter=is_host eq true and is_for__device_type/any(dt:dt/slug in ('raspberrypi3'))",
             {"is_for__device_type": [{"slug": "raspberrypi3"}], "application_tag": [], "owns__release": [
                 {"id": INT, "known_issue_list": None, "raw_version": "0.0.0", "variant": "", "phase": None, "release_tag": []}]}), role="guest"),
    Case("4.11", "os download: there are no images to be had",
         refused("GET", "/device-types/v1/{kind}/images/6.0.0/download-size", 404),
         refused("GET", "/download?deviceType={kind}&version=6.0.0", 404, answer=ANY), role="guest"),
    Case("4.11", "config generate --fleet",
         get("application?$filter={DA} and ({SU})&$select=slug&$expand=is_for__device_type($select=slug)",
             {"slug": "{slug}", "is_for__device_type": [{"slug": "{kind}"}]}),
         fetch("/device-types/v1"),
         APP_ID,
         post("/download-config", {"version": "6.0.0", "developmentMode": False, "secureBoot": False, "deviceType": "{kind}",
                                   "appUpdatePollInterval": 10, "network": "ethernet", "appId": "{app}"},
              has(applicationId="{app}", deviceType="{kind}", apiKey=TEXT, appUpdatePollInterval=600000))),
    Case("4.11", "config generate --device",
         get("device(uuid='{U}')?$expand=is_of__device_type($select=slug)", has(id="{dev}", is_of__device_type=[{"slug": "{kind}"}])),
         fetch("/device-types/v1"),
         get("application({app})", has(id="{app}")), APP_ID,
         post("/download-config", {"version": "6.0.0", "deviceType": "{kind}", "appId": "{app}", "network": "wifi", "wifiSsid": "a", "wifiKey": "b"},
              has(wifiSsid="a", wifiKey="b")),
         DEVICE_ID,
         post("/api-key/device/{dev}/device-key", {}, TEXT)),
    Case("4.11", "join",
         get("device_type?$orderby=name asc&$select=slug&$top=1&$filter=device_type_alias/any(dta:dta/is_referenced_by__alias eq '{kind}')"
             "&$expand=is_of__cpu_architecture($select=slug)", {"slug": "{kind}", "is_of__cpu_architecture": [{"slug": "amd64"}]}),
         find("cpu_architecture?$select=id,slug", {"id": "{arch}", "slug": "amd64"}),
         find("application?$filter={DA} and is_for__device_type/any(dt:dt/is_of__cpu_architecture in ({arch},4711))&$expand=is_for__device_type($select=slug)",
              has(id="{app}", is_for__device_type=[{"slug": "{kind}"}]))),
    Case("4.11", "preload",
         get("application?$filter={DA} and is_for__device_type/any(dt:dt/is_of__cpu_architecture/any(ioca:ioca/is_supported_by__device_type/"
             "any(isbdt:isbdt/slug eq '{kind}'))) and owns__release/any(r:r/status eq 'success')&$select=id&$expand=should_be_running__release($select=id,commit;"
             "$expand=release_image($select=id;$expand=image($select=image_size,is_stored_at__image_location)))",
             {"id": "{app}", "should_be_running__release": [{"id": "{release}", "commit": "{C}", "release_image": [
                 {"id": INT, "image": [{"image_size": "123", "is_stored_at__image_location": "{location}"}]}]}]}),
         fetch("/device/v3/fleet/{app_uuid}/state/?releaseUuid={C}", has()),
         fetch("/auth/v1/token?service=registry&scope=repository:{location}:pull", has(token=TEXT))),
    Case("4.11", "validation of secure boot", find("release?$select=contract&$filter=raw_version eq '6.0.0'", {"contract": None})),
]

CASES = SHOWS + CHANGES + LIFE + ACTIONS + SYSTEMS
