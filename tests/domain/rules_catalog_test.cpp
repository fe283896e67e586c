#include "domain/seed.hpp"
#include "tests/support/installation.hpp"

#include <catch2/catch.hpp>

using namespace slipway;
using messages::errc;
using messages::value;

namespace {

bool breaks_a_rule(const domain::decision& d) {
  return !d && d.error().code == errc::rule_violated;
}

struct catalog {
  tests::installation i;
  messages::requester platform = tests::installation::platform();
  std::int64_t chip = i.where("cpu_architecture", "slug", "amd64").at(0);

  domain::decision add_type(const std::string& slug) {
    return i.create(
      platform,
      "device_type",
      {{"slug", slug}, {"name", "A board"}, {"is_of__cpu_architecture", chip}});
  }
};

}  // namespace

TEST_CASE("a device type's slug is its alias from the start and stays one") {
  catalog c;
  const auto type = c.add_type("milking-robot");
  REQUIRE(type);
  const auto alias = c.i.where("device_type_alias", "is_referenced_by__alias", "milking-robot");
  REQUIRE(alias.size() == 1);
  CHECK(c.i.id_of("device_type_alias", alias[0], "device_type") == *type);
  CHECK(breaks_a_rule(c.i.remove(c.platform, "device_type_alias", alias[0])));
  CHECK(breaks_a_rule(c.i.change(
    c.platform,
    "device_type_alias",
    alias[0],
    {{"is_referenced_by__alias", "another"}})));
  // A new slug is one more alias; the old one may go then.
  REQUIRE(c.i.change(c.platform, "device_type", *type, {{"slug", "robot"}}));
  CHECK(c.i.where("device_type_alias", "is_referenced_by__alias", "robot").size() == 1);
  CHECK(c.i.remove(c.platform, "device_type_alias", alias[0]));
}

TEST_CASE("a device type cannot take a slug that means another type") {
  catalog c;
  const auto type = c.add_type("milking-robot");
  REQUIRE(type);
  REQUIRE(c.i.create(
    c.platform,
    "device_type_alias",
    {{"device_type", *type}, {"is_referenced_by__alias", "robot"}}));
  CHECK(breaks_a_rule(c.add_type("robot")));
  CHECK(breaks_a_rule(c.add_type("Robot")));
  CHECK(breaks_a_rule(c.add_type("two words")));
}

TEST_CASE("a device type goes with its aliases, but not while fleets or devices have it") {
  catalog c;
  const auto user = c.i.given_user("ann");
  const auto fleet = c.i.given_fleet(user, "cars");
  const auto used = c.i.id_of("application", fleet, "is_for__device_type");
  CHECK(breaks_a_rule(c.i.remove(c.platform, "device_type", used)));
  const auto type = c.add_type("milking-robot");
  REQUIRE(type);
  const auto device = c.i.given_device(fleet);
  REQUIRE(c.i.change(c.platform, "device", device, {{"is_of__device_type", *type}}));
  CHECK(breaks_a_rule(c.i.remove(c.platform, "device_type", *type)));
  REQUIRE(c.i.remove(c.platform, "device", device));
  REQUIRE(c.i.remove(c.platform, "device_type", *type));
  CHECK(c.i.where("device_type_alias", "is_referenced_by__alias", "milking-robot").empty());
}

TEST_CASE("architectures, application types and roles that are used cannot be removed") {
  catalog c;
  c.i.given_fleet(c.i.given_user("ann"), "cars");
  CHECK(breaks_a_rule(c.i.remove(c.platform, "cpu_architecture", c.chip)));
  const auto kind = c.i.where("application_type", "slug", "default").at(0);
  CHECK(breaks_a_rule(c.i.remove(c.platform, "application_type", kind)));
  const auto role = c.i.where("application_membership_role", "name", "developer").at(0);
  CHECK(breaks_a_rule(c.i.remove(c.platform, "application_membership_role", role)));
  CHECK(breaks_a_rule(
    c.i.change(c.platform, "application_membership_role", role, {{"description", "x"}})));
}

TEST_CASE("every public device type is supported once hosts are seeded, and only once") {
  catalog c;
  const auto types = domain::types_without_host(c.i.rows);
  CHECK(types.size() == c.i.count("device_type"));
  CHECK_FALSE(domain::host_provider(c.i.rows));
  const auto provider = c.i.seed(messages::entity_kind::organization, domain::seed_host_provider);
  REQUIRE(provider);
  CHECK(domain::host_provider(c.i.rows) == *provider);
  for (const auto type : types) {
    const auto made = c.i.seed(messages::entity_kind::fleet, [&](auto& d, const auto& context) {
      return domain::seed_host(d, context, type, *provider);
    });
    REQUIRE(made);
    INFO(c.i.text_of("application", *made, "slug"));
    const auto releases = c.i.where("release", "belongs_to__application", *made);
    REQUIRE(releases.size() == 1);
    // Clients show no version for it, because there is no image of it.
    CHECK(c.i.text_of("release", releases[0], "raw_version") == "0.0.0");
    CHECK(c.i.of("release", releases[0], "is_final") == value{true});
    CHECK(c.i.of("application", *made, "is_host") == value{true});
    CHECK(c.i.of("application", *made, "is_archived") == value{false});
  }
  CHECK(domain::types_without_host(c.i.rows).empty());
}

TEST_CASE("a private device type, and one with a host of its own, needs no seeded host") {
  catalog c;
  const auto before = domain::types_without_host(c.i.rows);
  const auto hidden = c.add_type("secret-board");
  REQUIRE(hidden);
  CHECK(domain::types_without_host(c.i.rows).size() == before.size() + 1);
  REQUIRE(c.i.change(c.platform, "device_type", *hidden, {{"is_private", true}}));
  CHECK(domain::types_without_host(c.i.rows) == before);
  const auto organization = c.i.given("organization", {{"name", "balena_os"}});
  c.i.given(
    "application",
    {{"app_name", "intel-nuc"},
     {"organization", organization},
     {"is_for__device_type", before.front()},
     {"is_host", true},
     {"is_public", true}});
  CHECK(domain::types_without_host(c.i.rows).size() == before.size() - 1);
}
