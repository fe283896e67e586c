#include "domain/rule_hooks.hpp"

#include <algorithm>
#include <array>

namespace slipway::domain::hooks {
namespace {

using messages::as_int;
using messages::as_text;
using messages::field;
using messages::row;
using messages::value;

const numbers::table& n() {
  return numbers::get();
}

checked check_slug(const std::string& slug, const char* what) {
  const bool ok =
    !slug.empty() && slug.size() <= 100 && std::all_of(slug.begin(), slug.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'
             || c == '+';
    });
  return ok ? checked{}
            : broken(
              std::string(what)
              + " has 1 to 100 lower-case letters, digits, dashes, dots, plus signs or "
                "underscores.");
}

checked before_write_device_type(draft&, const rule_context&, change_set& set) {
  return check_slug(as_text(field(set.after, n().device_type.slug)), "the slug of a device type");
}

// Every look-up by slug goes through the aliases, so a type is its own alias.
checked after_write_device_type(draft& d, const rule_context& c, const change_set& set) {
  const auto& a = n().device_type_alias;
  const auto id = messages::id_of(set.after);
  const auto& slug = field(set.after, n().device_type.slug);
  const std::array<value, 1> key{slug};
  const auto known = d.first(a.resource, a.is_referenced_by__alias, key);
  if (!known) {
    d.create(a.resource, c.next_id(), {{a.device_type, id}, {a.is_referenced_by__alias, slug}});
    return {};
  }
  const auto r = d.get(a.resource, *known);
  return r && as_int(field(*r, a.device_type)) == id
           ? checked{}
           : broken("this slug is the alias of another device type.");
}

checked before_remove_device_type(draft& d, const row& r) {
  const std::array<value, 1> key{messages::id_of(r)};
  const bool used = d.first(n().application.resource, n().application.is_for__device_type, key)
                    || d.first(n().device.resource, n().device.is_of__device_type, key);
  return used ? checked(broken("a device type that fleets or devices have cannot be removed."))
              : checked{};
}

checked before_write_alias(draft& d, const rule_context&, change_set& set) {
  const auto& a = n().device_type_alias;
  const auto type = d.get(n().device_type.resource, as_int(field(set.before, a.device_type)));
  const bool own =
    type && field(*type, n().device_type.slug) == field(set.before, a.is_referenced_by__alias);
  if (own) {
    return broken("the alias that is the slug of its device type stays.");
  }
  return check_slug(as_text(field(set.after, a.is_referenced_by__alias)), "an alias");
}

checked before_remove_alias(draft& d, const row& r) {
  const auto& a = n().device_type_alias;
  const auto type = d.get(n().device_type.resource, as_int(field(r, a.device_type)));
  return type && field(*type, n().device_type.slug) == field(r, a.is_referenced_by__alias)
           ? checked(broken("the alias that is the slug of its device type stays."))
           : checked{};
}

checked before_remove_architecture(draft& d, const row& r) {
  const std::array<value, 1> key{messages::id_of(r)};
  return d.first(n().device_type.resource, n().device_type.is_of__cpu_architecture, key)
           ? checked(broken("an architecture that device types have cannot be removed."))
           : checked{};
}

checked before_remove_application_type(draft& d, const row& r) {
  const std::array<value, 1> key{messages::id_of(r)};
  return d.first(n().application.resource, n().application.application_type, key)
           ? checked(broken("an application type that fleets have cannot be removed."))
           : checked{};
}

checked before_remove_role(draft&, const row&) {
  return broken("the roles are fixed.");
}

}  // namespace

void add_catalog_hooks(std::vector<entry>& table) {
  table[n().device_type.resource] = {
    before_write_device_type,
    before_write_device_type,
    after_write_device_type,
    before_remove_device_type};
  table[n().device_type_alias.resource] = {
    before_write_alias,
    before_write_alias,
    nullptr,
    before_remove_alias};
  table[n().cpu_architecture].before_remove = before_remove_architecture;
  table[n().application_type].before_remove = before_remove_application_type;
  for (const auto role :
       {n().organization_membership_role.resource, n().application_membership_role.resource}) {
    const auto fixed = [](draft&, const rule_context&, change_set&) -> checked {
      return broken("the roles are fixed.");
    };
    table[role] = {fixed, fixed, nullptr, before_remove_role};
  }
}

}  // namespace slipway::domain::hooks
