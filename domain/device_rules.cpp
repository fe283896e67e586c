#include "domain/access.hpp"
#include "domain/presence.hpp"
#include "domain/rule_hooks.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace slipway::domain {

using messages::as_bool;
using messages::as_int;
using messages::as_text;
using messages::errc;
using messages::fail;
using messages::field;
using messages::field_value;
using messages::is_null;
using messages::row;
using messages::value;

namespace hooks {
namespace {

const numbers::table& n() {
  return numbers::get();
}

checked check_uuid(std::string_view uuid) {
  const bool length = uuid.size() == 32 || uuid.size() == 62;
  const bool hex = uuid.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  return length && hex ? checked{}
                       : broken("a device's uuid has 32 or 62 lower-case hexadecimal digits.");
}

// Two words from the uuid: the same device is called the same on every try.
std::string name_for(std::string_view uuid) {
  static constexpr std::array first{
    "amber",   "autumn",  "bold",  "brave",   "bright", "calm",   "clear",  "cold",
    "crimson", "dry",     "early", "fast",    "fresh",  "gentle", "golden", "green",
    "grey",    "hidden",  "icy",   "late",    "light",  "little", "lively", "long",
    "misty",   "morning", "old",   "patient", "proud",  "quiet",  "silent", "snowy"};
  static constexpr std::array second{
    "bay",   "bird",   "breeze", "brook",    "cloud",  "dawn", "dune", "field",
    "fire",  "forest", "frost",  "glade",    "harbor", "haze", "hill", "lake",
    "leaf",  "meadow", "moon",   "mountain", "night",  "pine", "rain", "reef",
    "river", "sea",    "sky",    "star",     "stone",  "sun",  "wave", "wind"};
  std::uint64_t hash = 1469598103934665603ULL;
  for (const char c : uuid) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  }
  return std::string(first[hash % first.size()]) + "-" + second[(hash >> 8U) % second.size()];
}

checked check_device_type(const draft& d, const row& device) {
  const auto fleet =
    d.get(n().application.resource, as_int(field(device, n().device.belongs_to__application)));
  if (!fleet) {
    return broken("\"belongs_to__application\" refers to an application that does not exist.");
  }
  const auto own = architecture_of(d, as_int(field(device, n().device.is_of__device_type)));
  const auto theirs =
    architecture_of(d, as_int(field(*fleet, n().application.is_for__device_type)));
  return own != 0 && own == theirs
           ? checked{}
           : broken("the device type's architecture differs from the fleet's.");
}

checked check_name(const change_set& set) {
  const auto name = as_text(field(set.after, n().device.device_name));
  return name.find('\n') == std::string::npos ? checked{}
                                              : broken("a device's name must be one line.");
}

checked check_pin(const draft& d, const change_set& set) {
  const auto& pin = field(set.after, n().device.is_pinned_on__release);
  if (is_null(pin)) {
    return {};
  }
  const auto release = d.get(n().release.resource, as_int(pin));
  const bool ok = release && as_text(field(*release, n().release.status)) == "success"
                  && field(*release, n().release.belongs_to__application)
                       == field(set.after, n().device.belongs_to__application);
  return ok ? checked{} : broken("a device is pinned to a successful release of its fleet.");
}

// A row per service that the device is to run, for variables to hang on (balena-api.md 3.7).
void install_services(draft& d, const rule_context& c, const row& device, std::int64_t release) {
  const std::array<value, 1> key{release};
  const auto device_id = messages::id_of(device);
  for (const auto link :
       d.all(n().release_image.resource, n().release_image.is_part_of__release, key)) {
    const auto r = d.get(n().release_image.resource, link);
    const auto image =
      r ? d.get(n().image.resource, as_int(field(*r, n().release_image.image))) : std::nullopt;
    if (!image) {
      continue;
    }
    const auto service = field(*image, n().image.is_a_build_of__service);
    const std::array<value, 2> pair{device_id, service};
    if (!d.first(n().service_install.resource, first_composite, pair)) {
      d.create(
        n().service_install.resource,
        c.next_id(),
        {{n().service_install.device, device_id},
         {n().service_install.installs__service, service}});
    }
  }
}

std::int64_t target_of(const draft& d, const row& device) {
  if (const auto& pin = field(device, n().device.is_pinned_on__release); !is_null(pin)) {
    return as_int(pin);
  }
  const auto fleet =
    d.get(n().application.resource, as_int(field(device, n().device.belongs_to__application)));
  return fleet ? as_int(field(*fleet, n().application.should_be_running__release)) : 0;
}

checked before_create_device(draft& d, const rule_context& c, change_set& set) {
  const auto& t = n().device;
  if (is_null(field(set.after, t.uuid))) {
    set.set(t.uuid, c.random_hex(32));
  }
  const auto uuid = as_text(field(set.after, t.uuid));
  if (auto ok = check_uuid(uuid); !ok) {
    return ok;
  }
  set.set(t.actor, c.next_id());
  if (as_text(field(set.after, t.device_name)).empty()) {
    set.set(t.device_name, name_for(uuid));
  }
  if (auto ok = check_name(set); !ok) {
    return ok;
  }
  if (auto ok = check_pin(d, set); !ok) {
    return ok;
  }
  return check_device_type(d, set.after);
}

// What was installed for the old fleet is not installed any more.
void leave_fleet(draft& d, std::int64_t device) {
  const std::array<value, 1> key{device};
  for (const auto id : d.all(n().image_install.resource, n().image_install.device, key)) {
    d.change(n().image_install.resource, id, {{n().image_install.status, "deleted"}});
  }
  for (const auto id : d.all(n().service_install.resource, n().service_install.device, key)) {
    remove_with_dependents(d, d.model().at("service_install"), id);
  }
}

checked before_change_device(draft& d, const rule_context&, change_set& set) {
  const auto& t = n().device;
  if (set.gave(t.uuid) && field(set.before, t.uuid) != field(set.after, t.uuid)) {
    return broken("a device's uuid cannot change.");
  }
  const bool moves =
    field(set.before, t.belongs_to__application) != field(set.after, t.belongs_to__application);
  if (moves && !set.gave(t.is_pinned_on__release)) {
    set.set(t.is_pinned_on__release, messages::null{});
  }
  if (moves) {
    set.set(t.is_running__release, messages::null{});
    leave_fleet(d, messages::id_of(set.after));
  }
  if (auto ok = check_name(set); !ok) {
    return ok;
  }
  if (set.gave(t.is_pinned_on__release)) {
    if (auto ok = check_pin(d, set); !ok) {
      return ok;
    }
  }
  return moves || set.gave(t.is_of__device_type) ? check_device_type(d, set.after) : checked{};
}

checked after_write_device(draft& d, const rule_context& c, const change_set& set) {
  const auto& t = n().device;
  const bool target_may_differ =
    set.before.empty() || set.gave(t.is_pinned_on__release) || set.gave(t.belongs_to__application);
  if (target_may_differ) {
    if (const auto release = target_of(d, set.after); release != 0) {
      install_services(d, c, set.after, release);
    }
  }
  return {};
}

checked before_write_service_install(draft& d, const rule_context&, change_set& set) {
  const auto device =
    d.get(n().device.resource, as_int(field(set.after, n().service_install.device)));
  const auto service =
    d.get(n().service.resource, as_int(field(set.after, n().service_install.installs__service)));
  const bool same = device && service
                    && field(*device, n().device.belongs_to__application)
                         == field(*service, n().service.application);
  return same ? checked{} : broken("a device installs services of its own fleet.");
}

}  // namespace

