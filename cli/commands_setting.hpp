#pragma once

#include "cli/context.hpp"

#include <string>

namespace slipway::cli {

/// What a variable or tag hangs on: exactly one of fleet, device, release; a variable's service is of the fleet.
struct setting_target {
  std::string fleet;
  std::string device;
  std::string release;  ///< tags only
  std::string service;  ///< variables only
};

/// Variables. Names with BALENA_ or RESIN_ first configure the device, the rest reach the services.
messages::result<void> env_list(context& c, const setting_target& t);
messages::result<void>
env_set(context& c, const setting_target& t, const std::string& name, const std::string& value);
messages::result<void> env_remove(context& c, const setting_target& t, const std::string& name);

messages::result<void> tag_list(context& c, const setting_target& t);
messages::result<void>
tag_set(context& c, const setting_target& t, const std::string& key, const std::string& value);
messages::result<void> tag_remove(context& c, const setting_target& t, const std::string& key);

}  // namespace slipway::cli
