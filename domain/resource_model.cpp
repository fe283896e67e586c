#include "domain/resource_model.hpp"

#include "domain/device_status.hpp"
#include "domain/release_version.hpp"
#include "domain/row_source.hpp"

#include <utility>

namespace slipway::domain {
namespace {

using messages::entity_kind;
using messages::row;
using messages::value;

/// A field being described; each setter answers the field, so that a description reads as one line.
struct describe {
  field_def f;

  describe(std::string name, field_type type) {
    f.name = std::move(name);
    f.type = type;
  }
  describe also(std::vector<std::string> names) && {
    f.aliases = std::move(names);
    return std::move(*this);
  }
  describe required() && {
    f.required = true;
    return std::move(*this);
  }
  describe hidden() && {
    f.hidden = true;
    f.read_only = true;
    return std::move(*this);
  }
  describe read_only() && {
    f.read_only = true;
    return std::move(*this);
  }
  describe indexed() && {
    f.indexed = true;
    return std::move(*this);
  }
  describe unique() && {
    f.unique = true;
    return std::move(*this);
  }
  /// A change may alter some device's target state.
  describe target() && {
    f.affects_target = true;
    return std::move(*this);
  }
  describe max(std::size_t bytes) && {
    f.length_max = bytes;
    return std::move(*this);
  }
  describe one_of(std::vector<std::string> words) && {
    f.allowed = std::move(words);
    return std::move(*this);
  }
  describe otherwise(value v) && {
    f.otherwise = std::move(v);
    return std::move(*this);
  }
  describe back(std::vector<std::string> names) && {
    f.backward = std::move(names);
    return std::move(*this);
  }
  describe computed(compute_fn fn) && {
    f.compute = std::move(fn);
    return std::move(*this);
  }
};

describe text(std::string name) {
  return describe(std::move(name), field_type::text).max(255);
}
describe long_text(std::string name) {
  return describe(std::move(name), field_type::text).max(1'000'000);
}
describe integer(std::string name) {
  return {std::move(name), field_type::integer};
}
describe boolean(std::string name) {
  return {std::move(name), field_type::boolean};
}
describe flag(std::string name, bool otherwise) {
  return describe(std::move(name), field_type::boolean).required().otherwise(otherwise);
}
describe date(std::string name) {
  return {std::move(name), field_type::date};
}
describe json(std::string name) {
  return describe(std::move(name), field_type::json).max(1'000'000);
}
describe ref(std::string name, std::string target) {
  describe d(std::move(name), field_type::reference);
  d.f.references = std::move(target);
  return d;
}

resource_def resource(
  std::uint16_t number,
  std::string name,
  std::vector<std::string> aliases,
  entity_kind root,
  std::vector<std::string> root_path,
  std::vector<describe> fields,
  std::vector<index_def> indices = {},
  std::vector<navigation_def> navigations = {}) {
  resource_def r;
  r.number = number;
  r.name = std::move(name);
  r.aliases = std::move(aliases);
  r.root = root;
  r.root_path = std::move(root_path);
  r.indices = std::move(indices);
  r.navigations = std::move(navigations);
  std::uint16_t n = 3;
  for (auto& d : fields) {
    d.f.number = n++;
    r.fields.push_back(std::move(d.f));
  }
  return r;
}

/// Variables, tags and labels: a parent, a key that is unique beside it, and a value.
resource_def keyed(
  std::uint16_t number,
  std::string name,
  std::string long_name,
  entity_kind root,
  std::vector<std::string> root_path,
  describe parent,
  std::string key,
  std::size_t key_max,
  std::size_t value_max,
  bool affects_target) {
  auto key_field = text(std::move(key)).required().max(key_max);
  auto value_field = long_text("value").required().max(value_max);
  parent.f.affects_target = key_field.f.affects_target = value_field.f.affects_target =
    affects_target;
  return resource(
    number,
    std::move(name),
    {std::move(long_name)},
    root,
    std::move(root_path),
    {std::move(parent).required(), std::move(key_field), std::move(value_field)},
    {{first_composite, {3, 4}, true}});
}

const std::vector<std::string>
  build_states{"running", "success", "failed", "error", "cancelled", "interrupted"};

constexpr std::size_t variable_bytes_max = 100'000;

std::vector<resource_def> accounts() {
  return {
    resource(1, "actor", {}, entity_kind::none, {}, {}),
    resource(
      2,
      "user",
      {},
      entity_kind::user,
      {},
      {ref("actor", "actor").read_only(),
       text("username").required().unique().max(73),
       text("email").unique(),
       text("password").hidden(),
       text("jwt_secret").hidden(),
       flag("is_administrator", false).read_only()}),
    // The secret itself is not kept, only its SHA-256.
    resource(
      3,
      "api_key",
      {},
      entity_kind::none,
      {},
      {text("key").hidden().unique(),
       ref("is_of__actor", "actor").read_only(),
       text("name").max(50),
       text("description").max(150),
       date("expiry_date")}),
    resource(
      4,
      "organization",
      {},
      entity_kind::organization,
      {},
      {text("name").required().max(100), text("handle").unique().max(100)}),
    resource(
      5,
      "organization_membership",
      {"user__is_member_of__organization"},
      entity_kind::organization,
      {"is_member_of__organization"},
      {ref("user", "user")
         .required()
         .back({"organization_membership", "is_member_of__organization"}),
       ref("is_member_of__organization", "organization")
         .also({"organization"})
         .required()
         .back({"organization_membership", "includes__user"})},
      {{first_composite, {3, 4}, true}}),
  };
}

std::vector<resource_def> catalog() {
  const auto root = entity_kind::catalog;
  return {
    resource(10, "cpu_architecture", {}, root, {}, {text("slug").required().unique()}),
    resource(
      11,
      "device_type",
      {},
      root,
      {},
      {text("slug").required().unique(),
       text("name").required(),
       long_text("logo"),
       json("contract"),
       ref("is_of__cpu_architecture", "cpu_architecture")
         .required()
         .back({"is_supported_by__device_type"})}),
    resource(
      12,
      "device_type_alias",
      {"device_type__is_referenced_by__alias"},
      root,
      {},
      {ref("device_type", "device_type").required().back({"device_type_alias"}),
       text("is_referenced_by__alias").required().unique()}),
    resource(
      13,
      "application_type",
      {},
      root,
      {},
      {text("name").required(),
       text("slug").required().unique(),
       long_text("description"),
       flag("supports_web_url", true),
       flag("supports_multicontainer", true),
       flag("supports_gateway_mode", false),
       flag("requires_payment", false),
       flag("is_legacy", false),
       text("needs__os_version_range"),
       integer("maximum_device_count")}),
  };
}

std::vector<std::int64_t>
direct_users(const row&, const messages::requester& by, const row_source&) {
  return by.kind == messages::requester_kind::user ? std::vector{by.id}
                                                   : std::vector<std::int64_t>{};
}

resource_def application() {
  return resource(
    20,
    "application",
    {},
    entity_kind::fleet,
    {},
    {ref("actor", "actor").read_only(),
     text("app_name").required().indexed().target(),
     text("slug").read_only().unique(),
     text("uuid").unique().max(64),
     ref("organization", "organization").required().back({"application", "owns__application"}),
     ref("is_for__device_type", "device_type")
       .required()
       .back({"is_default_for__application", "application"}),
     ref("application_type", "application_type").back({"application"}),
     flag("should_track_latest_release", true),
     ref("should_be_running__release", "release")
       .target()
       .back({"should_be_running_on__application"}),
     text("is_of__class").required().otherwise("fleet").one_of({"fleet", "block", "app"}),
     flag("is_host", false),
     flag("is_archived", false),
     flag("is_public", false),
     date("is_accessible_by_support_until__date")},
    {{first_composite, {7, 4}, false}},
    {{{"is_directly_accessible_by__user"}, 2, 0, false, direct_users}});
}

resource_def release() {
  return resource(
    22,
    "release",
    {},
    entity_kind::fleet,
    {"belongs_to__application"},
    {ref("belongs_to__application", "application").required().back({"owns__release", "release"}),
     text("commit").required().indexed().max(40),
     json("composition").target(),
     json("contract"),
     text("status").required().otherwise("running").one_of(build_states),
     text("source").required().otherwise("cloud").one_of({"cloud", "local"}),
     long_text("build_log"),
     long_text("note"),
     date("start_timestamp").required(),
     date("end_timestamp"),
     date("update_timestamp"),
     text("release_version"),
     flag("is_passing_tests", true),
     flag("is_invalidated", false),
     text("invalidation_reason"),
     text("known_issue_list").max(1000),
     date("is_finalized_at__date").read_only(),
     text("phase").one_of({"next", "current", "sunset", "end-of-life"}),
     integer("semver_major").required().otherwise(std::int64_t{0}),
     integer("semver_minor").required().otherwise(std::int64_t{0}),
     integer("semver_patch").required().otherwise(std::int64_t{0}),
     text("semver_prerelease").otherwise(""),
     text("semver_build").otherwise(""),
     text("variant").otherwise(""),
     integer("revision").read_only(),
     ref("is_created_by__user", "user").back({"creates__release"}),
     text("semver").computed([](const row& r, const row_source&) { return value(semver_text(r)); }),
     text("raw_version").read_only().computed([](const row& r, const row_source&) {
       return value(raw_version(r));
     }),
     json("version").read_only().computed(
       [](const row& r, const row_source&) { return value(version_json(r)); }),
     boolean("is_final").computed([](const row& r, const row_source&) {
       return value(is_final(r));
     })},
    {{first_composite, {3, 4}, false}});
}

resource_def image() {
  return resource(
    23,
    "image",
    {},
    entity_kind::fleet,
    {"is_a_build_of__service", "application"},
    {ref("is_a_build_of__service", "service").required().back({"is_built_by__image", "image"}),
     date("start_timestamp").required(),
     date("end_timestamp"),
     date("push_timestamp"),
     text("status").required().otherwise("running").one_of(build_states),
     text("is_stored_at__image_location").read_only().unique().target(),
     text("content_hash").max(71).target(),
     describe("image_size", field_type::big_integer),
     text("project_type"),
     long_text("dockerfile"),
     long_text("error_message").max(300'000),
     long_text("build_log").max(1'500'000),
     json("contract").target()});
}

std::vector<resource_def> fleets() {
  const auto root = entity_kind::fleet;
  return {
    application(),
    resource(
      21,
      "service",
      {"application__has__service_name"},
      root,
      {"application"},
      {ref("application", "application")
         .required()
         .back({"service", "application__has__service_name"}),
       text("service_name").required().max(63).target()},
      {{first_composite, {3, 4}, true}}),
    release(),
    image(),
    resource(
      24,
      "release_image",
      {"image__is_part_of__release"},
      root,
      {"is_part_of__release", "belongs_to__application"},
      {ref("image", "image")
         .also({"contains__image"})
         .required()
         .target()
         .back({"release_image", "image__is_part_of__release"}),
       ref("is_part_of__release", "release")
         .also({"release"})
         .required()
         .target()
         .back({"release_image", "contains__image", "image__is_part_of__release"})},
      {{first_composite, {3, 4}, true}}),
    keyed(
      25,
      "image_label",
      "release_image__has__label_name",
      root,
      {"release_image", "is_part_of__release", "belongs_to__application"},
      ref("release_image", "release_image").back({"image_label"}),
      "label_name",
      255,
      300,
      true),
    keyed(
      26,
      "image_environment_variable",
      "release_image__has__name",
      root,
      {"release_image", "is_part_of__release", "belongs_to__application"},
      ref("release_image", "release_image").back({"image_environment_variable"}),
      "name",
      255,
      variable_bytes_max,
      true),
    keyed(
      27,
      "application_environment_variable",
      "application__has__env_var_name",
      root,
      {"application"},
      ref("application", "application").back({"application_environment_variable"}),
      "name",
      255,
      variable_bytes_max,
      true),
    keyed(
      28,
      "application_config_variable",
      "application__has__config_var_name",
      root,
      {"application"},
      ref("application", "application").back({"application_config_variable"}),
      "name",
      255,
      variable_bytes_max,
      true),
    keyed(
      29,
      "service_environment_variable",
      "service__has__name",
      root,
      {"service", "application"},
      ref("service", "service").back({"service_environment_variable"}),
      "name",
      255,
      variable_bytes_max,
      true),
    keyed(
      30,
      "service_label",
      "service__has__label_name",
      root,
      {"service", "application"},
      ref("service", "service").back({"service_label"}),
      "label_name",
      255,
      variable_bytes_max,
      true),
    keyed(
      31,
      "application_tag",
      "application__has__tag_key",
      root,
      {"application"},
      ref("application", "application").back({"application_tag"}),
      "tag_key",
      100,
      1000,
      false),
    keyed(
      32,
      "release_tag",
      "release__has__tag_key",
      root,
      {"release", "belongs_to__application"},
      ref("release", "release").back({"release_tag"}),
      "tag_key",
      100,
      1000,
      false),
  };
}

resource_def device() {
  return resource(
    40,
    "device",
    {},
    entity_kind::device,
    {},
    {ref("actor", "actor").read_only(),
     text("uuid").required().unique().max(62),
     text("device_name").indexed().target(),
     long_text("note"),
     text("local_id"),
     ref("is_of__device_type", "device_type").required().back({"describes__device"}),
     ref("belongs_to__application", "application")
       .required()
       .target()
       .back({"owns__device", "device"}),
     flag("is_online", false).read_only(),
     date("last_connectivity_event").read_only(),
     flag("is_connected_to_vpn", false).read_only(),
     date("last_vpn_event").read_only(),
     text("api_heartbeat_state")
       .required()
       .otherwise("unknown")
       .one_of({"unknown", "online", "timeout", "offline"})
       .read_only(),
     date("changed_api_heartbeat_state_on__date").read_only(),
     date("is_locked_until__date"),
     text("public_address"),
     long_text("ip_address").max(2000),
     long_text("mac_address").max(900),
     text("os_version").max(70),
     text("os_variant"),
     text("supervisor_version").max(20),
     integer("memory_usage"),
     integer("memory_total"),
     text("storage_block_device"),
     integer("storage_usage"),
     integer("storage_total"),
     integer("cpu_usage"),
     integer("cpu_temp"),
     text("cpu_id"),
     flag("is_undervolted", false),
     text("status").max(50),
     text("provisioning_state"),
     integer("provisioning_progress"),
     integer("download_progress"),
     text("update_status")
       .one_of({"rejected", "downloading", "downloaded", "applying changes", "aborted", "done"}),
     date("last_update_status_event").read_only(),
     integer("api_port"),
     text("api_secret").max(64),
     ref("is_running__release", "release").read_only().back({"is_running_on__device"}),
     ref("is_pinned_on__release", "release").target().back({"is_pinned_to__device"}),
     ref("should_be_operated_by__release", "release").back({"should_operate__device"}),
     ref("should_be_managed_by__release", "release").back({"should_manage__device"}),
     flag("is_web_accessible", false),
     flag("is_active", true),
     flag("is_frozen", false).read_only(),
     text("custom_latitude"),
     text("custom_longitude"),
     text("latitude"),
     text("longitude"),
     text("location"),
     date("is_accessible_by_support_until__date"),
     // Slipway's own: the device's CURVE key, and whose overlay session it is in.
     text("overlay_public_key").unique().max(40),
     integer("presence_edge").hidden(),
     integer("presence_epoch").hidden(),
     text("overall_status").read_only().computed([](const row& r, const row_source& rows) {
       return value(overall_status(r, rows));
     }),
     integer("overall_progress").read_only().computed([](const row& r, const row_source& rows) {
       return overall_progress(r, rows);
     }),
     ref("should_be_running__release", "release").read_only().computed(should_be_running)});
}

std::vector<resource_def> devices() {
  const auto root = entity_kind::device;
  return {
    device(),
    resource(
      41,
      "image_install",
      {"device__installs__image"},
      root,
      {"device"},
      {ref("device", "device").required().back({"image_install", "installs__image"}),
       ref("installs__image", "image").also({"image"}).required().back({"image_install"}),
       ref("is_provided_by__release", "release").required().back({"provides__image_install"}),
       date("install_date").required(),
       integer("download_progress"),
       text("status").required()},
      {{first_composite, {3, 4}, true}}),
    resource(
      42,
      "service_install",
      {"device__installs__service"},
      root,
      {"device"},
      {ref("device", "device").required().back({"service_install", "installs__service"}),
       ref("installs__service", "service")
         .also({"service"})
         .required()
         .back({"service_install", "is_installed_on__device"})},
      {{first_composite, {3, 4}, true}}),
    keyed(
      43,
      "device_environment_variable",
      "device__has__env_var_name",
      root,
      {"device"},
      ref("device", "device").back({"device_environment_variable"}),
      "name",
      255,
      variable_bytes_max,
      true),
    keyed(
      44,
      "device_config_variable",
      "device__has__config_var_name",
      root,
      {"device"},
      ref("device", "device").back({"device_config_variable"}),
      "name",
      255,
      variable_bytes_max,
      true),
    keyed(
      45,
      "device_service_environment_variable",
      "device__installs__service__has__name",
      root,
      {"service_install", "device"},
      ref("service_install", "service_install").back({"device_service_environment_variable"}),
      "name",
      255,
      variable_bytes_max,
      true),
    keyed(
      46,
      "device_tag",
      "device__has__tag_key",
      root,
      {"device"},
      ref("device", "device").back({"device_tag"}),
      "tag_key",
      100,
      10'000,
      false),
  };
}

}  // namespace

std::shared_ptr<const schema> resource_model() {
  static const auto model = [] {
    std::vector<resource_def> all;
    for (auto part : {accounts(), catalog(), fleets(), devices()}) {
      std::move(part.begin(), part.end(), std::back_inserter(all));
    }
    return std::make_shared<const schema>(std::move(all));
  }();
  return model;
}

}  // namespace slipway::domain
