#include "domain/removal.hpp"

#include "domain/memberships.hpp"
#include "domain/numbers.hpp"
#include "domain/schema.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace slipway::domain {

using messages::as_bool;
using messages::as_int;
using messages::as_text;
using messages::errc;
using messages::fail;
using messages::field;
using messages::result;
using messages::row;
using messages::value;

namespace {

const numbers::table& n() {
  return numbers::get();
}

void add(
  row_refs& out,
  const row_source& rows,
  std::uint16_t resource,
  std::uint16_t reference,
  std::int64_t id) {
  const std::array<value, 1> key{id};
  for (const auto dependent : rows.all(resource, reference, key)) {
    out.emplace_back(resource, dependent);
  }
}

// 0 = there is no such row.
std::int64_t organization_of_fleet_role(const row_source& rows, const row& r) {
  const auto fleet = rows.get(
    n().application.resource,
    as_int(field(r, n().user_application_membership.is_member_of__application)));
  return fleet ? as_int(field(*fleet, n().application.organization)) : 0;
}

std::int64_t organization_of_team_role(const row_source& rows, const row& r) {
  const auto team =
    rows.get(n().team.resource, as_int(field(r, n().team_membership.is_member_of__team)));
  return team ? as_int(field(*team, n().team.belongs_to__organization)) : 0;
}

void add_roles_within(
  row_refs& out,
  const row_source& rows,
  std::int64_t user,
  std::int64_t organization) {
  const std::array<value, 1> key{user};
  const auto& f = n().user_application_membership;
  for (const auto id : rows.all(f.resource, f.user, key)) {
    const auto r = rows.get(f.resource, id);
    if (r && organization_of_fleet_role(rows, *r) == organization) {
      out.emplace_back(f.resource, id);
    }
  }
  const auto& t = n().team_membership;
  for (const auto id : rows.all(t.resource, t.user, key)) {
    const auto r = rows.get(t.resource, id);
    if (r && organization_of_team_role(rows, *r) == organization) {
      out.emplace_back(t.resource, id);
    }
  }
}

bool administers(const row_source& rows, const row& membership) {
  const auto& m = n().organization_membership;
  return role_of(
           rows,
           n().organization_membership_role.resource,
           as_int(field(membership, m.organization_membership_role)))
         == messages::role::administrator;
}

result<void> add_left_organization(row_refs& out, const row_source& rows, const row& membership) {
  const auto& m = n().organization_membership;
  const auto organization = as_int(field(membership, m.is_member_of__organization));
  const std::array<value, 1> key{organization};
  if (rows.all(m.resource, m.is_member_of__organization, key).size() > 1) {
    if (auto ok = check_leaves_administrator(rows, membership); !ok) {
      return ok;
    }
    out.emplace_back(m.resource, messages::id_of(membership));
    return {};
  }
  if (rows.first(n().application.resource, n().application.organization, key)) {
    const auto o = rows.get(n().organization.resource, organization);
    const auto handle = o ? as_text(field(*o, n().organization.handle)) : "";
    return fail(
      errc::rule_violated,
      "the organization " + handle + " has fleets and no other member.");
  }
  out.emplace_back(n().organization.resource, organization);
  return {};
}

// A user goes with the organizations nobody else is in, and leaves the others: these first, for each may still refuse.
result<removal> of_user(const row_source& rows, const row& user) {
  if (is_last_administrator(rows, user)) {
    return fail(
      errc::rule_violated,
      "the last administrator of the platform cannot be removed: make somebody else one first.");
  }
  removal out;
  const auto id = messages::id_of(user);
  const auto& m = n().organization_membership;
  const std::array<value, 1> key{id};
  for (const auto one : rows.all(m.resource, m.user, key)) {
    const auto membership = rows.get(m.resource, one);
    auto ok = membership ? add_left_organization(out.first, rows, *membership) : result<void>{};
    if (!ok) {
      return tl::unexpected(ok.error());
    }
  }
  const auto& f = n().user_application_membership;
  add(out.first, rows, f.resource, f.user, id);
  add(out.first, rows, n().team_membership.resource, n().team_membership.user, id);
  return out;
}

result<removal> of_membership(const row_source& rows, const row& membership) {
  if (auto ok = check_leaves_administrator(rows, membership); !ok) {
    return tl::unexpected(ok.error());
  }
  const auto& m = n().organization_membership;
  removal out;
  add_roles_within(
    out.after,
    rows,
    as_int(field(membership, m.user)),
    as_int(field(membership, m.is_member_of__organization)));
  return out;
}

result<removal> of_application(const row_source& rows, std::int64_t id) {
  const auto& a = n().application;
  const std::array<value, 1> key{id};
  if (rows.first(a.resource, a.is_updated_by__application, key)) {
    return fail(errc::rule_violated, "a block that updates a host application cannot be removed.");
  }
  removal out;
  add(out.first, rows, n().device.resource, n().device.belongs_to__application, id);
  const auto& t = n().team_application_access;
  add(out.first, rows, t.resource, t.grants_access_to__application, id);
  const auto& p = n().application_profile;
  add(out.first, rows, p.resource, p.on__application, id);
  return out;
}

}  // namespace

