#include "domain/device_status.hpp"
#include "domain/numbers.hpp"
#include "domain/rules.hpp"

#include <algorithm>
#include <array>

/// What follows from a change in streams of others.
namespace slipway::domain {
namespace {

using messages::as_int;
using messages::field;
using messages::field_value;
using messages::is_null;
using messages::value;
using rows_to_refresh = std::vector<std::pair<std::uint16_t, std::int64_t>>;

const numbers::table& n() {
  return numbers::get();
}

bool touches(std::span<const field_value> values, std::initializer_list<std::uint16_t> fields) {
  return std::any_of(values.begin(), values.end(), [&](const field_value& v) {
    return std::find(fields.begin(), fields.end(), v.field) != fields.end();
  });
}

std::vector<std::int64_t> services_of(const row_source& rows, std::int64_t release) {
  std::vector<std::int64_t> out;
  const auto& link = n().release_image;
  const std::array<value, 1> key{release};
  for (const auto id : rows.all(link.resource, link.is_part_of__release, key)) {
    const auto r = rows.get(link.resource, id);
    const auto image =
      r ? rows.get(n().image.resource, as_int(field(*r, link.image))) : std::nullopt;
    if (image) {
      out.push_back(as_int(field(*image, n().image.is_a_build_of__service)));
    }
  }
  return out;
}

bool has_all(
  const row_source& rows,
  std::int64_t device,
  const std::vector<std::int64_t>& services) {
  return std::all_of(services.begin(), services.end(), [&](std::int64_t service) {
    const std::array<value, 2> pair{device, service};
    return rows.first(n().service_install.resource, first_composite, pair).has_value();
  });
}

// Devices that follow the fleet and have no row yet for some service of its target.
rows_to_refresh without_installs(const row_source& rows, std::int64_t fleet) {
  const auto& d = n().device;
  rows_to_refresh out;
  const auto application = rows.get(n().application.resource, fleet);
  if (!application) {
    return out;
  }
  const auto& target = field(*application, n().application.should_be_running__release);
  const auto services =
    is_null(target) ? std::vector<std::int64_t>{} : services_of(rows, as_int(target));
  if (services.empty()) {
    return out;
  }
  const std::array<value, 1> key{fleet};
  for (const auto id : rows.all(d.resource, d.belongs_to__application, key)) {
    const auto device = rows.get(d.resource, id);
    const bool follows = device && is_null(field(*device, d.is_pinned_on__release));
    if (follows && !has_all(rows, id, services)) {
      out.emplace_back(d.resource, id);
    }
  }
  return out;
}

}  // namespace

rows_to_refresh changed_after(
  const row_source& rows,
  std::uint16_t resource,
  std::int64_t id,
  std::span<const field_value> values) {
  const auto& a = n().application;
  const auto& r = n().release;
  rows_to_refresh out;
  if (resource == n().organization.resource && touches(values, {n().organization.handle})) {
    const std::array<value, 1> key{id};
    for (const auto fleet : rows.all(a.resource, a.organization, key)) {
      out.emplace_back(a.resource, fleet);
    }
  } else if (
    resource == a.resource
    && touches(values, {a.should_be_running__release, a.should_track_latest_release})) {
    out = without_installs(rows, id);
  } else if (
    resource == r.resource
    && touches(values, {r.status, r.is_final, r.is_invalidated, r.is_passing_tests})) {
    if (const auto release = rows.get(r.resource, id)) {
      out = without_installs(rows, as_int(field(*release, r.belongs_to__application)));
    }
  }
  return out;
}

}  // namespace slipway::domain
