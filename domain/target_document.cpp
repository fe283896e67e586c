#include "domain/target_document.hpp"

#include "domain/numbers.hpp"
#include "messages/json.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

namespace slipway::domain {
namespace {

using messages::as_bool;
using messages::as_int;
using messages::as_text;
using messages::field;
using messages::is_null;
using messages::row;
using messages::value;
using nlohmann::json;

const numbers::table& n() {
  return numbers::get();
}

/// Adds name -> value of all variables (or labels) of a parent; what is there already is overwritten.
void add_keyed(json& into, const row_source& rows, const numbers::keyed& k, std::int64_t parent) {
  const std::array<value, 1> key{parent};
  for (const auto id : rows.all(k.resource, k.parent, key)) {
    if (const auto r = rows.get(k.resource, id)) {
      into[as_text(field(*r, k.key))] = as_text(field(*r, k.value));
    }
  }
}

json parse_or_empty(const value& v) {
  const auto text = as_text(v);
  if (text.empty()) {
    return json::object();
  }
  auto j = messages::parse_json(text);
  return j && j->is_object() ? std::move(*j) : json::object();
}

// The compose service as the device needs it: how it was built is none of its business.
json composition_of(const json& composition, const std::string& service) {
  const auto services = composition.find("services");
  if (services == composition.end() || !services->is_object() || !services->contains(service)) {
    return nullptr;
  }
  auto c = (*services)[service];
  if (c.is_object()) {
    c.erase("build");
  }
  return c;
}

std::string image_reference(const row& image) {
  const auto& i = n().image;
  auto reference = as_text(field(image, i.is_stored_at__image_location));
  const auto hash = as_text(field(image, i.content_hash));
  reference += hash.empty() ? "" : "@" + hash;
  std::transform(reference.begin(), reference.end(), reference.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return reference;
}

/// What is told of one application. The fleet's own has the settings; hosts and supervisors have none.
struct target_builder {
  const row_source& rows;
  const row& application;
  std::int64_t device = 0;              ///< 0 = none: what a new device would be told
  bool is_own = true;                   ///< the device's fleet, not its host or supervisor
  std::set<std::string> profiles = {};  ///< active on the application
  json settings = is_own ? config() : json::object();

  [[nodiscard]] json environment(std::int64_t link, std::int64_t service) const;
  [[nodiscard]] json labels(std::int64_t link, std::int64_t service) const;
  [[nodiscard]] json service(const row& link, const json& composition) const;
  [[nodiscard]] json release(const row& r) const;
  [[nodiscard]] json app(std::int64_t release) const;
  [[nodiscard]] json config() const;
  [[nodiscard]] bool is_left_out(std::int64_t link) const;
  [[nodiscard]] std::string updater() const;
};

std::optional<row> application_of(const row_source& rows, const value& release) {
  const auto r = rows.get(n().release.resource, as_int(release));
  return r ? rows.get(
           n().application.resource,
           as_int(field(*r, n().release.belongs_to__application)))
           : std::nullopt;
}

// An image with profiles is for those who activated one of them.
bool target_builder::is_left_out(std::int64_t link) const {
  const auto& p = n().image_profile;
  const std::array<value, 1> key{link};
  bool any = false;
  bool active = false;
  for (const auto id : rows.all(p.resource, p.release_image, key)) {
    const auto r = rows.get(p.resource, id);
    any = true;
    active = active || (r && profiles.contains(as_text(field(*r, p.profile_name))));
  }
  return any && !active;
}

// The image of the block that updates a host, "" = none does.
std::string target_builder::updater() const {
  const auto& a = n().application;
  const auto block = rows.get(a.resource, as_int(field(application, a.is_updated_by__application)));
  if (!block || is_null(field(*block, a.should_be_running__release))) {
    return "";
  }
  const auto& l = n().release_image;
  const std::array<value, 1> key{field(*block, a.should_be_running__release)};
  const auto link = rows.first(l.resource, l.is_part_of__release, key);
  const auto r = link ? rows.get(l.resource, *link) : std::nullopt;
  const auto image = r ? rows.get(n().image.resource, as_int(field(*r, l.image))) : std::nullopt;
  return image ? image_reference(*image) : "";
}

// Later wins: image, fleet, fleet service, device, device service.
json target_builder::environment(std::int64_t link, std::int64_t service) const {
  auto env = json::object();
  add_keyed(env, rows, n().image_environment_variable, link);
  add_keyed(env, rows, n().application_environment_variable, messages::id_of(application));
  add_keyed(env, rows, n().service_environment_variable, service);
  if (device != 0) {
    add_keyed(env, rows, n().device_environment_variable, device);
    const std::array<value, 2> pair{device, service};
    if (const auto install = rows.first(n().service_install.resource, first_composite, pair)) {
      add_keyed(env, rows, n().device_service_environment_variable, *install);
    }
  }
  return env;
}

json target_builder::labels(std::int64_t link, std::int64_t service) const {
  auto labels = json::object();
  if (as_bool(field(application, n().application.is_host))) {
    labels["io.balena.image.store"] = "root";
    if (const auto image = updater(); !image.empty()) {
      labels["io.balena.private.updater"] = image;
    }
  }
  add_keyed(labels, rows, n().image_label, link);
  add_keyed(labels, rows, n().service_label, service);
  // What the fleet or the device sets for all services, unless the project says otherwise.
  static constexpr std::array from_config{
    std::pair{"RESIN_SUPERVISOR_UPDATE_STRATEGY", "io.resin.update.strategy"},
    std::pair{"RESIN_SUPERVISOR_HANDOVER_TIMEOUT", "io.resin.update.handover-timeout"}};
  for (const auto& [variable, label] : from_config) {
    if (const auto it = settings.find(variable); it != settings.end() && !labels.contains(label)) {
      labels[label] = *it;
    }
  }
  return labels;
}

json target_builder::service(const row& link, const json& composition) const {
  const auto image = rows.get(n().image.resource, as_int(field(link, n().release_image.image)));
  if (!image) {
    return nullptr;
  }
  const auto service_id = as_int(field(*image, n().image.is_a_build_of__service));
  const auto s = rows.get(n().service.resource, service_id);
  if (!s) {
    return nullptr;
  }
  const auto name = as_text(field(*s, n().service.service_name));
  json out{
    {"name", name},
    {"id", service_id},
    {"image_id", messages::id_of(*image)},
    {"image", image_reference(*image)},
    {"environment", environment(messages::id_of(link), service_id)},
    {"labels", labels(messages::id_of(link), service_id)}};
  if (!is_null(field(*image, n().image.contract))) {
    out["contract"] = parse_or_empty(field(*image, n().image.contract));
  }
  if (auto c = composition_of(composition, name); !c.is_null()) {
    out["composition"] = std::move(c);
  }
  return out;
}

json target_builder::release(const row& r) const {
  const auto composition = parse_or_empty(field(r, n().release.composition));
  auto services = json::object();
  const std::array<value, 1> key{messages::id_of(r)};
  for (const auto id :
       rows.all(n().release_image.resource, n().release_image.is_part_of__release, key)) {
    const auto link = is_left_out(id) ? std::nullopt : rows.get(n().release_image.resource, id);
    auto one = link ? service(*link, composition) : json(nullptr);
    if (one.is_null()) {
      continue;
    }
    auto name = one["name"].get<std::string>();
    one.erase("name");
    services[std::move(name)] = std::move(one);
  }
  json out{{"id", messages::id_of(r)}};
  if (!services.empty()) {
    out["services"] = std::move(services);
  }
  for (const auto* part : {"networks", "volumes"}) {
    if (const auto it = composition.find(part); it != composition.end() && !it->is_null()) {
      out[part] = *it;
    }
  }
  return out;
}

json target_builder::app(std::int64_t release_id) const {
  const auto& a = n().application;
  json out{
    {"id", messages::id_of(application)},
    {"name", as_text(field(application, a.app_name))},
    {"is_host", as_bool(field(application, a.is_host))},
    {"class", as_text(field(application, a.is_of__class))}};
  if (const auto r = rows.get(n().release.resource, release_id)) {
    out["releases"] = {{as_text(field(*r, n().release.commit)), release(*r)}};
  }
  return out;
}

/// What the variables ask for, 0 = nothing.
std::int64_t asked_interval(const json& config) {
  for (const auto* name : {"BALENA_SUPERVISOR_POLL_INTERVAL", "RESIN_SUPERVISOR_POLL_INTERVAL"}) {
    if (const auto it = config.find(name); it != config.end()) {
      const auto text = it->get<std::string>();
      std::int64_t interval = 0;
      std::from_chars(text.data(), text.data() + text.size(), interval);
      return interval;
    }
  }
  return 0;
}

json target_builder::config() const {
  auto config = json::object();
  add_keyed(config, rows, n().application_config_variable, messages::id_of(application));
  if (device != 0) {
    add_keyed(config, rows, n().device_config_variable, device);
  }
  const auto interval = std::max(asked_interval(config), poll_interval_ms_default);
  // For the dashboard, and what only the host reads: not the supervisor's business (balena-api.md 8.4).
  for (auto it = config.begin(); it != config.end();) {
    const auto& name = it.key();
    const bool hidden = name.starts_with("BALENA_UI") || name.starts_with("RESIN_UI")
                        || name == "RESIN_HOST_LOG_TO_DISPLAY";
    it = hidden ? config.erase(it) : std::next(it);
  }
  // Supervisors prefer the other name where both are given.
  config["RESIN_SUPERVISOR_POLL_INTERVAL"] = std::to_string(interval);
  if (config.contains("BALENA_SUPERVISOR_POLL_INTERVAL")) {
    config["BALENA_SUPERVISOR_POLL_INTERVAL"] = std::to_string(interval);
  }
  return config;
}

// What the fleet activated on a host.
std::set<std::string> active_profiles(const row_source& rows, std::int64_t fleet, const row& host) {
  std::set<std::string> out;
  if (!as_bool(field(host, n().application.is_host))) {
    return out;
  }
  const auto& p = n().application_profile;
  const std::array<value, 1> key{fleet};
  for (const auto id : rows.all(p.resource, p.application, key)) {
    const auto r = rows.get(p.resource, id);
    if (r && as_int(field(*r, p.on__application)) == messages::id_of(host)) {
      out.insert(as_text(field(*r, p.activates__profile_name)));
    }
  }
  return out;
}

}  // namespace

std::vector<std::int64_t> hosts_in_target(const row_source& rows, const row& device) {
  std::vector<std::int64_t> out;
  for (const auto target :
       {n().device.should_be_managed_by__release, n().device.should_be_operated_by__release}) {
    const auto& wanted = field(device, target);
    const auto host = is_null(wanted) ? std::nullopt : application_of(rows, wanted);
    if (!host) {
      continue;
    }
    out.push_back(messages::id_of(*host));
    if (const auto& block = field(*host, n().application.is_updated_by__application);
        !is_null(block)) {
      out.push_back(as_int(block));
    }
  }
  return out;
}

std::int64_t poll_interval_ms(const row_source& rows, const row& device) {
  const auto application =
    rows.get(n().application.resource, as_int(field(device, n().device.belongs_to__application)));
  if (!application) {
    return poll_interval_ms_default;
  }
  const target_builder b{rows, *application, messages::id_of(device)};
  return std::stoll(b.config()["RESIN_SUPERVISOR_POLL_INTERVAL"].get<std::string>());
}

messages::result<std::string> device_target(const row_source& rows, std::int64_t device_id) {
  const auto device = rows.get(n().device.resource, device_id);
  const auto application = device ? rows.get(
                             n().application.resource,
                             as_int(field(*device, n().device.belongs_to__application)))
                                  : std::nullopt;
  if (!application) {
    return messages::fail(messages::errc::not_found, "no such device");
  }
  const auto& pin = field(*device, n().device.is_pinned_on__release);
  const auto release =
    is_null(pin) ? field(*application, n().application.should_be_running__release) : pin;
  const target_builder b{rows, *application, device_id};
  auto apps = json::object();
  // The fleet comes last: of the same application it wins.
  for (const auto target :
       {n().device.should_be_managed_by__release, n().device.should_be_operated_by__release}) {
    const auto& wanted = field(*device, target);
    if (const auto host = is_null(wanted) ? std::nullopt : application_of(rows, wanted)) {
      const target_builder other{
        rows,
        *host,
        device_id,
        false,
        active_profiles(rows, messages::id_of(*application), *host)};
      apps[as_text(field(*host, n().application.uuid))] = other.app(as_int(wanted));
    }
  }
  apps[as_text(field(*application, n().application.uuid))] = b.app(as_int(release));
  const json out{
    {as_text(field(*device, n().device.uuid)),
     {{"name", as_text(field(*device, n().device.device_name))},
      {"config", b.settings},
      {"apps", std::move(apps)}}}};
  return messages::dump_json(out);
}

messages::result<std::string>
fleet_target(const row_source& rows, std::int64_t application_id, const std::string& commit) {
  const auto application = rows.get(n().application.resource, application_id);
  if (!application) {
    return messages::fail(messages::errc::not_found, "no such fleet");
  }
  auto release = as_int(field(*application, n().application.should_be_running__release));
  if (!commit.empty()) {
    release = 0;
    const std::array<value, 2> key{application_id, commit};
    for (const auto id : rows.all(n().release.resource, first_composite, key)) {
      const auto r = rows.get(n().release.resource, id);
      if (r && as_text(field(*r, n().release.status)) == "success") {
        release = id;
      }
    }
    if (release == 0) {
      return messages::fail(messages::errc::not_found, "no such release");
    }
  }
  const target_builder b{rows, *application, 0};
  const auto uuid = as_text(field(*application, n().application.uuid));
  const json out{
    {uuid,
     {{"name", as_text(field(*application, n().application.app_name))},
      {"config", b.settings},
      {"apps", {{uuid, b.app(release)}}}}}};
  return messages::dump_json(out);
}

}  // namespace slipway::domain
