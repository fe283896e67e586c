#include "domain/desired_state.hpp"

#include "domain/compose_values.hpp"
#include "domain/container_spec.hpp"

#include <algorithm>
#include <charconv>

namespace slipway::domain {
namespace {

using json = nlohmann::json;

constexpr std::size_t suffix_characters = 12;

std::string volume_name(const target_app& app, std::string_view name, std::string_view device) {
  return std::to_string(app.id) + "_" + std::string(name) + "_" + device_suffix(device);
}

std::string network_name(const target_app& app, std::string_view name, std::string_view device) {
  return app.uuid + "_" + std::string(name) + "_" + device_suffix(device);
}

json object_labels(
  const json& body,
  const target_app& app,
  std::string_view name,
  const device_context& device) {
  auto labels =
    body.contains("labels") ? compose_map(body["labels"]) : std::map<std::string, std::string>{};
  labels[label_supervised] = "true";
  labels[label_device] = device.uuid;
  labels[label_app_id] = std::to_string(app.id);
  labels[label_app_uuid] = app.uuid;
  labels[label_name] = name;
  return labels;
}

json driver_options(const json& body) {
  return body.contains("driver_opts") ? json(compose_map(body["driver_opts"])) : json::object();
}

/// Equality ignores labels: they can be told apart from nothing that matters, and a change would cost restarts.
void finish(desired_object& object, const device_context& device) {
  auto hashed = object.body;
  hashed.erase("Labels");
  object.config_hash = device.hash(hashed.dump(-1, ' ', false, json::error_handler_t::replace));
  object.body["Labels"][label_config] = object.config_hash;
}

json ipam(const json& body) {
  json out = {{"Driver", "default"}, {"Config", json::array()}};
  if (!body.is_object()) {
    return out;
  }
  if (body.contains("driver")) {
    out["Driver"] = compose_text(body["driver"]).value_or("default");
  }
  if (body.contains("options")) {
    out["Options"] = compose_map(body["options"]);
  }
  if (!body.contains("config") || !body["config"].is_array()) {
    return out;
  }
  for (const auto& item : body["config"]) {
    json pool = json::object();
    const auto copy = [&](const char* from, const char* to) {
      if (item.is_object() && item.contains(from)) {
        pool[to] = compose_text(item[from]).value_or("");
      }
    };
    copy("subnet", "Subnet");
    copy("ip_range", "IPRange");
    copy("gateway", "Gateway");
    if (item.is_object() && item.contains("aux_addresses")) {
      pool["AuxiliaryAddresses"] = compose_map(item["aux_addresses"]);
    }
    out["Config"].push_back(pool);
  }
  return out;
}

desired_object make_network(
  const std::string& name,
  const json& body,
  const target_app& app,
  const device_context& device) {
  desired_object out;
  out.name = name;
  out.engine_name = network_name(app, name, device.uuid);
  const auto flag = [&](const char* key) {
    return body.contains(key) && compose_bool(body[key]).value_or(false);
  };
  out.body = {
    {"Name", out.engine_name},
    {"CheckDuplicate", true},
    {"Driver",
     body.contains("driver") ? compose_text(body["driver"]).value_or("bridge") : "bridge"},
    {"Options", driver_options(body)},
    {"Internal", flag("internal")},
    {"EnableIPv6", flag("enable_ipv6")},
    {"Labels", object_labels(body, app, name, device)}};
  if (body.contains("ipam")) {
    out.body["IPAM"] = ipam(body["ipam"]);
  }
  finish(out, device);
  return out;
}

desired_object make_volume(
  const std::string& name,
  const json& body,
  const target_app& app,
  const device_context& device,
  std::vector<std::string>& warnings) {
  desired_object out;
  out.name = name;
  out.engine_name = volume_name(app, name, device.uuid);
  auto options = driver_options(body);
  if (options.contains("device") && options["device"].get<std::string>().rfind('/', 0) == 0) {
    warnings.push_back("volume " + name + ": a path of the host is refused");
    options = json::object();
  }
  out.body = {
    {"Name", out.engine_name},
    {"Driver", body.contains("driver") ? compose_text(body["driver"]).value_or("local") : "local"},
    {"DriverOpts", options},
    {"Labels", object_labels(body, app, name, device)}};
  finish(out, device);
  return out;
}

desired_app
make_app(const target_app& app, const device_context& device, std::vector<std::string>& warnings) {
  desired_app out{app.uuid, app.id, app.name, "", 0, {}, {}, {}};
  if (!app.release) {
    return out;
  }
  out.commit = app.release->commit;
  out.release_id = app.release->id;
  for (const auto& [name, body] : app.release->volumes) {
    out.volumes.emplace(name, make_volume(name, body, app, device, warnings));
  }
  for (const auto& [name, body] : app.release->networks) {
    if (name != "default") {
      out.networks.emplace(name, make_network(name, body, app, device));
    }
  }
  for (const auto& [name, service] : app.release->services) {
    auto spec = make_spec(service, {app, device, volume_name, network_name}, warnings);
    for (const auto& used : spec.volumes) {
      if (!out.volumes.contains(used)) {
        out.volumes.emplace(used, make_volume(used, json::object(), app, device, warnings));
      }
    }
    for (const auto& used : spec.networks) {
      if (!out.networks.contains(used)) {
        const auto it = app.release->networks.find(used);
        const auto body = it == app.release->networks.end() ? json::object() : it->second;
        out.networks.emplace(used, make_network(used, body, app, device));
      }
    }
    spec.service.container_name =
      container_name({name, service.image_id, out.release_id, out.commit}, device.uuid);
    out.services.emplace(name, std::move(spec.service));
  }
  return out;
}

/// The text after the last '_' of `name`, which is cut off; "" if there is none.
std::string_view cut_last(std::string_view& name) {
  const auto at = name.rfind('_');
  if (at == std::string_view::npos) {
    return {};
  }
  const auto last = name.substr(at + 1);
  name = name.substr(0, at);
  return last;
}

bool to_number(std::string_view text, std::int64_t& out) {
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), out);
  return problem == std::errc{} && end == text.data() + text.size() && !text.empty();
}

}  // namespace

