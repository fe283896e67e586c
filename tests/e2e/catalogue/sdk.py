"""balena-api.md 4.13: what the SDK asks and no command of the CLI does."""

from catalogue.matching import ANY, Case, INT, TEXT, delete, fetch, find, get, has, make, matching, patch, post, ref, refused

OFFLINE = matching("(?i)no online device")
APP_ID = get("application({app})?$select=id", {"id": "{app}"})
DEVICE_ID = get("device(uuid='{U}')?$select=id", {"id": "{dev}"})
RELEASE_ID = get("release({release})?$select=id", {"id": "{release}"})
SERVICE_ID = get("service({main})?$select=id", {"id": "{main}"})
ALIASES = "device_type_alias/any(dta:dta/is_referenced_by__alias eq '{kind}')"
SUPPORTED = ("is_default_for__application/any(idfa:idfa/is_host eq true and idfa/is_archived eq false and idfa/owns__release/any(r:r/status eq 'success' "
             "and r/is_final eq true and r/is_invalidated eq false))")


def sdk(method, *requests, **more):
    return Case("4.13", method, *requests, **more)


def read(method, resource, columns, **members):
    """A method that reads a few fields of a device."""
    return sdk("device." + method, get(f"device(uuid='{{U}}')?$select={columns}", {name: members.get(name, ANY) for name in columns.split(",")}))


def variables(of, method, resource, parent, row, first, before):
    """getAll, get, set and remove of a kind of variable."""
    one = f"{parent} eq {row} and name eq "
    return [
        sdk(f"{of}.{method}.getAll", before, get(f"{resource}?$orderby=name asc&$filter={parent} eq {row}", has(name=first, value="1"))),
        sdk(f"{of}.{method}.get", before, get(f"{resource}?$select=value&$filter={one}'{first}'", {"value": "1"})),
        sdk(f"{of}.{method}.set", before, make(resource, {"value": "2", parent: row, "name": first + "_2"})),
        sdk(f"{of}.{method}.remove", before, delete(f"{resource}?$filter={one}'{first}_2'"), get(f"{resource}?$filter={one}'{first}_2'")),
    ]


