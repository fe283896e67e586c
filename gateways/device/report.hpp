#pragma once

#include "gateways/device/report_names.hpp"
#include "messages/command.hpp"
#include "messages/error.hpp"

#include <nlohmann/json_fwd.hpp>

namespace slipway::gateways::device {

/// Translates one device's part of a v3 state report (balena-api.md 8.7): text is cut to its limit, unknown members are ignored,
/// releases and images are looked up. Errors: unauthorized for an application, release or image that is not the device's fleet's;
/// invalid_argument for a part that is no object.
[[nodiscard]] messages::result<messages::report_state>
parse_report(const nlohmann::json& part, report_names& names, std::int64_t application);

}  // namespace slipway::gateways::device