desired_state make_desired(const target_state& target, const device_context& device) {
  desired_state out;
  for (const auto& [uuid, app] : target.apps) {
    if (!app.is_host) {
      out.apps.emplace(uuid, make_app(app, device, out.warnings));
    }
  }
  return out;
}

std::string device_suffix(std::string_view uuid) {
  return std::string(uuid.substr(0, suffix_characters));
}

std::string keep_repository(std::string_view uuid) {
  // With a host part, so that no engine takes it for a name on Docker Hub.
  return "localhost/slipway/" + device_suffix(uuid);
}

std::string image_key_of(std::string_view image, std::string (*hash)(std::string_view)) {
  const auto at = image.rfind("@sha256:");
  if (at != std::string_view::npos && image.size() - at == 8 + 64) {
    return std::string(image.substr(at + 8));
  }
  return hash(image);
}

std::string container_name(const container_identity& identity, std::string_view uuid) {
  return identity.service + "_" + std::to_string(identity.image_id) + "_"
         + std::to_string(identity.release_id) + "_" + identity.commit + "_" + device_suffix(uuid);
}

container_identity parse_container_name(std::string_view name, std::string_view uuid) {
  if (!name.empty() && name[0] == '/') {
    name.remove_prefix(1);
  }
  container_identity out;
  const auto suffix = cut_last(name);
  const auto commit = cut_last(name);
  const auto release = cut_last(name);
  const auto image = cut_last(name);
  if (
    suffix == device_suffix(uuid) && to_number(release, out.release_id)
    && to_number(image, out.image_id)) {
    out.commit = commit;
    out.service = name;
  }
  return out;
}

}  // namespace slipway::domain
