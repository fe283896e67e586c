#include "domain/rules.hpp"

#include "domain/access.hpp"
#include "domain/memberships.hpp"
#include "domain/numbers.hpp"
#include "domain/rule_hooks.hpp"

#include <algorithm>
#include <array>

namespace slipway::domain {

using messages::entity_kind;
using messages::entity_ref;
using messages::errc;
using messages::fail;
using messages::field;
using messages::field_value;
using messages::is_null;
using messages::row;
using messages::value;

namespace hooks {

bool change_set::gave(std::uint16_t number) const {
  return std::any_of(given.begin(), given.end(), [number](const field_value& v) {
    return v.field == number;
  });
}

void change_set::set(std::uint16_t number, value v) {
  const std::array<field_value, 1> one{field_value{number, std::move(v)}};
  put_values(after, one);
}

constexpr std::size_t resource_number_max = 127;

const entry& of(std::uint16_t resource) {
  static const auto table = [] {
    std::vector<entry> t(resource_number_max + 1U);
    add_account_hooks(t);
    add_membership_hooks(t);
    add_login_hooks(t);
    add_fleet_hooks(t);
    add_release_hooks(t);
    add_device_hooks(t);
    add_catalog_hooks(t);
    add_attachment_hooks(t);
    add_history_hooks(t);
    return t;
  }();
  static const entry nothing;
  return resource < table.size() ? table[resource] : nothing;
}

tl::unexpected<messages::error> broken(std::string rule) {
  return fail(errc::rule_violated, std::move(rule));
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

std::int64_t architecture_of(const row_source& rows, std::int64_t device_type) {
  const auto& n = numbers::get().device_type;
  const auto r = rows.get(n.resource, device_type);
  return r ? messages::as_int(field(*r, n.is_of__cpu_architecture)) : 0;
}

bool is_platform(const messages::requester& by) {
  return by.kind == messages::requester_kind::platform
         || (by.kind == messages::requester_kind::user && by.administrator);
}

namespace {

// Rows of other streams are not this writer's: they are removed before (domain/removal.hpp), or keep a reference that leads nowhere.
bool same_stream(
  const draft& d,
  const resource_def& resource,
  const row& r,
  const resource_def& other,
  std::int64_t dependent) {
  if (resource.root == entity_kind::catalog) {
    return true;
  }
  const auto row = d.get(other.number, dependent);
  return row && root_id(d.model(), other, *row, d) == root_id(d.model(), resource, r, d);
}

}  // namespace

void remove_with_dependents(draft& d, const resource_def& resource, std::int64_t id) {
  const auto r = d.get(resource.number, id);
  if (!r) {
    return;
  }
  const std::array<value, 1> key{id};
  for (const auto& other : d.model().resources()) {
    if (other.root != resource.root) {
      continue;
    }
    for (const auto& f : other.fields) {
      if (f.type != field_type::reference || f.compute || f.references != resource.name) {
        continue;
      }
      for (const auto dependent : d.all(other.number, f.number, key)) {
        if (!same_stream(d, resource, *r, other, dependent)) {
          continue;
        }
        if (f.required) {
          remove_with_dependents(d, other, dependent);
        } else {
          d.change(other.number, dependent, {{f.number, messages::null{}}});
        }
      }
    }
  }
  const auto& n = numbers::get();
  if (const auto* actor = resource.find_field("actor"); actor != nullptr) {
    const std::array<value, 1> owner{field(*r, actor->number)};
    for (const auto api_key : d.all(n.api_key.resource, n.api_key.is_of__actor, owner)) {
      d.remove(n.api_key.resource, api_key);
    }
  }
  remove_invitee(d, resource, *r);
  d.remove(resource.number, id);
}

}  // namespace hooks

namespace {

constexpr std::size_t key_scope_ids_max = 100;

using hooks::change_set;

std::vector<field_value> differing(const row& before, const row& after) {
  std::vector<field_value> out;
  for (std::size_t i = 3; i < after.size(); ++i) {
    if (field(before, i) != after[i]) {
      out.push_back({static_cast<std::uint16_t>(i), after[i]});
    }
  }
  return out;
}

hooks::checked check_fields(const draft& d, const resource_def& resource, const change_set& set) {
  for (const auto& f : resource.fields) {
    const auto& v = field(set.after, f.number);
    if (f.compute || f.number < 3) {
      continue;
    }
    if (f.required && is_null(v)) {
      return hooks::broken("\"" + f.name + "\" is required.");
    }
    const bool same = !set.before.empty() && field(set.before, f.number) == v;
    if (is_null(v) || same) {
      continue;
    }
    const auto bytes_max = f.length_max == 0 ? 1U << 20U : f.length_max;
    if (messages::as_text(v).size() > bytes_max) {
      return hooks::broken(
        "\"" + f.name + "\" must not be longer than " + std::to_string(bytes_max) + " bytes.");
    }
    if (
      !f.allowed.empty()
      && std::find(f.allowed.begin(), f.allowed.end(), messages::as_text(v)) == f.allowed.end()) {
      return hooks::broken("\"" + f.name + "\" is not one of its allowed values.");
    }
    if (
      f.type == field_type::reference && f.references != "actor"
      && !d.get(d.model().at(f.references).number, messages::as_int(v))) {
      return hooks::broken(
        "\"" + f.name + "\" refers to a " + f.references + " that does not exist.");
    }
  }
  return {};
}

// A row may hang only on rows that its writer may see, so that nothing can be tied to another tenant's.
hooks::checked check_references_visible(
  const draft& d,
  const resource_def& resource,
  const change_set& set,
  const access& rights) {
  for (const auto& v : set.given) {
    const auto& f = resource.fields[v.field];
    if (f.type != field_type::reference || is_null(v.value) || f.references == "actor") {
      continue;
    }
    const auto& target = d.model().at(f.references);
    const auto r = d.get(target.number, messages::as_int(v.value));
    // Where a device is to move to is answered like an address (balena-api.md 4.6).
    const auto& device = numbers::get().device;
    const bool moves = !set.before.empty() && resource.number == device.resource
                       && v.field == device.belongs_to__application;
    if (moves && (!r || !rights.may_see(target, *r))) {
      return fail(errc::not_found, "the fleet does not exist, or you have no access to it");
    }
    if (r && !rights.may_see(target, *r)) {
      return hooks::broken(
        "\"" + f.name + "\" refers to a " + f.references + " that does not exist.");
    }
  }
  return {};
}

// Gateways leave such members of a body out; this is for what comes another way. The hashes of a password that an administrator gives
// and of a new invitation's token are the gateway's own.
hooks::checked check_writable(const resource_def& resource, const change_set& set) {
  if (set.by->kind == messages::requester_kind::platform) {
    return {};
  }
  const auto& n = numbers::get();
  for (const auto& v : set.given) {
    const auto& f = resource.fields[v.field];
    const bool password =
      set.by->administrator && resource.number == n.user.resource && f.number == n.user.password;
    const bool token =
      set.before.empty()
      && ((resource.number == n.organization_invite.resource && f.number == n.organization_invite.token)
          || (resource.number == n.application_invite.resource && f.number == n.application_invite.token));
    // Bodies cannot name the bytes of an asset; the gateway that stored them does.
    const bool bytes =
      resource.number == n.release_asset.resource && f.number == n.release_asset.asset;
    if (f.read_only && !password && !token && !bytes) {
      return fail(errc::unauthorized, "\"" + f.name + "\" cannot be written");
    }
  }
  return {};
}

// A row stays with the entity that writes it: elsewhere it would have two writers.
hooks::checked check_stays(const draft& d, const resource_def& resource, const change_set& set) {
  const bool stays =
    resource.root_path.empty()
    || root_id(d.model(), resource, set.before, d) == root_id(d.model(), resource, set.after, d);
  return stays ? hooks::checked{}
               : hooks::broken("a " + resource.name + " cannot move to another owner.");
}

// The row as it would be with defaults and what was given.
row compose(const resource_def& resource, const std::vector<field_value>& given) {
  row r(resource.fields.size());
  for (const auto& f : resource.fields) {
    r[f.number] = f.otherwise;
  }
  put_values(r, given);
  return r;
}

}  // namespace

decision decide(draft& d, const rule_context& c, const messages::create_row& cmd) {
  const auto* resource = d.model().find(cmd.resource);
  if (resource == nullptr || resource->root == entity_kind::none) {
    return fail(errc::invalid_argument, "this resource cannot be created directly");
  }
  change_set set;
  set.given = cmd.values;
  set.by = &cmd.by;
  set.after = compose(*resource, cmd.values);
  const bool is_root = resource->root_path.empty() && resource->root == c.entity.kind
                       && resource->root != entity_kind::catalog;
  const auto id = is_root ? c.entity.id : c.next_id();
  set.after[0] = id;
  const access rights(d.model(), cmd.by, d);
  if (auto ok = rights.may(verb::create, *resource, set.after); !ok) {
    // Under a row that is not there for him he hears what he would hear if there were none: else he could ask which ids exist.
    const auto hidden = check_references_visible(d, *resource, set, rights);
    const bool told = hidden || cmd.by.kind == messages::requester_kind::guest;
    return tl::unexpected(told ? ok.error() : hidden.error());
  }
  if (auto ok = check_writable(*resource, set); !ok) {
    return tl::unexpected(ok.error());
  }
  if (auto ok = check_references_visible(d, *resource, set, rights); !ok) {
    return tl::unexpected(ok.error());
  }
  const auto& hook = hooks::of(cmd.resource);
  if (hook.before_create != nullptr) {
    if (auto ok = hook.before_create(d, c, set); !ok) {
      return tl::unexpected(ok.error());
    }
  }
  if (auto ok = check_fields(d, *resource, set); !ok) {
    return tl::unexpected(ok.error());
  }
  d.create(cmd.resource, id, differing({}, set.after));
  if (hook.after_write != nullptr) {
    if (auto ok = hook.after_write(d, c, set); !ok) {
      return tl::unexpected(ok.error());
    }
  }
  return id;
}

decision decide(draft& d, const rule_context& c, const messages::change_row& cmd) {
  const auto* resource = d.model().find(cmd.resource);
  const auto before = resource == nullptr ? std::nullopt : d.get(cmd.resource, cmd.id);
  const access rights(d.model(), cmd.by, d);
  if (!before || !rights.may_see(*resource, *before)) {
    return fail(errc::not_found, "no such row");
  }
  change_set set;
  set.before = *before;
  set.given = cmd.values;
  set.by = &cmd.by;
  set.after = *before;
  set.after.resize(std::max(set.after.size(), resource->fields.size()));
  put_values(set.after, cmd.values);
  if (auto ok = rights.may(verb::change, *resource, *before); !ok) {
    return tl::unexpected(ok.error());
  }
  if (auto ok = rights.may_change_fields(*resource, *before, cmd.values); !ok) {
    return tl::unexpected(ok.error());
  }
  if (auto ok = check_writable(*resource, set); !ok) {
    return tl::unexpected(ok.error());
  }
  if (auto ok = check_references_visible(d, *resource, set, rights); !ok) {
    return tl::unexpected(ok.error());
  }
  if (auto ok = check_stays(d, *resource, set); !ok) {
    return tl::unexpected(ok.error());
  }
  // Nobody puts a row where he has no right: a device into somebody's public fleet.
  if (auto ok = rights.may(verb::change, *resource, set.after); !ok) {
    return tl::unexpected(ok.error());
  }
  const auto& hook = hooks::of(cmd.resource);
  if (hook.before_change != nullptr) {
    if (auto ok = hook.before_change(d, c, set); !ok) {
      return tl::unexpected(ok.error());
    }
  }
  if (auto ok = check_fields(d, *resource, set); !ok) {
    return tl::unexpected(ok.error());
  }
  d.change(cmd.resource, cmd.id, differing(*before, set.after));
  if (hook.after_write != nullptr) {
    if (auto ok = hook.after_write(d, c, set); !ok) {
      return tl::unexpected(ok.error());
    }
  }
  return cmd.id;
}

decision decide(draft& d, const rule_context&, const messages::remove_row& cmd) {
  const auto* resource = d.model().find(cmd.resource);
  const auto before = resource == nullptr ? std::nullopt : d.get(cmd.resource, cmd.id);
  const access rights(d.model(), cmd.by, d);
  if (!before || !rights.may_see(*resource, *before)) {
    return fail(errc::not_found, "no such row");
  }
  if (auto ok = rights.may(verb::remove, *resource, *before); !ok) {
    return tl::unexpected(ok.error());
  }
  const auto& hook = hooks::of(cmd.resource);
  if (hook.before_remove != nullptr) {
    if (auto ok = hook.before_remove(d, *before); !ok) {
      return tl::unexpected(ok.error());
    }
  }
  hooks::remove_with_dependents(d, *resource, cmd.id);
  return cmd.id;
}

namespace {

/// A key may be narrowed to what its owner has a role on, and only a provisioning key counts what it is used for.
hooks::checked check_key(const draft& d, const entity_ref& owner, const messages::add_key& cmd) {
  if (hooks::characters(cmd.name) > 50 || hooks::characters(cmd.description) > 150) {
    return hooks::broken(
      "an API key's name has at most 50 characters, its description at most 150.");
  }
  if (cmd.uses < 0 || (cmd.uses != 0 && owner.kind != entity_kind::fleet)) {
    return hooks::broken("only a provisioning key has a number of uses, of 1 or more.");
  }
  const bool narrowed = cmd.scope != messages::key_scope{};
  if (narrowed && owner.kind != entity_kind::user) {
    return hooks::broken("only a user's API key has a scope.");
  }
  if (
    cmd.scope.organizations.size() > key_scope_ids_max
    || cmd.scope.fleets.size() > key_scope_ids_max) {
    return hooks::broken(
      "the scope of a key names at most " + std::to_string(key_scope_ids_max) + " of each.");
  }
  auto narrow_to = cmd.by;
  narrow(narrow_to, cmd.scope, d);
  const auto holds = [&](const std::vector<messages::membership>& has, std::int64_t id) {
    return role_in(has, id) != messages::role::none;
  };
  for (const auto id : cmd.scope.organizations) {
    if (!holds(narrow_to.organizations, id)) {
      return hooks::broken("the scope names an organization that does not exist.");
    }
  }
  for (const auto id : cmd.scope.fleets) {
    if (!holds(narrow_to.fleets, id)) {
      return hooks::broken("the scope names a fleet that does not exist.");
    }
  }
  return {};
}

}  // namespace

decision decide(draft& d, const rule_context& c, const messages::add_key& cmd) {
  const auto& n = numbers::get().api_key;
  const auto owner = entity_of_actor(cmd.of_actor, d);
  if (!owner || *owner != c.entity) {
    return fail(errc::not_found, "no such actor");
  }
  if (!access(d.model(), cmd.by, d).may_make_key(*owner)) {
    return fail(errc::unauthorized, "not permitted to make this key");
  }
  if (auto ok = check_key(d, *owner, cmd); !ok) {
    return tl::unexpected(ok.error());
  }
  const auto id = c.next_id();
  d.create(
    n.resource,
    id,
    {{n.key, cmd.key_hash},
     {n.is_of__actor, cmd.of_actor},
     {n.name, cmd.name.empty() ? value{} : value(cmd.name)},
     {n.description, cmd.description.empty() ? value{} : value(cmd.description)},
     {n.expiry_date, cmd.expires == 0 ? value{} : value(cmd.expires)},
     {n.scope, stored_scope(cmd.scope)},
     {n.remaining_uses, cmd.uses == 0 ? value{} : value(cmd.uses)}});
  return id;
}

}  // namespace slipway::domain