result<removal> removal_of(const row_source& rows, std::uint16_t resource, std::int64_t id) {
  const auto r = rows.get(resource, id);
  if (!r) {
    return removal{};
  }
  if (resource == n().application.resource) {
    return of_application(rows, id);
  }
  if (resource == n().organization_membership.resource) {
    return of_membership(rows, *r);
  }
  return resource == n().user.resource ? of_user(rows, *r) : removal{};
}

bool is_last_administrator(const row_source& rows, const row& user) {
  const auto& u = n().user;
  if (!as_bool(field(user, u.is_administrator))) {
    return false;
  }
  bool another = false;
  rows.scan(u.resource, 0, [&](const row& r) {
    another = messages::id_of(r) != messages::id_of(user) && as_bool(field(r, u.is_administrator));
    return !another;
  });
  return !another;
}

result<void> check_leaves_administrator(const row_source& rows, const row& membership) {
  if (!administers(rows, membership)) {
    return {};
  }
  const auto& m = n().organization_membership;
  const auto organization = as_int(field(membership, m.is_member_of__organization));
  const std::array<value, 1> key{organization};
  const auto all = rows.all(m.resource, m.is_member_of__organization, key);
  const bool another = std::any_of(all.begin(), all.end(), [&](std::int64_t id) {
    const auto other = rows.get(m.resource, id);
    return id != messages::id_of(membership) && other && administers(rows, *other);
  });
  if (another) {
    return {};
  }
  const auto o = rows.get(n().organization.resource, organization);
  const auto handle = o ? as_text(field(*o, n().organization.handle)) : "";
  return fail(
    errc::rule_violated,
    "nobody else is administrator of the organization " + handle
      + ": make somebody else one first.");
}

row_refs left_over_roles(const row_source& rows) {
  row_refs out;
  const auto& m = n().organization_membership;
  const auto is_member = [&](const value& user, std::int64_t organization) {
    const std::array<value, 2> pair{user, organization};
    return rows.first(m.resource, first_composite, pair).has_value();
  };
  const auto& f = n().user_application_membership;
  rows.scan(f.resource, 0, [&](const row& r) {
    if (!is_member(field(r, f.user), organization_of_fleet_role(rows, r))) {
      out.emplace_back(f.resource, messages::id_of(r));
    }
    return true;
  });
  const auto& t = n().team_membership;
  rows.scan(t.resource, 0, [&](const row& r) {
    if (!is_member(field(r, t.user), organization_of_team_role(rows, r))) {
      out.emplace_back(t.resource, messages::id_of(r));
    }
    return true;
  });
  return out;
}

}  // namespace slipway::domain
