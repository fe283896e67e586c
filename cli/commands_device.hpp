#pragma once

#include "cli/context.hpp"

#include <string>

namespace slipway::cli {

messages::result<void> device_list(context& c, const std::string& fleet);
messages::result<void> device_show(context& c, const std::string& device);
messages::result<void>
device_rename(context& c, const std::string& device, const std::string& name);
messages::result<void> device_remove(context& c, const std::string& device, bool yes);
messages::result<void> device_move(context& c, const std::string& device, const std::string& fleet);
messages::result<void> device_note(context& c, const std::string& device, const std::string& note);
/// Keeps it on a release of its fleet; `device_track_fleet` ends that.
messages::result<void>
device_pin(context& c, const std::string& device, const std::string& release);
messages::result<void> device_track_fleet(context& c, const std::string& device);
/// A device that is not active gets no updates and counts no more; `rm` forgets it.
messages::result<void> device_set_active(context& c, const std::string& device, bool active);

struct device_register_args {
  std::string fleet;
  std::string uuid;         ///< 32 or 62 hex digits, "" = made up
  std::string device_type;  ///< "" = the fleet's
};
/// Makes a device before it exists, and prints its uuid and key.
messages::result<void> device_register(context& c, const device_register_args& args);

struct device_config_args {
  std::string fleet;
  std::string output = "config.json";  ///< "-" = stdout
  std::string device_type;             ///< "" = the fleet's
  bool force = false;
};
/// Writes what a new device needs to join a fleet. The file holds a provisioning key: only its owner can read it.
messages::result<void> device_config(context& c, const device_config_args& args);

}  // namespace slipway::cli
