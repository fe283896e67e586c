#include "domain/memberships.hpp"
#include "domain/removal.hpp"
#include "domain/rule_hooks.hpp"

#include <algorithm>
#include <array>

namespace slipway::domain {

using messages::as_int;
using messages::as_text;
using messages::errc;
using messages::fail;
using messages::field;
using messages::is_null;
using messages::role;
using messages::row;
using messages::value;

namespace {

/// An invitation that nobody took up is over after a week.
constexpr std::int64_t invitation_ms = 7LL * 24 * 3600 * 1000;

const numbers::table& n() {
  return numbers::get();
}

/// The fields that memberships of organizations and of fleets have alike; so have the two kinds of invitation.
struct membership_fields {
  std::uint16_t resource, user, of, role, username, roles;
};

membership_fields in_organization() {
  const auto& m = n().organization_membership;
  return {
    m.resource,
    m.user,
    m.is_member_of__organization,
    m.organization_membership_role,
    m.username,
    n().organization_membership_role.resource};
}

membership_fields in_fleet() {
  const auto& m = n().user_application_membership;
  return {
    m.resource,
    m.user,
    m.is_member_of__application,
    m.application_membership_role,
    m.username,
    n().application_membership_role.resource};
}

struct invitation_fields {
  std::uint16_t resource, invitee, to, role, created_by, token, expires, roles;
};

invitation_fields to_organization() {
  const auto& i = n().organization_invite;
  return {
    i.resource,
    i.invitee,
    i.is_invited_to__organization,
    i.organization_membership_role,
    i.is_created_by__user,
    i.token,
    i.expiry_date,
    n().organization_membership_role.resource};
}

invitation_fields to_fleet() {
  const auto& i = n().application_invite;
  return {
    i.resource,
    i.invitee,
    i.is_invited_to__application,
    i.application_membership_role,
    i.is_created_by__user,
    i.token,
    i.expiry_date,
    n().application_membership_role.resource};
}

std::int64_t find_membership(
  const row_source& rows,
  const membership_fields& m,
  std::int64_t user,
  std::int64_t of) {
  const std::array<value, 2> pair{user, of};
  return rows.first(m.resource, first_composite, pair).value_or(0);
}

bool is_member(const row_source& rows, std::int64_t user, std::int64_t organization) {
  return find_membership(rows, in_organization(), user, organization) != 0;
}

std::int64_t organization_of_fleet(const row_source& rows, std::int64_t fleet) {
  const auto r = rows.get(n().application.resource, fleet);
  return r ? as_int(field(*r, n().application.organization)) : 0;
}

}  // namespace

namespace hooks {
namespace {

/// Who is meant may be said by name, which need not be one that the writer sees otherwise.
checked resolve_name(draft& d, change_set& set, std::uint16_t user_field, std::uint16_t username) {
  if (!set.gave(username)) {
    return {};
  }
  const std::array<value, 1> name{field(set.after, username)};
  const auto user = d.first(n().user.resource, n().user.username, name);
  if (!user) {
    return broken("there is no user of that name.");
  }
  set.set(user_field, *user);
  set.set(username, messages::null{});
  return {};
}

void default_role(
  const draft& d,
  change_set& set,
  std::uint16_t number,
  std::uint16_t roles,
  role r) {
  if (is_null(field(set.after, number))) {
    set.set(number, row_of_role(d, roles, r));
  }
}

checked before_create_member(draft& d, const rule_context&, change_set& set) {
  const auto m = in_organization();
  default_role(d, set, m.role, m.roles, role::member);
  return resolve_name(d, set, m.user, m.username);
}

checked before_create_fleet_member(draft& d, const rule_context&, change_set& set) {
  const auto m = in_fleet();
  default_role(d, set, m.role, m.roles, role::observer);
  if (auto ok = resolve_name(d, set, m.user, m.username); !ok) {
    return ok;
  }
  const auto organization = organization_of_fleet(d, as_int(field(set.after, m.of)));
  return is_member(d, as_int(field(set.after, m.user)), organization)
           ? checked{}
           : broken("a member of a fleet has to be a member of the fleet's organization.");
}

/// Of a membership its role can change, not whose it is.
checked same_member(const change_set& set, const membership_fields& m) {
  if (field(set.before, m.user) != field(set.after, m.user) || set.gave(m.username)) {
    return broken("the user of a membership cannot change.");
  }
  return is_null(field(set.after, m.role)) ? checked(broken("a member has a role.")) : checked{};
}

checked before_change_member(draft& d, const rule_context&, change_set& set) {
  const auto m = in_organization();
  if (auto ok = same_member(set, m); !ok) {
    return ok;
  }
  const bool demoted = field(set.before, m.role) != field(set.after, m.role);
  return demoted && role_of(d, m.roles, as_int(field(set.after, m.role))) != role::administrator
           ? check_leaves_administrator(d, set.before)
           : checked{};
}

checked before_change_fleet_member(draft&, const rule_context&, change_set& set) {
  return same_member(set, in_fleet());
}

checked before_remove_member(draft& d, const row& r) {
  return check_leaves_administrator(d, r);
}

checked before_create_team_member(draft& d, const rule_context&, change_set& set) {
  const auto& t = n().team_membership;
  if (auto ok = resolve_name(d, set, t.user, t.username); !ok) {
    return ok;
  }
  const auto team = d.get(n().team.resource, as_int(field(set.after, t.is_member_of__team)));
  const auto organization = team ? as_int(field(*team, n().team.belongs_to__organization)) : 0;
  return is_member(d, as_int(field(set.after, t.user)), organization)
           ? checked{}
           : broken("a member of a team has to be a member of the team's organization.");
}

checked before_change_team_member(draft&, const rule_context&, change_set& set) {
  const auto& t = n().team_membership;
  const auto moved = [&](std::uint16_t number) {
    return field(set.before, number) != field(set.after, number);
  };
  return moved(t.user) || moved(t.is_member_of__team) || set.gave(t.username)
           ? checked(broken("the user and the team of a membership cannot change."))
           : checked{};
}

checked before_write_team_access(draft& d, const rule_context&, change_set& set) {
  const auto& t = n().team_application_access;
  default_role(
    d,
    set,
    t.application_membership_role,
    n().application_membership_role.resource,
    role::observer);
  const auto team = d.get(n().team.resource, as_int(field(set.after, t.team)));
  const auto fleet = as_int(field(set.after, t.grants_access_to__application));
  const auto organization = team ? as_int(field(*team, n().team.belongs_to__organization)) : 0;
  return organization != 0 && organization == organization_of_fleet(d, fleet)
           ? checked{}
           : broken("a team has access to fleets of its own organization only.");
}

/// Is somebody of this address invited to the same already?
bool is_invited(const row_source& rows, const invitation_fields& i, const row& r) {
  const std::array<value, 1> key{field(r, i.to)};
  const auto all = rows.all(i.resource, i.to, key);
  return std::any_of(all.begin(), all.end(), [&](std::int64_t id) {
    const auto other = rows.get(i.resource, id);
    const auto invitee =
      other ? rows.get(n().invitee.resource, as_int(field(*other, i.invitee))) : std::nullopt;
    return invitee
           && lower(as_text(field(*invitee, n().invitee.email)))
                == lower(as_text(field(r, i.invitee)));
  });
}

checked before_create_invitation(
  draft& d,
  const rule_context& c,
  change_set& set,
  const invitation_fields& i) {
  const auto address = as_text(field(set.after, i.invitee));
  const bool is_text = std::holds_alternative<std::string>(field(set.after, i.invitee));
  if (!is_text || address.empty() || address.size() > 320) {
    return broken("\"invitee\" is an e-mail address or a user name of 1 to 320 characters.");
  }
  if (is_null(field(set.after, i.token))) {
    return broken("an invitation has a token.");
  }
  if (is_invited(d, i, set.after)) {
    return fail(errc::unique_violated, "\"invitee\" of an invitation must be unique.");
  }
  const auto invitee = c.next_id();
  d.create(n().invitee.resource, invitee, {{n().invitee.email, address}});
  set.set(i.invitee, invitee);
  set.set(i.expires, d.now() + invitation_ms);
  if (set.by->kind == messages::requester_kind::user) {
    set.set(i.created_by, set.by->id);
  }
  default_role(d, set, i.role, i.roles, role::developer);
  return {};
}

checked invite_to_organization(draft& d, const rule_context& c, change_set& set) {
  return before_create_invitation(d, c, set, to_organization());
}

checked invite_to_fleet(draft& d, const rule_context& c, change_set& set) {
  return before_create_invitation(d, c, set, to_fleet());
}

}  // namespace

void add_membership_hooks(std::vector<entry>& table) {
  auto& member = table[n().organization_membership.resource];
  member.before_create = before_create_member;
  member.before_change = before_change_member;
  member.before_remove = before_remove_member;
  auto& fleet_member = table[n().user_application_membership.resource];
  fleet_member.before_create = before_create_fleet_member;
  fleet_member.before_change = before_change_fleet_member;
  table[n().team_membership.resource].before_create = before_create_team_member;
  table[n().team_membership.resource].before_change = before_change_team_member;
  auto& access = table[n().team_application_access.resource];
  access.before_create = before_write_team_access;
  access.before_change = before_write_team_access;
  table[n().organization_invite.resource].before_create = invite_to_organization;
  table[n().application_invite.resource].before_create = invite_to_fleet;
}

void remove_invitee(draft& d, const resource_def& resource, const row& r) {
  for (const auto& i : {to_organization(), to_fleet()}) {
    if (resource.number == i.resource) {
      d.remove(n().invitee.resource, as_int(field(r, i.invitee)));
    }
  }
}

}  // namespace hooks

namespace {

/// Makes the member, or raises the role of one who is.
std::int64_t join(
  draft& d,
  const rule_context& c,
  const membership_fields& m,
  std::int64_t user,
  std::int64_t of,
  std::int64_t as) {
  if (const auto known = find_membership(d, m, user, of); known != 0) {
    const auto has = role_of(d, m.roles, as_int(field(*d.get(m.resource, known), m.role)));
    if (role_of(d, m.roles, as) > has) {
      d.change(m.resource, known, {{m.role, as}});
    }
    return known;
  }
  const auto id = c.next_id();
  d.create(m.resource, id, {{m.user, user}, {m.of, of}, {m.role, as}});
  return id;
}

}  // namespace

decision decide(draft& d, const rule_context& c, const messages::accept_invitation& cmd) {
  const bool by_fleet = c.entity.kind == messages::entity_kind::fleet;
  const auto i = by_fleet ? to_fleet() : to_organization();
  const std::array<value, 1> token{cmd.token_hash};
  const auto id = cmd.token_hash.empty() ? std::nullopt : d.first(i.resource, i.token, token);
  const auto r = id ? d.get(i.resource, *id) : std::nullopt;
  if (!r || as_int(field(*r, i.to)) != c.entity.id) {
    return fail(errc::not_found, "no such invitation");
  }
  const bool free =
    cmd.by.kind == messages::requester_kind::user && cmd.by.scope == messages::key_scope{};
  if (!free) {
    return fail(errc::unauthorized, "an invitation is accepted by a user who is logged in");
  }
  if (as_int(field(*r, i.expires)) <= d.now()) {
    return hooks::broken("the invitation has run out.");
  }
  if (by_fleet && !is_member(d, cmd.by.id, organization_of_fleet(d, c.entity.id))) {
    return hooks::broken("a member of a fleet has to be a member of the fleet's organization.");
  }
  const auto membership = join(
    d,
    c,
    by_fleet ? in_fleet() : in_organization(),
    cmd.by.id,
    c.entity.id,
    as_int(field(*r, i.role)));
  hooks::remove_with_dependents(d, *d.model().find(i.resource), *id);
  return membership;
}

decision decide(draft& d, const rule_context& c, const messages::use_key& cmd) {
  const auto& k = n().api_key;
  const auto r = d.get(k.resource, cmd.key);
  const auto fleet = d.get(n().application.resource, c.entity.id);
  if (!r || !fleet || field(*r, k.is_of__actor) != field(*fleet, n().application.actor)) {
    return fail(errc::unauthorized, "no such provisioning key");
  }
  if (is_null(field(*r, k.remaining_uses))) {
    return cmd.key;
  }
  const auto left = as_int(field(*r, k.remaining_uses)) + (cmd.back ? 1 : -1);
  if (left < 0) {
    return fail(errc::unauthorized, key_used_up);
  }
  d.change(k.resource, cmd.key, {{k.remaining_uses, left}});
  return cmd.key;
}

}  // namespace slipway::domain
