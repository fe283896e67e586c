#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string_view>

namespace slipway::gateways::device {

/// The configuration variables that devices understand, as `GET /config/vars` answers them (balena-api.md 8.10). With a device type's
/// slug only those of its boot loader; "" = all. A type that nobody knows gets what every device understands.
[[nodiscard]] nlohmann::json config_variables(std::string_view device_type);

}  // namespace slipway::gateways::device
