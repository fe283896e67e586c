"""balena-api.md 4.9 and 4.12: releases, assets, variables and tags."""

from catalogue.matching import (ANY, Case, DATE, DOCUMENT, INT, Request, TEXT, delete, fetch, find, get, has, make, matching, patch, ref,
                                refused, taken)

APP_ID = get("application?$filter={SU}&$select=id", {"id": "{app}"})
DEVICE_ID = get("device(uuid='{U}')?$select=id", {"id": "{dev}"})
RELEASE_COLUMNS = "$select=id,commit,created_at,status,raw_version,is_final"
SHOWN = RELEASE_COLUMNS + ",build_log,start_timestamp,end_timestamp&$expand=release_tag($select=tag_key,value)"
WITH_SERVICE = get("application?$filter={SU}&$select=id&$expand=service($select=id;$filter=service_name eq 'main')",
                   {"id": "{app}", "service": [{"id": "{main}"}]})
BARN = {"tag_key": "place", "value": "barn"}
OF_FLEET = get("application_environment_variable?$orderby=name asc&$filter=application eq {app}",
               has(id="{application_environment_variable}", name="A", value="1", application=ref("{app}")))
OF_SERVICES = get("service_environment_variable?$orderby=name asc&$filter=service/any(s:s/application eq {app})&$expand=service",
                  has(name="S", value="1", service=[has(id="{main}", service_name="main")]))
OF_INSTALLS = "device_service_environment_variable?$filter=service_install/any(si:si/device eq {dev}%s)&$expand=service_install($expand=installs__service)"
CONFIG_VARS = fetch("/config/vars", has(reservedNames=ANY, reservedNamespaces=ANY, configVarSchema=ANY))


def column(name):
    return f"startswith(commit,'{{C:7}}')&$select=id,{name}"


def stored(resource, parent, row, name, again=True):
    """Setting a variable: created, refused the second time with the word that clients look for, changed by its parent and name."""
    body = {"value": "2", parent: row, "name": name}
    requests = [make(resource, body, keep="made_" + resource, name=name, value="2", **{parent: ref(row)})]
    if again:
        requests += [taken(resource, body),
                     patch(f"{resource}?$filter={parent} eq {row} and name eq '{name}'", {"value": "3"}),
                     get(f"{resource}?$select=value&$filter={parent} eq {row} and name eq '{name}'", {"value": "3"})]
    return requests


def tags_of(kind, parent, row):
    """`tag set`, `tag list` and `tag rm`."""
    resource = kind + "_tag"
    body = {"value": "red", kind: row, "tag_key": "colour"}
    return [
        Case("4.9", f"tag set --{kind}", parent, make(resource, body, tag_key="colour", value="red"), taken(resource, body),
             patch(f"{resource}?$filter={kind} eq {row} and tag_key eq 'colour'", {"value": "blue"})),
        Case("4.9", f"tag list --{kind}", parent,
             get(f"{resource}?$orderby=tag_key asc&$filter={kind} eq {row}", has(tag_key="colour", value="blue"), has(**BARN))),
        Case("4.9", f"tag rm --{kind}", parent, delete(f"{resource}?$filter={kind} eq {row} and tag_key eq 'colour'"),
             get(f"{resource}?$orderby=tag_key asc&$filter={kind} eq {row}", has(**BARN))),
    ]


def renamed_and_removed(flags, resource):
    row = "{made_" + resource + "}"
    return [
        Case("4.9", f"env rename {flags}".strip(), patch(f"{resource}({row})", {"value": "4"}), get(f"{resource}({row})?$select=value", {"value": "4"})),
        Case("4.9", f"env rm {flags}".strip(), delete(f"{resource}({row})"), get(f"{resource}({row})")),
    ]


