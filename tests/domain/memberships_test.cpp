#include "domain/memberships.hpp"

#include "domain/access.hpp"
#include "domain/numbers.hpp"
#include "domain/removal.hpp"
#include "tests/support/installation.hpp"

#include <catch2/catch.hpp>

using namespace slipway;
using domain::action;
using domain::verb;
using messages::errc;
using messages::requester;
using messages::role;

namespace {

/// Ann's organization with two fleets, and people she may take in.
struct company {
  tests::installation i;
  std::int64_t ann = i.given_user("ann"), bob = i.given_user("bob"), eve = i.given_user("eve");
  std::int64_t root = i.given_administrator("root");
  std::int64_t organization = i.organization_of(ann);
  std::int64_t cars = i.given_fleet(ann, "cars"), boats = i.given_fleet(ann, "boats");
  std::int64_t car = i.given_device(cars), boat = i.given_device(boats);

  [[nodiscard]] std::int64_t organization_role(const char* name) const {
    return i.where("organization_membership_role", "name", std::string(name)).at(0);
  }
  [[nodiscard]] std::int64_t fleet_role(const char* name) const {
    return i.where("application_membership_role", "name", std::string(name)).at(0);
  }
  std::int64_t given_member(std::int64_t user, const char* as) {
    return i.given(
      "organization_membership",
      {{"user", user},
       {"is_member_of__organization", organization},
       {"organization_membership_role", organization_role(as)}});
  }
  std::int64_t given_fleet_member(std::int64_t user, std::int64_t fleet, const char* as) {
    return i.given(
      "user_application_membership",
      {{"user", user},
       {"is_member_of__application", fleet},
       {"application_membership_role", fleet_role(as)}});
  }
  [[nodiscard]] bool sees(const requester& by, const char* resource, std::int64_t id) const {
    return domain::access(*i.model, by, i.rows).may_see(i.model->at(resource), i.row(resource, id));
  }
  [[nodiscard]] bool may(const requester& by, verb v, const char* resource, std::int64_t id) const {
    return domain::access(*i.model, by, i.rows)
      .may(v, i.model->at(resource), i.row(resource, id))
      .has_value();
  }
  [[nodiscard]] bool may(const requester& by, action a, const char* resource, std::int64_t id)
    const {
    return domain::access(*i.model, by, i.rows)
      .may_do(a, i.model->at(resource), i.row(resource, id));
  }
};

std::string hash(const char* secret) {
  return std::string("hash of ") + secret;
}

domain::decision
invite(company& c, const requester& by, const char* whom, const char* secret, const char* as) {
  // The gateway adds the hash of the token; a client cannot.
  return c.i.create(
    by,
    "invitee__is_invited_to__organization",
    {{"is_invited_to__organization", c.organization},
     {"invitee", std::string(whom)},
     {"organization_membership_role", c.organization_role(as)},
     {"token", hash(secret)}});
}

domain::decision accept(company& c, const requester& by, const char* secret) {
  messages::accept_invitation cmd;
  cmd.by = by;
  cmd.token_hash = hash(secret);
  return c.i.tell({messages::entity_kind::organization, c.organization}, cmd);
}

}  // namespace

TEST_CASE("an organization's role holds on all of its fleets") {
  company c;
  c.given_member(c.bob, "operator");
  const auto bob = c.i.user(c.bob);
  CHECK(c.sees(bob, "application", c.cars));
  CHECK(c.may(bob, action::control, "device", c.boat));
  CHECK(c.may(bob, verb::change, "device", c.car));
  CHECK_FALSE(c.may(bob, verb::change, "application", c.cars));
  CHECK_FALSE(c.may(bob, action::push_image, "application", c.cars));
  CHECK_FALSE(c.sees(c.i.user(c.eve), "application", c.cars));
}

TEST_CASE(
  "who only belongs to an organization sees it and those fleets he has a role of his own on") {
  company c;
  c.given_member(c.bob, "member");
  CHECK(c.sees(c.i.user(c.bob), "organization", c.organization));
  CHECK_FALSE(c.sees(c.i.user(c.bob), "application", c.cars));
  c.given_fleet_member(c.bob, c.cars, "developer");
  const auto bob = c.i.user(c.bob);
  CHECK(c.may(bob, verb::change, "application", c.cars));
  CHECK_FALSE(c.sees(bob, "application", c.boats));
  CHECK_FALSE(c.sees(bob, "device", c.boat));
}

