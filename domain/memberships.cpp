#include "domain/memberships.hpp"

#include "domain/access.hpp"
#include "domain/numbers.hpp"
#include "messages/json.hpp"

#include <algorithm>
#include <array>

namespace slipway::domain {
namespace {

using messages::as_int;
using messages::as_text;
using messages::field;
using messages::membership;
using messages::requester;
using messages::role;
using messages::value;

const numbers::table& n() {
  return numbers::get();
}

constexpr std::array role_names{
  std::pair("administrator", role::administrator),
  std::pair("developer", role::developer),
  std::pair("operator", role::operator_),
  std::pair("observer", role::observer),
  std::pair("member", role::member)};

/// Calls `use` with each row whose field is this id.
template <class Use>
void each_row(
  const row_source& rows,
  std::uint16_t resource,
  std::uint16_t number,
  std::int64_t id,
  Use use) {
  const std::array<value, 1> key{id};
  for (const auto found : rows.all(resource, number, key)) {
    if (const auto r = rows.get(resource, found)) {
      use(*r);
    }
  }
}

bool contains(const std::vector<membership>& memberships, std::int64_t of) {
  return std::any_of(memberships.begin(), memberships.end(), [of](const membership& m) {
    return m.of == of;
  });
}

bool contains(const std::vector<std::int64_t>& ids, std::int64_t id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

std::int64_t organization_of(const row_source& rows, std::int64_t application) {
  const auto r = rows.get(n().application.resource, application);
  return r ? as_int(field(*r, n().application.organization)) : 0;
}

// A role on a fleet counts only while its user belongs to the fleet's organization: who left has left all of it.
void add_fleet(requester& by, const row_source& rows, std::int64_t application, role as) {
  if (as != role::none && contains(by.organizations, organization_of(rows, application))) {
    by.fleets.push_back({application, as});
  }
}

void add_organizations(requester& by, const row_source& rows) {
  const auto& m = n().organization_membership;
  each_row(rows, m.resource, m.user, by.id, [&](const messages::row& r) {
    const auto as = role_of(
      rows,
      n().organization_membership_role.resource,
      as_int(field(r, m.organization_membership_role)));
    by.organizations.push_back(
      {as_int(field(r, m.is_member_of__organization)), std::max(as, role::member)});
  });
}

void add_fleets(requester& by, const row_source& rows) {
  const auto& m = n().user_application_membership;
  const auto roles = n().application_membership_role.resource;
  each_row(rows, m.resource, m.user, by.id, [&](const messages::row& r) {
    const auto as = role_of(rows, roles, as_int(field(r, m.application_membership_role)));
    add_fleet(by, rows, as_int(field(r, m.is_member_of__application)), as);
  });
  const auto& t = n().team_membership;
  const auto& a = n().team_application_access;
  each_row(rows, t.resource, t.user, by.id, [&](const messages::row& in_team) {
    const auto team = as_int(field(in_team, t.is_member_of__team));
    each_row(rows, a.resource, a.team, team, [&](const messages::row& r) {
      const auto as = role_of(rows, roles, as_int(field(r, a.application_membership_role)));
      add_fleet(by, rows, as_int(field(r, a.grants_access_to__application)), as);
    });
  });
}

std::vector<std::int64_t> ids_of(const nlohmann::json& j, const char* name) {
  std::vector<std::int64_t> ids;
  for (const auto& id : j.value(name, nlohmann::json::array())) {
    ids.push_back(id.is_number_integer() ? id.get<std::int64_t>() : -1);
  }
  return ids;
}

}  // namespace

role role_of(const row_source& rows, std::uint16_t role_resource, std::int64_t id) {
  const auto r = id == 0 ? std::nullopt : rows.get(role_resource, id);
  const auto name = r ? as_text(field(*r, n().organization_membership_role.name)) : std::string();
  const auto* const it = std::find_if(role_names.begin(), role_names.end(), [&](const auto& known) {
    return known.first == name;
  });
  return it == role_names.end() ? role::none : it->second;
}

std::int64_t row_of_role(const row_source& rows, std::uint16_t role_resource, role wanted) {
  const auto* const it =
    std::find_if(role_names.begin(), role_names.end(), [wanted](const auto& known) {
      return known.second == wanted;
    });
  if (it == role_names.end()) {
    return 0;
  }
  const std::array<value, 1> key{std::string(it->first)};
  return rows.first(role_resource, n().organization_membership_role.name, key).value_or(0);
}

std::optional<requester> requester_of_user(const row_source& rows, std::int64_t user) {
  const auto r = rows.get(n().user.resource, user);
  if (!r) {
    return std::nullopt;
  }
  requester by;
  by.kind = messages::requester_kind::user;
  by.id = user;
  by.actor = as_int(field(*r, n().user.actor));
  by.administrator = messages::as_bool(field(*r, n().user.is_administrator));
  add_organizations(by, rows);
  add_fleets(by, rows);
  return by;
}

void narrow(requester& by, const messages::key_scope& scope, const row_source& rows) {
  by.scope = scope;
  if (scope.organizations.empty() && scope.fleets.empty()) {
    return;
  }
  const auto all = by;
  by.administrator = false;
  by.organizations.clear();
  by.fleets.clear();
  for (const auto organization : scope.organizations) {
    const auto as =
      all.administrator ? role::administrator : role_in(all.organizations, organization);
    if (as != role::none) {
      by.organizations.push_back({organization, as});
    }
  }
  for (const auto& own : all.fleets) {
    if (contains(scope.organizations, organization_of(rows, own.of))) {
      by.fleets.push_back(own);
    }
  }
  for (const auto fleet : scope.fleets) {
    const auto organization = organization_of(rows, fleet);
    const auto as = all.administrator ? role::administrator : role_on(all, organization, fleet);
    if (organization == 0 || as == role::none) {
      continue;
    }
    by.fleets.push_back({fleet, as});
    if (!contains(by.organizations, organization)) {
      by.organizations.push_back({organization, role::none});  // seen, as what the fleet is of
    }
  }
}

messages::key_scope scope_of(const value& stored) {
  messages::key_scope scope;
  if (messages::is_null(stored)) {
    return scope;
  }
  const auto* text = std::get_if<messages::json_text>(&stored);
  const auto j = messages::parse_json(text == nullptr ? "" : text->text);
  if (!j || !j->is_object()) {
    scope.read_only = true;
    scope.fleets = {-1};
    return scope;
  }
  scope.read_only = j->value("readOnly", nlohmann::json()) == true;
  scope.organizations = ids_of(*j, "organizations");
  scope.fleets = ids_of(*j, "applications");
  return scope;
}

value stored_scope(const messages::key_scope& scope) {
  if (scope == messages::key_scope{}) {
    return messages::null{};
  }
  nlohmann::json j{{"readOnly", scope.read_only}};
  if (!scope.organizations.empty()) {
    j["organizations"] = scope.organizations;
  }
  if (!scope.fleets.empty()) {
    j["applications"] = scope.fleets;
  }
  return messages::json_text{messages::dump_json(j)};
}

}  // namespace slipway::domain