RELEASES = [
    Case("4.9", "release list", APP_ID,
         find("release?$filter=belongs_to__application eq {app}&$orderby=created_at desc&" + RELEASE_COLUMNS,
              {"id": "{release}", "commit": "{C}", "created_at": DATE, "status": "success", "raw_version": "0.0.0+rev1", "is_final": True},
              {"id": "{draft}", "commit": "{CD}", "created_at": DATE, "status": "success", "raw_version": matching(r"^1\.2\.3-\d{13}$"),
               "is_final": False})),
    Case("4.9", "release list --json", APP_ID,
         find("release?$filter=belongs_to__application eq {app}&$orderby=created_at desc&$expand=release_tag($select=tag_key,value)",
              has(id="{release}", release_tag=[BARN], composition=DOCUMENT, version=has(raw="0.0.0+rev1", major=0, prerelease=[]),
                  semver="0.0.0", semver_major=0, revision=1, belongs_to__application=ref("{app}"), is_final=True, is_invalidated=False,
                  is_passing_tests=True, is_created_by__user=ANY, phase=None, update_timestamp=DATE, is_finalized_at__date=DATE)),
         APP_ID,
         find("release?$filter=belongs_to__application eq {app}&$orderby=created_at desc&$select=id,raw_version",
              {"id": "{release}", "raw_version": "0.0.0+rev1"})),
    Case("4.9", "release C",
         get("release?$filter=startswith(commit,'{C:7}')&" + SHOWN,
             {"id": "{release}", "commit": "{C}", "created_at": DATE, "status": "success", "raw_version": "0.0.0+rev1", "is_final": True,
              "build_log": "built", "start_timestamp": DATE, "end_timestamp": ANY, "release_tag": [BARN]})),
    Case("4.9", "release 8", get("release({release})?" + SHOWN, has(commit="{C}", release_tag=[BARN]))),
    Case("4.9", "release C --json",
         get("release?$filter=startswith(commit,'{C:7}')&$expand=release_tag($select=tag_key,value)", has(id="{release}")),
         get("release({release})?$select=id,raw_version,build_log", {"id": "{release}", "raw_version": "0.0.0+rev1", "build_log": "built"})),
    Case("4.9", "release C --composition",
         get("release?$filter=startswith(commit,'{C:7}')&$select=composition", {"composition": has(services=has(main=DOCUMENT))})),
    Case("4.9", "release finalize",
         get("release?$filter=startswith(commit,'{CD:7}')&$select=id,is_final", {"id": "{draft}", "is_final": False}),
         get("release({draft})?$select=id", {"id": "{draft}"}),
         patch("release({draft})", {"is_final": True}),
         get("release({draft})?$select=is_final,raw_version,revision", {"is_final": True, "raw_version": "1.2.3", "revision": 0}),
         refused("PATCH", "release({draft})", 400, {"is_final": False})),
    Case("4.9", "release invalidate and validate",
         get("release?$filter=" + column("is_invalidated"), {"id": "{release}", "is_invalidated": False}),
         get("release({release})?$select=id", {"id": "{release}"}),
         patch("release({release})", {"is_invalidated": True}),
         get("release({release})?$select=is_invalidated", {"is_invalidated": True}),
         patch("release({release})", {"is_invalidated": False}),
         patch("application({app})", {"should_be_running__release": "{release}"})),
]

FORM = ("--frontier\r\nContent-Disposition: form-data; name=\"asset_key\"\r\n\r\nnotes\r\n"
        "--frontier\r\nContent-Disposition: form-data; name=\"release\"\r\n\r\n{release}\r\n"
        "--frontier\r\nContent-Disposition: form-data; name=\"asset\"; filename=\"notes.txt\"\r\nContent-Type: text/plain\r\n\r\nfirst\r\n"
        "--frontier--\r\n")
FORM_AGAIN = ("--frontier\r\nContent-Disposition: form-data; name=\"asset\"; filename=\"notes.txt\"\r\nContent-Type: text/plain\r\n\r\nsecond\r\n"
              "--frontier--\r\n")
MULTIPART = {"Content-Type": "multipart/form-data; boundary=frontier"}
FILE = {"filename": "notes.txt", "href": TEXT, "content_type": "text/plain", "size": INT}
PART = "x" * 1024
ASSETS = [
    Case("4.12", "small asset",
         get("release?$filter=startswith(commit,'{C:7}')&$select=id", {"id": "{release}"}),
         get("release_asset(asset_key='notes',release={release})?$select=id"),
         Request("POST", "/v7/release_asset", raw=FORM, headers=MULTIPART, status=201, answer=has(id=INT, asset_key="notes"), keep={"asset": "id"}),
         get("release_asset(asset_key='notes',release={release})?$select=id", {"id": "{asset}"})),
    Case("4.12", "small asset again",
         Request("PATCH", "/v7/release_asset({asset})", raw=FORM_AGAIN, headers=MULTIPART)),
    Case("4.9", "release-asset list",
         get("release({release})?$select=id&$expand=release_asset($orderby=id asc;$select=id,asset_key,asset)",
             {"id": "{release}", "release_asset": [{"id": "{asset}", "asset_key": "notes", "asset": has(**FILE)}]})),
    Case("4.9", "release-asset download",
         get("release_asset(release={release},asset_key='notes')?$select=id,asset", {"id": "{asset}", "asset": has(**FILE)}),
         get("release_asset(release={release},asset_key='notes')?$select=asset", {"asset": has(**{**FILE, "size": 6})},
             keep={"href": "d.0.asset.href"}),
         Request("GET", "{href}", role="guest")),
    Case("4.9", "release-asset delete",
         delete("release_asset(release={release},asset_key='notes')"),
         get("release_asset(release={release},asset_key='notes')?$select=id")),
    Case("4.12", "large asset",
         make("release_asset", {"asset_key": "big", "release": "{release}", "asset": None}, keep="big", asset_key="big", asset=None),
         Request("POST", "/v7/release_asset({big})/beginUpload",
                 {"asset": {"filename": "big.bin", "content_type": "application/octet-stream", "size": 1024, "chunk_size": 5242880}},
                 answer=has(asset=has(uuid=TEXT, uploadParts=[has(url=TEXT, chunkSize=1024, partNumber=1)])),
                 keep={"upload": "asset.uuid", "part": "asset.uploadParts.0.url"}),
         Request("PUT", "{part}", raw=PART, role="guest", keep={"etag": "header ETag"}),
         Request("POST", "/v7/release_asset({big})/commitUpload",
                 {"uuid": "{upload}", "providerCommitData": {"Parts": [{"PartNumber": 1, "ETag": "{etag}"}]}},
                 answer=has(href=TEXT)),
         get("release_asset({big})", has(id="{big}", asset=has(filename="big.bin", size=1024, href=TEXT)))),
    Case("4.12", "large asset that is given up",
         make("release_asset", {"asset_key": "given-up", "release": "{release}", "asset": None}, keep="given_up"),
         Request("POST", "/v7/release_asset({given_up})/beginUpload",
                 {"asset": {"filename": "a", "content_type": "text/plain", "size": 10, "chunk_size": 5242880}}, keep={"upload": "asset.uuid"}),
         Request("POST", "/v7/release_asset({given_up})/cancelUpload", {"uuid": "{upload}"}, status=204),
         delete("release_asset?$filter=release eq {release}")),
]

