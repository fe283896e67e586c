#include "tests/support/installation.hpp"

#include <catch2/catch.hpp>

using namespace slipway;
using messages::errc;

namespace {

bool breaks_a_rule(const domain::decision& d) {
  return !d && d.error().code == errc::rule_violated;
}

}  // namespace

TEST_CASE("a new user has an actor, an organization of his own and a membership in it") {
  tests::installation i;
  const auto ann = i.given_user("Ann.Smith");
  CHECK(i.id_of("user", ann, "actor") != 0);
  CHECK(i.text_of("user", ann, "jwt_secret").size() == 32);
  const auto organization = i.organization_of(ann);
  CHECK(i.text_of("organization", organization, "name") == "Ann.Smith");
  CHECK(i.text_of("organization", organization, "handle") == "ann_smith");
  CHECK(i.count("organization_membership") == 1);
}

TEST_CASE("a handle that is taken gets the next free number") {
  tests::installation i;
  const auto first = i.given_user("ann");
  const auto second = i.given_user("ANN");
  const auto third = i.given_user("ann.");
  CHECK(i.text_of("organization", i.organization_of(first), "handle") == "ann");
  CHECK(i.text_of("organization", i.organization_of(second), "handle") == "ann_2");
  CHECK(i.text_of("organization", i.organization_of(third), "handle") == "ann_3");
}

TEST_CASE("user names and e-mail addresses are checked") {
  tests::installation i;
  const auto made = [&](const char* name, messages::value email) {
    return i.create(
      tests::installation::platform(),
      "user",
      {{"username", name}, {"email", std::move(email)}, {"password", "a hash"}});
  };
  CHECK(made("ann-1_x.y", "ann@example.org"));
  CHECK(made("bob", messages::null{}));
  CHECK(breaks_a_rule(made("", messages::null{})));
  CHECK(breaks_a_rule(made("two words", messages::null{})));
  CHECK(breaks_a_rule(made("a/b", messages::null{})));
  CHECK(breaks_a_rule(made(std::string(74, 'a').c_str(), messages::null{})));
  CHECK(breaks_a_rule(made("carol", "nowhere")));
  CHECK(breaks_a_rule(made("carol", "@nowhere")));
  CHECK(breaks_a_rule(made("carol", "carol@")));
}

TEST_CASE("a user without a password is not made") {
  tests::installation i;
  CHECK(breaks_a_rule(i.create(tests::installation::platform(), "user", {{"username", "ann"}})));
  CHECK(i.count("user") == 0);
}

TEST_CASE("a new password ends the sessions of the old one, another change does not") {
  tests::installation i;
  const auto root = i.given_administrator("root");
  const auto ann = i.given_user("ann");
  const auto before = i.text_of("user", ann, "jwt_secret");
  REQUIRE(i.change(i.user(ann), "user", ann, {{"email", "ann@example.org"}}));
  CHECK(i.text_of("user", ann, "jwt_secret") == before);
  REQUIRE(i.change(i.user(root), "user", ann, {{"password", "another hash"}}));
  CHECK(i.text_of("user", ann, "jwt_secret") != before);
}

TEST_CASE("who founds an organization is its member") {
  tests::installation i;
  const auto ann = i.given_user("ann");
  const auto id = i.create(i.user(ann), "organization", {{"name", "Blue Sky, Ltd."}});
  REQUIRE(id);
  CHECK(i.text_of("organization", *id, "handle") == "blue_sky_ltd");
  CHECK(i.user(ann).organizations.size() == 2);
}

TEST_CASE("a given handle has lower-case letters, digits and underscores only") {
  tests::installation i;
  const auto ann = i.user(i.given_user("ann"));
  CHECK(i.create(ann, "organization", {{"name", "x"}, {"handle", "blue_sky_1"}}));
  CHECK(breaks_a_rule(i.create(ann, "organization", {{"name", "x"}, {"handle", "Blue"}})));
  CHECK(breaks_a_rule(i.create(ann, "organization", {{"name", "x"}, {"handle", "a/b"}})));
  const auto own = i.organization_of(ann.id);
  CHECK(breaks_a_rule(i.change(ann, "organization", own, {{"handle", "a b"}})));
}

TEST_CASE("an organization goes with its memberships, but not while it has fleets") {
  tests::installation i;
  const auto ann = i.given_user("ann");
  const auto organization = i.organization_of(ann);
  const auto fleet = i.given_fleet(ann, "cars");
  CHECK(breaks_a_rule(i.remove(i.user(ann), "organization", organization)));
  REQUIRE(i.remove(i.user(ann), "application", fleet));
  CHECK(i.remove(i.user(ann), "organization", organization));
  CHECK(i.count("organization_membership") == 0);
}

TEST_CASE("a removed user takes his keys along") {
  tests::installation i;
  const auto root = i.given_administrator("root");
  const auto ann = i.given_user("ann");
  messages::add_key key;
  key.by = i.user(ann);
  key.of_actor = key.by.actor;
  key.key_hash = "hash";
  REQUIRE(i.tell({messages::entity_kind::user, ann}, key));
  REQUIRE(i.remove(i.user(root), "user", ann));
  CHECK(i.count("api_key") == 0);
}

TEST_CASE(
  "a key is refused when it is told to the wrong entity, is not the asker's or is named at "
  "length") {
  tests::installation i;
  const auto ann = i.given_user("ann");
  const auto bob = i.given_user("bob");
  messages::add_key key;
  key.by = i.user(ann);
  key.of_actor = key.by.actor;
  key.key_hash = "hash";
  const messages::entity_ref of_ann{messages::entity_kind::user, ann};
  const auto misdirected = i.tell({messages::entity_kind::user, bob}, key);
  CHECK((!misdirected && misdirected.error().code == errc::not_found));
  key.name = std::string(51, 'n');
  CHECK(breaks_a_rule(i.tell(of_ann, key)));
  key.name = "n";
  key.by = i.user(bob);
  const auto foreign = i.tell(of_ann, key);
  CHECK((!foreign && foreign.error().code == errc::unauthorized));
  CHECK(i.count("api_key") == 0);
}

TEST_CASE("required fields, lengths and words of an enumeration are checked for every resource") {
  tests::installation i;
  const auto ann = i.user(i.given_user("ann"));
  const auto fleet = i.given_fleet(ann.id, "cars");
  CHECK(breaks_a_rule(i.create(ann, "organization", {{"name", messages::null{}}})));
  CHECK(breaks_a_rule(i.create(ann, "organization", {{"name", std::string(101, 'n')}})));
  CHECK(i.create(ann, "organization", {{"name", std::string(100, 'n')}}));
  CHECK(breaks_a_rule(i.change(ann, "application", fleet, {{"is_of__class", "zoo"}})));
  CHECK(breaks_a_rule(i.change(ann, "application", fleet, {{"app_name", messages::null{}}})));
  CHECK(breaks_a_rule(
    i.change(ann, "application", fleet, {{"is_for__device_type", std::int64_t{4711}}})));
}

TEST_CASE(
  "a command on a row that is not there is not found, and one without a change makes no event") {
  tests::installation i;
  const auto ann = i.given_user("ann");
  messages::change_row cmd;
  cmd.by = i.user(ann);
  cmd.resource = i.model->at("user").number;
  cmd.id = 4711;
  const auto missing = i.tell({messages::entity_kind::user, 4711}, cmd);
  CHECK((!missing && missing.error().code == errc::not_found));
  REQUIRE(i.change(i.user(ann), "user", ann, {{"username", "ann"}}));
  CHECK(i.events.empty());
}
