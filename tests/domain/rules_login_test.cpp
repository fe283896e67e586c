#include "domain/login_rules.hpp"
#include "domain/removal.hpp"
#include "tests/support/installation.hpp"

#include <catch2/catch.hpp>

using namespace slipway;
using messages::errc;
using messages::null;

namespace {

const auto platform = tests::installation::platform();

bool breaks_a_rule(const domain::decision& d) {
  return !d && d.error().code == errc::rule_violated;
}

std::int64_t given_session(tests::installation& i, std::int64_t user, std::int64_t expires) {
  return i.given(
    "login_session",
    {{"user", user}, {"authenticated_at", i.now}, {"expires_at", expires}, {"client", "test"}});
}

domain::decision change(tests::installation& i, std::int64_t user, tests::named_values values) {
  return i.change(platform, "user", user, std::move(values));
}

}  // namespace

TEST_CASE("names and addresses are found by keys in small letters, which follow them") {
  tests::installation i;
  const auto ann = i.given_user("Ann");
  CHECK(i.text_of("user", ann, "username_key") == "ann");
  REQUIRE(change(i, ann, {{"username", "ANNA"}, {"email", "Ann@Example.ORG"}}));
  CHECK(i.text_of("user", ann, "username_key") == "anna");
  CHECK(i.text_of("user", ann, "email_key") == "ann@example.org");
  REQUIRE(change(i, ann, {{"email", null{}}}));
  CHECK(messages::is_null(i.of("user", ann, "email_key")));
}

TEST_CASE("a new password ends all sessions of its user and of nobody else") {
  tests::installation i;
  const auto ann = i.given_user("ann");
  const auto bob = i.given_user("bob");
  const auto session = given_session(i, ann, i.now + 1000);
  const auto other = given_session(i, bob, i.now + 1000);
  const auto secret = i.text_of("user", ann, "jwt_secret");
  REQUIRE(change(i, ann, {{"password", "another hash"}}));
  CHECK_FALSE(i.exists("login_session", session));
  CHECK(i.exists("login_session", other));
  CHECK(i.text_of("user", ann, "jwt_secret") != secret);
}

TEST_CASE("a login sweeps sessions that are over, and the one that ends first makes room") {
  tests::installation i;
  const auto ann = i.given_user("ann");
  const auto over = given_session(i, ann, i.now - 1);
  const auto first = given_session(i, ann, i.now + 1);
  CHECK_FALSE(i.exists("login_session", over));
  for (std::size_t n = 1; n < domain::sessions_max; ++n) {
    given_session(i, ann, i.now + 1000);
  }
  CHECK(i.exists("login_session", first));
  CHECK(i.count("login_session") == domain::sessions_max);
  given_session(i, ann, i.now + 1000);
  CHECK_FALSE(i.exists("login_session", first));
  CHECK(i.count("login_session") == domain::sessions_max);
}

TEST_CASE("only the platform makes sessions") {
  tests::installation i;
  const auto ann = i.given_user("ann");
  CHECK_FALSE(
    i.create(i.user(ann), "login_session", {{"user", ann}, {"expires_at", i.now + 1000}}));
}

TEST_CASE("the time step of a code only grows, until there is another secret") {
  tests::installation i;
  const auto ann = i.given_user("ann");
  REQUIRE(change(i, ann, {{"two_factor_secret", "A"}, {"two_factor_last_step", null{}}}));
  REQUIRE(change(i, ann, {{"two_factor_last_step", std::int64_t{7}}}));
  CHECK(breaks_a_rule(change(i, ann, {{"two_factor_last_step", std::int64_t{7}}})));
  CHECK(breaks_a_rule(change(i, ann, {{"two_factor_last_step", std::int64_t{6}}})));
  CHECK(change(i, ann, {{"two_factor_last_step", std::int64_t{8}}}));
  CHECK(change(i, ann, {{"two_factor_secret", "B"}, {"two_factor_last_step", null{}}}));
  CHECK(change(i, ann, {{"two_factor_last_step", std::int64_t{1}}}));
}