VARIABLES = [
    Case("4.9", "env list --fleet", APP_ID, OF_FLEET, APP_ID, OF_SERVICES),
    Case("4.9", "env list --fleet --config", APP_ID,
         get("application_config_variable?$orderby=name asc&$filter=application eq {app}", has(name="BALENA_C", value="1"))),
    Case("4.9", "env list --fleet --service", WITH_SERVICE, OF_FLEET,
         get("service_environment_variable?$orderby=name asc&$filter=service/any(s:s/application eq {app}) and "
             "service/any(s:s/service_name eq 'main')&$expand=service", has(name="S"))),
    Case("4.9", "env list --device",
         get("device(uuid='{U}')?$select=id,uuid&$expand=belongs_to__application($select=slug)",
             {"id": "{dev}", "uuid": "{U}", "belongs_to__application": [{"slug": "{slug}"}]}),
         OF_FLEET, OF_SERVICES, DEVICE_ID,
         get(OF_INSTALLS % "", has(name="DS", value="1", service_install=[has(id="{install}", installs__service=[has(service_name="main")])])),
         DEVICE_ID,
         get("device_environment_variable?$orderby=name asc&$filter=device eq {dev}", has(name="D", value="1", device=ref("{dev}")))),
    Case("4.9", "env list --device --config",
         get("application_config_variable?$orderby=name asc&$filter=application eq {app}", has(name="BALENA_C")),
         get("device_config_variable?$orderby=name asc&$filter=device eq {dev}", has(name="BALENA_DC", value="1"))),
    Case("4.9", "env list --device --service",
         get(OF_INSTALLS % " and si/installs__service/any(s:s/service_name eq 'main')", has(name="DS")),
         get(OF_INSTALLS % " and si/installs__service/any(s:s/service_name eq 'other')")),
    Case("4.9", "env set --fleet", CONFIG_VARS, APP_ID, *stored("application_environment_variable", "application", "{app}", "K")),
    Case("4.9", "env set --fleet of configuration", CONFIG_VARS, APP_ID,
         *stored("application_config_variable", "application", "{app}", "BALENA_HOST_CONFIG_gpu_mem")),
    Case("4.9", "env set --fleet --service", CONFIG_VARS, WITH_SERVICE, *stored("service_environment_variable", "service", "{main}", "K")),
    Case("4.9", "env set --device", CONFIG_VARS, DEVICE_ID, *stored("device_environment_variable", "device", "{dev}", "K")),
    Case("4.9", "env set --device of configuration", CONFIG_VARS, DEVICE_ID,
         *stored("device_config_variable", "device", "{dev}", "RESIN_HOST_CONFIG_gpu_mem")),
    Case("4.9", "env set --device --service", CONFIG_VARS,
         get("device(uuid='{U}')?$select=id,uuid&$expand=belongs_to__application($select=slug)", has(id="{dev}")), WITH_SERVICE,
         get("service_install?$select=id&$filter=device eq {dev} and installs__service eq {main}", {"id": "{install}"}),
         *stored("device_service_environment_variable", "service_install", "{install}", "K")),
    *renamed_and_removed("", "application_environment_variable"),
    *renamed_and_removed("--config", "application_config_variable"),
    *renamed_and_removed("--service", "service_environment_variable"),
    *renamed_and_removed("--device", "device_environment_variable"),
    *renamed_and_removed("--device --config", "device_config_variable"),
    *renamed_and_removed("--device --service", "device_service_environment_variable"),
]

TAGS = [
    *tags_of("application", APP_ID, "{app}"),
    *tags_of("device", DEVICE_ID, "{dev}"),
    *tags_of("release", get("release?$filter=commit eq '{C}'&$select=id&$expand=release_tag($orderby=tag_key asc)", has(id="{release}")), "{release}"),
    Case("4.9", "tag list --release by id",
         get("release({release})?$select=id", {"id": "{release}"}),
         get("release({release})?$select=id&$expand=release_tag($orderby=tag_key asc)",
             {"id": "{release}", "release_tag": [has(**BARN, release=ref("{release}"))]})),
]

CASES = RELEASES + ASSETS + VARIABLES + TAGS
