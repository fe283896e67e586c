#include "domain/rule_hooks.hpp"

#include <algorithm>
#include <array>

/// Rules of what hangs on fleets and releases and is not a variable, label or tag.
namespace slipway::domain::hooks {
namespace {

using messages::as_int;
using messages::as_text;
using messages::field;
using messages::value;

const numbers::table& n() {
  return numbers::get();
}

bool is_one_line(const std::string& text) {
  return std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20; });
}

bool is_profile_name(const std::string& name) {
  return !name.empty() && is_one_line(name) && name.find(' ') == std::string::npos;
}

checked before_write_image_profile(draft&, const rule_context&, change_set& set) {
  return is_profile_name(as_text(field(set.after, n().image_profile.profile_name)))
           ? checked{}
           : broken("a profile's name is one word.");
}

checked before_write_application_profile(draft& d, const rule_context&, change_set& set) {
  const auto& p = n().application_profile;
  const auto activator = d.get(n().application.resource, as_int(field(set.after, p.application)));
  const bool fleet =
    activator && as_text(field(*activator, n().application.is_of__class)) == "fleet";
  if (!fleet) {
    return broken("only fleets activate profiles.");
  }
  return is_profile_name(as_text(field(set.after, p.activates__profile_name)))
           ? checked{}
           : broken("a profile's name is one word.");
}

checked before_write_asset(draft&, const rule_context&, change_set& set) {
  const auto& a = n().release_asset;
  const auto key = as_text(field(set.after, a.asset_key));
  const bool moved =
    !set.before.empty() && field(set.before, a.release) != field(set.after, a.release);
  if (moved) {
    return broken("a release asset cannot move to another release.");
  }
  return !key.empty() && is_one_line(key) ? checked{}
                                          : broken("an asset's key is one line and not empty.");
}

}  // namespace

void add_attachment_hooks(std::vector<entry>& table) {
  const auto put = [&](std::uint16_t resource, before_hook hook) {
    table[resource].before_create = hook;
    table[resource].before_change = hook;
  };
  put(n().image_profile.resource, before_write_image_profile);
  put(n().application_profile.resource, before_write_application_profile);
  put(n().release_asset.resource, before_write_asset);
}

}  // namespace slipway::domain::hooks
