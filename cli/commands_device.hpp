#pragma once

#include "cli/context.hpp"

#include <string>

namespace slipway::cli {

messages::result<void> device_list(context& c, const std::string& fleet);
messages::result<void> device_show(context& c, const std::string& device);
messages::result<void>
device_rename(context& c, const std::string& device, const std::string& name);
messages::result<void> device_remove(context& c, const std::string& device, bool yes);

struct device_config_args {
  std::string fleet;
  std::string output = "config.json";  ///< "-" = stdout
  std::string device_type;             ///< "" = the fleet's
  bool force = false;
};
/// Writes what a new device needs to join a fleet. The file holds a provisioning key: only its owner can read it.
messages::result<void> device_config(context& c, const device_config_args& args);

}  // namespace slipway::cli