FLEETS = [
    sdk("auth.requestVerificationEmail", patch("user({user})", {"has_been_sent_verification_email": True})),
    sdk("application.getAll", find("application?$orderby=app_name asc", has(id="{app}"), has(id="{host}"))),
    sdk("application.getAllDirectlyAccessible", get("application?$filter={DA}&$orderby=app_name asc", has(id="{boats}"), has(id="{app}"),
                                                    has(app_name="sensor"), has(app_name="weather"))),
    sdk("application.getAllByOrganization", get("organization(handle='{o}')?$select=id", {"id": "{org}"}),
        find("application?$filter=organization eq {org}&$orderby=app_name asc", has(id="{app}"))),
    sdk("application.get", get("application({app})", has(id="{app}", slug="{slug}", application_type=ref(INT), is_of__class="fleet")),
        get("application?$filter={SU}", has(id="{app}")), get("application?$filter=slug eq '{app_uuid}' or uuid eq '{app_uuid}'", has(id="{app}"))),
    sdk("application.getWithDeviceServiceDetails",
        get("application({app})?$expand=owns__device($expand={SVC})", has(id="{app}", owns__device=[has(id="{dev}", image_install=[has(status="Running")])]))),
    sdk("application.getAppByName and has", get("application?$filter=app_name eq 'cars'", has(id="{app}")), APP_ID),
    sdk("application.create", get(f"device_type?$orderby=name asc&$select=id&$top=1&$filter={ALIASES}", {"id": "{type}"}),
        get("organization(id={org})?$select=id", {"id": "{org}"}),
        make("application", {"app_name": "sledges", "organization": "{org}", "is_for__device_type": "{type}"}, keep="sledges")),
    sdk("application.remove of a list", get("application?$orderby=app_name asc&$select=id&$filter=id in ({sledges})", {"id": "{sledges}"}),
        delete("application?$filter=id in ({sledges})"), get("application({sledges})")),
    sdk("application.generateProvisioningKey", APP_ID,
        post("/api-key/v2/", {"actorType": "application", "actorTypeId": "{app}", "roles": ["provisioning-api-key"], "name": "line 1",
                              "description": "of the factory", "expiryDate": None}, TEXT)),
    *(sdk(f"application.{verb}", refused("POST", f"/supervisor/v1/{verb}", 404, {"appId": "{app}"}, OFFLINE)) for verb in ("purge", "shutdown", "reboot")),
    sdk("application.willTrackNewReleases", get("application({app})?$select=should_track_latest_release", {"should_track_latest_release": True})),
    sdk("application.isTrackingLatestRelease",
        get("application({app})?$select=should_track_latest_release&$expand=should_be_running__release($select=id),owns__release($select=id;$top=1;"
            "$filter=is_final eq true and is_passing_tests eq true and is_invalidated eq false and status eq 'success';$orderby=created_at desc)",
            {"should_track_latest_release": True, "should_be_running__release": [{"id": "{release}"}], "owns__release": [{"id": INT}]})),
    sdk("application.getTargetReleaseHash", get("application({app})?$select=id&$expand=should_be_running__release($select=commit)",
                                                {"id": "{app}", "should_be_running__release": [{"commit": "{C}"}]})),
    sdk("application.enableDeviceUrls and disableDeviceUrls", APP_ID,
        patch("device?$filter=belongs_to__application eq {app}", {"is_web_accessible": True}),
        get("device({dev})?$select=is_web_accessible", {"is_web_accessible": True}),
        patch("device?$filter=belongs_to__application eq {app}", {"is_web_accessible": False})),
    *variables("application", "configVar", "application_config_variable", "application", "{app}", "BALENA_C", APP_ID),
    *variables("application", "envVar", "application_environment_variable", "application", "{app}", "A", APP_ID),
    *variables("application", "buildVar", "build_environment_variable", "application", "{app}", "B", APP_ID),
    sdk("organization.membership.create", make("organization_membership", {"username": "{friend}", "is_member_of__organization": "{org}"}, keep="joined")),
    sdk("application.membership", get("user_application_membership?$filter=is_member_of__application eq {app}"),
        make("user_application_membership", {"username": "{friend}", "is_member_of__application": "{app}"}, keep="fellow",
             is_member_of__application=ref("{app}")),
        get("user_application_membership({fellow})", has(id="{fellow}")),
        delete("user_application_membership({fellow})")),
    sdk("application.invite", make("invitee__is_invited_to__application", {"invitee": "x@example.org", "is_invited_to__application": "{app}",
                                                                           "message": "come"}, keep="invited"),
        get("invitee__is_invited_to__application?$filter=is_invited_to__application eq {app}", has(id="{invited}", message="come")),
        delete("invitee__is_invited_to__application({invited})")),
]

