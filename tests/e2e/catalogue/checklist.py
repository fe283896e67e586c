"""balena-api.md 4.14: what an OData engine must do at least, with 4.5 (answers) and 4.6 (errors)."""

from catalogue.matching import ANY, Case, DATE, INT, Request, UNIQUE, count, delete, get, has, make, matching, patch, ref, refused

HERE = "device?$select=id&$filter="
TAGGED = ["k1", "k2", "k3"]


def line(number, name, *requests):
    return Case(f"4.14.{number}", name, *requests, whoami=False)


def holds(condition, yes=True):
    """Does the condition hold of the device?"""
    return get(HERE + condition, *([{"id": "{dev}"}] if yes else []))


def tag(key, value):
    return make("application_tag", {"application": "{app}", "tag_key": key, "value": value}, keep=key)


CASES = [
    line(1, "an integer key", get("device({dev})?$select=uuid", {"uuid": "{U}"})),
    line(1, "a single alternate key", get("device(uuid='{U}')?$select=id", {"id": "{dev}"}), get("application(slug='{slug}')?$select=id", {"id": "{app}"})),
    line(1, "a composite key in any order", get("service(application={app},service_name='main')?$select=id", {"id": "{main}"}),
         get("service(service_name='main',application={app})?$select=id", {"id": "{main}"})),
    line(1, "a named id", get("organization(id={org})?$select=id", {"id": "{org}"})),
    line(1, "a key that finds nothing is an empty list", get("device(4711)"), get("device(uuid='0')"), get("application(slug='a/b')")),
    line(1, "a parameter as key", get("device(uuid=@u)?@u='{U}'&$select=id", {"id": "{dev}"})),
    line(1, "canAccess", Request("POST", "/v7/device({dev})/canAccess", {"action": "tunnel-any"}, answer={"d": [{"id": "{dev}"}]}),
         Request("POST", "/v7/device(uuid=@u)/canAccess?@u='{U}'", {"action": {"or": ["tunnel-any", "tunnel-22222"]}}, answer={"d": [{"id": "{dev}"}]}),
         refused("POST", "device({dev})/canAccess", 401, {"action": "tunnel-any"}, answer=ANY, role="stranger"),
         refused("POST", "device/canAccess", 400, {"action": "tunnel-any"})),
    *(line(2, f"$filter {condition}", holds(condition), holds(f"not({condition})", False)) for condition in (
        "uuid eq '{U}'", "uuid ne '0'", "memory_usage gt 99", "memory_usage ge 100", "memory_usage lt 101", "memory_usage le 100",
        "memory_usage eq 100 and is_online eq false", "memory_usage eq 1 or is_online eq false", "(memory_usage eq 1 or is_active eq true) and is_online eq false",
        "id in ({dev},4711)", "uuid in ('0','{U}')", "startswith(uuid,'{SHORT}')", "endswith(os_version,'6.0.0')", "contains(os_version,'OS 6')",
        "is_pinned_on__release eq null", "note ne null", "is_active eq true", "is_active", "created_at gt datetime'2001-01-01T00:00:00.000Z'",
        "created_at lt datetime'2101-01-01T00:00:00.000Z'")),
    line(2, "and and or have one precedence", holds("is_active eq true or is_active eq false and is_online eq true", False),
         holds("is_active eq true or (is_active eq false and is_online eq true)")),
    line(3, "any over what is many", holds("device_tag/any(t:t/tag_key eq 'place')"), holds("device_tag/any(t:t/tag_key eq 'other')", False)),
    line(3, "any over what is one", holds("belongs_to__application/any(a:a/slug eq '{slug}')"), holds("is_pinned_on__release/any(r:r/id gt 0)", False)),
    line(3, "any with a constant", get("application({app})?$select=id&$filter={DA}", {"id": "{app}"}), holds("device_tag/any(t:1 eq 1)"),
         holds("device_tag/any(t:1 eq 2)", False)),
    line(3, "any in any, four deep",
         holds("belongs_to__application/any(a:a/organization/any(o:o/application/any(b:b/owns__device/any(d:d/uuid eq '{U}'))))")),
    line(3, "functions within any", holds("belongs_to__application/any(a:startswith(a/slug,'{o}/') and endswith(a/slug,'/cars'))")),
    line(3, "all", holds("device_tag/all(t:t/tag_key eq 'place')"), holds("device_tag/all(t:t/tag_key eq 'other')", False)),
    line(4, "a reference is compared with a number or null", holds("belongs_to__application eq {app}"), holds("belongs_to__application eq null", False),
         holds("belongs_to__application ne {app}", False)),
    line(4, "$select is obeyed, duplicates are harmless", get("device({dev})?$select=id,id,uuid,id", {"id": "{dev}", "uuid": "{U}"}),
         get("device({dev})?$select=belongs_to__application", {"belongs_to__application": ref("{app}")}),
         get("device({dev})?$select=uuid&$expand=device_tag($select=value)", {"uuid": "{U}", "device_tag": [{"value": "barn"}]})),
    line(4, "$select of all", get("device({dev})?$select=*", has(id="{dev}", created_at=DATE, modified_at=DATE, uuid="{U}"))),
    line(4, "what is selected and expanded is expanded",
         get("device({dev})?$select=belongs_to__application&$expand=belongs_to__application($select=id)", {"belongs_to__application": [{"id": "{app}"}]})),
    line(5, "$expand four deep with options",
         get("application({app})?$select=id&$expand=owns__device($select=id;$filter=uuid eq '{U}';$top=1;$expand=image_install($select=id,status;"
             "$orderby=id desc;$expand=installs__image($select=id;$expand=is_a_build_of__service($select=service_name))))",
             {"id": "{app}", "owns__device": [{"id": "{dev}", "image_install": [{"id": INT, "status": "Running", "installs__image": [
                 {"id": "{image}", "is_a_build_of__service": [{"service_name": "main"}]}]}]}]})),
    line(5, "what is one is an array of none or one",
         get("device({dev})?$select=id&$expand=is_pinned_on__release,is_running__release($select=id)",
             {"id": "{dev}", "is_pinned_on__release": [], "is_running__release": [{"id": "{release}"}]})),
    line(6, "$orderby of several keys, $top and $skip", tag("k1", "b"), tag("k2", "a"), tag("k3", "b"),
         get("application_tag?$select=tag_key&$filter=startswith(tag_key,'k')&$orderby=value asc,tag_key desc", *({"tag_key": k} for k in ("k2", "k3", "k1"))),
         get("application_tag?$select=tag_key&$filter=startswith(tag_key,'k')&$orderby=value asc,tag_key desc&$top=1&$skip=1", {"tag_key": "k3"}),
         get("application_tag?$select=tag_key&$filter=startswith(tag_key,'k')&$orderby=tag_key", *({"tag_key": k} for k in ("k3", "k2", "k1")))),
    line(6, "$count of a collection", count("application_tag/$count?$filter=startswith(tag_key,'k')", 3), count("device/$count", 1)),
    line(6, "nav/$count in $filter, $orderby and $expand",
         get("application?$select=id&$filter=owns__device/$count gt 0", {"id": "{app}"}),
         get("application?$select=id&$filter=owns__device/$count($filter=is_online eq true) gt 0"),
         get("application?$select=app_name&$filter={DA}&$orderby=owns__device/$count desc&$top=1", {"app_name": "cars"}),
         get("application({app})?$select=id&$expand=owns__device/$count,application_tag/$count($filter=startswith(tag_key,'k'))",
             {"id": "{app}", "owns__device": 1, "application_tag": 3})),
    line(6, "$orderby along a reference", get("device?$select=id&$orderby=belongs_to__application/app_name desc", {"id": "{dev}"})),
    line(7, "PATCH with a key, a filter, or both", patch("application_tag({k1})", {"value": "c"}),
         patch("application_tag?$filter=value eq 'a'", {"value": "d"}), patch("application_tag({k3})?$filter=value eq 'z'", {"value": "e"}),
         patch("application_tag?$filter=value eq 'none'", {"value": "e"}),
         get("application_tag?$select=value&$filter=startswith(tag_key,'k')&$orderby=tag_key asc", *({"value": v} for v in ("c", "d", "b")))),
    line(7, "DELETE with a composite key, a filter, or both", delete("application_tag(application={app},tag_key='k1')"),
         delete("application_tag({k3})?$filter=value eq 'z'"), delete("application_tag?$filter=value eq 'd'"),
         get("application_tag?$select=tag_key&$filter=startswith(tag_key,'k')", {"tag_key": "k3"}), delete("application_tag({k3})")),
    line(8, "POST answers with the object, or its id alone",
         make("application_tag", {"application": "{app}", "tag_key": "whole", "value": ""}, keep={"at": "header Location"}, tag_key="whole", application=ref("{app}")),
         Request("POST", "/v7/application_tag?returnResource=false", {"application": "{app}", "tag_key": "short", "value": ""}, 201, {"id": INT}),
         delete("application_tag?$filter=tag_key in ('whole','short')")),
    line(8, "a second one is 409 with a text that says unique",
         refused("POST", "application_tag", 409, {"application": "{app}", "tag_key": "place", "value": ""}, matching("must be unique\\.$")),
         refused("POST", "service", 409, {"application": "{app}", "service_name": "main"}, UNIQUE)),
    *(line(9, f"{long} is {short}", get(f"{short}?$top=1&$select=id&$orderby=id asc", {"id": INT}, keep={"first": "d.0.id"}),
           get(f"{long}?$top=1&$select=id&$orderby=id asc", {"id": "{first}"}))
      for short, long in (
          ("service", "application__has__service_name"), ("organization_membership", "user__is_member_of__organization"),
          ("application_tag", "application__has__tag_key"), ("application_environment_variable", "application__has__env_var_name"),
          ("application_config_variable", "application__has__config_var_name"), ("service_environment_variable", "service__has__name"),
          ("device_tag", "device__has__tag_key"), ("device_environment_variable", "device__has__env_var_name"),
          ("device_config_variable", "device__has__config_var_name"), ("service_install", "device__installs__service"),
          ("device_service_environment_variable", "device__installs__service__has__name"), ("image_install", "device__installs__image"),
          ("release_tag", "release__has__tag_key"), ("release_image", "image__is_part_of__release"),
          ("device_type_alias", "device_type__is_referenced_by__alias"))),
    line(9, "long and short navigations", get("device({dev})?$select=id&$expand=device__has__tag_key($select=tag_key),installs__service/$count",
                                              {"id": "{dev}", "device__has__tag_key": [{"tag_key": "place"}], "installs__service": 1}),
         get("release({release})?$select=id&$expand=contains__image($select=id;$expand=image($select=id))",
             {"id": "{release}", "contains__image": [{"id": INT, "image": [{"id": "{image}"}]}]}),
         get("organization({org})?$select=id&$expand=application/$count,is_of__application/$count,includes__user/$count",
             {"id": "{org}", "application": INT, "is_of__application": INT, "includes__user": INT})),
    line(10, "computed fields in $filter",
         get("release?$select=id&$filter=belongs_to__application eq {app} and is_final eq true and raw_version eq '0.0.0%2Brev1'", {"id": "{release}"}),
         get("release?$select=id&$filter=belongs_to__application eq {app} and semver_major gt 0", {"id": "{draft}"}),
         get("release?$select=id&$filter=belongs_to__application eq {app} and semver eq '1.2.3'", {"id": "{draft}"}),
         holds("should_be_running__release eq {release}"), holds("should_be_running__release/any(r:r/commit eq '{C}')"),
         holds("overall_status ne null")),
    line(11, "apostrophes arrive doubled, in percent codes or not", patch("device({dev})", {"note": "Ann's & Bob's 100%+"}),
         holds("note eq 'Ann%27%27s%20%26%20Bob%27%27s%20100%25%2B'"), holds("note eq 'Ann''s %26 Bob''s 100%25%2B'"),
         holds("note+eq+'Ann''s+%26+Bob''s+100%25%2B'"), holds("startswith(note,'Ann''s')"), patch("device({dev})", {"note": None})),
    line(12, "unknown options are ignored", get("device({dev})?$select=id&x=y&0=m&1=y&$format=json&$inlinecount=allpages&$count=true", {"id": "{dev}"})),
    line(12, "unknown members of a body are ignored while a known one remains",
         patch("device({dev})", {"note": "kept", "colour": "red"}), get("device({dev})?$select=note", {"note": "kept"}),
         refused("PATCH", "device({dev})", 400, {"colour": "red"}), patch("device({dev})", {"note": None})),
    Case("4.5", "dates of a body are texts or milliseconds",
         patch("release({release})", {"end_timestamp": 1795428832331}), get("release({release})?$select=end_timestamp", {"end_timestamp": "2026-11-23T10:13:52.331Z"}),
         patch("release({release})", {"end_timestamp": "2026-11-23T10:13:52.000Z"}),
         get("release({release})?$select=end_timestamp", {"end_timestamp": "2026-11-23T10:13:52.000Z"})),
    Case("4.6", "bad syntax is 400", refused("GET", "device?$filter=(", 400), refused("GET", "device?$select=nonsense", 400), refused("GET", "device(", 400)),
    Case("4.6", "a broken rule is 400 with its text",
         refused("POST", "application_environment_variable", 400, {"application": "{app}", "name": "1x", "value": ""}, matching("name"))),
    Case("4.6", "who has no right is 401 on every verb",
         refused("POST", "application_tag", 401, {"application": "{app}", "tag_key": "a", "value": ""}, answer=ANY, role="guest"),
         refused("POST", "device_type", 401, {"slug": "a", "name": "b", "is_of__cpu_architecture": "{arch}"}, answer=ANY),
         refused("PATCH", "device_type({type})", 401, {"name": "b"}, answer=ANY), refused("DELETE", "device_type({type})", 401, answer=ANY)),
    Case("4.6", "rows that one may not see are not there and not refused", get("device", role="guest"), get("device", role="stranger"),
         patch("device({dev})", {"note": "x"}, role="stranger"), delete("device({dev})", role="stranger"),
         get("device({dev})?$select=note", {"note": None})),
]
