#pragma once

#include "gateways/device/report_names.hpp"
#include "gateways/device/target_cache.hpp"
#include "messages/command.hpp"
#include "messages/error.hpp"

#include <nlohmann/json_fwd.hpp>

#include <vector>

namespace slipway::gateways::device {

/// Translates one device's part of a v3 state report (balena-api.md 8.7): text is cut to its limit, unknown members are ignored,
/// releases and images are looked up. Errors: unauthorized for an application, release or image that is not the device's to tell of;
/// invalid_argument for a part that is no object.
[[nodiscard]] messages::result<messages::report_state>
parse_report(const nlohmann::json& part, report_names& names, const target& of);

/// What an early supervisor reports (8.8), and what it asks to change: name, note, pin.
struct report_v2 {
  messages::report_state report;
  std::vector<messages::field_value> changes;  ///< of the device
};

/// `{"local": {...}}`. Errors as above.
[[nodiscard]] messages::result<report_v2>
parse_report_v2(const nlohmann::json& body, report_names& names, const target& of);

}  // namespace slipway::gateways::device
