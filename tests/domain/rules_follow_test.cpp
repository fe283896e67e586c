#include "domain/numbers.hpp"
#include "tests/support/installation.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace slipway;
using messages::null;
using messages::value;

namespace {

using ids = std::vector<std::int64_t>;

/// Two devices of a fleet with one release and a device of another fleet.
struct fleets {
  tests::installation i;
  std::int64_t user = i.given_user("ann");
  messages::requester ann = i.user(user);
  std::int64_t cars = i.given_fleet(user, "cars");
  std::int64_t boats = i.given_fleet(user, "boats");
  std::int64_t first = i.given_device(cars, "a");
  std::int64_t second = i.given_device(cars, "b");
  std::int64_t elsewhere = i.given_device(boats, "c");

  /// What follows a change of these fields to these values, of one kind of row.
  ids after(
    std::string_view resource,
    std::int64_t id,
    const tests::named_values& values,
    std::string_view followers) const {
    const auto& def = i.model->at(resource);
    std::vector<messages::field_value> given;
    for (const auto& [name, v] : values) {
      given.push_back({def.field(name), v});
    }
    ids out;
    for (const auto& [other, row] : domain::changed_after(i.rows, def.number, id, given)) {
      CHECK(other == i.model->at(followers).number);
      out.push_back(row);
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  /// As the server does: the platform changes nothing of the row.
  void follow(std::string_view resource, std::int64_t id) {
    REQUIRE(i.change(tests::installation::platform(), resource, id, {}));
  }
  [[nodiscard]] std::size_t installs(std::int64_t device) const {
    return i.where("service_install", "device", device).size();
  }
};

}  // namespace

TEST_CASE("the fleets of an organization follow its handle, and get their slugs from it") {
  fleets f;
  const auto organization = f.i.organization_of(f.user);
  auto both = ids{f.cars, f.boats};
  std::sort(both.begin(), both.end());
  CHECK(f.after("organization", organization, {{"handle", "new"}}, "application") == both);
  CHECK(f.after("organization", organization, {{"name", "New"}}, "application").empty());
  REQUIRE(f.i.change(f.ann, "organization", organization, {{"handle", "new"}}));
  f.follow("application", f.cars);
  CHECK(f.i.text_of("application", f.cars, "slug") == "new/cars");
}

TEST_CASE("devices follow their fleet's new target until each has an install of its services") {
  fleets f;
  const auto release = f.i.given_release(f.cars, {"main", "other"});
  auto both = ids{f.first, f.second};
  std::sort(both.begin(), both.end());
  CHECK(
    f.after("application", f.cars, {{"should_be_running__release", release}}, "device") == both);
  f.follow("device", f.first);
  CHECK(f.installs(f.first) == 2);
  CHECK(
    f.after("application", f.cars, {{"should_be_running__release", release}}, "device")
    == ids{f.second});
  f.follow("device", f.second);
  CHECK(
    f.after("application", f.cars, {{"should_be_running__release", release}}, "device").empty());
  CHECK(f.installs(f.elsewhere) == 0);
}

TEST_CASE("devices follow a release that becomes their fleet's target in any way") {
  fleets f;
  const auto release = f.i.given_release(f.cars);
  for (const auto* field : {"status", "is_final", "is_invalidated", "is_passing_tests"}) {
    CHECK(f.after("release", release, {{field, value{}}}, "device").size() == 2);
  }
  CHECK(f.after("release", release, {{"note", "x"}}, "device").empty());
  CHECK(f.after("application", f.cars, {{"app_name", "vans"}}, "device").empty());
  CHECK(
    f.after("application", f.cars, {{"should_track_latest_release", true}}, "device").size() == 2);
}

TEST_CASE("a pinned device does not follow its fleet") {
  fleets f;
  const auto old = f.i.given_release(f.cars);
  REQUIRE(f.i.change(f.ann, "device", f.first, {{"is_pinned_on__release", old}}));
  CHECK(f.installs(f.first) == 1);
  const auto release = f.i.given_release(f.cars, {"other"});
  CHECK(
    f.after("application", f.cars, {{"should_be_running__release", release}}, "device")
    == ids{f.second});
}

TEST_CASE("nothing follows a fleet without a target or a row that is gone") {
  fleets f;
  CHECK(f.after("application", f.cars, {{"should_be_running__release", null{}}}, "device").empty());
  CHECK(f.after("application", 4711, {{"should_be_running__release", null{}}}, "device").empty());
  CHECK(f.after("release", 4711, {{"status", "success"}}, "device").empty());
}
