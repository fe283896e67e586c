#include "domain/model_building.hpp"
#include "domain/numbers.hpp"
#include "domain/row_source.hpp"

#include <algorithm>
#include <array>

namespace slipway::domain::building {
namespace {

// What `user.has_direct_access_to__application` lists: nothing of others, and of the requester the fleets of its organizations.
std::vector<std::int64_t>
direct_applications(const row& user, const messages::requester& by, const row_source& rows) {
  std::vector<std::int64_t> out;
  if (by.kind != messages::requester_kind::user || messages::id_of(user) != by.id) {
    return out;
  }
  const auto& a = numbers::get().application;
  for (const auto& organization : by.organizations) {
    if (organization.as <= messages::role::member) {
      continue;
    }
    const std::array<value, 1> key{organization.of};
    const auto owned = rows.all(a.resource, a.organization, key);
    out.insert(out.end(), owned.begin(), owned.end());
  }
  for (const auto& fleet : by.fleets) {
    out.push_back(fleet.of);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

constexpr std::uint16_t application_number = 20;

}  // namespace

std::vector<resource_def> accounts() {
  return {
    resource(1, "actor", {}, entity_kind::none, {}, {}),
    resource(
      2,
      "user",
      {},
      entity_kind::user,
      {},
      {ref("actor", "actor").read_only(),
       text("username").required().unique().max(73),
       text("email").unique(),
       text("password").hidden(),
       text("jwt_secret").hidden(),
       flag("is_administrator", false).read_only(),
       // Of the second factor: the shared secret, whether logins ask for it, and the last time step that was used, so that no code
       // works twice.
       text("two_factor_secret").hidden(),
       boolean("has_two_factor_enabled").read_only().otherwise(false),
       integer("two_factor_last_step").hidden(),
       // Clients set it to ask for a mail; there is none to send.
       boolean("has_been_sent_verification_email").otherwise(false),
       // What names are compared by: letters of either case are the same.
       text("username_key").hidden().unique(),
       text("email_key").hidden().unique(),
       // Hashes of the codes that stand in for the second factor once each, separated by spaces.
       long_text("two_factor_recovery_codes").hidden()},
      {},
      {{{"has_direct_access_to__application"}, application_number, 0, false, direct_applications}}),
    // The secret itself is not kept, only its SHA-256.
    resource(
      3,
      "api_key",
      {},
      entity_kind::none,
      {},
      {text("key").hidden().unique(),
       ref("is_of__actor", "actor").read_only().back({"api_key"}),
       text("name").max(50),
       text("description").max(150),
       date("expiry_date"),
       // What the key may do of what its owner may: a list of words; null = everything.
       json("scope").read_only(),
       // How often it may still be used; null = without end.
       integer("remaining_uses").read_only()}),
    resource(
      6,
      "user_public_key",
      {"user__has__public_key"},
      entity_kind::user,
      {"user"},
      {ref("user", "user").required().back({"user_public_key", "user__has__public_key"}),
       text("title").required().max(120),
       long_text("public_key").required().max(2850)},
      {{first_composite, {3, 5}, true}}),
    // A login that has not ended. Tokens name theirs, so removing the row ends it.
    resource(
      54,
      "login_session",
      {},
      entity_kind::user,
      {"user"},
      {ref("user", "user").required().read_only().back({"login_session"}),
       date("authenticated_at").read_only(),
       date("expires_at").read_only(),
       text("client").read_only(),
       text("address").read_only()}),
    resource(
      4,
      "organization",
      {},
      entity_kind::organization,
      {},
      {text("name").required().max(100), text("handle").unique().max(100)}),
  };
}

}  // namespace slipway::domain::building
