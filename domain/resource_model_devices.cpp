#include "domain/device_status.hpp"
#include "domain/model_building.hpp"
#include "domain/numbers.hpp"
#include "domain/row_source.hpp"

namespace slipway::domain::building {
namespace {

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
     ref("is_of__device_type", "device_type").required().back({"describes__device", "device"}),
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
     text("api_secret").max(64).hidden(),
     ref("is_running__release", "release").read_only().back({"is_running_on__device"}),
     ref("is_pinned_on__release", "release").target().back({"is_pinned_to__device"}),
     ref("should_be_operated_by__release", "release").target().back({"should_operate__device"}),
     ref("should_be_managed_by__release", "release").target().back({"should_manage__device"}),
     flag("is_web_accessible", false),
     flag("is_active", true),
     flag("is_frozen", false).read_only().target(),
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
     ref("should_be_running__release", "release")
       .read_only()
       .computed(should_be_running)
       .back({"should_be_running_on__device"}),
     ref("is_managed_by__service_instance", "service_instance")
       .read_only()
       .back({"manages__device"})});
}

// A field of the service install that a variable hangs on.
compute_fn of_install(std::uint16_t numbers::service_install::*member) {
  return [member](const row& r, const row_source& rows) {
    const auto& n = numbers::get().service_install;
    const auto install =
      rows.get(n.resource, messages::as_int(messages::field(r, first_own_field)));
    return install ? messages::field(*install, n.*member) : value{};
  };
}

resource_def service_variable() {
  auto r = keyed(
    {45,
     "device_service_environment_variable",
     {"service_install__has__name",
      "device__installs__service__has__name",
      "device__installs__service_environment_variable",
      "device__installs__application__has__service_name__has__name"},
     entity_kind::device,
     {"service_install", "device"},
     "service_install"});
  // The CLI takes any row with a member `service` for a fleet's variable and reads it as an expanded one, so both only by name.
  auto device = ref("device", "device")
                  .unlisted()
                  .read_only()
                  .computed(of_install(&numbers::service_install::device));
  auto service = ref("service", "service")
                   .also({"installs__service"})
                   .unlisted()
                   .read_only()
                   .computed(of_install(&numbers::service_install::installs__service));
  for (auto* d : {&device, &service}) {
    d->f.number = static_cast<std::uint16_t>(r.fields.size() + first_own_field);
    r.fields.push_back(std::move(d->f));
  }
  return r;
}

// What a device was and did (domain/history_rules.cpp). Fields that are called as the device's are what is kept of it.
resource_def device_history() {
  return resource(
    48,
    "device_history",
    {},
    entity_kind::device,
    {"tracks__device"},
    {ref("tracks__device", "device").required().read_only().back({"device_history"}),
     date("end_timestamp").read_only(),
     ref("is_created_by__actor", "actor").read_only(),
     ref("is_ended_by__actor", "actor").read_only(),
     ref("tracks__actor", "actor").read_only(),
     text("uuid").read_only().indexed(),
     ref("belongs_to__application", "application").read_only(),
     boolean("is_active").read_only(),
     ref("is_running__release", "release").read_only(),
     ref("is_pinned_on__release", "release").read_only(),
     ref("is_managed_by__service_instance", "service_instance").read_only(),
     text("os_version").read_only(),
     text("os_variant").read_only(),
     text("supervisor_version").read_only(),
     ref("is_of__device_type", "device_type").read_only().back({"device_history"}),
     text("cpu_id").read_only(),
     ref("should_be_managed_by__release", "release").read_only()});
}

}  // namespace

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
      {ref("device", "device")
         .required()
         .back({"image_install", "installs__image", "device__installs__image"}),
       ref("installs__image", "image")
         .also({"image"})
         .required()
         .back({"image_install", "device__installs__image"}),
       ref("is_provided_by__release", "release")
         .required()
         .back({"provides__image_install", "provides__device__installs__image"}),
       date("install_date").required(),
       integer("download_progress"),
       text("status").required()},
      {{first_composite, {3, 4}, true}}),
    resource(
      42,
      "service_install",
      {"device__installs__service", "device__installs__application__has__service_name"},
      root,
      {"device"},
      {ref("device", "device")
         .required()
         .back(
           {"service_install",
            "installs__service",
            "device__installs__service",
            "installs__application__has__service_name",
            "device__installs__application__has__service_name"}),
       ref("installs__service", "service")
         .also(
           {"service",
            "application__has__service_name",
            "installs__application__has__service_name"})
         .required()
         .back(
           {"service_install",
            "is_installed_on__device",
            "device__installs__service",
            "device__installs__application__has__service_name"})},
      {{first_composite, {3, 4}, true}}),
    keyed(
      {43,
       "device_environment_variable",
       {"device__has__env_var_name"},
       root,
       {"device"},
       "device"}),
    keyed(
      {44, "device_config_variable", {"device__has__config_var_name"}, root, {"device"}, "device"}),
    service_variable(),
    keyed(
      {46,
       "device_tag",
       {"device__has__tag_key"},
       root,
       {"device"},
       "device",
       "tag_key",
       100,
       10'000,
       false}),
    device_history(),
  };
}

}  // namespace slipway::domain::building
