#include "tests/support/installation.hpp"

#include <catch2/catch.hpp>

using namespace slipway;
using messages::errc;
using messages::null;

namespace {

bool breaks_a_rule(const domain::decision& d) {
  return !d && d.error().code == errc::rule_violated;
}

struct one_fleet {
  tests::installation i;
  std::int64_t user = i.given_user("ann");
  messages::requester ann = i.user(user);
  std::int64_t fleet = i.given_fleet(user, "cars");
};

}  // namespace

TEST_CASE("two successful releases of a fleet do not carry the same label, unless one is invalid") {
  one_fleet f;
  const auto first = f.i.given_release(f.fleet);
  const auto second = f.i.given_release(f.fleet);
  REQUIRE(f.i.change(f.ann, "release", first, {{"release_version", "spring"}}));
  CHECK(breaks_a_rule(f.i.change(f.ann, "release", second, {{"release_version", "spring"}})));
  REQUIRE(f.i.change(f.ann, "release", first, {{"is_invalidated", true}}));
  CHECK(f.i.change(f.ann, "release", second, {{"release_version", "spring"}}));
  CHECK(breaks_a_rule(f.i.change(f.ann, "release", first, {{"is_invalidated", false}})));
}

TEST_CASE("only fleets activate profiles, whose names are one word") {
  one_fleet f;
  const auto block = f.i.given(
    "application",
    {{"app_name", "sensor"},
     {"organization", f.i.organization_of(f.user)},
     {"is_for__device_type", f.i.id_of("application", f.fleet, "is_for__device_type")},
     {"is_of__class", "block"}});
  const auto activate = [&](std::int64_t by, const std::string& name) {
    return f.i.create(
      f.ann,
      "application_profile",
      {{"application", by}, {"activates__profile_name", name}, {"on__application", block}});
  };
  CHECK(activate(f.fleet, "debug"));
  CHECK(breaks_a_rule(activate(block, "debug")));
  CHECK(breaks_a_rule(activate(f.fleet, "two words")));
  CHECK(breaks_a_rule(activate(f.fleet, "")));
}
