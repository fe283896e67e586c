#include "domain/model_building.hpp"
#include "domain/numbers.hpp"
#include "domain/row_source.hpp"

#include <iterator>

namespace slipway::domain::building {
namespace {

// The member's name. Clients may give it in place of the user; the rules find who is meant.
describe member_name() {
  return text("username").computed([](const row& r, const row_source& rows) {
    const auto& u = numbers::get().user;
    const auto user = rows.get(u.resource, messages::as_int(messages::field(r, first_own_field)));
    return user ? messages::field(*user, u.username) : value{};
  });
}

// What an invitation has whatever it invites to. The token is kept as its SHA-256.
std::vector<describe> invitation(describe to, std::string role, std::vector<std::string> names) {
  auto of_role = names;
  for (auto& name : of_role) {
    name = "is_of__" + name;
  }
  auto created = names;
  for (auto& name : created) {
    name = "creates__" + name;
  }
  return {
    ref("invitee", "invitee").required().or_text().back(names),
    std::move(to).required(),
    ref(role, role).back(of_role),
    long_text("message").max(10'000),
    ref("is_created_by__user", "user").read_only().back(created),
    text("token").hidden().unique(),
    date("expiry_date").read_only()};
}

std::vector<resource_def> of_organizations() {
  const auto root = entity_kind::organization;
  const std::vector<std::string> invites{
    "invitee__is_invited_to__organization",
    "organization_invite"};
  auto to = ref("is_invited_to__organization", "organization").also({"organization"});
  return {
    resource(
      5,
      "organization_membership",
      {"user__is_member_of__organization"},
      root,
      {"is_member_of__organization"},
      {ref("user", "user")
         .also({"includes__user"})
         .required()
         .back(
           {"organization_membership",
            "is_member_of__organization",
            "user__is_member_of__organization"}),
       ref("is_member_of__organization", "organization")
         .also({"organization"})
         .required()
         .back({"organization_membership", "includes__user", "user__is_member_of__organization"}),
       ref("organization_membership_role", "organization_membership_role")
         .back({"is_of__organization_membership", "is_of__user__is_member_of__organization"}),
       member_name()},
      {{first_composite, {3, 4}, true}}),
    keyed(
      {50,
       "organization_membership_tag",
       {"organization_membership__has__tag_key", "user__is_member_of__organization__has__tag_key"},
       root,
       {"organization_membership", "is_member_of__organization"},
       "organization_membership",
       "tag_key",
       100,
       1000,
       false}),
    resource(
      9,
      "invitee__is_invited_to__organization",
      {"organization_invite"},
      root,
      {"is_invited_to__organization"},
      invitation(
        std::move(to).back(
          {"invitee__is_invited_to__organization", "organization_invite", "invitee"}),
        "organization_membership_role",
        invites),
      {{first_composite, {3, 4}, true}})};
}

std::vector<resource_def> teams() {
  const auto root = entity_kind::organization;
  return {
    resource(
      51,
      "team",
      {},
      root,
      {"belongs_to__organization"},
      {ref("belongs_to__organization", "organization").required().back({"owns__team", "team"}),
       text("name").required(),
       long_text("description").max(10'000)},
      {{first_composite, {3, 4}, true}}),
    resource(
      52,
      "team_membership",
      {"user__is_member_of__team"},
      root,
      {"is_member_of__team", "belongs_to__organization"},
      {ref("user", "user")
         .also({"includes__user"})
         .required()
         .back({"team_membership", "is_member_of__team", "user__is_member_of__team"}),
       ref("is_member_of__team", "team")
         .also({"team"})
         .required()
         .back({"team_membership", "includes__user", "user__is_member_of__team"}),
       member_name()},
      {{first_composite, {3, 4}, true}}),
    resource(
      53,
      "team_application_access",
      {"team__grants_access_to__application"},
      root,
      {"team", "belongs_to__organization"},
      {ref("team", "team")
         .also({"is_accessible_by__team"})
         .required()
         .back(
           {"team_application_access",
            "grants_access_to__application",
            "team__grants_access_to__application"}),
       ref("grants_access_to__application", "application")
         .also({"application"})
         .required()
         .back(
           {"team_application_access",
            "is_accessible_by__team",
            "team__grants_access_to__application"}),
       ref("application_membership_role", "application_membership_role")
         .back({"is_of__team_application_access", "is_of__team__grants_access_to__application"})},
      {{first_composite, {3, 4}, true}})};
}

std::vector<resource_def> of_fleets() {
  const auto root = entity_kind::fleet;
  const std::vector<std::string> invites{
    "invitee__is_invited_to__application",
    "application_invite"};
  auto to = ref("is_invited_to__application", "application").also({"application"});
  return {
    resource(
      37,
      "user_application_membership",
      {"user__is_member_of__application"},
      root,
      {"is_member_of__application"},
      {ref("user", "user")
         .also({"includes__user"})
         .required()
         .back(
           {"user_application_membership",
            "is_member_of__application",
            "user__is_member_of__application"}),
       ref("is_member_of__application", "application")
         .also({"application"})
         .required()
         .back(
           {"user_application_membership", "includes__user", "user__is_member_of__application"}),
       ref("application_membership_role", "application_membership_role")
         .back({"is_of__user_application_membership", "is_of__user__is_member_of__application"}),
       member_name()},
      {{first_composite, {3, 4}, true}}),
    resource(
      38,
      "invitee__is_invited_to__application",
      {"application_invite"},
      root,
      {"is_invited_to__application"},
      invitation(
        std::move(to).back(
          {"invitee__is_invited_to__application", "application_invite", "invitee"}),
        "application_membership_role",
        invites),
      {{first_composite, {3, 4}, true}})};
}

}  // namespace

std::vector<resource_def> memberships() {
  const auto root = entity_kind::catalog;
  std::vector<resource_def> all{
    resource(
      7,
      "organization_membership_role",
      {},
      root,
      {},
      {text("name").required().unique(), text("description")}),
    resource(
      14,
      "application_membership_role",
      {},
      root,
      {},
      {text("name").required().unique(), text("description")}),
    // Somebody who was invited by e-mail address: written together with the invitation, wherever that is.
    resource(8, "invitee", {}, entity_kind::none, {}, {long_text("email").max(320)})};
  for (auto part : {of_organizations(), teams(), of_fleets()}) {
    std::move(part.begin(), part.end(), std::back_inserter(all));
  }
  return all;
}

}  // namespace slipway::domain::building