DEVICES = [
    sdk("device.getAllByApplication", APP_ID, get("device?$orderby=device_name asc&$filter=belongs_to__application eq {app}", has(id="{dev}"))),
    sdk("device.getAllByOrganization", get("organization(id={org})?$select=id", {"id": "{org}"}),
        get("device?$orderby=device_name asc&$filter=belongs_to__application/any(bta:bta/organization eq {org})", has(id="{dev}"))),
    sdk("device.get", get("device(uuid='{U}')", has(id="{dev}")), get("device({dev})", has(uuid="{U}"))),
    sdk("device.getWithServiceDetails", get("device(uuid='{U}')?$expand={SVC}", has(id="{dev}", image_install=[has(status="Running")]))),
    sdk("device.getByName", get("device?$orderby=device_name asc&$filter=device_name eq '{name}'", has(id="{dev}"))),
    read("getName", "device", "device_name", device_name="{name}"),
    read("getMACAddresses", "device", "mac_address", mac_address="00:11:22:33:44:55"),
    read("getStatus", "device", "overall_status", overall_status=TEXT),
    read("getProgress", "device", "overall_progress", overall_progress=None),
    read("hasDeviceUrl", "device", "is_web_accessible", is_web_accessible=False),
    read("isOnline", "device", "is_connected_to_vpn", is_connected_to_vpn=False),
    read("getLocalIPAddresses", "device", "is_connected_to_vpn,ip_address", ip_address="10.0.0.1"),
    read("getMetrics", "device", "memory_usage,memory_total,storage_block_device,storage_usage,storage_total,cpu_usage,cpu_temp,cpu_id,is_undervolted",
         memory_usage=100, memory_total=200),
    sdk("device.getSupervisorTargetState", read("", "device", "uuid").requests[0], fetch("/device/v2/{U}/state", has(local=has(name="{name}"))),
        fetch("/device/v3/{U}/state", has())),
    sdk("device.getSupervisorTargetStateForApp", get("application({app})?$select=uuid", {"uuid": "{app_uuid}"}),
        fetch("/device/v3/fleet/{app_uuid}/state/?releaseUuid={C1}", has()), fetch("/device/v3/fleet/{app_uuid}/state", has())),
    sdk("device.getSupervisorState", refused("POST", "/supervisor/v1/device", 404, {"uuid": "{U}", "method": "GET"}, OFFLINE)),
    sdk("device.ping", refused("POST", "/supervisor/ping", 404, {"method": "GET", "deviceId": "{dev}", "appId": "{app}"}, OFFLINE)),
    sdk("device.update", refused("POST", "/supervisor/v1/update", 404, {"deviceId": "{dev}", "appId": "{app}", "data": {"force": False}}, OFFLINE)),
    sdk("device.enableLockOverride", make("device_config_variable", {"device": "{dev}", "name": "RESIN_OVERRIDE_LOCK", "value": "1"})),
    sdk("device.hasLockOverride",
        get("device(uuid='{U}')?$expand=device_config_variable($select=value;$filter=name eq 'RESIN_OVERRIDE_LOCK'),belongs_to__application($select=id;"
            "$expand=application_config_variable($select=value;$filter=name eq 'RESIN_OVERRIDE_LOCK'))",
            has(device_config_variable=[{"value": "1"}], belongs_to__application=[{"id": "{app}", "application_config_variable": []}])),
        delete("device_config_variable?$filter=device eq {dev} and name ne 'BALENA_DC'")),
    sdk("device.isTrackingApplicationRelease", get("device(uuid='{U}')?$select=is_pinned_on__release", {"is_pinned_on__release": None})),
    sdk("device.getTargetReleaseHash", get("device(uuid='{U}')?$select=id&$expand=should_be_running__release($select=commit)",
                                           {"id": "{dev}", "should_be_running__release": [{"commit": "{C}"}]})),
    sdk("device.note of a list", get("device?$orderby=device_name asc&$select=id,uuid&$filter=uuid in ('{U}','0123')", {"id": "{dev}", "uuid": "{U}"}),
        patch("device?$filter=id in ({dev})", {"note": "all"}), get("device({dev})?$select=note", {"note": "all"})),
    sdk("device.pinToRelease by id", get("device?$orderby=device_name asc&$select=id&$filter=id in ({dev})", {"id": "{dev}"}),
        get("release({release1})?$top=1&$select=id&$filter=id eq {release1} and status eq 'success' and belongs_to__application eq {app}&$orderby=created_at desc",
            {"id": "{release1}"}),
        patch("device?$filter=id in ({dev})", {"is_pinned_on__release": "{release1}"}),
        patch("device?$filter=id in ({dev})", {"is_pinned_on__release": None})),
    sdk("device.pinToSupervisorRelease",
        get("device?$orderby=device_name asc&$select=id,id,supervisor_version,os_version&$filter=uuid eq '{U}'&$expand=is_of__device_type($select=is_of__cpu_architecture)",
            {"id": "{dev}", "supervisor_version": "17.0.0", "os_version": "balenaOS 6.0.0",
             "is_of__device_type": [{"is_of__cpu_architecture": ref("{arch}")}]}),
        get("release?$select=id,raw_version,known_issue_list,id&$filter=status eq 'success' and is_final eq true and is_invalidated eq false and semver_major gt 0 "
            "and belongs_to__application/any(a:startswith(a/slug,'balena_os/') and endswith(a/slug,'-supervisor') and a/is_public eq true and a/is_host eq false "
            "and a/is_for__device_type/any(dt:dt/is_of__cpu_architecture eq {arch})) and raw_version eq '17.0.0'"
            "&$orderby=semver_major desc,semver_minor desc,semver_patch desc,revision desc&$top=1",
            {"id": "{supervisor17}", "raw_version": "17.0.0", "known_issue_list": None}),
        patch("device?$filter=id in ({dev})", {"should_be_managed_by__release": "{supervisor17}"})),
    sdk("device.pinToOsRelease", get("device_type({type})?$select=slug", {"slug": "{kind}"}),
        patch("device?$filter=id in ({dev})", {"should_be_operated_by__release": "{os61}"})),
    sdk("device.setCustomLocation", patch("device?$filter=id in ({dev})", {"custom_latitude": "1", "custom_longitude": "2"}),
        get("device({dev})?$select=custom_latitude,custom_longitude", {"custom_latitude": "1", "custom_longitude": "2"})),
    sdk("device.generateDeviceKey", DEVICE_ID, post("/api-key/device/{dev}/device-key", {}, TEXT)),
    sdk("device.history",
        find("device_history?$filter=created_at ge datetime'2001-01-01T00:00:00.000Z' and uuid eq '{U}'",
             has(uuid="{U}", belongs_to__application=ref("{app}"), supervisor_version="17.0.0", is_running__release=ref("{release}")))),
    sdk("device.tags.getAllByApplication",
        get("device_tag?$orderby=tag_key asc&$filter=device/any(d:d/belongs_to__application eq {app})", has(tag_key="place"))),
    sdk("device.configVar.getAllByApplication",
        get("device_config_variable?$orderby=name asc&$filter=device/any(d:d/belongs_to__application eq {app})", has(name="BALENA_DC"))),
    sdk("device.envVar.getAllByApplication",
        get("device_environment_variable?$orderby=name asc&$filter=device/any(d:d/belongs_to__application eq {app})", has(name="D"))),
    *variables("device", "configVar", "device_config_variable", "device", "{dev}", "BALENA_DC", DEVICE_ID),
    *variables("device", "envVar", "device_environment_variable", "device", "{dev}", "D", DEVICE_ID),
    sdk("device.serviceVar.getAllByDevice", get("device_service_environment_variable?$filter=service_install/any(si:si/device eq {dev})", has(name="DS"))),
    sdk("device.serviceVar.getAllByApplication",
        get("device_service_environment_variable?$filter=service_install/any(si:si/device/any(d:d/belongs_to__application eq {app}))&$orderby=name asc",
            has(name="DS"))),
    sdk("device.serviceVar.get", DEVICE_ID,
        get("device_service_environment_variable?$select=value&$filter=service_install/any(si:si/device eq {dev} and si/installs__service eq {main}) and name eq 'DS'",
            {"value": "1"}),
        get("device_service_environment_variable?$select=value&$filter=service_install/any(si:si/device eq {dev} and "
            "si/installs__service/any(is:is/service_name eq 'main')) and name eq 'DS'", {"value": "1"})),
    sdk("device.serviceVar.set and remove",
        get("service_install?$select=id&$filter=device/any(d:d/uuid eq '{U}') and installs__service/any(s:s/service_name eq 'main')", {"id": "{install}"}),
        make("device_service_environment_variable", {"value": "1", "service_install": "{install}", "name": "DS2"}),
        delete("device_service_environment_variable?$filter=service_install/any(si:si/device eq {dev} and si/installs__service eq {main}) and name eq 'DS2'"),
        get("device_service_environment_variable?$filter=name eq 'DS2'")),
]