TEST_CASE("the higher one of two roles counts") {
  company c;
  c.given_member(c.bob, "observer");
  CHECK_FALSE(c.may(c.i.user(c.bob), action::tunnel, "device", c.car));
  c.given_fleet_member(c.bob, c.cars, "operator");
  CHECK(c.may(c.i.user(c.bob), action::tunnel, "device", c.car));
  CHECK_FALSE(c.may(c.i.user(c.bob), action::tunnel, "device", c.boat));
  c.given_member(c.eve, "developer");
  c.given_fleet_member(c.eve, c.cars, "observer");
  CHECK(c.may(c.i.user(c.eve), verb::change, "application", c.cars));
}

TEST_CASE("a team's role on a fleet is that of its members") {
  company c;
  c.given_member(c.bob, "member");
  const auto team =
    c.i.given("team", {{"belongs_to__organization", c.organization}, {"name", "drivers"}});
  const auto in_team =
    c.i.given("team_membership", {{"user", c.bob}, {"is_member_of__team", team}});
  CHECK_FALSE(c.sees(c.i.user(c.bob), "device", c.car));
  c.i.given(
    "team_application_access",
    {{"team", team},
     {"grants_access_to__application", c.cars},
     {"application_membership_role", c.fleet_role("operator")}});
  CHECK(c.may(c.i.user(c.bob), action::control, "device", c.car));
  CHECK_FALSE(c.sees(c.i.user(c.bob), "device", c.boat));
  REQUIRE(c.i.remove(c.i.user(c.ann), "team_membership", in_team));
  CHECK_FALSE(c.sees(c.i.user(c.bob), "device", c.car));
}

TEST_CASE("a member of a team may be named, and has to be a member of the team's organization") {
  company c;
  c.given_member(c.bob, "member");
  const auto team =
    c.i.given("team", {{"belongs_to__organization", c.organization}, {"name", "drivers"}});
  const auto join = [&](const char* name) {
    return c.i.create(
      c.i.user(c.ann),
      "team_membership",
      {{"username", std::string(name)}, {"is_member_of__team", team}});
  };
  CHECK(join("bob"));
  CHECK_FALSE(join("eve"));
  CHECK_FALSE(join("nobody"));
  const auto in_team = c.i.where("team_membership", "is_member_of__team", team);
  REQUIRE(in_team.size() == 1);
  CHECK_FALSE(c.i.change(c.i.user(c.ann), "team_membership", in_team[0], {{"user", c.eve}}));
  CHECK_FALSE(
    c.i.change(c.i.user(c.ann), "team_membership", in_team[0], {{"username", std::string("eve")}}));
}

TEST_CASE("an observer sees devices and logs, and no value of a variable") {
  company c;
  c.given_member(c.bob, "observer");
  const auto variable = c.i.given(
    "application_environment_variable",
    {{"application", c.cars}, {"name", "SECRET"}, {"value", "x"}});
  const auto of_device = c.i.given(
    "device_environment_variable",
    {{"device", c.car}, {"name", "SECRET"}, {"value", "x"}});
  const auto bob = c.i.user(c.bob);
  CHECK(c.sees(bob, "device", c.car));
  CHECK(c.may(bob, action::read_logs, "device", c.car));
  CHECK_FALSE(c.sees(bob, "application_environment_variable", variable));
  CHECK_FALSE(c.sees(bob, "device_environment_variable", of_device));
  for (const auto a : {action::read_state, action::inspect, action::control, action::tunnel}) {
    CHECK_FALSE(c.may(bob, a, "device", c.car));
  }
  for (const auto v : {verb::change, verb::remove}) {
    CHECK_FALSE(c.may(bob, v, "device", c.car));
    CHECK_FALSE(c.may(bob, v, "application", c.cars));
  }
}

TEST_CASE("a role ends with the membership, on fleets too") {
  company c;
  const auto membership = c.given_member(c.bob, "member");
  c.given_fleet_member(c.bob, c.cars, "administrator");
  CHECK(c.may(c.i.user(c.bob), verb::change, "application", c.cars));
  REQUIRE(c.i.remove(c.i.user(c.ann), "organization_membership", membership));
  CHECK_FALSE(c.sees(c.i.user(c.bob), "application", c.cars));
  CHECK_FALSE(c.sees(c.i.user(c.bob), "organization", c.organization));
}

