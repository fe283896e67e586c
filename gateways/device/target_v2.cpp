#include "gateways/device/target_v2.hpp"

#include "messages/json.hpp"
#include "runtime/assert.hpp"

#include <utility>

namespace slipway::gateways::device {
namespace {

using nlohmann::json;

json service_v2(const std::string& name, json service) {
  auto out = service.value("composition", json::object());
  if (!out.is_object()) {
    out = json::object();
  }
  out["imageId"] = service["image_id"];
  out["serviceName"] = name;
  out["image"] = service["image"];
  out["running"] = true;
  out["environment"] = service["environment"];
  out["labels"] = service["labels"];
  if (service.contains("contract")) {
    out["contract"] = service["contract"];
  }
  return out;
}

json app_v2(const json& app) {
  json out{
    {"name", app["name"]},
    {"services", json::object()},
    {"networks", json::object()},
    {"volumes", json::object()}};
  const auto releases = app.value("releases", json::object());
  for (const auto& [commit, release] : releases.items()) {
    out["commit"] = commit;
    out["releaseId"] = release["id"];
    const auto services = release.value("services", json::object());
    for (const auto& [name, service] : services.items()) {
      out["services"][std::to_string(service["id"].get<std::int64_t>())] =
        service_v2(name, service);
    }
    for (const auto* part : {"networks", "volumes"}) {
      if (const auto it = release.find(part); it != release.end() && it->is_object()) {
        out[part] = *it;
      }
    }
  }
  return out;
}

}  // namespace

std::string target_v2(const std::string& v3, std::int64_t fleet) {
  const auto parsed = messages::parse_json(v3);
  SLIPWAY_ASSERT(parsed && parsed->size() == 1);  // we wrote it ourselves
  const auto& device = parsed->front();
  auto apps = json::object();
  for (const auto& app : device["apps"]) {
    if (app["id"] == fleet) {
      apps[std::to_string(fleet)] = app_v2(app);
    }
  }
  const json out{
    {"local", {{"name", device["name"]}, {"config", device["config"]}, {"apps", std::move(apps)}}},
    {"dependent", {{"apps", json::object()}, {"devices", json::object()}}}};
  return messages::dump_json(out);
}

}  // namespace slipway::gateways::device
