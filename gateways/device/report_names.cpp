#include "gateways/device/report_names.hpp"

#include "domain/numbers.hpp"

#include <utility>

namespace slipway::gateways::device {
namespace {

using domain::numbers::get;
using messages::as_int;
using messages::field;
using messages::value;
using found = std::optional<std::int64_t>;

found release_by_commit(
  const domain::row_source& rows,
  std::int64_t application,
  const std::string& commit) {
  const auto& r = get().release;
  const std::array<value, 2> key{application, commit};
  found best;
  for (const auto id : rows.all(r.resource, domain::first_composite, key)) {
    const auto row = rows.get(r.resource, id);
    if (row && (!best || messages::as_text(field(*row, r.status)) == "success")) {
      best = id;
    }
  }
  return best;
}

bool builds_service_of(
  const domain::row_source& rows,
  std::int64_t application,
  std::int64_t image) {
  const auto& n = get();
  const auto row = rows.get(n.image.resource, image);
  const auto service =
    row ? rows.get(n.service.resource, as_int(field(*row, n.image.is_a_build_of__service)))
        : std::nullopt;
  return service && as_int(field(*service, n.service.application)) == application;
}

found image_by_location(
  const domain::row_source& rows,
  std::int64_t application,
  const std::string& location) {
  const auto& n = get();
  const std::array<value, 1> key{location};
  const auto id = rows.first(n.image.resource, n.image.is_stored_at__image_location, key);
  return id && builds_service_of(rows, application, *id) ? id : std::nullopt;
}

}  // namespace

found report_names::release(std::int64_t application, const std::string& commit) {
  return find(application, commit, &fleet::releases, release_by_commit);
}

found report_names::image(std::int64_t application, const std::string& location) {
  return find(application, location, &fleet::images, image_by_location);
}

bool report_names::has_release(std::int64_t application, std::int64_t release) const {
  const auto& r = get().release;
  const auto row = s_->store.rows->view()->get(r.resource, release);
  return row && as_int(field(*row, r.belongs_to__application)) == application;
}

bool report_names::has_image(std::int64_t application, std::int64_t image) const {
  return builds_service_of(*s_->store.rows->view(), application, image);
}

found report_names::find(
  std::int64_t application,
  const std::string& name,
  names fleet::*kind,
  look_up how) {
  // Read before the rows: a change in between makes the entry stale, never wrong.
  const auto change = s_->target_changes->read({messages::entity_kind::fleet, application});
  auto& s = shards_[static_cast<std::size_t>(application) % shards_.size()];
  {
    const std::lock_guard lock(s.mutex);
    if (const auto it = s.fleets.find(application);
        it != s.fleets.end() && it->second.change == change) {
      const auto& known = it->second.*kind;
      if (const auto hit = known.find(name); hit != known.end()) {
        return hit->second;
      }
    }
  }
  const auto id = how(*s_->store.rows->view(), application, name);
  if (!id) {
    return std::nullopt;
  }
  const std::lock_guard lock(s.mutex);
  if (s.fleets.size() >= fleets_max) {
    s.fleets.clear();
  }
  auto& f = s.fleets[application];
  if (f.change != change || (f.*kind).size() >= names_per_fleet_max) {
    f = fleet{};
    f.change = change;
  }
  (f.*kind).insert_or_assign(name, *id);
  return id;
}

}  // namespace slipway::gateways::device
