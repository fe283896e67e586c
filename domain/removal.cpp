#include "domain/numbers.hpp"
#include "domain/rules.hpp"

#include <array>

namespace slipway::domain {

using messages::as_int;
using messages::field;
using messages::value;

namespace {

using row_refs = std::vector<std::pair<std::uint16_t, std::int64_t>>;

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

/// What an organization's fleets and teams know of somebody who leaves it: else he found old rights again when he comes back.
void add_within(
  row_refs& out,
  const row_source& rows,
  std::int64_t user,
  std::int64_t organization) {
  const std::array<value, 1> key{user};
  const auto& f = n().user_application_membership;
  for (const auto id : rows.all(f.resource, f.user, key)) {
    const auto r = rows.get(f.resource, id);
    const auto fleet =
      r ? rows.get(n().application.resource, as_int(field(*r, f.is_member_of__application)))
        : std::nullopt;
    if (fleet && field(*fleet, n().application.organization) == value(organization)) {
      out.emplace_back(f.resource, id);
    }
  }
  const auto& t = n().team_membership;
  for (const auto id : rows.all(t.resource, t.user, key)) {
    const auto r = rows.get(t.resource, id);
    const auto team =
      r ? rows.get(n().team.resource, as_int(field(*r, t.is_member_of__team))) : std::nullopt;
    if (team && field(*team, n().team.belongs_to__organization) == value(organization)) {
      out.emplace_back(t.resource, id);
    }
  }
}

/// A user goes with the organizations nobody else is in, and leaves the others.
void add_organizations(row_refs& out, const row_source& rows, std::int64_t user) {
  const auto& m = n().organization_membership;
  const std::array<value, 1> key{user};
  for (const auto id : rows.all(m.resource, m.user, key)) {
    const auto r = rows.get(m.resource, id);
    if (!r) {
      continue;
    }
    const std::array<value, 1> of{field(*r, m.is_member_of__organization)};
    const bool alone = rows.all(m.resource, m.is_member_of__organization, of).size() == 1;
    out.emplace_back(
      alone ? n().organization.resource : m.resource,
      alone ? as_int(of.front()) : id);
  }
}

}  // namespace

row_refs removed_first(const row_source& rows, std::uint16_t resource, std::int64_t id) {
  row_refs out;
  if (resource == n().application.resource) {
    add(out, rows, n().device.resource, n().device.belongs_to__application, id);
    const auto& t = n().team_application_access;
    add(out, rows, t.resource, t.grants_access_to__application, id);
    const auto& p = n().application_profile;
    add(out, rows, p.resource, p.on__application, id);
  } else if (resource == n().organization_membership.resource) {
    const auto& m = n().organization_membership;
    if (const auto r = rows.get(resource, id)) {
      add_within(
        out,
        rows,
        as_int(field(*r, m.user)),
        as_int(field(*r, m.is_member_of__organization)));
    }
  } else if (resource == n().user.resource) {
    const auto& f = n().user_application_membership;
    add(out, rows, f.resource, f.user, id);
    add(out, rows, n().team_membership.resource, n().team_membership.user, id);
    add_organizations(out, rows, id);
  }
  return out;
}

}  // namespace slipway::domain
