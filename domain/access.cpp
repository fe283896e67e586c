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
using messages::requester_kind;
using messages::result;
using messages::row;
using messages::value;

const numbers::table& n() {
  return numbers::get();
}

messages::result<void> refuse() {
  return messages::fail(errc::unauthorized, "not permitted");
}

// A public application shows what it runs; the values of its variables are its owner's secrets.
bool is_setting(const resource_def& resource) {
  return resource.number == n().application_environment_variable.resource
         || resource.number == n().application_config_variable.resource
         || resource.number == n().service_environment_variable.resource;
}

std::optional<std::int64_t> by_actor(
  std::uint16_t resource,
  std::uint16_t actor_field,
  std::int64_t actor,
  const row_source& rows) {
  const std::array<value, 1> key{actor};
  return rows.first(resource, actor_field, key);
}

}  // namespace

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

bool access::is_member(std::int64_t organization) const {
  return std::any_of(
    by_.organizations.begin(),
    by_.organizations.end(),
    [organization](const messages::membership& m) { return m.of == organization; });
}

std::int64_t access::application_of(const resource_def& resource, const row& r) const {
  const auto root = root_id(model_, resource, r, rows_);
  if (!root) {
    return 0;
  }
  if (resource.root == entity_kind::fleet) {
    return *root;
  }
  const auto& d = n().device;
  if (resource.number == d.resource) {
    return as_int(field(r, d.belongs_to__application));
  }
  const auto [it, fresh] = device_application_.try_emplace(*root, 0);
  if (fresh) {
    if (const auto device = rows_.get(d.resource, *root)) {
      it->second = as_int(field(*device, d.belongs_to__application));
    }
  }
  return it->second;
}

access::right access::right_on_application(std::int64_t application) const {
  const auto it = application_rights_.find(application);
  if (it != application_rights_.end()) {
    return it->second;
  }
  const auto found = compute_right_on_application(application);
  application_rights_.emplace(application, found);
  return found;
}

access::right access::compute_right_on_application(std::int64_t application) const {
  const auto r = rows_.get(n().application.resource, application);
  if (!r) {
    return right::none;
  }
  if (
    by_.kind == requester_kind::user
    && is_member(as_int(field(*r, n().application.organization)))) {
    return right::change;
  }
  return as_bool(field(*r, n().application.is_public)) ? right::see : right::none;
}

access::right access::right_through_application(const resource_def& resource, const row& r) const {
  const auto found = right_on_application(application_of(resource, r));
  return found == right::see && is_setting(resource) ? right::none : found;
}

access::right access::right_on_actor(std::int64_t actor) const {
  if (actor == by_.actor) {
    return right::change;
  }
  const auto owner = entity_of_actor(actor, rows_);
  if (!owner || owner->kind == entity_kind::user) {
    return right::none;
  }
  const auto& def = *model_.find(
    owner->kind == entity_kind::device ? n().device.resource : n().application.resource);
  const auto r = rows_.get(def.number, owner->id);
  return r && right_on(def, *r) == right::change ? right::change : right::none;
}

access::right access::user_right(const resource_def& resource, const row& r) const {
  if (resource.number == n().user.resource) {
    return messages::id_of(r) == by_.id ? right::change : right::none;
  }
  if (resource.number == n().api_key.resource) {
    return right_on_actor(as_int(field(r, n().api_key.is_of__actor)));
  }
  switch (resource.root) {
    case entity_kind::organization: {
      const auto organization = root_id(model_, resource, r, rows_);
      return organization && is_member(*organization) ? right::change : right::none;
    }
    case entity_kind::fleet:
      // Of a fleet being created only the organization is known.
      return resource.number == n().application.resource
                 && is_member(as_int(field(r, n().application.organization)))
               ? right::change
               : right_through_application(resource, r);
    case entity_kind::device: {
      // A public application shows what it runs, not who runs it.
      const auto found = right_on_application(application_of(resource, r));
      return found == right::change ? found : right::none;
    }
    default:
      return right::none;
  }
}

std::int64_t access::fleet_of_device() const {
  const auto [it, fresh] = device_application_.try_emplace(by_.id, 0);
  if (fresh) {
    if (const auto device = rows_.get(n().device.resource, by_.id)) {
      it->second = as_int(field(*device, n().device.belongs_to__application));
    }
  }
  return it->second;
}

access::right access::device_right(const resource_def& resource, const row& r) const {
  if (resource.root == entity_kind::device) {
    return root_id(model_, resource, r, rows_) == by_.id ? right::change : right::none;
  }
  if (resource.root == entity_kind::fleet) {
    const auto application = application_of(resource, r);
    return application != 0 && application == fleet_of_device()
             ? right::see
             : right_through_application(resource, r);
  }
  return right::none;
}