TEST_CASE("what a leaving member had on fleets and in teams goes after it") {
  company c;
  const auto membership = c.given_member(c.bob, "member");
  const auto on_fleet = c.given_fleet_member(c.bob, c.cars, "observer");
  const auto team =
    c.i.given("team", {{"belongs_to__organization", c.organization}, {"name", "drivers"}});
  const auto in_team =
    c.i.given("team_membership", {{"user", c.bob}, {"is_member_of__team", team}});
  const auto& n = domain::numbers::get();
  const auto goes = domain::removal_of(c.i.rows, n.organization_membership.resource, membership);
  const domain::row_refs roles{
    {n.user_application_membership.resource, on_fleet},
    {n.team_membership.resource, in_team}};
  REQUIRE(goes);
  CHECK(goes->first.empty());
  CHECK(goes->after == roles);
  // As a crash between the two would leave it.
  CHECK(domain::left_over_roles(c.i.rows).empty());
  REQUIRE(c.i.remove(tests::installation::platform(), "organization_membership", membership));
  CHECK(domain::left_over_roles(c.i.rows) == roles);
}

TEST_CASE("an organization's only administrator does not go, and nothing of it is touched") {
  company c;
  const auto& n = domain::numbers::get();
  const auto own = c.i.where("organization_membership", "user", c.ann);
  REQUIRE(own.size() == 1);
  c.given_fleet_member(c.ann, c.cars, "observer");
  const auto goes = domain::removal_of(c.i.rows, n.organization_membership.resource, own.front());
  REQUIRE_FALSE(goes);
  CHECK(goes.error().code == messages::errc::rule_violated);
}

TEST_CASE("a fleet's administrator manages its members, not the organization's") {
  company c;
  const auto of_bob = c.given_member(c.bob, "member");
  const auto of_eve = c.given_member(c.eve, "member");
  c.given_fleet_member(c.bob, c.cars, "administrator");
  const auto bob = c.i.user(c.bob);
  CHECK(c.i.create(
    bob,
    "user_application_membership",
    {{"username", "eve"}, {"is_member_of__application", c.cars}}));
  CHECK_FALSE(c.i.create(
    bob,
    "user_application_membership",
    {{"username", "eve"}, {"is_member_of__application", c.boats}}));
  const auto administrator = c.organization_role("administrator");
  for (const auto m : {of_bob, of_eve}) {
    CHECK_FALSE(c.i.change(
      bob,
      "organization_membership",
      m,
      {{"organization_membership_role", administrator}}));
  }
  CHECK_FALSE(c.i.remove(bob, "organization_membership", of_eve));
}

TEST_CASE("a member is added by name, without being known before") {
  company c;
  const auto ann = c.i.user(c.ann);
  const auto added = c.i.create(
    ann,
    "organization_membership",
    {{"username", "bob"}, {"is_member_of__organization", c.organization}});
  REQUIRE(added);
  CHECK(c.i.id_of("organization_membership", *added, "user") == c.bob);
  CHECK(
    c.i.id_of("organization_membership", *added, "organization_membership_role")
    == c.organization_role("member"));
  CHECK_FALSE(c.i.create(
    ann,
    "organization_membership",
    {{"username", "nobody"}, {"is_member_of__organization", c.organization}}));
  // By id only who is seen already: else ids could be tried for the names behind them.
  CHECK_FALSE(c.i.create(
    ann,
    "organization_membership",
    {{"user", c.eve}, {"is_member_of__organization", c.organization}}));
}

TEST_CASE("a member of a fleet is a member of its organization") {
  company c;
  CHECK_FALSE(c.i.create(
    c.i.user(c.ann),
    "user_application_membership",
    {{"username", "bob"}, {"is_member_of__application", c.cars}}));
}

TEST_CASE("the last administrator of an organization is neither removed nor demoted") {
  company c;
  const auto own = c.i.where("organization_membership", "user", c.ann).at(0);
  const auto ann = c.i.user(c.ann);
  const auto demote = [&] {
    return c.i.change(
      ann,
      "organization_membership",
      own,
      {{"organization_membership_role", c.organization_role("developer")}});
  };
  CHECK_FALSE(c.i.remove(ann, "organization_membership", own));
  CHECK_FALSE(c.i.remove(c.i.user(c.root), "organization_membership", own));
  CHECK_FALSE(demote());
  c.given_member(c.bob, "administrator");
  CHECK(demote());
  CHECK(c.i.remove(c.i.user(c.bob), "organization_membership", own));
}

