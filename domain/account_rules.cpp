#include "domain/host_rules.hpp"
#include "domain/removal.hpp"
#include "domain/rule_hooks.hpp"

#include <array>

namespace slipway::domain::hooks {
namespace {

using messages::as_bool;
using messages::as_text;
using messages::field;
using messages::row;
using messages::value;

const numbers::table& n() {
  return numbers::get();
}

// Lower-case letters, digits and `_`, as handles are made of.
std::string handle_from(std::string_view name) {
  std::string out;
  for (const char c : lower(name)) {
    const bool kept = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    if (kept) {
      out += c;
    } else if (!out.empty() && out.back() != '_') {
      out += '_';
    }
  }
  while (!out.empty() && out.back() == '_') {
    out.pop_back();
  }
  out.resize(std::min<std::size_t>(out.size(), 80));
  return out.empty() ? "organization" : out;
}

// A handle that was derived must not fail on somebody else's: the next free number goes behind it.
std::string free_handle(const draft& d, const std::string& wanted) {
  auto handle = wanted;
  for (int i = 2;; ++i) {
    const std::array<value, 1> key{handle};
    const bool taken = is_reserved_handle(handle)
                       || d.first(n().organization.resource, n().organization.handle, key);
    if (!taken) {
      return handle;
    }
    handle = wanted + "_" + std::to_string(i);
  }
}

// Whoever founds an organization manages it.
value founders_role(const draft& d) {
  const auto& r = n().organization_membership_role;
  const std::array<value, 1> name{"administrator"};
  const auto id = d.first(r.resource, r.name, name);
  return id ? value(*id) : value{};
}

void found_organization(
  draft& d,
  const rule_context& c,
  std::int64_t id,
  const std::string& name,
  std::int64_t member) {
  d.create(
    n().organization.resource,
    id,
    {{n().organization.name, name}, {n().organization.handle, free_handle(d, handle_from(name))}});
  d.create(
    n().organization_membership.resource,
    c.next_id(),
    {{n().organization_membership.user, member},
     {n().organization_membership.is_member_of__organization, id},
     {n().organization_membership.organization_membership_role, founders_role(d)}});
}

checked check_user_name(std::string_view name) {
  bool ok = !name.empty() && name.size() <= 73;
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    ok = ok && (letter || c == '_' || c == '-' || c == '.');
  }
  return ok ? checked{}
            : broken("a user name has 1 to 73 letters, digits, dots, dashes or underscores.");
}

checked check_email(const value& email) {
  const auto text = as_text(email);
  const auto at = text.find('@');
  const bool ok =
    messages::is_null(email) || (at != std::string::npos && at > 0 && at + 1 < text.size());
  return ok ? checked{} : broken("\"email\" is not an e-mail address.");
}

checked before_create_user(draft&, const rule_context& c, change_set& set) {
  if (auto ok = check_user_name(as_text(field(set.after, n().user.username))); !ok) {
    return ok;
  }
  if (as_text(field(set.after, n().user.password)).empty()) {
    return broken("\"password\" is required.");
  }
  set.set(n().user.actor, c.next_id());
  set.set(n().user.jwt_secret, c.random_hex(32));
  if (auto ok = before_login_data_change(set); !ok) {
    return ok;
  }
  return check_email(field(set.after, n().user.email));
}

checked before_change_user(draft& d, const rule_context& c, change_set& set) {
  if (auto ok = check_user_name(as_text(field(set.after, n().user.username))); !ok) {
    return ok;
  }
  const bool demoted = as_bool(field(set.before, n().user.is_administrator))
                       && !as_bool(field(set.after, n().user.is_administrator));
  if (demoted && is_last_administrator(d, set.before)) {
    return broken(
      "the last administrator of the platform stays one: make somebody else one first.");
  }
  if (set.gave(n().user.password)) {
    // Whoever logged in with the old password has to log in again.
    set.set(n().user.jwt_secret, c.random_hex(32));
    end_sessions(d, messages::id_of(set.before));
  }
  if (auto ok = before_login_data_change(set); !ok) {
    return ok;
  }
  return check_email(field(set.after, n().user.email));
}

checked before_remove_user(draft& d, const row& r) {
  const auto goes = removal_of(d, n().user.resource, messages::id_of(r));
  return goes ? checked{} : tl::unexpected(goes.error());
}

// Everybody begins with an organization of their own.
checked after_write_user(draft& d, const rule_context& c, const change_set& set) {
  if (set.before.empty()) {
    found_organization(
      d,
      c,
      c.next_id(),
      as_text(field(set.after, n().user.username)),
      messages::id_of(set.after));
  }
  return {};
}

checked check_handle(const change_set& set) {
  const auto text = as_text(field(set.after, n().organization.handle));
  if (
    is_reserved_handle(text) && !is_platform(*set.by)
    && text != as_text(field(set.before, n().organization.handle))) {
    return broken("this handle is reserved for the platform.");
  }
  return text == handle_from(text)
           ? checked{}
           : broken("a handle has lower-case letters, digits and underscores only.");
}

checked before_create_organization(draft& d, const rule_context&, change_set& set) {
  if (messages::is_null(field(set.after, n().organization.handle))) {
    set.set(
      n().organization.handle,
      free_handle(d, handle_from(as_text(field(set.after, n().organization.name)))));
  }
  return check_handle(set);
}

checked after_write_organization(draft& d, const rule_context& c, const change_set& set) {
  if (set.before.empty() && set.by->kind == messages::requester_kind::user) {
    d.create(
      n().organization_membership.resource,
      c.next_id(),
      {{n().organization_membership.user, set.by->id},
       {n().organization_membership.is_member_of__organization, messages::id_of(set.after)},
       {n().organization_membership.organization_membership_role, founders_role(d)}});
  }
  return {};
}

checked before_remove_organization(draft& d, const row& r) {
  const std::array<value, 1> key{messages::id_of(r)};
  return d.first(n().application.resource, n().application.organization, key)
           ? checked(broken("an organization that still has fleets cannot be removed."))
           : checked{};
}

}  // namespace

void add_account_hooks(std::vector<entry>& table) {
  table[n().user.resource] = {
    before_create_user,
    before_change_user,
    after_write_user,
    before_remove_user};
  table[n().organization.resource] = {
    before_create_organization,
    [](draft&, const rule_context&, change_set& set) { return check_handle(set); },
    after_write_organization,
    before_remove_organization};
}

}  // namespace slipway::domain::hooks