RELEASES = [
    sdk("release.get", get("release({release})", has(id="{release}")), get("release?$filter=commit eq '{C}'", has(id="{release}")),
        get("release?$filter=raw_version eq '1.2.3' and belongs_to__application eq {app}", has(id="{draft}"))),
    sdk("release.getWithImageDetails",
        get("release({release})?$expand=release_image($expand=image($select=id;$expand=is_a_build_of__service($select=service_name))),"
            "is_created_by__user($select=id,username)",
            has(id="{release}", is_created_by__user=ANY, release_image=[has(image=[{"id": "{image}", "is_a_build_of__service": [{"service_name": "main"}]}])]))),
    sdk("release.getAllByApplication", find("release?$filter=belongs_to__application eq {app}&$orderby=created_at desc", has(id="{release}"))),
    sdk("release.getLatestByApplication",
        get("release?$filter=belongs_to__application eq {app} and status eq 'success'&$orderby=created_at desc&$top=1", has(id="{draft}"))),
    sdk("release.createFromUrl", get("application({app})?$select=app_name&$expand=organization($select=handle)",
                                     {"app_name": "cars", "organization": [{"handle": "{o}"}]})),
    *(sdk("release." + method, RELEASE_ID, patch("release({release})", body),
          get(f"release({{release}})?$select={next(iter(body))}", body))
      for method, body in (("setNote", {"note": "good"}), ("setKnownIssueList", {"known_issue_list": "none"}), ("finalize", {"is_final": True}))),
    sdk("release.tags.getAllByApplication",
        get("release_tag?$orderby=tag_key asc&$filter=release/any(r:r/belongs_to__application eq {app})", has(tag_key="place"))),
    sdk("service.getAllByApplication", get("application({app})?$select=id&$expand=service", {"id": "{app}", "service": [has(service_name="main")]})),
    *variables("service", "var", "service_environment_variable", "service", "{main}", "S", SERVICE_ID),
    sdk("image.get", get("image({image})", has(id="{image}", image_size="123", project_type="local deploy", content_hash=matching("^sha256:"),
                                               is_a_build_of__service=ref("{main}"), is_stored_at__image_location="{location}"))),
    sdk("image.getLogs", get("image({image})?$select=build_log", {"build_log": "built main"})),
]

