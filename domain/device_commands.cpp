#include "domain/access.hpp"
#include "domain/host_rules.hpp"
#include "domain/presence.hpp"
#include "domain/rule_hooks.hpp"

#include <algorithm>
#include <array>
#include <set>

/// What devices and their sessions tell, and how devices join.
namespace slipway::domain {

using messages::as_bool;
using messages::as_int;
using messages::as_text;
using messages::errc;
using messages::fail;
using messages::field;
using messages::field_value;
using messages::row;
using messages::value;

namespace {

const numbers::table& n() {
  return numbers::get();
}

std::optional<std::int64_t> device_type_by_slug(const row_source& rows, const std::string& slug) {
  const auto& alias = n().device_type_alias;
  const std::array<value, 1> key{slug};
  if (const auto id = rows.first(alias.resource, alias.is_referenced_by__alias, key)) {
    const auto r = rows.get(alias.resource, *id);
    return as_int(field(*r, alias.device_type));
  }
  return rows.first(n().device_type.resource, n().device_type.slug, key);
}

value text_or_null(const std::string& text) {
  return text.empty() ? value{} : value(text);
}

// Statuses that image_install knows (balena-api.md 3.3); devices may say anything.
std::string known_status(const std::string& status) {
  static constexpr std::array known{
    "Downloading",
    "Downloaded",
    "Installing",
    "Installed",
    "Starting",
    "Running",
    "Idle",
    "Handing over",
    "Awaiting handover",
    "Stopping",
    "Stopped",
    "Deleting",
    "deleted",
    "Dead",
    "paused",
    "restarting",
    "removing",
    "exited",
    "configuring"};
  const bool found =
    std::any_of(known.begin(), known.end(), [&](const char* k) { return status == k; });
  return found ? status : "Unknown";
}

/// A device's installs: (row, image).
std::vector<std::pair<std::int64_t, std::int64_t>> installs_of(
  const draft& d,
  std::int64_t device) {
  const auto& i = n().image_install;
  const std::array<value, 1> key{device};
  std::vector<std::pair<std::int64_t, std::int64_t>> found;
  for (const auto id : d.all(i.resource, i.device, key)) {
    if (const auto r = d.get(i.resource, id)) {
      found.emplace_back(id, as_int(field(*r, i.installs__image)));
    }
  }
  return found;
}

// The releases that the versions told mean.
void add_mapped_versions(const draft& d, const row& device, std::vector<field_value>& values) {
  const auto& t = n().device;
  auto after = device;
  after.resize(std::max<std::size_t>(after.size(), t.should_be_managed_by__release + 1U));
  put_values(after, values);
  hooks::map_versions(d, device, after);
  for (const auto target : {t.should_be_operated_by__release, t.should_be_managed_by__release}) {
    if (field(after, target) != field(device, target)) {
      values.push_back({target, field(after, target)});
    }
  }
}

/// `modified_at` of every row.
constexpr std::uint16_t modified_at = 2;
/// A download's progress is stored at most so often.
constexpr std::int64_t progress_ms_min = 5'000;

/// Only the bar moved, moments after it was written: nobody misses that.
bool is_idle_progress(const draft& d, const row& install, const messages::reported_service& s) {
  const auto& i = n().image_install;
  const bool milestone = s.download_progress < 0 || s.download_progress >= 100
                         || messages::is_null(field(install, i.download_progress));
  return !milestone && as_text(field(install, i.status)) == known_status(s.status)
         && as_int(field(install, i.is_provided_by__release)) == s.release
         && d.now() - as_int(field(install, modified_at)) < progress_ms_min;
}

/// `install` is the row of the image, 0 = the device reports it for the first time.
void report_service(
  draft& d,
  const rule_context& c,
  const row& device,
  std::int64_t install,
  const messages::reported_service& s) {
  const auto& i = n().image_install;
  const auto known = install != 0 ? d.get(i.resource, install) : std::nullopt;
  if (known && is_idle_progress(d, *known, s)) {
    return;
  }
  std::vector<field_value> values{
    {i.is_provided_by__release, s.release},
    {i.status, known_status(s.status)},
    {i.download_progress,
     s.download_progress < 0 ? value{} : value(std::min<std::int64_t>(s.download_progress, 100))}};
  if (install != 0) {
    d.change(i.resource, install, std::move(values));
    return;
  }
  values.push_back({i.device, messages::id_of(device)});
  values.push_back({i.installs__image, s.image});
  values.push_back({i.install_date, d.now()});
  d.create(i.resource, c.next_id(), std::move(values));
  hooks::install_services(d, c, device, s.release);
}

/// Installs that are not told of are not there any more.
void report_services(
  draft& d,
  const rule_context& c,
  const row& device,
  const std::vector<messages::reported_service>& services) {
  const auto installs = installs_of(d, messages::id_of(device));
  std::set<std::int64_t> told;
  for (const auto& s : services) {
    if (!told.insert(s.image).second) {
      continue;  // two services of one image have one install
    }
    const auto known = std::find_if(installs.begin(), installs.end(), [&](const auto& pair) {
      return pair.second == s.image;
    });
    report_service(d, c, device, known == installs.end() ? 0 : known->first, s);
  }
  for (const auto& [id, image] : installs) {
    const bool listed =
      std::any_of(services.begin(), services.end(), [image = image](const auto& s) {
        return s.image == image;
      });
    if (!listed) {
      d.change(
        n().image_install.resource,
        id,
        {{n().image_install.status, "deleted"},
         {n().image_install.download_progress, messages::null{}}});
    }
  }
}

}  // namespace

decision decide(draft& d, const rule_context& c, const messages::register_device& cmd) {
  const auto& t = n().device;
  const auto type = device_type_by_slug(d, cmd.device_type);
  if (!type) {
    return fail(
      errc::invalid_argument,
      "unknown device type \"" + cmd.device_type.substr(0, 80) + "\"");
  }
  const auto fleet = d.get(n().application.resource, cmd.application);
  const access rights(d.model(), cmd.by, d);
  const auto& fleets = d.model().at("application");
  const bool allowed = fleet && rights.may_do(action::register_device, fleets, *fleet);
  if (!allowed) {
    return fail(errc::unauthorized, "not permitted to register devices in this fleet");
  }
  messages::create_row create;
  create.by.kind = messages::requester_kind::platform;  // the right was checked above
  create.resource = t.resource;
  create.values = {
    {t.uuid, cmd.uuid},
    {t.is_of__device_type, *type},
    {t.belongs_to__application, cmd.application},
    {t.supervisor_version, text_or_null(cmd.supervisor_version)},
    {t.os_version, text_or_null(cmd.os_version)},
    {t.os_variant, text_or_null(cmd.os_variant)},
    {t.mac_address, text_or_null(cmd.mac_address)},
    {t.overlay_public_key, text_or_null(cmd.overlay_public_key)}};
  auto id = decide(d, c, create);
  if (!id) {
    return id;
  }
  messages::add_key key;
  key.by = create.by;
  key.of_actor = as_int(field(*d.get(t.resource, *id), t.actor));
  key.key_hash = cmd.api_key;
  if (auto added = decide(d, c, key); !added) {
    return added;
  }
  return id;
}

decision decide(draft& d, const rule_context& c, const messages::report_state& cmd) {
  const auto& t = n().device;
  const auto device = d.get(t.resource, c.entity.id);
  const bool own = cmd.by.kind != messages::requester_kind::device || cmd.by.id == c.entity.id;
  if (!device || !own) {
    return fail(errc::unauthorized, "not permitted");
  }
  auto values = cmd.values;
  std::erase_if(values, [&](const field_value& v) {
    return v.field == t.os_variant && !messages::is_null(v.value)
           && !hooks::is_os_variant(as_text(v.value));
  });
  add_mapped_versions(d, *device, values);
  const bool new_update_status =
    std::any_of(values.begin(), values.end(), [&](const field_value& v) {
      return v.field == t.update_status && v.value != field(*device, t.update_status);
    });
  if (new_update_status) {
    values.push_back({t.last_update_status_event, d.now()});
  }
  d.change(t.resource, c.entity.id, std::move(values));
  if (cmd.has_apps) {
    report_services(d, c, *device, cmd.services);
  }
  hooks::record_history(d, c, cmd.by.actor, *device, c.entity.id);
  if (cmd.metrics_due || !d.events().empty()) {
    d.change(t.resource, c.entity.id, cmd.metrics);
  }
  return c.entity.id;
}

decision decide(draft& d, const rule_context& c, const messages::set_presence& cmd) {
  const auto& t = n().device;
  const auto device = d.get(t.resource, c.entity.id);
  if (!device) {
    return fail(errc::not_found, "no such device");
  }
  const presence known{
    as_int(field(*device, t.presence_edge)),
    static_cast<std::uint64_t>(as_int(field(*device, t.presence_epoch))),
    as_bool(field(*device, t.is_connected_to_vpn))};
  const auto change = decide_presence(known, cmd);
  if (!change) {
    return c.entity.id;
  }
  std::vector<field_value> values{
    {t.presence_edge, change->next.edge},
    {t.presence_epoch, static_cast<std::int64_t>(change->next.epoch)},
    {t.is_connected_to_vpn, change->next.online},
    {t.is_online, change->next.online}};
  if (change->flipped) {
    values.push_back({t.last_connectivity_event, cmd.time});
    values.push_back({t.last_vpn_event, cmd.time});
  }
  d.change(t.resource, c.entity.id, std::move(values));
  return c.entity.id;
}

decision decide(draft& d, const rule_context& c, const messages::set_heartbeat& cmd) {
  const auto& t = n().device;
  const auto device = d.get(t.resource, c.entity.id);
  if (!device) {
    return fail(errc::not_found, "no such device");
  }
  if (as_text(field(*device, t.api_heartbeat_state)) != cmd.state) {
    d.change(
      t.resource,
      c.entity.id,
      {{t.api_heartbeat_state, cmd.state}, {t.changed_api_heartbeat_state_on__date, d.now()}});
  }
  return c.entity.id;
}

}  // namespace slipway::domain
