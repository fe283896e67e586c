#pragma once

#include "cli/context.hpp"

#include <cstdint>
#include <string>

namespace slipway::cli {

/// Whose API keys: one's own when both are empty.
struct key_owner {
  std::string fleet;   ///< provisioning keys
  std::string device;  ///< keys of a device
};

struct key_args {
  std::string name;
  std::string description;
  std::string expires;    ///< `90d`, `12h` or an ISO date; "" = never
  std::string scope;      ///< JSON, own keys only (docs/permissions.md); "" = all that the user may
  std::int64_t uses = 0;  ///< provisioning keys: so many registrations; 0 = no limit
};

/// Prints the key: it is shown this once.
messages::result<void> key_create(context& c, const key_owner& owner, const key_args& args);
messages::result<void> key_list(context& c, const key_owner& owner);
messages::result<void> key_remove(context& c, std::int64_t id);

messages::result<void> ssh_key_add(context& c, const std::string& title, const std::string& file);
messages::result<void> ssh_key_list(context& c);
messages::result<void> ssh_key_show(context& c, std::int64_t id);
messages::result<void> ssh_key_remove(context& c, std::int64_t id);

/// The end of a time from now: `90d`, `12h`, or the ISO date itself. Errors: invalid_argument.
messages::result<std::string> expiry_of(const std::string& text, std::int64_t now_ms);

}  // namespace slipway::cli