PEOPLE = [
    sdk("apiKey.getAll", find("api_key?$orderby=name asc", has(name="later"), keep={"key": "d.0.id"})),
    sdk("apiKey.getDeviceApiKeysByDevice", get("device(uuid='{U}')?$select=actor", {"actor": ref("{dev_actor}")}),
        find("api_key?$filter=is_of__actor eq {dev_actor}&$orderby=name asc", has(is_of__actor=ref("{dev_actor}")))),
    sdk("apiKey.update", get("api_key?$filter=name eq 'later'&$select=id", {"id": INT}, keep={"later": "d.0.id"}),
        patch("api_key({later})", {"name": "much later", "description": "for the night", "expiry_date": "2100-01-01T00:00:00.000Z"}),
        get("api_key({later})?$select=name,description,expiry_date",
            {"name": "much later", "description": "for the night", "expiry_date": "2100-01-01T00:00:00.000Z"})),
    sdk("organization.getAll, get", get("organization?$orderby=name asc", has(id="{org}", name="{o}", handle="{o}")),
        get("organization(handle='{o}')", has(id="{org}")), get("organization(id={org})", has(handle="{o}"))),
    sdk("organization.membership", get("organization_membership?$filter=is_member_of__organization eq {org} and user eq {user}",
                                       has(user=ref("{user}"), is_member_of__organization=ref("{org}")), keep={"member": "d.0.id"}),
        get("organization_membership({member})", has(id="{member}"))),
    sdk("deviceType.getAll", find("device_type?$orderby=name asc", has(id="{type}", slug="{kind}", is_of__cpu_architecture=ref("{arch}"))), role="guest"),
    sdk("deviceType.getAllSupported", find(f"device_type?$orderby=name asc&$filter={SUPPORTED}", has(slug="{kind}")), role="guest"),
    sdk("deviceType.get", get("device_type({type})", has(slug="{kind}")), get(f"device_type?$orderby=name asc&$top=1&$filter={ALIASES}", has(id="{type}")),
        role="guest"),
    sdk("deviceType.getBySlugOrName",
        get("device_type?$orderby=name asc&$top=1&$filter=name eq '{kind}' or slug eq '{kind}'", has(id="{type}")), role="guest"),
    sdk("os.getAllOsVersions",
        find("application?$select=is_for__device_type&$expand=application_tag($select=tag_key,value),is_for__device_type($select=slug),owns__release($select=id,"
             "known_issue_list,raw_version,variant,phase,is_final,is_invalidated,status;$expand=release_tag($select=tag_key,value))"
             "&$filter=is_host eq true and is_for__device_type/any(dt:dt/slug in ('{kind}'))", has(is_for__device_type=[{"slug": "{kind}"}])), role="guest"),
    sdk("config.getAll and others", fetch("/config", has(deviceUrlsBase=TEXT)), fetch("/device-types/v1"),
        fetch("/config/vars?deviceType={kind}", has(configVarSchema=ANY)), role="guest"),
    sdk("logs.history", get("device(uuid='{U}')?$select=uuid", {"uuid": "{U}"}), fetch("/device/v2/{U}/logs?count=10", []),
        fetch("/device/v2/{U}/logs?count=10&start=1795428832331", [])),
]

CASES = FLEETS + DEVICES + RELEASES + PEOPLE