TEST_CASE("a member leaves by himself, and does not promote himself") {
  company c;
  const auto own = c.given_member(c.bob, "observer");
  const auto bob = c.i.user(c.bob);
  CHECK_FALSE(c.i.change(
    bob,
    "organization_membership",
    own,
    {{"organization_membership_role", c.organization_role("administrator")}}));
  CHECK(c.i.remove(bob, "organization_membership", own));
}

TEST_CASE("who is developer of one fleet cannot carry it off to an organization of his own") {
  company c;
  c.given_member(c.bob, "member");
  c.given_fleet_member(c.bob, c.cars, "administrator");
  const auto there = c.i.organization_of(c.bob);
  CHECK_FALSE(c.i.change(c.i.user(c.bob), "application", c.cars, {{"organization", there}}));
  c.given_member(c.eve, "developer");
  CHECK_FALSE(c.i.change(
    c.i.user(c.eve),
    "application",
    c.cars,
    {{"organization", c.i.organization_of(c.eve)}}));
}

TEST_CASE("an invitation is taken up once by whoever has its token") {
  company c;
  REQUIRE(invite(c, c.i.user(c.ann), "bob@example.org", "a secret", "operator"));
  const auto bob = c.i.user(c.bob);
  CHECK_FALSE(accept(c, bob, "a guess"));
  CHECK_FALSE(accept(c, tests::installation::guest(), "a secret"));
  REQUIRE(accept(c, bob, "a secret"));
  CHECK(domain::role_in(c.i.user(c.bob).organizations, c.organization) == role::operator_);
  CHECK(c.i.count("invitee") == 0);
  const auto again = accept(c, c.i.user(c.eve), "a secret");
  REQUIRE_FALSE(again);
  CHECK(again.error().code == errc::not_found);
}

TEST_CASE("an invitation runs out") {
  company c;
  REQUIRE(invite(c, c.i.user(c.ann), "bob", "a secret", "operator"));
  c.i.now += 8LL * 24 * 3600 * 1000;
  CHECK_FALSE(accept(c, c.i.user(c.bob), "a secret"));
}

TEST_CASE("an invitation raises a member's role and never lowers it") {
  company c;
  c.given_member(c.bob, "developer");
  REQUIRE(invite(c, c.i.user(c.ann), "bob", "one", "observer"));
  REQUIRE(accept(c, c.i.user(c.bob), "one"));
  CHECK(domain::role_in(c.i.user(c.bob).organizations, c.organization) == role::developer);
  REQUIRE(invite(c, c.i.user(c.ann), "bob", "two", "administrator"));
  REQUIRE(accept(c, c.i.user(c.bob), "two"));
  CHECK(domain::role_in(c.i.user(c.bob).organizations, c.organization) == role::administrator);
}

TEST_CASE("only administrators invite, and see who is invited") {
  company c;
  c.given_member(c.bob, "developer");
  CHECK_FALSE(invite(c, c.i.user(c.bob), "eve", "a secret", "observer"));
  const auto made = invite(c, c.i.user(c.ann), "eve", "a secret", "observer");
  REQUIRE(made);
  const auto invitee = c.i.id_of("invitee__is_invited_to__organization", *made, "invitee");
  CHECK(c.i.text_of("invitee", invitee, "email") == "eve");
  CHECK(c.sees(c.i.user(c.ann), "invitee", invitee));
  CHECK_FALSE(c.sees(c.i.user(c.bob), "invitee", invitee));
  CHECK_FALSE(c.sees(c.i.user(c.bob), "invitee__is_invited_to__organization", *made));
  CHECK_FALSE(invite(c, c.i.user(c.ann), "EVE", "another", "observer"));
  REQUIRE(c.i.remove(c.i.user(c.ann), "invitee__is_invited_to__organization", *made));
  CHECK_FALSE(accept(c, c.i.user(c.eve), "a secret"));
}

TEST_CASE("a key that only reads reads") {
  company c;
  auto by = c.i.user_by_key(c.ann);
  domain::narrow(by, {true, {}, {}}, c.i.rows);
  CHECK(c.sees(by, "device", c.car));
  CHECK(c.may(by, action::read_logs, "device", c.car));
  CHECK_FALSE(c.may(by, verb::change, "device", c.car));
  CHECK_FALSE(c.may(by, action::control, "device", c.car));
  CHECK_FALSE(c.may(by, action::make_key, "device", c.car));
  CHECK_FALSE(c.i.create(by, "organization", {{"name", "mine"}}));
}

