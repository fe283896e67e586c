#pragma once

#include "cli/context.hpp"

#include <string>

namespace slipway::cli {

/// What an online device is told to do now. Errors: not_found when it is not connected, conflict when an update lock is held.
enum class device_action { restart, reboot, shutdown, purge, blink, update };

/// `service` narrows a restart; `force` overrides update locks.
messages::result<void> device_act(
  context& c,
  device_action action,
  const std::string& device,
  const std::string& service,
  bool force);

/// `start`, `stop` or `restart` one service.
messages::result<void> device_service(
  context& c,
  const std::string& verb,
  const std::string& device,
  const std::string& service,
  bool force);

struct log_args {
  std::string device;
  std::string service;  ///< only this one's; "" = all
  bool follow = false;
  int count = 100;      ///< lines of history; 0 = none
  bool system = false;  ///< only what the agent itself says
};

/// History, and with `follow` what comes next until Ctrl-C.
messages::result<void> device_logs(context& c, const log_args& args);

}  // namespace slipway::cli
