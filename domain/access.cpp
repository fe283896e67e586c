#include "domain/access.hpp"

#include "domain/numbers.hpp"

#include <algorithm>
#include <array>

namespace slipway::domain {
namespace {

using messages::as_bool;
using messages::as_int;
using messages::entity_kind;
using messages::entity_ref;
using messages::errc;
using messages::field;
using messages::requester;
using messages::requester_kind;
using messages::result;
using messages::role;
using messages::row;
using messages::value;
using rights::group;
using rights::standing;

const numbers::table& n() {
  return numbers::get();
}

messages::result<void> refuse() {
  return messages::fail(errc::unauthorized, "not permitted");
}

std::optional<std::int64_t> by_actor(
  std::uint16_t resource,
  std::uint16_t actor_field,
  std::int64_t actor,
  const row_source& rows) {
  const std::array<value, 1> key{actor};
  return rows.first(resource, actor_field, key);
}

rights::set of_role(group g, role r) {
  switch (r) {
    case role::administrator:
      return rights::of(g, standing::administrator);
    case role::developer:
      return rights::of(g, standing::developer);
    case role::operator_:
      return rights::of(g, standing::operator_);
    case role::observer:
      return rights::of(g, standing::observer);
    case role::member:
      return rights::of(g, standing::member);
    case role::none:
      break;
  }
  return 0;
}

bool is_limited(const messages::key_scope& s) {
  return !s.organizations.empty() || !s.fleets.empty();
}

}  // namespace

role role_in(const std::vector<messages::membership>& memberships, std::int64_t of) {
  auto found = role::none;
  for (const auto& m : memberships) {
    found = m.of == of ? std::max(found, m.as) : found;
  }
  return found;
}

role role_on(const requester& by, std::int64_t organization, std::int64_t application) {
  if (by.kind != requester_kind::user) {
    return role::none;
  }
  const auto in_organization = role_in(by.organizations, organization);
  const auto own = role_in(by.fleets, application);
  // Belonging to an organization alone shows none of its fleets.
  return in_organization == role::member ? own : std::max(in_organization, own);
}

std::optional<std::int64_t>
root_id(const schema& model, const resource_def& resource, const row& r, const row_source& rows) {
  const auto* at = &resource;
  // Asked for every row that a query meets: a row is not copied to read one reference of it.
  const auto* current = &r;
  std::optional<row> next;
  for (const auto& step : resource.root_path) {
    const auto& reference = at->fields[at->field(step)];
    const auto& id = field(*current, reference.number);
    if (messages::is_null(id)) {
      return std::nullopt;
    }
    at = model.find(reference.references);
    if (&step == &resource.root_path.back()) {
      return as_int(id);
    }
    next = rows.get(at->number, as_int(id));
    if (!next) {
      return std::nullopt;
    }
    current = &*next;
  }
  return messages::id_of(r);
}

std::optional<entity_ref> entity_of_actor(std::int64_t actor, const row_source& rows) {
  if (const auto id = by_actor(n().device.resource, n().device.actor, actor, rows)) {
    return entity_ref{entity_kind::device, *id};
  }
  if (const auto id = by_actor(n().application.resource, n().application.actor, actor, rows)) {
    return entity_ref{entity_kind::fleet, *id};
  }
  if (const auto id = by_actor(n().user.resource, n().user.actor, actor, rows)) {
    return entity_ref{entity_kind::user, *id};
  }
  return std::nullopt;
}

std::string overlay_key_of(const row& device, const row_source& rows) {
  const auto& k = n().api_key;
  const std::array<value, 1> actor{field(device, n().device.actor)};
  return rows.first(k.resource, k.is_of__actor, actor)
           ? messages::as_text(field(device, n().device.overlay_public_key))
           : "";
}

std::optional<entity_ref>
entity_of(const schema& model, const resource_def& resource, const row& r, const row_source& rows) {
  if (resource.number == n().api_key.resource) {
    return entity_of_actor(as_int(field(r, n().api_key.is_of__actor)), rows);
  }
  if (resource.root == entity_kind::catalog) {
    return entity_ref{entity_kind::catalog, messages::partition_count};
  }
  const auto id = root_id(model, resource, r, rows);
  return id && resource.root != entity_kind::none ? std::optional(entity_ref{resource.root, *id})
                                                  : std::nullopt;
}

std::int64_t access::application_of_device(std::int64_t device) const {
  const auto [it, fresh] = device_application_.try_emplace(device, 0);
  if (fresh) {
    if (const auto r = rows_.get(n().device.resource, device)) {
      it->second = as_int(field(*r, n().device.belongs_to__application));
    }
  }
  return it->second;
}

std::int64_t access::application_of(const resource_def& resource, const row& r) const {
  if (resource.number == n().device.resource) {
    return as_int(field(r, n().device.belongs_to__application));
  }
  const auto root = root_id(model_, resource, r, rows_);
  if (!root) {
    return 0;
  }
  return resource.root == entity_kind::fleet ? *root : application_of_device(*root);
}

access::relation access::relation_to(std::int64_t application) const {
  const auto [it, fresh] = applications_.try_emplace(application);
  if (fresh) {
    if (const auto r = rows_.get(n().application.resource, application)) {
      it->second = {
        role_on(by_, as_int(field(*r, n().application.organization)), application),
        as_bool(field(*r, n().application.is_public))};
    }
  }
  return it->second;
}

rights::set access::on_application(group g, std::int64_t application) const {
  const auto found = relation_to(application);
  return of_role(g, found.as) | (found.is_public ? rights::of(g, standing::anybody) : 0);
}

rights::set access::by_role_on_actor(group g, std::int64_t actor) const {
  const auto owner = entity_of_actor(actor, rows_);
  if (!owner || owner->kind == entity_kind::user) {
    return 0;
  }
  const auto application =
    owner->kind == entity_kind::device ? application_of_device(owner->id) : owner->id;
  return of_role(g, relation_to(application).as);
}

// Who was invited is known to those who see an invitation of theirs.
rights::set access::on_invitee(std::int64_t invitee) const {
  rights::set found = 0;
  const std::array<value, 1> key{invitee};
  for (const auto resource : {n().organization_invite.resource, n().application_invite.resource}) {
    const auto& def = *model_.find(resource);
    for (const auto id : rows_.all(resource, n().organization_invite.invitee, key)) {
      if (const auto r = rows_.get(resource, id)) {
        found |= by_role(group::invitations, def, *r) & rights::see;
      }
    }
  }
  return found;
}

bool access::is_fellow(std::int64_t user) const {
  const auto [it, fresh] = fellows_.try_emplace(user, false);
  if (fresh) {
    const auto& m = n().organization_membership;
    const std::array<value, 1> key{user};
    rows_.lookup(m.resource, m.user, key, [&](std::int64_t id) {
      const auto r = rows_.get(m.resource, id);
      const auto of = r ? as_int(field(*r, m.is_member_of__organization)) : 0;
      it->second = role_in(by_.organizations, of) != role::none;
      return !it->second;
    });
  }
  return it->second;
}

rights::set access::as_owner(group g, const resource_def& resource, const row& r) const {
  bool own = false;
  switch (g) {
    case group::users:
      own = messages::id_of(r) == by_.id;
      break;
    case group::sessions:
    case group::ssh_keys:
      own = root_id(model_, resource, r, rows_) == by_.id;
      break;
    case group::api_keys:
      own = as_int(field(r, n().api_key.is_of__actor)) == by_.actor;
      break;
    case group::organizations:
      own = true;  // anybody may found one
      break;
    case group::members:
    case group::fleet_members: {
      const auto* user = resource.find_field("user");
      own = user != nullptr && as_int(field(r, user->number)) == by_.id;
      break;
    }
    default:
      break;
  }
  // A key that was made for some fleets says whose it is, and knows nothing else of its user.
  if (!own || (is_limited(by_.scope) && g != group::users)) {
    return 0;
  }
  return rights::of(g, by_.by_key ? standing::own_by_key : standing::own);
}

rights::set access::by_role(group g, const resource_def& resource, const row& r) const {
  switch (resource.root) {
    case entity_kind::organization: {
      const auto organization = root_id(model_, resource, r, rows_).value_or(0);
      const auto found = of_role(g, role_in(by_.organizations, organization));
      // A key that was made for some fleets knows what organization they are of.
      const bool named = g == group::organizations
                         && std::any_of(
                           by_.organizations.begin(),
                           by_.organizations.end(),
                           [organization](const auto& m) { return m.of == organization; });
      return named ? found | rights::see : found;
    }
    case entity_kind::fleet:
      // Of a fleet being created only the organization is known.
      return resource.number == n().application.resource
               ? of_role(
                   g,
                   role_on(by_, as_int(field(r, n().application.organization)), messages::id_of(r)))
                   | (as_bool(field(r, n().application.is_public)) ? rights::of(g, standing::anybody) : 0)
               : on_application(g, application_of(resource, r));
    case entity_kind::device:
      return on_application(g, application_of(resource, r));
    default:
      return 0;
  }
}

rights::set access::of_user(group g, const resource_def& resource, const row& r) const {
  switch (g) {
    case group::catalog:
      return rights::of(g, standing::anybody);
    case group::invitations:
      return resource.number == n().invitee.resource ? on_invitee(messages::id_of(r))
                                                     : by_role(g, resource, r);
    case group::users:
      return as_owner(g, resource, r)
             | (is_fellow(messages::id_of(r)) ? rights::of(g, standing::fellow) : 0);
    case group::api_keys:
      return as_owner(g, resource, r)
             | by_role_on_actor(g, as_int(field(r, n().api_key.is_of__actor)));
    default:
      return as_owner(g, resource, r) | by_role(g, resource, r);
  }
}

rights::set access::of_administrator(group g, const resource_def& resource, const row& r) const {
  const auto own = as_owner(g, resource, r);
  // Not even an administrator's key may prolong itself, or lock its owner out.
  const bool own_by_key = own != 0 && by_.by_key && (g == group::api_keys || g == group::users);
  return own_by_key ? own : own | rights::of(g, standing::platform);
}

rights::set access::of_device(group g, const resource_def& resource, const row& r) const {
  switch (resource.root) {
    case entity_kind::device:
      return root_id(model_, resource, r, rows_) == by_.id ? rights::of(g, standing::device) : 0;
    case entity_kind::fleet: {
      const auto application = application_of(resource, r);
      const bool own = application != 0 && application == application_of_device(by_.id);
      return (own ? rights::of(g, standing::fleet_device) : 0) | on_application(g, application);
    }
    case entity_kind::catalog:
      return rights::of(g, standing::anybody);
    default:
      return 0;
  }
}

rights::set access::of_provisioning_key(group g, const resource_def& resource, const row& r) const {
  switch (resource.root) {
    case entity_kind::device:
    case entity_kind::fleet:
      return application_of(resource, r) == by_.id ? rights::of(g, standing::provisioning) : 0;
    case entity_kind::catalog:
      return rights::of(g, standing::anybody);
    default:
      return 0;
  }
}

rights::set access::rights_on(const resource_def& resource, const row& r) const {
  const auto g = rights::group_of(resource.number);
  rights::set found = 0;
  switch (by_.kind) {
    case requester_kind::platform:
      return rights::everything;
    case requester_kind::user:
      found = by_.administrator ? of_administrator(g, resource, r) : of_user(g, resource, r);
      break;
    case requester_kind::device:
      found = of_device(g, resource, r);
      break;
    case requester_kind::fleet:
      found = of_provisioning_key(g, resource, r);
      break;
    case requester_kind::guest:
      found = resource.root == entity_kind::catalog ? rights::of(g, standing::anybody)
              : resource.root == entity_kind::fleet ? on_application(g, application_of(resource, r))
                                                    : 0;
      break;
  }
  return by_.scope.read_only ? found & rights::reading : found;
}

result<void> access::may(verb v, const resource_def& resource, const row& r) const {
  return (rights_on(resource, r) & rights::bit(v)) != 0 ? result<void>{} : refuse();
}

bool access::may_do(action a, const resource_def& resource, const row& r) const {
  const auto lines = rights::actions();
  const bool takes = std::any_of(lines.begin(), lines.end(), [&](const rights::action_line& l) {
    return l.of == a && l.resource == resource.name;
  });
  return takes && (rights_on(resource, r) & rights::bit(a)) != 0;
}

result<void> access::may_change_fields(
  const resource_def& resource,
  const row& r,
  std::span<const messages::field_value> values) const {
  const auto& a = n().application;
  const auto& d = n().device;
  const auto gives = [&](std::uint16_t number) {
    return std::any_of(values.begin(), values.end(), [number](const messages::field_value& v) {
      return v.field == number;
    });
  };
  // Who is only developer would carry a fleet off to an organization of his own.
  const bool moves = resource.number == a.resource && by_.kind == requester_kind::user
                     && !by_.administrator && gives(a.organization);
  if (
    moves && role_in(by_.organizations, as_int(field(r, a.organization))) != role::administrator) {
    return refuse();
  }
  // A device tells of itself; which fleet it is in and what it should run is not its to say.
  const bool itself = resource.number == d.resource && by_.kind == requester_kind::device;
  const bool not_its_own = gives(d.uuid) || gives(d.belongs_to__application)
                           || gives(d.is_of__device_type) || gives(d.is_active);
  return itself && not_its_own ? refuse() : result<void>{};
}

bool access::may_make_key(entity_ref owner) const {
  const auto resource = owner.kind == entity_kind::user     ? n().user.resource
                        : owner.kind == entity_kind::device ? n().device.resource
                                                            : n().application.resource;
  const auto r = rows_.get(resource, owner.id);
  return r && may_do(action::make_key, *model_.find(resource), *r);
}

std::vector<std::int64_t> access::visible_devices() const {
  std::vector<std::int64_t> fleets;
  for (const auto& m : by_.fleets) {
    fleets.push_back(m.of);
  }
  for (const auto& m : by_.organizations) {
    if (m.as > role::member) {
      const std::array<value, 1> key{m.of};
      const auto owned = rows_.all(n().application.resource, n().application.organization, key);
      fleets.insert(fleets.end(), owned.begin(), owned.end());
    }
  }
  std::sort(fleets.begin(), fleets.end());
  fleets.erase(std::unique(fleets.begin(), fleets.end()), fleets.end());
  std::vector<std::int64_t> found;
  for (const auto fleet : fleets) {
    const std::array<value, 1> owner{fleet};
    const auto owned = rows_.all(n().device.resource, n().device.belongs_to__application, owner);
    found.insert(found.end(), owned.begin(), owned.end());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::optional<std::vector<std::int64_t>> access::candidates(const resource_def& resource) const {
  const bool limited = by_.kind == requester_kind::user && !by_.administrator;
  if (!limited) {
    if (by_.kind == requester_kind::device && resource.number == n().device.resource) {
      return std::vector{by_.id};
    }
    return std::nullopt;
  }
  std::vector<std::int64_t> found;
  if (resource.number == n().organization.resource) {
    for (const auto& m : by_.organizations) {
      found.push_back(m.of);
    }
    return found;
  }
  if (resource.number == n().user.resource) {
    const auto& m = n().organization_membership;
    found.push_back(by_.id);
    for (const auto& own : by_.organizations) {
      const std::array<value, 1> key{own.of};
      rows_.lookup(m.resource, m.is_member_of__organization, key, [&](std::int64_t id) {
        if (const auto r = rows_.get(m.resource, id)) {
          found.push_back(as_int(field(*r, m.user)));
        }
        return true;
      });
    }
    return found;
  }
  // Applications may be public, so only devices are certainly all under the requester's own organizations and fleets.
  return resource.number == n().device.resource ? std::optional(visible_devices()) : std::nullopt;
}

}  // namespace slipway::domain