TEST_CASE("a recovery code that is used cannot be used or brought back by a use at the same time") {
  tests::installation i;
  const auto ann = i.given_user("ann");
  REQUIRE(change(i, ann, {{"two_factor_recovery_codes", "a b c"}}));
  const auto without_a = domain::without_recovery_code("a b c", "a");
  const auto without_b = domain::without_recovery_code("a b c", "b");
  REQUIRE((without_a && without_b));
  CHECK_FALSE(domain::without_recovery_code("a b c", "d"));
  REQUIRE(change(i, ann, {{"two_factor_recovery_codes", *without_a}}));
  CHECK(breaks_a_rule(change(i, ann, {{"two_factor_recovery_codes", *without_a}})));
  CHECK(breaks_a_rule(change(i, ann, {{"two_factor_recovery_codes", *without_b}})));
  CHECK(change(i, ann, {{"two_factor_recovery_codes", "x y"}}));
  CHECK(change(i, ann, {{"two_factor_recovery_codes", "x"}}));
  CHECK(change(i, ann, {{"two_factor_recovery_codes", ""}}));
  CHECK(breaks_a_rule(change(i, ann, {{"two_factor_recovery_codes", ""}})));
}

TEST_CASE("a user goes with its memberships and the organizations that nobody else is in") {
  tests::installation i;
  i.given_administrator("root");
  const auto ann = i.given_user("ann");
  const auto own = i.organization_of(ann);
  const auto gone = domain::removal_of(i.rows, i.model->at("user").number, ann);
  REQUIRE(gone);
  REQUIRE(gone->first.size() == 1);
  CHECK(gone->first.front() == std::pair(i.model->at("organization").number, own));
  CHECK(gone->after.empty());
}

TEST_CASE("a user stays while others depend on it") {
  tests::installation i;
  const auto root = i.given_administrator("root");
  const auto ann = i.given_user("ann");
  const auto refused = [&](std::int64_t user, const char* words) {
    const auto gone = domain::removal_of(i.rows, i.model->at("user").number, user);
    CHECK_FALSE(i.remove(platform, "user", user));
    return !gone && gone.error().code == errc::rule_violated
           && gone.error().detail.find(words) != std::string::npos;
  };
  CHECK(refused(root, "last administrator"));
  CHECK(breaks_a_rule(i.change(platform, "user", root, {{"is_administrator", false}})));
  i.given_fleet(ann, "cars");
  CHECK(refused(ann, "has fleets"));
  // With another member in it that is no administrator.
  const auto bob = i.given_user("bob");
  const auto member = i.where("organization_membership_role", "name", "member");
  REQUIRE(member.size() == 1);
  const auto joined = i.given(
    "organization_membership",
    {{"user", bob},
     {"is_member_of__organization", i.organization_of(ann)},
     {"organization_membership_role", member.front()}});
  CHECK(refused(ann, "nobody else is administrator"));
  const auto administrator = i.where("organization_membership_role", "name", "administrator");
  REQUIRE(i.change(
    platform,
    "organization_membership",
    joined,
    {{"organization_membership_role", administrator.front()}}));
  const auto gone = domain::removal_of(i.rows, i.model->at("user").number, ann);
  REQUIRE(gone);
  CHECK(gone->first.size() == 1);
  CHECK(gone->first.front().first == i.model->at("organization_membership").number);
}

TEST_CASE("an SSH key that is none is not kept, and one that is loses its line end") {
  tests::installation i;
  const auto ann = i.given_user("ann");
  const std::string key =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICnjLNMSqHPvltDpS/8HxG8LKkgPp/Yo97TT+5Pa8wM2";
  const auto add = [&](const std::string& line) {
    return i.create(
      i.user(ann),
      "user_public_key",
      {{"user", ann}, {"title", "laptop"}, {"public_key", line}});
  };
  CHECK(breaks_a_rule(add("ssh-ed25519 AAAA")));
  CHECK(breaks_a_rule(add(key + "\nssh-rsa AAAA")));
  const auto made = add("  " + key + " ann@laptop \n");
  REQUIRE(made);
  CHECK(i.text_of("user_public_key", *made, "public_key") == key + " ann@laptop");
  CHECK(breaks_a_rule(i.change(i.user(ann), "user_public_key", *made, {{"public_key", "x"}})));
}
