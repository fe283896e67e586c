#include "domain/model_building.hpp"

namespace slipway::domain::building {

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
         .also({"supports__cpu_architecture"})
         .required()
         .back({"is_supported_by__device_type", "device_type"}),
       ref("belongs_to__device_family", "device_family").back({"device_type"}),
       boolean("is_private").otherwise(false)}),
    resource(
      12,
      "device_type_alias",
      {"device_type__is_referenced_by__alias"},
      root,
      {},
      {ref("device_type", "device_type")
         .required()
         .back(
           {"device_type_alias",
            "is_referenced_by__alias",
            "device_type__is_referenced_by__alias"}),
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
    resource(
      15,
      "device_family",
      {},
      root,
      {},
      {text("slug").required().unique(),
       text("name").required(),
       ref("is_manufactured_by__device_manufacturer", "device_manufacturer")
         .back({"device_family"})}),
    resource(
      16,
      "device_manufacturer",
      {},
      root,
      {},
      {text("slug").required().unique(), text("name").required()}),
    resource(
      17,
      "service_instance",
      {},
      root,
      {},
      {text("service_type").required().otherwise("vpn").one_of({"vpn"}),
       text("ip_address").required(),
       date("last_heartbeat")}),
    resource(
      56,
      "builder",
      {},
      root,
      {},
      {text("name").required().unique().max(64), text("public_key").required().unique().max(40)}),
  };
}

}  // namespace slipway::domain::building
