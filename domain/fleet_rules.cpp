#include "domain/removal.hpp"
#include "domain/rule_hooks.hpp"

#include <algorithm>
#include <array>

namespace slipway::domain::hooks {
namespace {

using messages::as_bool;
using messages::as_int;
using messages::as_text;
using messages::field;
using messages::row;
using messages::value;

const numbers::table& n() {
  return numbers::get();
}

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

checked check_app_name(std::string_view name) {
  const bool ok =
    name.size() >= 4 && name.size() <= 100
    && std::all_of(name.begin(), name.end(), [](char c) { return is_word(c) || c == '-'; });
  return ok ? checked{}
            : broken("a fleet's name has 4 to 100 letters, digits, dashes or underscores.");
}

// As git has it (git-check-ref-format), and no more than people use: the name goes into a command's environment.
checked check_release_branch(const row& application) {
  const auto& value_of = field(application, n().application.release_branch);
  if (messages::is_null(value_of)) {
    return {};
  }
  const auto name = as_text(value_of);
  const auto allowed = [](char c) { return is_word(c) || c == '-' || c == '.' || c == '/'; };
  const auto has = [&name](std::string_view part) { return name.find(part) != std::string::npos; };
  const bool ok = !name.empty() && std::all_of(name.begin(), name.end(), allowed)
                  && name.find_first_of("-./") != 0 && name.find_last_of("./") != name.size() - 1
                  && !has("..") && !has("//") && !has("/.") && !has(".lock/")
                  && !name.ends_with(".lock");
  return ok ? checked{} : broken("a release branch is the name of a branch of git, such as main.");
}

std::string slug_of(const draft& d, const row& application) {
  const auto organization =
    d.get(n().organization.resource, as_int(field(application, n().application.organization)));
  const auto handle = organization ? as_text(field(*organization, n().organization.handle)) : "";
  return lower(handle + "/" + as_text(field(application, n().application.app_name)));
}

// What everybody is offered as the system of a type of device is the platform's business. A host may be updated by a block.
checked check_host(const draft& d, const change_set& set) {
  const auto& a = n().application;
  const bool host = as_bool(field(set.after, a.is_host));
  const bool offered = host && as_bool(field(set.after, a.is_public));
  const bool was = as_bool(field(set.before, a.is_host)) && as_bool(field(set.before, a.is_public));
  if (offered && !was && !is_platform(*set.by)) {
    return broken("only administrators make a host application public.");
  }
  const auto& updater = field(set.after, a.is_updated_by__application);
  if (messages::is_null(updater)) {
    return {};
  }
  const auto block = d.get(a.resource, as_int(updater));
  const bool fits = host && block && as_text(field(*block, a.is_of__class)) == "block";
  return fits ? checked{} : broken("a host application, and only one, is updated by a block.");
}

checked before_create_application(draft& d, const rule_context& c, change_set& set) {
  const auto& a = n().application;
  if (auto ok = check_app_name(as_text(field(set.after, a.app_name))); !ok) {
    return ok;
  }
  if (auto ok = check_host(d, set); !ok) {
    return ok;
  }
  if (auto ok = check_release_branch(set.after); !ok) {
    return ok;
  }
  set.set(a.actor, c.next_id());
  set.set(a.slug, slug_of(d, set.after));
  set.set(a.uuid, c.random_hex(32));
  set.set(a.should_track_latest_release, true);
  set.set(a.should_be_running__release, messages::null{});
  if (messages::is_null(field(set.after, a.application_type))) {
    d.scan(n().application_type, 0, [&](const row& r) {
      set.set(a.application_type, messages::id_of(r));
      return false;
    });
  }
  return {};
}

checked check_target(const draft& d, const change_set& set) {
  const auto& target = field(set.after, n().application.should_be_running__release);
  if (messages::is_null(target)) {
    return {};
  }
  const auto release = d.get(n().release.resource, as_int(target));
  const bool own =
    release
    && as_int(field(*release, n().release.belongs_to__application)) == messages::id_of(set.after)
    && as_text(field(*release, n().release.status)) == "success";
  return own ? checked{} : broken("a fleet's target is a successful release of its own.");
}

checked before_change_application(draft& d, const rule_context&, change_set& set) {
  const auto& a = n().application;
  if (auto ok = check_app_name(as_text(field(set.after, a.app_name))); !ok) {
    return ok;
  }
  // Without values: the organization's handle may be another.
  if (set.gave(a.app_name) || set.gave(a.organization) || set.given.empty()) {
    set.set(a.slug, slug_of(d, set.after));
  }
  if (auto ok = check_host(d, set); !ok) {
    return ok;
  }
  if (auto ok = check_release_branch(set.after); !ok) {
    return ok;
  }
  if (
    set.gave(a.is_for__device_type)
    && architecture_of(d, as_int(field(set.before, a.is_for__device_type)))
         != architecture_of(d, as_int(field(set.after, a.is_for__device_type)))) {
    return broken("a fleet's device type can change only within its architecture.");
  }
  return set.gave(a.should_be_running__release) ? check_target(d, set) : checked{};
}

checked before_remove_application(draft& d, const row& r) {
  const std::array<value, 1> key{messages::id_of(r)};
  if (d.first(n().device.resource, n().device.belongs_to__application, key)) {
    return broken("a fleet that still has devices cannot be removed.");
  }
  const auto goes = removal_of(d, n().application.resource, messages::id_of(r));
  return goes ? checked{} : tl::unexpected(goes.error());
}

checked before_write_service(draft&, const rule_context&, change_set& set) {
  const auto name = as_text(field(set.after, n().service.service_name));
  const bool ok = !name.empty() && name.size() <= 63 && is_word(name.front())
                  && std::all_of(name.begin(), name.end(), [](char c) {
                       return is_word(c) || c == '-' || c == '.';
                     });
  return ok ? checked{}
            : broken("a service's name has 1 to 63 letters, digits, dots, dashes or underscores.");
}

// Variables, labels and tags: rules on their keys (balena-api.md 3.3).

checked check_environment_name(const std::string& name) {
  const bool digit_first = !name.empty() && name.front() >= '0' && name.front() <= '9';
  const bool shape =
    !name.empty() && !digit_first && std::all_of(name.begin(), name.end(), is_word);
  const bool reserved = name == "RESIN" || name == "BALENA" || name == "USER"
                        || name.starts_with("RESIN_") || name.starts_with("BALENA_");
  if (!shape) {
    return broken(
      "a variable's name has letters, digits and underscores, and does not begin with a digit.");
  }
  return reserved ? checked(broken("a variable's name must not be RESIN, BALENA or USER, nor begin "
                                   "with RESIN_ or BALENA_."))
                  : checked{};
}

checked before_environment(draft&, const rule_context&, change_set& set) {
  if (as_text(field(set.after, keyed_value)).find('\n') != std::string::npos) {
    return broken("a variable's value must be one line.");
  }
  return check_environment_name(as_text(field(set.after, keyed_key)));
}

checked before_config(draft&, const rule_context&, change_set& set) {
  const auto name = as_text(field(set.after, keyed_key));
  const bool prefix = name.starts_with("RESIN_") || name.starts_with("BALENA_");
  const bool shape =
    std::all_of(name.begin(), name.end(), [](char c) { return is_word(c) || c == ':'; });
  return prefix && shape ? checked{}
                         : broken(
                           "a configuration variable's name begins with RESIN_ or BALENA_ and has "
                           "letters, digits, underscores and colons.");
}

checked before_tag(draft&, const rule_context&, change_set& set) {
  const auto key = as_text(field(set.after, keyed_key));
  const bool space = std::any_of(key.begin(), key.end(), [](char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
  });
  const bool reserved = key.starts_with("io.resin.") || key.starts_with("io.balena.");
  return !key.empty() && !space && !reserved
           ? checked{}
           : broken(
             "a tag's key has no white space and does not begin with io.resin. or io.balena.");
}

checked before_label(draft&, const rule_context&, change_set& set) {
  return as_text(field(set.after, keyed_key)).empty()
           ? checked(broken("a label's name must not be empty."))
           : checked{};
}

}  // namespace

void add_fleet_hooks(std::vector<entry>& table) {
  const auto& t = n();
  table[t.application.resource] = {
    before_create_application,
    before_change_application,
    track_latest,
    before_remove_application};
  table[t.service.resource] = {before_write_service, before_write_service, nullptr, nullptr};
  for (const auto resource :
       {t.application_environment_variable.resource,
        t.build_environment_variable.resource,
        t.service_environment_variable.resource,
        t.image_environment_variable.resource,
        t.device_environment_variable.resource,
        t.device_service_environment_variable.resource}) {
    table[resource] = {before_environment, before_environment, nullptr, nullptr};
  }
  for (const auto resource :
       {t.application_config_variable.resource, t.device_config_variable.resource}) {
    table[resource] = {before_config, before_config, nullptr, nullptr};
  }
  for (const auto resource :
       {t.application_tag.resource,
        t.release_tag.resource,
        t.device_tag.resource,
        t.organization_membership_tag.resource}) {
    table[resource] = {before_tag, before_tag, nullptr, nullptr};
  }
  for (const auto resource : {t.image_label.resource, t.service_label.resource}) {
    table[resource] = {before_label, before_label, nullptr, nullptr};
  }
}

}  // namespace slipway::domain::hooks
