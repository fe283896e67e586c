#include "domain/host_rules.hpp"
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

}  // namespace

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

namespace {

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

std::int64_t target_of(const draft& d, const row& device) {
  if (const auto& pin = field(device, n().device.is_pinned_on__release); !is_null(pin)) {
    return as_int(pin);
  }
  const auto fleet =
    d.get(n().application.resource, as_int(field(device, n().device.belongs_to__application)));
  return fleet ? as_int(field(*fleet, n().application.should_be_running__release)) : 0;
}

// Clients of all kinds tell what they like; other variants than these two mean nothing to anybody.
void drop_unknown_variant(change_set& set) {
  const auto& t = n().device;
  const auto variant = as_text(field(set.after, t.os_variant));
  if (set.gave(t.os_variant) && !variant.empty() && !is_os_variant(variant)) {
    set.set(t.os_variant, messages::null{});
  }
}

checked before_create_device(draft& d, const rule_context& c, change_set& set) {
  const auto& t = n().device;
  drop_unknown_variant(set);
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
  if (auto ok = check_device_type(d, set.after); !ok) {
    return ok;
  }
  if (auto ok = check_host_targets(d, set); !ok) {
    return ok;
  }
  map_versions(d, {}, set.after);
  return {};
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
  if (moves || set.gave(t.is_of__device_type)) {
    if (auto ok = check_device_type(d, set.after); !ok) {
      return ok;
    }
  }
  drop_unknown_variant(set);
  if (auto ok = check_host_targets(d, set); !ok) {
    return ok;
  }
  map_versions(d, set.before, set.after);
  return {};
}

checked after_write_device(draft& d, const rule_context& c, const change_set& set) {
  const auto& t = n().device;
  const bool target_may_differ = set.before.empty() || set.given.empty()
                                 || set.gave(t.is_pinned_on__release)
                                 || set.gave(t.belongs_to__application);
  if (target_may_differ) {
    if (const auto release = target_of(d, set.after); release != 0) {
      install_services(d, c, set.after, release);
    }
  }
  record_history(d, c, set.by->actor, set.before, messages::id_of(set.after));
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

}  // namespace slipway::domain