TEST_CASE("a key that was made for one fleet reaches that fleet") {
  company c;
  auto by = c.i.user_by_key(c.ann);
  domain::narrow(by, {false, {}, {c.cars}}, c.i.rows);
  CHECK(c.may(by, verb::change, "application", c.cars));
  CHECK(c.may(by, action::tunnel, "device", c.car));
  CHECK(c.sees(by, "organization", c.organization));
  CHECK(c.sees(by, "user", c.ann));
  CHECK_FALSE(c.sees(by, "application", c.boats));
  CHECK_FALSE(c.sees(by, "device", c.boat));
  CHECK_FALSE(c.may(by, verb::change, "organization", c.organization));
  CHECK_FALSE(c.sees(
    by,
    "organization_membership",
    c.i.where("organization_membership", "user", c.ann).at(0)));
  CHECK_FALSE(c.i.create(by, "organization", {{"name", "mine"}}));
  CHECK_FALSE(c.i.change(by, "user", c.ann, {{"email", "other@example.org"}}));
}

TEST_CASE("a narrowed key follows the role of its owner, also an administrator's") {
  company c;
  c.given_member(c.bob, "observer");
  auto by = c.i.user_by_key(c.bob);
  domain::narrow(by, {false, {c.organization}, {}}, c.i.rows);
  CHECK(c.sees(by, "device", c.car));
  CHECK_FALSE(c.may(by, verb::change, "device", c.car));
  CHECK_FALSE(c.sees(by, "organization", c.i.organization_of(c.bob)));
  auto root = c.i.user_by_key(c.root);
  domain::narrow(root, {false, {}, {c.cars}}, c.i.rows);
  CHECK(c.may(root, verb::change, "application", c.cars));
  CHECK_FALSE(c.sees(root, "application", c.boats));
  CHECK_FALSE(c.sees(root, "user", c.eve));
}

TEST_CASE("a scope reads as it was stored, and one that cannot be read leaves nothing") {
  const messages::key_scope scope{true, {1, 2}, {3}};
  CHECK(domain::scope_of(domain::stored_scope(scope)) == scope);
  CHECK(messages::is_null(domain::stored_scope({})));
  for (const auto* text : {"", "[]", "{", "7"}) {
    company c;
    auto by = c.i.user_by_key(c.ann);
    domain::narrow(by, domain::scope_of(messages::json_text{text}), c.i.rows);
    CHECK_FALSE(c.sees(by, "application", c.cars));
    CHECK_FALSE(c.may(by, verb::change, "user", c.ann));
  }
}

TEST_CASE("a key is narrowed to what its owner has, and by nobody else") {
  company c;
  messages::add_key cmd;
  cmd.by = c.i.user(c.bob);
  cmd.of_actor = cmd.by.actor;
  cmd.key_hash = "hash";
  cmd.scope.fleets = {c.cars};
  CHECK_FALSE(c.i.tell({messages::entity_kind::user, c.bob}, cmd));
  c.given_member(c.bob, "observer");
  cmd.by = c.i.user(c.bob);
  const auto made = c.i.tell({messages::entity_kind::user, c.bob}, cmd);
  REQUIRE(made);
  CHECK(domain::scope_of(c.i.of("api_key", *made, "scope")) == cmd.scope);
}

TEST_CASE(
  "a provisioning key is used as often as it may, and a failed registration is given back") {
  company c;
  messages::add_key cmd;
  cmd.by = c.i.user(c.ann);
  cmd.of_actor = c.i.id_of("application", c.cars, "actor");
  cmd.key_hash = "hash";
  cmd.uses = 2;
  const messages::entity_ref fleet{messages::entity_kind::fleet, c.cars};
  const auto key = c.i.tell(fleet, cmd);
  REQUIRE(key);
  CHECK(c.i.tell(fleet, messages::use_key{*key, false}));
  CHECK(c.i.tell(fleet, messages::use_key{*key, false}));
  CHECK_FALSE(c.i.tell(fleet, messages::use_key{*key, false}));
  CHECK(c.i.tell(fleet, messages::use_key{*key, true}));
  CHECK(c.i.tell(fleet, messages::use_key{*key, false}));
  CHECK_FALSE(c.i.tell(fleet, messages::use_key{*key, false}));
  CHECK_FALSE(c.i.tell({messages::entity_kind::fleet, c.boats}, messages::use_key{*key, true}));
  cmd.uses = 0;
  cmd.key_hash = "another";
  const auto endless = c.i.tell(fleet, cmd);
  REQUIRE(endless);
  CHECK(c.i.tell(fleet, messages::use_key{*endless, false}));
  CHECK(c.i.events.empty());
}
