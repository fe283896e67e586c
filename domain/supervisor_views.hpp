#pragma once

#include "domain/supervisor_api.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <optional>
#include <string>

/// The documents of the supervisor API that only show what is.
namespace slipway::domain {

[[nodiscard]] nlohmann::json device_json(const device_view& d);        ///< GET /v1/device
[[nodiscard]] nlohmann::json state_status_json(const device_view& d);  ///< GET /v2/state/status
[[nodiscard]] nlohmann::json applications_state_json(
  const device_view& d);  ///< GET /v2/applications/state
/// GET /v2/applications/:id/state
[[nodiscard]] nlohmann::json application_state_json(const device_view& d, const desired_app& app);
/// GET /v1/apps/:id of an app with one service; nothing while it has no container.
[[nodiscard]] std::optional<nlohmann::json> app_json(const device_view& d, const desired_app& app);
/// Service name -> container id.
[[nodiscard]] std::map<std::string, std::string> container_ids(const device_view& d);

}  // namespace slipway::domain
