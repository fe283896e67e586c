#include "domain/user_removal.hpp"

#include "domain/numbers.hpp"

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

using removals = std::vector<std::pair<std::uint16_t, std::int64_t>>;

const numbers::table& n() {
  return numbers::get();
}

bool is_last_administrator(const row_source& rows, const row& user) {
  const auto& u = n().user;
  bool another = false;
  rows.scan(u.resource, 0, [&](const row& r) {
    another = messages::id_of(r) != messages::id_of(user) && as_bool(field(r, u.is_administrator));
    return !another;
  });
  return as_bool(field(user, u.is_administrator)) && !another;
}

/// A membership from before there were roles counts as an administrator's.
bool is_administrator(const row_source& rows, const row& membership) {
  const auto& m = n().organization_membership;
  const auto& role = field(membership, m.organization_membership_role);
  const auto r = rows.get(n().organization_membership_role.resource, as_int(role));
  return !r || as_text(field(*r, n().organization_membership_role.name)) == "administrator";
}

/// What leaving this organization removes.
result<std::pair<std::uint16_t, std::int64_t>>
leave(const row_source& rows, const row& membership, std::int64_t user) {
  const auto& m = n().organization_membership;
  const auto organization = as_int(field(membership, m.is_member_of__organization));
  const std::array<value, 1> key{organization};
  bool others = false;
  bool other_administrator = false;
  for (const auto id : rows.all(m.resource, m.is_member_of__organization, key)) {
    const auto other = rows.get(m.resource, id);
    if (other && as_int(field(*other, m.user)) != user) {
      others = true;
      other_administrator = other_administrator || is_administrator(rows, *other);
    }
  }
  const auto o = rows.get(n().organization.resource, organization);
  const auto handle = o ? as_text(field(*o, n().organization.handle)) : "";
  if (!others) {
    return rows.first(n().application.resource, n().application.organization, key)
             ? result<std::pair<std::uint16_t, std::int64_t>>(fail(
               errc::rule_violated,
               "the organization " + handle + " has fleets and no other member."))
             : std::pair(n().organization.resource, organization);
  }
  if (!other_administrator && is_administrator(rows, membership)) {
    return fail(
      errc::rule_violated,
      "nobody else is administrator of the organization " + handle + ".");
  }
  return std::pair(m.resource, messages::id_of(membership));
}

}  // namespace

result<removals> removed_before_user(const row_source& rows, std::int64_t user) {
  const auto self = rows.get(n().user.resource, user);
  if (!self) {
    return fail(errc::not_found, "no such user");
  }
  if (is_last_administrator(rows, *self)) {
    return fail(errc::rule_violated, "the last administrator cannot be removed.");
  }
  removals out;
  const std::array<value, 1> key{user};
  const auto& teams = n().team_membership;
  const auto& fleets = n().user_application_membership;
  for (const auto id : rows.all(teams.resource, teams.user, key)) {
    out.emplace_back(teams.resource, id);
  }
  for (const auto id : rows.all(fleets.resource, fleets.user, key)) {
    out.emplace_back(fleets.resource, id);
  }
  const auto& m = n().organization_membership;
  for (const auto id : rows.all(m.resource, m.user, key)) {
    const auto membership = rows.get(m.resource, id);
    if (!membership) {
      continue;
    }
    auto left = leave(rows, *membership, user);
    if (!left) {
      return tl::unexpected(left.error());
    }
    out.push_back(*left);
  }
  return out;
}

}  // namespace slipway::domain
