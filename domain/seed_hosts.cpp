#include "domain/numbers.hpp"
#include "domain/resource_model.hpp"
#include "domain/seed.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace slipway::domain {
namespace {

using messages::as_bool;
using messages::as_text;
using messages::field;
using messages::row;
using messages::value;

const numbers::table& n() {
  return numbers::get();
}

constexpr const char* provider_handle = "slipway_os";

messages::create_row creation(std::uint16_t resource, std::vector<messages::field_value> values) {
  messages::create_row cmd;
  cmd.by.kind = messages::requester_kind::platform;
  cmd.resource = resource;
  cmd.values = std::move(values);
  return cmd;
}

bool has_public_host(const row_source& rows, std::int64_t device_type) {
  const auto& a = n().application;
  bool found = false;
  const std::array<value, 1> key{device_type};
  rows.lookup(a.resource, a.is_for__device_type, key, [&](std::int64_t id) {
    const auto r = rows.get(a.resource, id);
    found = r && as_bool(field(*r, a.is_host)) && as_bool(field(*r, a.is_public));
    return !found;
  });
  return found;
}

// Slugs of types may have characters that names of applications may not, and be too short.
std::string host_name(std::string name) {
  for (auto& c : name) {
    const bool kept = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    c = kept ? c : '-';
  }
  constexpr std::size_t name_max = 100;
  name = "host-" + name;
  name.resize(std::min(name.size(), name_max));
  return name;
}

}  // namespace

std::vector<std::int64_t> types_without_host(const row_source& rows) {
  static const auto is_private = resource_model()->at("device_type").field("is_private");
  std::vector<std::int64_t> out;
  rows.scan(n().device_type.resource, 0, [&](const row& type) {
    if (!as_bool(field(type, is_private)) && !has_public_host(rows, messages::id_of(type))) {
      out.push_back(messages::id_of(type));
    }
    return true;
  });
  return out;
}

std::optional<std::int64_t> host_provider(const row_source& rows) {
  const std::array<value, 1> key{provider_handle};
  return rows.first(n().organization.resource, n().organization.handle, key);
}

decision seed_host_provider(draft& d, const rule_context& c) {
  const auto& o = n().organization;
  return decide(
    d,
    c,
    creation(o.resource, {{o.name, "Hosts of this server"}, {o.handle, provider_handle}}));
}

decision
seed_host(draft& d, const rule_context& c, std::int64_t device_type, std::int64_t provider) {
  const auto& a = n().application;
  const auto& r = n().release;
  const auto type = d.get(n().device_type.resource, device_type);
  if (!type) {
    return messages::fail(messages::errc::not_found, "no such device type");
  }
  const auto made = decide(
    d,
    c,
    creation(
      a.resource,
      {{a.app_name, host_name(as_text(field(*type, n().device_type.slug)))},
       {a.organization, provider},
       {a.is_for__device_type, device_type},
       {a.is_of__class, "app"},
       {a.is_host, true},
       {a.is_public, true}}));
  if (!made) {
    return made;
  }
  const auto release = decide(
    d,
    c,
    creation(
      r.resource,
      {{r.belongs_to__application, *made},
       {r.commit, c.random_hex(32)},
       {r.status, "success"},
       {r.start_timestamp, d.now()}}));
  return release ? made : release;
}

}  // namespace slipway::domain
