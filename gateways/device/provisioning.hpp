#pragma once

#include "gateways/device/config_json.hpp"
#include "gateways/device/device_types.hpp"
#include "gateways/services.hpp"

#include <memory>
#include <string>

namespace slipway::gateways::device {

/// How a device comes to be one of a fleet: its configuration and its registration (balena-api.md 8.2, 8.10).
class provisioning {
public:
  provisioning(std::shared_ptr<const services> s, device_types& types)
    : s_(std::move(s)), types_(types) {}

  /// POST /device/register
  runtime::awaitable<void> enroll(runtime::exchange& x);
  /// GET and POST /download-config
  runtime::awaitable<void> download_config(runtime::exchange& x);

private:
  /// The slug of the device type to be told. Errors: not_found (no such fleet, or no access to it), invalid_argument.
  [[nodiscard]] messages::result<std::string> check(
    const messages::requester& by,
    const config_request& request) const;

  std::shared_ptr<const services> s_;
  device_types& types_;
};

}  // namespace slipway::gateways::device