access::right access::right_on(const resource_def& resource, const row& r) const {
  if (
    by_.kind == requester_kind::platform
    || (by_.kind == requester_kind::user && by_.administrator)) {
    return right::change;
  }
  if (resource.root == entity_kind::catalog) {
    return right::see;
  }
  switch (by_.kind) {
    case requester_kind::user:
      return user_right(resource, r);
    case requester_kind::device:
      return device_right(resource, r);
    case requester_kind::fleet:
      return resource.number == n().device.resource
                 && as_int(field(r, n().device.belongs_to__application)) == by_.id
               ? right::see
               : right::none;
    default:
      return resource.root == entity_kind::fleet ? right_through_application(resource, r)
                                                 : right::none;
  }
}

bool access::may_see(const resource_def& resource, const row& r) const {
  return right_on(resource, r) != right::none;
}

result<void> access::may(verb v, const resource_def& resource, const row& r) const {
  const bool platform =
    by_.kind == requester_kind::platform || (by_.kind == requester_kind::user && by_.administrator);
  if (platform) {
    return {};
  }
  if (by_.kind == requester_kind::user) {
    // Anybody may found an organization; only administrators make users or remove themselves from the books.
    if (resource.number == n().organization.resource && v == verb::create) {
      return {};
    }
    if (resource.number == n().user.resource && v != verb::change) {
      return refuse();
    }
    // Else a key that got into wrong hands could prolong itself, or lock its owner out.
    const bool own_key = resource.number == n().api_key.resource
                         && as_int(field(r, n().api_key.is_of__actor)) == by_.actor;
    if (own_key && by_.by_key) {
      return refuse();
    }
  }
  if (by_.kind == requester_kind::device) {
    const bool own_row = resource.number == n().device.resource;
    if (own_row && v != verb::change) {
      return refuse();
    }
  }
  return right_on(resource, r) == right::change ? result<void>{} : refuse();
}

result<void> access::may_change_fields(
  const resource_def& resource,
  std::span<const messages::field_value> values) const {
  if (by_.kind != requester_kind::device || resource.number != n().device.resource) {
    return {};
  }
  // A device tells of itself; which fleet it is in and what it should run is not its to say.
  const auto& d = n().device;
  for (const auto& v : values) {
    const bool own = v.field != d.uuid && v.field != d.belongs_to__application
                     && v.field != d.is_of__device_type && v.field != d.is_active;
    if (!own) {
      return refuse();
    }
  }
  return {};
}

bool access::may_do(action a, const resource_def& resource, const row& r) const {
  const bool own_device = by_.kind == requester_kind::device
                          && resource.number == n().device.resource && messages::id_of(r) == by_.id;
  switch (a) {
    case action::read_state:
      return by_.kind != requester_kind::fleet && may_see(resource, r);
    case action::report_state:
    case action::write_logs:
      return own_device || may(verb::change, resource, r).has_value();
    case action::pull_image:
      return may_see(resource, r);
    case action::register_device:
      return (by_.kind == requester_kind::fleet && by_.id == messages::id_of(r))
             || (by_.kind != requester_kind::device && may(verb::change, resource, r).has_value());
    case action::read_logs:
    case action::inspect:
    case action::control:
    case action::tunnel:
    case action::download_config:
    case action::push_image:
      break;
  }
  return by_.kind != requester_kind::device && may(verb::change, resource, r).has_value();
}

bool access::may_make_key(entity_ref owner) const {
  if (by_.kind == requester_kind::platform) {
    return true;
  }
  if (owner.kind == entity_kind::user) {
    return by_.kind == requester_kind::user && by_.id == owner.id && !by_.by_key;
  }
  const auto& def = *model_.find(
    owner.kind == entity_kind::device ? n().device.resource : n().application.resource);
  const auto r = rows_.get(def.number, owner.id);
  if (!r) {
    return false;
  }
  if (by_.kind == requester_kind::fleet) {
    return owner.kind == entity_kind::device
           && as_int(field(*r, n().device.belongs_to__application)) == by_.id;
  }
  return by_.kind == requester_kind::user && right_on(def, *r) == right::change;
}

std::optional<std::vector<std::int64_t>> access::candidates(const resource_def& resource) const {
  const bool limited = by_.kind == requester_kind::user && !by_.administrator;
  if (!limited) {
    if (by_.kind == requester_kind::device && resource.number == n().device.resource) {
      return std::vector{by_.id};
    }
    return std::nullopt;
  }
  if (resource.number == n().user.resource) {
    return std::vector{by_.id};
  }
  if (resource.number == n().organization.resource) {
    std::vector<std::int64_t> own;
    for (const auto& m : by_.organizations) {
      own.push_back(m.of);
    }
    return own;
  }
  // Applications may be public, so only devices are certainly all under the requester's own organizations.
  if (resource.number != n().device.resource) {
    return std::nullopt;
  }
  std::vector<std::int64_t> found;
  for (const auto& m : by_.organizations) {
    const std::array<value, 1> key{m.of};
    for (const auto fleet :
         rows_.all(n().application.resource, n().application.organization, key)) {
      const std::array<value, 1> owner{fleet};
      const auto owned = rows_.all(n().device.resource, n().device.belongs_to__application, owner);
      found.insert(found.end(), owned.begin(), owned.end());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace slipway::domain