void add_device_hooks(std::vector<entry>& table) {
  table[n().device.resource] = {
    before_create_device,
    before_change_device,
    after_write_device,
    nullptr};
  table[n().service_install.resource] = {
    before_write_service_install,
    before_write_service_install,
    nullptr,
    nullptr};
}

}  // namespace hooks

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

/// `install` is the row of the image, 0 = the device reports it for the first time.
void report_service(
  draft& d,
  const rule_context& c,
  const row& device,
  std::int64_t install,
  const messages::reported_service& s) {
  const auto& i = n().image_install;
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
  const bool own_key =
    cmd.by.kind == messages::requester_kind::fleet && cmd.by.id == cmd.application;
  const bool allowed = fleet && (own_key || rights.may(verb::create, d.model().at("device"), [&] {
                         row r(t.presence_epoch + 1U);
                         r[t.belongs_to__application] = cmd.application;
                         return r;
                       }()));
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
  const bool new_update_status =
    std::any_of(values.begin(), values.end(), [&](const field_value& v) {
      return v.field == t.update_status && v.value != field(*device, t.update_status);
    });
  if (new_update_status) {
    values.push_back({t.last_update_status_event, d.now()});
  }
  d.change(t.resource, c.entity.id, std::move(values));
  if (!cmd.has_apps) {
    return c.entity.id;
  }
  const auto installs = installs_of(d, c.entity.id);
  std::set<std::int64_t> told;
  for (const auto& s : cmd.services) {
    if (!told.insert(s.image).second) {
      continue;  // two services of one image have one install
    }
    const auto known = std::find_if(installs.begin(), installs.end(), [&](const auto& pair) {
      return pair.second == s.image;
    });
    report_service(d, c, *device, known == installs.end() ? 0 : known->first, s);
  }
  for (const auto& [id, image] : installs) {
    const bool listed =
      std::any_of(cmd.services.begin(), cmd.services.end(), [image = image](const auto& s) {
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
