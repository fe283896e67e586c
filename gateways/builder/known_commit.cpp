#include "gateways/builder/known_commit.hpp"

#include "domain/numbers.hpp"

#include <algorithm>
#include <array>

namespace slipway::gateways::builder {

using domain::numbers::get;
using messages::as_bool;
using messages::as_int;
using messages::as_text;
using messages::field;

namespace {

std::string named(std::int64_t release) {
  return release != 0 ? "release " + std::to_string(release) : "no release";
}

}  // namespace

std::optional<known_commit>
find_known_commit(const domain::row_source& rows, std::int64_t fleet, const std::string& commit) {
  const auto& r = get().release;
  const auto& a = get().application;
  const std::array<messages::value, 1> key{commit};
  const auto all = rows.all(r.resource, r.commit, key);
  const auto release = std::find_if(all.begin(), all.end(), [&](std::int64_t id) {
    const auto row = rows.get(r.resource, id);
    return row && as_int(field(*row, r.belongs_to__application)) == fleet
           && as_text(field(*row, r.status)) == "success";
  });
  const auto row = rows.get(a.resource, fleet);
  if (release == all.end() || !row) {
    return std::nullopt;
  }
  const auto runs = as_int(field(*row, a.should_be_running__release));
  const bool tracks = as_bool(field(*row, a.should_track_latest_release));
  const auto about = "There is " + named(*release) + " of this commit";
  if (runs == *release) {
    return known_commit{false, "[Info]    " + about + ": nothing is built"};
  }
  const auto other = ", and the fleet runs " + named(runs);
  return tracks
           ? known_commit{true, "[Error]   " + about + other + ": pin the fleet to it, or push a new commit"}
           : known_commit{false, "[Info]    " + about + other + ": nothing is built"};
}

}  // namespace slipway::gateways::builder
