#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace slipway::gateways::device {

/// What the rows say of a device type.
struct device_type_facts {
  std::string slug;
  std::string name;
  std::string architecture;  ///< slug
  std::string logo;          ///< URL, data URL or SVG text; "" = none
  std::vector<std::string> aliases;
  std::string contract;  ///< JSON text, "" = none; made by users, so of any shape
};

/// A device type as `/device-types/v1` answers it (balena-api.md 8.10, "Device type JSON"). A hardware contract's `data` may say
/// `connectivity.wifi`, `flash_board`, `yocto`, `configuration`, `initialization` and `options`; what has the wrong shape is left out.
[[nodiscard]] nlohmann::json device_type_json(const device_type_facts& facts);

/// Names of all questions in `options`, those in groups too.
[[nodiscard]] std::vector<std::string> question_names(const nlohmann::json& device_type);

}  // namespace slipway::gateways::device
