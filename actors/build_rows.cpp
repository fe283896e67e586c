#include "actors/build_rows.hpp"

#include "domain/build_life.hpp"
#include "domain/numbers.hpp"
#include "domain/release_images.hpp"
#include "runtime/log.hpp"

#include <algorithm>
#include <array>
#include <map>

namespace slipway::actors {
namespace {

using messages::as_int;
using messages::as_text;
using messages::field;
using messages::row;
using messages::value;
namespace status = domain::build_status;

const domain::numbers::table& n() {
  return domain::numbers::get();
}

/// The fleet's newest successful release but this one, 0 = none.
std::int64_t last_success(const domain::row_source& rows, std::int64_t fleet, std::int64_t but) {
  const auto& r = n().release;
  const std::array<value, 1> key{fleet};
  const auto ids = rows.all(r.resource, r.belongs_to__application, key);
  const auto found = std::find_if(ids.rbegin(), ids.rend(), [&](std::int64_t id) {
    const auto release = id == but ? std::nullopt : rows.get(r.resource, id);
    return release && as_text(field(*release, r.status)) == "success";
  });
  return found == ids.rend() ? 0 : *found;
}

}  // namespace

std::optional<build_facts> facts_of(const domain::row_source& rows, std::int64_t build) {
  const auto& b = n().build;
  const auto found = rows.get(b.resource, build);
  const auto release =
    found ? rows.get(n().release.resource, as_int(field(*found, b.release))) : std::nullopt;
  if (!release) {
    return std::nullopt;
  }
  build_facts out;
  out.build = build;
  out.release = messages::id_of(*release);
  out.fleet = as_int(field(*release, n().release.belongs_to__application));
  out.status = as_text(field(*found, b.status));
  out.source = as_text(field(*found, b.source));
  out.ref = as_text(field(*found, b.git_ref));
  out.commit = as_text(field(*release, n().release.commit));
  out.release_status = as_text(field(*release, n().release.status));
  return out;
}

std::optional<build_facts> facts_of_release(const domain::row_source& rows, std::int64_t release) {
  const std::array<value, 1> key{release};
  const auto ids = rows.all(n().build.resource, n().build.release, key);
  return ids.empty() ? std::nullopt : facts_of(rows, ids.back());
}

std::vector<build_facts> unfinished_builds(const domain::row_source& rows) {
  std::vector<build_facts> out;
  for (const auto open : {status::queued, status::running, status::pushed}) {
    const std::array<value, 1> key{std::string(open)};
    for (const auto id : rows.all(n().build.resource, n().build.status, key)) {
      if (auto facts = facts_of(rows, id)) {
        out.push_back(std::move(*facts));
      }
    }
  }
  return out;
}

std::vector<messages::image_place>
places_of(const domain::row_source& rows, std::int64_t fleet, std::int64_t release) {
  const auto& i = n().image;
  const auto of_last = domain::images_of_release(rows, last_success(rows, fleet, release));
  const std::map<std::string, row> before(of_last.begin(), of_last.end());
  std::vector<messages::image_place> out;
  for (const auto& [service, image] : domain::images_of_release(rows, release)) {
    messages::image_place place;
    place.service = service;
    place.location = as_text(field(image, i.is_stored_at__image_location));
    const auto old = before.find(service);
    const auto digest =
      old == before.end() ? std::string() : as_text(field(old->second, i.content_hash));
    if (!digest.empty()) {
      place.previous = as_text(field(old->second, i.is_stored_at__image_location)) + "@" + digest;
    }
    out.push_back(std::move(place));
  }
  return out;
}

messages::result<bool> ref_moved(
  const build_world& w,
  std::int64_t fleet,
  const std::string& ref,
  const std::string& commit) {
  const auto at = w.ref_of(fleet, ref);
  if (!at) {
    runtime::log::error(
      "a repository cannot be read",
      {{"fleet", std::to_string(fleet)}, {"reason", at.error().detail}});
    return tl::unexpected(at.error());
  }
  return *at == commit;
}

messages::result<messages::advance_build>
end_of_orphan(const build_world& w, const build_facts& b, const std::string& reason) {
  messages::result<bool> moved = b.status == status::pushed;
  if (*moved && b.source == "git") {
    moved = ref_moved(w, b.fleet, b.ref, b.commit);
  }
  return moved.map([&](bool yes) {
    messages::advance_build end;
    end.build = b.build;
    end.status = yes ? status::released : status::failed;
    end.error = yes ? std::string() : reason;
    return end;
  });
}

}  // namespace slipway::actors
