#pragma once

#include "gateways/services.hpp"

#include <memory>
#include <string>

namespace slipway::gateways::device {

/// What clients and hosts ask of the installation itself (balena-api.md 8.10, 8.11).
class platform {
public:
  explicit platform(std::shared_ptr<const services> s) : s_(std::move(s)) {}

  /// GET /config
  runtime::awaitable<void> config(runtime::exchange& x);
  /// GET /config/vars, with `deviceType` those of one type.
  runtime::awaitable<void> config_vars(runtime::exchange& x);
  /// GET /os/v1/config
  runtime::awaitable<void> os_config(runtime::exchange& x);
  /// GET /services/vpn/auth/:uuid: 200 for the device's own key.
  runtime::awaitable<void> vpn_auth(runtime::exchange& x, std::string uuid);
  /// GET /access/v1/hostos/:uuid: 200 for whoever may open a shell on the device's host.
  runtime::awaitable<void> host_access(runtime::exchange& x, std::string uuid);

private:
  std::shared_ptr<const services> s_;
};

}  // namespace slipway::gateways::device
